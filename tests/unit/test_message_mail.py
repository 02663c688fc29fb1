"""Mail over real sockets: encrypted and certified or not at all; what a server says is an outcome."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from office.messages.mail import Mailer
from office.messages.outcomes import Outcome, Result
from office.messages.texts import Text
from runtime.settings import Settings
from tests.integration.smtp_server import SmtpServer
from tests.unit.test_webhook_posting import certificate

TEXT = Text("督办单 通公车督〔2026〕A01-000123号：签发", "第一行\n.\n..两点开头\nQUIT\n" + "长" * 2_000)
Made = Callable[..., Any]


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    return certificate(tmp_path, "localhost")


@pytest.fixture
async def servers() -> AsyncIterator[list[SmtpServer]]:
    started: list[SmtpServer] = []
    yield started
    for server in started:
        await server.stop()


async def sent(
    server: SmtpServer, servers: list[SmtpServer], to: str = "zhang@example.gov.cn", **more: Any
) -> Outcome:
    if server not in servers:
        await server.start()
        servers.append(server)
    wanted: dict[str, Any] = {
        "smtp_host": "localhost", "smtp_port": server.port, "smtp_from": "gongche@example.gov.cn", "smtp_timeout_s": 20,
    } | more  # fmt: skip
    settings = Settings(**wanted)
    return await Mailer(settings).send(to, TEXT, "c0ffee.1")


async def test_a_mail_arrives_as_it_was_written(
    tls: tuple[Path, ssl.SSLContext], servers: list[SmtpServer], tmp_path: Path
) -> None:
    file, context = tls
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("geheim 密码\n")
    login: dict[str, Any] = {"smtp_user": "gongche", "smtp_password_file": secret, "smtp_ca_file": file}
    for implicit in (False, True):
        server = SmtpServer(tls=context, implicit=implicit, users={"gongche": "geheim 密码"})
        outcome = await sent(server, servers, smtp_tls="implicit" if implicit else "starttls", **login)
        assert outcome.result is Result.SENT, outcome
        (mail,) = server.taken
        assert (mail.encrypted, mail.user, mail.to) == (True, "gongche", "zhang@example.gov.cn")
        assert mail.text.strip().replace("\r\n", "\n") == TEXT.body
        assert mail.message["subject"] == TEXT.subject
        assert mail.message["message-id"] == "<c0ffee.1@example.gov.cn>"
        assert mail.message["auto-submitted"] == "auto-generated"
    # Without TLS, to this machine itself.
    plain = SmtpServer()
    assert (await sent(plain, servers, smtp_tls="none")).result is Result.SENT
    assert not plain.taken[0].encrypted


async def test_nothing_is_told_to_a_server_that_is_not_the_one(
    tls: tuple[Path, ssl.SSLContext], servers: list[SmtpServer], tmp_path: Path
) -> None:
    """No STARTTLS (somebody in between took it out), a certificate of nobody, of another name: no login, no mail, and all of it
    is tried again."""
    file, context = tls
    other_file, other = certificate(tmp_path, "other.test")
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("geheim")
    login: dict[str, Any] = {"smtp_user": "gongche", "smtp_password_file": secret}
    users = {"gongche": "geheim"}
    cases: list[tuple[SmtpServer, dict[str, Any]]] = [
        (SmtpServer(users=users), {"smtp_ca_file": file}),
        (SmtpServer(tls=context, users=users), {}),
        (SmtpServer(tls=other, users=users), {"smtp_ca_file": other_file}),
        (SmtpServer(tls=context, implicit=True, users=users), {"smtp_tls": "implicit"}),
        (SmtpServer(users=users), {"smtp_tls": "implicit", "smtp_timeout_s": 1}),
    ]
    for server, more in cases:
        outcome = await sent(server, servers, **login, **more)
        assert (outcome.result, outcome.shared) == (Result.LATER, True), outcome
        assert not [said for said in server.heard if said.startswith(("AUTH", "MAIL", "DATA"))]
        assert "geheim" not in str(outcome.error)


async def test_what_was_smuggled_in_before_encryption_is_no_answer(
    tls: tuple[Path, ssl.SSLContext], servers: list[SmtpServer]
) -> None:
    """Somebody in between adds answers behind the one to STARTTLS (as in CVE-2011-0411): they count for nothing afterwards."""
    file, context = tls
    server = SmtpServer(tls=context, smuggled=b"250-evil\r\n250 AUTH PLAIN\r\n")
    outcome = await sent(server, servers, smtp_ca_file=file)
    # Either the line is given up, or the mail arrived encrypted with answers of the server itself.
    assert outcome.result is Result.LATER or (server.taken and server.taken[0].encrypted)


@pytest.mark.parametrize(
    ("does", "result", "shared"),
    [
        ("rcpt550", Result.REFUSED, False), ("rcpt451", Result.LATER, False), ("data554", Result.REFUSED, False),
        ("data452", Result.LATER, False), ("hang_up", Result.LATER, False), ("stall", Result.LATER, False),
    ],
)  # fmt: skip
async def test_what_a_server_says_is_an_outcome(
    does: str, result: Result, shared: bool, servers: list[SmtpServer]
) -> None:
    server = SmtpServer(does=lambda _: does)
    outcome = await sent(server, servers, smtp_tls="none", smtp_timeout_s=1 if does == "stall" else 20)
    assert (outcome.result, outcome.shared) == (result, shared), outcome
    assert " · " in str(outcome.error)


async def test_a_wrong_password_and_a_server_that_is_away_concern_all_mail(
    servers: list[SmtpServer], tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("wrong")
    server = SmtpServer(users={"gongche": "right"})
    outcome = await sent(server, servers, smtp_tls="none", smtp_user="gongche", smtp_password_file=secret)
    assert (outcome.result, outcome.shared) == (Result.LATER, True)
    assert "535" in str(outcome.error)
    await server.stop()
    outcome = await sent(server, servers, smtp_tls="none")
    assert (outcome.result, outcome.shared) == (Result.LATER, True)
    await server.start()
