"""The bodies that these operations read by hand, for the OpenAPI description."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from api.costs.statements import StatementOrder
from api.costs.tariffs import TariffNew, TariffQuestion, TariffStart
from office.costs.entry import CostContents, CostCorrection, CostReversal
from office.costs.statements import STEP_BODIES
from office.costs.trip import TripFactsEntry

BODIES: Final[tuple[type[BaseModel], ...]] = tuple(
    dict.fromkeys(
        (
            CostContents, CostCorrection, CostReversal, TariffNew, TariffStart, TariffQuestion, StatementOrder, TripFactsEntry,
            *STEP_BODIES.values(),
        )
    )
)  # fmt: skip
