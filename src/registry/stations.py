"""Filling and charging stations (加油站、充电站): the record, written and read, and which station a statement means by
a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from pydantic import Field, ValidationInfo, field_validator, model_validator

from registry.misplaced import come_together, in_range, names_datum, refuse_misplaced
from registry.pages import Filter, Listing, Sorting
from registry.places import DatumName, geometry_wkb, read_geometry, refuse_misplaced_geometry
from registry.refusals import Flaw, PlacedError, RefusedError
from registry.spelling import name_key
from registry.values import Name, Record, WriteResult
from registry.writing import Lock, take
from runtime.connection import Connection


class FuelStation(Record):
    """A filling or charging station (加油站、充电站). Its place: ``geometry``, or ``lat`` and ``lon``, in
    ``datum``; without, what was bought there cannot be judged by place.
    """

    name: Name
    aliases: list[Name] = Field(
        default_factory=list, max_length=100, description="as statements write it (网点)"
    )
    lat: float | None = Field(None, ge=-90, le=90, strict=True, description="degrees, in `datum`")
    lon: float | None = Field(None, ge=-180, le=180, strict=True, validate_default=True)
    geometry: dict[str, Any] | None = Field(
        None,
        description="GeoJSON Point, Polygon or MultiPolygon, longitude first, in `datum`; or a Feature of one",
    )
    datum: DatumName | None = Field(None, validate_default=True)

    @property
    def place(self) -> dict[str, Any] | None:
        """The GeoJSON geometry, made of ``lat`` and ``lon`` if they were given."""
        if self.geometry is None and self.lat is not None and self.lon is not None:
            return {"type": "Point", "coordinates": [self.lon, self.lat]}
        return self.geometry

    @field_validator("aliases")
    @classmethod
    def _a_set(cls, value: list[str]) -> list[str]:
        return sorted(set(value))

    _both = field_validator("lon")(come_together)

    @field_validator("geometry")
    @classmethod
    def _valid_geometry(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        if value is not None and info.data.get("lat") is not None:
            raise ValueError("经纬度与 geometry 只能给一个 · give either lat and lon or a geometry")
        return None if value is None else read_geometry(value, points=True)

    _says_where = field_validator("datum")(names_datum)

    @field_validator("datum")
    @classmethod
    def _of_something(cls, value: str | None, info: ValidationInfo) -> str | None:
        placed = any(info.data.get(name) is not None for name in ("lat", "lon", "geometry"))
        if value is not None and not placed and {"lat", "lon", "geometry"} <= info.data.keys():
            raise ValueError("有坐标系而无坐标 · a datum, but no coordinates")
        return value

    _in_range = model_validator(mode="before")(in_range)

    @model_validator(mode="after")
    def _can_be_meant(self) -> FuelStation:
        if self.datum is not None and self.lat is not None and self.lon is not None:
            refuse_misplaced(self.lat, self.lon, self.datum, "lat")
        elif self.datum is not None and self.geometry is not None:
            try:
                refuse_misplaced_geometry(self.geometry, self.datum)
            except PlacedError as error:
                raise PlacedError(str(error), "geometry", *error.path) from None
        return self


HEADERS: Final = {
    "编号": "id", "名称": "name", "别名": "aliases", "纬度": "lat", "经度": "lon", "几何": "geometry", "坐标系": "datum",
}  # fmt: skip
LISTING: Final = Listing(
    "SELECT t.id, t.name, t.aliases, t.datum, t.original AS geometry, t.updated_at FROM fuel_stations t",
    {
        "name": Filter("({0} = t.name OR {0} = ANY(t.aliases))"),
        "located": Filter("(t.geometry IS NOT NULL) = ({} = 'true')"),
    },
    orders={"name": Sorting("t.name")},
)


# --- written

_COMPARED: Final = ("name", "aliases", "datum", "original")


async def write(connection: Connection, records: Sequence[FuelStation]) -> list[WriteResult]:
    """Write stations; transactions without a station of their own follow the names.

    Raises RefusedError (a conflict) for a name or alias that means another station already.
    """
    stored = await _stored(connection)
    _refuse_shared_names(records, stored)
    changed = [record for record in records if not _same(record, stored.get(record.id))]
    if not changed:
        return ["unchanged"] * len(records)
    if any(r.id in stored for r in changed):
        await connection.execute(
            "SELECT FROM fuel_stations WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
            [r.id for r in changed],
        )
        stored = await _stored(connection)
    changed = sorted((r for r in changed if not _same(r, stored.get(r.id))), key=lambda r: r.id)
    written = [
        {"id": r.id, "name": r.name, "aliases": r.aliases, "datum": r.datum, "original": r.place,
         "geometry": "\\x" + geometry_wkb(r.place, r.datum).hex() if r.place and r.datum else None}
        for r in changed
    ]  # fmt: skip
    await connection.execute(
        "INSERT INTO fuel_stations (id, name, aliases, datum, original, geometry)"
        " SELECT id, name, aliases, datum, original, geometry FROM jsonb_populate_recordset(NULL::fuel_stations, $1)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, aliases = excluded.aliases, datum = excluded.datum,"
        " original = excluded.original, geometry = excluded.geometry, updated_at = clock_timestamp()",
        written,
    )
    # Transactions are taken twice. The first time may wait for an import of transactions; what came since then, and the
    # names that others gave, are looked at behind a lock, for as long as that takes.
    await _take_transactions(connection, changed)
    await take(connection, Lock.STATION_NAMES)
    _refuse_shared_names(records, await _stored(connection))
    await _take_transactions(connection, changed)
    is_changed = {r.id for r in changed}
    return [
        "unchanged" if r.id not in is_changed else "updated" if r.id in stored else "created" for r in records
    ]


async def _stored(connection: Connection) -> dict[str, Any]:
    """Every station by id."""
    rows = await connection.fetch("SELECT id, name, aliases, datum, original FROM fuel_stations")
    return {row["id"]: row for row in rows}


def _same(record: FuelStation, old: Any) -> bool:
    content = (record.name, record.aliases, record.datum, record.place)
    return old is not None and content == tuple(old[name] for name in _COMPARED)


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
    if not moved:
        return
    await connection.execute(
        "UPDATE fuel_transactions t SET station = n.new, updated_at = clock_timestamp()"
        " FROM unnest($1::text[], $2::text[], $3::text[]) AS n (name, old, new) WHERE NOT t.station_given"
        " AND t.station_name = n.name AND t.station IS NOT DISTINCT FROM n.old",
        [name for name, _, _ in moved], [old for _, old, _ in moved], [new for _, _, new in moved],
    )  # fmt: skip


# --- read


async def stations_by_name(connection: Connection) -> dict[str, str]:
    """Station ids by ``spelling.name_key`` of their names and aliases."""
    rows = await connection.fetch("SELECT id, name, aliases FROM fuel_stations")
    return {name_key(name): row["id"] for row in rows for name in (row["name"], *row["aliases"])}


@dataclass(frozen=True, slots=True)
class StationRow:
    """A fuel station in whole 1e-6 degrees, WGS-84: a point, or ``polygons`` (each a ring and its holes, a ring
    [[lat_e6, lon_e6], ...]); all None = without coordinates."""

    id: str
    name: str
    lat_e6: int | None
    lon_e6: int | None
    polygons: list[list[list[list[int]]]] | None


def station_of_row(id: str, name: str, wkb: bytes | None) -> StationRow:
    """The station of its id, name and stored geometry."""
    if wkb is None:
        return StationRow(id, name, None, None, None)
    shape = shapely.from_wkb(wkb)
    if shape.geom_type == "Point":
        return StationRow(id, name, round(shape.y * 1e6), round(shape.x * 1e6), None)
    parts = [shape] if shape.geom_type == "Polygon" else list(shape.geoms)
    rings = [[_ring(ring) for ring in (part.exterior, *part.interiors)] for part in parts]
    return StationRow(id, name, None, None, rings)


def _ring(ring: Any) -> list[list[int]]:
    points = np.rint(shapely.get_coordinates(ring)[:, ::-1] * 1e6).astype(np.int64)
    pairs: list[list[int]] = points.tolist()
    return pairs
