"""Secret vehicles (涉密): marking one, lifting the mark (two people), and the list for who may know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, StringConstraints

from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped, subject_of, written
from api.bodies import Body, body_of, read_model
from api.errors import known, not_found
from api.http import MAX_ID, PLAIN_PATTERN, json_response
from api.identity.refusals import as_problems
from office.identity import secrecy
from office.identity.secrecy import CHANGE, PERMISSION, Mark
from office.identity.subject import Subject
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["vehicles"])
_NONE: Final = "没有这辆车 · no such vehicle"
VehicleId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]


class SecrecyReason(Body):
    """Why. It is kept with your name."""

    reason: Annotated[
        str, StringConstraints(min_length=5, max_length=500, pattern=PLAIN_PATTERN, strip_whitespace=True)
    ]


class SecrecyMark(BaseModel):
    """How it stands with a vehicle. `asked_by`: who asked to lift the mark, while nobody else has agreed."""

    vehicle: str
    secret: bool
    asked_by: str | None
    asked_at: datetime | None


class SecretVehicle(BaseModel):
    """A secret vehicle, with the pseudonym that others see."""

    id: str
    plate: str
    organisation: str
    masked: str
    lift_asked_by: str | None
    lift_asked_at: datetime | None


class SecretVehicles(BaseModel):
    """All that the caller may know."""

    items: list[SecretVehicle]


#: ``secrecy.mark`` or ``secrecy.lift``.
_Step = Callable[[Connection, Subject, str, str], Awaitable[Mark | None]]


async def _done(request: Request, id: str, step: _Step) -> Response:
    """``step`` done by the caller, for the reason in the body; how it stands then. Raises Problem 404."""
    body, vehicle = await read_model(request, SecrecyReason), known(_NONE, id)
    subject = subject_of(request)
    with as_problems():
        mark = await written(request, CHANGE, lambda c: step(c, subject, vehicle, body.reason))
    if mark is None:
        raise not_found(_NONE, id)
    return json_response(asdict(mark))


@router.get(
    "/secret-vehicles",
    summary="涉密车辆 / secret vehicles that you may know",
    response_model=SecretVehicles,
    dependencies=[require(PERMISSION)],
)
async def list_secret(request: Request) -> Response:
    """With the pseudonym of each (`masked`), by which others speak of it. That they were read is noted in the audit."""
    async with scoped(request, PERMISSION) as connection:
        found = await secrecy.known_to(connection)
        about = {"ids": [each["id"] for each in found]}
        await noted(request, connection, PERMISSION, "secret-vehicles", detail=about)
    return json_response({"items": found})


@router.post(
    "/vehicles/{id}:mark-secret",
    summary="标记涉密 / mark a vehicle secret",
    response_model=SecrecyMark,
    dependencies=[require(CHANGE)],
    openapi_extra=body_of(SecrecyReason),
)
async def mark_secret(request: Request, id: VehicleId) -> Response:
    """It holds at once and for everything that is stored: who has no `secret:read` in its unit sees a pseudonym, no plate, no
    driver, no place, no track. First give `secret:read` to the programs that bring orders, fills and violations of it."""
    return await _done(request, id, secrecy.mark)


@router.post(
    "/vehicles/{id}:lift-secret",
    summary="解除涉密（两人办理） / lift the mark: two people",
    response_model=SecrecyMark,
    dependencies=[require(CHANGE)],
    openapi_extra=body_of(SecrecyReason),
    responses={409: {"description": "您已申请，须另一人确认 · you have asked, another person must agree"}},
)
async def lift_secret(request: Request, id: VehicleId) -> Response:
    """The first person asks (`asked_by` says who), another one sends the same within 14 days, and it is lifted. Both see the
    vehicle (`secret:read`)."""
    return await _done(request, id, secrecy.lift)
