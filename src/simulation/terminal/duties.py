"""What a simulated terminal does besides delivering the positions of its owner: it obeys the platform, and says things of its own."""

from __future__ import annotations

from collections.abc import Callable

from runtime.units import US_PER_S
from simulation.terminal.answers import answers
from simulation.terminal.device import Device, Effect, Restart, Say, Track
from simulation.terminal.outbox import Outbox
from simulation.terminal.statistics import FleetStats
from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar import messages as m
from telemetry.jt808.scalar.header import Header
from telemetry.jt808.scalar.report import decode_time, encode_time

#: What the platform sends to answer us: a terminal answers nothing to it.
_SILENT = frozenset({MessageId.PLATFORM_GENERAL_REPLY, MessageId.REGISTRATION_REPLY, MessageId.TIME_REPLY})
#: Where the time stands in a 0x0200 body.
_TIME = slice(22, 28)


class Duties:
    """``newest``: the 0x0200 body that the terminal got last. ``send`` sends an answer, ``restart`` hangs up and comes back after so many
    seconds; ``clock``: the time of the device, seconds since 1970 UTC, None = what its newest position says, and what has passed
    since. ``now`` is the loop's clock."""

    __slots__ = ("_clock", "_newest_at", "_restart", "_send", "_stats", "device", "newest", "outbox")

    def __init__(
        self,
        device: Device,
        outbox: Outbox,
        stats: FleetStats,
        *,
        send: Callable[[int, bytes], object],
        restart: Callable[[float], None],
        clock: Callable[[], float] | None,
    ) -> None:
        self.device, self.outbox, self._stats = device, outbox, stats
        self._send, self._restart, self._clock = send, restart, clock
        self.newest: bytes | None = None
        self._newest_at = 0.0

    def at(self, position: bytes, now: float) -> None:
        """The vehicle is there."""
        self.newest, self._newest_at = position, now

    def obey(self, header: Header, body: bytes, now: float) -> None:
        """A message of the platform that is no reply to a position, a registration or an authentication."""
        if header.id == MessageId.PLATFORM_RETRANSMIT_REQUEST:
            request = m.decode_retransmit_request(body, self.device.version)
            if isinstance(request, Rejection):
                self._stats.bad_frames += 1
            else:
                self.outbox.again(request.first_serial, request.indexes)
        elif header.id not in _SILENT:
            self._stats.answered[header.id] += 1
            for answer_id, answer in answers(self.device, header, body, self.newest):
                self._send(answer_id, answer)
            effects, self.device.effects = self.device.effects, []
            for effect in effects:
                self._do(effect, now)

    def tick(self, now: float) -> None:
        """To be called when ``outbox.due`` has come."""
        if self.outbox.tick(now):
            self._report(now)

    def _do(self, effect: Effect, now: float) -> None:
        match effect:
            case Say():
                self.outbox.say_later(effect, now)
            case Track():
                self.outbox.track(effect, now)
            case Restart():
                self._restart(effect.after_s)
            case _:
                self.outbox.of_file(effect)

    def _report(self, now: float) -> None:
        """A position that was asked for beside those of the owner: where the vehicle was last, at the time that it is."""
        if self.newest is None:
            return
        newest_us = decode_time(self.newest[_TIME])
        passed_us = round((now - self._newest_at) * US_PER_S)
        time_us = round(self._clock() * US_PER_S) if self._clock else newest_us + passed_us
        if newest_us and time_us >= newest_us + US_PER_S:
            body = self.newest[: _TIME.start] + encode_time(time_us) + self.newest[_TIME.stop :]
            self.outbox.say(MessageId.LOCATION, self.device.marked(body), now)
