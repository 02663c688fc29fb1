"""The console converts datums by code of its own, for what it shows. ``console/tests/datum.json`` holds it to the program's:
``PYTHONPATH=src python -m tests.unit.test_console_datum`` writes the file, vitest reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from telemetry.geo import Datum, distance_m, from_wgs84, to_wgs84

FILE: Final = Path(__file__).parents[2] / "console" / "tests" / "datum.json"
#: Longitude, latitude, WGS-84: Nantong, places all over the country, the edges of the rectangle, and outside of it.
PLACES: Final = (
    (120.89, 31.98), (121.657, 31.808), (116.397, 39.908), (91.117, 29.647), (126.53, 45.803), (110.35, 20.02), (87.61, 43.82),
    (105.0, 35.0), (72.01, 0.83), (137.83, 55.82), (2.3522, 48.8566), (-73.9857, 40.7484),
)  # fmt: skip


def sample() -> list[dict[str, Any]]:
    lon, lat = np.array(PLACES).T
    rows = [{"wgs84": list(place)} for place in PLACES]
    for datum in (Datum.GCJ02, Datum.BD09):
        for row, x, y in zip(rows, *reversed(from_wgs84(datum, lat, lon)), strict=True):
            row[datum.value] = [float(x), float(y)]
    return rows


def test_the_file_is_what_the_program_computes() -> None:
    kept = orjson.loads(FILE.read_bytes())
    for row, wanted in zip(kept, sample(), strict=True):
        for name, place in wanted.items():
            np.testing.assert_allclose(row[name], place, rtol=0, atol=1e-10)


def test_a_shown_position_lines_up_with_a_shifted_map() -> None:
    """A place that GCJ-02 moves by hundreds of metres comes back to a millimetre."""
    lon, lat = np.array(PLACES[:10]).T
    y, x = from_wgs84(Datum.GCJ02, lat, lon)
    moved = distance_m(lat, lon, y, x)
    assert (moved > 100).all()
    assert (moved < 1_000).all()
    back_lat, back_lon = to_wgs84(Datum.GCJ02, y, x)
    # At the very edges of the rectangle a place may come to lie outside of it.
    inner = slice(0, 8)
    assert (distance_m(lat, lon, back_lat, back_lon)[inner] < 1e-3).all()


if __name__ == "__main__":
    FILE.write_bytes(orjson.dumps(sample(), option=orjson.OPT_INDENT_2) + b"\n")
