"""Version 1 of the rules, as it judged: only frozen evidence of then comes here, and nothing here is changed any more."""

from rules.checks.v1 import (
    card_binding,
    card_use,
    destination,
    fuel_consumption,
    location,
    mileage,
    off_hours,
    refuel_frequency,
    terminal_silent,
    traffic_violations,
)

__all__ = [
    "card_binding",
    "card_use",
    "destination",
    "fuel_consumption",
    "location",
    "mileage",
    "off_hours",
    "refuel_frequency",
    "terminal_silent",
    "traffic_violations",
]
