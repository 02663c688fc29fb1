"""Messages to bytes and back. Any bytes give a ``Received`` or a ``Refusal``, any values a frame or a ``FieldError``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from telemetry.jt808.tables.grammar import Broken, Cursor, FieldError, Given, Row, read_table, write_table
from telemetry.jt809 import header as headers
from telemetry.jt809.cipher import Keys, scramble
from telemetry.jt809.header import Edition, Header
from telemetry.jt809.refusal import Reason, Refusal
from telemetry.jt809.tables import CARRIED, CARRIERS, CATALOGUE, VEHICLE, Id

_HEAD: Final = (*VEHICLE, *CARRIED)


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came. ``id``: of a message in a carrier its own. ``fields``: by name; of one in a carrier with ``plate`` and
    ``colour``."""

    header: Header
    id: Id
    fields: Row


def encode(
    edition: Edition, id: int, fields: Given, header: Header, keys: Keys | None = None
) -> bytes:  # fmt: skip
    """Header and body of message ``id``; ``header.id`` is written as it travels (that of the carrier). ``keys``: needed where the header
    says that it is encrypted. Raises FieldError."""
    message = CATALOGUE.get(id)
    table = message.tables.get(edition) if message is not None else None
    if message is None or table is None:
        raise FieldError(
            "", f"JT/T 809-{edition:d} 没有消息 {id:#06x}", f"no message {id:#06x} in {edition:d}"
        )
    if message.carrier is None:
        body = write_table(table, fields)
    else:
        own = {name: value for name, value in fields.items() if name not in ("plate", "colour")}
        inner = write_table(table, own)
        around = {name: fields[name] for name in ("plate", "colour") if name in fields}
        body = write_table(_HEAD, around | {"data_type": id, "data_length": len(inner)}) + inner
    if header.encrypted:
        if keys is None:
            raise ValueError("encrypted, without keys")
        body = scramble(keys, header.key, body)
    sent = Header(
        header.serial,
        message.carrier or message.id,
        header.access_code,
        header.version,
        header.encrypted,
        header.key,
        header.time_s,
    )
    return headers.build(sent, edition, body)


def decode(message: bytes, edition: Edition, keys: Keys | None = None) -> Received | Refusal:
    """A message (header and body). Refuses TOO_SHORT, LENGTH_MISMATCH, NO_KEYS, UNSUPPORTED (an id that we do not know, or that the
    edition does not have), BAD_BODY (it ends too early, says another length, or has more behind)."""
    parsed = headers.parse(message, edition)
    if isinstance(parsed, Refusal):
        return parsed
    header, body = parsed
    if header.encrypted:
        if keys is None:
            return Refusal.of(Reason.NO_KEYS, f"{header.id:#06x} is encrypted", message)
        body = scramble(keys, header.key, body)
    cursor, row, id = Cursor(body, len(body)), Row(), header.id
    try:
        if header.id in CARRIERS:
            row = read_table(_HEAD, cursor)
            length, carried = row.pop("data_length"), row.pop("data_type")
            id = carried if isinstance(carried, int) else 0
            if length != cursor.left:
                return Refusal.of(
                    Reason.BAD_BODY, f"{id:#06x}: {length!r} bytes said, {cursor.left} there", body
                )
        known = CATALOGUE.get(id)
        carrier = header.id if header.id in CARRIERS else None
        table = known.tables.get(edition) if known is not None and known.carrier == carrier else None
        if known is None or table is None:
            return Refusal.of(Reason.UNSUPPORTED, f"{header.id:#06x}/{id:#06x} in {edition:d}", body)
        row |= read_table(table, cursor)
    except Broken as broken:
        return Refusal.of(Reason.BAD_BODY, f"{id:#06x} {broken}", body)
    if cursor.left:
        return Refusal.of(Reason.BAD_BODY, f"{id:#06x}: {cursor.left} bytes behind it", body)
    return Received(header, known.id, row)
