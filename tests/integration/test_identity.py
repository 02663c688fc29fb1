"""People and programs over real HTTP on a real PostgreSQL, with two APIs over it: one database for all tests of this file."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyotp
import pytest

from office.identity import grants, passwords, users
from office.identity.secrets import digest
from office.identity.sessions import csrf_token
from office.identity.subject import Role
from tests.integration.identity_site import COOKIE, Browser, Site
from tests.waiting import wait_until

PASSWORD = "a long sentence of mine"
OTHER = "another sentence of mine"


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = dict(answer.json())
    assert found["type"] == f"urn:gongche:problem:{code}", found
    return found


def person(site: Site, role: Role | None = None, unit: str | None = None, home: str | None = None) -> str:
    """A new user, with a role where one is named."""
    login = site.add(f"u{uuid.uuid4().hex[:10]}", PASSWORD, home)
    if role is not None:
        give(site, login, role, unit)
    return login


def give(site: Site, login: str, role: Role, unit: str | None = None, to: datetime | None = None) -> int:
    now = datetime.now(UTC)
    return int(site.run(lambda c: grants.grant_role(c, users.MACHINE, login, role, unit, now, to)))


def together(*work: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """All at the same moment."""
    gate = threading.Barrier(len(work))

    def one(do: Callable[[], httpx.Response]) -> httpx.Response:
        gate.wait()
        return do()

    with ThreadPoolExecutor(len(work)) as threads:
        return list(threads.map(one, work))


# --- signing in and out


def test_a_session_from_the_door_to_the_end(site: Site) -> None:
    login = person(site, Role.INSPECTOR)
    browser = site.browser()
    problem(browser.get("/v1/session"), 401, "not-authenticated")
    answer = browser.sign_in(login, PASSWORD)
    assert answer.status_code == 200, answer.text
    (cookie,) = browser.set_cookies
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    body = answer.json()
    assert body["login"] == login
    assert body["roles"][0]["role"] == "inspector"
    assert "alerts:read" in body["permissions"]
    secret = browser.cookies[COOKIE]
    (row,) = site.sql("SELECT * FROM sessions WHERE user_id = $1", login)
    assert row["sha256"] == digest(secret)
    assert secret not in str(row)
    assert body["csrf_token"] == csrf_token(secret)
    assert browser.get("/v1/alerts").status_code == 200  # the cookie opens what the role brings
    problem(browser.get("/v1/users"), 403, "missing-scope")
    problem(browser.delete("/v1/session", headers={"X-CSRF-Token": "x"}), 403, "csrf")
    assert browser.delete("/v1/session").status_code == 204
    assert COOKIE not in browser.cookies
    browser.cookies[COOKIE] = secret  # a copy that somebody kept
    problem(browser.get("/v1/session"), 401, "session-ended")
    problem(browser.get("/v1/alerts"), 401, "session-ended")


def test_a_session_of_the_browser_is_never_taken_over(site: Site) -> None:
    """Fixation: whatever cookie a browser brings to the door, it leaves with a new one, and the old one is dead."""
    login = person(site)
    planted = site.signed_in(person(site), PASSWORD)
    browser = site.browser()
    browser.cookies[COOKIE] = planted.cookies[COOKIE]
    assert browser.sign_in(login, PASSWORD).status_code == 200
    assert browser.cookies[COOKIE] != planted.cookies[COOKIE]
    problem(planted.get("/v1/session"), 401, "session-ended")
    browser.cookies[COOKIE] = "A" * 43
    assert browser.sign_in(login, PASSWORD).status_code == 200
    assert browser.cookies[COOKIE] != "A" * 43


def test_a_session_ends_when_it_is_idle_and_after_its_time(site: Site) -> None:
    login = person(site)
    for change in ("seen_at = now() - interval '31 min'", "ends_at = now() - interval '1 s'"):
        browser = site.signed_in(login, PASSWORD)
        site.sql(f"UPDATE sessions SET {change} WHERE sha256 = $1", digest(browser.cookies[COOKIE]))  # noqa: S608 - constant
        problem(browser.get("/v1/session"), 401, "session-ended")


def test_what_a_page_asks_by_itself_does_not_keep_a_session_alive(site: Site) -> None:
    browser = site.signed_in(login := person(site), PASSWORD)
    seen = "SELECT seen_at > now() - interval '10 min' AS late FROM sessions WHERE user_id = $1"
    site.sql("UPDATE sessions SET seen_at = now() - interval '20 min' WHERE user_id = $1", login)
    for api in (0, 1):
        other = site.browser(api)
        other.cookies = dict(browser.cookies)
        assert other.get("/v1/sessions", headers={"X-Background": "true"}).status_code == 200
    assert not site.sql(seen, login)[0]["late"]
    assert browser.get("/v1/sessions").status_code == 200
    wait_until(lambda: site.sql(seen, login)[0]["late"], "a use is noted")


def test_what_another_site_sends_changes_nothing(site: Site) -> None:
    browser = site.signed_in(person(site), PASSWORD)
    token = browser.csrf
    for headers, code in (
        ({"X-CSRF-Token": None}, "csrf"),
        ({"X-CSRF-Token": token[:-1]}, "csrf"),
        ({"X-CSRF-Token": site.signed_in(person(site), PASSWORD).csrf}, "csrf"),
        ({"Sec-Fetch-Site": "cross-site"}, "cross-site"),
        ({"Sec-Fetch-Site": "same-site"}, "cross-site"),
        ({"Sec-Fetch-Site": None, "Origin": "https://evil.example"}, "cross-site"),
        ({"Sec-Fetch-Site": None, "Origin": "null"}, "cross-site"),
    ):
        problem(browser.delete("/v1/sessions", headers=headers), 403, code)
    own = {"Sec-Fetch-Site": None, "Origin": site.apis[0].url}
    assert browser.delete("/v1/sessions", headers=own).status_code == 204
    assert browser.delete("/v1/sessions", headers={"Sec-Fetch-Site": None}).status_code == 204
    stranger = {"Sec-Fetch-Site": "cross-site"}  # nobody is signed in from elsewhere, either
    problem(browser.post("/v1/session", {"login": "x", "password": "y"}, headers=stranger), 403, "cross-site")


def test_sessions_are_listed_and_ended(site: Site) -> None:
    login = person(site)
    first, second, third = (site.signed_in(login, PASSWORD, api) for api in (0, 1, 0))
    found = {one["id"]: one for one in first.get("/v1/sessions").json()["items"]}
    assert len(found) == 3
    assert sum(one["current"] for one in found.values()) == 1
    second_id = second.get("/v1/session").json()["id"]
    stranger = site.signed_in(person(site), PASSWORD)
    problem(stranger.delete(f"/v1/sessions/{second_id}"), 404, "not-found")
    assert first.delete(f"/v1/sessions/{second_id}").status_code == 204
    problem(second.get("/v1/session"), 401, "session-ended")  # at once, at the other API
    assert first.delete("/v1/sessions").status_code == 204
    problem(third.get("/v1/session"), 401, "session-ended")
    assert first.get("/v1/session").status_code == 200


# --- passwords


def test_a_changed_password_ends_every_session(site: Site) -> None:
    login = person(site)
    browser, elsewhere = site.signed_in(login, PASSWORD), site.signed_in(login, PASSWORD, 1)
    stolen = browser.cookies[COOKIE]
    change = {"password": PASSWORD, "new_password": OTHER}
    problem(browser.post("/v1/session/password", change | {"password": "wrong wrong"}), 401, "bad-login")
    for poor in ("short", "1234567890", login, PASSWORD, "a" * 12, "abcdefghijkl"):
        problem(browser.post("/v1/session/password", change | {"new_password": poor}), 422, "invalid-data")
    assert browser.post("/v1/session/password", change).status_code == 200
    assert browser.cookies[COOKIE] != stolen
    assert browser.get("/v1/session").status_code == 200
    problem(elsewhere.get("/v1/session"), 401, "session-ended")
    browser.cookies[COOKIE] = stolen
    problem(browser.get("/v1/session"), 401, "session-ended")
    problem(site.browser().sign_in(login, PASSWORD), 401, "bad-login")
    site.signed_in(login, OTHER)


def test_a_hash_of_weaker_parameters_is_renewed_at_the_next_login(site: Site) -> None:
    from argon2 import PasswordHasher

    login = person(site)
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    site.sql("UPDATE users SET password_hash = $2 WHERE id = $1", login, weak)
    site.signed_in(login, PASSWORD)
    (row,) = site.sql("SELECT password_hash FROM users WHERE id = $1", login)
    assert "m=8192," in row["password_hash"]


# --- who guesses


def test_strangers_and_wrong_passwords_are_one(site: Site) -> None:
    login = person(site)
    disabled = person(site)
    before = passwords.CHECKS._value.get()
    site.sql("UPDATE users SET disabled_at = now() WHERE id = $1", disabled)
    answers = [
        site.browser().sign_in(name, password)
        for name, password in (
            (login, "wrong"), ("nobody-" + login, "wrong"), (disabled, PASSWORD), ("a\0b", "x"), ("ａ" * 200, "\0"),
            ("' OR 1=1 --", "x"), ("\u202e", "y" * 256),
        )
    ]  # fmt: skip
    for answer in answers:
        problem(answer, 401, "bad-login")
    assert passwords.CHECKS._value.get() - before == len(answers)  # the same work for each
    assert len({answer.text for answer in answers}) == 1
    assert len({tuple(sorted(set(answer.headers) - {"date"})) for answer in answers}) == 1


@pytest.mark.parametrize("known", [True, False])
def test_who_guesses_waits_longer_each_time(site: Site, known: bool) -> None:
    login = person(site) if known else f"nobody{uuid.uuid4().hex[:8]}"
    browser = site.browser()
    for _ in range(5):
        problem(browser.sign_in(login, "wrong"), 401, "bad-login")
    answer = browser.sign_in(login, PASSWORD)
    problem(answer, 429, "too-many-failures")
    assert 1 <= int(answer.headers["retry-after"]) <= 2
    problem(
        site.browser(1).sign_in(login.upper(), PASSWORD), 429, "too-many-failures"
    )  # the same name, elsewhere
    site.sql("UPDATE login_failures SET locked_until = now()")
    problem(browser.sign_in(login, "wrong"), 401, "bad-login")
    assert 3 <= int(browser.sign_in(login, PASSWORD).headers["retry-after"]) <= 4
    site.sql("UPDATE login_failures SET locked_until = now()")
    if known:
        site.signed_in(login, PASSWORD)  # and all is forgotten
        for _ in range(5):
            problem(browser.sign_in(login, "wrong"), 401, "bad-login")


def test_guesses_at_once_are_counted_one_by_one(site: Site) -> None:
    login = person(site)
    answers = together(*(lambda: site.browser().sign_in(login, "wrong") for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7


def test_a_stranger_elsewhere_does_not_lock_a_person_out(site: Site) -> None:
    login = person(site)
    site.signed_in(login, PASSWORD)  # from here, before
    far = {"X-Forwarded-For": "198.51.100.7"}
    body = {"login": login, "password": "wrong"}
    for _ in range(5):
        problem(site.browser().post("/v1/session", body, headers=far), 401, "bad-login")
    problem(site.browser().post("/v1/session", body, headers=far), 429, "too-many-failures")
    site.signed_in(login, PASSWORD)


def test_an_address_that_guesses_at_many_names_waits(site: Site) -> None:
    far = {"X-Forwarded-For": "2001:db8::1"}
    near = {"X-Forwarded-For": "2001:db8::2"}  # the same line
    for k in range(40):
        problem(
            site.browser().post("/v1/session", {"login": f"name{k}", "password": "x"}, headers=far),
            401,
            "bad-login",
        )
    body = {"login": "name99", "password": "x"}
    problem(site.browser().post("/v1/session", body, headers=near), 429, "too-many-failures")
    problem(site.browser().post("/v1/session", body), 401, "bad-login")


# --- the second factor


def with_code(site: Site) -> tuple[str, Browser, pyotp.TOTP, list[str]]:
    login = person(site)
    browser = site.signed_in(login, PASSWORD)
    problem(browser.post("/v1/session/totp", {"password": "wrong"}), 401, "bad-login")
    made = browser.post("/v1/session/totp", {"password": PASSWORD}).json()
    assert made["uri"].startswith("otpauth://totp/")
    authenticator = pyotp.TOTP(made["secret"])
    site.signed_in(login, PASSWORD)  # not confirmed yet: not needed
    problem(browser.post("/v1/session/totp:confirm", {"code": "000000"}), 401, "bad-login")
    answer = browser.post("/v1/session/totp:confirm", {"code": authenticator.now()})
    assert answer.status_code == 200, answer.text
    return login, browser, authenticator, answer.json()["recovery_codes"]


def test_a_code_is_needed_and_counts_once(site: Site) -> None:
    login, browser, authenticator, codes = with_code(site)
    (row,) = site.sql("SELECT totp_secret FROM users WHERE id = $1", login)
    assert authenticator.secret.encode() not in bytes(row["totp_secret"])
    stored = site.sql("SELECT sha256 FROM recovery_codes WHERE user_id = $1", login)
    assert len(stored) == len(codes) == 10
    problem(browser.post("/v1/session/totp", {"password": PASSWORD}), 403, "not-allowed")
    problem(site.browser().sign_in(login, PASSWORD), 401, "code-needed")
    problem(site.browser().sign_in(login, "wrong"), 401, "bad-login")
    used = authenticator.now()
    problem(site.browser().sign_in(login, PASSWORD, code=used), 401, "bad-login")  # used to confirm
    later = authenticator.at(datetime.now(UTC) + timedelta(seconds=30))
    assert site.browser().sign_in(login, PASSWORD, code=f"{later[:3]} {later[3:]}").status_code == 200
    problem(site.browser().sign_in(login, PASSWORD, code=later), 401, "bad-login")
    site.sql("DELETE FROM login_failures")
    answers = together(
        *(lambda: site.browser().sign_in(login, PASSWORD, code=codes[0].lower()) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [
        200,
        401,
    ]  # of two with one recovery code one wins
    assert browser.get("/v1/session").json()["recovery_codes_left"] == 9


def test_the_second_factor_is_switched_off_or_renewed_by_a_code(site: Site) -> None:
    login, browser, _, codes = with_code(site)
    problem(browser.post("/v1/session/recovery-codes", {"code": "123"}), 401, "bad-login")
    fresh = browser.post("/v1/session/recovery-codes", {"code": codes[0]}).json()["recovery_codes"]
    problem(site.browser().sign_in(login, PASSWORD, code=codes[1]), 401, "bad-login")
    body = {"password": PASSWORD, "code": fresh[0]}
    problem(browser.post("/v1/session/totp:disable", body | {"code": codes[2]}), 401, "bad-login")
    assert browser.post("/v1/session/totp:disable", body).status_code == 204
    site.signed_in(login, PASSWORD)


def test_a_secret_opens_for_its_user_only(site: Site) -> None:
    login, _, _, codes = with_code(site)
    other = with_code(site)[0]
    site.sql(
        "UPDATE users SET totp_secret = (SELECT totp_secret FROM users WHERE id = $2) WHERE id = $1",
        login,
        other,
    )
    problem(site.browser().sign_in(login, PASSWORD, code="123456"), 503, "identity-key")
    key = site.settings.data_dir / "identity.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert codes


# --- names and odd input


def test_names_that_look_alike_are_one_or_none(site: Site) -> None:
    login = site.add("Zhang.Wei" + uuid.uuid4().hex[:6], PASSWORD)
    assert login == login.lower()
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in login)
    for spelling in (login.upper(), f"  {login} ", wide):
        assert site.browser().sign_in(spelling, PASSWORD).status_code == 200
    for odd in (login.replace("a", "а"), login + "\u200b", login + "\0", login + "\r\nSet-Cookie: a=b"):
        problem(site.browser().sign_in(odd, PASSWORD), 401, "bad-login")


def test_bodies_that_are_too_large_or_no_login(site: Site) -> None:
    browser = site.browser()
    assert browser.post("/v1/session", content=b"x" * (1 << 20)).status_code == 413
    assert browser.post("/v1/session", content=b"{").status_code == 400
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.post("/v1/session", content=b"a=b", headers=form).status_code == 415
    bodies: list[Any] = [[], {"login": 1, "password": "x"}, {"login": "x"}]
    for body in (*bodies, {"login": "x", "password": "y", "admin": True}):
        problem(browser.post("/v1/session", body), 422, "invalid-data")
    agent = {"User-Agent": "x\u00e9" * 400}
    login = person(site)
    answer = browser.post(
        "/v1/session",
        {"login": login, "password": PASSWORD},
        headers={k: v.encode("latin-1") for k, v in agent.items()},
    )
    assert answer.status_code == 200
    (row,) = site.sql("SELECT agent FROM sessions WHERE user_id = $1", login)
    assert len(row["agent"]) == 200


def test_a_token_is_no_person(site: Site) -> None:
    from office.identity.tokens import create_token

    made = site.run(lambda c: create_token(c, "machine", ["alerts:read"]))
    machine = {"Authorization": f"Bearer {made.secret}"}
    for method, path in (
        ("GET", "/v1/session"),
        ("DELETE", "/v1/sessions"),
        ("POST", "/v1/session/password"),
    ):
        problem(site.browser().send(method, path, headers=machine), 403, "session-needed")
