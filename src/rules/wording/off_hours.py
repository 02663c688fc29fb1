"""The words of ``off_hours`` 非工作时间用车."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, kilometres, span

REASONS: Final[Mapping[str, Text]] = {
    "night": Text("夜间无派车任务行驶", "drove at night without an order that allows it"),
    "rest_day": Text("休息日无派车任务行驶", "drove on a day off without an order that allows it"),
    "calendar_unknown": Text("当年工作日安排尚未公布", "whether the day is worked is not published yet"),
    "bridged": Text(
        "里程主要为无定位时段的直线推算，不能据此认定行驶",
        "most of the distance is straight lines over stretches without positions, which show no driving",
    ),
    "no_track": Text("当日没有可用轨迹", "no usable track on that day"),
    "none": Text("非工作时间无派车任务行驶为零", "no driving off hours without an order"),
    "short": Text("非工作时间行驶不足下限", "less driving off hours than the limit"),
    "not_official": Text("当日不是在册公务车", "no official vehicle on that day"),
    "no_terminal": Text("当日未绑定终端", "no terminal was bound on that day"),
}


def summary(said: Said) -> Text:
    """``told``: plate, date, day_name, orders (at most three ids)."""
    plate, day = said.told["plate"], said.told["date"]
    if said.outcome == "undetermined":
        why = REASONS[said.reason]
        return Text(f"不可判：{plate} {day}：{why.zh}。", f"Undetermined: {plate} {day}: {why.en}.")
    driven = kilometres(said.measures["distance_m"] - said.measures.get("bridged_m", 0))
    if said.outcome == "normal":
        return Text(
            f"正常：{plate} {day} 非工作时间无派车任务行驶 {driven.zh}。",
            f"Normal: {plate} {day}: {driven.en} off hours without an order.",
        )
    name, orders, when = said.told["day_name"], said.told["orders"], span(said.from_us, said.to_us)
    kind = Text("夜间", "at night")
    if said.reason == "rest_day":
        kind = Text(f"休息日（{name}）", f"on a day off ({name})")
    noted = Text("当日没有派车单", "no order on that day")
    if orders:
        noted = Text(
            f"当日派车单 {'、'.join(orders)} 未覆盖该时段或任务类型不在允许之列",
            f"the orders of that day ({', '.join(orders)}) do not cover that time or are of a type that does not allow it",
        )
    return Text(
        f"疑似非工作时间用车：{plate} 于 {when.zh}{kind.zh}行驶 {driven.zh}，{noted.zh}。",
        f"Suspected: {plate} drove {driven.en} {kind.en}, {when.en}; {noted.en}.",
    )


WORDING: Final = RuleWording(REASONS, summary)
