"""What people write in a request and in its steps, as models. Pure.

Every refusal is a sentence that says what to do: a time in the past, a destination that is no place (市区), nobody in the car.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from office.requests.table import TripAction
from registry.damaged import damaged, unprintable
from registry.order_record import MAX_ROUTE, refuse_no_line
from registry.places import Place
from registry.refusals import PlacedError
from registry.values import Identifier, Name, Time

#: A trip is no longer than that.
LONGEST: Final = timedelta(days=92)
MAX_STOPS: Final = 20
#: Names of areas that are no destination: nobody can be measured by them.
VAGUE: Final = frozenset(
    {"市区", "城区", "县城", "市内", "区内", "县内", "市里", "城里", "下乡", "乡镇", "各乡镇", "外地", "省内", "省外", "周边", "附近", "待定", "多地"}
)  # fmt: skip


def _written(value: str) -> str:
    if (message := unprintable(value.replace("\n", " ")) or damaged(value)) is not None:
        raise ValueError(message)
    return value


Reason = Annotated[
    str, StringConstraints(min_length=5, max_length=500, strip_whitespace=True), AfterValidator(_written)
]
Note = Annotated[
    str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True), AfterValidator(_written)
]
Words = Annotated[
    str, StringConstraints(min_length=8, max_length=200, strip_whitespace=True), AfterValidator(_written)
]


class Category(StrEnum):
    """用车类别 (管理办法第三条; 租赁社会化)."""

    CONFIDENTIAL = "confidential"  # 机要通信
    EMERGENCY = "emergency"  # 应急保障
    ENFORCEMENT = "enforcement"  # 执法执勤
    SPECIAL = "special"  # 特种专业技术
    OTHER = "other"  # 其他公务
    RENTAL = "rental"  # 租赁社会化


CATEGORY_NAMES: Final = {
    Category.CONFIDENTIAL: "机要通信", Category.EMERGENCY: "应急保障", Category.ENFORCEMENT: "执法执勤",
    Category.SPECIAL: "特种专业技术", Category.OTHER: "其他公务", Category.RENTAL: "租赁社会化",
}  # fmt: skip


class Purpose(StrEnum):
    """事由."""

    SECRET_PAPERS = "secret_papers"  # noqa: S105 - no password; 携带涉密载体
    INCIDENT = "incident"  # 突发事件处置
    URGENT = "urgent"  # 紧急公务
    GROUP = "group"  # 集体公务, 人数不少于 3
    GUESTS = "guests"  # 上级来人、公务接待
    MEETING = "meeting"  # 会议、培训
    FIELD = "field"  # 调研、检查、督查
    ENFORCEMENT = "enforcement"  # 执法、办案
    OTHER = "other"  # 其他


PURPOSE_NAMES: Final = {
    Purpose.SECRET_PAPERS: "携带涉密载体", Purpose.INCIDENT: "突发事件处置", Purpose.URGENT: "紧急公务", Purpose.GROUP: "集体公务",
    Purpose.GUESTS: "公务接待", Purpose.MEETING: "会议、培训", Purpose.FIELD: "调研、检查", Purpose.ENFORCEMENT: "执法、办案",
    Purpose.OTHER: "其他公务",
}  # fmt: skip
#: 范围: near is computed from the points; the others are said.
Scope = Literal["near", "city", "province", "outside"]
SCOPE_NAMES: Final = {"near": "保障半径内", "city": "市内", "province": "市外省内", "outside": "省外"}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True, str_strip_whitespace=True)


def real_place(place: Place) -> Place:
    """A place that can be driven to: with coordinates. Raises ValueError for a mere name of an area."""
    if place.lat is None:
        name = place.name.strip()
        if name in VAGUE:
            raise ValueError(
                f"“{name}”不是具体地点，请在地图上选点，或填写单位、地址并给出坐标 · {name} is no place: pick a point on the map"
            )
        raise ValueError(
            f"地点“{name}”没有坐标，请在地图上选点 · the place {name} has no coordinates: pick a point on the map"
        )
    return place


class Driven(_Model):
    """先用车: which vehicle drove before there was a paper. Of a 补单 also when."""

    vehicle: Identifier
    driver: Identifier | None = None
    departed: Time | None = None
    returned: Time | None = None


class RequestContents(_Model):
    """A request (用车申请). ``kind``: normal; backfill = 补单, entered after the vehicle has driven: names the vehicle and the times in ``driven``."""

    organisation: Identifier = Field(description="用车单位")
    kind: Literal["normal", "backfill"] = "normal"
    department: Name | None = Field(None, description="用车部门")
    applicant: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        None,
        description="申请人的登录名；代录时填写 / login of the applicant, when entered for somebody else",
    )
    applicant_name: Name | None = Field(
        None, description="申请人姓名；代录而申请人没有账号时填写 / his name, when he has no account"
    )
    user: Name | None = Field(None, description="用车人；不填即申请人 / who uses the vehicle")
    user_account: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        None, description="用车人的登录名 / his login, if he has one: he does not approve the trip either"
    )
    phone: Annotated[str, StringConstraints(max_length=40), AfterValidator(_written)] = ""
    category: Category = Category.OTHER
    purpose: Purpose
    reason: Words = Field(description="事由说明，至少 8 个字")
    basis: Annotated[str, StringConstraints(max_length=200), AfterValidator(_written)] = Field(
        "",
        description="依据（文号、会议通知、出差审批单）；市外或跨夜必填 / needed outside of the city and over night",
    )
    passengers: int = Field(ge=0, le=200, strict=True, description="人数")
    passenger_list: list[Name] = Field(default_factory=list, max_length=200, description="乘车人")
    outsiders: Annotated[str, StringConstraints(max_length=200), AfterValidator(_written)] = Field(
        "", description="搭载非本单位人员的，写明是谁、为什么"
    )
    origin: Place = Field(description="上车点")
    stops: list[Place] = Field(min_length=1, max_length=MAX_STOPS, description="目的地，依次")
    return_point: Place | None = Field(None, description="归队点；不填即上车点")
    route: list[Place] = Field(
        default_factory=list,
        max_length=MAX_ROUTE,
        description="指定路线：依次经过的点；不指定的留空 / the way that is to be driven; empty = none is designated",
    )
    planned_departure: Time
    planned_return: Time
    scope: Scope = Field("city", description="范围：市内、市外省内、省外；保障半径内由系统按坐标计算")
    vehicle_wish: Annotated[str, StringConstraints(max_length=200), AfterValidator(_written)] = ""
    driver_mode: Literal["with_driver", "vehicle_only", "driver_only", "self"] = "with_driver"
    pool_consent: bool = Field(False, description="可合乘")
    confidential: bool = Field(False, description="涉密")
    budget_item: Annotated[str, StringConstraints(max_length=100), AfterValidator(_written)] = ""
    driven: Driven | None = Field(None, description="补单：已经用过的车、驾驶员和时间")

    @field_validator("passengers")
    @classmethod
    def _somebody(cls, value: int) -> int:
        if value < 1:
            raise ValueError(
                "乘车人数至少为 1，请填写实际人数 · at least one person; enter how many there are"
            )
        return value

    @field_validator("origin", "return_point")
    @classmethod
    def _at_a_place(cls, value: Place | None) -> Place | None:
        return None if value is None else real_place(value)

    @field_validator("stops")
    @classmethod
    def _to_places(cls, value: list[Place]) -> list[Place]:
        return [real_place(place) for place in value]

    @field_validator("route")
    @classmethod
    def _is_a_line(cls, value: list[Place]) -> list[Place]:
        if value:
            refuse_no_line(value)
        return value

    @model_validator(mode="after")
    def _fits(self) -> RequestContents:
        if self.planned_return <= self.planned_departure:
            raise PlacedError(
                "计划返回须晚于计划出发，请改正时间 · the return must be after the departure",
                "planned_return",
            )
        if self.planned_return - self.planned_departure > LONGEST:
            raise PlacedError(
                f"一次用车至多 {LONGEST.days} 天，更长的请分次申请 · at most {LONGEST.days} days; ask again for more",
                "planned_return",
            )
        if self.purpose is Purpose.GROUP and self.passengers < 3:
            raise PlacedError(
                "“集体公务”须 3 人以上，请改事由或人数 · a group is three persons or more", "passengers"
            )
        if (self.kind == "backfill") != (self.driven is not None):
            raise PlacedError(
                "补单须在 driven 写明已用的车辆和时间；其他申请不填 · a backfill names vehicle and times, other requests do not",
                "driven",
            )
        if self.driven is not None:
            gone, back = self.driven.departed, self.driven.returned
            if gone is None or back is None:
                raise PlacedError(
                    "补单须写明实际出车和归队时间 · a backfill needs the times of departure and return",
                    "driven",
                )
            if back <= gone:
                raise PlacedError(
                    "归队时间不晚于出车时间，请改正 · it returned before it departed; put the times right",
                    "driven",
                    "returned",
                )
            if back - gone > LONGEST:
                raise PlacedError(
                    f"一次用车至多 {LONGEST.days} 天 · at most {LONGEST.days} days", "driven", "returned"
                )
        return self


class Command(_Model):
    """What every step has: the version that its author saw."""

    version: int = Field(ge=1, le=1_000_000, strict=True, description="`version` as you saw it")


class RequestEdit(Command):
    """The whole draft anew."""

    contents: RequestContents


class TripStep(Command):
    """A step that needs no words."""

    note: Note | None = None


class TripReason(Command):
    """A step that must be justified."""

    reason: Reason


class RequestConfirm(Command):
    """确认. ``rating``: how it was, 1 (bad) to 5; who does not say so has not rated it: nobody's five points are made up."""

    rating: int | None = Field(None, ge=1, le=5, strict=True, description="1（差）至 5；不填即不评价")
    note: Note | None = None


class TripNote(Command):
    """A remark."""

    text: Note


#: What each step of a request that people take has as its body. ``approve`` is ENDORSE or APPROVE, as the chain says.
COMMANDS: Final[dict[TripAction, type[Command]]] = {
    TripAction.EDIT: RequestEdit,
    TripAction.SUBMIT: TripStep,
    TripAction.APPROVE: TripStep,
    TripAction.REJECT: TripReason,
    TripAction.WITHDRAW: TripReason,
    TripAction.QUEUE: TripStep,
    TripAction.NO_VEHICLE: TripReason,
    TripAction.CANCEL: TripReason,
    TripAction.CONFIRM: RequestConfirm,
    TripAction.DISPUTE: TripReason,
    TripAction.ANSWER: TripReason,
    TripAction.NOTE: TripNote,
}


def plain(model: BaseModel) -> dict[str, Any]:
    """The body of an event: as JSON has it, without ``version`` and what was left out."""
    return model.model_dump(mode="json", exclude={"version"}, exclude_none=True)


def china_days(first: datetime, last: datetime, zone: Any) -> tuple[date, date]:
    """The days in China of a departure and a return."""
    return first.astimezone(zone).date(), last.astimezone(zone).date()
