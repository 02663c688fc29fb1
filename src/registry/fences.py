"""Electronic fences (电子围栏, 定点停放), kept in versions: the record, written and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import Field, ValidationInfo, field_validator

from registry.changes import note_vehicles
from registry.pages import Filter, Listing, same
from registry.places import DatumName, geometry_wkb, read_geometry
from registry.snapshot.timelines import FOREVER
from registry.values import Identifier, Name, Record, Time, WriteResult
from registry.vehicles import vehicles_of
from registry.versioned import VersionedTable
from runtime.connection import Connection
from runtime.units import to_us


class Fence(Record):
    """An electronic fence (电子围栏, 定点停放). The newest PUT holds from ``valid_from`` (default: now)
    on.
    """

    name: Name
    organisation: Identifier
    vehicles: list[Identifier] = Field(
        default_factory=list,
        max_length=5_000,
        description="empty: all vehicles of the organisation without a fence",
    )
    datum: DatumName
    geometry: dict[str, Any] = Field(
        description="GeoJSON Polygon or MultiPolygon, longitude first, in `datum`"
    )
    valid_from: Time | None = None
    valid_to: Time | None = None

    @field_validator("vehicles")
    @classmethod
    def _a_set(cls, value: list[str]) -> list[str]:
        return sorted(set(value))

    @field_validator("geometry")
    @classmethod
    def _valid_geometry(cls, value: dict[str, Any]) -> dict[str, Any]:
        return read_geometry(value)

    @field_validator("valid_to")
    @classmethod
    def _ends_after_start(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("valid_from")
        if value is not None and start is not None and value <= start:
            raise ValueError("失效时间不晚于生效时间 · valid_to must be after valid_from")
        return value


HEADERS: Final = {
    "编号": "id", "名称": "name", "单位": "organisation", "车辆": "vehicles", "坐标系": "datum", "几何": "geometry",
    "生效时间": "valid_from", "失效时间": "valid_to",
}  # fmt: skip
_TABLE: Final = VersionedTable(
    "fences",
    ("name", "organisation", "vehicles", "original", "datum", "geometry", "valid_from", "valid_to"),
)
LISTING: Final = Listing(
    "SELECT t.id, t.version, t.name, t.organisation, t.vehicles, t.datum, t.original AS geometry, t.valid_from,"
    " t.valid_to, t.created_at FROM fences t",
    {"organisation": same("organisation"), "vehicle": Filter("{} = ANY(t.vehicles)")},
    newest="NOT EXISTS (SELECT FROM fences n WHERE n.id = t.id AND n.version > t.version)",
)


# --- written


async def write(connection: Connection, records: Sequence[Fence]) -> list[WriteResult]:
    """Write fences whose references were checked, at most one record an id. See ``records.apply``."""
    now = await connection.fetchval("SELECT clock_timestamp()")
    results, changed = await _TABLE.compare(connection, records, _same)
    concerned: list[tuple[str, list[str], str, datetime]] = []
    inserts: list[tuple[Fence, Any, list[Any]]] = []
    for record, old in changed:
        start = record.valid_from or now
        if record.valid_to is not None and record.valid_to <= start:
            start = record.valid_to  # given without a start and already over: it never holds
        wkb = geometry_wkb(record.geometry, record.datum)
        inserts.append(
            (record, old, [record.name, record.organisation, record.vehicles, record.geometry, record.datum, wkb, start,
                           record.valid_to])
        )  # fmt: skip
        concerned.append((record.id, record.vehicles, record.organisation, start))
        if old is not None:
            concerned += await _end_versions(connection, record.id, start)
    await _TABLE.insert(connection, inserts)
    await _note_fences(connection, concerned)
    return results


def _same(record: Fence, old: Any) -> bool:
    return (
        record.name == old["name"]
        and record.organisation == old["organisation"]
        and record.vehicles == list(old["vehicles"])
        and record.geometry == old["original"]
        and record.datum == old["datum"]
        and record.valid_to == old["valid_to"]
        and record.valid_from in (None, old["valid_from"])
    )


async def _end_versions(
    connection: Connection, fence: str, at: datetime
) -> list[tuple[str, list[str], str, datetime]]:
    """No stored version of ``fence`` holds from ``at`` on. Returns what that concerns: (id, vehicles,
    organisation, from).

    A version that was to begin later keeps its row with an empty time.
    """
    rows = await connection.fetch(
        "UPDATE fences SET valid_to = greatest(valid_from, $2) WHERE id = $1 AND (valid_to IS NULL OR valid_to > $2)"
        " AND valid_to IS DISTINCT FROM greatest(valid_from, $2) RETURNING vehicles, organisation",
        fence, at,
    )  # fmt: skip
    return [(fence, list(row["vehicles"]), row["organisation"], at) for row in rows]


async def withdraw_fence(connection: Connection, fence: str, at: datetime | None) -> bool | None:
    """End the fence at ``at`` (default: now). True = ended, False = it had ended before, None = no such
    fence.
    """
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM fences WHERE id = $1)", fence):
        return None
    concerned = await _end_versions(
        connection, fence, at or await connection.fetchval("SELECT clock_timestamp()")
    )
    await _note_fences(connection, concerned)
    return bool(concerned)


async def _note_fences(
    connection: Connection, concerned: Sequence[tuple[str, list[str], str, datetime]]
) -> None:
    """A fence with a list concerns the list; one without, every vehicle of the organisation."""
    whole = await vehicles_of(
        connection, [organisation for _, listed, organisation, _ in concerned if not listed]
    )
    await note_vehicles(
        connection,
        "fence",
        [
            (fence, vehicle, since)
            for fence, listed, organisation, since in concerned
            for vehicle in (listed or whole[organisation])
        ],
    )


# --- read


@dataclass(frozen=True, slots=True)
class FenceVersion:
    """One version of a fence. ``wkb``: WGS-84 degrees (longitude, latitude); valid in [from, to),
    microseconds since 1970 UTC, ``valid_to_us`` FOREVER = still valid. Empty ``vehicles``: every vehicle of
    the organisation that has no fence of its own at that time."""

    id: str
    version: int
    name: str
    organisation: str
    vehicles: frozenset[str]
    wkb: bytes
    valid_from_us: int
    valid_to_us: int


async def read_fences(connection: Connection, where: str = "", *arguments: object) -> list[FenceVersion]:
    """Versions of fences; ``where``: what follows the SELECT."""
    rows = await connection.fetch(
        f"SELECT id, version, name, organisation, vehicles, geometry, valid_from, valid_to FROM fences {where}",  # noqa: S608 - constant texts
        *arguments,
    )
    return [
        FenceVersion(
            id=row["id"],
            version=row["version"],
            name=row["name"],
            organisation=row["organisation"],
            vehicles=frozenset(row["vehicles"]),
            wkb=row["geometry"],
            valid_from_us=to_us(row["valid_from"]),
            valid_to_us=FOREVER if row["valid_to"] is None else to_us(row["valid_to"]),
        )
        for row in rows
    ]
