"""The bodies that these operations read by hand, for the OpenAPI description."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from office.vehicles import act_steps, contents
from office.vehicles.plates import PlateSwap
from registry.particulars import VehicleParticulars
from registry.vehicle_papers import DriverLicenceNew, VehiclePaperNew, VehiclePaperVoid

BODIES: Final[tuple[type[BaseModel], ...]] = tuple(
    dict.fromkeys(
        (
            VehicleParticulars, PlateSwap, VehiclePaperNew, DriverLicenceNew, VehiclePaperVoid, contents.MaintenanceNew, *contents.COMMANDS.values(),
            act_steps.TransferNew, act_steps.DisposalNew, *act_steps.COMMANDS.values(),
        )
    )
)  # fmt: skip
