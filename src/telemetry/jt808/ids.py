"""Message ids of JT/T 808, of all three editions: the one list of them.

With each stand the clauses that describe its body in 2011, 2013 and 2019, "" where an edition does not have it. Who needs an id
names it from here. What of them a server handles is said there (``session``): what it does not, it answers "unsupported". Metrics
count an id that is not in this list as "other".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Final

from telemetry.jt808.scalar.header import Version


class Direction(Enum):
    """Who sends a message."""

    UP = "terminal to platform"
    DOWN = "platform to terminal"


class MessageId(IntEnum):
    """An id as it stands in a header (4.4.3), with who sends it and the clauses that describe its body."""

    direction: Direction
    clauses: Mapping[Version, str]

    def __new__(cls, value: int, direction: Direction, *clauses: str) -> MessageId:
        made = int.__new__(cls, value)
        made._value_ = value
        made.direction = direction
        made.clauses = MappingProxyType(dict(zip(Version, clauses, strict=True)))
        return made

    TERMINAL_GENERAL_REPLY = 0x0001, Direction.UP, "8.1", "8.1", "8.1"
    HEARTBEAT = 0x0002, Direction.UP, "8.3", "8.3", "8.3"
    LOGOUT = 0x0003, Direction.UP, "8.6", "8.7", "8.10"
    TIME_QUERY = 0x0004, Direction.UP, "", "", "8.4"
    TERMINAL_RETRANSMIT_REQUEST = 0x0005, Direction.UP, "", "", "8.7"
    REGISTER = 0x0100, Direction.UP, "8.4", "8.5", "8.8"
    AUTHENTICATE = 0x0102, Direction.UP, "8.7", "8.8", "8.11"
    PARAMETERS_REPLY = 0x0104, Direction.UP, "8.10", "8.12", "8.15"
    ATTRIBUTES_REPLY = 0x0107, Direction.UP, "", "8.15", "8.18"
    UPGRADE_RESULT = 0x0108, Direction.UP, "", "8.17", "8.20"
    LOCATION = 0x0200, Direction.UP, "8.12", "8.18", "8.21"
    LOCATION_QUERY_REPLY = 0x0201, Direction.UP, "8.14", "8.20", "8.23"
    EVENT_REPORT = 0x0301, Direction.UP, "8.18", "8.25", ""
    QUESTION_REPLY = 0x0302, Direction.UP, "8.20", "8.27", ""
    INFORMATION_REQUEST = 0x0303, Direction.UP, "8.22", "8.29", ""
    VEHICLE_CONTROL_REPLY = 0x0500, Direction.UP, "8.27", "8.34", "8.31"
    AREAS_REPLY = 0x0608, Direction.UP, "", "", "8.41"
    RECORDER_DATA = 0x0700, Direction.UP, "8.37", "8.44", "8.43"
    WAYBILL = 0x0701, Direction.UP, "8.39", "8.46", "8.45"
    DRIVER_IDENTITY = 0x0702, Direction.UP, "8.40", "8.48", "8.47"
    LOCATION_BATCH = 0x0704, Direction.UP, "", "8.49", "8.48"
    CAN_DATA = 0x0705, Direction.UP, "", "8.50", "8.49"
    MEDIA_EVENT = 0x0800, Direction.UP, "8.41", "8.51", "8.50"
    MEDIA_DATA = 0x0801, Direction.UP, "8.42", "8.52", "8.51"
    MEDIA_SEARCH_REPLY = 0x0802, Direction.UP, "8.46", "8.57", "8.56"
    SHOOT_REPLY = 0x0805, Direction.UP, "", "8.55", "8.54"
    PASSTHROUGH_UP = 0x0900, Direction.UP, "8.50", "8.62", "8.61"
    COMPRESSED = 0x0901, Direction.UP, "8.51", "8.63", "8.62"
    TERMINAL_RSA_KEY = 0x0A00, Direction.UP, "8.53", "8.65", "8.64"
    PLATFORM_GENERAL_REPLY = 0x8001, Direction.DOWN, "8.2", "8.2", "8.2"
    PLATFORM_RETRANSMIT_REQUEST = 0x8003, Direction.DOWN, "", "8.4", "8.6"
    TIME_REPLY = 0x8004, Direction.DOWN, "", "", "8.5"
    REGISTRATION_REPLY = 0x8100, Direction.DOWN, "8.5", "8.6", "8.9"
    SET_PARAMETERS = 0x8103, Direction.DOWN, "8.8", "8.9", "8.12"
    QUERY_PARAMETERS = 0x8104, Direction.DOWN, "8.9", "8.10", "8.13"
    TERMINAL_CONTROL = 0x8105, Direction.DOWN, "8.11", "8.13", "8.16"
    QUERY_SOME_PARAMETERS = 0x8106, Direction.DOWN, "", "8.11", "8.14"
    QUERY_ATTRIBUTES = 0x8107, Direction.DOWN, "", "8.14", "8.17"
    UPGRADE = 0x8108, Direction.DOWN, "", "8.16", "8.19"
    LOCATION_QUERY = 0x8201, Direction.DOWN, "8.13", "8.19", "8.22"
    TRACKING = 0x8202, Direction.DOWN, "8.15", "8.21", "8.24"
    CONFIRM_ALARM = 0x8203, Direction.DOWN, "", "8.22", "8.25"
    LINK_TEST = 0x8204, Direction.DOWN, "", "", "8.26"
    TEXT = 0x8300, Direction.DOWN, "8.16", "8.23", "8.27"
    SET_EVENTS = 0x8301, Direction.DOWN, "8.17", "8.24", ""
    QUESTION = 0x8302, Direction.DOWN, "8.19", "8.26", ""
    SET_INFORMATION_MENU = 0x8303, Direction.DOWN, "8.21", "8.28", ""
    INFORMATION = 0x8304, Direction.DOWN, "8.23", "8.30", ""
    CALL_BACK = 0x8400, Direction.DOWN, "8.24", "8.31", "8.28"
    SET_PHONE_BOOK = 0x8401, Direction.DOWN, "8.25", "8.32", "8.29"
    VEHICLE_CONTROL = 0x8500, Direction.DOWN, "8.26", "8.33", "8.30"
    SET_CIRCLES = 0x8600, Direction.DOWN, "8.28", "8.35", "8.32"
    DELETE_CIRCLES = 0x8601, Direction.DOWN, "8.29", "8.36", "8.33"
    SET_RECTANGLES = 0x8602, Direction.DOWN, "8.30", "8.37", "8.34"
    DELETE_RECTANGLES = 0x8603, Direction.DOWN, "8.31", "8.38", "8.35"
    SET_POLYGON = 0x8604, Direction.DOWN, "8.32", "8.39", "8.36"
    DELETE_POLYGONS = 0x8605, Direction.DOWN, "8.33", "8.40", "8.37"
    SET_ROUTE = 0x8606, Direction.DOWN, "8.34", "8.41", "8.38"
    DELETE_ROUTES = 0x8607, Direction.DOWN, "8.35", "8.42", "8.39"
    QUERY_AREAS = 0x8608, Direction.DOWN, "", "", "8.40"
    RECORDER_QUERY = 0x8700, Direction.DOWN, "8.36", "8.43", "8.42"
    RECORDER_SET = 0x8701, Direction.DOWN, "8.38", "8.45", "8.44"
    QUERY_DRIVER_IDENTITY = 0x8702, Direction.DOWN, "", "8.47", "8.46"
    MEDIA_REPLY = 0x8800, Direction.DOWN, "8.43", "8.53", "8.52"
    SHOOT = 0x8801, Direction.DOWN, "8.44", "8.54", "8.53"
    MEDIA_SEARCH = 0x8802, Direction.DOWN, "8.45", "8.56", "8.55"
    MEDIA_UPLOAD = 0x8803, Direction.DOWN, "8.47", "8.58", "8.57"
    RECORD_SOUND = 0x8804, Direction.DOWN, "8.48", "8.59", "8.58"
    MEDIA_UPLOAD_ONE = 0x8805, Direction.DOWN, "", "8.60", "8.59"
    PASSTHROUGH_DOWN = 0x8900, Direction.DOWN, "8.49", "8.61", "8.60"
    PLATFORM_RSA_KEY = 0x8A00, Direction.DOWN, "8.52", "8.64", "8.63"


#: Ids of the messages whose content is positions.
POSITION_IDS: Final = frozenset(
    {MessageId.LOCATION, MessageId.LOCATION_BATCH, MessageId.LOCATION_QUERY_REPLY}
)
#: Ids of what terminals report that is no position: kept as it comes, in a topic of its own (``telemetry.reports``).
REPORT_IDS: Final = frozenset(
    {
        MessageId.ATTRIBUTES_REPLY, MessageId.UPGRADE_RESULT, MessageId.EVENT_REPORT, MessageId.QUESTION_REPLY,
        MessageId.INFORMATION_REQUEST, MessageId.AREAS_REPLY, MessageId.RECORDER_DATA, MessageId.WAYBILL, MessageId.DRIVER_IDENTITY,
        MessageId.MEDIA_EVENT, MessageId.MEDIA_DATA, MessageId.MEDIA_SEARCH_REPLY, MessageId.SHOOT_REPLY, MessageId.PASSTHROUGH_UP,
        MessageId.COMPRESSED, MessageId.TERMINAL_RSA_KEY,
    }
)  # fmt: skip
#: Ids of what a terminal may send, by number.
UP: Final = {int(each): each for each in MessageId if each.direction is Direction.UP}


def label(message_id: int) -> str:
    """Name of an id in metrics: four hex digits where a terminal may send it and we know it, else "other"."""
    return f"{message_id:04x}" if message_id in UP else "other"
