"""The words of version 1 of the rules. They may be put better; what they say does not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording import destination
from rules.wording.texts import RuleWording
from rules.wording.v1 import (
    card_binding,
    card_use,
    fuel_consumption,
    location,
    mileage,
    off_hours,
    refuel_frequency,
    terminal_silent,
    traffic_violations,
)

WORDINGS: Final[Mapping[str, RuleWording]] = {
    "location": location.WORDING,
    "destination": destination.WORDING,
    "mileage": mileage.WORDING,
    "fuel_consumption": fuel_consumption.WORDING,
    "card_binding": card_binding.WORDING,
    "card_use": card_use.WORDING,
    "refuel_frequency": refuel_frequency.WORDING,
    "traffic_violations": traffic_violations.WORDING,
    "terminal_silent": terminal_silent.WORDING,
    "off_hours": off_hours.WORDING,
}
