"""The words of ``mileage`` 里程数异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, metres, span

REASONS: Final[Mapping[str, Text]] = {
    "exceeds": Text(
        "实际里程达到导航里程的限定倍数", "driven at least the limit times the navigation mileage"
    ),
    "exceeds_locally": Text(
        "仅因目的地周边行驶而达到限定倍数", "only driving around a destination carries it over the limit"
    ),
    "local": Text(
        "扣除目的地周边行驶后未达到限定倍数", "below the limit without what was driven around a destination"
    ),
    "bridged": Text(
        "仅因轨迹中断处的直线里程而达到限定倍数",
        "only straight lines over gaps of the track carry it over the limit",
    ),
    "within": Text(
        "实际里程未达到导航里程的限定倍数", "driven less than the limit times the navigation mileage"
    ),
    "no_origin": Text("派车单没有带坐标的出发地", "the order has no origin with coordinates"),
    "no_destination": Text("派车单没有目的地", "the order has no destination"),
    "no_coordinates": Text("派车单有地点没有坐标", "a place of the order has no coordinates"),
    "too_long": Text("派车单超过 31 天", "the order took more than 31 days"),
    "no_track": Text("没有可用的行驶轨迹", "no usable track"),
    "no_route": Text("导航引擎给不出可信的路线", "the engine gives no credible route"),
    "no_distance": Text("出发地、目的地与返回点之间没有导航里程", "the places of the order are one place"),
    "poor_coverage": Text("轨迹中断过多，实际里程不可信", "too much of the track is missing"),
    "results_differ": Text("冻结的轨迹算不出该里程", "the frozen track does not give this mileage"),
    "order_cancelled": Text("派车单已取消", "the dispatch order was cancelled"),
    "order_reassigned": Text("派车单已改派其他车辆", "the dispatch order went to another vehicle"),
    "order_reopened": Text("派车单已重新打开", "the dispatch order was opened again"),
}

NAMED: Final[Mapping[str, Text]] = {
    "no_route": Text(
        "导航引擎给不出可信的路线：{problem}", "the engine gives no credible route: {problem_en}"
    ),
}


def summary(said: Said) -> Text:
    """``told``: plate, order. ``named``: problem, problem_en (why the engine gives no route), or nothing."""
    plate, order, measures = said.told["plate"], said.told["order"], said.measures
    if said.outcome == "undetermined":
        why = REASONS[said.reason]
        if said.named:
            why = Text(said.named["problem"], said.named["problem_en"])
        return Text(
            f"不可判：{plate} 派车单 {order} 的里程：{why.zh}。",
            f"Undetermined: mileage of {plate} on order {order}: {why.en}.",
        )
    driven, route = metres(measures["mileage_m"]), metres(measures["navigation_m"])
    ratio = _times(measures["ratio_permille"])
    zh = f"实际行驶 {driven.zh}，导航里程 {route.zh}，为 {ratio} 倍"
    en = f"{driven.en} driven, {route.en} by navigation, {ratio} times as much"
    if said.outcome == "normal":
        return Text(f"正常：{plate} 派车单 {order} {zh}。", f"Normal: {plate} on order {order}: {en}.")
    more = Text("", "")
    if measures["bridged_m"]:
        bridged = metres(measures["bridged_m"])
        more = Text(
            f"其中轨迹中断处按直线计 {bridged.zh}。", f" {bridged.en} of it are straight lines over gaps of the track."
        )  # fmt: skip
    if measures.get("odometer_differs"):
        odometer, percent = (
            metres(measures["odometer_m"]),
            _tenths(said.parameters["odometer_differs_permille"]),
        )
        more = Text(
            f"{more.zh}终端里程表计 {odometer.zh}，与轨迹里程相差超过 {percent}%。",
            f"{more.en} The terminal's odometer says {odometer.en}, more than {percent}% off the track.",
        )
    if measures.get("odometer_fault"):
        more = Text(
            f"{more.zh}终端里程表在此期间的增量不是汽车能行驶的，属设备故障，未采用。",
            f"{more.en} The terminal's odometer ran farther than a car can drive in that time: a fault of the device, not used.",
        )
    if measures.get("local_m"):
        local = metres(measures["local_m"])
        only = said.reason == "exceeds_locally"
        more = Text(
            f"{more.zh}其中目的地周边行驶 {local.zh}{'，仅因此达到限定倍数' if only else ''}。",
            f"{more.en} {local.en} of it were driven around a destination{', which alone carries it over the limit' if only else ''}.",
        )
    when, limit = span(said.from_us, said.to_us), _times(said.parameters["ratio_permille"])
    return Text(
        f"疑似里程数异常：{plate} 执行派车单 {order}（{when.zh}）{zh}（{limit} 倍以上为疑似）。{more.zh}",
        f"Suspected: {plate} on order {order} ({when.en}): {en} (suspected from {limit} times on).{more.en}",
    )


def _times(permille: int) -> str:
    """``1.5`` of 1500, ``1.499`` of 1499."""
    return f"{permille // 1000:,}.{permille % 1000:03d}".rstrip("0").rstrip(".")


def _tenths(permille: int) -> str:
    """``10`` of 100, ``12.5`` of 125."""
    return f"{permille // 10}.{permille % 10}".removesuffix(".0")


WORDING: Final = RuleWording(REASONS, summary, NAMED)
