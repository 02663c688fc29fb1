"""What drivers are told by the program. A terminal shows and reads aloud GBK: what it does not have is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from telemetry.commands.kinds import MOST_TEXT, unprintable

#: Condition -> what the driver reads and hears: short, for he drives. {plate}, {at}: the time of day, {limit}: km/h.
TEXTS: Final[Mapping[str, str]] = {
    "left_without_order": "{plate}提醒：车辆已驶出规定区域，没有派车任务。请立即返回，或联系本单位车辆管理员。",
    "order_overdue": "{plate}提醒：本次派车的计划返回时间 {at} 已过。请尽快返回，或联系本单位车辆管理员办理延时。",
    "sealed_moved": "{plate}提醒：车辆已封存，不得使用。请立即停回封存地点，并联系本单位车辆管理员。",
    "speed": "{plate}提醒：车速已超过 {limit} 公里每小时，请减速，注意安全。",
}
#: Condition -> why the command was asked, for people of the office.
REASONS: Final[Mapping[str, str]] = {
    "left_without_order": "无派车任务驶出围栏 · outside the fence without an order",
    "order_overdue": "派车超时未返回 · the planned return of the order has passed",
    "sealed_moved": "封存车辆移动 · a sealed vehicle moves",
    "speed": "车速超过限值 · faster than the limit",
}


def text_of(condition: str, named: Mapping[str, str]) -> str:
    """The text of a reminder, as a terminal can show it."""
    said = TEXTS[condition].format_map(named)
    for odd in unprintable(said):
        said = said.replace(odd, "")
    while len(said.encode("gbk")) > MOST_TEXT:
        said = said[:-1]
    return said
