"""The words of ``destination`` 目的地异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, metres, span

REASONS: Final[Mapping[str, Text]] = {
    "reached": Text("轨迹到过目的地", "the track reached the destination"),
    "not_reached": Text("轨迹未到目的地", "the track did not reach the destination"),
    "no_coordinates": Text("目的地没有坐标", "the destination has no coordinates"),
    "no_track": Text("没有可用轨迹", "no usable track"),
    "gap": Text("轨迹中断期间可能到过目的地", "may have been there during a gap of the track"),
    "order_reassigned": Text("派车单已改派其他车辆", "the dispatch order went to another vehicle"),
    "order_cancelled": Text("派车单已取消", "the dispatch order was cancelled"),
    "order_reopened": Text("派车单已重新打开", "the dispatch order was opened again"),
    "destination_removed": Text("派车单不再有该目的地", "the dispatch order no longer has this destination"),
}

_MISSING: Final = {
    "no_coordinates": Text("目的地没有坐标", "the destination has no coordinates"),
    "no_track": Text("没有可用的行驶轨迹", "no usable track"),
    "gap": Text(
        "轨迹中断期间车辆可能到过目的地", "the vehicle may have been there during a gap of the track"
    ),
}


def summary(said: Said) -> Text:
    """``told``: plate, order, name (of the destination), number (its place in the order, from 1)."""
    plate, order, number = said.told["plate"], said.told["order"], said.told["number"]
    zh, en = said.told["name"] or f"第 {number} 个目的地", said.told["name"] or f"destination {number}"
    if said.outcome == "undetermined":
        why = _MISSING[said.reason]
        return Text(
            f"不可判：{plate} 派车单 {order} 的目的地“{zh}”：{why.zh}。",
            f'Undetermined: {plate}, order {order}, destination "{en}": {why.en}.',
        )
    nearest = metres(said.measures["nearest_m"])
    if said.outcome == "normal":
        return Text(
            f"正常：{plate} 派车单 {order} 到过目的地“{zh}”，最近距离 {nearest.zh}。",
            f'Normal: {plate} on order {order} was at the destination "{en}", {nearest.en} at the nearest.',
        )
    when, radius = span(said.from_us, said.to_us), metres(said.parameters["radius_m"])
    return Text(
        f"疑似目的地异常：{plate} 执行派车单 {order}（{when.zh}）的行驶轨迹未进入目的地“{zh}”{radius.zh}以内范围，"
        f"最近距离 {nearest.zh}。",
        f"Suspected: the track of {plate} on order {order} ({when.en}) did not come within {radius.en} of the destination"
        f' "{en}"; {nearest.en} at the nearest.',
    )


WORDING: Final = RuleWording(REASONS, summary)
