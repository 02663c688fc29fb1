"""A small SMTP server on a real socket: EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA. It does what it is told."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class Mail:
    """A mail that was taken, or that the line ended after."""

    sender: str
    to: str
    raw: bytes
    encrypted: bool
    user: str | None
    taken: bool = True

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        return str(self.message.get_content())


@dataclass
class SmtpServer:
    """``tls``: offers STARTTLS (``implicit``: from the first byte). ``users``: who may log in, empty = nobody need. ``does``: what to do
    with a mail to an address: ok, 5xx or 4xx to RCPT (``rcpt550``), to DATA (``data554``), ``stall``, ``hang_up`` (after it took it)."""

    tls: ssl.SSLContext | None = None
    implicit: bool = False
    users: dict[str, str] = field(default_factory=dict)
    does: Callable[[str], str] = lambda _: "ok"
    #: Sent in the clear behind the answer to STARTTLS, as somebody in between would.
    smuggled: bytes = b""
    got: list[Mail] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _lines: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self.tls if self.implicit else None
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for line in list(self._lines):
            line.close()
        await self._server.wait_closed()

    @property
    def taken(self) -> list[Mail]:
        return [mail for mail in self.got if mail.taken]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._lines.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._talk(reader, writer)
        finally:
            self._lines.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted, user, sender, to = self.implicit, None, "", ""

        async def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        await say("220 test ESMTP")
        while line := await reader.readline():
            said = line.decode().rstrip("\r\n")
            self.heard.append(said)
            verb, _, rest = said.partition(" ")
            match verb.upper():
                case "EHLO" | "HELO":
                    offers = ["test"]
                    if self.tls is not None and not encrypted:
                        offers.append("STARTTLS")
                    if self.users:
                        offers.append("AUTH PLAIN")
                    for offer in offers[:-1]:
                        await say(f"250-{offer}")
                    await say(f"250 {offers[-1]}")
                case "STARTTLS" if self.tls is not None:
                    writer.write(b"220 go ahead\r\n" + self.smuggled)
                    await writer.drain()
                    await writer.start_tls(self.tls)
                    encrypted, user = True, None
                case "AUTH":
                    given = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
                    if self.users.get(given[1]) != given[2]:
                        await say("535 5.7.8 wrong user or password")
                        continue
                    user = given[1]
                    await say("235 ok")
                case "MAIL":
                    if self.users and user is None:
                        await say("530 5.7.0 log in first")
                        continue
                    sender = rest.partition("<")[2].partition(">")[0]
                    await say("250 ok")
                case "RCPT":
                    to = rest.partition("<")[2].partition(">")[0]
                    does = self.does(to)
                    await say(f"{does[4:]} no" if does.startswith("rcpt") else "250 ok")
                case "DATA":
                    await say("354 go on")
                    body = await reader.readuntil(b"\r\n.\r\n")
                    raw = b"\r\n".join(
                        part[1:] if part.startswith(b".") else part for part in body[:-5].split(b"\r\n")
                    )
                    does = self.does(to)
                    self.got.append(Mail(sender, to, raw, encrypted, user, does == "ok"))
                    if does == "stall":
                        await reader.read()
                        return
                    if does == "hang_up":
                        return
                    await say(f"{does[4:]} no" if does.startswith("data") else "250 taken")
                case "QUIT":
                    await say("221 bye")
                    return
                case "RSET":
                    await say("250 ok")
                case _:
                    await say("502 not here")
