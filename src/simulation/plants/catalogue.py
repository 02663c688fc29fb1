"""Every planted violation and trap that one vehicle drives on one day: one table for the demo and the labelled month.

A *violation* must be found, a *trap* looks like one and must not. The function of a plant drives it; this table says which
rule it is about and who plants it. Plants without driving are in ``paper`` (bindings of cards); plants that need a whole
month are in ``month_trips``, ``month_days``, ``month_orders``, ``month_cards`` and ``month_drivers``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from simulation.plants import drives, records
from simulation.plants.day import Day

#: An ordinary trip. Nothing is planted.
NORMAL: Final = "normal"


@dataclass(frozen=True, slots=True)
class Plant:
    """One kind. ``in_month``: the labelled month plants it too (the demo plants all). ``once``: at most one kind of those
    that say so for each vehicle, because they add up."""

    drive: Callable[[Day], None]
    rule: str
    violation: bool
    in_month: bool = False
    once: bool = False

    @property
    def name(self) -> str:
        """The name in plans, labels and documents."""
        return self.drive.__name__


#: Where there is little room, the demo takes them in this order: every rule has one before any has two.
PLANTS: Final = (
    Plant(drives.location_plain, "location", True, in_month=True),
    Plant(drives.destination_elsewhere, "destination", True, in_month=True),
    Plant(records.mileage_detour, "mileage", True),
    Plant(records.card_elsewhere, "card_use", True),
    Plant(records.refuel_twice, "refuel_frequency", True),
    Plant(records.violations_twice, "traffic_violations", True, once=True),
    Plant(records.silent_drive, "terminal_silent", True),
    Plant(records.night_errand, "off_hours", True),
    Plant(drives.location_cancelled, "location", True, in_month=True),
    Plant(drives.destination_partial, "destination", True, in_month=True),
    Plant(drives.location_early, "location", True, in_month=True),
    Plant(drives.location_blind, "location", True, in_month=True),
    Plant(drives.shuffle, "location", False, in_month=True),
    Plant(drives.jump, "location", False, in_month=True),
    Plant(drives.reflection, "location", False),
    Plant(drives.midnight, "location", False, in_month=True),
    Plant(drives.repair, "location", False, in_month=True),
    Plant(drives.blind_zone, "location", False, in_month=True),
    Plant(drives.fence_edge, "location", False, in_month=True),
    Plant(drives.drift, "location", False, in_month=True),
    Plant(drives.late_order, "location", False, in_month=True),
    Plant(drives.near_miss, "destination", False, in_month=True),
    Plant(drives.car_wash, "location", False, in_month=True),
    Plant(drives.gate, "location", False, in_month=True),
    Plant(drives.no_fix, "location", False, in_month=True),
    Plant(drives.overrun, "location", False, in_month=True),
    Plant(drives.inspection, "location", False, in_month=True),
    Plant(records.mileage_just_under, "mileage", False),
    Plant(records.round_trip, "mileage", False),
    Plant(records.card_at_station, "card_use", False),
    Plant(records.card_no_fill, "card_use", False),
    Plant(records.card_booked, "card_use", False),
    Plant(records.refuel_split, "refuel_frequency", False),
    Plant(records.refuel_urea, "refuel_frequency", False),
    Plant(records.violation_revoked, "traffic_violations", False, once=True),
    Plant(records.violation_duplicate, "traffic_violations", False, once=True),
    Plant(records.violation_parking, "traffic_violations", False, once=True),
    Plant(records.violation_two_cameras, "traffic_violations", False, once=True),
    Plant(records.asleep, "terminal_silent", False),
    Plant(records.night_duty, "off_hours", False),
)
BY_NAME: Final = {plant.name: plant for plant in PLANTS}
VIOLATIONS: Final = tuple(plant.name for plant in PLANTS if plant.violation)
TRAPS: Final = tuple(plant.name for plant in PLANTS if not plant.violation)
#: What the month plants, the violations by rule.
IN_MONTH: Final = (
    *(p for p in PLANTS if p.in_month and p.violation and p.rule == "location"),
    *(p for p in PLANTS if p.in_month and p.violation and p.rule == "destination"),
    *(p for p in PLANTS if p.in_month and not p.violation),
)


def drive(name: str, day: Day) -> None:
    """Drive a plant, or an ordinary trip (``NORMAL``), on ``day``."""
    if name == NORMAL:
        drives.normal(day)
    else:
        BY_NAME[name].drive(day)
