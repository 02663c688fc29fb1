"""Message ids of JT/T 808 that this program reads or sends: the one list of them.

The clause is that of the 2019 edition unless a year is given. Who needs an id names it from here; what is not listed is
answered "unsupported" (``session``) and counted as "other" (gateway metrics).
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final


class Direction(Enum):
    """Who sends a message."""

    UP = "terminal to platform"
    DOWN = "platform to terminal"


class MessageId(IntEnum):
    """An id as it stands in a header (4.4.3), with who sends it and the clause that describes its body."""

    direction: Direction
    clause: str

    def __new__(cls, value: int, direction: Direction, clause: str) -> MessageId:
        made = int.__new__(cls, value)
        made._value_ = value
        made.direction, made.clause = direction, clause
        return made

    TERMINAL_GENERAL_REPLY = 0x0001, Direction.UP, "8.1"
    HEARTBEAT = 0x0002, Direction.UP, "8.3"  # no body
    LOGOUT = 0x0003, Direction.UP, "8.10"  # no body
    TIME_QUERY = 0x0004, Direction.UP, "8.4"  # no body; not before 2019
    TERMINAL_RETRANSMIT_REQUEST = 0x0005, Direction.UP, "8.7"  # not before 2019
    REGISTER = 0x0100, Direction.UP, "8.8"
    AUTHENTICATE = 0x0102, Direction.UP, "8.11"
    LOCATION = 0x0200, Direction.UP, "8.12"
    LOCATION_QUERY_REPLY = 0x0201, Direction.UP, "2013 8.20"
    LOCATION_BATCH = 0x0704, Direction.UP, "2013 8.49"
    PLATFORM_GENERAL_REPLY = 0x8001, Direction.DOWN, "8.2"
    PLATFORM_RETRANSMIT_REQUEST = 0x8003, Direction.DOWN, "8.6"
    TIME_REPLY = 0x8004, Direction.DOWN, "8.5"  # not before 2019
    REGISTRATION_REPLY = 0x8100, Direction.DOWN, "8.9"


#: Ids of the messages whose content is positions.
POSITION_IDS: Final = frozenset(
    {MessageId.LOCATION, MessageId.LOCATION_BATCH, MessageId.LOCATION_QUERY_REPLY}
)
#: Ids of what a terminal may send, by number.
UP: Final = {int(each): each for each in MessageId if each.direction is Direction.UP}


def label(message_id: int) -> str:
    """Name of an id in metrics: four hex digits where a terminal may send it and we know it, else "other"."""
    return f"{message_id:04x}" if message_id in UP else "other"
