"""The kinds of cost (费用种类), who bears each, and which need an invoice. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

#: 承担人.
Payer = Literal["unit", "driver", "insurer"]
PAYER_NAMES: Final[dict[Payer, str]] = {"unit": "单位", "driver": "驾驶员", "insurer": "保险"}


class CostKind(StrEnum):
    """费用种类."""

    FUEL = "fuel"
    CHARGING = "charging"
    TOLL = "toll"
    PARKING = "parking"
    SERVICE = "service"
    REPAIR_PARTS = "repair_parts"
    REPAIR_LABOUR = "repair_labour"
    TYRES = "tyres"
    WASHING = "washing"
    COMPULSORY_INSURANCE = "compulsory_insurance"
    COMMERCIAL_INSURANCE = "commercial_insurance"
    INSPECTION = "inspection"
    VEHICLE_TAX = "vehicle_tax"
    FINE = "fine"
    ACCIDENT = "accident"
    OVERTIME = "overtime"
    ALLOWANCE = "allowance"
    RENTAL = "rental"
    PLATFORM = "platform"
    DEPRECIATION = "depreciation"
    OTHER = "other"


KIND_NAMES: Final[dict[CostKind, str]] = {
    CostKind.FUEL: "燃油", CostKind.CHARGING: "充电", CostKind.TOLL: "路桥/ETC", CostKind.PARKING: "停车", CostKind.SERVICE: "保养",
    CostKind.REPAIR_PARTS: "维修-配件", CostKind.REPAIR_LABOUR: "维修-工时", CostKind.TYRES: "轮胎", CostKind.WASHING: "洗车",
    CostKind.COMPULSORY_INSURANCE: "交强险", CostKind.COMMERCIAL_INSURANCE: "商业险", CostKind.INSPECTION: "年检",
    CostKind.VEHICLE_TAX: "车船税", CostKind.FINE: "罚款", CostKind.ACCIDENT: "事故自担", CostKind.OVERTIME: "驾驶员加班",
    CostKind.ALLOWANCE: "出差补助", CostKind.RENTAL: "租赁/社会化服务", CostKind.PLATFORM: "终端/平台服务", CostKind.DEPRECIATION: "折旧",
    CostKind.OTHER: "其他",
}  # fmt: skip
#: As files call them, besides the names and the codes.
KIND_WORDS: Final[dict[str, CostKind]] = {
    **{name: kind for kind, name in KIND_NAMES.items()}, **{str(kind): kind for kind in CostKind},
    "加油": CostKind.FUEL, "油费": CostKind.FUEL, "燃油费": CostKind.FUEL, "充电费": CostKind.CHARGING, "路桥": CostKind.TOLL, "ETC": CostKind.TOLL,
    "过路费": CostKind.TOLL, "过路过桥费": CostKind.TOLL, "通行费": CostKind.TOLL, "停车费": CostKind.PARKING, "保养费": CostKind.SERVICE,
    "配件": CostKind.REPAIR_PARTS, "维修配件": CostKind.REPAIR_PARTS, "工时": CostKind.REPAIR_LABOUR, "维修工时": CostKind.REPAIR_LABOUR,
    "洗车费": CostKind.WASHING, "年检费": CostKind.INSPECTION, "罚金": CostKind.FINE, "违章罚款": CostKind.FINE, "加班费": CostKind.OVERTIME,
    "差旅补助": CostKind.ALLOWANCE, "租赁": CostKind.RENTAL, "租赁费": CostKind.RENTAL,
}  # fmt: skip
#: Borne by the driver (违章自行承担); what the unit paid of it is a finding.
_BY_DRIVER: Final = frozenset({CostKind.FINE, CostKind.ACCIDENT})
#: Nobody writes an invoice for these.
WITHOUT_INVOICE: Final = frozenset(
    {CostKind.DEPRECIATION, CostKind.OVERTIME, CostKind.ALLOWANCE, CostKind.FINE, CostKind.VEHICLE_TAX}
)
#: What a trip costs on its way: these may be passed through to who used the vehicle.
ON_THE_WAY: Final = frozenset({CostKind.TOLL, CostKind.PARKING, CostKind.WASHING, CostKind.OTHER})
#: Sold at stations of the registry (定点): of other kinds no list says which vendors are designated.
AT_STATIONS: Final = frozenset({CostKind.FUEL, CostKind.CHARGING})


def payer_of(kind: CostKind) -> Payer:
    """Who bears a kind of cost unless something else is said."""
    return "driver" if kind in _BY_DRIVER else "unit"


def finding_of(kind: CostKind, payer: Payer) -> str | None:
    """What is wrong with who paid; None: nothing."""
    return "unit_paid_fine" if kind is CostKind.FINE and payer == "unit" else None


FINDING_NAMES: Final = {"unit_paid_fine": "单位承担了应由驾驶员承担的罚款"}
