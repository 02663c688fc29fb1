"""E-mail by SMTP: encrypted and with a checked certificate, or not at all (but for what the operator allows)."""

from __future__ import annotations

import asyncio
import re
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from pathlib import Path
from typing import Final

import aiosmtplib

from office.messages.outcomes import SENT, Outcome, Result
from office.messages.texts import Text, printable
from runtime.errors import ConfigurationError
from runtime.hosts import is_loopback
from runtime.private_files import read_secret
from runtime.settings import Settings

#: An address that goes into an envelope and a header as it is: no quotes, no comments, no letters that a server may not know.
_ADDRESS: Final = re.compile(
    r"(?=.{3,254}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])",
    re.ASCII,
)
_PORTS: Final = {"starttls": 587, "implicit": 465, "none": 25}


def mail_address(text: str) -> str | None:
    """``text`` as an address that mail is sent to; None = it can be none. The part before @ has at most 64 characters."""
    return text if _ADDRESS.fullmatch(text) and len(text.partition("@")[0]) <= 64 else None


class Mailer:
    """Hands mails over to the office's server, each on a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigurationError for settings that do not fit together. ``settings.smtp_host`` is set."""
        self._host = settings.smtp_host or ""
        self._mode, self._timeout_s = settings.smtp_tls, settings.smtp_timeout_s
        self._port = settings.smtp_port or _PORTS[self._mode]
        self.sender = mail_address(settings.smtp_from or "") or ""
        if not self.sender:
            raise ConfigurationError(
                "GONGCHE_SMTP_FROM 未设置或不是邮箱地址 / is not set or not an address",
                hint="gongche@example.gov.cn",
            )
        if self._mode == "none" and not settings.smtp_plain_allowed and not is_loopback(self._host):
            raise ConfigurationError(
                f"邮件不得以明文经网络传输 / mail must not cross the network in the clear: {self._host}",
                hint="GONGCHE_SMTP_TLS=starttls or implicit; or say GONGCHE_SMTP_PLAIN_ALLOWED=true",
            )
        self._user = settings.smtp_user
        self._password = None if self._user is None else _password(settings.smtp_password_file)
        try:
            self._tls = ssl.create_default_context(
                cafile=None if settings.smtp_ca_file is None else str(settings.smtp_ca_file)
            )
        except OSError as error:
            raise ConfigurationError(f"GONGCHE_SMTP_CA_FILE: {error.strerror or error}") from error
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def message(self, to: str, text: Text, id: str) -> bytes:
        """The mail. ``id``: unique and the same whenever this one is sent again. Raises ValueError for an address that is none."""
        if mail_address(to) is None:
            raise ValueError("not an address")
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = self.sender
        mail["To"] = to
        mail["Subject"] = printable(text.subject)
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{id}@{self.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # nobody's absence answers it
        mail["Content-Language"] = "zh-CN"
        mail.set_content(text.body, cte="base64")
        return mail.as_bytes()

    async def send(self, to: str, text: Text, id: str) -> Outcome:
        """Hand a mail over; whatever happens is an Outcome. What fails before the server was told of the mail concerns all mails
        (``shared``)."""
        body = self.message(to, text, id)
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=self.sender.rpartition("@")[2],
            timeout=self._timeout_s,
            use_tls=self._mode == "implicit",
            start_tls=self._mode
            == "starttls",  # a server that does not offer it is an error, never plain text
            tls_context=self._tls,
        )
        try:
            try:
                async with asyncio.timeout(self._timeout_s / 2):
                    await client.connect()
                    if self._user is not None:
                        await client.login(self._user, self._password or "")
            except TimeoutError:
                return _server("邮件服务器没有及时应答 · the mail server did not answer in time")
            except aiosmtplib.SMTPAuthenticationError as error:
                return _server(f"邮件服务器拒绝登录 · the mail server refuses the login: {_said(error)}")
            except (aiosmtplib.SMTPException, OSError, ValueError) as error:
                return _server(f"邮件服务器不可用 · the mail server cannot be used: {_said(error)}")
            try:
                async with asyncio.timeout(self._timeout_s / 2):
                    return await self._hand_over(client, to, body)
            except TimeoutError:
                return Outcome(
                    Result.LATER, "邮件服务器没有及时收下 · the mail server did not take it in time"
                )
        finally:
            client.close()

    async def _hand_over(self, client: aiosmtplib.SMTP, to: str, body: bytes) -> Outcome:
        try:
            await client.sendmail(self.sender, [to], body)
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            return _refused(first.code, f"收件地址被拒绝 · the address was refused: {_said(first)}")
        except aiosmtplib.SMTPSenderRefused as error:
            return _server(f"发件地址被拒绝 · the sender was refused: {_said(error)}")
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code, f"邮件被拒绝 · the mail was refused: {_said(error)}")
        except (aiosmtplib.SMTPException, OSError) as error:
            return Outcome(
                Result.LATER,
                f"与邮件服务器的连接中断 · the connection to the mail server broke: {_said(error)}",
            )
        return SENT


def _refused(code: int, error: str) -> Outcome:
    """What the server said of this mail: 5xx is for ever (RFC 5321, 4.2.1)."""
    return Outcome(Result.REFUSED if 500 <= code < 600 else Result.LATER, error)


def _server(error: str) -> Outcome:
    return Outcome(Result.LATER, error, shared=True)


def _said(error: BaseException) -> str:
    code = getattr(error, "code", None)
    said = printable(str(getattr(error, "message", "") or error), 200)
    return f"{code} {said}" if code is not None else f"{type(error).__name__} {said}"


def _password(path: Path | None) -> str:
    if path is None:
        raise ConfigurationError("GONGCHE_SMTP_USER needs GONGCHE_SMTP_PASSWORD_FILE")
    return read_secret("SMTP password", path)
