"""The bodies that these operations read by hand, for the OpenAPI description."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from api.costs.statements import StatementOrder
from api.costs.tariffs import TariffNew, TariffQuestion, TariffStart
from office.costs.entry import CostContents, CostCorrection, CostReversal
from office.costs.reconciling.acts import ReconciliationMatch, ReconciliationRelease
from office.costs.reconciling.mapping import VoucherMapping
from office.costs.statements import STEP_BODIES
from office.costs.trip import TripFactsEntry

BODIES: Final[tuple[type[BaseModel], ...]] = tuple(
    dict.fromkeys(
        (
            CostContents, CostCorrection, CostReversal, TariffNew, TariffStart, TariffQuestion, StatementOrder, TripFactsEntry,
            VoucherMapping, ReconciliationMatch, ReconciliationRelease, *STEP_BODIES.values(),
        )
    )
)  # fmt: skip
