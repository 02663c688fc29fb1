"""A dispatch order (派车单) as it is entered: its fields, what is refused, and the headers of files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from registry.places import Place
from registry.values import Identifier, Name, Record, Text, Time

#: A designated route has so many points at most: one every 200 m of 100 km.
MAX_ROUTE: Final = 500


def refuse_no_line(places: Sequence[Place]) -> None:
    """Raises ValueError where ``places`` are no line: fewer than two points, a place without coordinates, all at one place."""
    if any(place.lat is None for place in places):
        raise ValueError("指定路线的每个点须有坐标，请在地图上选点 · each point of a route needs coordinates")
    if len({(place.lat, place.lon) for place in places}) < 2:
        raise ValueError(
            "指定路线至少有两个不同的点；不指定路线的请留空 · a route has two points or more; leave it empty to designate none"
        )


class Exchange(BaseModel):
    """A further vehicle that took over an order (换车): from ``since`` on it is the one that drives."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)

    vehicle: Identifier
    since: Time
    driver: Identifier | None = None


class DispatchOrder(Record):
    """A dispatch order (派车单). Every PUT with other content is a new version; the newest one holds, from ``holds_from`` on.
    A change entered after the vehicle has returned, or after an alert was published, is a backfill (补单): it withdraws an
    alert only with an ``approver`` who is neither driver nor applicant."""

    organisation: Identifier
    vehicle: Identifier
    driver: Identifier | None = None
    task_type: Literal["official", "repair", "inspection", "car_wash", "emergency", "tow"] = "official"
    purpose: Text = ""
    status: Literal["approved", "departed", "returned", "cancelled"] = "approved"
    origin: Place | None = None
    destinations: list[Place] = Field(default_factory=list, max_length=50)
    return_point: Place | None = None
    route: list[Place] = Field(
        default_factory=list,
        max_length=MAX_ROUTE,
        description="指定路线：依次经过的点（至少两个，须有坐标）；不指定的留空 / the way that is to be driven, as a line; empty = none is designated",
    )
    planned_departure: Time
    planned_return: Time
    extended_return: Time | None = Field(None, description="延长用车")
    actual_departure: Time | None = None
    actual_return: Time | None = Field(None, validate_default=True)
    cancelled_at: Time | None = Field(
        None, description="取消时间; default: when the cancellation was entered"
    )
    exchanges: list[Exchange] = Field(
        default_factory=list,
        max_length=10,
        description="换车: further vehicles, each from `since` on, in order",
    )
    applicant: Name | None = Field(None, description="申请人: who asked for the vehicle")
    approver: Name | None = Field(None, description="审批人: who approved it; neither driver nor applicant")
    entered_at: Time | None = Field(None, description="录入时间: when this version was entered; default: now")
    holds_from: Time | None = Field(
        None, description="生效时间: from when on this version holds; default: from the beginning"
    )

    @field_validator("route")
    @classmethod
    def _is_a_line(cls, value: list[Place]) -> list[Place]:
        if value:
            refuse_no_line(value)
        return value

    @field_validator("cancelled_at")
    @classmethod
    def _really_cancelled(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if value is not None and info.data.get("status") != "cancelled":
            raise ValueError("有取消时间，状态应为 cancelled · with cancelled_at the status is `cancelled`")
        return value

    @field_validator("exchanges")
    @classmethod
    def _one_after_the_other(cls, value: list[Exchange], info: ValidationInfo) -> list[Exchange]:
        times = [one.since for one in value]
        start, end = info.data.get("planned_departure"), info.data.get("actual_return")
        if any(b <= a for a, b in pairwise(times)) or (times and start is not None and times[0] <= start):
            raise ValueError(
                "换车时间须依次递增，且晚于计划出车 · vehicles take over one after the other, after the planned departure"
            )
        if times and end is not None and end <= times[-1]:
            raise ValueError("换车不早于实际返回 · a vehicle takes over after the actual return")
        names = [info.data.get("vehicle"), *(one.vehicle for one in value)]
        if any(a == b for a, b in pairwise(names)):
            raise ValueError("换车前后是同一辆车 · the vehicle that takes over is the one that drove")
        return value

    @field_validator("planned_return")
    @classmethod
    def _returns_after_departure(cls, value: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("planned_departure")
        if start is not None and value <= start:
            raise ValueError("计划返回不晚于计划出车：派车单先结束后开始 · the order ends before it starts")
        return value

    @field_validator("extended_return")
    @classmethod
    def _extends(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        planned = info.data.get("planned_return")
        if value is not None and planned is not None and value < planned:
            raise ValueError("延长后的返回早于计划返回 · the extension ends before the planned return")
        return value

    @field_validator("actual_return")
    @classmethod
    def _really_returned(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        status = info.data.get("status")
        if value is None:
            if status == "returned":
                raise ValueError("已返回的派车单须有实际返回时间 · a returned order needs actual_return")
            return None
        if status in ("approved", "departed"):
            raise ValueError(
                "有实际返回时间，状态应为 returned · with actual_return the status is `returned`"
            )
        start = info.data.get("actual_departure") or info.data.get("planned_departure")
        if start is not None and value <= start:
            raise ValueError("实际返回不晚于出车：派车单先结束后开始 · the order ends before it starts")
        return value


HEADERS: Final = {
    "派车单号": "id", "单位": "organisation", "车辆": "vehicle", "驾驶员": "driver", "任务类型": "task_type",
    "事由": "purpose", "状态": "status", "出发地": "origin", "目的地": "destinations", "返回地": "return_point", "指定路线": "route",
    "计划出车": "planned_departure", "计划返回": "planned_return", "延长至": "extended_return",
    "实际出车": "actual_departure", "实际返回": "actual_return", "取消时间": "cancelled_at", "换车": "exchanges",
    "申请人": "applicant", "审批人": "approver", "录入时间": "entered_at", "生效时间": "holds_from",
}  # fmt: skip
