"""Traffic violations (违章): the record, written and read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from registry.misplaced import come_together, in_range, names_datum, refuse_misplaced
from registry.pages import BEFORE, SINCE, Listing, Sorting, same
from registry.places import DatumName
from registry.refusals import refuse_future
from registry.upsert import TEXT, Column, PlainTable, upsert
from registry.values import Fine, Identifier, Plate, Record, Text, Time, WriteResult
from runtime.connection import Connection
from runtime.units import LATEST_US, from_us, in_us
from telemetry.geo import Datum, to_wgs84_e6


class Violation(Record):
    """A traffic violation (违章). ``appealed`` means with success; it and ``revoked`` do not count."""

    plate: Plate
    at: Time
    place: Text = ""
    act: Text = Field("", description="违法行为")
    code: Text = Field("", description="违法代码: tells parking from driving")
    lat: float | None = Field(None, ge=-90, le=90, description="of the place, degrees, in `datum`")
    lon: float | None = Field(None, ge=-180, le=180, validate_default=True)
    datum: DatumName | None = Field(None, validate_default=True)
    fine: Fine | None = Field(None, description="yuan")
    points: int | None = Field(None, ge=0, le=100, description="记分")
    status: Literal["open", "handled", "revoked", "appealed"] = "open"
    driver: Identifier | None = None
    source: Text = ""

    _both = field_validator("lon")(come_together)

    _says_where = field_validator("datum")(names_datum)

    _in_range = model_validator(mode="before")(in_range)

    @model_validator(mode="after")
    def _can_be_meant(self) -> Violation:
        if self.lat is not None and self.lon is not None:
            refuse_misplaced(self.lat, self.lon, self.datum, "lat")
        return self

    @property
    def lat_e6(self) -> int | None:
        """Latitude of the place in WGS-84, 1e-6 degree."""
        return self._spot[0]

    @property
    def lon_e6(self) -> int | None:
        """Longitude of the place in WGS-84, 1e-6 degree."""
        return self._spot[1]

    @cached_property
    def _spot(self) -> tuple[int | None, int | None]:
        if self.lat is None or self.lon is None or self.datum is None:
            return None, None
        lat, lon = to_wgs84_e6(Datum(self.datum), np.array([self.lat]), np.array([self.lon]))
        return int(lat[0]), int(lon[0])


HEADERS: Final = {
    "违法编号": "id", "号牌号码": "plate", "违法时间": "at", "违法地点": "place", "违法行为": "act", "违法代码": "code",
    "纬度": "lat", "经度": "lon", "坐标系": "datum", "罚款金额": "fine", "记分": "points", "处理状态": "status", "驾驶员": "driver", "来源": "source",
}  # fmt: skip
TABLE: Final = PlainTable(
    "violations",
    {
        "plate": TEXT, "at": Column("timestamptz"), "place": TEXT, "act": TEXT, "code": TEXT,
        "lat": Column("double precision"), "lon": Column("double precision"), "datum": TEXT,
        "lat_e6": Column("integer", shown=False), "lon_e6": Column("integer", shown=False),
        "fine_fen": Column("bigint", "fine", decimals=2), "points": Column("integer"), "status": TEXT, "driver": TEXT,
        "source": TEXT,
    },
)  # fmt: skip
LISTING: Final = Listing(
    TABLE.select(),
    {"plate": same("plate"), "status": same("status"), "from": SINCE, "to": BEFORE},
    orders={"at": Sorting("t.at", "time")},
    decimals=TABLE.decimals(),
)


async def write(connection: Connection, records: Sequence[Violation]) -> list[WriteResult]:
    """Write violations; references were checked. Raises RefusedError for a time in the future."""
    await refuse_future(connection, [record.at for record in records])
    return await upsert(connection, TABLE, records)


# --- read

#: The columns of a ViolationRow, of the table ``v``.
SELECT: Final = (
    "SELECT v.id, v.plate, v.at, v.place, v.act, v.fine_fen, v.points, v.status, v.driver, v.code, v.lat_e6, v.lon_e6"
    " FROM violations v"
)


@dataclass(frozen=True, slots=True)
class ViolationRow:
    """A traffic violation (违章). ``status``: open, handled, revoked, appealed (with success). ``lat_e6``, ``lon_e6``: WGS-84,
    None = the record has no coordinates."""

    id: str
    plate: str
    at_us: int
    place: str
    act: str
    fine_fen: int | None
    points: int | None
    status: str
    driver: str | None
    code: str = ""
    lat_e6: int | None = None
    lon_e6: int | None = None


async def violations_of(conn: Connection, ids: Collection[str]) -> list[ViolationRow]:
    """Violations by their numbers, those that exist, by (time, id)."""
    return violations_of_rows(await conn.fetch(f"{SELECT} WHERE v.id = ANY($1::text[])", sorted(ids)))


async def violations_between(conn: Connection, from_us_: int, to_us_: int = LATEST_US) -> list[ViolationRow]:
    """Every violation in [from, to), by (time, id)."""
    return violations_of_rows(
        await conn.fetch(
            f"{SELECT} WHERE v.at >= $1 AND v.at < $2",
            from_us(max(from_us_, 0)),
            from_us(min(to_us_, LATEST_US)),
        )
    )


async def violations_of_plates(
    conn: Connection, wanted: Collection[tuple[str, int, int]]
) -> list[ViolationRow]:
    """Violations of each (plate, from, to) of ``wanted`` ([from, to), us), by (time, id)."""
    return await _in_spans(conn, "plate", wanted)


async def violations_of_drivers(
    conn: Connection, wanted: Collection[tuple[str, int, int]]
) -> list[ViolationRow]:
    """Violations whose record names the driver, of each (driver, from, to) of ``wanted``, by (time, id)."""
    return await _in_spans(conn, "driver", wanted)


async def _in_spans(
    conn: Connection, column: str, wanted: Collection[tuple[str, int, int]]
) -> list[ViolationRow]:
    if not wanted:
        return []
    spans = sorted(wanted)
    rows = await conn.fetch(
        f"SELECT DISTINCT v.* FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS k (key, since, until)"  # noqa: S608 - fixed texts
        f" JOIN ({SELECT}) v ON v.{column} = k.key AND v.at >= k.since AND v.at < k.until",
        [key for key, _, _ in spans],
        [from_us(max(a, 0)) for _, a, _ in spans],
        [from_us(min(b, LATEST_US)) for _, _, b in spans],
    )
    return violations_of_rows(rows)


def violations_of_rows(rows: Iterable[Any]) -> list[ViolationRow]:
    """The violations of rows that begin with the columns of SELECT, by (time, id)."""
    found = [ViolationRow(*in_us(row[:12])) for row in rows]
    return sorted(found, key=lambda v: (v.at_us, v.id))
