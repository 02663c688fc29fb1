"""The words of ``route`` 行驶路线异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, kilometres, metres, span

REASONS: Final[Mapping[str, Text]] = {
    "left": Text("驶离指定路线", "left the designated route"),
    "never": Text("未进入指定路线", "was never on the designated route"),
    "followed": Text("按指定路线行驶", "followed the designated route"),
    "detour": Text("绕行后回到指定路线", "went round a part of the designated route and came back to it"),
    "gap": Text(
        "轨迹中断期间是否离开指定路线不能确定",
        "may have left, or driven, the designated route during a gap of the track",
    ),
    "no_track": Text("没有可用轨迹", "no usable track"),
    "not_driven": Text(
        "没有驶上指定路线，行驶里程也不足",
        "was not on the designated route, and drove too little to say more",
    ),
    "too_long": Text("用车时间过长", "the order was out for too long"),
    "several_vehicles": Text(
        "多车先后执行，无法确定各走哪一段",
        "several vehicles served it: which was to drive which part is not known",
    ),
    "order_reassigned": Text("派车单已改派其他车辆", "the dispatch order went to another vehicle"),
    "order_cancelled": Text("派车单已取消", "the dispatch order was cancelled"),
    "order_reopened": Text("派车单已重新打开", "the dispatch order was opened again"),
    "route_removed": Text("派车单不再指定路线", "the dispatch order no longer designates a route"),
}


def summary(said: Said) -> Text:
    """``told``: plate, order."""
    plate, order, why = said.told["plate"], said.told["order"], REASONS[said.reason]
    if said.outcome == "undetermined":
        return Text(
            f"不可判：{plate} 派车单 {order} 的指定路线：{why.zh}。",
            f"Undetermined: {plate}, designated route of order {order}: {why.en}.",
        )
    if said.outcome == "normal":
        return Text(
            f"正常：{plate} 派车单 {order}：{why.zh}。", f"Normal: {plate} on order {order} {why.en}."
        )
    when, driven = span(said.from_us, said.to_us), kilometres(said.measures["off_route_m"])
    far, corridor = metres(said.measures["furthest_m"]), metres(said.parameters["corridor_m"])
    return Text(
        f"疑似行驶路线异常：{plate} 执行派车单 {order}，{when.zh}{why.zh}（两侧 {corridor.zh}）以外行驶 {driven.zh}，最远离路线 {far.zh}。",
        f"Suspected: {plate} on order {order} {why.en} ({corridor.en} on either side): {driven.en} outside it, {when.en}, {far.en} away at the"
        " furthest.",
    )


WORDING: Final = RuleWording(REASONS, summary)
