"""The words of ``fuel_consumption`` 油耗异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, energy_unit, hundredths, kilometres

REASONS: Final[Mapping[str, Text]] = {
    "higher": Text(
        "百公里油耗比前期高出规定比例以上", "consumption is higher than before by the limit or more"
    ),
    "within": Text("百公里油耗未高出规定比例", "consumption is not higher by the limit"),
    "baseline_months": Text("前期月份的数据不足", "too few months with data before"),
    "mileage": Text("行驶里程不足", "too few kilometres"),
    "fills": Text("加油次数不足", "too few fills"),
    "no_track": Text(
        "有行程没有轨迹或轨迹不全，里程不明",
        "trips without a track or a whole one: their kilometres are unknown",
    ),
    "tank": Text(
        "月初月末油箱（电池）存量不明，计入后不足以认定高出",
        "what the tank (battery) held at the ends is not known, and with it the excess does not remain",
    ),
    "class_changed": Text(
        "本月驾驶的车型前期没有足够的数据", "too little before of the class of vehicle driven in this month"
    ),
    "no_quantity": Text("有加油记录没有数量", "fills without a quantity"),
    "nothing": Text(
        "本月不再有该驾驶员的行程和加油", "the driver has no trips and fills in this month any more"
    ),
}


def summary(said: Said) -> Text:
    """``told``: driver, driver_name, month (``2026-03``), energy (fuel or electric)."""
    told, measures = said.told, said.measures
    electric = told["energy"] == "electric"
    unit = energy_unit(told["energy"])
    name = "百公里电耗" if electric else "百公里油耗"
    year, month = int(told["month"][:4]), int(told["month"][5:])
    zh = f"驾驶员{told['driver_name']}（{told['driver']}）{year}年{month}月{name}"
    en = f"consumption of driver {told['driver_name']} ({told['driver']}) in {told['month']}"
    if said.outcome == "undetermined":
        why = REASONS[said.reason]
        if said.reason == "tank":
            least, most = (hundredths(measures[name]) for name in ("current_least", "baseline_most"))
            why = Text(
                f"{why.zh}（本月至少用 {least} {unit.zh}，前期至多用 {most} {unit.zh}）",
                f"{why.en} (at least {least} {unit.en} in the month, at most {most} {unit.en} before)",
            )
        return Text(f"不可判：{zh}：{why.zh}。", f"Undetermined: {en}: {why.en}.")
    now, base = (hundredths(measures.get(f"{side}_consumption", 0)) for side in ("current", "baseline"))
    fills, taken = measures["current_fills"], hundredths(measures["current_quantity"])
    driven, months = kilometres(measures["current_mileage_m"]), said.parameters["baseline_months"]
    zh += (
        f" {now} {unit.zh}（{'充电' if electric else '加油'} {fills} 次 {taken} {unit.zh}，行驶 {driven.zh}），"
        f"前 {months} 个月为 {base} {unit.zh}"
    )
    en += (
        f": {now} {unit.en} per 100 km ({fills} {'charges' if electric else 'fills'}, {taken} {unit.en}, {driven.en}),"
        f" in the {months} months before {base} {unit.en}"
    )
    if said.outcome == "normal":
        limit = _percent(said.parameters["ratio_permille"] - 1000)
        return Text(f"正常：{zh}，未达到高出 {limit} 的限值。", f"Normal: {en}; not {limit} more.")
    higher, others = _percent(measures["ratio_permille"] - 1000), measures["vehicles_not_driven_before"]
    note = Text("", "")
    if others:
        note = Text(f"；本月驾驶了前期未驾驶的车辆 {others} 辆", f"; {others} vehicles not driven before")
    return Text(
        f"疑似{'电' if electric else '油'}耗异常：{zh}，高出 {higher}{note.zh}。",
        f"Suspected: {en}; {higher} more{note.en}.",
    )


def _percent(permille: int) -> str:
    return f"{permille // 10}.{permille % 10}%"


WORDING: Final = RuleWording(REASONS, summary)
