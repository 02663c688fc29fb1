"""A link from a platform below: it has logged in; its positions go into our log, as those of the terminals of its vehicles here.

What it sends is worked off in its order: a link test is answered when everything before it is durable in the log. While the log takes
nothing, nothing is read: the platform waits, and has lost nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from gongche.exchange809 import metrics
from gongche.exchange809.wire import LinkError, Terms, Wire, channel_of, clean, fresh, together
from office.platforms import states, urging
from office.platforms.fleet import Fitted, read_fleet, said_colours
from office.platforms.links import Link, Secret
from office.platforms.states import Tally
from registry.spelling import normal_plate
from runtime.errors import UnavailableError
from telemetry.jt809 import positions
from telemetry.jt809.codec import Received
from telemetry.jt809.header import Edition
from telemetry.jt809.refusal import Refusal
from telemetry.jt809.tables import Id
from telemetry.log.base import POSITIONS, LogWriter, Record, partitions_of
from telemetry.log.codec import HEADERS, encode
from telemetry.positions import PositionBatch, Source

_logger = logging.getLogger(__name__)
#: How often the subordinate link is tried before the platform is told by the main one (clause 4.5.1.15).
_TRIES: Final = 3
#: Vehicles of a session of which it is noted that they are not taken.
_MOST_STRANGERS: Final = 1_000


@dataclass(slots=True)
class _Row:
    """A position that came: its vehicle's terminal, its location, by which way."""

    terminal: int
    location: bytes
    source: int


@dataclass(slots=True)
class Below:
    """A session of a platform below. ``down_at``: where it says that it listens for the subordinate link, None = nowhere. ``secret``: for
    the channel of that link."""

    link: Link
    secret: Secret
    wire: Wire
    pool: Any
    log: LogWriter
    tally: Tally
    terms: Terms
    verify_code: int
    down_at: tuple[str, int] | None
    _plates: Mapping[str, Fitted] = field(default_factory=dict)
    _colours: Mapping[str, int] = field(default_factory=dict)
    _strangers: set[tuple[str, int]] = field(default_factory=set)
    _rows: list[_Row] = field(default_factory=list)
    _down: Wire | None = None
    _asked: list[int] = field(default_factory=list)  # orders that were sent, and not confirmed yet

    async def run(self, rest: list[Received]) -> None:
        """Work the link until it ends. Raises LinkError."""
        await self._refresh()
        metrics.UP.labels(self.link.name, "main").set(1)
        try:
            down = () if self.down_at is None else (self._keep_down(*self.down_at),)
            await together(self._read(rest), self._look(), *down)
        finally:
            metrics.UP.labels(self.link.name, "main").set(0)
            metrics.UP.labels(self.link.name, "subordinate").set(0)
            self.wire.close()
            if self._down is not None:
                self._down.close()
            with suppress(Exception):
                await self._keep_tally()

    # --- what comes

    async def _read(self, came: list[Received]) -> None:
        budget, at = float(self.terms.rate), time.monotonic()
        while True:
            for message in came:
                await self._take(message)
            await self._flush()
            now = time.monotonic()
            budget = min(float(self.terms.rate), budget + (now - at) * self.terms.rate) - len(came)
            at = now
            if budget < 0:  # who sends more is read more slowly
                await asyncio.sleep(-budget / self.terms.rate)
            came = await self.wire.receive()

    async def _take(self, message: Received) -> None:
        fields = message.fields
        match message.id:
            case Id.UP_EXG_MSG_REAL_LOCATION:
                self._positions(fields, 1, Source.LIVE)
            case Id.UP_EXG_MSG_HISTORY_LOCATION:
                self._positions(fields, _int(fields, "count"), Source.BLIND_ZONE)
            case Id.UP_LINKTEST_REQ:
                await self._flush()
                await self.wire.send((Id.UP_LINKTEST_RSP, {}))
            case Id.UP_EXG_MSG_REGISTER:
                await self._registered(message)
            case Id.UP_WARN_MSG_URGE_TODO_ACK:
                await self._answered(fields)
            case Id.UP_DISCONNECT_REQ:
                await self._flush()
                await self.wire.send((Id.UP_DISCONNECT_RSP, {}))
                raise LinkError("下级平台注销 / the platform below logged out")
            case Id.UP_CLOSELINK_INFORM:
                await self._flush()
                raise LinkError("下级平台关闭了链路 / the platform below closes the link")
            case Id.UP_DISCONNECT_INFORM | Id.DOWN_LINKTEST_RSP:
                pass
            case _:
                self.wire.refuse("unexpected", f"{message.id:#06x}")

    def _positions(self, fields: Mapping[str, Any], count: int, source: int) -> None:
        plate, colour, data = clean(fields["plate"]), _int(fields, "colour"), fields["location"]
        one, why = self._vehicle(plate, colour)
        if one is None:
            self.wire.refuse(why, f"{plate!r} {colour}", max(count, 1))
            if len(self._strangers) < _MOST_STRANGERS:
                self._strangers.add((plate, colour))
            return
        found = positions.split(data, Edition(self.link.edition), count)
        if isinstance(found, Refusal):
            self.wire.refuse(str(found.reason), found.detail)
            return
        self._rows += [_Row(one.terminal, location, source) for location in found]

    def _vehicle(self, plate: str, colour: int) -> tuple[Fitted | None, str]:
        """The vehicle of a plate, in the link's units; or why there is none."""
        one = self._plates.get(normal_plate(plate))
        if one is None:
            return None, "unknown-vehicle"
        said = self._colours.get(one.vehicle)
        if said is not None and said != colour:
            return None, "another-colour"
        return one, ""

    async def _flush(self) -> None:
        """Everything that came is durable in the log when this returns. The log is tried until it takes it."""
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        batch, read = positions.decode(
            [row.location for row in rows],
            Edition(self.link.edition),
            [row.terminal for row in rows],
            time.time_ns() // 1000,
            [row.source for row in rows],
        )
        if len(read) < len(rows):
            self.wire.refuse("bad-body", "a position of less than 28 bytes", len(rows) - len(read))
        pause = 0.05
        while True:
            try:
                await self.log.append(_records(batch, self.log.partitions))
                break
            except UnavailableError as error:
                _logger.warning("the log takes no positions of link %s: %s", self.link.name, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
        self.tally.taken += len(batch)
        metrics.POSITIONS.labels(self.link.name, "taken").inc(len(batch))

    async def _registered(self, message: Received) -> None:
        fields = message.fields
        plate, colour = clean(fields["plate"]), _int(fields, "colour")
        one, why = self._vehicle(plate, colour)
        names = ("platform_id", "producer_id", "model", "terminal_id", "sim", "imei")
        device = {name: clean(fields[name]) for name in names if name in fields}
        async with self.pool.acquire(timeout=5) as connection:
            await states.note_vehicle(connection, self.link.name, plate, colour, device, None if one else why)
        if self.link.edition == Edition.V2019:
            answer = {
                "plate": plate,
                "colour": colour,
                "source_type": int(Id.UP_EXG_MSG_REGISTER),
                "source_serial": message.header.serial,
                "result": 0 if one else 1,
            }
            await (self._down or self.wire).send((Id.DOWN_EXG_MSG_REGISTER_ACK, answer))

    async def _answered(self, fields: Mapping[str, Any]) -> None:
        async with self.pool.acquire(timeout=5) as connection:
            known = await urging.answered(
                connection, self.link.name, _int(fields, "supervision_id"), _int(fields, "result")
            )
        if not known:
            self.wire.refuse("unknown-order", f"{fields['supervision_id']}")

    # --- what is done beside it

    async def _refresh(self) -> None:
        async with self.pool.acquire(timeout=5) as connection:
            fleet = await read_fleet(connection, self.link.units, self.link.edition)
            self._colours = await said_colours(connection)
        self._plates = fleet.by_plate(time.time_ns() // 1000)

    async def _look(self) -> None:
        """Vehicles anew, what was counted, orders that are to be sent."""
        refreshed_at = time.monotonic()
        while True:
            await asyncio.sleep(self.terms.look_s)
            if time.monotonic() - refreshed_at >= self.terms.refresh_s:
                refreshed_at = time.monotonic()
                await self._refresh()
            await self._keep_tally()
            await self._ask()

    async def _ask(self) -> None:
        """Send orders of ours; they count as sent when the platform has answered a link test behind them."""
        down = self._down
        if self.link.edition != Edition.V2011 or down is None or down.tested_at is not None:
            return
        async with self.pool.acquire(timeout=5) as connection:
            waiting = await urging.to_ask(connection, self.link.name)
        if not waiting:
            return
        await down.send(*((Id.DOWN_WARN_MSG_URGE_TODO_REQ, _asked(order)) for _, order in waiting))
        self._asked = [number for number, _ in waiting]
        down.tested_at = time.monotonic()
        await down.send((Id.DOWN_LINKTEST_REQ, {}))

    async def _keep_tally(self) -> None:
        strangers, self._strangers = self._strangers, set()
        if self.tally.empty and not strangers:
            return
        counted = fresh(self.tally)
        async with self.pool.acquire(timeout=5) as connection:
            await states.add_tally(connection, self.link.name, counted)
            for plate, colour in strangers:
                _, why = self._vehicle(plate, colour)
                await states.note_vehicle(connection, self.link.name, plate, colour, None, why or None)

    # --- the subordinate link

    async def _keep_down(self, host: str, port: int) -> None:
        """Connect the subordinate link, and again when it breaks. It is tried in vain three times: the platform is told."""
        failures = 0
        while True:
            try:
                await self._down_session(host, port)
            except (LinkError, OSError) as error:  # a TimeoutError is an OSError
                failures += 1
                if failures == _TRIES:
                    await self.wire.send((Id.DOWN_DISCONNECT_INFORM, {"error": 0}))
                    _logger.warning(
                        "link %s: no subordinate link to %s:%d: %s", self.link.name, host, port, error
                    )
            else:
                failures = 0
            finally:
                if self._down is not None:
                    self._down.close()
                    self._down, self._asked = None, []
                    metrics.UP.labels(self.link.name, "subordinate").set(0)
                    with suppress(Exception):
                        async with self.pool.acquire(timeout=5) as connection:
                            await states.note_down(connection, self.link.name, False)
            await asyncio.sleep(min(2.0**failures, self.terms.most_pause_s))

    async def _down_session(self, host: str, port: int) -> None:
        async with asyncio.timeout(self.terms.login_s):
            reader, writer = await asyncio.open_connection(host, port)
        wire = Wire(self.link, channel_of(self.link, self.secret), reader, writer, self.tally, self.terms)
        try:
            await wire.send((Id.DOWN_CONNECT_REQ, {"verify_code": self.verify_code}))
            async with asyncio.timeout(self.terms.login_s):
                while not (came := await wire.receive()):
                    pass
            first, *rest = came
            if first.id is not Id.DOWN_CONNECT_RSP or first.fields["result"] != 0:
                raise LinkError("下级平台拒绝从链路 / the platform below refused the subordinate link")
            self._down = wire
            metrics.UP.labels(self.link.name, "subordinate").set(1)
            async with self.pool.acquire(timeout=5) as connection:
                await states.note_down(connection, self.link.name, True)
            await together(self._read_down(wire, rest), self._test_down(wire))
        finally:
            wire.close()

    async def _read_down(self, wire: Wire, came: list[Received]) -> None:
        while True:
            for message in came:
                match message.id:
                    case Id.DOWN_LINKTEST_RSP:
                        wire.tested_at = None
                        done, self._asked = self._asked, []
                        if done:
                            async with self.pool.acquire(timeout=5) as connection:
                                await urging.asked(connection, done)
                    case Id.UP_WARN_MSG_URGE_TODO_ACK:  # by the other link: some do
                        await self._answered(message.fields)
                    case Id.UP_DISCONNECT_INFORM | Id.DOWN_DISCONNECT_RSP:
                        pass
                    case _:
                        wire.refuse("unexpected", f"{message.id:#06x}")
            came = await wire.receive()

    async def _test_down(self, wire: Wire) -> None:
        while True:
            await asyncio.sleep(min(self.terms.heartbeat_s, self.terms.answer_s))
            if wire.tested_at is None:
                wire.tested_at = time.monotonic()
                await wire.send((Id.DOWN_LINKTEST_REQ, {}))
            elif time.monotonic() - wire.tested_at > self.terms.answer_s:
                raise LinkError("下级平台不应答连接保持 / a link test was not answered")


def new_verify_code() -> int:
    """A number that nobody can guess, of 32 bits, never 0."""
    return secrets.randbelow(0xFFFFFFFF) + 1


def _int(fields: Mapping[str, Any], name: str) -> int:
    value = fields[name]
    return value if isinstance(value, int) else 0


def _asked(order: urging.Order) -> dict[str, Any]:
    return {
        "plate": order.plate,
        "colour": order.colour,
        "warn_source": order.warn_source,
        "warn_type": order.warn_type,
        "warn_s": int(order.warn_at.timestamp()),
        "supervision_id": order.supervision_id,
        "due_s": int(order.due_at.timestamp()),
        "level": order.level,
        "supervisor": order.supervisor,
        "phone": order.phone,
        "email": order.email,
    }


def _records(batch: PositionBatch, partitions: int) -> Sequence[Record]:
    """One record for each partition that the terminals belong to; the order of rows is kept."""
    partition = partitions_of(batch.terminal, partitions)
    return [
        Record(POSITIONS, int(number), encode(batch.take(partition == number)), HEADERS)
        for number in np.unique(partition)
    ]
