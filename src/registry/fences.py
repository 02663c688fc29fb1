"""Electronic fences (电子围栏, 定点停放), kept in versions: the record, written and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import Field, ValidationInfo, field_validator

from registry.pages import Filter, Listing, same
from registry.places import DatumName, geometry_wkb, read_geometry, refuse_misplaced_geometry
from registry.snapshot.timelines import FOREVER
from registry.values import Identifier, Name, Record, Time, WriteResult
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
        description="GeoJSON Polygon or MultiPolygon, longitude first, in `datum`; or a Feature or FeatureCollection of one"
    )
    valid_from: Time | None = None
    valid_to: Time | None = None

    @field_validator("vehicles")
    @classmethod
    def _a_set(cls, value: list[str]) -> list[str]:
        return sorted(set(value))

    @field_validator("geometry")
    @classmethod
    def _valid_geometry(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        datum = info.data.get("datum")
        geometry = read_geometry(value, datum)
        if datum is not None:
            refuse_misplaced_geometry(geometry, datum)
        return geometry

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
    results, changed = await _TABLE.compare(connection, records, _same)
    now: Any = None  # asked of the database only where a record does not say since when
    if any(record.valid_from is None for record, _ in changed):
        now = await connection.fetchval("SELECT clock_timestamp()")
    inserts: list[tuple[Fence, Any, list[Any]]] = []
    ended: list[tuple[str, datetime]] = []
    for record, old in changed:
        start = record.valid_from or now
        if record.valid_to is not None and record.valid_to <= start:
            start = record.valid_to  # given without a start and already over: it never holds
        wkb = geometry_wkb(record.geometry, record.datum)
        inserts.append(
            (record, old, [record.name, record.organisation, record.vehicles, record.geometry, record.datum, wkb, start,
                           record.valid_to])
        )  # fmt: skip
        if old is not None:
            ended.append((record.id, start))
    if ended:
        await _end_versions(connection, ended)
    await _TABLE.insert(connection, inserts)
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


async def _end_versions(connection: Connection, ended: Sequence[tuple[str, datetime]]) -> bool:
    """No stored version of the fences (id, time) holds from that time on. Whether one did.

    A version that was to begin later keeps its row with an empty time.
    """
    done: str = await connection.execute(
        "UPDATE fences f SET valid_to = greatest(f.valid_from, e.at) FROM unnest($1::text[], $2::timestamptz[]) AS e (id, at)"
        " WHERE f.id = e.id AND (f.valid_to IS NULL OR f.valid_to > e.at)"
        " AND f.valid_to IS DISTINCT FROM greatest(f.valid_from, e.at)",
        [id for id, _ in ended], [at for _, at in ended],
    )  # fmt: skip
    return done != "UPDATE 0"


async def withdraw_fence(connection: Connection, fence: str, at: datetime | None) -> bool | None:
    """End the fence at ``at`` (default: now). True = ended, False = it had ended before, None = no such
    fence.
    """
    if not await _TABLE.lock(connection, [fence]):
        return None
    return await _end_versions(
        connection, [(fence, at or await connection.fetchval("SELECT clock_timestamp()"))]
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
        FenceVersion(id, version, name, organisation, frozenset(vehicles), wkb, to_us(since), FOREVER if until is None else to_us(until))
        for id, version, name, organisation, vehicles, wkb, since, until in rows
    ]  # fmt: skip
