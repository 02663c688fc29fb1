"""Coordinates that cannot be meant are refused in every record, and the swap is proposed; what may be true is not refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.positions.schemas import POSITIONS, misplaced_positions
from registry.doubts import _far_places
from registry.misplaced import misplaced
from registry.orders import DispatchOrder
from registry.records import KINDS
from registry.refusals import Flaw, explain
from runtime.errors import ConfigurationError
from simulation.gps_files.replay import prepare
from simulation.gps_files.tracks import ABSENT, RealTrack
from telemetry.geo import Datum, in_china

ORDER = {
    "id": "o1", "organisation": "o", "vehicle": "v",
    "planned_departure": "2026-03-02T08:30:00+08:00", "planned_return": "2026-03-02T17:30:00+08:00",
}  # fmt: skip
#: Nantong (swapped: no latitude), Urumqi and Lhasa (swapped: the Arctic), as (lat, lon).
CHINA = [(31.98, 120.89), (43.82, 87.61), (29.65, 91.13), (39.47, 75.99)]


def square(lat: float, lon: float) -> dict[str, Any]:
    ring = [[lon, lat], [lon + 0.002, lat], [lon + 0.002, lat + 0.002], [lon, lat + 0.002], [lon, lat]]
    return {"type": "Polygon", "coordinates": [ring]}


def records(lat: float, lon: float, datum: str) -> dict[str, tuple[str, dict[str, Any], str]]:
    """Every way in which a coordinate comes into the registry -> kind, record, where its flaw is."""
    place = {"name": "x", "lat": lat, "lon": lon, "datum": datum}
    more = {"id": "x", "name": "x", "datum": datum}
    return {
        "destination": ("dispatch-orders", ORDER | {"destinations": [place]}, "/destinations/0/"),
        "origin": ("dispatch-orders", ORDER | {"origin": place}, "/origin/"),
        "return": ("dispatch-orders", ORDER | {"return_point": place}, "/return_point/"),
        "fence": ("fences", more | {"organisation": "o", "geometry": square(lat, lon)}, "/geometry/coordinates"),
        "station": ("fuel-stations", more | {"lat": lat, "lon": lon}, "/"),
        "station's polygon": ("fuel-stations", more | {"geometry": square(lat, lon)}, "/geometry/coordinates"),
        "station's point": (
            "fuel-stations",
            more | {"geometry": {"type": "Point", "coordinates": [lon, lat]}},
            "/geometry/coordinates",
        ),
    }  # fmt: skip


WAYS = list(records(0, 0, ""))


def flaws(kind: str, values: dict[str, Any]) -> list[Flaw]:
    try:
        KINDS[kind].model.model_validate(values)
    except ValidationError as error:
        return explain(error)
    return []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09"])
@pytest.mark.parametrize(("lat", "lon"), CHINA)
def test_swapped_coordinates_are_refused_and_the_swap_is_proposed(
    way: str, datum: str, lat: float, lon: float
) -> None:
    kind, values, pointer = records(lat, lon, datum)[way]
    assert flaws(kind, values) == []
    kind, values, pointer = records(lon, lat, datum)[way]
    (flaw,) = flaws(kind, values)
    assert flaw.pointer.startswith(pointer)
    assert f"是否应为纬度 {lat}、经度 {lon}？" in flaw.message
    assert flaw.message.isprintable()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("lat", "lon"), [(48.8566, 2.3522), (-33.9, 151.2), (40.7, -74.0)])
def test_a_datum_of_china_is_refused_outside_china(way: str, lat: float, lon: float) -> None:
    for datum in ("gcj02", "bd09"):
        kind, values, _ = records(lat, lon, datum)[way]
        (flaw,) = flaws(kind, values)
        assert "境外请用 wgs84" in flaw.message
    kind, values, _ = records(lat, lon, "wgs84")[way]  # an embassy has cars, too
    assert flaws(kind, values) == []


@pytest.mark.parametrize("way", WAYS)
def test_nowhere_is_refused(way: str) -> None:
    kind, values, _ = records(0.0, 0.0, "wgs84")[way]
    (flaw,) = flaws(kind, values)
    assert "0, 0" in flaw.message


@pytest.mark.parametrize(("lat", "lon"), [(31_980_000, 120_890_000), (3158.92, 12053.4), (91.0, 200.0)])
@pytest.mark.parametrize("way", WAYS)
def test_out_of_range_says_the_unit(way: str, lat: float, lon: float) -> None:
    kind, values, _ = records(lat, lon, "wgs84")[way]
    (flaw,) = flaws(kind, values)
    assert "单位应为度" in flaw.message


def test_one_swapped_vertex_of_a_fence_is_named() -> None:
    geometry = square(43.82, 87.61)
    geometry["coordinates"][0][2] = [43.822, 87.612]
    (flaw,) = flaws(
        "fences", {"id": "f", "name": "f", "organisation": "o", "datum": "wgs84", "geometry": geometry}
    )
    assert "第 3 个点" in flaw.message


@given(st.floats(0.83, 55.82), st.floats(72.01, 137.83), st.sampled_from(["wgs84", "gcj02", "bd09"]))
def test_what_lies_in_china_is_never_doubted_and_its_swap_always(lat: float, lon: float, datum: str) -> None:
    assert misplaced(lat, lon, datum) is None
    assert "写反" in (misplaced(lon, lat, datum) or "")
    assert not in_china(lon, lat)


def position(lat: float, lon: float, **more: Any) -> dict[str, Any]:
    at = "2026-03-02T08:31:00+08:00"
    return {"terminal": "13800000001", "time": at, "lat": lat, "lon": lon, "datum": "wgs84"} | more


def test_positions_of_a_sender_that_swaps_are_refused_and_a_stray_fix_is_not() -> None:
    swapped, good = position(87.61, 43.82), position(43.82, 87.61)
    (flaw,) = misplaced_positions(
        POSITIONS.validate_python([position(0, 0, positioned=False), swapped, swapped])
    )
    assert (flaw.row, flaw.pointer) == (1, "/lat")
    assert "是否应为纬度 43.82、经度 87.61" in flaw.message
    assert misplaced_positions(POSITIONS.validate_python([good, swapped])) == []
    assert misplaced_positions(POSITIONS.validate_python([position(0, 0, positioned=False)])) == []
    with pytest.raises(ValidationError) as caught:
        POSITIONS.validate_python([position(120.89, 31.98)])
    (flaw,) = explain(caught.value)
    assert "是否应为纬度 31.98、经度 120.89" in flaw.message


def test_a_recorded_track_that_is_swapped_is_refused() -> None:
    def track(lat: float, lon: float) -> RealTrack:
        n = 3
        time_us = np.arange(n, dtype=np.int64) * 10_000_000 + 1_770_000_000_000_000
        unknown = np.full(n, ABSENT, np.int32)
        return RealTrack(
            "car", time_us, np.full(n, round(lat * 1e6), np.int32), np.full(n, round(lon * 1e6), np.int32),
            altitude_m=np.zeros(n, np.int16), speed_dkmh=unknown, direction_deg=unknown,
        )  # fmt: skip

    for lat, lon in CHINA[1:]:
        with pytest.raises(ConfigurationError, match="写反"):
            prepare(track(lon, lat), Datum.WGS84, 0)
        source, unable = prepare(track(lat, lon), Datum.GCJ02, 0)
        assert (len(source.time_s), unable) == (3, 0)
    with pytest.raises(ConfigurationError, match="境外"):
        prepare(track(48.8566, 2.3522), Datum.GCJ02, 0)


def test_places_far_from_their_unit_are_asked_about() -> None:
    def order(*places: tuple[float, float], unit: str = "o") -> DispatchOrder:
        given = [{"name": "x", "lat": lat, "lon": lon, "datum": "wgs84"} for lat, lon in places]
        return DispatchOrder.model_validate(ORDER | {"organisation": unit, "destinations": given})

    urumqi, nantong, chicago = (43.82, 87.61), (31.98, 120.89), (41.88, -87.63)
    homes = {"o": np.array([urumqi])}
    orders = [order(urumqi, nantong), order(chicago), order((43.9, 87.3)), order(nantong, unit="unknown")]
    found = _far_places(orders, homes)
    assert [(flaw.row, flaw.field) for flaw in found] == [(0, "destinations.1"), (1, "destinations.0")]
    assert "3180 公里" in found[0].message
    assert "境外" in found[1].message
    # Nobody has a fence: places of one order are compared with each other, and one alone with nothing.
    assert [flaw.field for flaw in _far_places([order(urumqi, nantong)], {})] == [
        "destinations.0",
        "destinations.1",
    ]
    assert _far_places([order(nantong), order(urumqi)], {}) == []
    # Many at once are compared in one go.
    many = [order(nantong, urumqi)] * 3_000
    assert len(_far_places(many, homes)) == len(many)
