"""/v1/rental-reports: rental of society's vehicles (社会车辆租赁报备), with the proof that no own one can serve; what it costs goes into the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped, written
from api.bodies import body_of, read_model
from api.cases.common import ItemId, actor_of
from api.errors import known
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    json_response,
    next_moment,
    read_moment,
    refuse_controls,
)
from api.rentals.schemas import RentalPage, RentalView
from office.costs import ledger
from office.costs.entry import CostContents
from office.costs.kinds import CostKind
from office.dispatch import rentals
from office.dispatch.rental_contents import (
    APPROVE,
    COMMANDS,
    DISPATCH,
    KEEP,
    PAY,
    STATE_NAMES,
    STEP_NAMES,
    TABLE,
    RentalCommand,
    RentalNew,
    RentalSettle,
    RentalState,
    RentalStep,
)
from office.supervision.actors import Actor
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["rentals"])
NO_RENTAL: Final = "没有这份租赁报备 · no such report"
READS: Final = ("trips:read", DISPATCH, APPROVE)
#: With any of these somebody reaches what is of his units; what he may do with it is asked step by step.
ANY: Final = (*READS, KEEP, PAY)
Id = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]


@router.get(
    "/rental-reports", summary="社会车辆租赁报备清单 / rentals, the newest first", response_model=RentalPage, dependencies=[require(*READS)]
)  # fmt: skip
async def list_rentals(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    state: RentalState | None = None,
    organisation: Id = None,
    trip_request: Id = None,
) -> Response:
    """`organisation`: whose request, or whose pool, with the units below it."""
    refuse_controls(organisation, trip_request)
    after = read_moment("rental-reports", cursor)
    async with scoped(request, *READS, read_only=True) as connection:
        found = await rentals.list_rentals(
            connection, state=state, organisation=organisation, request=trip_request, limit=limit, after=after
        )
    following = next_moment("rental-reports", found, limit, "reported_at")
    return json_response({"items": found, "next": following})


@router.get(
    "/rental-reports/{id}", summary="一份租赁报备 / one rental", response_model=RentalView, dependencies=[require(*READS)]
)  # fmt: skip
async def get_rental(request: Request, id: ItemId) -> Response:
    """With its proofs: which own vehicles there were, and what was in the way of each, as the planner found it then."""
    report = known(NO_RENTAL, id)
    async with scoped(request, *READS, read_only=True) as connection:
        return json_response(await rentals.show_rental(connection, report))


@router.post(
    "/rental-reports", summary="报备租赁 / report a rental", status_code=201, response_model=RentalView, dependencies=[require(DISPATCH)],
    openapi_extra=body_of(RentalNew), responses={
        404: {"description": "没有这份申请，或不在您的范围内 · no such request, or it is not yours to see"},
        409: {"description": "有可派的自有车辆，或申请不在待派车状态 · an own vehicle can serve, or the request does not wait"},
    },
)  # fmt: skip
async def report(request: Request) -> Response:
    """For a request that waits, at least two hours ahead and for at most 30 days. The proof that no own vehicle can serve is made here and now, and frozen:
    where one can, it is named and nothing is reported (409)."""
    given, actor, ways = (
        await read_model(request, RentalNew),
        actor_of(request),
        request.app.state.travel_times,
    )

    async def work(connection: Connection) -> dict[str, Any]:
        return await rentals.show_rental(connection, await rentals.report(connection, actor, given, ways))

    async with request.app.state.plan_turns:
        return json_response(await written(request, ANY, work), 201)


async def _settled(connection: Connection, actor: Actor, id: str, given: RentalSettle) -> str:
    """The line of the ledger that a settlement becomes."""
    row = await rentals.admitted(connection, actor, id, RentalStep.SETTLE, given)
    contents = CostContents(
        kind=CostKind.RENTAL, organisation=row["organisation"], vehicle=row["vehicle"], occurred_on=given.occurred_on, amount_fen=given.amount_fen,
        quantity=1, vendor=row["supplier"], invoice_code=given.invoice_code, invoice_no=given.invoice_no, note=row["number"],
    )  # fmt: skip
    return await ledger.enter(connection, actor, contents)


def _add(what: RentalStep, model: type[RentalCommand]) -> None:
    sources, _, permission, _ = TABLE[what]
    states = "、".join(f"{STATE_NAMES[state]} {state}" for state in RentalState if state in sources)
    router.add_api_route(
        f"/rental-reports/{{id}}:{what}", _endpoint(what, model), methods=["POST"], response_model=RentalView, summary=f"{STEP_NAMES[what]} / {what}",
        dependencies=[require(permission)], openapi_extra=body_of(model),
        description=f"From: {states}. Permission: {permission}. `version` is that which you saw: 409 with the present `version` and `state` when it has moved on.",
        responses={409: {"description": "现在的状态不能这样办理，或已有新版本 · not in its state of now, or it has moved on"}},
    )  # fmt: skip


def _endpoint(what: RentalStep, model: type[RentalCommand]) -> Callable[..., Awaitable[Response]]:
    async def take(request: Request, id: ItemId) -> Response:
        command, actor, rental = await read_model(request, model), actor_of(request), known(NO_RENTAL, id)
        ways = request.app.state.travel_times

        async def work(connection: Connection) -> dict[str, Any]:
            entry = (
                await _settled(connection, actor, rental, command)
                if isinstance(command, RentalSettle)
                else None
            )
            await rentals.step(connection, actor, rental, what, command, ways, entry)
            return await rentals.show_rental(connection, rental)

        if what is not RentalStep.APPROVE:
            return json_response(await written(request, ANY, work))
        async with request.app.state.plan_turns:
            return json_response(await written(request, ANY, work))

    return take


for _what, _model in COMMANDS.items():
    _add(_what, _model)
