"""Parts of evidence that several rules have, each described once: who writes one and who reads it are checked against the
same type. What only one rule has stands with its check. Version 1 of the rules keeps its own (``rules.checks.v1``): what it
reads was frozen by an earlier release and does not change any more.

Times are us since 1970 UTC, days ISO dates, coordinates 1e-6 degree WGS-84, None = not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Protocol, TypedDict

import numpy as np
import shapely

from runtime.arrays import Ints
from telemetry.geo import FenceSet


class Vehicle(TypedDict):
    """A vehicle as it was when it was judged; ``no`` is its number in the kernel."""

    no: int
    id: str
    plate: str
    organisation: str


class OfficialVehicle(Vehicle):
    """A vehicle with the days from which on (to before which) it was an official one."""

    registered_on: str | None
    disposed_on: str | None


class Driver(TypedDict):
    """A driver as he was when he was judged."""

    id: str
    name: str
    organisation: str


class Order(TypedDict):
    """A dispatch order, in the version that was judged."""

    id: str
    version: int
    driver: str | None
    purpose: str


class Place(TypedDict):
    """A place of an order; coordinates None = it has none."""

    name: str
    lat_e6: int | None
    lon_e6: int | None


class Cover(TypedDict):
    """The order that covered the fixes in [from, to); ``no`` is its number in the kernel."""

    no: int
    id: str
    version: int
    from_us: int
    to_us: int


class Allowing(TypedDict):
    """When an order covers its vehicle, and for what."""

    task_type: str
    from_us: int
    to_us: int


class TaskCover(Allowing):
    """An order within a day or a silence, cut to it."""

    id: str
    version: int


class FenceVersion(TypedDict):
    """A fence in the version that held."""

    id: str
    version: int
    name: str


class Fence(TypedDict):
    """The area that was the vehicle's own in [from, to), and the fences that it consists of; ``wkb``: hex."""

    fences: list[FenceVersion]
    wkb: str
    from_us: int
    to_us: int


class Card(TypedDict):
    """The card that paid."""

    id: str
    organisation: str


class Binding(TypedDict):
    """A binding of a card to a plate; ``to_us`` None = no end."""

    plate: str
    from_us: int
    to_us: int | None


class Reminder(TypedDict):
    """What the driver was told by the program, as far as that was known when the alert was judged. ``fix_us``: the fix that showed
    it; ``state``: of the command ``command``; ``confirmed_us``: when the terminal confirmed it, None = it had not."""

    command: int
    condition: str
    order: str | None
    text: str
    fix_us: int
    asked_us: int
    state: str
    confirmed_us: int | None


class Registered(Protocol):
    """What the register has of a vehicle, wherever it was looked up."""

    @property
    def no(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def plate(self) -> str: ...
    @property
    def organisation(self) -> str: ...
    @property
    def registered_on(self) -> date | None: ...
    @property
    def disposed_on(self) -> date | None: ...


class Known(Protocol):
    """A fence in a version, wherever it was looked up."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def name(self) -> str: ...


def vehicle_of(known: Registered) -> Vehicle:
    """A vehicle for evidence."""
    return {"no": known.no, "id": known.id, "plate": known.plate, "organisation": known.organisation}


def official_vehicle_of(known: Registered) -> OfficialVehicle:
    """A vehicle for evidence, with its days."""
    return {
        **vehicle_of(known),
        "registered_on": iso_day(known.registered_on),
        "disposed_on": iso_day(known.disposed_on),
    }


def iso_day(day: date | None) -> str | None:
    """A day for evidence."""
    return None if day is None else day.isoformat()


def stretches(values: Ints, t_us: Ints) -> Iterator[tuple[int, int, int]]:
    """(value, from, to) of the stretches of equal values over times in order, half open: one ends where the next begins, the
    last one after its last time. Both int64 (n,)."""
    if not len(values):
        return
    edges = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    ends = np.r_[t_us[edges[1:]], t_us[-1] + 1]
    yield from zip(values[edges].tolist(), t_us[edges].tolist(), ends.tolist(), strict=True)


def order_column(covers: Iterable[Cover], t_us: Ints) -> Ints:
    """The number in the kernel of the order that covered each time, 0 = none. Shape (n,), int64."""
    order = np.zeros(len(t_us), np.int64)
    for cover in covers:
        order[(t_us >= cover["from_us"]) & (t_us < cover["to_us"])] = cover["no"]
    return order


def fence_of(fences: Iterable[Known], geometry: Any, from_us: int, to_us: int) -> Fence:
    """The area of a vehicle in [from, to) for evidence; ``geometry``: a polygon or multipolygon of shapely, (longitude,
    latitude) in degrees."""
    return {
        "fences": [{"id": fence.id, "version": fence.version, "name": fence.name} for fence in fences],
        "wkb": shapely.to_wkb(geometry, hex=True, byte_order=1),
        "from_us": from_us,
        "to_us": to_us,
    }


def areas_of(fences: Sequence[Fence], t_us: Ints, *, fine: bool = False) -> tuple[FenceSet, Ints]:
    """The areas of evidence, and which of them held at each time, -1 = none: int64 (n,). ``fine``: see ``FenceSet``."""
    row = np.full(len(t_us), -1, np.int64)
    geometries = np.empty(len(fences), object)
    for place, held in enumerate(fences):
        geometries[place] = shapely.from_wkb(bytes.fromhex(held["wkb"]))
        row[(t_us >= held["from_us"]) & (t_us < held["to_us"])] = place
    return FenceSet(geometries, fine=fine), row
