"""How an order is written: which version counts, what becomes of a change that comes too late, and parts.

A version counts at once, unless it is a **backfill** (补单) that nobody approved: one that says something else of the past than
the version before, and was entered after the vehicle had returned, or after an alert was published that it concerns. Then

* what is still to come is covered from the entry on, as the order says: the version counts from then on;
* what is past stays as it was judged: of a vehicle that has returned the version is kept, shown and waits for an approver
  (``counts`` false). Only what belongs to closing an order (status, departure, return) is taken from it.

An approver counts who is neither driver nor applicant. The office may say when a version was entered (录入时间); where it does not,
the version was entered when it came, and without an alert nothing is held against it: a register of old orders that is imported
accuses nobody.

**Parts.** Where a further vehicle takes over (换车), or a version holds from a time on only, an order is more than one stretch.
Each further stretch is a row of its own with the id ``<order>#<n>``, which nobody else can enter (an id has no ``#``), and with
``leg_from`` and ``leg_to``. So whatever finds orders by vehicle and time finds the stretches of each vehicle.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from registry.order_cover import BEFORE_ORDER
from registry.order_record import DispatchOrder
from registry.parameter_values import load_parameters
from registry.parameters import ORDER, ParameterRow, resolve
from registry.places import Place, stored_places
from registry.refusals import AHEAD, IN_FUTURE, Flaw, RefusedError
from registry.values import WriteResult
from registry.versioned import VersionedTable
from runtime.connection import Connection
from runtime.units import to_us

#: What an order says, in the order of its columns.
CONTENT: Final = (
    "organisation", "vehicle", "driver", "task_type", "purpose", "status", "origin", "destinations", "return_point",
    "planned_departure", "planned_return", "extended_return", "actual_departure", "actual_return", "cancelled_at",
    "exchanges", "applicant", "approver", "route",
)  # fmt: skip
_PLACES: Final = ("origin", "destinations", "return_point", "route")
#: What the program says of a version.
_KEPT: Final = (
    "holds_from", "entered_at", "received_at", "entry_stated", "part_of", "leg_from", "leg_to", "covers_to", "backfill", "counts",
)  # fmt: skip
TABLE: Final = VersionedTable("dispatch_orders", CONTENT)
#: What an order says of where and when it may be driven, and by whom: to change it afterwards is a backfill.
_ASKED: Final = (
    "vehicle", "driver", "task_type", *_PLACES, "planned_departure", "planned_return", "extended_return", "exchanges",
)  # fmt: skip
#: Rules whose alerts an order answers by covering its vehicle; those of other rules name their order.
_COVERING: Final = ("location", "off_hours", "terminal_silent")
#: What closing an order says.
_CLOSING: Final = ("status", "actual_departure", "actual_return", "purpose")

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Late:
    """What is known when a version is written. ``entered``: when it was; ``stated``: the office says so; ``alerted``: an alert
    that it concerns was published before; ``overdue_h``: ``overdue_cover_h`` of the order; ``driver_names``: of the drivers in
    it, by id."""

    entered: datetime
    stated: bool
    alerted: bool
    overdue_h: int
    driver_names: Mapping[str, str]


# --- decisions, pure


def changes_the_past(old: Mapping[str, Any] | None, new: Mapping[str, Any], overdue_h: int) -> bool:
    """Whether ``new`` says something else of what was asked and driven than ``old`` (None: there was no order). To close an
    order, or to say when it departed, does not, unless it returned after it had become overdue."""
    if old is None:
        return True
    if any(old[name] != new[name] for name in _ASKED):
        return True
    was, now = old["status"], new["status"]
    if (was == "cancelled") != (now == "cancelled") or (
        was == "returned" and now in ("approved", "departed")
    ):
        return True
    if any(
        old[name] is not None and old[name] != new[name]
        for name in ("actual_departure", "actual_return", "cancelled_at")
    ):
        return True
    return returned_late(old, new, overdue_h)


def returned_late(old: Mapping[str, Any] | None, new: Mapping[str, Any], overdue_h: int) -> bool:
    """Whether ``new`` is the first to say that the vehicle returned, and that was after the order was overdue."""
    if old is None or old["actual_return"] is not None or new["actual_return"] is None:
        return False
    return bool(new["actual_return"] > covered_until(old, overdue_h))


def covered_until(values: Mapping[str, Any], overdue_h: int) -> datetime:
    """Until when an order covers that is not returned."""
    due: datetime = values["extended_return"] or values["planned_return"]
    return due + timedelta(hours=overdue_h)


def is_backfill(old: Mapping[str, Any] | None, new: Mapping[str, Any], late: Late) -> bool:
    """Whether a version that changes the past was entered too late for that."""
    end = (old or new)["actual_return"] or new["actual_return"]
    if end is None and old is None:
        end = new["extended_return"] or new["planned_return"]
    return late.alerted or (end is not None and late.entered > end)


def is_approved(
    versions: Iterable[Mapping[str, Any] | None], new: Mapping[str, Any], names: Mapping[str, str]
) -> bool:
    """Whether ``new`` has an approver who is neither driver nor applicant, of it or of the ``versions`` before. A driver is
    known by number and by name."""
    if not new["approver"]:
        return False
    involved: set[str | None] = set()
    for one in (*versions, new):
        if one is not None:
            drivers = {one["driver"], *(e["driver"] for e in one["exchanges"])}
            involved |= {one["applicant"], *drivers, *(names.get(d) for d in drivers if d)}
    return _person(new["approver"]) not in {_person(who) for who in involved if who}


def _person(name: str) -> str:
    """One spelling of a person's name or number."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def versions_of(
    old: Mapping[str, Any] | None, newest: Mapping[str, Any] | None, new: Values, late: Late
) -> list[Values]:
    """The versions that ``new`` becomes, without their parts, oldest first: one, or what counts of it and then what waits.
    ``old``: the newest version that counts; ``newest``: the newest at all. Each has the columns _KEPT."""
    changes = changes_the_past(old, new, late.overdue_h)
    plain = new | {
        "part_of": None,
        "leg_from": None,
        "leg_to": None,
        "covers_to": None,
        "backfill": False,
        "counts": True,
    }
    if new["holds_from"] is not None and new["holds_from"] >= late.entered:
        changes = False  # it leaves the past as it was
    if not changes or not is_backfill(old, new, late):
        carried = old is not None and old["backfill"] and not changes
        limit = old["covers_to"] if old is not None and carried_limit(old, new) else None
        return [plain | {"backfill": carried, "covers_to": limit}]
    plain["backfill"] = True
    if is_approved((old, newest), new, late.driver_names) or not (late.alerted or late.stated):
        return [plain]
    end = new["actual_return"] or (old and old["actual_return"]) or covered_until(new, late.overdue_h)
    if late.entered < end and new["status"] != "cancelled":
        return [plain | {"holds_from": max(late.entered, new["holds_from"] or late.entered)}]
    found = []
    if old is not None:
        closing = {name: new[name] for name in _CLOSING if old[name] != new[name]}
        if old["actual_return"] is not None or old["status"] == "cancelled" or new["status"] == "cancelled":
            closing = {}  # it is closed: what it says now of its times is the change that waits
        if closing:
            limit = covered_until(old, late.overdue_h) if returned_late(old, new, late.overdue_h) else None
            kept = {name: old[name] for name in CONTENT}
            found.append(
                plain
                | kept
                | closing
                | {"backfill": old["backfill"], "covers_to": limit, "holds_from": old["holds_from"]}
            )
        if (
            closing
            and all(found[0][name] == new[name] for name in CONTENT if name not in ("applicant", "approver"))
            and not found[0]["covers_to"]
        ):
            return found
    return [*found, plain | {"counts": False}]


def carried_limit(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a late return that nobody approved stays so."""
    return old["covers_to"] is not None and old["actual_return"] == new["actual_return"]


def stretches(old: Sequence[Mapping[str, Any]], main: Values) -> list[Values]:
    """The rows of a version that counts: the order itself, and its parts. ``old``: the rows that counted so far. The first
    stretch of the first vehicle has the order's own id, whatever came before."""
    since = main["holds_from"]
    legs = _legs(main)
    before: list[Values] = []
    if since is not None:
        legs = [
            leg | {"leg_from": max(since, leg["leg_from"] or since)}
            for leg in legs
            if leg["leg_to"] is None or leg["leg_to"] > since
        ]
        before = [
            {name: row[name] for name in (*CONTENT, *_KEPT)} | {"leg_to": min(since, row["leg_to"] or since)}
            for row in old
            if row["status"] != "cancelled" and (row["leg_from"] is None or row["leg_from"] < since)
            and row["planned_departure"] - BEFORE_ORDER < since
        ]  # fmt: skip
        if len(before) == 1 and len(legs) == 1 and _goes_on(before[0], legs[0], since):
            legs, before = [legs[0] | {"leg_from": before[0]["leg_from"]}], []
    if not legs:  # it holds from a time on at which it is over
        return before or [main | {"leg_from": since, "leg_to": since}]
    rows = [*legs, *before]
    return [row | {"part_of": None if k == 0 else main["id"], "part": k} for k, row in enumerate(rows)]


def _goes_on(before: Mapping[str, Any], after: Mapping[str, Any], since: datetime) -> bool:
    """Whether the stretch before is one with that after: the same vehicle and departure, and no time between them that the
    version before did not cover."""
    same = all(
        before[name] == after[name] for name in ("vehicle", "driver", "planned_departure", "task_type")
    )
    due = before["extended_return"] or before["planned_return"]
    open_ = before["status"] in ("approved", "departed")
    return bool(same and open_ and (after["status"] == "cancelled" or due >= since))


def _legs(main: Values) -> list[Values]:
    """The stretches of an order by its vehicles."""
    exchanges = main["exchanges"]
    if not exchanges:
        return [main]
    times = [_time(one["since"]) for one in exchanges]
    legs = [main | {"leg_to": times[0]}]
    for one, since, until in zip(exchanges, times, [*times[1:], None], strict=True):
        legs.append(
            main
            | {
                "vehicle": one["vehicle"],
                "driver": one["driver"] or main["driver"],
                "leg_from": since,
                "leg_to": until,
            }
        )
    return legs


def _time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


# --- written


async def write_versions(connection: Connection, records: Sequence[DispatchOrder]) -> list[WriteResult]:
    """See ``orders.write``."""
    now: datetime = await connection.fetchval("SELECT now()")
    await _refuse(connection, records, now)
    results, changed = await TABLE.compare(connection, records, _same)
    if not changed:
        return results
    stored = iter(stored_places([place for record, _ in changed for place in _places(record)]))
    news = [_values(record, lambda _: next(stored), now) for record, _ in changed]
    counting = await _counting(connection, [new["id"] for new in news])
    parameters = await load_parameters(connection)
    hours = [_overdue_h(new, parameters) for new in news]
    alerted = await _alerted(connection, news, hours, parameters)
    names = await _names(connection, news, counting)
    rows: list[Values] = []
    for (record, newest), new, overdue_h, alert in zip(changed, news, hours, alerted, strict=True):
        own = counting.get(new["id"], [])
        old = next((row for row in own if row["part_of"] is None), None)
        late = Late(new["entered_at"], record.entered_at is not None, alert, overdue_h, names)
        number = newest["version"] + 1 if newest else 1
        for version in versions_of(old, newest, new, late):
            rows += _rows(own if version["counts"] else [], version, number)
            number += 1
    await _insert(connection, rows)
    return results


def _rows(old: Sequence[Mapping[str, Any]], version: Values, number: int) -> Iterator[Values]:
    """The rows to write of a version; parts that there are no more are written as cancelled: they cover nothing."""
    found = stretches(old, version) if version["counts"] else [version | {"part": 0}]
    used = set()
    for row in found:
        part = row.pop("part", 0)
        used.add(part)
        yield row | {"id": version["id"] if part == 0 else f"{version['id']}#{part + 1}", "version": number}
    if version["counts"]:
        for gone in old:
            if gone["part_of"] is not None and int(gone["id"].rpartition("#")[2]) - 1 not in used:
                kept = {name: gone[name] for name in (*CONTENT, *_KEPT)}
                yield kept | {
                    "id": gone["id"],
                    "version": number,
                    "status": "cancelled",
                    "cancelled_at": None,
                }


async def _insert(connection: Connection, rows: Sequence[Values]) -> None:
    names = ("id", "version", *CONTENT, *_KEPT)
    listed = ", ".join(names)
    await connection.execute(
        f"INSERT INTO dispatch_orders ({listed}) SELECT {listed}"  # noqa: S608 - constant names
        " FROM jsonb_populate_recordset(NULL::dispatch_orders, $1) ORDER BY id, version",
        [{name: row[name] for name in names} for row in rows],
    )


def _same(record: DispatchOrder, old: Any) -> bool:
    stored = {name: old[name] for name in CONTENT}
    for name in ("origin", "return_point"):
        stored[name] = _given(stored[name])
    for name in ("destinations", "route"):
        stored[name] = [_given(place) for place in stored[name]]
    stored["exchanges"] = [one | {"since": _time(one["since"])} for one in stored["exchanges"]]
    given = _content(record, Place.original)
    if record.status == "cancelled" and record.cancelled_at is None:
        given["cancelled_at"] = stored["cancelled_at"]  # not said: as it was
    given["exchanges"] = [one | {"since": _time(one["since"])} for one in given["exchanges"]]
    return given == stored


def _content(record: DispatchOrder, place: Callable[[Place], dict[str, Any]]) -> Values:
    """The columns CONTENT of ``record``, its places as ``place`` makes them."""
    values = {name: getattr(record, name) for name in CONTENT}
    values["origin"] = place(record.origin) if record.origin else None
    values["return_point"] = place(record.return_point) if record.return_point else None
    values["destinations"] = [place(one) for one in record.destinations]
    values["route"] = [place(one) for one in record.route]
    values["exchanges"] = [
        {"vehicle": one.vehicle, "since": one.since.isoformat(), "driver": one.driver}
        for one in record.exchanges
    ]
    return values


def _values(record: DispatchOrder, place: Callable[[Place], dict[str, Any]], now: datetime) -> Values:
    entered = record.entered_at or now
    values = _content(record, place) | {
        "id": record.id, "holds_from": record.holds_from, "entered_at": entered, "received_at": now,
        "entry_stated": record.entered_at is not None,
    }  # fmt: skip
    if record.status == "cancelled" and record.cancelled_at is None:
        values["cancelled_at"] = min(record.holds_from or entered, entered)
    return values


def _places(record: DispatchOrder) -> list[Place]:
    return [
        place for place in (record.origin, record.return_point, *record.destinations, *record.route) if place
    ]


def _given(place: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A stored place as it was given."""
    return None if place is None else {name: place.get(name) for name in Place.model_fields}


def _overdue_h(new: Mapping[str, Any], parameters: Sequence[ParameterRow]) -> int:
    at_us = to_us(new["planned_departure"])
    return resolve(ORDER, new["organisation"], at_us, parameters)["overdue_cover_h"]


async def _refuse(connection: Connection, records: Sequence[DispatchOrder], now: datetime) -> None:
    """Raises RefusedError for what only the database knows to be wrong."""
    flaws = [
        Flaw(("entered_at",), IN_FUTURE, row)
        for row, record in enumerate(records)
        if record.entered_at is not None and record.entered_at > now.astimezone(UTC) + AHEAD
    ]
    for field, table, label in (("vehicle", "vehicles", "车辆"), ("driver", "drivers", "驾驶员")):
        named = [
            (row, k, getattr(one, field))
            for row, record in enumerate(records)
            for k, one in enumerate(record.exchanges)
            if getattr(one, field) is not None
        ]
        if named:
            wanted = sorted({id for _, _, id in named})
            query = f"SELECT id FROM {table} WHERE id = ANY($1::text[])"  # noqa: S608 - our own constants
            known = {r["id"] for r in await connection.fetch(query, wanted)}
            flaws += [
                Flaw(("exchanges", k, field), f"{label} {id} 未登记 · unknown {field}: {id}", row)
                for row, k, id in named
                if id not in known
            ]
    if flaws:
        raise RefusedError(flaws)


async def _counting(connection: Connection, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """The rows that count of each order, its parts among them, by id. Their times of exchange as they are stored."""
    listed = ", ".join(("id", "version", *CONTENT, *_KEPT))
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in await connection.fetch(
        f"SELECT {listed} FROM dispatch_orders WHERE is_current AND (id = ANY($1::text[]) OR part_of = ANY($1::text[]))"  # noqa: S608 - constant names
        " ORDER BY id",
        sorted(ids),
    ):
        if row["part_of"] is None or row["status"] != "cancelled" or row["cancelled_at"] is not None:
            found[row["part_of"] or row["id"]].append(dict(row))
    return found


async def _alerted(
    connection: Connection,
    news: Sequence[Values],
    overdue_h: Sequence[int],
    parameters: Sequence[ParameterRow],
) -> list[bool]:
    """Whether an alert that each order concerns was published before it was entered: one that names it, or one of its
    vehicles for a time that it covers."""
    rows = await connection.fetch(
        "SELECT k.n FROM unnest($1::integer[], $2::text[], $3::timestamptz[]) AS k (n, id, entered) WHERE EXISTS"
        " (SELECT FROM alerts a WHERE a.order_id = k.id AND a.status = 'suspected' AND a.detected_at <= k.entered)",
        list(range(len(news))),
        [new["id"] for new in news],
        [new["entered_at"] for new in news],
    )
    named = {r["n"] for r in rows}
    vehicles = [
        (n, vehicle) for n, new in enumerate(news) for vehicle in {new["vehicle"], *(e["vehicle"] for e in new["exchanges"])}
    ]  # fmt: skip
    spans = [_span(news[n], overdue_h[n], parameters) for n, _ in vehicles]
    rows = await connection.fetch(
        "SELECT DISTINCT k.n FROM unnest($1::integer[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])"
        " AS k (n, vehicle, since, until, entered) JOIN vehicles v ON v.id = k.vehicle JOIN alerts a ON a.vehicle_no = v.no"
        " AND a.rule = ANY($6::text[]) AND a.status = 'suspected' AND a.detected_at <= k.entered"
        " AND a.occurred_from < k.until AND (a.occurred_to IS NULL OR a.occurred_to > k.since)",
        [n for n, _ in vehicles],
        [vehicle for _, vehicle in vehicles],
        [since for since, _ in spans],
        [until for _, until in spans],
        [news[n]["entered_at"] for n, _ in vehicles],
        list(_COVERING),
    )
    named |= {r["n"] for r in rows}
    return [n in named for n in range(len(news))]


def _span(
    new: Mapping[str, Any], overdue_h: int, parameters: Sequence[ParameterRow]
) -> tuple[datetime, datetime]:
    """The time that an order covers as it is written, whatever the track shows."""
    used = resolve(ORDER, new["organisation"], to_us(new["planned_departure"]), parameters)
    early = timedelta(minutes=used["early_start_min"])
    return new["planned_departure"] - early, new["actual_return"] or covered_until(new, overdue_h)


async def _names(
    connection: Connection, news: Sequence[Values], counting: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, str]:
    """Names of the drivers of orders, by id."""
    versions = [*news, *(row for rows in counting.values() for row in rows)]
    ids = {one["driver"] for one in versions} | {e["driver"] for one in versions for e in one["exchanges"]}
    rows = await connection.fetch(
        "SELECT id, name FROM drivers WHERE id = ANY($1::text[])", sorted(id for id in ids if id)
    )
    return {row["id"]: row["name"] for row in rows}
