"""Fences as prepared geometries: which area a vehicle has to stay in at a time. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely

from registry.fences import FenceVersion
from registry.snapshot.timelines import Timelines, flatten
from runtime.arrays import AnyArray, AnyInts
from runtime.faults import of_one_fact


class Area:
    """What a vehicle has to stay in during an interval: the union of its ``fences``. Made when it is first asked for: of a unit
    whose fences were entered one by one each was an area of its time, and uniting all of them costs minutes."""

    __slots__ = ("_geometry", "_shapes", "fences")

    def __init__(self, fences: Sequence[FenceVersion], shapes: Sequence[Any]) -> None:
        self.fences, self._shapes = tuple(fences), shapes
        self._geometry: Any = None

    @property
    def geometry(self) -> Any:
        """Prepared."""
        if self._geometry is None:
            shapes, self._shapes = self._shapes, ()
            self._geometry = shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)
            shapely.prepare(self._geometry)
        return self._geometry


#: The fences of an area that the program fails on, and the fault.
Broken = tuple[tuple[FenceVersion, ...], Exception]


class FenceBook:
    """Areas by row. A row never changes its meaning. Vehicles without a fence of their own share the
    timeline, and vehicles with the same fences share the geometry."""

    def __init__(self) -> None:
        self.areas: list[Area] = []
        self._geometries = np.zeros(0, object)
        self._shapes: dict[tuple[str, int], Any] = {}
        self._row_of_fences: dict[tuple[tuple[str, int], ...], int] = {}
        self._of_vehicle: dict[str, list[FenceVersion]] = {}
        self._of_organisation: dict[str, list[FenceVersion]] = {}
        self._organisation_key: dict[str, int] = {}
        self._key_of_vehicle = np.zeros(0, np.int64)
        self._times = Timelines()
        self._broken: list[Broken] | None = None

    @property
    def geometries(self) -> AnyArray:
        """Prepared geometry of every area that ``at`` has named, None for the others, shape (areas,), object: for shapely's
        elementwise functions."""
        if len(self._geometries) != len(self.areas):
            fresh = np.full(len(self.areas) - len(self._geometries), None, object)
            self._geometries = np.concatenate([self._geometries, fresh])
        return self._geometries

    def at(self, vehicle_nos: AnyInts, times_us: AnyInts) -> AnyInts:
        """Row of the area of each (vehicle, time), or -1 where it has none. Shape (n,), int64."""
        nos = np.asarray(vehicle_nos, np.int64)
        inside = (nos > 0) & (nos < len(self._key_of_vehicle))
        keys = (
            np.where(inside, self._key_of_vehicle[np.where(inside, nos, 0)], 0) if inside.any() else nos * 0
        )
        found = self._times.at(keys, times_us)
        geometries = self.geometries
        for row in np.unique(found[found >= 0]).tolist():
            if geometries[row] is None:
                geometries[row] = self.areas[row].geometry
        return found

    def replace(
        self,
        vehicles: Mapping[str, tuple[int, str]],
        organisations: Iterable[str],
        fences: Sequence[FenceVersion],
        *,
        set_aside: bool = False,
    ) -> list[Broken]:
        """``fences`` are now all fences of ``vehicles`` (id -> (no, organisation)), and all common ones of
        ``organisations``, which must include those of the vehicles.

        ``set_aside``: an area that the program fails on is none then, and is returned; else the fault is raised."""
        self._broken = [] if set_aside else None
        organisations = set(organisations)
        for name in organisations:
            self._of_organisation.pop(name, None)
        own: dict[str, list[FenceVersion]] = defaultdict(list)
        common: dict[str, list[FenceVersion]] = defaultdict(list)
        for fence in sorted(fences, key=lambda f: (f.id, f.version)):
            for vehicle in fence.vehicles:
                own[vehicle].append(fence)
            if not fence.vehicles:
                common[fence.organisation].append(fence)
        rows: list[tuple[int, int, int, int]] = []
        keys: set[int] = set()
        for name in organisations:
            self._of_organisation[name] = common[name]
            key = self._organisation_key.setdefault(name, -2 - len(self._organisation_key))
            keys.add(key)
            rows += self._rows(key, [], common[name])
        top = max((no for no, _ in vehicles.values()), default=0)
        if top >= len(self._key_of_vehicle):
            grown = np.zeros(max(top + 1, 2 * len(self._key_of_vehicle)), np.int64)
            grown[: len(self._key_of_vehicle)] = self._key_of_vehicle
            self._key_of_vehicle = grown
        for vehicle, (no, organisation) in vehicles.items():
            keys.add(no)
            mine = own.get(vehicle)
            if mine:
                self._of_vehicle[vehicle] = mine
                self._key_of_vehicle[no] = no
                rows += self._rows(no, mine, common[organisation])
            else:
                self._of_vehicle.pop(vehicle, None)
                self._key_of_vehicle[no] = self._organisation_key[organisation]
        self._times.replace(keys, rows)
        return self._broken or []

    def _rows(
        self, key: int, own: list[FenceVersion], common: list[FenceVersion]
    ) -> list[tuple[int, int, int, int]]:
        def choose(held: list[tuple[bool, FenceVersion]]) -> int | None:
            mine = [fence for is_own, fence in held if is_own]
            chosen = mine or [fence for _, fence in held]
            return self._area(chosen) if chosen else None

        spans = [(f.valid_from_us, f.valid_to_us, (True, f)) for f in own]
        spans += [(f.valid_from_us, f.valid_to_us, (False, f)) for f in common]
        return [(key, start, end, row) for start, end, row in flatten(spans, choose)]

    def _area(self, fences: list[FenceVersion]) -> int | None:
        name = tuple((fence.id, fence.version) for fence in fences)
        row = self._row_of_fences.get(name)
        if row is None:
            try:
                shapes = [self._shape(fence) for fence in fences]
            except Exception as error:
                if self._broken is None or not of_one_fact(error):
                    raise
                self._broken.append((tuple(fences), error))
                return None
            row = self._row_of_fences[name] = len(self.areas)
            self.areas.append(Area(fences, shapes))
        return row

    def _shape(self, fence: FenceVersion) -> Any:
        shape = self._shapes.get((fence.id, fence.version))
        if shape is None:
            shape = self._shapes[fence.id, fence.version] = shapely.from_wkb(fence.wkb)
        return shape
