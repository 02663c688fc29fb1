"""The driving recorder of a simulated device (GB/T 19056-2012) and the card of its driver: 0x8700, 0x8701, 0x8702."""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Any, Final

from simulation.terminal.device import FAILED, OK, Answer, Card, Device, reply
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Header, Version
from telemetry.jt808.tables import codec

_NO_SUCH: Final = 0xFA
#: Speeds of a minute, km/h: from standing to town traffic.
_SPEEDS: Final = bytes(min(50, k) for k in range(60))
#: Bytes of parameters that it keeps of one command.
_MOST_KEPT: Final = 1_024
_CARD_IN, _CARD_OUT, _READ = 1, 2, 0


def recorder_told(device: Device, header: Header, fields: Any, position: bytes | None) -> list[Answer]:
    """0x0700 with the block of the command, or the recorder's word that it has no such."""
    command = fields["command"]
    data = _block(device, command, _time(position), position)
    body = _frame(command, data) if data is not None else _checked(bytes((0x55, 0x7A, _NO_SUCH, 0)))
    if device.version is Version.V2011:
        told: dict[str, Any] = {"command": command, "total": len(body), "data": body}
    else:
        told = {"serial": header.serial, "command": command, "data": body}
    return [(MessageId.RECORDER_DATA, codec.encode(MessageId.RECORDER_DATA, device.version, told))]


def recorder_set(device: Device, header: Header, fields: Any) -> list[Answer]:
    """Kept as it came, by command word."""
    if len(fields["data"]) > _MOST_KEPT:
        return [reply(header, FAILED)]
    device.recorder[fields["command"]] = fields["data"]
    return [reply(header, OK)]


def driver_told(device: Device, header: Header, position: bytes | None) -> list[Answer]:
    """0x0702 about the card that is in, or that none is."""
    return [reply(header, OK), (MessageId.DRIVER_IDENTITY, identity(device, _time(position)))]


def identity(device: Device, time: str) -> bytes:
    """The body of 0x0702: the card of ``device`` was put in, or pulled out, at ``time`` (YYMMDDhhmmss). 2011 knows no cards: who drives."""
    card = device.card
    if device.version is Version.V2011:
        who = card or Card("", "", "", "")
        fields: dict[str, Any] = {
            "name": who.name, "id_number": who.id_number, "certificate": who.certificate, "issuer": who.issuer,
        }  # fmt: skip
    elif card is None:
        fields = {"status": _CARD_OUT, "time": time}
    else:
        fields = {
            "status": _CARD_IN, "time": time, "read": _READ, "name": card.name, "certificate": card.certificate,
            "issuer": card.issuer, "valid_until": card.valid_until,
        }  # fmt: skip
        if device.version is Version.V2019:
            fields["id_number"] = card.id_number
    return codec.encode(MessageId.DRIVER_IDENTITY, device.version, fields)


def _time(position: bytes | None) -> str:
    """The clock of the device as its newest position has it: YYMMDDhhmmss."""
    return position[22:28].hex() if position is not None else "0" * 12


def _block(device: Device, command: int, time: str, position: bytes | None) -> bytes | None:
    now = bytes.fromhex(time)
    match command:
        case 0x00:  # edition of the standard: 2012, not amended
            return b"\x12\x00"
        case 0x01:  # licence of the driver
            return (
                (device.card.certificate if device.card else "")
                .encode("ascii", "replace")
                .ljust(18, b"\0")[:18]
            )
        case 0x02:
            return now
        case 0x03:  # now, when it was built in, odometer then and now in 0.1 km
            return (
                now + bytes.fromhex("250101080000") + bytes(4) + bytes.fromhex(f"{_odometer(position):08d}")
            )
        case 0x04:  # pulses a kilometre
            return now + (3_600).to_bytes(2, "big")
        case 0x05:  # VIN, plate, class of the plate
            plate = device.plate.encode("gbk", "replace").ljust(12, b"\0")[:12]
            return b"LGONGC0000000SIM1" + plate + "小型汽车".encode("gbk").ljust(12, b"\0")
        case 0x06:  # names of eight signals
            names = ("", "", "", "近光", "远光", "右转向", "左转向", "制动")
            return now + b"\x01" + b"".join(name.encode("gbk").ljust(10, b"\0") for name in names)
        case 0x07:  # certificate, model, day of production, number
            return (
                b"C000000"
                + b"GONGC-SIMULATOR".ljust(16, b"\0")
                + bytes.fromhex("250101")
                + bytes((0, 0, 0, 1))
                + bytes(5)
            )
        case 0x08:  # one minute: speed and signals of every second
            return now + b"".join(bytes((speed, 0)) for speed in _SPEEDS)
        case _:
            return None


def _odometer(position: bytes | None) -> int:
    """Item 0x01 of a position that begins with it, 0.1 km; else 0."""
    if position is None or position[28:30] != b"\x01\x04":
        return 0
    return int.from_bytes(position[30:34], "big") % 100_000_000


def _frame(command: int, data: bytes) -> bytes:
    return _checked(bytes((0x55, 0x7A, command)) + len(data).to_bytes(2, "big") + b"\0" + data)


def _checked(raw: bytes) -> bytes:
    return raw + bytes((reduce(xor, raw),))
