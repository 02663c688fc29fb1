"""What all engines share: long routes in parts, and answers that cannot be true. Pure but for the engine's calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from rules.navigation import metrics
from rules.navigation.base import SNAP_M, Answer, Engine, EngineError, Places
from rules.navigation.http import word
from rules.navigation.polyline import decode, encode, join
from rules.tracks.approach import distances_mm
from runtime.arrays import Ints
from telemetry import geo

#: No order of an official vehicle goes so far.
MOST_M: Final = 10_000_000
#: What engines measure (on a sphere, in GCJ-02, in whole metres for each step) and what their shapes measure on the
#: ellipsoid differ by less than so much of the length, and so much for each leg. Valhalla 3.9.1: 0.3 %.
AGREE_PERCENT: Final = 5
AGREE_M: Final = 50
#: A place may be taken to a road so much farther away than the way comes to it: the one that has its entrance.
DOOR_M: Final = 250
#: Places nearer than this to each other may have no road between them.
NEAR_M: Final = 50


async def route(engine: Engine, places: Places) -> Answer:
    """The way through all ``places`` (2 or more), asked in as many parts as the engine needs. Raises EngineError, and
    nothing else whatever the engine says: what it makes the program stumble over is its fault and must not be the
    judge's (the cause is chained)."""
    distinct = tuple(p for k, p in enumerate(places) if not k or p != places[k - 1])
    if len(distinct) < 2:
        return Answer(0, 0)
    size = engine.most_places
    parts = [distinct[start : start + size] for start in range(0, len(distinct) - 1, size - 1)]
    try:
        answer = _checked(distinct, _joined([await engine.ask(part) for part in parts]))
    except EngineError:
        metrics.ROUTES.labels(engine.name, "failed").inc()
        raise
    except Exception as error:
        metrics.ROUTES.labels(engine.name, "failed").inc()
        raise unexpected(engine.name, error) from error
    result = "nonsense" if answer.doubtful else "no_way" if answer.distance_m is None else "found"
    metrics.ROUTES.labels(engine.name, result).inc()
    return answer


def unexpected(engine: str, error: Exception) -> EngineError:
    """What ``error``, which no engine should cause, is to the others: no answer now."""
    return EngineError(f"{engine}: an answer that the program cannot take: {type(error).__name__}")


def documented(read: Callable[[], Answer]) -> Answer:
    """What ``read`` makes of an engine's JSON, of which every part may be anything."""
    try:
        return read()
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return nonsense("格式不符", "not the documented form")


def nonsense(what: str, english: str) -> Answer:
    """An answer that cannot be true."""
    return Answer(
        None, None, problem=f"导航引擎的答复不可信（{what}）",
        problem_en=f"the engine's answer cannot be true ({english})", doubtful=True,
    )  # fmt: skip


def no_way(code: Any, text: Any) -> Answer:
    """The engine knows no such way; ``code`` and ``text`` are its own words."""
    said = f"{word(code)} {word(text, 80)}".strip()
    return Answer(
        None, None, problem=f"导航引擎找不到路线（{said}）", problem_en=f"the engine knows no way ({said})"
    )


def _joined(answers: list[Answer]) -> Answer:
    for answer in answers:
        if answer.distance_m is None:
            return answer
    if len(answers) == 1:
        return answers[0]
    try:
        shape = encode(join([decode(a.shape) for a in answers]))
    except ValueError:
        return nonsense("线形不可读", "its shape cannot be read")
    return Answer(sum(a.distance_m or 0 for a in answers), sum(a.duration_s or 0 for a in answers), shape)


def _checked(places: Places, answer: Answer) -> Answer:
    """The answer, or why it cannot be true."""
    if answer.distance_m is None:
        return answer
    lat, lon = np.array(places, np.int64).T
    legs_m = geo.distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:]) // 1000
    if answer.distance_m >= MOST_M:
        return nonsense(f"里程 {answer.distance_m} 米", f"{answer.distance_m} m")
    if answer.distance_m == 0 and int(legs_m.max()) > NEAR_M:
        return nonsense("不同地点之间里程为 0", "0 m between distinct places")
    try:
        shape = np.array(decode(answer.shape), np.int64).reshape(-1, 2)
    except ValueError:
        return nonsense("线形不可读", "its shape cannot be read")
    if not len(shape):
        return nonsense("没有线形", "it has no shape")
    away_m = np.array([_away_m(place, shape) for place in places])
    far = np.flatnonzero(away_m > SNAP_M)
    if len(far):
        number, metres = int(far[0]) + 1, int(away_m[far[0]])
        return Answer(
            None,
            None,
            problem=f"第 {number} 个地点距电子地图道路 {metres} 米",
            problem_en=f"place {number} is {metres} m from the way",
            doubtful=True,
        )
    slack_m = np.minimum(away_m + DOOR_M, SNAP_M)
    least_m = int(np.maximum(legs_m - slack_m[:-1] - slack_m[1:], 0).sum())
    shape_m = int(geo.distance_mm(shape[:-1, 0], shape[:-1, 1], shape[1:, 0], shape[1:, 1]).sum()) // 1000
    if _below(answer.distance_m, least_m, len(legs_m)):
        return nonsense(
            f"里程 {answer.distance_m} 米短于直线距离",
            f"{answer.distance_m} m is less than the straight line",
        )
    if _below(answer.distance_m, shape_m, len(legs_m)) or _below(shape_m, answer.distance_m, len(legs_m)):
        return nonsense(
            f"里程 {answer.distance_m} 米，而线形长 {shape_m} 米",
            f"{answer.distance_m} m, but its shape is {shape_m} m long",
        )
    return answer


def _below(less_m: int, more_m: int, legs: int) -> bool:
    """Whether ``less_m`` is below ``more_m`` by more than two ways of measuring one line differ."""
    return 100 * less_m < (100 - AGREE_PERCENT) * more_m - 100 * legs * AGREE_M


def _away_m(place: tuple[int, int], shape: Ints) -> int:
    """How far the place is from the line."""
    points, segments = distances_mm(*place, shape[:, 0], shape[:, 1])
    return int(min(points.min(), segments.min(initial=np.iinfo(np.int64).max))) // 1000


def degrees(e6: int) -> str:
    """1e-6 degree as decimal text, exactly."""
    sign = "-" if e6 < 0 else ""
    return f"{sign}{abs(e6) // 1_000_000}.{abs(e6) % 1_000_000:06d}"
