"""Control of a simulated device and its vehicle, tracking, and the rest: 0x8105, 0x8107, 0x8108, 0x8201 to 0x8203, 0x8500, 0x8900, 0x8A00."""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Any, Final

from simulation.terminal.device import (
    CIRCUIT_CUT,
    FAILED,
    FUEL_CUT,
    LOCKED,
    OK,
    UNSUPPORTED,
    Answer,
    Device,
    Restart,
    Say,
    Track,
    reply,
)
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Header, Version
from telemetry.jt808.scalar.report import encode_query_reply
from telemetry.jt808.tables import codec
from telemetry.jt808.tables.vehicle import DOORS


class Word(IntEnum):
    """Command words of 0x8105; CUT and RESTORE (fuel and power) are this maker's own."""

    UPGRADE = 1
    OFF = 3
    RESET = 4
    FACTORY = 5
    NO_DATA = 6
    NO_RADIO = 7
    CUT = 100
    RESTORE = 101


#: Seconds of a restart, and until somebody turns the key of one that was switched off.
_RESTART_S, _AWAY_S = 2.0, 10.0
_UPGRADED_S: Final = 3.0
_UPGRADES: Final = frozenset({0, 12, 52})
_SERIAL_PORTS: Final = frozenset({0x41, 0x42})


def control(device: Device, header: Header, fields: Any) -> list[Answer]:
    """0x8105. A device that was switched off comes back a while later: somebody turns the key."""
    match fields["command"]:
        case Word.UPGRADE:  # it fetches the software and tells how that went
            _tells_upgrade(device, 0)
        case Word.RESET:
            device.effects.append(Restart(_RESTART_S))
        case Word.FACTORY:
            device.reset()
            device.effects.append(Restart(_RESTART_S))
        case Word.OFF | Word.NO_DATA | Word.NO_RADIO:
            device.effects.append(Restart(_AWAY_S))
        case Word.CUT:
            device.mark(FUEL_CUT | CIRCUIT_CUT, True)
        case Word.RESTORE:
            device.mark(FUEL_CUT | CIRCUIT_CUT, False)
        case _:  # another server among them: it stays with this one
            return [reply(header, UNSUPPORTED)]
    return [reply(header, OK)]


def attributes(device: Device) -> bytes:
    """The body of 0x0107. Raises FieldError in 2011, which has no such message."""
    told = {
        "kind": 0, "manufacturer": "GONGC", "model": "SIMULATOR", "device_id": device.device_id, "iccid": "8" * 20, "hardware": "1",
        "firmware": "1", "gnss": 3, "radio": 32,
    }  # fmt: skip
    return codec.encode(MessageId.ATTRIBUTES_REPLY, device.version, told)


def upgrade(device: Device, header: Header, fields: Any) -> list[Answer]:
    """0x8108: taken, and some seconds later its result."""
    if fields["kind"] not in _UPGRADES:
        return [reply(header, UNSUPPORTED)]
    _tells_upgrade(device, fields["kind"])
    return [reply(header, OK)]


def _tells_upgrade(device: Device, kind: int) -> None:
    if device.version is not Version.V2011:
        body = codec.encode(MessageId.UPGRADE_RESULT, device.version, {"kind": kind, "result": 0})
        device.effects.append(Say(MessageId.UPGRADE_RESULT, body, _UPGRADED_S))


def where(device: Device, header: Header, position: bytes | None) -> list[Answer]:
    """0x0201, or, before its first fix, a refusal."""
    if position is None:
        return [reply(header, FAILED)]
    own = None if device.version is Version.V2011 else header.serial
    return [(MessageId.LOCATION_QUERY_REPLY, encode_query_reply(own, device.marked(position)))]


def tracking(device: Device, header: Header, fields: Any) -> list[Answer]:
    device.effects.append(Track(fields["interval"], fields.get("validity", 0)))
    return [reply(header, OK)]


def vehicle(device: Device, header: Header, fields: Any, position: bytes | None) -> list[Answer]:
    """0x8500: the doors; 0x0500 says how they are. Of the controls of 2019 another than doors refuses all."""
    controls = fields.get("controls")
    if isinstance(controls, list):
        if any(row["id"] != DOORS or row["value"] not in (0, 1) for row in controls):
            return [reply(header, UNSUPPORTED)]
        for row in controls:
            device.mark(LOCKED, row["value"] == 0)
    else:
        device.mark(LOCKED, bool(fields["flag"] & 1))
    if position is None:
        return [reply(header, FAILED)]
    return [
        reply(header, OK),
        (MessageId.VEHICLE_CONTROL_REPLY, header.serial.to_bytes(2, "big") + device.marked(position)),
    ]


def passthrough(device: Device, header: Header, fields: Any) -> list[Answer]:
    """What is behind a serial port says the same back."""
    if fields["kind"] in _SERIAL_PORTS:
        device.effects.append(
            Say(MessageId.PASSTHROUGH_UP, passed_up(device, fields["kind"], fields["data"]))
        )
    return [reply(header, OK)]


def passed_up(device: Device, kind: int, data: bytes) -> bytes:
    """The body of 0x0900."""
    fields: dict[str, Any] = {"kind": kind, "data": data}
    if device.version is Version.V2011:
        fields["total"] = len(data)
    return codec.encode(MessageId.PASSTHROUGH_UP, device.version, fields)


def rsa_key(device: Device) -> list[Answer]:
    """0x0A00: the public key of the device, 1,024 bits: the same for ever. (It encrypts nothing.)"""
    modulus = b"".join(hashlib.sha256(f"{device.device_id} {k}".encode()).digest() for k in range(4))
    modulus = bytes((modulus[0] | 0x80,)) + modulus[1:-1] + bytes((modulus[-1] | 1,))
    body = codec.encode(MessageId.TERMINAL_RSA_KEY, device.version, {"e": 65_537, "n": modulus})
    return [(MessageId.TERMINAL_RSA_KEY, body)]
