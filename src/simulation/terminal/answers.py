"""What a simulated terminal answers to commands: as a device that can do what it is asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar import messages as m
from telemetry.jt808.scalar.header import Header, Version
from telemetry.jt808.scalar.report import encode_query_reply
from telemetry.jt808.tables import codec

_OK, _BAD, _UNSUPPORTED = 0, 2, 3
#: Parameters that every simulated terminal has: heartbeat, replies, positions, highest speed.
PARAMETERS: Final[Mapping[int, int]] = {0x0001: 60, 0x0002: 10, 0x0003: 3, 0x0020: 0, 0x0029: 10, 0x0055: 100}
#: Messages that are confirmed and nothing else.
_CONFIRMED: Final = frozenset(
    {
        MessageId.TEXT, MessageId.TRACKING, MessageId.TERMINAL_CONTROL, MessageId.SET_CIRCLES, MessageId.DELETE_CIRCLES,
        MessageId.SET_RECTANGLES, MessageId.DELETE_RECTANGLES, MessageId.SET_POLYGON, MessageId.DELETE_POLYGONS,
    }
)  # fmt: skip
_LOCKED: Final = 1 << 12

Answer = tuple[int, bytes]


@dataclass(slots=True)
class Device:
    """The state of a device that commands change. ``parameters``: by id; ``locked``: its doors; ``texts``: how many were shown."""

    version: Version
    device_id: str
    parameters: dict[int, object]
    locked: bool = False
    texts: int = 0
    _parts: bytes = b""

    def whole(self, header: Header, body: bytes) -> bytes | None:
        """The body of a message that came in packages, with its last one; None before that. They come in order over TCP."""
        if header.total <= 1:
            return body
        self._parts = body if header.index == 1 else self._parts + body
        return self._parts if header.index == header.total else None


def new_device(version: Version, device_id: str) -> Device:
    """As it comes from its maker."""
    return Device(version, device_id, dict(PARAMETERS))


def answers(device: Device, header: Header, part: bytes, position: bytes | None) -> list[Answer]:
    """What the device sends when it receives a message, or a package of one: (id, body) each. ``position``: its newest 0x0200 body."""
    message_id, serial, body = header.id, header.serial, device.whole(header, part)
    if body is None:
        return [_reply(serial, message_id, _OK)]
    read = codec.decode(message_id, device.version, body)
    if isinstance(read, Rejection):
        return [_reply(serial, message_id, _BAD if message_id in _ALL else _UNSUPPORTED)]
    fields = read.fields
    match message_id:
        case MessageId.LOCATION_QUERY:
            if position is None:
                return [_reply(serial, message_id, 1)]
            own = None if device.version is Version.V2011 else serial
            return [(MessageId.LOCATION_QUERY_REPLY, encode_query_reply(own, position))]
        case MessageId.QUERY_PARAMETERS:
            return [_parameters(device, serial, list(device.parameters))]
        case MessageId.QUERY_SOME_PARAMETERS:
            wanted = fields["ids"]
            return [_parameters(device, serial, [each for each in wanted if each in device.parameters])]  # type: ignore[union-attr]  # the table says that it is a list of numbers
        case MessageId.SET_PARAMETERS:
            for row in fields["parameters"]:  # type: ignore[union-attr]  # a list of rows
                device.parameters[row["id"]] = row["value"]  # type: ignore[index]
            return [_reply(serial, message_id, _OK)]
        case MessageId.QUERY_ATTRIBUTES:
            return [(MessageId.ATTRIBUTES_REPLY, _attributes(device))]
        case MessageId.VEHICLE_CONTROL:
            return _controlled(device, serial, fields, position)
        case MessageId.TEXT:
            device.texts += 1
    return [_reply(serial, message_id, _OK if message_id in _CONFIRMED else _UNSUPPORTED)]


_ALL: Final = _CONFIRMED | {
    MessageId.LOCATION_QUERY, MessageId.QUERY_PARAMETERS, MessageId.QUERY_SOME_PARAMETERS, MessageId.SET_PARAMETERS,
    MessageId.QUERY_ATTRIBUTES, MessageId.VEHICLE_CONTROL,
}  # fmt: skip


def _reply(serial: int, message_id: int, result: int) -> Answer:
    return MessageId.TERMINAL_GENERAL_REPLY, m.encode_general_reply(
        m.GeneralReply(serial, message_id, result)
    )


def _parameters(device: Device, serial: int, ids: list[int]) -> Answer:
    listed = [{"id": each, "value": device.parameters[each]} for each in ids]
    body = codec.encode(MessageId.PARAMETERS_REPLY, device.version, {"serial": serial, "parameters": listed})
    return MessageId.PARAMETERS_REPLY, body


def _attributes(device: Device) -> bytes:
    told = {
        "kind": 0, "manufacturer": "GONGC", "model": "SIMULATOR", "device_id": device.device_id, "iccid": "8" * 20, "hardware": "1",
        "firmware": "1", "gnss": 3, "radio": 32,
    }  # fmt: skip
    return codec.encode(MessageId.ATTRIBUTES_REPLY, device.version, told)


def _controlled(
    device: Device, serial: int, fields: Mapping[str, object], position: bytes | None
) -> list[Answer]:
    controls = fields.get("controls")
    if isinstance(controls, list):
        device.locked = any(row["id"] == 1 and row["value"] == 0 for row in controls)
    else:
        device.locked = bool(int(str(fields["flag"])) & 1)
    if position is None:
        return [_reply(serial, MessageId.VEHICLE_CONTROL, 1)]
    status = int.from_bytes(position[4:8], "big") & ~_LOCKED | _LOCKED * device.locked
    told = position[:4] + status.to_bytes(4, "big") + position[8:]
    return [
        _reply(serial, MessageId.VEHICLE_CONTROL, _OK),
        (MessageId.VEHICLE_CONTROL_REPLY, serial.to_bytes(2, "big") + told),
    ]
