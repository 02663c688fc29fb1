"""A link to a platform above: we log in, register vehicles, push positions, and say what became of its orders.

The protocol answers no position. What says that the platform has read on is its answer to a link test (0x1006): it comes in the order
of the stream, so what was sent before the test has arrived. Only then the place in the log is kept; after a break everything
behind it is sent again, as 0x1203. At most one test is out at a time.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from gongche.exchange809 import metrics
from gongche.exchange809.feed import Feed, Outgoing
from gongche.exchange809.orders import take_order
from gongche.exchange809.wire import LinkError, LoginRefusedError, Terms, Wire, channel_of, fresh, together
from office.platforms import states, urging
from office.platforms.fleet import Fitted, read_fleet
from office.platforms.links import Link, Secret
from office.platforms.states import Place, Tally
from office.platforms.urging import Answer
from runtime.errors import GongcheError
from runtime.postgres import is_outage
from runtime.units import US_PER_DAY
from telemetry.archive.clocks import read_clocks
from telemetry.jt809.codec import Received
from telemetry.jt809.header import Edition
from telemetry.jt809.tables import LOGIN_RESULTS, Id

_logger = logging.getLogger(__name__)
#: After a login that was refused it is not tried again before: who knocks too often is locked out.
_REFUSED_S: Final = 60.0
_FIRST_PAUSE_S: Final = 1.0


@dataclass(slots=True)
class Upward:
    """See the module. ``feed``: of the link. ``verify_code``: of the last login; who connects the subordinate link must know it."""

    link: Link
    secret: Secret
    pool: Any
    feed: Feed
    tally: Tally
    terms: Terms
    chance: random.Random = field(default_factory=random.Random)
    verify_code: int | None = None
    said: str = ""
    _main: Wire | None = None
    _down: Wire | None = None
    _failures: int = 0
    _registered: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    _pending: tuple[Place, Sequence[Answer]] | None = None  # what the test that is out confirms
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Keep the link until cancelled."""
        try:
            while True:
                pause_s = await self._once()
                await asyncio.sleep(pause_s)
        finally:
            with suppress(Exception):
                await self.feed.tail.close()

    async def _once(self) -> float:
        """One session; the pause before the next, in seconds."""
        least = 0.0
        try:
            await self._session()
            error = "结束 / ended"
        except LoginRefusedError as refused:
            error, least = str(refused), _REFUSED_S
            metrics.LOGINS.labels(self.link.name, str(refused.result)).inc()
            await self._note(states.note_login, refused.result)
        except (LinkError, GongcheError, OSError) as broken:  # a TimeoutError is an OSError
            error = str(broken) or type(broken).__name__
        except Exception as fault:
            if is_outage(fault):
                error = f"数据库不可用 / the database does not answer: {type(fault).__name__}"
            else:
                metrics.FAULTS.inc()
                _logger.exception("link %s: a session failed; it is begun again", self.link.name)
                error = f"程序故障 / a fault of the program: {type(fault).__name__}"
        self._failures += 1
        pause_s = max(_FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 30), least)
        if error != self.said:  # said once, not at every try
            self.said = error
            _logger.warning("link %s: %s", self.link.name, error)
        await self._note(states.note_error, error)
        await self._note(states.note_login, None)
        return min(pause_s, self.terms.most_pause_s) * (0.5 + self.chance.random() / 2)

    async def _note(self, what: Any, *values: Any) -> None:
        """Write it down, where the database takes it."""
        with suppress(Exception):
            async with self.pool.acquire(timeout=5) as connection:
                await what(connection, self.link.name, *values)

    async def _session(self) -> None:
        await self._refresh()
        async with asyncio.timeout(self.terms.login_s):
            reader, writer = await asyncio.open_connection(self.link.host, self.link.port)
        wire = Wire(self.link, channel_of(self.link, self.secret), reader, writer, self.tally, self.terms)
        try:
            rest = await self._login(wire)
            async with self.pool.acquire(timeout=5) as connection:
                place = await states.read_place(connection, self.link.name)
            if await self.feed.open(place):
                await self._confirm(self.feed.place, ())
            await self._refresh()  # what is known of the clocks, as far back as the place
            async with self.pool.acquire(timeout=5) as connection:
                await states.note_login(connection, self.link.name, 0)
            _logger.info("link %s: logged in", self.link.name)
            self.said = ""
            self._registered, self._pending, self._main = {}, None, wire
            metrics.UP.labels(self.link.name, "main").set(1)
            await together(self._read(wire, rest), self._push(wire))
        finally:
            metrics.UP.labels(self.link.name, "main").set(0)
            self._main, self.verify_code = None, None
            if self._down is not None:
                self._down.close()
            wire.close()

    async def _login(self, wire: Wire) -> list[Received]:
        """Log in; what came behind the answer. Raises LinkError."""
        fields: dict[str, Any] = {
            "user_id": self.link.user_id,
            "password": self.secret.password,
            "down_ip": self.link.down_host,
            "down_port": self.link.down_port,
        }
        if wire.channel.edition is Edition.V2019:
            fields["access_code"] = self.link.access_code
        await wire.send((Id.UP_CONNECT_REQ, fields))
        async with asyncio.timeout(self.terms.login_s):
            while True:
                came = await wire.receive(self.terms.login_s)
                for k, message in enumerate(came):
                    if message.id is Id.UP_CONNECT_RSP:
                        result = _number(message, "result")
                        if result:
                            said = LOGIN_RESULTS.get(result, "")
                            raise LoginRefusedError(result, said.replace("|", " / "))
                        self.verify_code = _number(message, "verify_code")
                        metrics.LOGINS.labels(self.link.name, "0").inc()
                        return came[k + 1 :]

    # --- what comes

    async def _read(self, wire: Wire, came: list[Received]) -> None:
        while True:
            for message in came:
                await self._take(wire, message)
            came = await wire.receive()

    async def _take(self, wire: Wire, message: Received) -> None:
        """A message of the platform above, by either link."""
        match message.id:
            case Id.UP_LINKTEST_RSP if wire is self._main:
                wire.tested_at = None
                await self._answered()
            case Id.DOWN_LINKTEST_REQ:
                await wire.send((Id.DOWN_LINKTEST_RSP, {}))
            case Id.DOWN_TOTAL_RECV_BACK_MSG:
                await self._note(states.note_said, _number(message, "total"))
            case Id.DOWN_WARN_MSG_URGE_TODO_REQ:
                try:
                    again = await take_order(self.pool, self.link, self.feed.fleet, message.fields)
                except ValueError as error:  # a time that is none
                    wire.refuse("bad-body", str(error))
                else:
                    if again is not None and self._main is not None:
                        await self._main.send(_told(again))
                self._wake.set()
            case Id.DOWN_DISCONNECT_REQ:
                await wire.send((Id.DOWN_DISCONNECT_RSP, {}))
                raise LinkError("上级平台注销了从链路 / the platform above ended the subordinate link")
            case Id.DOWN_CLOSELINK_INFORM:
                raise LinkError("上级平台关闭了链路 / the platform above closes the link")
            case Id.DOWN_EXG_MSG_REGISTER_ACK | Id.DOWN_DISCONNECT_INFORM | Id.UP_DISCONNECT_RSP:
                pass
            case _:
                wire.refuse("unexpected", f"{message.id:#06x}")

    async def _answered(self) -> None:
        if self._pending is not None:
            place, answers = self._pending
            self._pending = None
            await self._confirm(place, answers)
        self._failures = 0
        self._wake.set()

    async def _confirm(self, place: Place, answers: Sequence[Answer]) -> None:
        async with self.pool.acquire(timeout=5) as connection, connection.transaction():
            await states.confirm(connection, self.link.name, place)
            await urging.told(connection, answers)
        metrics.UNCONFIRMED.labels(self.link.name).set(0)

    # --- what goes

    async def _push(self, wire: Wire) -> None:
        place, kept = self.feed.place, self.feed.place
        answers: dict[int, Answer] = {}
        tested_at = refreshed_at = time.monotonic()
        looked_at = -1e9
        unconfirmed_since: float | None = None
        first = True
        while True:
            now = time.monotonic()
            if first or now - refreshed_at >= self.terms.refresh_s:
                if not first:
                    await self._refresh()
                    await self.feed.tail.check()
                first, refreshed_at = False, now
                if registrations := self._registrations():
                    await wire.send(*registrations)
                    unconfirmed_since = unconfirmed_since or now
            if now - looked_at >= self.terms.look_s:
                looked_at = now
                for answer in await self._to_tell(answers):
                    await wire.send(_told(answer))
                    answers[answer.no] = answer
                    unconfirmed_since = unconfirmed_since or now
                await self._keep_tally()
            chunk = await self.feed.next()
            if chunk is not None:
                if chunk.messages:
                    await wire.send(*chunk.messages)
                    unconfirmed_since = unconfirmed_since or now
                if chunk.place is not None:
                    place = chunk.place
            if self._pending is None and wire.tested_at is None:
                due_s = self.terms.confirm_s if unconfirmed_since is not None else self.terms.heartbeat_s
                if now - tested_at >= due_s:
                    self._pending = (place, tuple(answers.values()))
                    kept, answers, unconfirmed_since = place, {}, None
                    wire.tested_at = tested_at = now
                    await wire.send((Id.UP_LINKTEST_REQ, {}))
                elif (
                    unconfirmed_since is None
                    and place is not kept
                    and now - tested_at >= self.terms.confirm_s
                ):
                    kept = place
                    tested_at = now
                    await self._confirm(place, ())
            if wire.tested_at is not None:
                waits = now - wire.tested_at
                metrics.UNCONFIRMED.labels(self.link.name).set(waits)
                if waits > self.terms.answer_s:
                    raise LinkError("上级平台不应答连接保持 / a link test was not answered")
            if chunk is None:
                self._wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), min(0.2, self.terms.confirm_s))

    async def _to_tell(self, sent: dict[int, Answer]) -> list[Answer]:
        if self.link.edition != Edition.V2011:
            return []
        async with self.pool.acquire(timeout=5) as connection:
            waiting = await urging.to_tell(connection, self.link.name)
        out = sent | ({} if self._pending is None else {answer.no: answer for answer in self._pending[1]})
        return [one for one in waiting if one.no not in out or out[one.no].result != one.result]

    async def _refresh(self) -> None:
        """Read vehicles and clocks anew."""
        async with self.pool.acquire(timeout=5) as connection:
            self.feed.fleet = await read_fleet(connection, self.link.units, self.link.edition)
            numbers = self.feed.fleet.terminals.tolist()
            since_us = min(self.feed.place.received_us or 1 << 62, time.time_ns() // 1000) - US_PER_DAY
            self.feed.clocks = await read_clocks(connection, numbers, since_us=since_us)

    def _registrations(self) -> list[Outgoing]:
        """0x1201 of every vehicle that this session has not registered as it is now."""
        found: list[Outgoing] = []
        current: dict[int, tuple[Any, ...]] = {}
        for one in self.feed.fleet.now(time.time_ns() // 1000):
            if one.secret:
                continue
            key = (one.plate, one.colour, one.phone, one.manufacturer, one.model, one.device_id)
            current[one.terminal] = key
            if self._registered.get(one.terminal) != key:
                found.append((Id.UP_EXG_MSG_REGISTER, registration(self.link, one)))
        self._registered = current
        return found

    async def _keep_tally(self) -> None:
        if self.tally.empty:
            return
        counted = fresh(self.tally)
        async with self.pool.acquire(timeout=5) as connection:
            await states.add_tally(connection, self.link.name, counted)

    # --- the subordinate link

    def knows(self, verify_code: int) -> bool:
        """Whether who connects the subordinate link has the code of our login."""
        own = self.verify_code
        return own is not None and hmac.compare_digest(own.to_bytes(4, "big"), verify_code.to_bytes(4, "big"))

    async def serve_down(self, wire: Wire, rest: list[Received]) -> None:
        """The platform above has connected the subordinate link with ``wire``; until it ends."""
        if self._down is not None:
            self._down.close()
        self._down = wire
        metrics.UP.labels(self.link.name, "subordinate").set(1)
        await self._note(states.note_down, True)
        try:
            await wire.send((Id.DOWN_CONNECT_RSP, {"result": 0}))
            await self._read(wire, rest)
        finally:
            if self._down is wire:
                self._down = None
                metrics.UP.labels(self.link.name, "subordinate").set(0)
                await self._note(states.note_down, False)


def _number(message: Received, name: str) -> int:
    value = message.fields[name]
    return value if isinstance(value, int) else 0


def _told(answer: Answer) -> Outgoing:
    return (
        Id.UP_WARN_MSG_URGE_TODO_ACK,
        {
            "plate": answer.plate,
            "colour": answer.colour,
            "supervision_id": answer.supervision_id,
            "result": answer.result,
        },
    )


def _fit(text: str, width: int) -> str:
    """``text`` as far as ``width`` bytes of GBK go."""
    raw = text.encode("gbk", "ignore")[:width]
    return raw.decode("gbk", "ignore")


def registration(link: Link, one: Fitted) -> dict[str, Any]:
    """The fields of 0x1201. What is longer than its place is cut."""
    old = link.edition == Edition.V2011
    sim = one.phone[-(12 if old else 13) :].zfill(12 if old else 13)
    fields: dict[str, Any] = {
        "plate": one.plate,
        "colour": one.colour,
        "platform_id": link.platform_id,
        "producer_id": _fit(one.manufacturer, 11),
        "model": _fit(one.model, 20 if old else 30),
        "terminal_id": _fit(one.device_id.upper(), 7 if old else 30),
        "sim": sim,
    }
    return fields if old else fields | {"imei": ""}
