"""What a peer below pulls: supervision orders for its units, notices, codes; what came from above is passed on. In the
transaction of its request, which sees its units only.

A place is (phase, number, seq, after). Phase 0 reads the outbox of changes from (number, seq) on; before it everything is given
once, phase by phase. Who comes back after the changes were dropped begins with everything again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from office.exchange.kinds import DOWN
from office.exchange.records import Told, down, told_on, with_version
from runtime.connection import Connection

#: Changes that are looked at for one page.
MOST_LOOKED_AT: Final = 5_000
CHANGES, CODES, NOTICES, ASSIGNMENTS, RECEIVED = range(5)

_OF_CHANGE: Final = {"case": "assignment", "disposition_code": "code", "notice": "notice"}
_EVERYTHING: Final = {
    CODES: ("code", "SELECT code AS id FROM disposition_codes WHERE code > $1 ORDER BY code LIMIT $2"),
    NOTICES: ("notice", "SELECT id FROM exchange_notices WHERE id > $1 ORDER BY id LIMIT $2"),
    ASSIGNMENTS: (
        "assignment",
        "SELECT id FROM cases WHERE number IS NOT NULL AND id > $1 ORDER BY id LIMIT $2",
    ),
}


class Place(NamedTuple):
    """Up to where a peer has pulled."""

    phase: int
    number: int
    seq: int
    after: str


@dataclass(frozen=True, slots=True)
class Page:
    """``more``: there is more at once."""

    records: Sequence[Told]
    place: Place
    more: bool


async def page(connection: Connection, place: Place | None, limit: int) -> Page:
    """At most about ``limit`` records after ``place`` (None = from the beginning)."""
    # Read before the contents: what is read later has every change up to this number.
    number = max(1, int(await connection.fetchval("SELECT exchange_now()")))
    if place is None:
        place = Place(CODES, number, 0, "")
    if place.phase == CHANGES:
        found = await _changes(connection, place, limit)
        if found is None:  # not kept any more: everything again
            return await page(connection, None, limit)
    else:
        found = await _everything(connection, place, limit)
    return Page([with_version(one, number) for one in found.records], found.place, found.more)


async def _everything(connection: Connection, place: Place, limit: int) -> Page:
    if place.phase == RECEIVED:
        rows = await connection.fetch(
            "SELECT no, kind, origin, id, organisation, unit, payload FROM exchange_records WHERE kind = ANY($1::text[]) AND no > $2"
            " ORDER BY no LIMIT $3",
            sorted(DOWN), int(place.after or 0), limit,
        )  # fmt: skip
        records = [told_on(row) for row in rows]
        following = place._replace(after=str(rows[-1]["no"])) if rows else place
    else:
        kind, sql = _EVERYTHING[place.phase]
        rows = await connection.fetch(sql, place.after, limit)
        records = await down(connection, kind, [row["id"] for row in rows])
        following = place._replace(after=rows[-1]["id"]) if rows else place
    if len(rows) < limit:
        phase = CHANGES if place.phase == RECEIVED else place.phase + 1
        following = Place(phase, place.number, place.seq, "")
    return Page(records, following, True)


async def _changes(connection: Connection, place: Place, limit: int) -> Page | None:
    rows = await connection.fetch(
        "SELECT number, seq, kind, subject FROM exchange_down($1, $2, $3)",
        place.number,
        place.seq,
        MOST_LOOKED_AT,
    )
    if not rows:
        return None
    end = rows[-1]
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    last, more = (end["number"], end["seq"]), int(end["subject"]) == MOST_LOOKED_AT
    changes = [row for row in rows if row["kind"] is not None]
    for k, row in enumerate(changes):
        wanted[_OF_CHANGE.get(row["kind"], "received")][row["subject"]] = None
        if sum(map(len, wanted.values())) >= limit and k + 1 < len(changes):
            last, more = (row["number"], row["seq"]), True
            break
    records = list[Told]()
    for kind in ("code", "notice", "assignment"):
        if wanted[kind]:
            records += await down(connection, kind, list(wanted[kind]))
    if wanted["received"]:
        passed = await connection.fetch(
            "SELECT kind, origin, id, organisation, unit, payload FROM exchange_records WHERE no = ANY($1::bigint[])"
            " AND kind = ANY($2::text[]) ORDER BY no",
            [int(no) for no in wanted["received"]],
            sorted(DOWN),
        )
        records += [told_on(row) for row in passed]
    return Page(records, Place(CHANGES, *last, ""), more)
