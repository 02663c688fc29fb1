"""What simulated terminals say without being asked, where that is wanted: who drives, what they are, a picture now and then."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.arrays import Ints
from simulation.terminal import control, media, recorder
from simulation.terminal.client import Terminal
from simulation.terminal.device import Card
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Version

#: A stop of less than this is part of the trip, seconds.
_STOP_S = 600
#: Kind of 0x0900 that is this maker's own: a word of its diagnosis.
_OWN_KIND = 0xF1


@dataclass(frozen=True, slots=True)
class Habits:
    """``messages``: attributes after the first login, the driver's card in and out (0x0702), a word of the maker (0x0900), several
    positions in one message (0x0704); ``media``: a picture at the beginning of a trip (0x0801)."""

    messages: bool = False
    media: bool = False


NO_HABITS = Habits()


def card_of(name: str, number: int) -> Card:
    """The card of an invented driver; ``number`` tells drivers apart."""
    return Card(name, f"3206000{number:011d}", f"320600198001{number % 10**6:06d}")


def trips(time_s: Ints, moving: Ints) -> list[tuple[int, int]]:
    """From the first report that moves to the last before a stop of ten minutes: (from, to), seconds. ``moving``, shape (n,): whether it
    moves, at ``time_s``, ascending."""
    found: list[tuple[int, int]] = []
    for at in time_s[moving.astype(bool)].tolist():
        if found and at - found[-1][1] <= _STOP_S:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def introduced(terminal: Terminal) -> None:
    """What it is, after its first login (0x0107; 2011 has no such message)."""
    if terminal.version is not Version.V2011:
        terminal.say(MessageId.ATTRIBUTES_REPLY, control.attributes(terminal.device))


def departs(terminal: Terminal, card: Card, time: str, habits: Habits, position: bytes | None = None) -> None:
    """The driver puts the card in at ``time`` (YYMMDDhhmmss); a camera looks at the road, at ``position`` (a 0x0200 body; None = the
    newest)."""
    terminal.device.card = card
    if habits.messages:
        terminal.say(MessageId.DRIVER_IDENTITY, recorder.identity(terminal.device, time))
    if habits.media:
        file = media.take_picture(
            terminal.device, media.ROAD, media.BY_TIME, position or terminal.duties.newest
        )
        for said in media.sent(terminal.device, file):
            terminal.say(said.message_id, said.body)


def arrives(terminal: Terminal, time: str, habits: Habits) -> None:
    """The card comes out; the device says that it is well. (2011 has no message for a card that comes out.)"""
    terminal.device.card = None
    if habits.messages:
        if terminal.version is not Version.V2011:
            terminal.say(MessageId.DRIVER_IDENTITY, recorder.identity(terminal.device, time))
        well = control.passed_up(terminal.device, _OWN_KIND, b"SELFTEST OK")
        terminal.say(MessageId.PASSTHROUGH_UP, well)
