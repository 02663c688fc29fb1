"""What transfers and disposals answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel

from api.answers import page_of
from office.vehicles.act_steps import ActKind, ActState, ActStep


class VehicleActRow(BaseModel):
    """A transfer or a disposal as it is listed. `plate`: when it was asked; `effective_on`: of a transfer, the first day on which it may be handed over."""

    id: str
    kind: ActKind
    kind_name: str
    organisation: str
    to_organisation: str | None
    vehicle: str
    plate: str
    number: str
    state: ActState
    state_name: str
    version: int
    mode: Literal["scrap", "auction", "buy_back", "other"] | None
    mode_name: str | None
    effective_on: date | None
    asked_at: datetime
    done_at: datetime | None


VehicleActPage: Final = page_of(VehicleActRow)


class VehicleActMay(BaseModel):
    """A step that the caller has the right to; `refused`: why not now, null: go on."""

    step: ActStep
    name: str
    refused: str | None


class VehicleActEntry(BaseModel):
    """An event; `body` as it was sent, with what followed from it: of a completed disposal the terminals that were taken out, and cards that are bound still."""

    version: int
    step: ActStep
    name: str
    at: datetime
    by: str
    actor: str
    persons: list[str]
    body: dict[str, Any]


class VehicleActView(VehicleActRow):
    """An act with its thread. `fuel_cards`: of yours that are bound to the vehicle's plate now."""

    may: list[VehicleActMay]
    thread: list[VehicleActEntry]
    fuel_cards: list[str]
