"""The port where other platforms connect: those below log in (0x1001), those above connect the subordinate link (0x9001).

Before that nobody is known: an address that no link has is closed without a word; few bytes, few seconds, few connections are given;
passwords cannot be guessed quickly.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from gongche.exchange809 import metrics
from gongche.exchange809.below import Below, new_verify_code
from gongche.exchange809.upward import Upward
from gongche.exchange809.wire import LinkError, Terms, Wire, channel_of
from office.platforms import states
from office.platforms.links import Link, Secret
from office.platforms.states import Tally
from runtime.postgres import is_outage
from telemetry.jt809.channel import Channel
from telemetry.jt809.codec import Received
from telemetry.jt809.framing import Framer
from telemetry.jt809.header import Edition, access_code_of
from telemetry.jt809.refusal import Refusal
from telemetry.jt809.tables import Id
from telemetry.log.base import LogWriter

_logger = logging.getLogger(__name__)
#: Bytes that somebody may send before he has logged in; a login has less than 100.
PRE_LOGIN: Final = 512
_OF_ADDRESS: Final = 8
#: Logins that may fail from one address in a minute, and addresses that are remembered.
_FAILURES: Final = 5
_MINUTE_S: Final = 60.0
_ADDRESSES: Final = 1_000
OK, WRONG_ADDRESS, WRONG_CODE, NO_USER, WRONG_PASSWORD, BUSY, OTHER = range(7)


@dataclass(slots=True)
class Guesses:
    """Logins that failed, by address."""

    failed: dict[str, list[float]] = field(default_factory=dict)

    def too_many(self, address: str, now: float) -> bool:
        """Whether nothing is taken from ``address`` now."""
        recent = [at for at in self.failed.get(address, ()) if now - at < _MINUTE_S]
        return len(recent) >= _FAILURES

    def note(self, address: str, now: float) -> None:
        """A login failed."""
        if address not in self.failed and len(self.failed) >= _ADDRESSES:
            self.failed.pop(next(iter(self.failed)))
        self.failed[address] = [at for at in self.failed.get(address, ()) if now - at < _MINUTE_S][
            -_FAILURES:
        ]
        self.failed[address].append(now)


@dataclass(slots=True)
class Entrance:
    """See the module. ``links`` and ``secrets``: of all enabled links, by name; ``upwards``: those to platforms above."""

    pool: Any
    log: Callable[[], LogWriter]
    terms: Terms
    links: Mapping[str, Link] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    upwards: Mapping[str, Upward] = field(default_factory=dict)
    guesses: Guesses = field(default_factory=Guesses)
    port: int = 0
    _server: asyncio.Server | None = None
    _here: Counter[str] = field(default_factory=Counter)
    _sessions: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def open(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        self._server = await asyncio.start_server(self._connected, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End every session and listen no more."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def end(self, name: str) -> None:
        """End the session of a link that is not what it was."""
        if (task := self._sessions.get(name)) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        address = (writer.get_extra_info("peername") or ("?",))[0]
        try:
            why = self._unwelcome(address)
            if why or task is None:
                metrics.STRANGERS.labels(why or "?").inc()
                return
            self._here[address] += 1
            self._tasks.add(task)
            try:
                await self._served(address, reader, writer)
            finally:
                self._tasks.discard(task)
                self._here[address] -= 1
                if not self._here[address]:
                    del self._here[address]
        except asyncio.CancelledError:
            pass  # the port is closed: this is the outermost task of the connection
        except (LinkError, OSError) as error:
            _logger.info("a connection of %s ended: %s", address, error or type(error).__name__)
        except Exception as error:
            if is_outage(error):
                _logger.warning("a connection of %s ended: the database does not answer", address)
            else:
                metrics.FAULTS.inc()
                _logger.exception("a connection of %s failed", address)
        finally:
            writer.close()

    def _unwelcome(self, address: str) -> str:
        """Why a connection is closed at once; "" = it is not."""
        if not any(link.admits(address) for link in self.links.values()):
            return "address"
        if sum(self._here.values()) >= self.terms.connections or self._here[address] >= _OF_ADDRESS:
            return "too-many"
        if self.guesses.too_many(address, time.monotonic()):
            return "too-many-failures"
        return ""

    async def _served(self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = Framer()
        first, rest = await self._first(reader, framer)
        if first is None:
            metrics.STRANGERS.labels("no-login").inc()
            return
        code = access_code_of(first)
        for link in self.links.values():
            if link.access_code != code or not link.admits(address):
                continue
            channel = channel_of(link, self.secrets[link.name])
            message = channel.read(first)
            if isinstance(message, Refusal):
                continue
            tally = self.upwards[link.name].tally if link.name in self.upwards else Tally()
            wire = Wire(link, channel, reader, writer, tally, self.terms, framer)
            if link.direction == "below" and message.id is Id.UP_CONNECT_REQ:
                await self._below(address, wire, message, rest)
                return
            if link.direction == "above" and message.id is Id.DOWN_CONNECT_REQ:
                await self._subordinate(address, wire, message, rest)
                return
        self.guesses.note(address, time.monotonic())
        metrics.STRANGERS.labels("access-code").inc()
        await self._refuse_unknown(first, code, reader, writer)

    async def _first(
        self, reader: asyncio.StreamReader, framer: Framer
    ) -> tuple[bytes | None, list[bytes | Refusal]]:
        """The first message, and what came behind it. None: too slow, too much, or nothing of the protocol."""
        taken = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(self.terms.login_s):
                while taken < PRE_LOGIN:
                    data = await reader.read(PRE_LOGIN)
                    taken += len(data)
                    if not data:
                        break
                    found = framer.feed(data)
                    for k, one in enumerate(found):
                        if isinstance(one, bytes):
                            return one, found[k + 1 :]
        return None, []

    async def _refuse_unknown(
        self, first: bytes, code: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Say that the access code is none of ours, in the edition of the login. Nothing is encrypted for who is not known."""
        for edition in Edition:
            channel = Channel(edition, code)
            read = channel.read(first)
            if isinstance(read, Received) and read.id is Id.UP_CONNECT_REQ:
                answer = {"result": WRONG_CODE, "verify_code": 0}
                writer.write(channel.frame(Id.UP_CONNECT_RSP, answer, int(time.time())))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.terms.login_s):
                        await writer.drain()
                return

    # --- a platform below

    async def _below(
        self, address: str, wire: Wire, login: Received, rest: list[bytes | Refusal]
    ) -> None:  # fmt: skip
        link = wire.link
        result = self._judged(link, login)
        verify_code = 0 if result else new_verify_code()
        metrics.LOGINS.labels(link.name, str(result)).inc()
        async with self.pool.acquire(timeout=5) as connection:
            await states.note_login(connection, link.name, result)
            if result:
                await states.note_error(
                    connection, link.name, f"拒绝登录 / a login was refused ({result}): {address}"
                )
        await wire.send((Id.UP_CONNECT_RSP, {"result": result, "verify_code": verify_code}))
        if result:
            self.guesses.note(address, time.monotonic())
            _logger.warning("link %s: a login from %s was refused: %d", link.name, address, result)
            return
        if (
            before := self._sessions.get(link.name)
        ) is not None:  # the newest one counts: half a connection locks nobody out
            before.cancel()
            await asyncio.gather(before, return_exceptions=True)
        session = Below(
            link, self.secrets[link.name], wire, self.pool, self.log(), Tally(), self.terms, verify_code,
            self._down_at(link, login),
        )  # fmt: skip
        wire.tally = session.tally
        task = asyncio.create_task(session.run(wire.take(rest)), name=f"link {link.name}")
        self._sessions[link.name] = task
        _logger.info("link %s: logged in from %s", link.name, address)
        try:
            await task
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            own = asyncio.current_task()
            if own is not None and own.cancelling():
                raise
        except LinkError as error:
            with suppress(Exception):
                async with self.pool.acquire(timeout=5) as connection:
                    await states.note_error(connection, link.name, str(error))
            raise
        finally:
            if self._sessions.get(link.name) is task:
                del self._sessions[link.name]
                with suppress(Exception):
                    async with self.pool.acquire(timeout=5) as connection:
                        await states.note_login(connection, link.name, None)

    def _judged(self, link: Link, login: Received) -> int:
        """The result of a login. What is compared takes the same time whatever is wrong with it."""
        fields, secret = login.fields, self.secrets[link.name]
        password = fields["password"]
        given = password.encode() if isinstance(password, str) else b""
        right = hmac.compare_digest(given, secret.password.encode())
        if fields["user_id"] != link.user_id:
            return NO_USER
        if not right:
            return WRONG_PASSWORD
        if fields.get("access_code", link.access_code) != link.access_code:
            return WRONG_CODE
        if link.encrypts and not login.header.encrypted:
            return OTHER  # what was agreed on is not kept
        return OK

    def _down_at(self, link: Link, login: Received) -> tuple[str, int] | None:
        """Where the platform listens for the subordinate link: only within its networks is it connected to."""
        host, port = login.fields["down_ip"], login.fields["down_port"]
        if not isinstance(host, str) or not isinstance(port, int) or not port or not link.admits(host):
            return None
        return host, port

    # --- the subordinate link of a platform above

    async def _subordinate(
        self, address: str, wire: Wire, message: Received, rest: list[bytes | Refusal]
    ) -> None:  # fmt: skip
        upward = self.upwards.get(wire.link.name)
        code = message.fields["verify_code"]
        if upward is None or not isinstance(code, int) or not upward.knows(code):
            self.guesses.note(address, time.monotonic())
            metrics.STRANGERS.labels("verify-code").inc()
            await wire.send((Id.DOWN_CONNECT_RSP, {"result": 1}))
            return
        await upward.serve_down(wire, wire.take(rest))
