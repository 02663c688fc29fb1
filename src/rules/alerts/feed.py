"""The commit-ordered feed, and reading single alerts and their evidence. Lists: ``listing``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from rules.alerts.conditions import Conditions
from rules.alerts.model import (
    Alert,
    Evidence,
    FeedEntry,
    FeedFilter,
    FeedPart,
    VersionedAlert,
)
from runtime.apart import shown
from runtime.connection import Connection
from runtime.units import from_us

# Held from publish_feed to the end of the transaction, by whoever writes to the feed.
_FEED_LOCK = 0x676F6E67_66656564  # "gongfeed"

#: A commit with new entries notifies those who LISTEN to it.
CHANNEL: Final = "gongche_feed"
#: No page is larger than this.
MAX_PAGE = 1_000
#: So many entries are looked at, at most, to find those that a reader wants.
MOST_LOOKED_AT: Final = 5_000

_VERSION = (
    "SELECT v.body, v.created_at, a.subject, a.vehicle_no, a.id, a.detected_at FROM alerts a"
    " JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version"
)


#: A part of the feed with its contents, as the caller may see them: what is about secret vehicles that he must not see is masked
#: (migrations/0036_secrecy.sql).
_OF_PART: Final = (
    "SELECT p.seq, p.created_at, p.alert_id, v.body FROM part p JOIN (SELECT w.alert_id, w.version, w.body"
    " FROM part q JOIN alert_versions w ON w.alert_id = q.alert_id AND w.version = q.version"
    " UNION ALL SELECT * FROM masked_versions((SELECT array_agg(q.alert_id) FROM part q), (SELECT array_agg(q.version) FROM part q)))"
    " v ON v.alert_id = p.alert_id AND v.version = p.version"
)


async def publish_feed(conn: Connection, written: Sequence[Alert]) -> list[int]:
    """Give the alert versions that this transaction wrote (what ``publish`` returned) their places in the feed; the
    places, in order.

    The *last* statement before commit: from here on other writers of the feed wait until this transaction
    ends, so a place is visible before any higher one is given (seq order = commit order), and since nobody
    waits for anything while holding the lock, no deadlock can pass through it. Without new versions it takes
    no lock. Raises RuntimeError outside a transaction.
    """
    if not conn.is_in_transaction():
        raise RuntimeError("publish_feed must be the last step of the transaction that wrote the alerts")
    if not written:
        return []
    mine = sorted((alert.id, alert.version) for alert in written)
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _FEED_LOCK)
    rows = await conn.fetch(
        "INSERT INTO alert_feed (seq, alert_id, version) SELECT nextval('alert_feed_seq'), k.alert_id, k.version"
        " FROM (SELECT * FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u (alert_id, version, place)"
        " ORDER BY place) k RETURNING seq",
        [id for id, _ in mine],
        [version for _, version in mine],
    )
    # Heard when this transaction has been committed, and what it wrote can be read.
    await ring(conn)
    return sorted(r["seq"] for r in rows)


async def ring(conn: Connection) -> None:
    """Whoever listens to CHANNEL looks for news when this transaction has been committed."""
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


async def read_feed(conn: Connection, after_seq: int, limit: int) -> list[FeedEntry]:
    """Up to ``limit`` (at most MAX_PAGE) entries after ``after_seq`` (0 = from the beginning), in order. A
    reader that goes on from the last ``seq`` it got never misses an entry, but for one that cannot be shown: that is left
    out, counted and named in the log."""
    most, found = min(limit, MAX_PAGE), list[FeedEntry]()
    while True:
        rows = await conn.fetch(
            "SELECT f.seq, f.created_at, f.alert_id, v.body FROM alert_feed f"
            " JOIN alert_versions v ON v.alert_id = f.alert_id AND v.version = f.version"
            " WHERE f.seq > $1 ORDER BY f.seq LIMIT $2",
            after_seq,
            most - len(found),
        )
        full = len(rows) == most - len(found)
        found += shown(rows, _entry, "alert", lambda row: row["alert_id"])
        if not full or len(found) == most:
            return found
        after_seq = rows[-1]["seq"]


async def read_feed_for(conn: Connection, after_seq: int, limit: int, wanted: FeedFilter) -> FeedPart:
    """Entries after ``after_seq`` that ``wanted`` lets through: at most ``limit`` (and MAX_PAGE), of at most MOST_LOOKED_AT
    that are looked at. Who goes on from the place of the part misses none."""
    most = min(limit, MAX_PAGE)
    asked = Conditions()
    for column, values in (
        ("organisation", wanted.organisations),
        ("rule", wanted.rules),
        ("severity", wanted.severities),
        ("status", wanted.statuses),
    ):
        if values is not None:
            asked.add(f"v.body ->> '{column}' = ANY({{}}::text[])", sorted(values))
    look = MOST_LOOKED_AT if asked.where else most
    after, looked, found_most = asked.argument(after_seq), asked.argument(look), asked.argument(most)
    rows = await conn.fetch(
        f"WITH part AS MATERIALIZED (SELECT * FROM feed_part({after}, {looked}))"  # noqa: S608 - constants
        " SELECT s.reached, s.looked, m.* FROM (SELECT max(seq) AS reached, count(*) AS looked FROM part) s"
        f" LEFT JOIN ({_OF_PART}{asked.where} ORDER BY p.seq LIMIT {found_most}) m ON true ORDER BY m.seq",
        *asked.arguments,
    )
    matching = [row for row in rows if row["seq"] is not None]
    found = tuple(shown(matching, _entry, "alert", lambda row: row["alert_id"]))
    if len(matching) == most:
        return FeedPart(found, matching[-1]["seq"], True)
    return FeedPart(found, rows[0]["reached"] or after_seq, rows[0]["looked"] == look)


async def first_place_since(conn: Connection, moment: datetime) -> int:
    """The place before the first entry that was written at ``moment`` or later; the newest place when there is none. Entries
    are in the order of commits, which is not quite that of their times: none of a later time is left out."""
    first = await conn.fetchval("SELECT min(seq) FROM alert_feed WHERE created_at >= $1", moment)
    return await feed_end(conn) if first is None else int(first) - 1


async def entry_at(conn: Connection, seq: int) -> FeedEntry | None:
    """The entry at a place of the feed, as the caller may see it, or None."""
    row = await conn.fetchrow(
        f"WITH part AS MATERIALIZED (SELECT * FROM feed_part($1::bigint - 1, 1) WHERE seq = $1) {_OF_PART}",  # noqa: S608 - constant
        seq,
    )
    return None if row is None else _entry(row)


def _entry(row: Any) -> FeedEntry:
    return FeedEntry(row["seq"], Alert.from_body(row["body"]), row["created_at"])


async def feed_end(conn: Connection) -> int:
    """The newest place in the feed; 0 when it is empty."""
    return int(await conn.fetchval("SELECT feed_end()"))


async def get_alert(conn: Connection, id: str) -> VersionedAlert | None:
    """The newest version of an alert, or None."""
    row = await conn.fetchrow(f"{_VERSION} WHERE a.id = $1", id)
    return None if row is None else versioned(row)


async def alert_version(conn: Connection, id: str, version: int) -> Alert | None:
    """A version of an alert, or None."""
    body = await conn.fetchval(
        "SELECT body FROM alert_versions WHERE alert_id = $1 AND version = $2", id, version
    )
    return None if body is None else Alert.from_body(body)


async def alert_versions(conn: Connection, id: str) -> list[VersionedAlert]:
    """The versions of an alert, oldest first, at most the newest MAX_PAGE (the feed has every one); empty when there is
    no such alert."""
    rows = await conn.fetch(
        "SELECT v.body, v.created_at, a.subject, a.vehicle_no FROM alert_versions v"
        " JOIN alerts a ON a.id = v.alert_id WHERE v.alert_id = $1 ORDER BY v.version DESC LIMIT $2",
        id,
        MAX_PAGE,
    )
    return [versioned(r) for r in reversed(rows)]


async def alerts_of_vehicles(
    conn: Connection, rule: str, vehicle_nos: Sequence[int], since_us: int | None = None
) -> list[VersionedAlert]:
    """The alerts of ``rule`` about ``vehicle_nos`` that had not ended before ``since_us`` (None = all),
    withdrawn ones too, ordered by vehicle and start. What a recomputation reconciles its episodes with. A
    withdrawn alert goes on no more: without an end it ended when it began."""
    rows = await conn.fetch(
        f"{_VERSION} WHERE a.vehicle_no = ANY($2::integer[]) AND a.rule = $1"
        " AND ($3::timestamptz IS NULL OR (a.occurred_to IS NULL AND a.status = 'suspected')"
        " OR COALESCE(a.occurred_to, a.occurred_from) >= $3)"
        " ORDER BY a.vehicle_no, a.occurred_from, a.id",
        rule,
        [int(no) for no in vehicle_nos],
        None if since_us is None else from_us(since_us),
    )
    return [versioned(r) for r in rows]


async def suspected_of_orders(conn: Connection, rule: str, orders: Collection[str]) -> list[VersionedAlert]:
    """The suspected alerts of ``rule`` about ``orders``, by order and subject, however old."""
    rows = await conn.fetch(
        f"{_VERSION} WHERE a.rule = $1 AND a.order_id = ANY($2::text[]) AND a.status = 'suspected'"
        " ORDER BY a.order_id, a.subject",
        rule,
        sorted(set(orders)),
    )
    return [versioned(r) for r in rows]


async def suspected_of_cards(
    conn: Connection, rules: Collection[str], cards: Collection[str]
) -> list[tuple[str, str, str]]:
    """(rule, card, subject) of the suspected alerts of ``rules`` about fuel cards ``cards``, sorted, however old."""
    rows = await conn.fetch(
        "SELECT rule, card, subject FROM alerts WHERE card = ANY($2::text[]) AND rule = ANY($1::text[])"
        " AND status = 'suspected' ORDER BY rule, card, subject",
        sorted(set(rules)),
        sorted(set(cards)),
    )
    return [(r["rule"], r["card"], r["subject"]) for r in rows]


async def suspected_among(conn: Connection, rule: str, subjects: Iterable[str]) -> set[str]:
    """Those of ``subjects`` of which a rule has a suspected alert."""
    rows = await conn.fetch(
        "SELECT subject FROM alerts WHERE rule = $1 AND subject = ANY($2::text[]) AND status = 'suspected'",
        rule,
        sorted(subjects),
    )
    return {r["subject"] for r in rows}


async def suspected_subjects(conn: Connection, rule: str) -> list[str]:
    """Subjects of the suspected alerts of a rule, sorted."""
    rows = await conn.fetch(
        "SELECT subject FROM alerts WHERE rule = $1 AND status = 'suspected' ORDER BY subject", rule
    )
    return [r["subject"] for r in rows]


async def evidence_of(conn: Connection, id: str, version: int | None = None) -> Evidence | None:
    """The frozen evidence of a version (None = the newest) of an alert, or None when there is no such
    version."""
    row = await conn.fetchrow(
        "SELECT e.sha256, e.body, e.created_at, e.sm3 FROM alert_versions v JOIN evidence_of_alerts e"
        " ON e.sha256 = v.evidence_sha256 WHERE v.alert_id = $1 AND ($2::integer IS NULL OR v.version = $2) ORDER BY v.version DESC LIMIT 1",
        id,
        version,
    )
    if row is None:
        return None
    sm3 = None if row["sm3"] is None else row["sm3"].hex()
    return Evidence(row["sha256"].hex(), row["body"], row["created_at"], sm3)


async def evidence_body(conn: Connection, sha256: str) -> bytes | None:
    """Evidence by its hash (hex), or None."""
    body: bytes | None = await conn.fetchval(
        "SELECT body FROM evidence WHERE sha256 = $1 LIMIT 1", bytes.fromhex(sha256)
    )
    return body


def versioned(row: Any) -> VersionedAlert:
    """The alert of a row with body, created_at, subject and vehicle_no."""
    return VersionedAlert(Alert.from_body(row["body"]), row["subject"], row["vehicle_no"], row["created_at"])
