"""Which driving licence (驾驶证) a vehicle needs. Pure.

The classes are those of 机动车驾驶证申领和使用规定 (公安部令第162号), annex 1: a class also lets drive what the lesser ones let drive.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final, Literal

#: 准驾车型 that drive vehicles of a fleet. C5 (adapted for the disabled), tractors and trams are not among them.
LicenceClass = Literal["A1", "A2", "A3", "B1", "B2", "C1", "C2", "C3", "C4", "C5", "C6", "D", "E", "F", "M"]


class Body(StrEnum):
    """What a vehicle is, as far as it matters for the licence (车辆类型)."""

    CAR = "car"  # 小型、微型载客汽车: up to 9 seats, shorter than 6 m
    MEDIUM_BUS = "medium_bus"  # 中型载客汽车: 10 to 19 seats
    LARGE_BUS = "large_bus"  # 大型载客汽车: 20 seats or more, or 6 m long
    LIGHT_TRUCK = "light_truck"  # 轻型、微型载货汽车
    HEAVY_TRUCK = "heavy_truck"  # 重型、中型载货汽车; 大、中型专项作业车
    TRACTOR_TRAILER = "tractor_trailer"  # 重型、中型全挂、半挂汽车列车
    TRICYCLE_MOTOR = "tricycle_motor"  # 三轮摩托车
    MOTORCYCLE = "motorcycle"  # 两轮摩托车


BODY_NAMES: Final[Mapping[Body, str]] = {
    Body.CAR: "小型、微型客车", Body.MEDIUM_BUS: "中型客车", Body.LARGE_BUS: "大型客车", Body.LIGHT_TRUCK: "轻型、微型货车",
    Body.HEAVY_TRUCK: "重型、中型货车", Body.TRACTOR_TRAILER: "汽车列车", Body.TRICYCLE_MOTOR: "三轮摩托车", Body.MOTORCYCLE: "两轮摩托车",
}  # fmt: skip
_SMALL: Final = ("C1", "B1", "B2", "A1", "A2", "A3")
#: The classes that let drive each, the least of them first.
_FITS: Final[Mapping[Body, tuple[str, ...]]] = {
    Body.CAR: _SMALL,
    Body.MEDIUM_BUS: ("B1", "A1", "A2"),
    Body.LARGE_BUS: ("A1",),
    Body.LIGHT_TRUCK: _SMALL,
    Body.HEAVY_TRUCK: ("B2", "A1", "A2"),
    Body.TRACTOR_TRAILER: ("A2",),
    Body.TRICYCLE_MOTOR: ("D",),
    Body.MOTORCYCLE: ("E", "D"),
}


def classes_for(body: Body, *, automatic: bool) -> tuple[str, ...]:
    """The classes that let drive a vehicle, the least of them first. ``automatic``: without a clutch, so C2 will do for a small one."""
    fits = _FITS[body]
    return ("C2", *fits) if automatic and fits is _SMALL else fits


def lets_drive(held: Collection[str], body: Body, *, automatic: bool) -> bool:
    """Whether a licence of the classes ``held`` lets drive such a vehicle."""
    return not set(classes_for(body, automatic=automatic)).isdisjoint(held)
