"""How far the log has been processed, what of it could not be read, and the facts that changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from registry.changes import LOOK_BACK_DAYS
from rules.alerts.model import FactChange, OffsetConflictError
from runtime.connection import Connection
from runtime.units import from_us, to_us
from telemetry.log.base import StoredRecord

#: What is kept of a record that could not be read.
REJECTED_BYTES: Final = 4096
_REASON_CHARS, _HEADERS, _HEADER_CHARS = 500, 32, 256


#: Days of tracks, over all vehicles, that changed parameters may go back over in one transaction; those of one vehicle
#: count for no more than a recomputation reaches back (LOOK_BACK_DAYS).
PARAMETER_DAYS: Final = 500


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


async def take_fact_changes(
    conn: Connection, vehicle_nos: Sequence[int] | None, limit: int
) -> list[FactChange]:
    """The oldest ``limit`` fact changes of ``vehicle_nos`` (None = of every vehicle), by seq, those of parameters last.
    They stay until ``delete_fact_changes`` in the same transaction; ones that another worker has in hand are left to it.

    A parameter may change everything of a whole fleet at once. Of that few vehicles come at a time, beside what else
    waits, so that neither an order that is entered nor a position waits behind all of it.
    """
    own = None if vehicle_nos is None else [int(no) for no in vehicle_nos]
    rows = await conn.fetch(
        "SELECT seq, kind, subject, vehicle_no, from_time FROM fact_changes WHERE kind <> 'parameter'"
        " AND ($1::integer[] IS NULL OR vehicle_no = ANY($1)) ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED",
        own,
        limit,
    )
    few = await _parameters_first(conn, own, limit)
    if few:
        rows += await conn.fetch(
            "SELECT seq, kind, subject, vehicle_no, from_time FROM fact_changes WHERE kind = 'parameter'"
            " AND vehicle_no = ANY($1::integer[]) ORDER BY seq FOR UPDATE SKIP LOCKED",
            few,
        )
    return [
        FactChange(r["seq"], r["kind"], r["subject"], r["vehicle_no"], to_us(r["from_time"])) for r in rows
    ]


async def _parameters_first(conn: Connection, own: list[int] | None, limit: int) -> list[int]:
    """The vehicles whose changed parameters come first, at most so many that PARAMETER_DAYS are gone back over."""
    rows = await conn.fetch(
        "SELECT vehicle_no, LEAST(GREATEST(extract(epoch FROM now() - min(from_time)) / 86400, 0), $3)::float8 AS days"
        " FROM fact_changes WHERE kind = 'parameter' AND ($1::integer[] IS NULL OR vehicle_no = ANY($1))"
        " GROUP BY vehicle_no ORDER BY min(seq) LIMIT $2",
        own,
        limit,
        LOOK_BACK_DAYS,
    )
    chosen: list[int] = []
    days = 0.0
    for row in rows:
        if chosen and days + row["days"] > PARAMETER_DAYS:
            break
        days += row["days"]
        chosen.append(row["vehicle_no"])
    return chosen


async def delete_fact_changes(conn: Connection, seqs: Sequence[int]) -> None:
    """The results that rest on these changes are brought up to date (same transaction)."""
    await conn.execute("DELETE FROM fact_changes WHERE seq = ANY($1::bigint[])", list(seqs))


async def facts_waiting(conn: Connection, vehicle_nos: Sequence[int] | None = None) -> bool:
    """Whether any fact change of ``vehicle_nos`` (None = of any vehicle) waits to be taken."""
    if vehicle_nos is None:
        return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM fact_changes)"))
    query = "SELECT EXISTS (SELECT FROM fact_changes WHERE vehicle_no = ANY($1::integer[]))"
    return bool(await conn.fetchval(query, vehicle_nos))


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
