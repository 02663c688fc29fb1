"""A batch for a peer above: what is taken from the list, which version it gets, and what the peer's answer comes to.

A version is bound to a content in a transaction of its own before anything is sent. So a batch that is sent again, after
whatever happened, says the same again, and the peer sees that it has it already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from office.exchange.kinds import MOST_RECORD_BYTES, Outcome
from office.exchange.records import Told, build, received, size_of, with_version
from registry.organisations import units_below
from runtime.connection import Connection

#: A batch: records and bytes at most (of their contents; what is around them is little).
MOST_RECORDS: Final = 200
MOST_BYTES: Final = 600_000
_DETAIL: Final = 500

#: What the receiver says of a record that it keeps: it is confirmed.
KEPT: Final = frozenset({"stored", "unchanged", "known"})
#: What a mapping makes of a record: its fields for the receiver, None = the receiver has no such record. Raises ValueError.
Mapper = Callable[[Told], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list."""

    kind: str
    origin: str
    id: str
    ticket: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A record of a batch and the row of the list that it comes from."""

    row: Row
    told: Told
    payload: Mapping[str, Any] | None


@dataclass(slots=True)
class Batch:
    """What is sent at once; ``done``: how many rows came to nothing to send, and are worked off already."""

    pieces: list[Piece] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    done: int = 0


async def prepare(
    connection: Connection,
    peer: str,
    roots: Collection[str],
    most: int = MOST_RECORDS,
    mapper: Mapper | None = None,
) -> Batch:
    """The next batch for ``peer``, of records of ``roots`` and the units below them. In a transaction, which is committed before
    anything is sent. Of an empty batch ``done`` says whether rows were worked off."""
    rows = [
        Row(*row)
        for row in await connection.fetch(
            "SELECT kind, origin, id, ticket FROM exchange_queue WHERE peer = $1 AND refused_code IS NULL"
            " ORDER BY urgency, ticket LIMIT $2",
            peer,
            most,
        )
    ]
    batch = Batch()
    if not rows:
        return batch
    units = await units_below(connection, roots)
    told, flaws = await _contents(connection, rows)
    known = await _ledger(connection, peer, [one for row in rows for one in told.get(row, ())])
    # After the ledger: what was dropped from it before is in this number.
    least = await connection.fetchval("SELECT least_version FROM exchange_states WHERE peer = $1", peer) or 0
    size = 0
    for row in rows:
        if (flaw := flaws.get(row)) is not None:
            await refuse(connection, peer, row, "invalid-here", flaw)
            batch.done += 1
            continue
        try:
            pieces = [
                _piece(row, one, known.get((one.kind, one.origin, one.id)), least, units, mapper)
                for one in told.get(row, ())
            ]
        except ValueError as error:
            await refuse(connection, peer, row, "mapping", str(error))
            batch.done += 1
            continue
        news = [piece for piece in pieces if piece is not None]
        if not news:
            await _done(connection, peer, [row])
            batch.done += 1
            continue
        bytes_of = sum(size_of(piece.told) for piece in news)
        if bytes_of > MOST_RECORD_BYTES:
            await refuse(
                connection,
                peer,
                row,
                "too-large",
                f"{bytes_of} 字节 · {bytes_of} bytes, at most {MOST_RECORD_BYTES}",
            )
            batch.done += 1
            continue
        if batch.pieces and size + bytes_of > MOST_BYTES:
            break
        size += bytes_of
        batch.pieces += news
        batch.rows.append(row)
    await _bind(connection, peer, batch.pieces)
    return batch


async def _contents(
    connection: Connection, rows: Sequence[Row]
) -> tuple[dict[Row, list[Told]], dict[Row, str]]:
    """What others are told of each row, and what is wrong with records that cannot be told. Read after the rows were taken, so
    with every change that the tickets stand for."""
    own, others = defaultdict[str, list[Row]](list), defaultdict[str, list[Row]](list)
    for row in rows:
        (others if row.origin else own)[row.kind].append(row)
    told: dict[Row, list[Told]] = {}
    flaws: dict[Row, str] = {}
    for kind, some in own.items():
        built = await build(connection, kind, [row.id for row in some])
        told |= {row: built.told[row.id] for row in some if row.id in built.told}
        flaws |= {row: built.flaws[row.id] for row in some if row.id in built.flaws}
    for kind, some in others.items():
        found = await received(connection, kind, [(row.origin, row.id) for row in some])
        by_key = {(one.origin, one.id): one for one in found}
        told |= {row: [by_key[row.origin, row.id]] for row in some if (row.origin, row.id) in by_key}
    return told, flaws


def _piece(
    row: Row, told: Told, known: Any, least: int, units: Collection[str], mapper: Mapper | None
) -> Piece | None:
    """What the peer has to be told; None = nothing. ``known``: what it was told last; ``least``: a new record begins above this
    version: it may have been there before, and was taken back long ago (``keeping``). A record that left the units of the peer
    is taken back there. Raises ValueError for what the mapping cannot say."""
    if told.unit not in units and told.payload is not None:
        told = replace(told, payload=None)
    payload = told.payload
    if mapper is not None and payload is not None:
        payload = mapper(told)
        if payload is None:
            return None
    if told.payload is None and known is None:
        return None  # it was never told
    same = known is not None and known["sha256"] == told.sha256
    if same and known["confirmed"]:
        return None
    version = least + 1 if known is None else known["version"] + (0 if same else 1)
    return Piece(row, with_version(told, version), payload)


async def _ledger(connection: Connection, peer: str, told: Sequence[Told]) -> dict[tuple[str, str, str], Any]:
    rows = await connection.fetch(
        "SELECT s.kind, s.origin, s.id, s.version, s.sha256, s.confirmed FROM exchange_sent s"
        " JOIN unnest($2::text[], $3::text[], $4::text[]) AS u (kind, origin, id) USING (kind, origin, id) WHERE s.peer = $1",
        peer,
        [one.kind for one in told],
        [one.origin for one in told],
        [one.id for one in told],
    )
    return {(row["kind"], row["origin"], row["id"]): row for row in rows}


async def _bind(connection: Connection, peer: str, pieces: Sequence[Piece]) -> None:
    """Bind versions to contents, before they are sent."""
    await connection.executemany(
        "INSERT INTO exchange_sent (peer, kind, origin, id, version, sha256, gone) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT (peer, kind, origin, id) DO UPDATE SET version = EXCLUDED.version, sha256 = EXCLUDED.sha256,"
        " gone = EXCLUDED.gone, confirmed = false, sent_at = clock_timestamp(),"
        # What was taken back is not there until it is confirmed anew.
        " confirmed_at = CASE WHEN exchange_sent.gone THEN NULL ELSE exchange_sent.confirmed_at END",
        [
            (
                peer,
                p.told.kind,
                p.told.origin,
                p.told.id,
                p.told.version,
                p.told.sha256,
                p.told.payload is None,
            )
            for p in pieces
        ],
    )


async def note(
    connection: Connection, peer: str, batch: Batch, results: Sequence[Outcome]
) -> tuple[int, int]:
    """What the receiver answered, in the order of the pieces: (confirmed, refused). In a transaction. A row of the list is done
    when all of it was confirmed and nothing changed meanwhile."""
    kept, refused = list[tuple[Piece, bool]](), dict[Row, tuple[Piece, Outcome]]()
    for piece, result in zip(batch.pieces, results, strict=True):
        if result.outcome in KEPT:
            kept.append((piece, result.outcome == "known"))
        else:
            refused.setdefault(piece.row, (piece, result))
    await connection.executemany(
        "UPDATE exchange_sent SET confirmed = true, confirmed_at = clock_timestamp(), known = $6"
        " WHERE peer = $1 AND kind = $2 AND origin = $3 AND id = $4 AND version = $5",
        [(peer, p.told.kind, p.told.origin, p.told.id, p.told.version, known) for p, known in kept],
    )
    for row, (piece, result) in refused.items():
        code = result.code or result.outcome
        await refuse(connection, peer, row, code, result.detail, piece.told.id, result.version)
    await _done(connection, peer, [row for row in batch.rows if row not in refused])
    return len(kept), len(refused)


async def refuse(
    connection: Connection,
    peer: str,
    row: Row,
    code: str,
    detail: str,
    id: str | None = None,
    version: int | None = None,
) -> None:
    """The row becomes a dead letter, unless it has changed meanwhile: then it is tried again by itself."""
    await connection.execute(
        "UPDATE exchange_queue SET refused_code = $6, refused_detail = $7, refused_id = $8, refused_version = $9, refused_at = now()"
        " WHERE peer = $1 AND kind = $2 AND origin = $3 AND id = $4 AND ticket = $5",
        peer, row.kind, row.origin, row.id, row.ticket, code[:100], detail[:_DETAIL].replace("\0", ""), id or row.id, version,
    )  # fmt: skip


async def _done(connection: Connection, peer: str, rows: Sequence[Row]) -> None:
    await connection.execute(
        "DELETE FROM exchange_queue q USING unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) AS u (kind, origin, id, ticket)"
        " WHERE q.peer = $1 AND q.kind = u.kind AND q.origin = u.origin AND q.id = u.id AND q.ticket = u.ticket",
        peer,
        [row.kind for row in rows],
        [row.origin for row in rows],
        [row.id for row in rows],
        [row.ticket for row in rows],
    )
