"""One connection of a link: a socket with a channel. Everything that the other end can do has a limit."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gongche.exchange809 import metrics
from office.platforms.links import Link, Secret
from office.platforms.states import Tally
from telemetry.jt808.tables.grammar import FieldError
from telemetry.jt809.channel import Channel
from telemetry.jt809.cipher import Keys
from telemetry.jt809.codec import Received
from telemetry.jt809.framing import Framer
from telemetry.jt809.header import Edition
from telemetry.jt809.refusal import Refusal

_READ_BYTES: Final = 65_536
#: So many refusals without a message between them: who sends them does not speak the protocol.
MOST_REFUSALS: Final = 100


@dataclass(frozen=True, slots=True)
class Terms:
    """What is waited for, in seconds; and what a platform below may send. ``confirm_s``: how often a platform above is asked whether it
    has read on; ``rate``: messages of a second."""

    login_s: float = 10
    answer_s: float = 60
    confirm_s: float = 5
    heartbeat_s: float = 60
    idle_s: float = 180
    most_pause_s: float = 300
    look_s: float = 1
    refresh_s: float = 30
    rate: int = 2_000
    connections: int = 64


class LinkError(Exception):
    """A link ended, or did not come about. The text is for people."""


class LoginRefusedError(LinkError):
    """The platform above does not let us in; ``result``: as it says."""

    def __init__(self, result: int, said: str) -> None:
        super().__init__(f"上级平台拒绝登录 / the platform above refused the login: {result} {said}")
        self.result = result


def channel_of(link: Link, secret: Secret) -> Channel:
    """A channel of ``link``, with serials from 0."""
    keys = None if secret.keys is None else Keys(*secret.keys)
    return Channel(
        Edition(link.edition), link.access_code, keys, link.encrypts, new_key=lambda: secrets.randbits(32)
    )


@dataclass(slots=True)
class Wire:
    """``framer``: has what was read before the channel was known."""

    link: Link
    channel: Channel
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tally: Tally
    terms: Terms
    framer: Framer = field(default_factory=Framer)
    tested_at: float | None = None  # when a link test was sent that is not answered yet, monotonic
    _bad: int = 0

    async def send(self, *messages: tuple[int, Mapping[str, Any]]) -> None:
        """Send messages; one that the protocol has no way to say is counted and left out. Raises LinkError, also when the other end reads nothing for too long."""
        now_s = int(time.time())
        for id, fields in messages:
            try:
                frame = self.channel.frame(id, fields, now_s)
            except FieldError as error:  # a plate that GBK does not have: the others go
                self.refuse("unsendable", f"{id:#06x} {error}")
                continue
            self.writer.write(frame)
        try:
            async with asyncio.timeout(self.terms.answer_s):
                await self.writer.drain()
        except TimeoutError:
            raise LinkError("对方长时间不接收数据 / the other end reads nothing") from None
        except OSError as error:
            raise LinkError(f"连接中断 / the connection broke: {error}") from error

    async def receive(self, timeout_s: float | None = None) -> list[Received]:
        """What has come next; may be nothing. Refusals are counted. Raises LinkError when the link has ended, is silent for too long, or
        brings nothing but refusals."""
        try:
            async with asyncio.timeout(self.terms.idle_s if timeout_s is None else timeout_s):
                data = await self.reader.read(_READ_BYTES)
        except TimeoutError:
            raise LinkError("对方长时间没有数据 / nothing came for too long") from None
        except OSError as error:
            raise LinkError(f"连接中断 / the connection broke: {error}") from error
        if not data:
            raise LinkError("对方关闭了连接 / the other end closed the connection")
        return self.take(self.framer.feed(data))

    def take(self, found: list[bytes | Refusal]) -> list[Received]:
        """The messages among what was framed. Raises LinkError."""
        messages = []
        for one in found:
            read = self.channel.read(one)
            if isinstance(read, Received):
                self._bad = 0
                messages.append(read)
                continue
            self.refuse(str(read.reason), read.detail)
            self._bad += 1
            if self._bad >= MOST_REFUSALS:
                raise LinkError(f"对方数据无法识别 / nothing of it can be read: {read.reason}")
        return messages

    def refuse(self, reason: str, detail: str, count: int = 1) -> None:
        """Something that came is not taken."""
        metrics.REFUSED.labels(self.link.name, reason).inc(count)
        self.tally.refuse(reason, detail, count)

    def close(self) -> None:
        """End the connection."""
        self.writer.close()


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Run ``works`` until one of them ends, then end the others. Raises what it raised; who is cancelled meanwhile is cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def clean(value: object) -> str:
    """A text that came, as it may be stored and printed: what is no character of a line is a space; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    return "".join(char if char.isprintable() else " " for char in value).strip()


def fresh(tally: Tally) -> Tally:
    """What ``tally`` has, which begins anew."""
    taken = replace(tally, refused=dict(tally.refused))
    for name in ("sent", "resent", "withheld", "lost", "taken"):
        setattr(tally, name, 0)
    tally.refused.clear()
    tally.last_refusal = None
    return taken
