"""What others hand in: looked at record by record, and kept apart from the own registry. One bad record keeps back no other.

The same again is ``unchanged``; an older version changes nothing; what is this instance's own, of another peer, or outside of
the peer's units is refused. ``take`` works in the transaction of a request, whose rows the database limits to the units of the
peer as well (row-level security): a fault here writes nothing where the peer may not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from office.exchange.kinds import (
    KINDS,
    MAX_VERSION,
    MOST_RECORD_BYTES,
    NAME_PATTERN,
    UP,
    Id,
    Outcome,
    digest,
    normal,
    plain_json,
    time_of,
)
from office.exchange.peers import Peer, own_name
from office.exchange.status import note_arrivals
from registry.refusals import explain
from runtime.connection import Connection

#: Records of a batch, at most.
MOST_RECORDS: Final = 500
_PEER_LOCKS: Final = 0x65786368  # "exch": the first of two keys of an advisory lock, the second is the peer's


class Envelope(BaseModel):
    """A record as it is handed in."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    kind: Annotated[str, StringConstraints(max_length=32)]
    origin: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    id: Id
    version: Annotated[int, Field(ge=1, le=MAX_VERSION)]
    organisation: Id
    payload: dict[str, Any] | None


def _no(code: str, detail: str, version: int | None = None) -> Outcome:
    return Outcome("refused", code, detail, version)


@dataclass(slots=True)
class Received:
    place: int
    envelope: Envelope
    payload: dict[str, Any] | None
    sha256: bytes

    @property
    def key(self) -> tuple[str, str, str]:
        return self.envelope.origin, self.envelope.kind, self.envelope.id


async def lock_peer(connection: Connection, peer: str) -> bool:
    """Batches of one peer come one after the other; False = another one is being taken now."""
    return bool(
        await connection.fetchval("SELECT pg_try_advisory_xact_lock($1, hashtext($2))", _PEER_LOCKS, peer)
    )


async def take(connection: Connection, peer: Peer, given: Sequence[Any]) -> list[Outcome]:
    """Keep the records of a batch of a peer below; one outcome each, in order. In a transaction, after ``lock_peer``."""
    outcomes: list[Outcome | None] = [None] * len(given)
    records = list[Received]()
    for place, one in enumerate(given):
        found = read_record(place, one, UP)
        if isinstance(found, Outcome):
            outcomes[place] = found
        else:
            records.append(found)
    refused = (
        await _hidden(connection, records)
        | await _own(connection, records)
        | await _origins(connection, peer, records)
    )
    units = dict(
        await _places(connection, peer, [record for record in records if record.payload is not None])
    )
    units |= await _taken_back(connection, peer, [record for record in records if record.payload is None])
    fine = list[tuple[Received, str]]()
    for record in records:
        no = refused.get(record.place)
        unit = units.get(record.place)
        if no is None and isinstance(unit, Outcome):
            no = unit
        if no is not None:
            outcomes[record.place] = no
        elif isinstance(unit, str):
            fine.append((record, unit))
    for place, outcome in (await keep(connection, peer.name, fine)).items():
        outcomes[place] = outcome
    done = [_no("invalid", "无法识别 · cannot be read") if one is None else one for one in outcomes]
    await _count(connection, peer.name, given, done)
    return done


def read_record(place: int, given: Any, kinds: Mapping[str, Any]) -> Received | Outcome:
    try:
        envelope = Envelope.model_validate(given)
        if envelope.kind not in kinds:
            return _no("unknown-kind", f"没有这种记录 · no such kind; {', '.join(kinds)}")
        payload = None
        if envelope.payload is not None:
            payload = normal(KINDS[envelope.kind], envelope.payload)
            if payload["organisation"] != envelope.organisation:
                return _no("invalid", "organisation: 与记录内容不一致 · other than in the payload")
            if len(plain_json(payload)) > MOST_RECORD_BYTES:
                return _no(
                    "too-large", f"超过 {MOST_RECORD_BYTES} 字节 · more than {MOST_RECORD_BYTES} bytes"
                )
    except ValidationError as error:
        flaws = [
            (("payload." if error.title != "Envelope" else "") + flaw.field, flaw.message)
            for flaw in explain(error)[:3]
        ]
        return _no("invalid", "; ".join(f"{field}: {message}" for field, message in flaws))
    return Received(place, envelope, payload, digest(payload))


async def _origins(connection: Connection, peer: Peer, records: Sequence[Received]) -> dict[int, Outcome]:
    """Refusals of records whose origin is not the peer's to bring."""
    own = await own_name(connection)
    refused: dict[str, Outcome | None] = {}
    for origin in sorted({record.envelope.origin for record in records}):
        if origin == own:
            refused[origin] = _no("own-origin", "来源是本级自己 · the origin is this instance itself")
            continue
        owner = await connection.fetchval("SELECT exchange_claim($1, $2)", origin, peer.name)
        if owner != peer.name:
            refused[origin] = _no(
                "foreign-origin", "该来源由另一平台上报 · this origin comes to us from another peer"
            )
    return {record.place: no for record in records if (no := refused.get(record.envelope.origin)) is not None}


async def _own(connection: Connection, records: Sequence[Received]) -> dict[int, Outcome]:
    """Refusals of ids that this instance has itself; a unit is known."""
    found: dict[int, Outcome] = {}
    for kind in sorted({record.envelope.kind for record in records}):
        some = [record for record in records if record.envelope.kind == kind]
        ids = [record.envelope.id for record in some]
        rows = await connection.fetch("SELECT exchange_owned($1, $2::text[]) AS id", kind, ids)
        own = {row["id"] for row in rows}
        for record in some:
            if record.envelope.id in own and kind != "unit":
                found[record.place] = _no(
                    "own-id", "该编号是本级自己的记录 · this instance has a record of its own with that id"
                )
    return found


async def _places(
    connection: Connection, peer: Peer, records: Sequence[Received]
) -> dict[int, str | Outcome]:
    """The unit of ours under which each record is kept, or why it is not. A unit that is not in our tree comes under the unit of
    the peer, when it belongs below it as the peer says."""
    reach = {row["id"] for row in await connection.fetch("SELECT unnest(reach_units()) AS id")}
    everywhere = await connection.fetchval("SELECT pg_has_role(current_user, 'gongche_everywhere', 'USAGE')")
    names = {record.envelope.organisation for record in records}
    names |= {parent for record in records if (parent := _parent(record))}
    rows = await connection.fetch(
        "SELECT unit, place FROM exchange_units($1::text[], $2)", sorted(names), peer.name
    )
    places = {row["unit"]: row["place"] for row in rows}

    def reaches(unit: str) -> bool:
        return everywhere or unit in reach

    return {record.place: _place_of(record, peer, places, reaches) for record in records}


def _place_of(
    record: Received, peer: Peer, places: dict[str, str], reaches: Callable[[str], bool]
) -> str | Outcome:
    """See ``_places``. ``places``: of units that are known, to which a new one is added: it may come in one batch with those below
    it."""
    unit, is_unit = record.envelope.organisation, record.envelope.kind == "unit"
    place = places.get(unit)
    if place == "ours":
        if not reaches(unit):
            return _no("out-of-scope", f"单位 {unit} 不在您的范围内 · the unit is not one of yours")
        return Outcome("known", version=record.envelope.version) if is_unit else unit
    if place == "other":
        return _no("out-of-scope", f"单位 {unit} 由另一平台上报 · the unit came from another peer")
    if not is_unit:
        if place == "peer":
            return peer.organisation
        return _no(
            "unknown-unit", f"单位 {unit} 未知，请先上报单位 · the unit is not known; hand it in first"
        )
    if unit != record.envelope.id:
        return _no("invalid", "organisation: 应为单位自身编号 · must be the unit itself")
    parent = _parent(record)
    above = None if parent is None else places.get(parent)
    if parent is None or above is None:
        return _no("unknown-unit", f"上级单位 {parent} 未知 · the unit above it is not known")
    if above == "other" or (above == "ours" and not reaches(parent)):
        return _no(
            "out-of-scope", f"上级单位 {parent} 不在您的范围内 · the unit above it is not one of yours"
        )
    places[unit] = "peer"
    return peer.organisation


def _parent(record: Received) -> str | None:
    """The unit above the unit that a record is about."""
    return record.payload["parent"] if record.envelope.kind == "unit" and record.payload else None


def _keys(records: Iterable[Received]) -> list[list[str]]:
    """Origins, kinds and ids of records, each in their order: for ``unnest``."""
    envelopes = [record.envelope for record in records]
    return [[e.origin for e in envelopes], [e.kind for e in envelopes], [e.id for e in envelopes]]


async def _taken_back(connection: Connection, peer: Peer, records: Sequence[Received]) -> dict[int, str]:
    """A record that is taken back stays under the unit under which it is. Of one that is not here the fact is kept: what was sent
    before and comes late, a stalled request, must not bring the content of a secret record."""
    rows = await connection.fetch(
        "SELECT r.origin, r.kind, r.id, r.organisation FROM exchange_records r"
        " JOIN unnest($1::text[], $2::text[], $3::text[]) AS u (origin, kind, id) USING (origin, kind, id)",
        *_keys(records),
    )
    units = {(row["origin"], row["kind"], row["id"]): row["organisation"] for row in rows}
    return {record.place: units.get(record.key, peer.organisation) for record in records}


async def _hidden(connection: Connection, records: Sequence[Received]) -> dict[int, Outcome]:
    """Refusals of records that are here under units which the peer does not reach any more."""
    rows = await connection.fetch(
        "SELECT origin, kind, id FROM exchange_hidden($1::text[], $2::text[], $3::text[])",
        *_keys(records),
    )
    hidden = {tuple(row) for row in rows}
    no = _no("out-of-scope", "该记录不在您的范围内 · the record is not one of your units")
    return {record.place: no for record in records if record.key in hidden}


async def keep(
    connection: Connection, peer: str, records: Sequence[tuple[Received, str]], *, believed: bool = False
) -> dict[int, Outcome]:
    """Write what is newer; outcomes by place. ``believed``: the sender is the one above, whose present word holds."""
    stored = {
        (row["origin"], row["kind"], row["id"]): row
        for row in await connection.fetch(
            "SELECT r.origin, r.kind, r.id, r.version, r.sha256, r.peer, r.organisation FROM exchange_records r"
            " JOIN unnest($1::text[], $2::text[], $3::text[]) AS u (origin, kind, id) USING (origin, kind, id) FOR UPDATE OF r",
            *_keys(record for record, _ in records),
        )
    }
    present = {
        key: (int(row["version"]), bytes(row["sha256"]), row["organisation"]) for key, row in stored.items()
    }
    outcomes: dict[int, Outcome] = {}
    newest: dict[tuple[str, str, str], tuple[Received, str]] = {}
    for record, unit in records:
        known, outcome = present.get(record.key), None
        if record.key in stored and stored[record.key]["peer"] != peer:
            outcome = _no("foreign-record", "该记录由另一平台上报 · the record came from another peer")
        elif known is not None and believed:
            if (record.sha256, unit) == known[1:]:
                outcome = Outcome("unchanged", version=known[0])
        elif known is not None:
            outcome = _no_news(record, known[0], known[1])
        if outcome is None:
            present[record.key] = record.envelope.version, record.sha256, unit
            newest[record.key] = record, unit
            outcome = Outcome("stored", version=record.envelope.version)
        outcomes[record.place] = outcome
    now = datetime.now(UTC)
    await connection.executemany(
        "INSERT INTO exchange_records AS r (origin, kind, id, peer, organisation, unit, version, sha256, payload, status, happened_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (origin, kind, id) DO UPDATE SET"
        " organisation = EXCLUDED.organisation, unit = EXCLUDED.unit, version = EXCLUDED.version, sha256 = EXCLUDED.sha256,"
        " payload = EXCLUDED.payload, status = EXCLUDED.status, received_at = clock_timestamp(),"
        " happened_at = CASE WHEN EXCLUDED.payload IS NULL THEN r.happened_at ELSE EXCLUDED.happened_at END",
        [
            (
                e.origin, e.kind, e.id, peer, unit, e.organisation, e.version, record.sha256, record.payload,
                _status(record), time_of(KINDS[e.kind], record.payload, now),
            )
            for record, unit in sorted(newest.values(), key=lambda pair: pair[0].key)
            for e in (record.envelope,)
        ],
    )  # fmt: skip
    return outcomes


def _no_news(record: Received, version: int, sha256: bytes) -> Outcome | None:
    """What a record comes to that is no newer than the ``version`` that is here, with the content ``sha256``; None = it is newer."""
    if record.envelope.version > version:
        return None
    if record.sha256 == sha256:
        return Outcome("unchanged", version=version)
    if record.envelope.version < version:
        return _no("stale", "已有更新的版本 · a newer version is here", version)
    return _no("version-reused", "同一版本号内容不同 · another content under the same version", version)


def _status(record: Received) -> str | None:
    field = KINDS[record.envelope.kind].status
    return None if field is None or record.payload is None else record.payload.get(field)


async def _count(
    connection: Connection, peer: str, given: Sequence[Any], outcomes: Sequence[Outcome]
) -> None:
    counts = Counter[tuple[str, str]]()
    said: dict[str, str] = {}
    for one, outcome in zip(given, outcomes, strict=True):
        kind = one.get("kind") if isinstance(one, dict) else None
        kind = kind if isinstance(kind, str) and kind in UP else "?"
        counts[kind, "unchanged" if outcome.outcome == "known" else outcome.outcome] += 1
        if outcome.outcome == "refused":
            said[kind] = f"{outcome.code}: {outcome.detail}"
    await note_arrivals(
        connection,
        peer,
        [
            (kind, counts[kind, "stored"], counts[kind, "unchanged"], counts[kind, "refused"], said.get(kind))
            for kind in sorted({kind for kind, _ in counts})
        ],
    )


async def note_stands(connection: Connection, peer: str, said: Mapping[str, tuple[int, int]]) -> None:
    """What the peer says of itself, by kind: confirmed by us, and waiting there. In the transaction of its batch."""
    await connection.executemany(
        "INSERT INTO exchange_arrivals AS a (peer, kind, said_confirmed, said_waiting, said_at) VALUES ($1, $2, $3, $4, now())"
        " ON CONFLICT (peer, kind) DO UPDATE SET said_confirmed = EXCLUDED.said_confirmed, said_waiting = EXCLUDED.said_waiting,"
        " said_at = EXCLUDED.said_at",
        [(peer, kind, *numbers) for kind, numbers in sorted(said.items()) if kind in UP],
    )
