"""JT/T 808 over TCP: bytes of terminals in, batches to the log, replies out.

One loop turn handles everything that has arrived on all connections together: positions of authenticated terminals as
columns (``position_frames``), everything else message by message through each connection's sans-IO ``Session``.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from runtime.arrays import AnyInts
from runtime.errors import text_of
from runtime.faults import of_one_fact
from telemetry.gateway import gathering, metrics, position_frames
from telemetry.gateway.batcher import CLOSED_BYTES, Batcher, RejectNote
from telemetry.gateway.connection import Connection, ConnectionTable
from telemetry.gateway.downlink import Downlink
from telemetry.gateway.entrances.certificates import Certificates
from telemetry.gateway.entrances.handed_over import HandedOver
from telemetry.gateway.entrances.origins import Origins
from telemetry.gateway.entrances.udp import UdpEntrance
from telemetry.gateway.limits import Limits
from telemetry.gateway.registrar import Registrar
from telemetry.gateway.sockets import Arrived, Sockets
from telemetry.gateway.waiting_replies import ColumnReceipt, ReportReceipt, ScalarReceipt
from telemetry.gateway.watching import Watching
from telemetry.jt808 import ids
from telemetry.jt808.columns import framing
from telemetry.jt808.rejection import Reason, Rejection, without_code
from telemetry.jt808.reporting import Reported
from telemetry.jt808.scalar.framing import MAX_ESCAPED
from telemetry.jt808.scalar.header import is_hex, parse_header
from telemetry.jt808.scalar.replies import time_reply
from telemetry.jt808.session import (
    Action,
    Answered,
    Authenticate,
    Close,
    Confirmed,
    PackagesWanted,
    Positions,
    Register,
    Rejected,
    Send,
    TellTime,
)
from telemetry.log.base import LogWriter
from telemetry.reports.record import Report
from telemetry.terminals.dialect_corrections import DialectCorrections
from telemetry.terminals.directory import TerminalDirectory

logger = logging.getLogger(__name__)


_SWEEP_S = 1.0
#: A fault of the program is told in full so often; every message it concerns is kept and counted.
_TOLD_EVERY_S = 60.0
#: An append that takes longer than this (failing again and again, or hanging) makes the gateway not ready: terminals get
#: no reply here, long before the memory budget is used up.
_LOG_DEAD_S = 5.0
#: At the end, what is on its way through TLS has so long to go out.
_LAST_REPLIES_S = 2.0


class Gateway:
    """Serves terminals until ``drain``. One object per process and event loop."""

    def __init__(
        self,
        directory: TerminalDirectory,
        log: LogWriter,
        limits: Limits,
        origins: Origins | None = None,
        downlink: Downlink | None = None,
        dialects: DialectCorrections | None = None,
        watching: Watching | None = None,
    ) -> None:
        """``downlink``: commands to terminals; without one none is sent. ``dialects``: what makes of terminals do otherwise.
        ``watching``: who watches frames of a terminal is told them; without one nobody is."""
        self._downlink = downlink
        self._limits = limits
        self._table = ConnectionTable()
        self._sockets = Sockets(limits, self._table, self._on_close, origins)
        self._rest_bytes = 0
        self._paused = False
        self._unread_s = 0.0  # of pauses, in all
        self._clock_stopped_at: float | None = None
        self._serving = self._draining = False
        self._listening = False
        self._later: asyncio.TimerHandle | None = None
        self._told_at = -_TOLD_EVERY_S
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        #: Set to what has ended a task that has to last as long as the gateway does: a fault of the program. Terminals are
        #: not served rightly any more, so the process has to end; another one takes them.
        self.fault: asyncio.Future[BaseException] = self._loop.create_future()
        self._batcher = Batcher(log, on_space=self._resume)
        self._batcher.task.add_done_callback(self._look_after)
        self._handed_over = HandedOver(self._sockets, self._clock)
        self._udp: list[UdpEntrance] = []
        self._registrar = Registrar(directory, self._sockets, self._table, self._reject, downlink, dialects)
        self._watching = watching
        if watching is not None:
            watching.attach(self._sockets)
        if downlink is not None:
            downlink.attach(
                self._sockets.send, lambda connection, actions: self._act(connection, actions, 0), self._clock
            )

    # --- life ---------------------------------------------------------------------------------------------------------

    def listen(self, host: str, port: int) -> int:
        """Start accepting; returns the port. Raises ConfigurationError when the address cannot be used."""
        balanced = bool(self._sockets.origins.balancers)
        bound = self._sockets.listen(host, port, self._plain_or_balanced if balanced else None)
        self._serve()
        return bound

    def listen_tls(self, host: str, port: int, certificates: Certificates) -> int:
        """Start accepting TLS; returns the port. Raises ConfigurationError when the address cannot be used."""
        bound = self._sockets.listen(
            host, port, partial(self._handed_over.take, certificates=certificates), "GONGCHE_TLS"
        )
        self._serve()
        return bound

    async def listen_udp(self, host: str, port: int) -> None:
        """Take datagrams. Raises ConfigurationError when the address cannot be used."""
        self._udp.append(await UdpEntrance.open(self._sockets, host, port, self._clock))
        self._serve()

    def _plain_or_balanced(self, sock: socket.socket, address: str, port: int) -> None:
        """Accepted where some connections come through a balancer."""
        if self._sockets.origins.is_balancer(address):
            self._handed_over.take(sock, address, port, None)
        else:
            self._sockets.admit(sock, address, port, self._clock())

    def _serve(self) -> None:
        if not self._serving:
            self._serving = True
            self._listen_to_sockets(True)
            self._spawn(self._sweep()).add_done_callback(self._look_after)
            self._spawn(self._registrar.follow()).add_done_callback(self._look_after)
            if self._downlink is not None:
                self._spawn(self._downlink.run()).add_done_callback(self._look_after)
            if self._watching is not None:
                self._spawn(self._watching.run()).add_done_callback(self._look_after)

    async def drain(self, timeout_s: float) -> int:
        """Stop reading, confirm what was read (at most ``timeout_s``), close everything.

        Returns how many positions could not be confirmed; their terminals got no reply and will send them again.
        """
        self._draining = True
        self._listen_to_sockets(False)
        self._sockets.stop_listening()
        lost = await self._batcher.drain(timeout_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sockets.close_all("drain")
        for udp in self._udp:
            udp.close()
        await self._handed_over.close(_LAST_REPLIES_S)
        if self._downlink is not None:
            await self._downlink.close()
        return lost

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _look_after(self, task: asyncio.Task[None]) -> None:
        """A task that lasts has ended."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.fault.done():
            self.fault.set_result(error)

    def connections(self) -> list[Connection]:
        """Those that are open now, whichever way they came."""
        return list(self._sockets.connections.values())

    def trouble(self) -> str | None:
        """Why this gateway should get no more terminals now, or None."""
        if self._draining:
            return "draining"
        if self.fault.done():
            return "a fault of the program: the gateway is ending, see the log"
        if self._paused:
            return "reading is paused: the memory budget is used up"
        if self._batcher.waiting_s > _LOG_DEAD_S:
            return f"the log has taken no records for {self._batcher.waiting_s:.0f} s"
        return None

    # --- one loop turn ------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Read whatever has arrived on all connections, then handle it together."""
        if self._paused or self._draining:
            return
        frames = 0
        try:
            frames = self._read()
        finally:  # whatever happened, the other terminals are served
            if not self._paused:
                self._go_on(frames)

    def _read(self) -> int:
        """Handle what has arrived; how many frames that were."""
        now = self._clock()
        arrived = self._sockets.read(now)
        if not arrived.chunks:
            return 0
        metrics.BYTES_IN.inc(sum(map(len, arrived.chunks)))
        if self._watching is not None and self._watching.active:
            self._watching.arrived(arrived)
        for i in np.flatnonzero(self._table.partial_since[arrived.slots]).tolist():
            connection = arrived.owners[i]
            self._rest_bytes -= len(connection.rest)
            arrived.chunks[i] = connection.rest + arrived.chunks[i]
            connection.rest = b""
        frames = self._handle(arrived, now)
        self._check_budget()
        return frames

    def _go_on(self, frames: int) -> None:
        """Read again at once, or a little later (``gathering``)."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if pause_s := gathering.pause_s(frames, len(self._sockets.connections), syncing=self._batcher.busy):
            self._listen_to_sockets(False)
            self._later = self._loop.call_later(pause_s, self._turn)
        else:
            self._listen_to_sockets(True)

    def _listen_to_sockets(self, wanted: bool) -> None:
        """Whether the event loop calls ``_turn`` when something arrives."""
        if wanted and not self._listening:
            self._loop.add_reader(self._sockets.fileno(), self._turn)
        elif self._listening and not wanted:
            self._loop.remove_reader(self._sockets.fileno())
        self._listening = wanted

    def _handle(self, arrived: Arrived, now: float) -> int:
        """Handle everything that has arrived; how many frames that were."""
        owners = arrived.owners
        gathered = framing.gather(arrived.chunks, self._table.synced[arrived.slots])
        self._keep_rests(gathered, arrived, now)
        frames = gathered.frames
        if not len(frames):
            return 0
        if self._watching is not None and self._watching.active:
            self._watching.seen(frames, arrived)
        slot = arrived.slots[frames.chunk]
        fast = (
            position_frames.are_positions(frames)
            & (self._table.terminal[slot] != 0)
            & (frames.phone_lo == self._table.phone_lo[slot])
            & (frames.phone_hi == self._table.phone_hi[slot])
        )
        rows = np.flatnonzero(fast)
        if rows.size:
            self._positions(frames, rows, slot[rows], owners, now)
        if rows.size != len(frames):
            for k in np.flatnonzero(~fast).tolist():
                self._one(frames, k, owners[frames.chunk[k]], now)
        return len(frames)

    def _keep_rests(self, gathered: framing.Gathered, arrived: Arrived, now: float) -> None:
        """Remember incomplete frames; throw away runs that are longer than any frame (counted)."""
        self._table.synced[arrived.slots] = gathered.synced
        since = self._table.partial_since[arrived.slots]
        self._table.partial_since[arrived.slots] = 0.0
        for i, rest in gathered.rests:
            connection = arrived.owners[i]
            if len(rest) > MAX_ESCAPED:
                self._table.synced[connection.slot] = False  # to the next delimiter everything is junk
                detail = "no delimiter within the longest frame"
                self._reject(connection, Rejection(Reason.TOO_LONG, detail, without_code(rest)))
                continue
            # A frame that was half read before keeps its deadline.
            same = bool(since[i]) and len(rest) == len(arrived.chunks[i])
            self._table.partial_since[connection.slot] = since[i] if same else now
            connection.rest = rest
            self._rest_bytes += len(rest)

    def _positions(
        self, frames: framing.Frames, rows: AnyInts, slot: AnyInts, owners: Sequence[Connection], now: float
    ) -> None:
        """Positions of authenticated terminals, all together. ``rows`` index ``frames``; ``slot`` goes with rows. Where the
        program fails on them, terminal by terminal and frame by frame."""
        try:
            taken = position_frames.take(frames, rows, self._table.terminal[slot])
        except Exception as error:
            if not of_one_fact(error):
                raise
            if len(rows) == 1:
                self._failed(owners[frames.chunk[rows[0]]], frames.message(int(rows[0])), error)
                return
            edges = np.flatnonzero(np.diff(frames.chunk[rows])) + 1
            for part in np.split(np.arange(len(rows)), edges if edges.size else range(1, len(rows))):
                self._positions(frames, rows[part], slot[part], owners, now)
            return
        for k, reason, detail, count in taken.refused:
            raw = frames.message(int(rows[k]))
            self._reject(owners[frames.chunk[rows[k]]], Rejection(reason, detail, raw, count))
        chunk = frames.chunk[rows]
        new = np.ones(len(chunk), np.bool_)
        np.not_equal(chunk[1:], chunk[:-1], out=new[1:])
        first = new.nonzero()[0]  # frames of one chunk follow each other
        slots = slot[first]
        receipt = ColumnReceipt(
            send=self._sockets.send_slices,
            read_at=now + self._unread_s,
            table=self._table,
            connections=[owners[i] for i in chunk[first].tolist()],
            slots=slots,
            holders=self._table.holder[slots],
            first=first,
            columns={
                "v2019": frames.v2019[rows],
                "flags": frames.properties[rows],
                "protocol_version": frames.protocol_version[rows],
                "phone_hi": frames.phone_hi[rows],
                "phone_lo": frames.phone_lo[rows],
                "of_serial": frames.serial[rows],
                "of_id": frames.id[rows],
                "result": taken.result,
            },
        )
        self._batcher.add(taken.batch, receipt)

    def _failed(self, connection: Connection, message: bytes, error: Exception) -> None:
        """The program fails on ``message``, which gets no reply: it is kept with the refused ones, and nobody else notices."""
        self._reject(connection, Rejection(Reason.FAULT, text_of(error), without_code(message)))
        now = self._clock()
        if now - self._told_at >= _TOLD_EVERY_S:
            self._told_at = now
            logger.error(
                "程序故障，请报告 / a fault of the program on a message of %s, please report it", connection.peer,
                exc_info=error,
            )  # fmt: skip

    # --- one message at a time ----------------------------------------------------------------------------------------

    def _one(self, frames: framing.Frames, k: int, connection: Connection, now: float) -> None:
        """A frame that is not a plain position of an authenticated terminal."""
        if connection.closed:
            return
        verdict = int(frames.verdict[k])
        if verdict:
            metrics.FRAMES.labels("broken").inc()
            reason = framing.REASONS[verdict - 1]
            raw = frames.data[frames.start[k] : frames.start[k] + frames.length[k] + 1].tobytes()
            self._reject(connection, Rejection(reason, "", without_code(raw)))
            return
        parsed = parse_header(frames.message(k))
        metrics.FRAMES.labels(ids.label(int(frames.id[k]))).inc()
        if isinstance(parsed, Rejection):
            self._reject(connection, replace(parsed, raw=without_code(parsed.raw)))
            return
        header, body = parsed
        if is_hex(header.phone):
            metrics.HEX_PHONES.inc()
        try:
            self._act(connection, connection.session.on_message(header, body, now), now)
        except Exception as error:
            if not of_one_fact(error):
                raise
            self._failed(connection, frames.message(k), error)
        if header.fragmented:
            self._count_fragments(connection)

    def _act(self, connection: Connection, actions: Sequence[Action], now: float) -> None:
        for action in actions:
            match action:
                case Send(frame):
                    self._sockets.send(connection, frame)
                case Positions():
                    batch = position_frames.take_bodies(
                        action.bodies, connection.session.terminal_no, action.source
                    )
                    self._batcher.add(
                        batch,
                        ScalarReceipt(self._sockets.send, now + self._unread_s, connection, action.answer),
                    )
                case Reported():
                    report = Report(
                        connection.session.terminal_no, time.time_ns() // 1000, action.header.id, int(action.edition),
                        action.header.serial, action.body,
                    )  # fmt: skip
                    self._batcher.report(report, ReportReceipt(self._sockets.send, connection, action))
                case TellTime(header):
                    serial = connection.session.next_serial()
                    self._sockets.send(connection, time_reply(header, time.time_ns() // 1000, serial))
                case Register():
                    self._spawn(self._registrar.register(connection, action))
                case Authenticate():
                    self._registrar.authenticate(connection, action)
                case Confirmed() | Answered() | PackagesWanted():
                    downlink = self._downlink
                    to_do = (
                        connection.session.nobody_waits(action)
                        if downlink is None
                        else downlink.heard(connection, action)
                    )
                    self._act(connection, to_do, now)
                case Rejected(rejection):
                    self._reject(connection, rejection)
                case Close(reason):
                    self._sockets.close(connection, reason)
        if not connection.session.authenticated and not connection.closed:
            self._registrar.forget(connection)

    # --- the end of a connection --------------------------------------------------------------------------------------

    def _on_close(self, connection: Connection) -> None:
        self._rest_bytes -= len(connection.rest)
        connection.rest = b""
        for rejection in connection.session.end():
            self._reject(connection, rejection)
        self._count_fragments(connection)
        self._registrar.forget(connection)
        if self._watching is not None:
            self._watching.closed(connection)
        self._batcher.retain(CLOSED_BYTES)

    # --- refusals and limits ------------------------------------------------------------------------------------------

    def _reject(self, connection: Connection, rejection: Rejection) -> None:
        self._batcher.reject(
            RejectNote(
                at_us=time.time_ns() // 1000,
                peer=connection.peer,
                phone=connection.session.phone or "",
                reason=rejection.reason.value,
                detail=rejection.detail,
                raw=rejection.raw,
            ),
            rejection.count,
        )

    def _clock(self) -> float:
        """Seconds, for every deadline of a terminal. This clock stops while reading is paused: what a terminal sends in the
        pause is in time, however late it is read."""
        since = self._clock_stopped_at
        return (self._loop.time() if since is None else since) - self._unread_s

    def _start_clock(self) -> None:
        if self._clock_stopped_at is not None:
            self._unread_s += self._loop.time() - self._clock_stopped_at
            self._clock_stopped_at = None

    def _held(self) -> int:
        held = self._batcher.held_bytes + self._rest_bytes + self._sockets.unsent_bytes
        metrics.BUDGET_USED.set(held)
        return held

    def _check_budget(self) -> None:
        held = self._held()
        if held > self._limits.memory_budget_bytes and not self._paused:
            self._paused = True
            self._clock_stopped_at = self._loop.time()
            metrics.PAUSES.inc()
            logger.warning("memory budget used up: reading pauses until the log takes records")
            self._listen_to_sockets(False)

    def _resume(self) -> None:
        """Read again when the log has taken half of the budget back."""
        held = self._held()
        budget = self._limits.memory_budget_bytes
        if not self._paused or self._draining or self._batcher.held_bytes >= budget // 2:
            return
        self._start_clock()
        if held < budget:
            self._paused = False
            self._listen_to_sockets(True)
        # Else half-read frames alone fill the budget: reading goes on when their deadlines have closed those connections.

    def _count_fragments(self, connection: Connection) -> None:
        """Packages that wait for the rest of their message count in the memory budget; none, however small, counts 0."""
        held = 0 if connection.closed else connection.session.bytes_held
        self._rest_bytes += held - connection.fragment_bytes
        metrics.UPLOADS_BYTES.set(self._sockets.uploads.budget.held)
        connection.fragment_bytes = held

    async def _sweep(self) -> None:
        """Close connections that are past a deadline; ask for missing fragments, and for connections that had to wait."""
        limits = self._limits
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = self._clock()
            for connection in self._suspects(now):
                session = connection.session
                half_read_since = self._table.partial_since[connection.slot]
                if half_read_since and now - half_read_since > limits.frame_timeout_s:
                    self._sockets.close(connection, "frame_timeout")
                elif now - self._table.seen[connection.slot] > limits.idle_timeout_s:
                    self._sockets.close(connection, "idle")
                elif not session.authenticated and now - connection.opened > limits.auth_timeout_s:
                    self._sockets.close(connection, "auth_timeout")
                elif connection.fragment_bytes:
                    self._act(connection, session.on_time(now), now)
                    self._count_fragments(connection)
            self._sockets.accept_again()
            self._resume()

    def _suspects(self, now: float) -> list[Connection]:
        """Connections that may be past a deadline, or wait for fragments: by columns, for nearly all are neither."""
        connections, limits = self.connections(), self._limits
        slots = np.fromiter((connection.slot for connection in connections), np.int64, len(connections))
        since = self._table.partial_since[slots]
        late = (since > 0) & (now - since > limits.frame_timeout_s)
        late |= now - self._table.seen[slots] > limits.idle_timeout_s
        late |= self._table.terminal[slots] == 0
        pairs = zip(connections, late.tolist(), strict=True)
        return [connection for connection, suspect in pairs if suspect or connection.fragment_bytes]
