"""Stations, transactions, violations and calendar days: the SQL that writes them, and which station a
statement means by a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from registry.business import CalendarDay, FuelStation, FuelTransaction, Violation
from registry.outcome import Outcome
from registry.places import geometry_wkb
from registry.refusals import Flaw, RefusedError
from registry.spelling import name_key
from registry.upsert import apply_plain
from runtime.connection import Connection

#: Clocks of other systems may be so much ahead of ours.
AHEAD: Final = timedelta(minutes=10)
IN_FUTURE: Final = "时间在未来（超前 10 分钟以上） · the time is more than 10 minutes in the future"

_STATION: Final = ("name", "aliases", "datum", "original")


async def apply_stations(connection: Connection, records: Sequence[FuelStation]) -> list[Outcome]:
    """Write stations; transactions without a station of their own follow the names.

    Raises RefusedError (a conflict) for a name or alias that means another station already.
    """
    stored = {
        row["id"]: row
        for row in await connection.fetch("SELECT id, name, aliases, datum, original FROM fuel_stations")
    }
    _refuse_shared_names(records, stored)
    outcomes: list[Outcome] = []
    changed: list[FuelStation] = []
    for record in records:
        old = stored.get(record.id)
        content = (record.name, record.aliases, record.datum, record.place)
        if old is not None and content == tuple(old[name] for name in _STATION):
            outcomes.append("unchanged")
            continue
        outcomes.append("updated" if old else "created")
        changed.append(record)
    await connection.executemany(
        "INSERT INTO fuel_stations (id, name, aliases, datum, original, geometry) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, aliases = excluded.aliases, datum = excluded.datum,"
        " original = excluded.original, geometry = excluded.geometry, updated_at = clock_timestamp()",
        [
            (r.id, r.name, r.aliases, r.datum, r.place, geometry_wkb(r.place, r.datum) if r.place and r.datum else None)
            for r in changed
        ],
    )  # fmt: skip
    if changed:
        await _take_transactions(connection, changed)
    return outcomes


def _names(record: FuelStation) -> list[tuple[tuple[str | int, ...], str]]:
    return [(("name",), record.name), *((("aliases", i), alias) for i, alias in enumerate(record.aliases))]


def _refuse_shared_names(records: Sequence[FuelStation], stored: dict[str, Any]) -> None:
    # A statement knows a station by its name alone: a name of two stations would place a card at the wrong one.
    written = {record.id for record in records}
    owners = {
        name_key(name): id
        for id, row in stored.items()
        if id not in written
        for name in (row["name"], *row["aliases"])
    }
    flaws: list[Flaw] = []
    for row, record in enumerate(records):
        for path, name in _names(record):
            owner = owners.setdefault(name_key(name), record.id)
            if owner != record.id:
                message = f"名称 {name} 已属于站点 {owner} · this name means station {owner} already"
                flaws.append(Flaw(path, message, row))
    if flaws:
        raise RefusedError(flaws, conflict=True)


async def _take_transactions(connection: Connection, stations: Sequence[FuelStation]) -> None:
    """Transactions follow their names to and from ``stations``: statements may come before stations are entered, and
    an alias may have been given to the wrong one. A station that was given itself stays.
    """
    known = await stations_by_name(connection)
    names = await connection.fetch(
        "SELECT DISTINCT station_name, station FROM fuel_transactions"
        " WHERE NOT station_given AND station_name <> '' AND (station IS NULL OR station = ANY($1::text[]))",
        [record.id for record in stations],
    )
    moved = [(name, old, new) for name, old in names if (new := known.get(name_key(name))) != old]
    await connection.execute(
        "UPDATE fuel_transactions t SET station = n.new, updated_at = clock_timestamp()"
        " FROM unnest($1::text[], $2::text[], $3::text[]) AS n (name, old, new) WHERE NOT t.station_given"
        " AND t.station_name = n.name AND t.station IS NOT DISTINCT FROM n.old",
        [name for name, _, _ in moved], [old for _, old, _ in moved], [new for _, _, new in moved],
    )  # fmt: skip


async def stations_by_name(connection: Connection) -> dict[str, str]:
    """Station ids by ``texts.name_key`` of their names and aliases."""
    rows = await connection.fetch("SELECT id, name, aliases FROM fuel_stations")
    return {name_key(name): row["id"] for row in rows for name in (row["name"], *row["aliases"])}


async def apply_transactions(connection: Connection, records: Sequence[FuelTransaction]) -> list[Outcome]:
    """Write transactions; references were checked. Raises RefusedError for a time in the future."""
    await _refuse_future(connection, [record.at for record in records])
    return (await apply_plain(connection, "fuel_transactions", await _placed(connection, records)))[0]


class _Placed(FuelTransaction):
    """A transaction whose ``station`` is what its name means, or was given (``station_given``)."""

    station_given: bool


async def _placed(connection: Connection, records: Sequence[FuelTransaction]) -> list[_Placed]:
    known: dict[str, str] = {}
    if any(record.station is None and record.station_name for record in records):
        known = await stations_by_name(connection)
    # Who sends back what he read gives nothing.
    read = {
        tuple(row)
        for row in await connection.fetch(
            "SELECT id, station, station_name FROM fuel_transactions WHERE id = ANY($1::text[]) AND NOT station_given",
            [record.id for record in records if record.station is not None],
        )
    }
    return [
        _Placed.model_construct(
            **dict(record)
            | {
                "station": record.station or known.get(name_key(record.station_name)),
                "station_given": record.station is not None
                and (record.id, record.station, record.station_name) not in read,
            }
        )
        for record in records
    ]


async def apply_violations(connection: Connection, records: Sequence[Violation]) -> list[Outcome]:
    """Write violations; references were checked. Raises RefusedError for a time in the future."""
    await _refuse_future(connection, [record.at for record in records])
    return (await apply_plain(connection, "violations", records))[0]


async def _refuse_future(connection: Connection, times: Iterable[datetime]) -> None:
    latest = await connection.fetchval("SELECT clock_timestamp()") + AHEAD
    flaws = [Flaw(("at",), IN_FUTURE, row) for row, at in enumerate(times) if at > latest]
    if flaws:
        raise RefusedError(flaws)


async def apply_days(connection: Connection, records: Sequence[CalendarDay]) -> list[Outcome]:
    """Write calendar days."""
    return (await apply_plain(connection, "calendar_days", records))[0]


async def forget_day(connection: Connection, day: date) -> bool:
    """Take back the office's word on a day; whether there was one."""
    return (
        await connection.fetchval("DELETE FROM calendar_days WHERE day = $1 RETURNING true", day) is not None
    )
