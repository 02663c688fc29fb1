"""What people write in a dispatch and in its steps, as models. Pure."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from office.requests.contents import (
    Category,
    Command,
    Note,
    Reason,
    TripNote,
    TripReason,
    TripStep,
    real_place,
)
from office.requests.table import TripAction
from registry.order_record import MAX_ROUTE, refuse_no_line
from registry.places import Place
from registry.refusals import PlacedError
from registry.values import Identifier, Name, Time, readable

MAX_REQUESTS: Final = 20
Short = Annotated[
    str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True), AfterValidator(readable)
]
#: Metres on an odometer: ten million km at most.
Odometer = Annotated[int, Field(ge=0, le=10_000_000_000, strict=True)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True, str_strip_whitespace=True)


class Carried(_Model):
    """A request as its author saw it."""

    id: Short
    version: int = Field(ge=1, le=1_000_000, strict=True)


class DispatchChosen(_Model):
    """What was suggested when the dispatcher chose. ``rank``: that of the vehicle that he took, as it was shown; left out: it was not in the list. Whoever takes another than the first says why."""

    rank: int | None = Field(None, ge=1, le=1_000_000, strict=True, description="1 = the first")
    first: Identifier | None = Field(None, description="the vehicle that was shown first")
    reason: Reason | None = Field(None, description="没有选第一辆的，写明原因")

    @model_validator(mode="after")
    def _justified(self) -> DispatchChosen:
        if self.rank != 1 and self.reason is None:
            raise PlacedError("没有选建议的第一辆车，请写明原因（至少 5 个字） · another than the first was taken: say why", "reason")  # fmt: skip
        return self


class DispatchSuggest(_Model):
    """Requests of one pool that wait for a vehicle."""

    requests: list[Short] = Field(min_length=1, max_length=100)


class DispatchNew(_Model):
    """派车: a vehicle, and a driver, for one request or several (合乘). Of a request that has a vehicle already it is a further one."""

    requests: list[Carried] = Field(min_length=1, max_length=MAX_REQUESTS)
    vehicle: Identifier
    driver: Identifier | None = Field(None, description="left out: nobody of the register (自驾)")
    planned_departure: Time | None = Field(None, description="left out: the earliest of the requests")
    planned_return: Time | None = Field(None, description="left out: the latest of the requests")
    note: Note | None = None
    suggestion: DispatchChosen | None = Field(None, description="left out: nothing was suggested (手工派车)")

    @model_validator(mode="after")
    def _once(self) -> DispatchNew:
        ids = [each.id for each in self.requests]
        if len(set(ids)) < len(ids):
            raise PlacedError("同一申请写了两次 · a request is given twice", "requests")
        first, last = self.planned_departure, self.planned_return
        if first is not None and last is not None and last <= first:
            raise PlacedError(
                "计划返回须晚于计划出发 · the return must be after the departure", "planned_return"
            )
        return self


class DispatchEmergency(_Model):
    """紧急派车, 先用车后补单: as little as can be said in half a minute. The paper follows within ``trips.backfill_wd`` working days after the return."""

    organisation: Identifier = Field(description="用车单位")
    vehicle: Identifier
    driver: Identifier | None = None
    ordered_by: Name = Field(description="口头批准人")
    destination: Place = Field(description="大致目的地；知道坐标的请给出")
    reason: Reason
    planned_return: Time | None = Field(None, description="预计返回；不填为 4 小时后")
    departed: Time | None = Field(None, description="已经出车的，填出车时间")
    category: Category = Category.EMERGENCY
    passengers: int = Field(1, ge=1, le=200, strict=True)


class DispatchJoin(Command):
    """合乘: another request goes with it."""

    request: Carried


class DispatchReassign(TripReason):
    """改派: another vehicle, another driver, or both. What is left out stays."""

    vehicle: Identifier | None = None
    driver: Identifier | None = None

    @model_validator(mode="after")
    def _something(self) -> DispatchReassign:
        if self.vehicle is None and self.driver is None:
            raise PlacedError(
                "改派须写明另一辆车或另一名驾驶员 · name another vehicle or another driver", "vehicle"
            )
        return self


class Measured(Command):
    """What a driver enters at the vehicle: out of reach of a network too, and then it is sent later, and again until an answer comes."""

    at: Time | None = Field(None, description="left out: now")
    entry: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | None = Field(
        None,
        description="32 hex digits of the device's own choice, another one for each entry. The same person's entry that is here already is answered as it"
        " was, whatever `version` says: it may be sent again until there is an answer",
    )
    odometer_m: Odometer | None = Field(None, description="里程表读数, metres")
    without_odometer: Reason | None = Field(None, description="没有读数的，写明为什么")

    @model_validator(mode="after")
    def _read(self) -> Measured:
        if self.odometer_m is None and self.without_odometer is None:
            raise PlacedError(
                "请填写里程表读数；确实没有的，在 without_odometer 写明原因 · enter the odometer, or say why there is no reading",
                "odometer_m",
            )
        return self


class DispatchDepart(Measured):
    """出车."""


class DispatchReturn(Measured):
    """归队. ``reason``: needed from a dispatcher who enters the return of a vehicle that is overdue."""

    reason: Reason | None = None


class DispatchChange(TripReason):
    """变更单: new stops, a later return. A stop where the vehicle has been already is a change after the fact: an approver decides."""

    stops: list[Place] = Field(default_factory=list, max_length=20, description="增加的目的地")
    route: list[Place] = Field(
        default_factory=list,
        max_length=MAX_ROUTE,
        description="变更后的指定路线（如道路封闭改道）；增加目的地而不填的，不再指定路线 / another way, e.g. around a closed road; a new stop without one leaves none designated",
    )
    extended_return: Time | None = Field(None, description="延长后的返回时间")

    @field_validator("route")
    @classmethod
    def _is_a_line(cls, value: list[Place]) -> list[Place]:
        if value:
            refuse_no_line(value)
        return value

    @field_validator("stops")
    @classmethod
    def _to_places(cls, value: list[Place]) -> list[Place]:
        return [real_place(place) for place in value]

    @model_validator(mode="after")
    def _something(self) -> DispatchChange:
        if not self.stops and not self.route and self.extended_return is None:
            raise PlacedError(
                "变更须增加目的地、改路线或延长返回时间 · name a stop, another route, or a later return",
                "stops",
            )
        return self


class DispatchSuspend(TripReason):
    """中止."""

    why: Literal["waiting", "breakdown", "other"] = Field("waiting", description="等候、故障、其他")


#: What each step of a dispatch that people take has as its body.
COMMANDS: Final[dict[TripAction, type[Command]]] = {
    TripAction.JOIN: DispatchJoin,
    TripAction.ACCEPT: TripStep,
    TripAction.ASK_REASSIGN: TripReason,
    TripAction.KEEP: TripReason,
    TripAction.REASSIGN: DispatchReassign,
    TripAction.DEPART: DispatchDepart,
    TripAction.CANCEL: TripReason,
    TripAction.CHANGE: DispatchChange,
    TripAction.APPROVE_CHANGE: TripStep,
    TripAction.REJECT_CHANGE: TripReason,
    TripAction.SUSPEND: DispatchSuspend,
    TripAction.RESUME: TripStep,
    TripAction.RETURN: DispatchReturn,
    TripAction.NOTE: TripNote,
}
