"""The bodies that these operations read by hand, for the OpenAPI description."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from api.cases.desk import MessagesRead, TaskDone
from api.cases.hotline import CallerReason
from office.supervision.complaints import Complaint
from office.supervision.contents import COMMANDS, CaseContents
from office.supervision.sampling import SpotCheck

BODIES: Final[tuple[type[BaseModel], ...]] = tuple(
    dict.fromkeys(
        (CaseContents, SpotCheck, Complaint, CallerReason, TaskDone, MessagesRead, *COMMANDS.values())
    )
)
