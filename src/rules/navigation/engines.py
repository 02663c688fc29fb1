"""What all engines share: long routes in parts, and answers that cannot be true. Pure but for the engine's calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from rules import geo
from rules.checks.destination import distances_mm
from rules.navigation import metrics
from rules.navigation.base import SNAP_M, Answer, Engine, EngineError, Places
from rules.navigation.http import word
from rules.navigation.polyline import Point, decode, encode, join

#: No order of an official vehicle goes farther.
MOST_M: Final = 10_000_000
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
    result = "found" if answer.distance_m is not None else "no_way"
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
        None, None, problem=f"导航引擎的答复不可信（{what}） · the engine's answer cannot be true ({english})"
    )


def no_way(code: Any, text: Any) -> Answer:
    """The engine knows no such way; ``code`` and ``text`` are its own words."""
    said = f"{word(code)} {word(text, 80)}".strip()
    return Answer(None, None, problem=f"导航引擎找不到路线（{said}） · the engine knows no way ({said})")


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
    if answer.distance_m > MOST_M:
        return nonsense(f"里程 {answer.distance_m} 米", f"{answer.distance_m} m")
    if answer.distance_m == 0 and int(legs_m.max()) > NEAR_M:
        return nonsense("不同地点之间里程为 0", "0 m between distinct places")
    least = int(np.maximum(legs_m - 2 * SNAP_M, 0).sum())
    if answer.distance_m < least:
        return nonsense(
            f"里程 {answer.distance_m} 米短于直线距离",
            f"{answer.distance_m} m is less than the straight line",
        )
    try:
        shape = decode(answer.shape)
    except ValueError:
        return nonsense("线形不可读", "its shape cannot be read")
    return _near(places, shape) or answer


def _near(places: Places, shape: list[Point]) -> Answer | None:
    """What is wrong where a place is far from the way, or the way has no shape."""
    if not shape:
        return nonsense("没有线形", "it has no shape")
    line = np.array(shape, np.int64)
    for number, (lat, lon) in enumerate(places, 1):
        points, segments = distances_mm(lat, lon, line[:, 0], line[:, 1])
        away_m = int(min(points.min(), segments.min(initial=np.iinfo(np.int64).max))) // 1000
        if away_m > SNAP_M:
            return Answer(
                None,
                None,
                problem=f"第 {number} 个地点距电子地图道路 {away_m} 米 · place {number} is {away_m} m from the way",
            )
    return None


def degrees(e6: int) -> str:
    """1e-6 degree as decimal text, exactly."""
    sign = "-" if e6 < 0 else ""
    return f"{sign}{abs(e6) // 1_000_000}.{abs(e6) % 1_000_000:06d}"
