"""A position as an HTTP terminal sends it, and many of them as columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from registry.misplaced import in_range, misplaced, mostly_swapped
from registry.places import DatumName
from registry.refusals import Flaw
from registry.values import Phone, Time
from runtime.units import to_us
from telemetry.geo import Datum, to_wgs84
from telemetry.positions import OPTIONAL, SPEC, PositionBatch, Source

#: Positions of one request.
MAX_POSITIONS: Final = 5_000

_NO_DATA: Final = {name: int(np.iinfo(SPEC[name][0]).max) for name in OPTIONAL}
_ACC, _POSITIONED, _SOUTH, _WEST = 1 << 0, 1 << 1, 1 << 2, 1 << 3


class Position(BaseModel):
    """One position. Bounds are those of the columns of JT/T 808."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

    _in_range = model_validator(mode="before")(in_range)

    terminal: Phone = Field(description="phone number of the terminal")
    time: Time = Field(description="when, by the terminal; RFC 3339 with offset")
    lat: float = Field(ge=-90, le=90, description="degrees, in `datum`")
    lon: float = Field(ge=-180, le=180)
    datum: DatumName
    altitude: float = Field(0, ge=-32768, le=32767, description="metres")
    speed: float = Field(0, ge=0, le=6553.5, description="km/h")
    direction: float = Field(0, ge=0, le=360, description="degrees from north, clockwise")
    positioned: bool = Field(True, description="whether the receiver had a fix")
    acc: bool = Field(False, description="ignition on")
    alarm: int = Field(0, ge=0, le=0xFFFFFFFF, description="alarm bits of JT/T 808")
    odometer: float | None = Field(None, ge=0, le=429_496_729.5, description="km")
    fuel: float | None = Field(None, ge=0, le=6553.5, description="litres")
    recorder_speed: float | None = Field(None, ge=0, le=6553.5, description="km/h, by the vehicle's recorder")
    signal: int | None = Field(None, ge=0, le=255)
    satellites: int | None = Field(None, ge=0, le=255)


POSITIONS: Final = TypeAdapter(list[Position])

EXAMPLE: Final = [
    {
        "terminal": "13800000001",
        "time": "2026-03-02T08:31:00+08:00",
        "lat": 31.98,
        "lon": 120.89,
        "datum": "wgs84",
        "speed": 42.5,
        "direction": 90,
    }
]


def misplaced_positions(positions: Sequence[Position]) -> list[Flaw]:
    """The flaw of a request whose positions all lie with latitude and longitude swapped, in whatever datum: the sender has
    them so. A single stray fix among good ones is a position like every other; the track decides what it is worth."""
    fixes = [(k, p) for k, p in enumerate(positions) if p.positioned]
    if not mostly_swapped([p.lat for _, p in fixes], [p.lon for _, p in fixes]):
        return []
    first, row = fixes[0]
    return [Flaw(("lat",), misplaced(row.lat, row.lon, row.datum) or "", first)]


def to_batch(positions: Sequence[Position], numbers: dict[str, int], received_us: int) -> PositionBatch:
    """The columns of ``positions``; ``numbers``: registry number by phone. Coordinates become WGS-84 here."""
    n = len(positions)

    def column(name: str, scale: int = 1) -> Any:
        """Rounded to integers, half to even; None is 0."""
        return np.rint(np.array([getattr(p, name) or 0 for p in positions], np.float64) * scale).astype(
            np.int64
        )

    lat = np.array([p.lat for p in positions], np.float64)
    lon = np.array([p.lon for p in positions], np.float64)
    datums = np.array([p.datum for p in positions])
    for datum in np.unique(datums):
        rows = datums == datum
        lat[rows], lon[rows] = to_wgs84(Datum(str(datum)), lat[rows], lon[rows])
    lat_e6 = np.rint(lat * 1e6).astype(np.int64)
    lon_e6 = np.rint(lon * 1e6).astype(np.int64)
    status = np.where(lat_e6 < 0, _SOUTH, 0) | np.where(lon_e6 < 0, _WEST, 0)
    status |= np.array([_POSITIONED * p.positioned | _ACC * p.acc for p in positions], np.int64)
    present = np.zeros(n, np.uint8)
    optional = {"odometer_dkm": ("odometer", 10), "fuel_dl": ("fuel", 10), "radio": ("signal", 1)}
    optional |= {"recorder_speed_dkmh": ("recorder_speed", 10), "satellites": ("satellites", 1)}
    values = {}
    for bit, name in enumerate(OPTIONAL):
        field, scale = optional[name]
        present |= np.array([getattr(p, field) is not None for p in positions]).astype(np.uint8) << np.uint8(
            bit
        )
        values[name] = column(field, scale)
        # All bits set say "no data" on the wire: what is passed on from there means the same.
        present &= ~((values[name] == _NO_DATA[name]).astype(np.uint8) << np.uint8(bit))
        values[name][values[name] == _NO_DATA[name]] = 0
    return PositionBatch.build(
        n,
        terminal=np.array([numbers[p.terminal] for p in positions], np.int64),
        received_us=received_us,
        device_us=np.array([to_us(p.time) for p in positions], np.int64),
        lat_e6=lat_e6,
        lon_e6=lon_e6,
        altitude_m=column("altitude"),
        speed_dkmh=column("speed", 10),
        direction_deg=column("direction") % 360,
        alarm=np.array([p.alarm for p in positions], np.int64),
        status=status,
        source=Source.HTTP,
        present=present,
        **values,
    )
