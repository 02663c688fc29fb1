"""Reports read: bodies to what the tables of the database have. Pure; any bytes give a ``Reading`` or a ``Rejection``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.reporting import MEDIA_HEAD
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.scalar.report import BASIC_LENGTH, decode_location, decode_time
from telemetry.jt808.tables import codec
from telemetry.jt808.tables.data import inflated
from telemetry.reports.content import CLAIMED, UNKNOWN, content_type_of
from telemetry.reports.kinds import KINDS
from telemetry.reports.record import Report

#: What a 0x0901 may come to when it is no longer compressed.
MOST_INFLATED: Final = 1 << 20
#: Lists and texts of a report are shown so far; all of it is in its body.
_MOST_SHOWN: Final = 200
_MOST_CHARS: Final = 500
_MOST_RAW: Final = 64
_POSITIONED: Final = 1 << 1
#: 0x0801 of 2011: numbers of packages in place of a position.
_NUMBERS: Final = 8
_MOST_LAT_E6, _MOST_LON_E6 = 90_000_000, 180_000_000
_ACTIONS: Final = {1: "in", 2: "out"}


@dataclass(frozen=True, slots=True)
class Card:
    """What a 0x0702 says. ``action``: in, out; told = 2011, which says who drives and no more; ``read_result``: None = it does not say."""

    action: str
    read_result: int | None
    name: str
    certificate: str
    issuer: str
    valid_until: date | None
    id_number: str


@dataclass(frozen=True, slots=True)
class Media:
    """A file. ``content_type``: by its content; ``as_claimed``: the terminal says the same."""

    media_id: int
    media_type: int
    format: int
    event: int
    channel: int
    content_type: str
    as_claimed: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """``device_us``: the time in the message, None = it has none. ``lat_e6``, ``lon_e6``: where it has a position that is one.
    ``once``: the same body again is the same report, whenever it comes, for it has a time or an id of its own."""

    kind: str
    detail: Mapping[str, Any]
    device_us: int | None = None
    lat_e6: int | None = None
    lon_e6: int | None = None
    once: bool = False
    card: Card | None = None
    media: Media | None = None


def read(report: Report) -> Reading | Rejection:
    """What ``report`` says. Rejects as ``codec.decode``, and BAD_BODY or TOO_LONG what is no gzip or too much of it."""
    kind = KINDS.get(report.message)
    if kind is None:
        return Rejection(Reason.UNSUPPORTED, f"message {report.message:#06x}", report.body)
    edition = Version(report.edition) if report.edition in set(Version) else Version.V2013
    if report.message == MessageId.MEDIA_DATA:
        return _media(edition, report.body)
    body = codec.decode_likely(report.message, edition, report.body)
    if isinstance(body, Rejection):
        return body
    detail: dict[str, Any] = {name: _shown(value) for name, value in body.fields.items()}
    if body.leftovers:
        detail["leftovers"] = _shown(body.leftovers)
    match report.message:
        case MessageId.DRIVER_IDENTITY:
            return _card(body)
        case MessageId.COMPRESSED:
            data = body.fields.get("data")
            whole = inflated(data if isinstance(data, bytes) else b"", MOST_INFLATED)
            if isinstance(whole, Rejection):
                return whole
            detail["inflated"] = _shown(whole)
        case MessageId.WAYBILL | MessageId.PASSTHROUGH_UP:
            raw = body.fields.get("waybill" if report.message == MessageId.WAYBILL else "data")
            text = _text(raw if isinstance(raw, bytes) else b"")
            if text:
                detail["text"] = text
    return Reading(kind, detail)


def _card(body: codec.Body) -> Reading:
    fields = body.fields
    status = fields.get("status")
    told = body.edition is Version.V2011
    device_us = _time_us(fields.get("time"))
    action = "told" if told else _ACTIONS.get(status if isinstance(status, int) else 0, "unknown")
    result = fields.get("read")
    card = Card(
        action=action,
        read_result=result if isinstance(result, int) else None,
        name=_name(fields.get("name")),
        certificate=_name(fields.get("certificate")),
        issuer=_name(fields.get("issuer")),
        valid_until=_day(fields.get("valid_until")),
        id_number=_name(fields.get("id_number")),
    )
    detail = {"action": action, "read_result": card.read_result}
    if not told and action == "unknown":
        detail["status"] = _shown(status)
    return Reading(
        KINDS[MessageId.DRIVER_IDENTITY], detail, device_us=device_us or None, once=bool(device_us), card=card
    )


def _time_us(value: object) -> int:
    """A time as its digits, in microseconds since 1970 UTC; 0 = none."""
    if not (isinstance(value, str) and len(value) == 12 and value.isascii() and value.isdecimal()):
        return 0
    return decode_time(bytes.fromhex(value))


def _day(value: object) -> date | None:
    if not (isinstance(value, str) and len(value) == 8 and value.isascii() and value.isdecimal()):
        return None
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return None


def _media(edition: Version, body: bytes) -> Reading | Rejection:
    """A file: by its edition, or as 2011 has it where its content begins there and not behind a position."""
    short, placed = MEDIA_HEAD + _NUMBERS, MEDIA_HEAD + BASIC_LENGTH
    old = edition is Version.V2011
    if not old and body[MEDIA_HEAD : MEDIA_HEAD + 4] == b"\0\0\0\1":
        old = content_type_of(body[placed:]) == UNKNOWN != content_type_of(body[short:])
    if len(body) <= (short if old else placed):
        return Rejection(Reason.BAD_BODY, f"0x0801 of {len(body)} bytes has no data", body)
    data = body[short if old else placed :]
    media_id, media_type, form, event, channel = int.from_bytes(body[:4], "big"), *body[4:MEDIA_HEAD]
    content_type = content_type_of(data)
    media = Media(
        media_id, media_type, form, event, channel, content_type, CLAIMED.get(form) == content_type, data
    )
    where = None if old else decode_location(body[MEDIA_HEAD:placed])
    detail: dict[str, Any] = {"media_id": media_id}
    if where is None or isinstance(where, Rejection):
        return Reading(KINDS[MessageId.MEDIA_DATA], detail, once=True, media=media)
    detail |= {"speed_dkmh": where.speed_dkmh, "alarm": where.alarm, "status": where.status}
    valid = (
        where.status & _POSITIONED and abs(where.lat_e6) <= _MOST_LAT_E6 and abs(where.lon_e6) <= _MOST_LON_E6
    )
    return Reading(
        KINDS[MessageId.MEDIA_DATA], detail, device_us=where.device_us or None, lat_e6=where.lat_e6 if valid else None,
        lon_e6=where.lon_e6 if valid else None, once=True, media=media,
    )  # fmt: skip


def _name(value: object) -> str:
    return _clean(value)[:_MOST_CHARS].strip() if isinstance(value, str) else ""


def _clean(value: str) -> str:
    """Without what PostgreSQL takes in no text, and without half characters."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def _text(raw: bytes) -> str:
    """``raw`` where it is a text in GBK that can be read, else ""."""
    try:
        text = raw.rstrip(b"\0").decode("gbk")
    except UnicodeDecodeError:
        return ""
    return (
        text[:_MOST_CHARS] if text.replace("\r", "").replace("\n", "").replace("\t", "").isprintable() else ""
    )


def _shown(value: object) -> Any:
    """A value as JSON and the database take it: not endless; of bytes that are many their number and hash."""
    if isinstance(value, bytes):
        if len(value) <= _MOST_RAW:
            return value.hex()
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, str):
        return _clean(value)[:_MOST_CHARS]
    if isinstance(value, list):
        return [_shown(each) for each in value[:_MOST_SHOWN]]
    if isinstance(value, dict):
        return {str(name): _shown(each) for name, each in value.items()}
    return value
