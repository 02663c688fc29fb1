"""The bodies that these operations read by hand, for the OpenAPI description."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from api.cases.desk import Done, ReadUpTo
from api.cases.hotline import Why
from office.supervision.complaints import Complaint
from office.supervision.contents import COMMANDS, Contents
from office.supervision.sampling import SpotCheck

BODIES: Final[tuple[type[BaseModel], ...]] = tuple(
    dict.fromkeys((Contents, SpotCheck, Complaint, Why, Done, ReadUpTo, *COMMANDS.values()))
)
