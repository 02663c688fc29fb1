"""Cameras and microphone of a simulated device: 0x8800 to 0x8805, and what they send (0x0800, 0x0801, 0x0802, 0x0805)."""

from __future__ import annotations

from typing import Any, Final

from simulation.terminal import pictures
from simulation.terminal.device import (
    FAILED,
    OK,
    Answer,
    Arrived,
    Device,
    MediaFile,
    PackagesAgain,
    Say,
    reply,
)
from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.header import Header, Version
from telemetry.jt808.scalar.report import BASIC_LENGTH
from telemetry.jt808.tables import codec

PICTURE, SOUND = 0, 1
JPEG, WAV = 0, 3
#: What it was taken for (0x0801): asked for, by time.
ASKED, BY_TIME = 0, 1
ROAD, CABIN = 1, 2
_CHANNELS: Final = frozenset({ROAD, CABIN})
_FILM: Final = 0xFFFF
#: Pictures of one order; seconds of sound; files that are kept: a device has little memory.
_MOST_SHOTS, _MOST_SOUND_S, _MOST_FILES = 10, 4.0, 50
#: Bytes of a file in one 0x0801 of 2011, which numbers its packages itself.
_CHUNK_2011: Final = 1_000
_NO_CHANNEL: Final = 2


def take_picture(
    device: Device, channel: int, event: int, position: bytes | None, resolution: int = 1
) -> MediaFile:
    """A picture of now, kept in the device."""
    width, height = pictures.size_of(resolution)
    where = (position or b"")[:BASIC_LENGTH].ljust(BASIC_LENGTH, b"\0")
    data = pictures.photograph(width, height, channel, _stamp(where))
    return _kept(device, PICTURE, JPEG, event, channel, where, data)


def sent(device: Device, file: MediaFile, after_s: float = 0.0) -> list[Say]:
    """0x0801 of a file: in 2011 a message for each package, else one that is as long as it is."""
    head: dict[str, Any] = {
        "media_id": file.media_id, "media_type": file.kind, "format": file.form, "event": file.event, "channel": file.channel,
    }  # fmt: skip
    if device.version is Version.V2011:
        total = -(-len(file.data) // _CHUNK_2011)
        return [_chunk(device, head, file, index, total, after_s) for index in range(1, total + 1)]
    fields = head | _place(device, file.position) | {"data": file.data}
    return [Say(MessageId.MEDIA_DATA, codec.encode(MessageId.MEDIA_DATA, device.version, fields), after_s)]


def _chunk(
    device: Device, head: dict[str, Any], file: MediaFile, index: int, total: int, after_s: float
) -> Say:
    data = file.data[(index - 1) * _CHUNK_2011 : index * _CHUNK_2011]
    fields = head | {"total": total, "index": index, "data": data}
    return Say(MessageId.MEDIA_DATA, codec.encode(MessageId.MEDIA_DATA, device.version, fields), after_s)


def announced(device: Device, file: MediaFile) -> Say:
    """0x0800: there is a file."""
    fields = {
        "media_id": file.media_id, "media_type": file.kind, "format": file.form, "event": file.event, "channel": file.channel,
    }  # fmt: skip
    return Say(MessageId.MEDIA_EVENT, codec.encode(MessageId.MEDIA_EVENT, device.version, fields))


# --- commands -----------------------------------------------------------------------------------------------------


def shoot(device: Device, header: Header, fields: Any, position: bytes | None) -> list[Answer]:
    """0x8801: pictures, ``interval`` apart; no film. 2011 has no 0x0805: it confirms."""
    count = fields["command"]
    if fields["channel"] not in _CHANNELS:
        return [_shot(device, header, _NO_CHANNEL, [])]
    if count in (0, _FILM):  # stops what does not run; there is no film
        return [_shot(device, header, OK if count == 0 else FAILED, [])]
    files = []
    for k in range(min(count, _MOST_SHOTS)):
        file = take_picture(device, fields["channel"], ASKED, position, fields["resolution"])
        device.effects += (
            [announced(device, file)] if fields["save"] else sent(device, file, k * float(fields["interval"]))
        )
        files.append(file.media_id)
    return [_shot(device, header, OK, files)]


def _shot(device: Device, header: Header, result: int, ids: list[int]) -> Answer:
    if device.version is Version.V2011:
        return reply(header, min(result, FAILED))
    fields: dict[str, Any] = {"serial": header.serial, "result": result}
    if result == OK:
        fields["media_ids"] = ids
    return MessageId.SHOOT_REPLY, codec.encode(MessageId.SHOOT_REPLY, device.version, fields)


def search(device: Device, header: Header, fields: Any) -> list[Answer]:
    """0x0802 with what was found."""
    # 2011 does not name the files that it found.
    named = device.version is not Version.V2011
    found = [
        {
            "media_type": file.kind,
            "channel": file.channel,
            "event": file.event,
            **_place(device, file.position),
        }
        | ({"media_id": file.media_id} if named else {})
        for file in _found(device, fields)
    ]
    told = {"serial": header.serial, "found": found}
    return [(MessageId.MEDIA_SEARCH_REPLY, codec.encode(MessageId.MEDIA_SEARCH_REPLY, device.version, told))]


def upload(device: Device, header: Header, fields: Any) -> list[Answer]:
    for file in _found(device, fields):
        _upload(device, file, delete=fields["delete"] == 1)
    return [reply(header, OK)]


def upload_one(device: Device, header: Header, fields: Any) -> list[Answer]:
    file = device.files.get(fields["media_id"])
    if file is None:
        return [reply(header, FAILED)]
    _upload(device, file, delete=fields["delete"] == 1)
    return [reply(header, OK)]


def record(device: Device, header: Header, fields: Any, position: bytes | None) -> list[Answer]:
    """0x8804: a few seconds of sound at most; "stop" stops nothing."""
    if fields["command"] == 1:
        seconds = min(float(fields["duration"]) or _MOST_SOUND_S, _MOST_SOUND_S)
        where = (position or b"")[:BASIC_LENGTH].ljust(BASIC_LENGTH, b"\0")
        file = _kept(device, SOUND, WAV, ASKED, 0, where, pictures.sound(seconds))
        device.effects += [announced(device, file)] if fields["save"] else sent(device, file, seconds)
    return [reply(header, OK)]


def arrived(device: Device, fields: Any) -> list[Answer]:
    """0x8800: the file is there, or packages of it are missing. It is answered with these, or not at all."""
    media_id, indexes = fields["media_id"], tuple(fields.get("indexes") or ())
    if not indexes:
        device.effects.append(Arrived(media_id))
    elif device.version is not Version.V2011:
        device.effects.append(PackagesAgain(media_id, indexes))
    elif file := device.files.get(media_id):
        packages = sent(device, file)
        device.effects += [packages[index - 1] for index in indexes if 1 <= index <= len(packages)]
    return []


# --- files --------------------------------------------------------------------------------------------------------


def _kept(
    device: Device, kind: int, form: int, event: int, channel: int, where: bytes, data: bytes
) -> MediaFile:
    file = MediaFile(device.next_media_id, kind, form, event, channel, where, data)
    device.next_media_id += 1
    device.files[file.media_id] = file
    while len(device.files) > _MOST_FILES:
        del device.files[next(iter(device.files))]
    return file


def _found(device: Device, fields: Any) -> list[MediaFile]:
    begins, ends = fields["begins"], fields["ends"]
    return [
        file
        for file in device.files.values()
        if file.kind == fields["media_type"]
        and fields["channel"] in (0, file.channel)
        and fields["event"] == file.event
        and (not begins.strip("0") or file.position[22:28].hex() >= begins)
        and (not ends.strip("0") or file.position[22:28].hex() <= ends)
    ]


def _upload(device: Device, file: MediaFile, *, delete: bool) -> None:
    device.effects += sent(device, file)
    if delete and device.version is not Version.V2011:  # 2011 may ask for packages again by their numbers
        del device.files[file.media_id]


def _place(device: Device, position: bytes) -> dict[str, Any]:
    """The fields of 28 bytes of a position."""
    read = codec.decode(MessageId.LOCATION, device.version, position)
    if isinstance(read, Rejection):  # never: 28 bytes are a position
        raise ValueError(read.detail)
    return {name: value for name, value in read.fields.items() if name != "items"}


def _stamp(position: bytes) -> str:
    digits = position[22:28].hex()
    return f"20{digits[:2]}-{digits[2:4]}-{digits[4:6]} {digits[6:8]}:{digits[8:10]}:{digits[10:]}"
