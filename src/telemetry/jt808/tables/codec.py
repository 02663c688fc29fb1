"""Bodies of every message of the three editions to typed values and back, and frames of them. Without IO; any bytes give a
``Body`` or a ``Rejection``, any values a body or a ``FieldError``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.framing import MAX_BODY, encode_frame
from telemetry.jt808.scalar.header import FIRST_PROTOCOL_VERSION, Version, build_messages
from telemetry.jt808.tables.catalogue import CATALOGUE
from telemetry.jt808.tables.grammar import (
    Broken,
    Cursor,
    FieldError,
    Given,
    Row,
    Table,
    read_table,
    write_table,
)


@dataclass(frozen=True, slots=True)
class Body:
    """A body that was read by the table of ``edition``. ``fields``: values by name (``tables.grammar``); ``leftovers``: what stands
    behind what the table has; ``remarks``: (path of the field, Chinese|English) of what is odd, though it could be read."""

    message_id: int
    edition: Version
    fields: Row
    leftovers: bytes = b""
    remarks: tuple[tuple[str, str], ...] = ()


def table_of(message_id: int, edition: Version) -> Table | None:
    """The table of a message; None where ``edition`` does not have it."""
    message = CATALOGUE.get(message_id)
    return message.tables.get(edition) if message else None


def encode(message_id: int, edition: Version, fields: Given) -> bytes:
    """The body of a message, of any length (``frames`` splits). Raises FieldError: an unknown message or field, one that is missing, a
    value that does not fit, a text with characters that GBK does not have.
    """
    table = table_of(message_id, edition)
    if table is None:
        raise FieldError(
            "",
            f"JT/T 808-{edition:d} 没有消息 {message_id:#06x}",
            f"JT/T 808-{edition:d} has no message {message_id:#06x}",
        )
    return write_table(table, fields)


def decode(message_id: int, edition: Version, body: bytes) -> Body | Rejection:
    """``body`` by the table of ``edition``. Rejects UNSUPPORTED (the edition does not have the message) and BAD_BODY (it ends too early;
    the detail names the field).
    """
    return read(message_id, edition, Cursor(body, len(body)))


def decode_likely(message_id: int, edition: Version, body: bytes) -> Body | Rejection:
    """``body`` by the edition that fits it best, ``edition`` (of the header, or of the terminal as it is known) before others: the first
    without leftovers and remarks, else the first that can be read. Rejects as ``decode`` does for ``edition``, UNSUPPORTED
    only where no edition has the message.
    """
    found = [decode(message_id, each, body) for each in likely(message_id, edition)]
    read_ones = [each for each in found if isinstance(each, Body)]
    clean = [each for each in read_ones if not each.leftovers and not each.remarks]
    if clean or read_ones:
        return (clean or read_ones)[0]
    return found[0] if found else decode(message_id, edition, body)


def likely(message_id: int, edition: Version) -> list[Version]:
    """The editions that have a message, ``edition`` first, then the nearest to it."""
    message = CATALOGUE.get(message_id)
    return sorted(message.tables, key=lambda each: abs(each - edition)) if message else []


def read(message_id: int, edition: Version, cursor: Cursor) -> Body | Rejection:
    """As ``decode``, from a cursor, whose ``parts`` tell what was read up to a refusal."""
    table = table_of(message_id, edition)
    if table is None:
        detail = f"JT/T 808-{edition:d} has no message {message_id:#06x}"
        return Rejection(Reason.UNSUPPORTED, detail, cursor.data)
    try:
        fields = read_table(table, cursor)
    except Broken as broken:
        return Rejection(Reason.BAD_BODY, f"{message_id:#06x} {broken}", cursor.data)
    leftovers = cursor.data[cursor.at : cursor.end]
    return Body(message_id, edition, fields, leftovers, tuple(cursor.remarks))


def frames(
    phone: str,
    edition: Version,
    message_id: int,
    body: bytes,
    first_serial: int,
    *,
    version_flag: bool | None = None,
    protocol_version: int = FIRST_PROTOCOL_VERSION,
    max_body: int = MAX_BODY,
) -> Sequence[bytes]:
    """The frames of a message, as they are sent: one, or sub-packages with consecutive serials from ``first_serial`` (modulo 65,536).

    ``phone``: digits, filled with zeros to the width of ``edition``. ``version_flag``, ``protocol_version``: of the header that the
    terminal sends, where it differs. Raises ValueError for a phone that does not fit, or more than 65,535 packages.
    """
    messages = build_messages(
        message_id,
        body,
        phone,
        first_serial,
        version=edition,
        max_body=max_body,
        version_flag=version_flag,
        protocol_version=protocol_version,
    )
    return [encode_frame(message) for message in messages]
