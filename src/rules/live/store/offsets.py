"""How far the log has been processed, and what of it could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rules.alerts.model import OffsetConflictError
from rules.live.store import quarantine
from runtime.connection import Connection
from runtime.units import from_us, to_us
from telemetry.archive.store import Archive
from telemetry.log.base import StoredRecord

#: What is kept of a record that could not be read.
REJECTED_BYTES: Final = 4096
_REASON_CHARS, _HEADERS, _HEADER_CHARS = 500, 32, 256


async def offsets(conn: Connection, topic: str) -> dict[int, int]:
    """Next offset to process of each partition of ``topic`` that has one (none = start at 0)."""
    rows = await conn.fetch("SELECT partition, next_offset FROM log_offsets WHERE topic = $1", topic)
    return {r["partition"]: r["next_offset"] for r in rows}


async def other_logs(conn: Connection, topic: str) -> list[str]:
    """Names under which offsets of other logs are kept: this database was fed by them before."""
    rows = await conn.fetch("SELECT DISTINCT topic FROM log_offsets WHERE topic <> $1 ORDER BY 1", topic)
    return [r["topic"] for r in rows]


async def rename_log(conn: Connection, former: str, topic: str) -> bool:
    """In a transaction: the log that was called ``former`` is called ``topic`` from now on; whether there was anything to
    rename. Nothing is where there are offsets under ``topic``."""
    done: str = await conn.execute(
        "UPDATE log_offsets SET topic = $2 WHERE topic = $1 AND topic <> $2"
        " AND NOT EXISTS (SELECT FROM log_offsets WHERE topic = $2)",
        former,
        topic,
    )
    if done == "UPDATE 0":
        return False
    await conn.execute("UPDATE rejected_records SET topic = $2 WHERE topic = $1", former, topic)
    await quarantine.rename(conn, former, topic)
    return True


async def claim_offsets(conn: Connection, topic: str, partitions: Iterable[int], claim: str) -> None:
    """From now on whoever calls himself ``claim`` has ``partitions``. Waits for a transaction of who had them before, so
    that what is read after this is what that left."""
    await conn.execute(
        "INSERT INTO log_offsets (topic, partition, next_offset, claim)"
        " SELECT $1, p, 0, $3 FROM unnest($2::integer[]) p ORDER BY p"
        " ON CONFLICT (topic, partition) DO UPDATE SET claim = EXCLUDED.claim",
        topic,
        sorted(partitions),
        claim,
    )


async def lock_offsets(conn: Connection, topic: str, expected: Mapping[int, int], claim: str) -> None:
    """Hold the partitions in ``expected`` to the end of the transaction. Call it *first*, with all partitions that this
    worker has and the offset it believes each to be at.

    Raises OffsetConflictError when another worker has claimed or moved one meanwhile: a worker that was stalled while
    its partition went to another cannot write its stale state over the newer one.
    """
    rows = await conn.fetch(
        "SELECT partition, next_offset, claim FROM log_offsets"
        " WHERE topic = $1 AND partition = ANY($2::integer[]) ORDER BY partition FOR UPDATE",
        topic,
        sorted(expected),
    )
    found = {r["partition"]: (r["next_offset"], r["claim"]) for r in rows}
    moved = sorted(p for p, offset in expected.items() if found.get(p) != (offset, claim))
    if moved:
        raise OffsetConflictError(f"another worker has taken partitions {moved} of {topic}")


async def save_offsets(conn: Connection, topic: str, next_offsets: Mapping[int, int]) -> None:
    """Record that everything before ``next_offsets`` is processed, in the transaction that wrote the results."""
    parts = sorted(next_offsets)
    await conn.execute(
        "INSERT INTO log_offsets (topic, partition, next_offset)"
        " SELECT $1, * FROM unnest($2::integer[], $3::bigint[])"
        " ON CONFLICT (topic, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset, updated_at = now()",
        topic,
        parts,
        [next_offsets[p] for p in parts],
    )


async def save_known(conn: Connection, topic: str, partitions: Iterable[int], known_us: int) -> None:
    """What was received in ``partitions`` of the log until ``known_us`` is processed."""
    await conn.execute(
        "UPDATE log_offsets SET known_until = $3 WHERE topic = $1 AND partition = ANY($2::integer[])",
        topic,
        sorted(partitions),
        from_us(known_us),
    )


async def known_until(conn: Connection, archive: Archive, now_us: int) -> int:
    """Until when everything received is processed, of the log in use; ``now_us`` while there was never a record.
    A partition nobody works on holds it back: silence proves nothing then. 0 = not known at all: there are positions
    and no word on how far the log was read (a database that is being restored, offsets that were deleted)."""
    row = await conn.fetchrow(
        "SELECT count(*) AS parts, min(COALESCE(known_until, 'epoch')) AS known FROM log_offsets WHERE topic ="
        " (SELECT topic FROM log_offsets ORDER BY known_until DESC NULLS LAST, updated_at DESC LIMIT 1)"
    )
    if row["parts"]:
        return min(now_us, to_us(row["known"]))
    return 0 if await archive.holds_any(conn) else now_us


async def save_rejected(conn: Connection, rejected: Sequence[tuple[StoredRecord, str]], at_us: int) -> None:
    """Keep records that could not be read, with the reason: the first REJECTED_BYTES of each. Again: changes
    nothing."""
    if rejected:
        await conn.executemany(
            'INSERT INTO rejected_records (topic, partition, "offset", reason, headers, payload, payload_bytes,'
            " rejected_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            [
                (
                    record.topic, record.partition, record.offset, _text(reason, _REASON_CHARS),
                    {_text(k, _HEADER_CHARS): _text(v, _HEADER_CHARS) for k, v in list(record.headers.items())[:_HEADERS]},
                    record.payload[:REJECTED_BYTES], len(record.payload), from_us(at_us),
                )
                for record, reason in rejected
            ],
        )  # fmt: skip


async def drop_rejected(conn: Connection, before_us: int) -> None:
    """Delete the rejected records older than ``before_us``."""
    await conn.execute("DELETE FROM rejected_records WHERE rejected_at < $1", from_us(before_us))


def _text(value: str, limit: int) -> str:
    """``value`` bounded, and without what PostgreSQL takes in no text."""
    return value[:limit].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
