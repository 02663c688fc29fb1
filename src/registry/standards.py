"""Classes of quota (编制类别), and whether a vehicle is above the standard of its class (超标准). Pure; integers only.

The limits are parameters (``registry.parameters``, group ``quota``): a vehicle is judged by those of the day on which it was bought. What is not
known accuses nobody: such a vehicle is ``unknown``, with what has to be registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Literal

from registry.licences import Body


class QuotaClass(StrEnum):
    """What a unit's vehicles are for, as quotas count them."""

    CONFIDENTIAL = "confidential"  # 机要通信
    EMERGENCY = "emergency"  # 应急保障
    ENFORCEMENT = "enforcement"  # 执法执勤
    SPECIAL = "special"  # 特种专业技术
    GUARANTEED = "guaranteed"  # 实物保障
    OTHER = "other"  # 其他按照规定配备的


class Tier(StrEnum):
    """By which sentence of the standard a vehicle was allowed."""

    BASE = "base"
    NEED = "need"  # 因工作需要: of enforcement alone
    SPECIAL_CASE = "special_case"  # 确因情况特殊: larger vehicles and buses


Standing = Literal["within", "above", "unknown", "not_judged"]

CLASS_NAMES: Final[Mapping[QuotaClass, str]] = {
    QuotaClass.CONFIDENTIAL: "机要通信", QuotaClass.EMERGENCY: "应急保障", QuotaClass.ENFORCEMENT: "执法执勤", QuotaClass.SPECIAL: "特种专业技术",
    QuotaClass.GUARANTEED: "实物保障", QuotaClass.OTHER: "其他公务",
}  # fmt: skip
TIER_NAMES: Final[Mapping[Tier, str]] = {
    Tier.BASE: "一般", Tier.NEED: "因工作需要", Tier.SPECIAL_CASE: "确因情况特殊",
}  # fmt: skip
#: The tiers that the standard has for a class. Of classes that are not here it has no figures: others decide.
TIERS: Final[Mapping[QuotaClass, tuple[Tier, ...]]] = {
    QuotaClass.CONFIDENTIAL: (Tier.BASE,),
    QuotaClass.EMERGENCY: (Tier.BASE, Tier.SPECIAL_CASE),
    QuotaClass.ENFORCEMENT: (Tier.BASE, Tier.NEED, Tier.SPECIAL_CASE),
    QuotaClass.OTHER: (Tier.BASE, Tier.SPECIAL_CASE),
}
#: Since when the standard holds. A vehicle that was bought before was bought by another one, and is not judged.
SINCE: Final = date(2017, 12, 5)
#: How categories of vehicles (free text) are spelled, without 用车 or 车辆 at the end, besides the names of the classes.
_SPELLED: Final[Mapping[str, QuotaClass]] = {
    **{name: each for each, name in CLASS_NAMES.items()},
    "机要": QuotaClass.CONFIDENTIAL, "应急": QuotaClass.EMERGENCY, "应急公务": QuotaClass.EMERGENCY, "执法": QuotaClass.ENFORCEMENT,
    "一般执法执勤": QuotaClass.ENFORCEMENT, "特种专业": QuotaClass.SPECIAL, "执法执勤特种专业": QuotaClass.SPECIAL,
    "执法执勤特种专业技术": QuotaClass.SPECIAL, "主要领导": QuotaClass.GUARANTEED, "副省级以上领导": QuotaClass.GUARANTEED,
    "领导实物保障": QuotaClass.GUARANTEED, "其他": QuotaClass.OTHER, "离退休": QuotaClass.OTHER, "离退休干部": QuotaClass.OTHER,
    "离退休干部服务": QuotaClass.OTHER, "一般公务": QuotaClass.OTHER,
}  # fmt: skip
_PASSENGERS: Final = frozenset({Body.CAR, Body.MEDIUM_BUS, Body.LARGE_BUS})


def class_of(category: str) -> QuotaClass | None:
    """The class that a vehicle's category names; None: none that is known."""
    name = category.replace(" ", "")
    for ending in ("用车", "车辆", "车"):
        if name.endswith(ending):
            name = name.removesuffix(ending)
            break
    return _SPELLED.get(name)


@dataclass(frozen=True, slots=True)
class Judged:
    """Of one vehicle. ``price_yuan``, ``displacement_ml``: the limits that were used, None = none was. ``above``: in what it is above them;
    ``missing``: what has to be registered before it can be said; ``because``: why it is not judged."""

    standing: Standing
    above: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    because: str = ""
    price_yuan: int | None = None
    displacement_ml: int | None = None


def bought(bought_on: date | None, registered_on: date | None) -> date | None:
    """The day whose standard counts; None: neither is known."""
    return bought_on or registered_on


def body_of(body: Body | None, seats: int | None) -> Body | None:
    """What it is, where the seats alone say so: with up to nine it is a car."""
    return Body.CAR if body is None and seats is not None and seats <= 9 else body


def judge(
    quota_class: QuotaClass | None, tier: Tier, body: Body | None, energy: str, price_fen: int | None, displacement_ml: int | None,
    day: date | None, limits: Mapping[str, int],
) -> Judged:  # fmt: skip
    """Whether a vehicle is above the standard. ``limits``: the parameters of ``day``, on which it was bought; ``body``: of ``body_of``."""
    if quota_class is None:
        return Judged("unknown", missing=("quota_class",))
    if quota_class not in TIERS:
        return Judged("not_judged", because="no_figures")
    if body is None:
        return Judged("unknown", missing=("body",))
    if body not in _PASSENGERS:
        return Judged("not_judged", because="no_passenger_car")
    if day is not None and day < SINCE:
        return Judged("not_judged", because="earlier_standard")
    special = tier is Tier.SPECIAL_CASE
    name = "special_case" if special else f"{quota_class}_need" if tier is Tier.NEED else str(quota_class)
    most_yuan, most_ml = limits[f"{name}_yuan"], limits[f"{name}_ml"]
    above, missing = list[str](), list[str]()
    if body is Body.LARGE_BUS and special:
        most_yuan, most_ml = limits["large_bus_yuan"], 0
    elif body is not Body.CAR and not special:
        above.append("body")
    electric = energy == "electric"
    if electric and body is Body.CAR and not special:
        most_yuan = max(most_yuan, limits["new_energy_yuan"])
    if price_fen is None:
        missing.append("price")
    elif price_fen > 100 * most_yuan:
        # A hybrid may be one of the new energies (插电式) or none: the register does not say which.
        perhaps = (
            energy == "hybrid"
            and body is Body.CAR
            and not special
            and price_fen <= 100 * limits["new_energy_yuan"]
        )
        (missing if perhaps else above).append("new_energy" if perhaps else "price")
    judged_ml = most_ml if most_ml and not electric else None
    if judged_ml is not None:
        if displacement_ml is None:
            missing.append("displacement")
        elif displacement_ml > judged_ml:
            above.append("displacement")
    if above and day is None:  # perhaps it was bought by an earlier standard
        return Judged("unknown", missing=("bought_on",), price_yuan=most_yuan, displacement_ml=judged_ml)
    standing: Standing = "above" if above else "unknown" if missing else "within"
    return Judged(standing, tuple(above), tuple(missing), "", most_yuan, judged_ml)
