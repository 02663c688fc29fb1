"""The words of ``location`` 定位异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, kilometres, metres, moment, span

_OUT: Final = Text("无派车任务驶出围栏", "outside the fence without an order")


def _until(zh: str, en: str) -> Text:
    return Text(f"{_OUT.zh}，{zh}", f"{_OUT.en}, {en}")


REASONS: Final[Mapping[str, Text]] = {
    "driving_outside": _until("仍在围栏外", "not over yet"),
    "returned_to_fence": _until("已返回", "returned"),
    "order_started": _until("至派车任务开始", "until an order started"),
    "parked": _until("至停车", "until it parked"),
    "not_official": _until("至不再登记为公务用车", "until it was no official vehicle"),
    "fence_withdrawn": _until("至围栏撤销", "until the fence was withdrawn"),
    "few_fixes": Text(
        "围栏外只有一两个定位，随即回到围栏，可能是反射，不足以认定",
        "one or two fixes outside only, and back at once: they may be reflections, and are not enough",
    ),
    "no_episode": Text("无疑似轨迹", "no drive outside the fence without an order"),
    "covered_by_order": Text("该时段已有派车单", "covered by a dispatch order"),
    "not_official_then": Text(
        "该时段车辆不是登记的公务用车", "the vehicle was no registered official vehicle at that time"
    ),
    "no_fence": Text("该时段车辆没有电子围栏", "the vehicle had no fence at that time"),
    "merged": Text("与同车另一次驶出合并", "merged with another episode of the vehicle"),
    "no_longer_holds": Text(
        "补传轨迹或变更围栏后不再成立", "no longer holds on the complete track and the fence in force"
    ),
}

NAMED: Final[Mapping[str, Text]] = {
    "covered_by_order": Text("该时段已有派车单 {orders}", "covered by dispatch order {orders}"),
}


def _driven(said: Said) -> Text:
    """The distance, and how much of it nobody saw. Judgements of before it was told have no ``bridged_m``."""
    whole = kilometres(said.measures["distance_m"])
    bridged = said.measures.get("bridged_m")
    if not bridged:
        return whole
    part = kilometres(bridged)
    return Text(
        f"{whole.zh}（其中 {part.zh}为无定位时段的直线推算）",
        f"{whole.en} (of which {part.en} are straight lines over gaps)",
    )


def _terminals(said: Said) -> Text:
    """What another terminal of the vehicle says: empty where there is none, or it agrees."""
    apart = said.measures.get("terminals_apart_m")
    if not apart:
        return Text("", "")
    far = metres(apart)
    return Text(
        f"同车另一台终端同时在 {far.zh}以外，请核对终端装在哪辆车上。",
        f" Another terminal of the vehicle was {far.en} away at the same time: check in which vehicle it sits.",
    )


def summary(said: Said) -> Text:
    """``told``: plate."""
    plate = said.told["plate"]
    if said.outcome == "normal":
        when = span(said.from_us, None)
        return Text(
            f"{plate} 于 {when.zh}未见无任务驶出电子围栏。", f"{plate} {when.en}: no drive outside its fence without an order."
        )  # fmt: skip
    if said.outcome == "undetermined":
        when = span(said.from_us, said.to_us)
        return Text(
            f"{plate} 于 {when.zh} 是否无任务驶出电子围栏不可判：围栏外只有一两个定位。",
            f"{plate} {when.en}: whether it left its fence without an order cannot be told; only one or two fixes are outside.",
        )
    farthest, driven = metres(said.measures["farthest_m"]), _driven(said)
    other = _terminals(said)
    if said.to_us is None:
        return Text(
            f"疑似定位异常：{plate} 于 {moment(said.from_us)} 起在无派车任务时驶出电子围栏，仍在围栏外，"
            f"目前最远离开 {farthest.zh}，已行驶 {driven.zh}。{other.zh}",
            f"Suspected: {plate} is outside its fence without an order since {moment(said.from_us)},"
            f" {farthest.en} away at the farthest so far, {driven.en} driven.{other.en}",
        )
    when = span(said.from_us, said.to_us)
    return Text(
        f"疑似定位异常：{plate} 于 {when.zh} 在无派车任务时驶出电子围栏，最远离开 {farthest.zh}，行驶 {driven.zh}。{other.zh}",
        f"Suspected: {plate} was outside its fence without an order, {when.en}, {farthest.en} away at the farthest,"
        f" {driven.en} driven.{other.en}",
    )


WORDING: Final = RuleWording(REASONS, summary, NAMED)
