"""Polylines, numbers, the breaker, keys of routes."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.navigation import NoNavigator, navigator
from rules.navigation.cache import route_key
from rules.navigation.engines import degrees
from rules.navigation.http import Breaker, whole
from rules.navigation.polyline import decode, encode, join
from runtime.errors import ConfigurationError
from runtime.settings import Settings

POINTS = st.lists(st.tuples(st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000)))


@given(POINTS)
def test_a_polyline_comes_back(points: list[tuple[int, int]]) -> None:
    assert decode(encode(points)) == points


def test_a_polyline_of_valhalla() -> None:
    """The first points of an answer of Valhalla 3.9.1."""
    assert decode("qs{~{@c}oqeF")[0] == (31_979_849, 120_889_826)


@given(st.text(max_size=40))
def test_any_text_is_a_polyline_or_refused(text: str) -> None:
    try:
        points = decode(text)
    except ValueError:
        return
    assert all(abs(lat) <= 90_000_000 and abs(lon) <= 180_000_000 for lat, lon in points)


@given(POINTS.filter(lambda points: len(points) > 1), st.data())
def test_a_way_in_two_parts_that_meet_is_the_way(points: list[tuple[int, int]], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(points) - 1))
    assert join([points[: at + 1], points[at:]]) == points


@given(st.integers(0, 10**10))
def test_kilometres_become_metres_exactly(metres: int) -> None:
    text = f"{metres // 1000}.{metres % 1000:03d}"
    value = json.loads(text, parse_float=Decimal)
    if metres <= 10**10 // 1000 * 1000:
        assert whole(value, 1000) == metres


@pytest.mark.parametrize(
    "bad", [None, True, "12", -1, Decimal("-0.001"), 10**11, Decimal("1e999999"), 0.5, [], {}]
)
def test_what_is_no_length_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="not a sane number"):
        whole(bad, 1)


def test_half_a_metre_goes_up() -> None:
    assert [whole(Decimal(t)) for t in ("0.4", "0.5", "1.49", "1.5")] == [0, 1, 1, 2]


@given(st.integers(-180_000_000, 180_000_000))
def test_degrees_are_exact(e6: int) -> None:
    assert Decimal(degrees(e6)) * 1_000_000 == e6


def test_the_breaker_opens_and_lets_one_through_after_each_pause() -> None:
    now = [100.0]
    breaker = Breaker(failures=3, pause_s=30, clock=lambda: now[0])
    for _ in range(2):
        breaker.failure()
    breaker.success()
    for _ in range(3):
        assert breaker.allow()
        breaker.failure()
    assert breaker.open
    assert not breaker.allow()
    now[0] += 30
    assert [breaker.allow(), breaker.allow()] == [True, False]
    breaker.failure()
    assert not breaker.allow()
    now[0] += 30
    assert breaker.allow()
    breaker.success()
    assert breaker.allow()
    assert not breaker.open


def test_a_route_has_another_key_for_each_engine_map_and_place() -> None:
    keys = {
        route_key(engine, date, profile, places)
        for engine in ("valhalla", "osrm")
        for date in ("2026-01-01", "2026-02-01")
        for profile in ("car", "bus")
        for places in (((1, 2), (3, 4)), ((3, 4), (1, 2)), ((1, 2), (3, 4), (1, 2)), ((1, 23), (4, 1)))
    }
    assert len(keys) == 32
    assert {len(key) for key in keys} == {32}


def test_the_settings_name_the_engine() -> None:
    assert isinstance(navigator(Settings(navigation_url=None)), NoNavigator)
    for engine in ("valhalla", "osrm"):
        assert not isinstance(
            navigator(Settings(navigation_url="http://127.0.0.1:1", navigation_engine=engine)), NoNavigator
        )
    with pytest.raises(ConfigurationError, match="key"):
        navigator(Settings(navigation_engine="amap"))
    assert not isinstance(navigator(Settings(navigation_engine="amap", navigation_key="k")), NoNavigator)
    with pytest.raises(ConfigurationError, match="http"):
        navigator(Settings(navigation_url="127.0.0.1:8002"))
