"""What the planner is told. Times in seconds since 1970 UTC, lengths in metres, money in 分. None = not known: then the constraint is not judged, and the answer says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from office.dispatch.planner.reasons import Why

#: (lat, lon) in 1e-6 degree, WGS-84.
Point = tuple[int, int]

#: Classes of vehicles (编制类别), and which categories of requests each may serve. Of one that nobody has classified it is not judged.
SERVES: Final[dict[str, frozenset[str]]] = {
    "confidential": frozenset({"confidential", "emergency"}),
    "emergency": frozenset({"emergency", "confidential", "special", "other"}),
    "enforcement": frozenset({"enforcement", "emergency"}),
    "special": frozenset({"special", "emergency"}),
    "general": frozenset({"emergency", "confidential", "enforcement", "special", "other"}),
    "rental": frozenset({"other", "rental"}),
    "": frozenset({"emergency", "confidential", "enforcement", "special", "other", "rental"}),
}
#: Classes that are above what a general trip needs (跨级调度).
ABOVE: Final = frozenset({"confidential", "emergency", "enforcement", "special"})


@dataclass(frozen=True, slots=True)
class Trip:
    """A request. ``drive_m``, ``drive_s``: all that is driven for it from ``origin`` to ``end``. ``decided``: who decided on it. ``approved``: it may be sent for."""

    id: str
    unit: str
    origin: Point
    end: Point
    departs_s: int
    returns_s: int
    drive_m: int
    drive_s: int
    passengers: int = 1
    category: str = "other"
    purpose: str = "other"
    confidential: bool = False
    off_road: bool = False
    with_driver: bool = True
    approved: bool = True
    decided: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody has the vehicle, or it is not fit, within [since_s, until_s)."""

    since_s: int
    until_s: int
    why: Why = Why.TAKEN


@dataclass(frozen=True, slots=True)
class Car:
    """A vehicle. ``base``: where it stands when it has nothing to do. ``range_m``: with a full tank or battery. ``load_m``: what it has driven lately. ``digit``: last
    digit of its plate. ``licences``: classes of which a driver needs one. ``price_fen_km``: of a contractor. ``shared``: the pool may send it."""

    id: str
    unit: str
    kind: str = ""
    base: Point | None = None
    seats: int | None = None
    off_road: bool | None = None
    energy: str = "petrol"
    range_m: int | None = None
    digit: int | None = None
    licences: frozenset[str] | None = None
    secret: bool = False
    shared: bool = True
    price_fen_km: int = 0
    load_m: int = 0
    busy: tuple[Busy, ...] = ()


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver. ``duty``: when he works, None = not known. ``licences``: classes of his licence. ``familiar``: vehicles. ``load_s``: his tasks lately. ``driven``: (from, to, seconds of driving) of what he drives
    with vehicles that are looked at no further."""

    id: str
    unit: str
    user: str | None = None
    duty: tuple[tuple[int, int], ...] | None = None
    licences: frozenset[str] | None = None
    familiar: frozenset[str] | None = None
    load_s: int = 0
    busy: tuple[Busy, ...] = ()
    driven: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A trip that somebody was told already: it stays with its vehicle and driver, unless that has become impossible. ``accepted``: by the driver."""

    trip: str
    car: str
    driver: str | None = None
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a plan rests on. Ids are unique in each list. ``drivers_known``: the register has drivers for this pool; else driving is not judged."""

    now_s: int
    trips: tuple[Trip, ...]
    cars: tuple[Car, ...]
    drivers: tuple[Driver, ...] = ()
    told: tuple[Told, ...] = ()
    drivers_known: bool = field(default=True)
