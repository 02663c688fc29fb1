"""Coordinates and items of positions that a terminal sends otherwise than the standard says, as they are meant. Pure, by columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from runtime.arrays import AnyInts, Ints
from telemetry.geo import Datum, to_wgs84_e6
from telemetry.positions import OPTIONAL, SPEC, PositionBatch

#: A unit of the items 0x01 (odometer) and 0x02 (fuel) by the standard: 0.1 km and 0.1 litre, so 100 metres and 100 millilitres.
BY_THE_STANDARD: Final = 100
#: In which datum coordinates may have been sent; a column of them is made of their indices.
DATUMS: Final = (Datum.WGS84, Datum.GCJ02, Datum.BD09)


def put_right(
    batch: PositionBatch, rows: Ints, datum: Ints, odometer_unit_m: Ints, fuel_unit_ml: Ints
) -> PositionBatch:
    """``batch`` with its ``rows`` put right: coordinates given in ``datum`` (index of DATUMS) as WGS-84, odometer and fuel of other
    units in those of the columns, whole numbers to the nearest. A unit of 0 says that the item is something else: it is absent
    then, and so is a value that its column cannot hold. All int64, of the shape of ``rows``."""
    changed: dict[str, Any] = {}
    for index, given in enumerate(DATUMS):
        there = rows[datum == index]
        if given is Datum.WGS84 or not len(there):
            continue
        lat, lon = (changed.get(name, getattr(batch, name).copy()) for name in ("lat_e6", "lon_e6"))
        lat[there], lon[there] = to_wgs84_e6(given, lat[there] / 1e6, lon[there] / 1e6)
        changed |= {"lat_e6": lat, "lon_e6": lon}
    for name, unit in (("odometer_dkm", odometer_unit_m), ("fuel_dl", fuel_unit_ml)):
        other = unit != BY_THE_STANDARD
        if not other.any():
            continue
        values, present = _scaled(
            batch, changed.get("present", batch.present), rows[other], name, unit[other]
        )
        changed |= {name: values, "present": present}
    return replace(batch, **changed) if changed else batch


def _scaled(
    batch: PositionBatch, present: AnyInts, rows: Ints, name: str, unit: Ints
) -> tuple[AnyInts, AnyInts]:
    values, present = getattr(batch, name).copy(), present.copy()
    known = batch.known(name)[rows]
    rows, unit = rows[known], unit[known]
    exact = (values[rows].astype(np.int64) * unit + BY_THE_STANDARD // 2) // BY_THE_STANDARD
    fits = (unit > 0) & (exact < np.iinfo(SPEC[name][0]).max)
    values[rows] = np.where(fits, exact, 0).astype(values.dtype)
    bit = present.dtype.type(1 << OPTIONAL.index(name))
    present[rows[~fits]] &= ~bit
    return values, present
