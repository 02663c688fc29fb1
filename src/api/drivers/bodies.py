"""The bodies that these operations read by hand, for the OpenAPI description."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from api.drivers.leaves import BODIES as LEAVES
from office.assessment.driver_records import DriverFactNew, DriverFactVoid
from office.assessment.driver_sheets import (
    DriverObjectionDecide,
    DriverObjectionRaise,
    DriverSheetIssue,
)
from office.assessment.driver_table import DriverTableNew
from registry.duty import RosterDays, RosterWeek

BODIES: Final[tuple[type[BaseModel], ...]] = (
    RosterWeek, RosterDays, *LEAVES, DriverTableNew, DriverFactNew, DriverFactVoid, DriverSheetIssue, DriverObjectionRaise, DriverObjectionDecide,
)  # fmt: skip
