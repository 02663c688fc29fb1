"""Who is told of papers that end and of steps of a maintenance. A message has the number and what it is about, never a plate or a name: it may be
passed on by ways that others read."""

from __future__ import annotations

from typing import Final

from office.vehicles import repair
from registry.vehicle_papers import KIND_NAMES, VehiclePaperKind

#: How a message names what it is about; what comes after is the id.
PAPERS: Final = "vehicle-papers/"
REPAIRS: Final = "maintenance/"
#: Who is told of papers that end: who keeps vehicles of the unit, and who sends them (单位车管员、调度员).
KEEPERS: Final = "trips:enter"
#: Permissions of the messages to whoever has them, besides those of trips.
PERMISSIONS: Final = ("maintenance:approve",)
ENDED: Final = "ended"


def step_of(ahead: int) -> str:
    """The step of a message that a paper ends within ``ahead`` days; 0: that it has ended."""
    return ENDED if ahead == 0 else f"ends-in-{ahead}"


def sentence(path: str, number: str | None, step: str, state: str) -> str | None:
    """A message in words; None: it is about none of ours."""
    if path.startswith(REPAIRS):
        return repair.sentence(number or "（未编号）", step, state)
    if not path.startswith(PAPERS):
        return None
    name = KIND_NAMES[VehiclePaperKind(state)]
    if step == ENDED:
        return f"证照 {number}：{name}已到期，续办并登记前不能派出"
    return f"证照 {number}：{name}将在 {step.removeprefix('ends-in-')} 日内到期，请办理并登记新的{name}"
