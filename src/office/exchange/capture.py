"""What has to be told to a peer above: a list of records (``exchange_queue``), made from what is numbered in the order of commits
already: the outbox of changes and the feed of alerts. So no change is missed, whoever made it, and a process that is killed goes
on where it was: the place and the list are written in one transaction.

A new peer is told everything first (the snapshot), from a place that was taken before: what changes meanwhile comes after it.
The list holds ids, one row for a record however often it changed; contents are read when they are sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from office.exchange.kinds import DOWN, UP
from registry.changes import Place, begin_reading, missed, read_changes, save_place, take_place
from rules.alerts.feed import feed_end
from runtime.connection import Connection, affected

#: Changes, or entries of the feed, that are taken at once.
PAGE: Final = 2_000
#: The snapshot adds so many ids at once, and waits while so many are in the list: it is never the whole registry.
SNAPSHOT_PAGE: Final = 5_000
SNAPSHOT_WAITS_AT: Final = 20_000

#: Kinds of records of which the outbox has changes, under the same name. Alerts have their feed.
_CHANGED: Final = frozenset({"unit", "vehicle", "driver", "order", "case"})
#: Ids of everything of a kind after an id, for the snapshot. What came from others is the last.
_EVERYTHING: Final = {
    "unit": "SELECT '' AS origin, id FROM organisations WHERE id > $1 ORDER BY id LIMIT $2",
    "alert": "SELECT '' AS origin, id FROM alerts WHERE id > $1 ORDER BY id LIMIT $2",
    "case": "SELECT '' AS origin, id FROM cases WHERE number IS NOT NULL AND id > $1 ORDER BY id LIMIT $2",
    "vehicle": "SELECT '' AS origin, id FROM vehicles WHERE id > $1 ORDER BY id LIMIT $2",
    "driver": "SELECT '' AS origin, id FROM drivers WHERE id > $1 ORDER BY id LIMIT $2",
    "order": "SELECT '' AS origin, id FROM dispatch_orders WHERE is_newest AND part_of IS NULL AND id > $1 ORDER BY id LIMIT $2",
}
RECEIVED: Final = "received"
_SNAPSHOT_ORDER: Final = (*UP, RECEIVED)


def reader_of(peer: str) -> str:
    """The name of the reader of the outbox that ``peer`` has."""
    return f"exchange:{peer}"


async def begin(connection: Connection, peer: str) -> None:
    """Tell ``peer`` everything, from now on. In a transaction."""
    await begin_reading(connection, reader_of(peer))
    await connection.execute(
        "INSERT INTO exchange_states (peer, feed_seq, snapshot_kind) VALUES ($1, $2, $3) ON CONFLICT (peer)"
        " DO UPDATE SET feed_seq = EXCLUDED.feed_seq, snapshot_kind = EXCLUDED.snapshot_kind, snapshot_after = ''",
        peer,
        await feed_end(connection),
        _SNAPSHOT_ORDER[0],
    )


async def capture(connection: Connection, peer: str, kinds: Iterable[str]) -> bool:
    """Take what is new, once; whether there is more. In a transaction."""
    wanted = frozenset(kinds)
    place = await take_place(connection, reader_of(peer))
    if place is None:
        return False
    if await missed(connection, place):
        await begin(connection, peer)
        return True
    more = await _changes(connection, peer, wanted, place)
    more |= await _feed(connection, peer, wanted)
    return more | await _snapshot(connection, peer, wanted)


async def _changes(connection: Connection, peer: str, wanted: frozenset[str], place: Place) -> bool:
    changes = await read_changes(connection, place, PAGE)
    pairs = [(c.kind, "", c.subject) for c in changes if c.kind in _CHANGED]
    vehicles = [c.subject for c in changes if c.kind == "vehicle"]
    if vehicles:
        pairs += await _of_secret_vehicles(connection, peer, vehicles)
    if numbers := [int(c.subject) for c in changes if c.kind == RECEIVED]:
        rows = await connection.fetch(
            "SELECT kind, origin, id FROM exchange_records WHERE no = ANY($1::bigint[]) AND peer <> $2 ORDER BY no",
            numbers,
            peer,
        )
        pairs += [tuple(row) for row in rows]
    await put(connection, peer, [pair for pair in pairs if pair[0] in wanted])
    # Also where nothing came: it says that somebody reads, and changes are kept for him.
    await save_place(connection, reader_of(peer), changes[-1].place if changes else place)
    return len(changes) == PAGE


async def _of_secret_vehicles(
    connection: Connection, peer: str, vehicles: list[str]
) -> list[tuple[str, str, str]]:
    """What names vehicles that are secret, or that the peer knows as such: it is told anew, masked or not masked any more."""
    secret = [
        row["id"]
        for row in await connection.fetch(
            "SELECT v.id FROM vehicles v WHERE v.id = ANY($2::text[]) AND (v.secret OR EXISTS (SELECT FROM exchange_sent s"
            " WHERE s.peer = $1 AND s.kind = 'vehicle' AND s.origin = '' AND s.id = masked_id('vehicle', v.id) AND NOT s.gone))",
            peer,
            vehicles,
        )
    ]
    if not secret:
        return []
    rows = await connection.fetch(
        "WITH plates AS (SELECT plate FROM vehicles WHERE id = ANY($1::text[]) UNION SELECT p.plate FROM vehicle_plates p"
        " JOIN vehicles v ON v.no = p.vehicle_no WHERE v.id = ANY($1::text[])),"
        " orders AS (SELECT DISTINCT COALESCE(part_of, id) AS id FROM dispatch_orders WHERE vehicle = ANY($1::text[])),"
        " found AS (SELECT id FROM alerts WHERE vehicle = ANY($1::text[]) OR plate IN (SELECT plate FROM plates WHERE plate <> '')"
        " OR card IN (SELECT b.card FROM card_bindings b JOIN plates p ON p.plate = b.plate))"
        " SELECT 'order' AS kind, '' AS origin, id FROM orders UNION ALL SELECT 'alert', '', id FROM found"
        " UNION ALL SELECT 'case', '', c.id FROM cases c WHERE c.vehicle = ANY($1::text[]) OR EXISTS (SELECT FROM case_links l"
        " WHERE l.case_id = c.id AND (l.kind = 'alert' AND l.ref IN (SELECT id FROM found)"
        " OR l.kind = 'order' AND l.ref IN (SELECT id FROM orders) OR l.kind = 'complaint' AND EXISTS (SELECT FROM complaints k"
        " WHERE k.id = l.ref AND k.vehicle = ANY($1::text[]))))",
        secret,
    )
    return [tuple(row) for row in rows]


async def _feed(connection: Connection, peer: str, wanted: frozenset[str]) -> bool:
    rows = await connection.fetch(
        "SELECT f.seq, f.alert_id FROM exchange_states s CROSS JOIN LATERAL (SELECT seq, alert_id FROM alert_feed"
        " WHERE seq > s.feed_seq ORDER BY seq LIMIT $2) f WHERE s.peer = $1 ORDER BY f.seq",
        peer,
        PAGE,
    )
    if not rows:
        return False
    if "alert" in wanted:
        await put(connection, peer, [("alert", "", row["alert_id"]) for row in rows])
    await connection.execute(
        "UPDATE exchange_states SET feed_seq = $2 WHERE peer = $1", peer, rows[-1]["seq"]
    )
    return len(rows) == PAGE


async def _snapshot(connection: Connection, peer: str, wanted: frozenset[str]) -> bool:
    state = await connection.fetchrow(
        "SELECT snapshot_kind, snapshot_after FROM exchange_states WHERE peer = $1", peer
    )
    if state is None or state["snapshot_kind"] is None:
        return False
    waiting = await connection.fetchval(
        "SELECT count(*) FROM (SELECT FROM exchange_queue WHERE peer = $1 AND refused_code IS NULL LIMIT $2) q",
        peer,
        SNAPSHOT_WAITS_AT,
    )
    if waiting >= SNAPSHOT_WAITS_AT:
        return False
    kind, after = state["snapshot_kind"], state["snapshot_after"]
    if kind == RECEIVED:
        rows = await connection.fetch(
            "SELECT no::text AS place, kind, origin, id FROM exchange_records WHERE no > $1 AND peer <> $2 AND kind = ANY($4::text[])"
            " ORDER BY no LIMIT $3",
            int(after or 0), peer, SNAPSHOT_PAGE, sorted(wanted),
        )  # fmt: skip
    elif kind in wanted:
        rows = await connection.fetch(
            f"SELECT id AS place, $3::text AS kind, origin, id FROM ({_EVERYTHING[kind]}) e",  # noqa: S608 - constants
            after, SNAPSHOT_PAGE, kind,
        )  # fmt: skip
    else:
        rows = []
    await put(connection, peer, [(row["kind"], row["origin"], row["id"]) for row in rows])
    following: str | None = kind
    after = rows[-1]["place"] if rows else ""
    if len(rows) < SNAPSHOT_PAGE:
        index = _SNAPSHOT_ORDER.index(kind) + 1
        following, after = (_SNAPSHOT_ORDER[index] if index < len(_SNAPSHOT_ORDER) else None), ""
    await connection.execute(
        "UPDATE exchange_states SET snapshot_kind = $2, snapshot_after = $3 WHERE peer = $1",
        peer,
        following,
        after,
    )
    return following is not None


async def put(connection: Connection, peer: str, records: Iterable[tuple[str, str, str]]) -> None:
    """Note that records (kind, origin, id) have to be told to ``peer``. One that is noted already gets a new ticket; one that was
    refused is tried again, for it has changed."""
    wanted = [one for one in dict.fromkeys(records) if one[0] in UP]
    if not wanted:
        return
    await connection.execute(
        "INSERT INTO exchange_queue AS q (peer, kind, origin, id, urgency, ticket)"
        " SELECT $1, u.kind, u.origin, u.id, u.urgency, nextval('exchange_tickets')"
        " FROM unnest($2::text[], $3::text[], $4::text[], $5::smallint[]) WITH ORDINALITY AS u (kind, origin, id, urgency, place)"
        " ORDER BY u.place ON CONFLICT (peer, kind, origin, id) DO UPDATE SET ticket = EXCLUDED.ticket,"
        " noted_at = CASE WHEN q.refused_code IS NULL THEN q.noted_at ELSE EXCLUDED.noted_at END,"
        " refused_code = NULL, refused_detail = NULL, refused_at = NULL",
        peer,
        [kind for kind, _, _ in wanted],
        [origin for _, origin, _ in wanted],
        [id for _, _, id in wanted],
        [UP[kind].urgency for kind, _, _ in wanted],
    )


async def resend(connection: Connection, peer: str, kind: str | None = None, id: str | None = None) -> int:
    """Try dead letters of ``peer`` again; how many. What the peer has in a newer version than we know of (a database that was
    restored) is given a version above that one. In a transaction."""
    await connection.execute(
        "UPDATE exchange_sent s SET version = GREATEST(s.version, q.refused_version), confirmed = false, sha256 = ''"
        " FROM exchange_queue q WHERE q.peer = $1 AND q.refused_code IN ('stale', 'version-reused')"
        " AND s.peer = q.peer AND s.kind = q.kind AND s.origin = q.origin AND s.id = q.refused_id"
        " AND ($2::text IS NULL OR q.kind = $2) AND ($3::text IS NULL OR q.id = $3)",
        peer, kind, id,
    )  # fmt: skip
    done = await connection.execute(
        "UPDATE exchange_queue SET refused_code = NULL, refused_detail = NULL, refused_at = NULL, noted_at = clock_timestamp(),"
        " ticket = nextval('exchange_tickets') WHERE peer = $1 AND refused_code IS NOT NULL"
        " AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR id = $3)",
        peer, kind, id,
    )  # fmt: skip
    return affected(done)


assert _EVERYTHING.keys() == UP.keys() and not UP.keys() & DOWN.keys()  # noqa: S101, PT018 - a forgotten kind ends the start
