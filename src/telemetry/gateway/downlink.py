"""Commands on their way to terminals of this gateway: taken from the database, sent, repeated, and what the terminals say of them.

Nothing here is on the way of a position. Terminals that log in and out are noted in memory and written in batches; what is heard of a
command is noted in memory and written together. While the database is away commands wait, and the gateway receives.

A command is taken (its row says "sent", committed) before its first byte is written. So after a fall it is known which commands may have
been received: those that may be repeated are sent again, the others fail as "outcome unknown" (docs/commands.md). An answer is replied to
only when it stands in the thread of its command.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from runtime.bell import Bell
from runtime.faults import of_one_fact
from runtime.postgres import DATABASE_ERRORS, renew_read_only
from telemetry.commands import delivering
from telemetry.commands.delivering import Taken
from telemetry.commands.kinds import KINDS
from telemetry.commands.steps import CommandFailure, CommandStep
from telemetry.commands.thread import MOST_RAW, Happened, Written
from telemetry.gateway import command_bodies, metrics
from telemetry.gateway.command_bodies import Encoding
from telemetry.gateway.command_steps import StepsToWrite
from telemetry.gateway.connection import Connection
from telemetry.jt808.ids import REPORT_IDS, MessageId
from telemetry.jt808.outstanding import Due, Outstanding, Patience, Waiting
from telemetry.jt808.scalar.header import Header
from telemetry.jt808.scalar.messages import GeneralReply
from telemetry.jt808.scalar.replies import Result
from telemetry.jt808.session import Action, Answered, Confirmed, OfCommand, PackagesWanted, Send
from telemetry.jt808.tables import codec
from telemetry.terminals import presence

logger = logging.getLogger(__name__)

#: How often is looked without being told, and for what is overdue.
_LOOK_S: Final = 1.0
_OVERDUE_S: Final = 0.5
#: Together with one that logs in come others: so long is waited for them.
_GATHER_S: Final = 0.05
#: So many are sent between two turns of the loop, in which positions are received and replied to.
_AT_ONCE: Final = 25
#: What the database is asked takes no longer than this.
_TIMEOUT_S: Final = 10.0
_PAUSE_S: Final = 0.5
#: Nothing is sent for the last so many seconds of the lease: others may take this gateway for gone.
_MARGIN_S: Final = 3.0
_SETTLE_S: Final = 2.0
_MEASURE_S: Final = 10.0
_CLOSE_S: Final = 3.0
#: Result of a general reply -> why the command failed.
_FAILURES: Final[dict[int, CommandFailure]] = {
    Result.FAILED: CommandFailure.REFUSED,
    Result.BAD_MESSAGE: CommandFailure.NOT_UNDERSTOOD,
    Result.UNSUPPORTED: CommandFailure.UNSUPPORTED,
}


@dataclass(slots=True)
class _Here:
    """A terminal that is connected here. ``header``: of its authentication, for the dialect; ``since``: by the loop's clock."""

    connection: Connection
    header: Header
    since: float


class Downlink:
    """See the module. One object a gateway; ``run`` is its task. ``permitted``: kinds that the settings permit."""

    def __init__(
        self, pool: Any, bell: Bell, *, patience: Patience, permitted: Collection[str], encoding: Encoding, host: str,
        attributes: Callable[[int, dict[str, Any]], None] | None = None,
    ) -> None:  # fmt: skip
        """``attributes``: is told what a terminal (its number) answers about itself (0x0107)."""
        self.id = str(uuid.uuid4())
        self._attributes = attributes
        self._pool, self._bell = pool, bell
        self._patience, self._permitted, self._encoding, self._host = (
            patience,
            frozenset(permitted),
            encoding,
            host,
        )
        self._loop = asyncio.get_running_loop()
        self._here: dict[int, _Here] = {}
        self._changed: set[int] = set()  # terminals whose presence the database does not know yet
        self._out: dict[Connection, Outstanding] = {}
        self._kinds: dict[int, tuple[str, int, int]] = {}  # command under way -> kind, attempt, terminal
        self._steps = StepsToWrite(self._written)
        self._taken: deque[Taken] = deque()  # to be sent, at once
        self._wake = asyncio.Event()
        self._lease_until = self._renew_at = self._tend_at = self._settle_at = self._measure_at = 0.0
        self._known = False  # whether the database knows this gateway
        self._trouble = False
        self._clock: Callable[[], float] = self._loop.time
        self._send: Callable[[Connection, bytes], None] = lambda _connection, _data: None
        self._act: Callable[[Connection, Sequence[Action]], None] = lambda _connection, _actions: None

    def attach(
        self,
        send: Callable[[Connection, bytes], None],
        act: Callable[[Connection, Sequence[Action]], None],
        clock: Callable[[], float],
    ) -> None:
        """``send`` writes to a connection, ``act`` does what a session decided, ``clock`` stops while nothing is read: what a terminal
        says meanwhile is in time."""
        self._send, self._act, self._clock = send, act, clock

    # --- what the gateway tells, from its loop turns: in memory only ----------------------------------------------------

    def joined(self, connection: Connection, terminal: int, header: Header) -> None:
        """``terminal`` has logged in on ``connection``."""
        self._here[terminal] = _Here(connection, header, self._loop.time())
        self._changed.add(terminal)
        self._wake.set()

    def left(self, connection: Connection, terminal: int) -> None:
        """``connection`` is no longer that of ``terminal``: what was sent over it and not heard of is lost."""
        here = self._here.get(terminal)
        if here is not None and here.connection is connection:
            del self._here[terminal]
            self._changed.add(terminal)
        out = self._out.pop(connection, None)
        for one in out.waiting if out is not None else ():
            if not one.settling:
                self._note(one, CommandStep.LOST)
        self._wake.set()

    def heard(self, connection: Connection, action: OfCommand) -> list[Action]:
        """A terminal says something about what was sent to it. What is to be done at once; an answer that counts is replied to when it
        stands in the thread of its command."""
        match action:
            case Confirmed(reply):
                self._confirmed(connection, reply)
                return []
            case Answered():
                return self._answered(connection, action)
            case PackagesWanted(_, _, request):
                out = self._out.get(connection)
                frames = b"" if out is None else out.packages(request.first_serial, request.indexes)
                return [Send(frames)] if frames else connection.session.no_such_packages(action)

    def _confirmed(self, connection: Connection, reply: GeneralReply) -> None:
        """A general reply (0x0001): counted once, whatever comes again."""
        out = self._out.get(connection)
        one = None if out is None else out.confirmed(reply, self._clock())
        if out is None or one is None:
            if out is None or not out.knows(reply):
                metrics.COMMAND_ANSWERS_IGNORED.labels("unasked").inc()
            return
        if reply.result:
            out.over(one)
            self._note(one, CommandStep.FAILED, _FAILURES.get(reply.result, CommandFailure.REFUSED))
            return
        if one.answer_id is None:
            out.over(one)
        self._note(one, CommandStep.DELIVERED)

    def _answered(self, connection: Connection, answered: Answered) -> list[Action]:
        session, header = connection.session, answered.header
        serial = command_bodies.serial_of(header.id, answered.body, session.version)
        out = self._out.get(connection)
        one = None if out is None else out.answered(header.id, serial)
        if out is not None and one is not None and one.tag not in self._kinds:  # taken from this gateway
            out.over(one)
            one = None
        if out is None or one is None:
            if header.id not in REPORT_IDS:  # those come unasked as well
                metrics.COMMAND_ANSWERS_IGNORED.labels("unasked").inc()
            return session.unasked(answered) if answered.answer else []
        if one.settling:  # it comes again because it was not replied to yet
            metrics.COMMAND_ANSWERS_IGNORED.labels("again").inc()
            return []
        one.settling = True
        detail = command_bodies.decode(header.id, answered.body, session.version)
        if header.id == MessageId.ATTRIBUTES_REPLY and self._attributes is not None:
            self._attributes(session.terminal_no, detail)

        def stands() -> None:
            out.over(one)
            if not connection.closed:
                self._act(connection, [Send(session.reply(each, Result.OK)) for each in answered.answer])

        self._note(one, CommandStep.ANSWERED, raw=answered.body[:MOST_RAW], detail=detail, then=stands)
        return session.also_kept(answered) if answered.answer else []

    def _note(
        self,
        one: Waiting,
        step: CommandStep,
        failure: CommandFailure | None = None,
        *,
        raw: bytes | None = None,
        detail: dict[str, Any] | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        """A step of what was sent from here, to be written."""
        if one.tag not in self._kinds:
            return
        kind, attempt, _ = self._kinds[one.tag]
        happened = Happened(one.tag, step, self.id, attempt, failure, raw=raw, detail=detail)
        self._steps.add(happened, kind, then)
        self._wake.set()

    def _written(self, step: Happened, done: Written) -> None:
        now = done.standing
        # Where it is not known how it stands it stays ours: ``_settle`` looks.
        if now is not None and (now.ended or (now.gateway, now.attempt) != (self.id, step.attempt)):
            self._kinds.pop(step.no, None)

    # --- the task -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """For ever: whatever fails on the way, the gateway goes on receiving and this goes on trying."""
        while True:
            seen = self._bell.count
            more = False
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    more = await self._turn()
                if self._trouble:
                    logger.info("commands go out again")
                self._trouble = False
            except DATABASE_ERRORS as error:
                await self._failed(error)
            except Exception as error:
                if not of_one_fact(error):
                    raise
                metrics.COMMAND_FAULTS.inc()
                logger.error(
                    "程序故障，请报告 / a fault of the program on commands to terminals", exc_info=error
                )
                await asyncio.sleep(_PAUSE_S)
            if not more:
                await self._rest(seen)

    async def _failed(self, error: BaseException) -> None:
        if not self._trouble:  # said once, not every second
            logger.warning(
                "no commands go out now, the database does not answer: %s", error or type(error).__name__
            )
        self._trouble = True
        self._renew_at = 0.0  # others may have taken us for gone
        with suppress(*DATABASE_ERRORS):
            await renew_read_only(self._pool, error)
        self._repeat_overdue()
        await asyncio.sleep(_PAUSE_S)

    async def _rest(self, seen: int) -> None:
        """Until there is something to write or to take, or it is time to look."""
        woken = asyncio.create_task(self._wake.wait())
        told = asyncio.create_task(self._bell.wait(seen, _LOOK_S))
        limit = _OVERDUE_S if self._out else _LOOK_S
        try:
            await asyncio.wait({woken, told}, return_when=asyncio.FIRST_COMPLETED, timeout=limit)
        finally:
            woken.cancel()
            told.cancel()
        if self._wake.is_set():
            await asyncio.sleep(_GATHER_S)

    async def _turn(self) -> bool:
        """Everything once; whether there is more to take."""
        self._wake.clear()
        self._repeat_overdue()
        await self._begin_taken()
        async with self._pool.acquire() as connection:
            await self._renew(connection)
            await self._write_presence(connection)
            await self._steps.write(connection)
            taken = await self._take(connection)
            await self._begin_taken()
            now = self._loop.time()
            if now >= self._settle_at:
                self._settle_at = now + _SETTLE_S
                await self._settle(connection)
            if now >= self._tend_at:
                self._tend_at = now + delivering.TEND_S
                async with connection.transaction():
                    await delivering.tend(connection)
            if now >= self._measure_at:
                self._measure_at = now + _MEASURE_S
                metrics.COMMANDS_OLDEST.set(await delivering.oldest_waiting_s(connection))
        metrics.COMMANDS_UNDER_WAY.set(len(self._kinds))
        return taken == delivering.MOST_TAKEN

    async def _renew(self, connection: Any) -> None:
        now = self._loop.time()
        if self._known and now < self._renew_at:
            return
        if await presence.renew(connection, self.id, self._host):
            # Others took us for gone, or it is the first time: nothing of ours is known.
            self._changed.update(self._here)
        self._known, self._lease_until, self._renew_at = True, now + presence.LEASE_S, now + presence.RENEW_S

    async def _write_presence(self, connection: Any) -> None:
        if not self._changed:
            return
        changed, now = set(self._changed), self._loop.time()
        here = {no: now - self._here[no].since for no in changed if no in self._here}
        async with connection.transaction():
            await presence.note(connection, self.id, here, changed - here.keys())
        # What changed again meanwhile is written again.
        self._changed -= {
            no for no in changed if (no in self._here) == (no in here) and self._unchanged(no, now)
        }

    def _unchanged(self, terminal: int, since: float) -> bool:
        here = self._here.get(terminal)
        return here is None or here.since <= since

    async def _take(self, connection: Any) -> int:
        """Take commands for terminals here, while it is sure that no other gateway takes this one for gone; how many."""
        if self._loop.time() > self._lease_until - _MARGIN_S or not self._here:
            return 0
        async with connection.transaction():
            taken = await delivering.take(connection, self.id, self._permitted)
        # Committed: from here to the first byte nothing may be forgotten, whatever ends this turn.
        self._taken.extend(taken)
        for one in taken:
            self._kinds[one.no] = (one.kind, one.attempt, one.terminal)
            metrics.COMMANDS.labels(one.kind, CommandStep.SENT).inc()
        return len(taken)

    async def _begin_taken(self) -> None:
        while self._taken:
            for _ in range(min(len(self._taken), _AT_ONCE)):
                self._begin(self._taken.popleft())
            await asyncio.sleep(0)  # positions come between

    async def _settle(self, connection: Any) -> None:
        """What the database says we have under way and we know nothing of was never sent: the answer to our claim was lost. And
        what we sent to terminals that are with another gateway by now will not be heard of here."""
        known = await delivering.under_way(connection, self.id)
        waiting = self._steps.commands() | {one.tag for out in self._out.values() for one in out.waiting}
        unheard = {no: at for no, at in known.items() if no not in waiting}
        for no, attempt in unheard.items():
            kind, ours, _ = self._kinds.get(no, ("unknown", 0, 0))
            step = CommandStep.LOST if ours == attempt else CommandStep.RELEASED
            self._steps.add(Happened(no, step, self.id, attempt), kind)
        terminals = {terminal for _, _, terminal in self._kinds.values()}
        for terminal in await presence.held_elsewhere(connection, self.id, terminals) if terminals else ():
            here = self._here.get(terminal)
            out = None if here is None else self._out.pop(here.connection, None)
            for one in out.waiting if out is not None else ():
                if not one.settling:
                    self._note(one, CommandStep.LOST)

    # --- out ----------------------------------------------------------------------------------------------------------

    def _begin(self, taken: Taken) -> None:
        """Send a command that was taken."""
        here, now = self._here.get(taken.terminal), self._loop.time()
        kind = KINDS[taken.kind]
        happened = Happened(taken.no, CommandStep.RELEASED, self.id, taken.attempt)
        if here is None or here.connection.closed or now > self._lease_until:
            self._steps.add(happened, taken.kind)
            self._wake.set()
            return
        session = here.connection.session
        try:
            message_id, body = command_bodies.encode(
                taken.kind, taken.fields, session.version, self._encoding
            )
        except Exception as error:
            if not of_one_fact(error):
                raise
            logger.error(
                "command %d (%s) cannot be encoded for its terminal: %s", taken.no, taken.kind, error
            )
            failed = Happened(
                taken.no, CommandStep.FAILED, self.id, taken.attempt, CommandFailure.CANNOT_ENCODE
            )
            self._steps.add(failed, taken.kind)
            self._wake.set()
            return
        serials, frames = _frames(here, message_id, body)
        out = self._out.setdefault(here.connection, Outstanding(self._patience))
        out.sent(
            taken.no, message_id, serials, frames, answer_id=command_bodies.ANSWERS.get(taken.kind),
            repeatable=kind.repeatable, now=self._clock(), until=self._clock() + taken.left_s,
        )  # fmt: skip
        self._send(here.connection, b"".join(frames))

    def _repeat_overdue(self) -> None:
        now = self._clock()
        for connection, out in list(self._out.items()):
            if not out.waiting:
                del self._out[connection]
                continue
            for one, what in out.due(now):
                if what is Due.AGAIN:
                    self._note(one, CommandStep.RESENT)
                    self._send(connection, b"".join(one.frames))
                    continue
                out.over(one)
                unknown = not one.repeatable
                failure = CommandFailure.NO_REPLY if what is Due.NO_REPLY else CommandFailure.NO_ANSWER
                self._note(one, CommandStep.FAILED, CommandFailure.OUTCOME_UNKNOWN if unknown else failure)

    async def close(self) -> None:
        """The gateway ends, its connections are closed: write what was heard, and that nothing is held here any more."""
        for one in self._taken:
            self._steps.add(Happened(one.no, CommandStep.RELEASED, self.id, one.attempt), one.kind)
        with suppress(*DATABASE_ERRORS):
            async with asyncio.timeout(_CLOSE_S), self._pool.acquire() as connection:
                await self._steps.write(connection)
                await presence.leave(connection, self.id)


def _frames(here: _Here, message_id: int, body: bytes) -> tuple[list[int], Sequence[bytes]]:
    """Serial numbers, taken now, and frames of a message in the dialect of its terminal."""
    header, next_serial = here.header, here.connection.session.next_serial
    first = next_serial()
    frames = codec.frames(
        header.phone, header.version, message_id, body, first, version_flag=header.version_flag,
        protocol_version=header.protocol_version,
    )  # fmt: skip
    return [first, *(next_serial() for _ in frames[1:])], frames
