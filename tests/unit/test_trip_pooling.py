"""Pooling: pairs worked out by hand, every pair checked again by other means, and the matching against all that there are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import pytest

from office.dispatch.planner.facts import Point, Trip
from office.dispatch.planner.pooling import BAR_TEXTS, PoolBar, Rider, Shared, pooled
from office.dispatch.planner.travel import Travel
from office.dispatch.planner.weights import Weights
from tests.examples import examples

NOON = 1_790_000_000
HOUR = 3600
#: The hall, a place 30 km north of it, one 1 km beside that, one far to the east.
HALL, NORTH, BESIDE, EAST = (31_980_000, 120_890_000), (32_250_000, 120_890_000), (32_250_000, 120_900_000), (31_980_000, 121_300_000)  # fmt: skip


def rider(id: str, to: Point | Sequence[Point] = NORTH, *, at: Point = HALL, after: int = 0, long: int = 5 * HOUR, **more: Any) -> Rider:  # fmt: skip
    stops = (to,) if isinstance(to[0], int) else tuple(to)
    mine = {name: more.pop(name) for name in ("consent", "driven") if name in more}
    trip = Trip(id, "jsj", at, at, NOON + after, NOON + after + long, 0, 0, **more)
    return Rider(trip, stops, **({"consent": True} | mine))  # type: ignore[arg-type] # the ones above


def names(riders: list[Rider]) -> tuple[list[tuple[str, str]], dict[str, PoolBar]]:
    found, bars = pooled(riders, NOON - HOUR)
    return [pair.requests for pair in found], bars


def test_two_who_go_the_same_way_save_one_of_two() -> None:
    (pair,), bars = pooled([rider("a"), rider("b")], NOON - HOUR)
    assert bars == {}
    assert (pair.alone_m, pair.saved_m, pair.detour_s) == (2 * pair.together_m, pair.together_m, (0, 0))
    assert pair.saved_fen(Weights(empty_fen_km=120)) == pair.saved_m * 120 // 1000
    assert (pair.departs_s, pair.returns_s) == (NOON, NOON + 5 * HOUR)
    assert [halt.what for halt in pair.halts] == ["board"] * 2 + ["stop"] * 2 + ["collect"] * 2 + ["home"] * 2


#: name, two requests, whether they are pooled, else why the second is not.
CASES: list[tuple[str, Rider, Rider, PoolBar | None]] = [
    ("a kilometre beside", rider("a"), rider("b", BESIDE), None),
    ("ten minutes later", rider("a"), rider("b", after=600), None),
    ("half an hour later", rider("a"), rider("b", after=1800), PoolBar.NOBODY),
    ("another way", rider("a"), rider("b", EAST), PoolBar.NOBODY),
    ("is back two hours sooner", rider("a"), rider("b", long=3 * HOUR), PoolBar.NOBODY),
    ("does not agree", rider("a"), rider("b", consent=False), PoolBar.CONSENT),
    ("confidential", rider("a"), rider("b", category="confidential"), PoolBar.KIND),
    ("emergency", rider("a"), rider("b", category="emergency"), PoolBar.KIND),
    ("guests", rider("a"), rider("b", purpose="guests"), PoolBar.KIND),
    ("papers", rider("a"), rider("b", purpose="secret_papers"), PoolBar.KIND),
    ("secret", rider("a"), rider("b", confidential=True), PoolBar.KIND),
    ("drives himself", rider("a"), rider("b", driven=False), PoolBar.DRIVER),
    ("of another category", rider("a"), rider("b", category="special"), PoolBar.NOBODY),
]


@pytest.mark.parametrize(("one", "two", "bar"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_who_is_pooled(one: Rider, two: Rider, bar: PoolBar | None) -> None:
    found, bars = names([two, one])
    assert found == ([("a", "b")] if bar is None else [])
    assert bars.get("b") == bar
    assert all(code in BAR_TEXTS for code in bars.values())


def test_what_has_begun_is_not_pooled_and_nothing_is_nothing() -> None:
    assert pooled([rider("a"), rider("b")], NOON + 1)[0] == []
    assert pooled([], NOON) == ([], {})
    assert names([rider("a")]) == ([], {"a": PoolBar.NOBODY})


def checked(pair: Shared, riders: dict[str, Rider]) -> None:
    """Again, from the halts alone: the ways between them, and what each is asked to bear."""
    places = sorted({p for r in riders.values() for p in (r.trip.origin, *r.stops, r.trip.end)})
    number, travel = {p: k for k, p in enumerate(places)}, Travel(places, places[0])

    def way(*points: Point) -> tuple[int, int]:
        legs = [travel.one(number[a], number[b]) for a, b in pairwise(points)]
        return sum(m for m, _ in legs), sum(s for _, s in legs)

    def place(request: str, what: str, no: int) -> Point:
        of = riders[request]
        return {"board": of.trip.origin, "stop": of.stops[no], "collect": of.stops[-1], "home": of.trip.end}[
            what
        ]

    points = [place(h.request, h.what, h.place) for h in pair.halts]
    for (one, a), (two, b) in zip(zip(pair.halts, points, strict=True), list(zip(pair.halts, points, strict=True))[1:], strict=False):  # fmt: skip
        assert two.at_s - one.at_s >= way(a, b)[1]  # nobody flies
    assert way(*points)[0] == pair.together_m < pair.alone_m
    for id, detour in zip(pair.requests, pair.detour_s, strict=True):
        mine, of = [h for h in pair.halts if h.request == id], riders[id]
        out, home = way(of.trip.origin, *of.stops)[1], way(of.stops[-1], of.trip.end)[1]
        assert [h.what for h in mine] == ["board", *["stop"] * len(of.stops), "collect", "home"]
        board, arrives, collected, back = mine[0].at_s, mine[-3].at_s, mine[-2].at_s, mine[-1].at_s
        assert arrives <= of.trip.departs_s + out  # not late
        assert board >= of.trip.departs_s - 15 * 60
        assert collected >= of.trip.returns_s - home  # not before he is done
        assert back <= of.trip.returns_s + 15 * 60
        for took, own in ((arrives - board, out), (back - collected, home)):
            assert took - own <= min(own // 5, 600)
        assert detour <= min(out // 5, 600) + min(home // 5, 600)


@pytest.mark.parametrize("seed", range(examples(5)))
def test_every_pair_keeps_the_limits_and_no_other_choice_saves_more(seed: int) -> None:
    r = random.Random(seed)

    def near(point: Point) -> Point:
        return (point[0] + r.randrange(-12_000, 12_000), point[1] + r.randrange(-12_000, 12_000))

    riders = [
        rider(f"r{k}", [near(r.choice((NORTH, BESIDE))) for _ in range(r.choice((1, 1, 2)))], at=near(HALL), after=r.randrange(0, 3) * 300, long=4 * HOUR + r.randrange(0, 3) * 300)
        for k in range(7)
    ]  # fmt: skip
    by_id = {each.trip.id: each for each in riders}
    found, bars = pooled(riders, NOON - HOUR)
    for pair in found:
        checked(pair, by_id)
    taken = [id for pair in found for id in pair.requests]
    assert len(taken) == len(set(taken))
    assert sorted([*taken, *bars]) == sorted(by_id)
    # The same in another order; and by trying all matchings of the pairs that there are.
    r.shuffle(riders)
    assert pooled(riders, NOON - HOUR) == (found, bars)
    pairs = {pair.requests: pair.saved_m for a, b in combinations(by_id.values(), 2) for pair in pooled([a, b], NOON - HOUR)[0]}  # fmt: skip

    def most(left: tuple[str, ...]) -> int:
        if not left:
            return 0
        rest = left[1:]
        return max([most(rest), *(pairs[left[0], id] + most(tuple(o for o in rest if o != id)) for id in rest if (left[0], id) in pairs)])  # fmt: skip

    assert sum(pair.saved_m for pair in found) == most(tuple(sorted(by_id)))
