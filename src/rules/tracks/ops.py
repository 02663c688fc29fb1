"""The operations in which a step of a track is written (``rules.tracks.kernel``), in two kinds that give the same integers: over
numpy columns, one element a vehicle, and over plain Python integers, one vehicle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from telemetry import geo


def namespace(names: Sequence[str], values: Any) -> SimpleNamespace:
    """``values`` (one a name, in order) under their names."""
    return SimpleNamespace(**dict(zip(names, values, strict=True)))


class VectorOps:
    """numpy columns."""

    where = staticmethod(np.where)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    no = staticmethod(np.logical_not)

    @staticmethod
    def distances(places: Sequence[tuple[Any, Any]], lat: Any, lon: Any) -> list[Any]:
        """Distance in mm from each place to (lat, lon); 0 from a place that is not set (0, 0)."""
        unset = [(a == 0) & (b == 0) for a, b in places]
        lats = np.concatenate([np.where(u, lat, a) for u, (a, _) in zip(unset, places, strict=True)])
        lons = np.concatenate([np.where(u, lon, b) for u, (_, b) in zip(unset, places, strict=True)])
        count = len(places)
        return list(geo.distance_mm(lats, lons, np.tile(lat, count), np.tile(lon, count)).reshape(count, -1))

    @staticmethod
    def only(
        mask: Any,
        gives: Sequence[str],
        made: Callable[..., dict[str, Any]],
        *parts: tuple[Any, Sequence[str]],
    ) -> Any:
        """What ``made`` gives (int64 columns of these names) of ``parts`` (namespace, the names needed of it) where ``mask`` holds; 0
        elsewhere."""
        places = np.flatnonzero(mask)
        if 2 * len(places) > len(mask):
            every = made(*(part for part, _ in parts))
            return {name: np.where(mask, column, 0) for name, column in every.items()}
        columns = {name: np.zeros(len(mask), np.int64) for name in gives}
        if len(places):
            few = (namespace(names, [getattr(part, name)[places] for name in names]) for part, names in parts)
            for name, column in made(*few).items():
                columns[name][places] = column
        return columns


class ScalarOps:
    """Plain Python integers and booleans."""

    maximum = staticmethod(max)
    minimum = staticmethod(min)

    @staticmethod
    def where(condition: Any, a: Any, b: Any) -> Any:
        return a if condition else b

    @staticmethod
    def no(value: Any) -> Any:
        return not value

    @staticmethod
    def distances(places: Sequence[tuple[Any, Any]], lat: Any, lon: Any) -> list[Any]:
        return [0 if a == 0 and b == 0 else geo.distance_mm_scalar(a, b, lat, lon) for a, b in places]

    @staticmethod
    def only(
        mask: Any,
        gives: Sequence[str],
        made: Callable[..., dict[str, Any]],
        *parts: tuple[Any, Sequence[str]],
    ) -> Any:
        return made(*(part for part, _ in parts)) if mask else dict.fromkeys(gives, 0)
