"""The bodies that these operations read by hand, for the OpenAPI description."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from api.trips.call_backs import BODIES as CALL_BACKS
from api.trips.rules import ApprovalTableNew, DriverAccountSet
from api.trips.series import BODIES as SERIES
from office.dispatch import contents as dispatches
from office.requests import contents as requests

BODIES: Final[tuple[type[BaseModel], ...]] = tuple(
    dict.fromkeys(
        (
            requests.RequestContents, *requests.COMMANDS.values(), dispatches.DispatchNew, dispatches.DispatchSuggest, dispatches.DispatchEmergency,
            *dispatches.COMMANDS.values(), ApprovalTableNew, DriverAccountSet, *CALL_BACKS, *SERIES,
        )
    )
)  # fmt: skip
