"""Commands as messages of JT/T 808, and what terminals answer as fields that people read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.scalar.report import decode_query_reply
from telemetry.jt808.tables import codec

#: Kind -> the message that answers it.
ANSWERS: Final[dict[str, MessageId]] = {
    "location": MessageId.LOCATION_QUERY_REPLY,
    "query_parameters": MessageId.PARAMETERS_REPLY,
    "query_attributes": MessageId.ATTRIBUTES_REPLY,
    "lock": MessageId.VEHICLE_CONTROL_REPLY,
    "photo": MessageId.SHOOT_REPLY,
    "query_driver": MessageId.DRIVER_IDENTITY,
    "recorder": MessageId.RECORDER_DATA,
}
#: Bits of the flag of a text: 2013 table 38; 2019 has two bits for what it is (2 urgent, 3 notice).
_URGENT, _DISPLAY, _SPEAK = 1, 1 << 2, 1 << 3
_URGENT_2019, _NOTICE_2019 = 2, 3
#: Kind of a text (2019): 1 = notice.
_NOTICE: Final = 1
_RESET: Final = 4
#: 640 x 480 (0x8801).
_RESOLUTION: Final = 2
#: Shape of an area -> the messages that set and delete it.
_AREAS: Final = {
    "circle": (MessageId.SET_CIRCLES, MessageId.DELETE_CIRCLES),
    "rectangle": (MessageId.SET_RECTANGLES, MessageId.DELETE_RECTANGLES),
    "polygon": (MessageId.SET_POLYGON, MessageId.DELETE_POLYGONS),
}
#: Attributes of an area: entering and leaving are told to the platform (bits 3, 5). The driver is told by reminders: his
#: terminal knows of no orders.
_TELLS_PLATFORM: Final = 1 << 3 | 1 << 5
#: Kind of setting of circles and rectangles: 0 would replace all that others have set.
_ADD, _CHANGE = 1, 2
#: Bits of the status of a position.
_POSITIONED, _LOCKED = 1 << 1, 1 << 12
#: Parameters that are passwords of the radio network: what they are is shown to nobody.
_PASSWORDS: Final = frozenset({0x12, 0x16})
_MOST_SHOWN: Final = 500
_MOST_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Encoding:
    """What the standard leaves open. ``cut_words``: command words of 0x8105 that the terminals take for cutting fuel and power and
    for restoring them; None = not known."""

    cut_words: tuple[int, int] | None = None


_Message = tuple[MessageId, dict[str, Any]]


def _text(fields: Mapping[str, Any], version: Version, _: Encoding) -> _Message:
    shown = _DISPLAY * bool(fields["display"]) | _SPEAK * bool(fields["speak"])
    if version is Version.V2019:
        kind = _URGENT_2019 if fields["urgent"] else _NOTICE_2019
        return MessageId.TEXT, {"flag": kind | shown, "kind": _NOTICE, "text": fields["text"]}
    return MessageId.TEXT, {"flag": _URGENT * bool(fields["urgent"]) | shown, "text": fields["text"]}


def _tracking(fields: Mapping[str, Any], _version: Version, _: Encoding) -> _Message:
    interval = fields["interval_s"]
    return MessageId.TRACKING, {"interval": interval} | ({"validity": fields["for_s"]} if interval else {})


def _query_parameters(fields: Mapping[str, Any], _version: Version, _: Encoding) -> _Message:
    if fields["ids"]:
        return MessageId.QUERY_SOME_PARAMETERS, {"ids": [int(each, 16) for each in fields["ids"]]}
    return MessageId.QUERY_PARAMETERS, {}


def _set_parameters(fields: Mapping[str, Any], _version: Version, _: Encoding) -> _Message:
    given = [{"id": int(each["id"], 16), "value": each["value"]} for each in fields["parameters"]]
    return MessageId.SET_PARAMETERS, {"parameters": given}


def _lock(fields: Mapping[str, Any], version: Version, _: Encoding) -> _Message:
    locked = bool(fields["locked"])
    if version is Version.V2019:
        return MessageId.VEHICLE_CONTROL, {"controls": [{"id": 1, "value": int(not locked)}]}
    return MessageId.VEHICLE_CONTROL, {"flag": int(locked)}


def _cut(fields: Mapping[str, Any], _version: Version, encoding: Encoding) -> _Message:
    if encoding.cut_words is None:
        raise ValueError("the settings do not say how terminals are told to cut")
    return MessageId.TERMINAL_CONTROL, {"command": encoding.cut_words[0 if fields["cut"] else 1]}


def _photo(fields: Mapping[str, Any], _version: Version, _: Encoding) -> _Message:
    """One picture, sent at once."""
    return MessageId.SHOOT, {
        "channel": fields["channel"], "command": 1, "interval": 0, "save": 0, "resolution": _RESOLUTION, "quality": 1, "brightness": 128,
        "contrast": 64, "saturation": 64, "chroma": 128,
    }  # fmt: skip


def _recorder(fields: Mapping[str, Any], version: Version, _: Encoding) -> _Message:
    """A question without a time: its data block is empty."""
    asked = {"command": int(fields["data"], 16)}
    return MessageId.RECORDER_QUERY, asked if version is Version.V2011 else asked | {"data": b""}


def _areas(fields: Mapping[str, Any], version: Version, _: Encoding) -> _Message:
    """One area set, or one deleted, by its shape."""
    setting, deleting = _AREAS[fields["shape"]]
    if fields["action"] == "delete":
        return deleting, {"ids": [fields["id"]]}
    area = {"id": fields["id"], "attributes": _TELLS_PLATFORM, **fields["place"]}
    if version is Version.V2019:
        area["name"] = fields["name"]
    if fields["shape"] == "polygon":
        return setting, area
    return setting, {"setting": _CHANGE if fields["there"] else _ADD, "areas": [area]}


_ENCODERS: Final[dict[str, Callable[[Mapping[str, Any], Version, Encoding], _Message]]] = {
    "text": _text,
    "location": lambda *_: (MessageId.LOCATION_QUERY, {}),
    "tracking": _tracking,
    "query_parameters": _query_parameters,
    "query_attributes": lambda *_: (MessageId.QUERY_ATTRIBUTES, {}),
    "set_parameters": _set_parameters,
    "photo": _photo,
    "query_driver": lambda *_: (MessageId.QUERY_DRIVER_IDENTITY, {}),
    "recorder": _recorder,
    "areas": _areas,
    "reset": lambda *_: (MessageId.TERMINAL_CONTROL, {"command": _RESET}),
    "lock": _lock,
    "cut": _cut,
}


def encode(
    kind: str, fields: Mapping[str, Any], version: Version, encoding: Encoding
) -> tuple[MessageId, bytes]:
    """The message for a command of ``kind``, in the edition that its terminal speaks. Raises ValueError (``tables.grammar.FieldError``
    among them) for what that edition does not have."""
    message_id, values = _ENCODERS[kind](fields, version, encoding)
    return message_id, codec.encode(message_id, version, values)


def serial_of(message_id: int, body: bytes, version: Version) -> int | None:
    """The serial number of the question that an answer names; None: it names none."""
    if message_id in (MessageId.ATTRIBUTES_REPLY, MessageId.DRIVER_IDENTITY):
        return None
    if message_id == MessageId.RECORDER_DATA and version is Version.V2011:
        return None
    if message_id == MessageId.LOCATION_QUERY_REPLY:
        reply = decode_query_reply(body, version)
        return None if isinstance(reply, Rejection) else reply[0]
    return int.from_bytes(body[:2], "big") if len(body) >= 2 else None


def decode(message_id: int, body: bytes, version: Version) -> dict[str, Any]:
    """What an answer says, as JSON. No coordinates: where the vehicle is stands in its track, for who may read that."""
    read = codec.decode_likely(message_id, version, body)
    if isinstance(read, Rejection):
        return {"unreadable": read.detail}
    fields = read.fields
    match message_id:
        case MessageId.PARAMETERS_REPLY:
            rows = fields["parameters"]
            listed: list[Any] = rows[:_MOST_SHOWN] if isinstance(rows, list) else []
            return {"parameters": [_parameter(row) for row in listed]}
        case MessageId.ATTRIBUTES_REPLY:
            return {name: _plain(value) for name, value in fields.items()}
        case MessageId.DRIVER_IDENTITY:  # who it is stands in the list of cards, for who may read that
            return {"status": _plain(fields.get("status")), "read": _plain(fields.get("read"))}
        case MessageId.SHOOT_REPLY:
            return {"result": _plain(fields.get("result")), "media_ids": _plain(fields.get("media_ids", []))}
        case MessageId.RECORDER_DATA:
            data = fields.get("data")
            return {
                "command": _plain(fields.get("command")),
                "bytes": len(data) if isinstance(data, bytes) else 0,
            }
        case MessageId.VEHICLE_CONTROL_REPLY:
            return {"locked": bool(_number(fields.get("status")) & _LOCKED)}
        case _:
            return {
                "device_time": _plain(fields.get("time")),
                "positioned": bool(_number(fields.get("status")) & _POSITIONED),
            }


def _parameter(row: Mapping[str, Any]) -> dict[str, Any]:
    number = _number(row.get("id"))
    value = "******" if number in _PASSWORDS else _plain(row.get("value"))
    return {"id": f"0x{number:04X}", "value": value}


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _plain(value: object) -> Any:
    """A value of a terminal as JSON and the database take it: no NUL, no half characters, not endless."""
    if isinstance(value, bytes):
        return value[:_MOST_CHARS].hex()
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()[:_MOST_CHARS]
    if isinstance(value, list):
        return [_plain(each) for each in value[:_MOST_SHOWN]]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return value
