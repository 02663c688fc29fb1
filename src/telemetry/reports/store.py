"""Reports written: all writing SQL of the tables of 0056. One report is one call of ``keep``, in the transaction that moves the offset."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from runtime.connection import Connection, affected
from runtime.units import US_PER_DAY, US_PER_S, from_us
from telemetry.reports.reading import Media, Reading
from telemetry.reports.record import Report

#: A message without a time or an id of its own is the same again when it comes with the same serial number within so long: its terminal
#: had no reply. Later it is a new one, for serial numbers wrap and begin anew.
SAME_WITHIN: Final = timedelta(minutes=10)
#: The time of a device is believed within these bounds of receipt.
_OLDEST_US: Final = 30 * US_PER_DAY
_AHEAD_US: Final = 600 * US_PER_S
#: What is kept of a body that was refused, and of an error.
_ASIDE_BYTES: Final = 4096
_ERROR_CHARS: Final = 500
_EVERYBODY: Final = 0


#: Has a file (SHA-256 in hex, content) on the disk when it returns. Raises OSError.
Write = Callable[[str, bytes], Awaitable[None]]
#: There is no room on the disk, or not for us: as when the quota is used up.
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Stored(StrEnum):
    """What became of a report. ``REFUSED``: its file found no room; the report itself is there."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    REFUSED = "stored_without_file"


@dataclass(frozen=True, slots=True)
class Quota:
    """Bytes of files, of all terminals and of one."""

    whole: int
    terminal: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a report stands in the log. ``number``: within its record."""

    topic: str
    partition: int
    offset: int
    number: int = 0


async def keep(conn: Connection, report: Report, reading: Reading, quota: Quota, write: Write) -> Stored:
    """Store ``report``, unless it is there. ``write(sha256, data)`` has a file on the disk when it returns: it is called before the row
    is committed, so a row that says "stored" has its file."""
    fingerprint = hashlib.sha256(report.body).digest()
    received = from_us(report.received_us)
    known = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM terminal_reports WHERE terminal_no = $1 AND fingerprint = $2 AND message = $3"
        " AND ($4 OR (serial = $5 AND received_at BETWEEN $6::timestamptz - $7::interval AND $6::timestamptz + $7::interval)))",
        report.terminal, fingerprint, report.message, reading.once, report.serial, received, SAME_WITHIN,
    )  # fmt: skip
    if known:
        return Stored.DUPLICATE
    at = from_us(_believed(reading.device_us, report.received_us))
    sits = await conn.fetchrow(
        "SELECT v.id, v.organisation FROM terminal_bindings b JOIN vehicles v ON v.no = b.vehicle_no WHERE b.terminal_no = $1"
        " AND b.valid_from <= $2 AND (b.valid_to IS NULL OR b.valid_to > $2) LIMIT 1",
        report.terminal, at,
    )  # fmt: skip
    no = await conn.fetchval(
        "INSERT INTO terminal_reports (terminal_no, vehicle, organisation, kind, message, edition, serial, at, device_time, received_at,"
        " lat_e6, lon_e6, detail, body, body_bytes, fingerprint)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING no",
        report.terminal, *((sits["id"], sits["organisation"]) if sits else (None, None)), reading.kind, report.message, report.edition,
        report.serial, at, None if reading.device_us is None else from_us(reading.device_us), received, reading.lat_e6, reading.lon_e6,
        dict(reading.detail), None if reading.media else report.body, len(report.body), fingerprint,
    )  # fmt: skip
    if reading.card is not None:
        card = reading.card
        await conn.execute(
            "INSERT INTO driver_card_events (report, action, read_result, name, certificate, issuer, valid_until, id_number)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            no, card.action, card.read_result, card.name, card.certificate, card.issuer, card.valid_until, card.id_number,
        )  # fmt: skip
    if reading.media is not None:
        return await _keep_file(conn, no, report.terminal, reading.media, quota, write)
    return Stored.STORED


def _believed(device_us: int | None, received_us: int) -> int:
    if device_us is None or not received_us - _OLDEST_US <= device_us <= received_us + _AHEAD_US:
        return received_us
    return device_us


async def _keep_file(
    conn: Connection, no: int, terminal: int, media: Media, quota: Quota, write: Write
) -> Stored:
    size, sha256 = len(media.data), hashlib.sha256(media.data).hexdigest()
    used = {
        row["terminal_no"]: row["bytes"]
        for row in await conn.fetch(
            "SELECT terminal_no, bytes FROM terminal_media_usage WHERE terminal_no = ANY ($1::integer[]) ORDER BY terminal_no FOR UPDATE",
            [_EVERYBODY, terminal],
        )
    }
    state = "stored"
    if used.get(terminal, 0) + size > quota.terminal:
        state = "refused_terminal_full"
    elif used.get(_EVERYBODY, 0) + size > quota.whole:
        state = "refused_full"
    if state == "stored":
        try:
            await write(sha256, media.data)
            await _use(conn, {_EVERYBODY: (size, 1), terminal: (size, 1)})
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            state = "refused_full"
    await conn.execute(
        "INSERT INTO terminal_media (report, terminal_no, media_id, media_type, format, event, channel, content_type, as_claimed, bytes,"
        " sha256, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        no, terminal, media.media_id, media.media_type, media.format, media.event, media.channel, media.content_type,
        media.as_claimed, size, bytes.fromhex(sha256), state,
    )  # fmt: skip
    return Stored.STORED if state == "stored" else Stored.REFUSED


async def _use(conn: Connection, more: Mapping[int, tuple[int, int]]) -> None:
    """Add to what files take: terminal -> (bytes, files), which may be negative."""
    for terminal in sorted(more):
        await conn.execute(
            "INSERT INTO terminal_media_usage AS u (terminal_no, bytes, files) VALUES ($1, greatest($2, 0), greatest($3, 0))"
            " ON CONFLICT (terminal_no) DO UPDATE SET bytes = greatest(u.bytes + $2, 0), files = greatest(u.files + $3, 0)",
            terminal, *more[terminal],
        )  # fmt: skip


async def set_aside(
    conn: Connection, place: Place, why: str, error: str, body: bytes, report: Report | None
) -> None:
    """Put down what could not be stored: ``why`` rejected, fault or record. Again: changes nothing."""
    await conn.execute(
        'INSERT INTO terminal_reports_aside (topic, partition, "offset", number, terminal_no, message, why, error, body, body_bytes,'
        " received_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        place.topic, place.partition, place.offset, place.number, report and report.terminal, report and report.message, why,
        error[:_ERROR_CHARS].replace("\0", "").encode("utf-8", "replace").decode(), body if why == "fault" else body[:_ASIDE_BYTES],
        len(body), None if report is None else from_us(report.received_us),
    )  # fmt: skip


# --- offsets


class OffsetTakenError(Exception):
    """Another process has taken the topic, or moved its offset."""


async def claim(conn: Connection, topic: str, partitions: Sequence[int], by: str) -> dict[int, int]:
    """From now on ``by`` has ``partitions``; the next offset of each. Waits for who had them and is in a transaction."""
    rows = await conn.fetch(
        "INSERT INTO terminal_report_offsets (topic, partition, next_offset, claim) SELECT $1, p, 0, $3 FROM unnest($2::integer[]) p"
        " ORDER BY p ON CONFLICT (topic, partition) DO UPDATE SET claim = EXCLUDED.claim RETURNING partition, next_offset",
        topic, sorted(partitions), by,
    )  # fmt: skip
    return {row["partition"]: row["next_offset"] for row in rows}


async def move(conn: Connection, topic: str, by: str, places: Mapping[int, tuple[int, int]]) -> None:
    """Move offsets, first in a transaction: partition -> (from, to). Raises OffsetTakenError."""
    for partition in sorted(places):
        before, after = places[partition]
        done: str = await conn.execute(
            "UPDATE terminal_report_offsets SET next_offset = $5, updated_at = clock_timestamp()"
            " WHERE topic = $1 AND partition = $2 AND next_offset = $3 AND claim = $4",
            topic, partition, before, by, after,
        )  # fmt: skip
        if done != "UPDATE 1":
            raise OffsetTakenError(f"another process has taken partition {partition} of {topic}")


# --- bindings that changed, and what is old

_AT_ONCE: Final = 500


async def rebind(conn: Connection) -> int:
    """Bind anew what terminals reported whose bindings have changed; how many changes that were. In a transaction of its own."""
    terminals = {
        row["terminal_no"]
        for row in await conn.fetch(
            "DELETE FROM terminal_report_rebinds WHERE no IN (SELECT no FROM terminal_report_rebinds ORDER BY no LIMIT $1"
            " FOR UPDATE SKIP LOCKED) RETURNING terminal_no",
            _AT_ONCE,
        )
    }
    if terminals:
        await conn.execute(
            "UPDATE terminal_reports u SET vehicle = f.id, organisation = f.organisation FROM (SELECT r.no, v.id, v.organisation"
            " FROM terminal_reports r LEFT JOIN terminal_bindings b ON b.terminal_no = r.terminal_no AND b.valid_from <= r.at"
            " AND (b.valid_to IS NULL OR b.valid_to > r.at) LEFT JOIN vehicles v ON v.no = b.vehicle_no"
            " WHERE r.terminal_no = ANY ($1::integer[])) AS f WHERE u.no = f.no AND u.vehicle IS DISTINCT FROM f.id",
            sorted(terminals),
        )
    return len(terminals)


async def drop_files(conn: Connection, before: datetime, most: int = 1_000) -> list[str]:
    """Files received before ``before`` are no longer stored; the contents that nobody has any more, whose files may go after the
    commit. ``most`` at once."""
    gone = await conn.fetch(
        "UPDATE terminal_media m SET state = 'expired' FROM (SELECT m.report FROM terminal_reports r JOIN terminal_media m ON m.report = r.no"
        " WHERE r.received_at < $1 AND m.state = 'stored' ORDER BY r.received_at LIMIT $2) AS old WHERE m.report = old.report"
        " RETURNING m.terminal_no, m.bytes, m.sha256",
        before, most,
    )  # fmt: skip
    less: dict[int, tuple[int, int]] = {}
    for row in gone:
        for terminal in (_EVERYBODY, row["terminal_no"]):
            size, files = less.get(terminal, (0, 0))
            less[terminal] = size - row["bytes"], files - 1
    await _use(conn, less)
    return await unreferenced(conn, {row["sha256"].hex() for row in gone})


async def unreferenced(conn: Connection, contents: set[str]) -> list[str]:
    """Those of ``contents`` (SHA-256, hex) that no row says are stored."""
    rows = await conn.fetch(
        "SELECT DISTINCT sha256 FROM terminal_media WHERE sha256 = ANY ($1::bytea[]) AND state = 'stored'",
        [bytes.fromhex(each) for each in sorted(contents)],
    )
    return sorted(contents - {row["sha256"].hex() for row in rows})


async def drop_old(conn: Connection, before: datetime, most: int = 10_000) -> int:
    """Delete reports received before ``before`` that have no file any more, and what was set aside before; how many."""
    done: str = await conn.execute(
        "DELETE FROM terminal_reports WHERE no IN (SELECT r.no FROM terminal_reports r LEFT JOIN terminal_media m ON m.report = r.no"
        " WHERE r.received_at < $1 AND m.state IS DISTINCT FROM 'stored' ORDER BY r.received_at LIMIT $2)",
        before, most,
    )  # fmt: skip
    await conn.execute("DELETE FROM terminal_reports_aside WHERE set_aside_at < $1", before)
    return affected(done)


async def usage(conn: Connection) -> tuple[int, int]:
    """What the files of all terminals take: (bytes, files)."""
    row: Any = await conn.fetchrow(
        "SELECT bytes, files FROM terminal_media_usage WHERE terminal_no = $1", _EVERYBODY
    )
    return (row["bytes"], row["files"]) if row else (0, 0)
