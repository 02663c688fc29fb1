"""The sea from coastlines: land on the left, water on the right. Places are as on a map: x to the east, y to the south."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely

from office.basemap.sea import coast_of, sea_in, squares_of

RECT = (0.0, 0.0, 100.0, 100.0)
Points = list[tuple[float, float]]


def sea(*lines: Points, rect: tuple[float, float, float, float] = RECT) -> shapely.Geometry:
    return sea_in(coast_of(np.array([shapely.LineString(line) for line in lines], object), rect), rect)


def is_water(water: shapely.Geometry, x: float, y: float) -> bool:
    return bool(shapely.contains_xy(water, x, y))


def ring(x: float, y: float, r: float, *, land_inside: bool) -> Points:
    """Counterclockwise as one sees it: who walks there has the inside on the left."""
    turn = -1 if land_inside else 1  # with y to the south a positive angle is clockwise
    return [(x + r * math.cos(turn * a), y + r * math.sin(turn * a)) for a in np.linspace(0, 2 * math.pi, 41)[:-1]] + [(x + r, y)]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "water", "land"),
    [
        ([(50, -9), (50, 109)], (20, 50), (80, 50)),  # southwards: the right hand is in the west
        ([(50, 109), (50, -9)], (80, 50), (20, 50)),
        ([(-9, 50), (109, 50)], (50, 80), (50, 20)),  # eastwards: the south
        ([(109, 50), (-9, 50)], (50, 20), (50, 80)),
        ([(-9, 30), (30, -9)], (80, 80), (5, 5)),  # around a corner
        ([(30, -9), (-9, 30)], (5, 5), (80, 80)),
        ([(40, 109), (40, 50), (60, 50), (60, 109)], (50, 90), (50, 20)),  # a bay from the south
        ([(60, 109), (60, 50), (40, 50), (40, 109)], (50, 20), (50, 90)),  # a cape
    ],
)
def test_water_is_on_the_right(line: Points, water: tuple[float, float], land: tuple[float, float]) -> None:
    found = sea(line)
    assert is_water(found, *water)
    assert not is_water(found, *land)


def test_a_strait_islands_and_a_lagoon() -> None:
    strait = sea([(30, 109), (30, -9)], [(70, -9), (70, 109)], ring(50, 50, 8, land_inside=True), ring(90, 50, 5, land_inside=False))  # fmt: skip
    assert [is_water(strait, x, y) for x, y in ((10, 50), (40, 20), (50, 50), (80, 20), (90, 50))] == [False, True, False, False, True]  # fmt: skip
    alone = sea(ring(50, 50, 20, land_inside=True))
    assert alone.area == pytest.approx(10_000 - shapely.Polygon(ring(50, 50, 20, land_inside=True)).area)
    assert sea(ring(50, 50, 20, land_inside=False)).area == pytest.approx(10_000 - alone.area)
    assert sea().is_empty


def test_ways_that_go_on_from_each_other_are_one_line_wherever_a_ring_begins() -> None:
    whole: Points = [(50, -9), (55, 30), (45, 60), (50, 109)]
    pieces = sea(whole[2:], whole[:2], whole[1:3])
    assert pieces.equals(sea(whole))
    # An island across the edge, whose ring begins within the square: the same water from any of its points.
    island = ring(100, 50, 20, land_inside=True)[:-1]
    areas = {round(sea([*island[k:], *island[: k + 1]]).area, 6) for k in range(len(island))}
    assert len(areas) == 1
    assert areas.pop() == pytest.approx(10_000 - shapely.Polygon(island).area / 2, rel=0.01)


def test_lines_that_end_are_led_to_the_edge_and_lines_that_contradict_make_no_sea() -> None:
    found = sea([(50, 8), (48, 50), (50, 95)])  # the rest is not in the file
    assert is_water(found, 20, 50)
    assert not is_water(found, 80, 50)
    assert sea([(30, -9), (30, 109)], [(70, -9), (70, 109)]).is_empty  # between them is land and water
    assert sea([(30, -9), (30, 109)], [(70, 109), (70, -9)]).area == pytest.approx(6_000)


def test_any_islands_leave_what_is_not_theirs() -> None:
    """In every square of the same coast: the whole is the sum of its parts, and none of them floods an island."""
    chance = np.random.default_rng(3)
    for _ in range(20):
        discs: list[tuple[float, float, float]] = []
        while len(discs) < 6:
            x, y, r = chance.uniform(0, 100), chance.uniform(0, 100), chance.uniform(2, 14)
            if all(math.hypot(x - a, y - b) > r + s + 1 for a, b, s in discs):
                discs.append((x, y, r))
        islands = [shapely.Polygon(ring(*disc, land_inside=True)) for disc in discs]
        coast = coast_of(np.array([shapely.LineString(i.exterior) for i in islands], object), (-50, -50, 150, 150))  # fmt: skip
        land = shapely.union_all(np.array(islands, object))
        for rect in squares_of(coast, 25.0, RECT):
            box = shapely.box(*rect)
            expected = shapely.difference(box, land)
            if shapely.intersects(box, land) and not shapely.covers(land, box):
                assert sea_in(coast, rect).symmetric_difference(expected).area < 1e-6
