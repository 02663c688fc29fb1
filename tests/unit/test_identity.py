"""People: names, passwords, codes, lock-out, roles in time, and what another site may not send. Pure code, no database."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.cookies import is_cross_site
from office.identity import lockout, passwords, totp
from office.identity.errors import TooBusyError
from office.identity.grants import Delegation, RoleGrant, holding
from office.identity.keys import Sealer
from office.identity.login import AT_THE_DOOR, BEFORE_THE_DOOR, Desk
from office.identity.names import email_address, login_name, phone_number, shown_name
from office.identity.oidc import Provider, ProviderError, _is_safe, check_settings
from office.identity.oidc_links import Pending
from office.identity.sessions import Visit, csrf_matches, csrf_token
from office.identity.subject import ROLE_PERMISSIONS, Role
from runtime.errors import ConfigurationError
from runtime.settings import Settings
from tests.ports import free_port

# --- names


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Zhang.Wei", "zhang.wei"), ("ｚｈａｎｇ１", "zhang1"), (" 李明 ", "李明"), ("⽅", None), ("a", None), ("⽅⽅", "方方"),
        ("zhаng", None), ("οlga", None), ("straße", "strasse"), ("a b", None), ("a\0b", None), ("admin\u200b", None),
        (".ab", None), ("ab.", None), ("a\nb", None), ("ﬁle", "file"), ("x" * 64, "x" * 64), ("x" * 65, None), ("İx", None),
        ("\u202eab", None), ("e\u0301a", None), ("K9", "k9"), ("x" * 10_000, None), ("", None),
    ],
)  # fmt: skip
def test_a_login_name_has_one_spelling(typed: str, stored: str | None) -> None:
    assert login_name(typed) == stored


@given(st.text(max_size=80))
def test_a_stored_name_stays_as_it_is(typed: str) -> None:
    stored = login_name(typed)
    if stored is not None:
        assert login_name(stored) == stored
        assert login_name(stored.upper()) == stored


def test_other_texts_of_people() -> None:
    assert shown_name(" 李明 ") == "李明"
    assert [shown_name(text) for text in ("", "a\nb", "x" * 101)] == [None] * 3
    assert phone_number("０５１３-8512 3456") == "0513-8512 3456"
    assert [phone_number(text) for text in ("12", "+86;ext", "1\n2345678")] == [None] * 3
    assert email_address("li.ming@example.gov.cn") == "li.ming@example.gov.cn"
    assert [email_address(text) for text in ("x", "a@b\nBcc: c@d", "a b@c", "a@b,c@d", "<a@b>")] == [None] * 5


# --- passwords


@pytest.mark.parametrize(
    "poor",
    ["123456789", "1234567890", "ＰＡＳＳＷＯＲＤ１２３", "aaaaaaaaaaaa", "abababababab", "abcdefghijkl", "zhangwei99", "iewgnahz12",
     "Gongche2026", "a\0bcdefghijk", "x" * 257, "春春春春春春春春春春"],
)  # fmt: skip
def test_poor_passwords_are_refused(poor: str) -> None:
    assert passwords.flaw(poor, "zhangwei")


@pytest.mark.parametrize(
    "good",
    ["correct horse", "今天天气很好我们去南通", "Tr0ub4dor&3x", "zhangwei likes green tea", "x9 kd7" * 40],
)
def test_good_passwords_need_no_kinds_of_characters(good: str) -> None:
    assert passwords.flaw(good, "zhangwei") is None


LIGHT = Settings(password_memory_mib=8, password_rounds=1, password_checks_at_once=1)


async def test_a_password_is_hashed_and_compared() -> None:
    work = passwords.PasswordWork(LIGHT)
    stored = await work.hash("pass\u00e9 word 12")
    assert stored.startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert await work.matches(stored, "passe\u0301 word 12")  # the same, however it was typed
    for wrong in ("", "passe word 12", "x" * 300, "\ud800"):
        assert not await work.matches(stored, wrong)
    assert not await work.matches(None, "pass\u00e9 word 12")
    assert not await work.matches("no hash", "x")
    assert not work.outdated(stored)
    assert passwords.PasswordWork(Settings()).outdated(stored)
    assert passwords.flaw(passwords.one_time_password(), "admin") is None


async def test_nobody_costs_what_somebody_costs() -> None:
    """The hash that stands for an unknown user has the parameters of real ones, so that it takes as long."""
    work = passwords.PasswordWork(LIGHT)
    real = await work.hash("x" * 12)
    assert work._nobody.split("$")[:4] == real.split("$")[:4]
    assert list(map(len, work._nobody.split("$"))) == list(map(len, real.split("$")))


async def test_only_so_many_wait_for_their_password() -> None:
    work = passwords.PasswordWork(LIGHT)
    jobs = [asyncio.create_task(work.hash("x" * 12)) for _ in range(40)]
    done = await asyncio.gather(*jobs, return_exceptions=True)
    refused = [one for one in done if isinstance(one, TooBusyError)]
    assert len(refused) == 40 - 1 - passwords.WAITING_EACH
    cancelled = asyncio.create_task(work.hash("x" * 12))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await work.hash("x" * 12)  # there is room again


# --- codes


@pytest.mark.parametrize(
    ("now_s", "code"),
    [(59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"), (2000000000, "69279037"), (20000000000, "65353130")],
)  # fmt: skip
def test_vectors_of_rfc_6238(now_s: int, code: str) -> None:
    """Appendix B, SHA-1; ours are the last six of its eight digits."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert pyotp.TOTP(secret, digits=8).at(now_s) == code
    assert totp.matching_step(secret, code[2:], now_s, None) == now_s // 30


def test_a_code_counts_once_and_drifts_one_step() -> None:
    secret, now = totp.new_secret(), 1_772_411_400
    step = now // 30
    code = {k: pyotp.TOTP(secret).generate_otp(step + k) for k in range(-2, 3)}
    assert [totp.matching_step(secret, code[k], now, None) for k in (-1, 0, 1)] == [step - 1, step, step + 1]
    assert [totp.matching_step(secret, code[k], now, None) for k in (-2, 2)] == [None, None]
    assert totp.matching_step(secret, code[0], now, step) is None
    assert totp.matching_step(secret, code[-1], now, step) is None  # an older one neither
    assert totp.matching_step(secret, code[1], now, step) == step + 1
    for odd in ("", "12345", "1234567", "abcdef", "１２３", "-12345", "²²²²²²"):
        assert totp.matching_step(secret, odd, now, None) is None
    wide = code[0].translate({ord("0") + k: 0xFF10 + k for k in range(10)})
    assert totp.matching_step(secret, wide, now, None) == step


def test_recovery_codes_are_told_apart_and_typed_freely() -> None:
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == 10
    assert totp.recovery_digest(codes[0]) == totp.recovery_digest(codes[0].lower().replace("-", " "))
    assert len({totp.recovery_digest(code) for code in codes}) == 10
    assert [totp.recovery_digest(odd) for odd in ("", "x" * 10_000, "0" * 16, "\0" * 16)] == [None] * 4


def test_a_sealed_secret_opens_for_its_owner_with_its_key(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    sealer = Sealer(settings)
    with pytest.raises(ConfigurationError):
        sealer.open(b"x" * 40, "li")
    sealed = sealer.seal("SECRET", "li")
    assert b"SECRET" not in sealed
    assert Sealer(settings).open(sealed, "li") == "SECRET"
    with pytest.raises(ConfigurationError):
        sealer.open(sealed, "wang")
    key = tmp_path / "identity.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to other"):
        Sealer(settings).open(sealed, "li")
    key.write_text("short")
    key.chmod(0o600)
    with pytest.raises(ConfigurationError, match="base64"):
        Sealer(settings).seal("x", "li")
    with pytest.raises(ConfigurationError):  # a key that was named is not made
        Sealer(Settings(identity_key_file=tmp_path / "missing")).seal("x", "li")


# --- lock-out


@given(st.integers(0, 10_000))
def test_the_wait_grows_and_is_never_for_ever(failures: int) -> None:
    for policy in (lockout.USER, lockout.ADDRESS):
        wait, following = policy.wait_s(failures), policy.wait_s(failures + 1)
        assert 0 <= wait <= following <= 900
        assert (wait == 0) == (failures < policy.free)
        assert wait == 900 or following <= max(2, 2 * wait)


def test_so_many_guesses_fit_into_a_day() -> None:
    guesses, at_s = 0, 0
    while at_s < 24 * 3600:
        guesses += 1
        at_s += lockout.USER.wait_s(guesses)
    assert guesses < 110


@pytest.mark.parametrize(
    ("address", "counted"),
    [("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::/64"), ("2001:db8:0:0:9::5", "2001:db8::/64"),
     ("fe80::1%eth0", "fe80::/64"), ("", "?"), ("evil\r\nX: y", "?"), ("1" * 5000, "?")],
)  # fmt: skip
def test_what_is_one_address(address: str, counted: str) -> None:
    assert lockout.network(address) == counted


# --- roles in time

T0 = datetime(2026, 3, 2, tzinfo=UTC)
moments = st.integers(0, 20).map(lambda h: T0 + timedelta(hours=h))
periods = st.tuples(moments, moments).filter(lambda p: p[0] < p[1])


@st.composite
def role_grants(draw: Any, user: str) -> RoleGrant:
    start, end = draw(periods)
    role = draw(st.sampled_from(Role))
    return RoleGrant(
        draw(st.integers(1, 99)),
        user,
        role,
        draw(st.sampled_from([None, "a", "b"])),
        start,
        draw(st.sampled_from([end, None])),
    )


@st.composite
def delegations(draw: Any) -> Delegation:
    start, end = draw(periods)
    grant = draw(role_grants("giver"))
    return Delegation(draw(st.integers(1, 99)), grant, "me", start, end, draw(st.booleans()))


@given(st.lists(role_grants("me"), max_size=4), st.lists(delegations(), max_size=4), moments)
def test_a_role_holds_in_its_period_and_a_delegation_never_longer(
    own: list[RoleGrant], delegated: list[Delegation], at: datetime
) -> None:
    held = holding(own, delegated, at)
    wanted = [
        (g.role, g.organisation, None)
        for g in own
        if g.valid_from <= at and not (g.valid_to is not None and at >= g.valid_to)
    ] + [
        (d.grant.role, d.grant.organisation, "giver")
        for d in delegated
        if d.valid_from <= at < d.valid_to
        and d.grant.valid_from <= at
        and not (d.grant.valid_to is not None and at >= d.grant.valid_to)
        and not d.giver_disabled
    ]
    assert [(g.role, g.organisation, g.delegated_by) for g in held] == wanted
    for grant in held:
        assert grant.role is not None
        assert grant.permissions == ROLE_PERMISSIONS[grant.role]
    assert holding(own, delegated, T0 + timedelta(days=9)) == holding(
        [g for g in own if g.valid_to is None], [], T0 + timedelta(days=9)
    )


def test_no_role_both_answers_and_judges() -> None:
    for role, permissions in ROLE_PERMISSIONS.items():
        assert not {"cases:reply", "cases:close"} <= permissions, role
        if "users:manage" in permissions:
            assert not any(
                permission.startswith(("cases:", "tracks:", "alerts:")) for permission in permissions
            ), role
    assert not ROLE_PERMISSIONS[Role.FINANCE] & {"tracks:read", "alerts:read"}


# --- what another site may not send


@pytest.mark.parametrize(
    ("headers", "public_url", "refused"),
    [
        ({}, None, False),
        ({"sec-fetch-site": "same-origin"}, None, False),
        ({"sec-fetch-site": "none"}, None, False),
        ({"sec-fetch-site": "same-site"}, None, True),
        ({"sec-fetch-site": "cross-site"}, None, True),
        ({"sec-fetch-site": ""}, None, True),
        ({"sec-fetch-site": "cross-site", "origin": "https://a.cn", "host": "a.cn"}, None, True),
        ({"origin": "https://a.cn", "host": "a.cn"}, None, False),
        ({"origin": "https://A.cn", "host": "a.CN"}, None, False),
        ({"origin": "https://a.cn:8443", "host": "a.cn"}, None, True),
        ({"origin": "https://evil.cn", "host": "a.cn"}, None, True),
        ({"origin": "https://a.cn.evil.cn", "host": "a.cn"}, None, True),
        ({"origin": "null", "host": "a.cn"}, None, True),
        ({"origin": "", "host": ""}, None, True),
        ({"origin": "https://[", "host": "["}, None, True),
        ({"origin": "https://a.cn", "host": "inner:8000"}, None, True),
        ({"origin": "https://a.cn", "host": "inner:8000"}, "https://a.cn", False),
        ({"origin": "http://a.cn", "host": "inner:8000"}, "https://a.cn", True),
    ],
)
def test_who_sends_a_request(headers: dict[str, str], public_url: str | None, refused: bool) -> None:
    assert is_cross_site(headers, public_url) is refused


def test_a_csrf_token_belongs_to_one_session() -> None:
    assert csrf_matches("a" * 43, csrf_token("a" * 43))
    for wrong in ("", csrf_token("b" * 43), csrf_token("a" * 43) + "=", "a" * 43, "é", "\ud800"):
        assert not csrf_matches("a" * 43, wrong)


# --- settings


def test_a_provider_needs_all_of_its_settings_and_tls(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    secret.chmod(0o600)
    fine = {
        "oidc_issuer": "https://id.gov.cn",
        "oidc_client_id": "g",
        "oidc_secret_file": secret,
        "public_url": "https://g.cn",
    }
    check_settings(Settings(**fine))  # type: ignore[arg-type]
    check_settings(Settings())
    for change in (
        {"oidc_client_id": None},
        {"public_url": None},
        {"oidc_secret_file": None},
        {"oidc_issuer": "http://id.gov.cn"},
    ):
        with pytest.raises(ConfigurationError):
            check_settings(Settings(**fine | change))  # type: ignore[arg-type]
    secret.chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to other"):
        check_settings(Settings(**fine))  # type: ignore[arg-type]
    assert not any(
        map(_is_safe, ("http://a.cn/x", "ftp://a.cn", "https://", "http://127.0.0.1.evil.cn", None, 5))
    )
    assert _is_safe("http://127.0.0.1:9/x")


async def test_a_provider_that_does_not_answer_is_left_alone_for_a_moment(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, oidc_issuer=f"http://127.0.0.1:{free_port()}", oidc_client_id="g")
    provider = Provider(settings, Desk(None, settings))
    for said in ("Connect", "a moment ago"):
        with pytest.raises(ProviderError, match=said):
            await provider.begin("state", "browser", Pending("nonce", "verifier"), Visit("127.0.0.1", ""))


async def test_only_so_many_wait_at_the_door(tmp_path: Path) -> None:
    """Who guesses from one address waits in the database for himself: connections are left for others."""
    desk, opened, inside = Desk(None, Settings(data_dir=tmp_path)), asyncio.Event(), 0

    async def come() -> None:
        nonlocal inside
        async with desk._through_the_door():
            inside += 1
            await opened.wait()
            inside -= 1

    coming = [asyncio.create_task(come()) for _ in range(BEFORE_THE_DOOR + 5)]
    await asyncio.sleep(0)
    assert inside == AT_THE_DOOR
    opened.set()
    done = await asyncio.gather(*coming, return_exceptions=True)
    assert sum(isinstance(one, TooBusyError) for one in done) == 5
    await come()
