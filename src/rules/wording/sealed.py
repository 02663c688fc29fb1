"""The words of ``sealed`` 封存车辆移动."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, metres, moment, span

REASONS: Final[Mapping[str, Text]] = {
    "moved": Text("封存期间移动", "moved while sealed"),
    "stood": Text("封存期间未移动", "did not move while sealed"),
    "allowed_order": Text(
        "封存期间移动，有允许的派车单（维修、检测、应急、拖车）",
        "moved while sealed, under an order of a type that allows it",
    ),
    "ordered": Text(
        "封存期间移动，同时有派车单：封存与派车登记矛盾，请核对",
        "moved while sealed, but an order covers it: the two papers contradict each other",
    ),
    "moved_unseen": Text(
        "定位中断期间离开原处，何人何时移动没有轨迹",
        "it left its place while no position came: nobody saw it move",
    ),
    "no_track": Text("封存期间没有可用定位", "no usable position while it was sealed"),
    "gone": Text("车辆或封存记录不再存在", "there is no such seal any more"),
}


def summary(said: Said) -> Text:
    """``told``: plate, sealed_us, why, orders (at most three that covered it)."""
    told = said.told
    sealed = moment(told["sealed_us"])
    head = Text(
        f"{told['plate']}（{sealed} 起封存：{told['why']}）", f"{told['plate']} (sealed from {sealed} on)"
    )
    if said.outcome == "normal":
        why = REASONS[said.reason]
        return Text(f"正常：{head.zh}{why.zh}。", f"Normal: {head.en}: {why.en}.")
    if said.outcome == "undetermined":
        why = REASONS[said.reason]
        orders = (
            Text(f"（派车单 {'、'.join(told['orders'])}）", f" (orders {', '.join(told['orders'])})")
            if told["orders"]
            else Text("", "")
        )
        return Text(
            f"不可判：{head.zh}{why.zh}{orders.zh}。", f"Undetermined: {head.en}: {why.en}{orders.en}."
        )
    when, far = span(said.from_us, said.to_us), metres(said.measures["away_m"])
    return Text(
        f"疑似封存车辆移动：{head.zh}{when.zh} 驶离原停放处 {far.zh}，没有派车单。",
        f"Suspected: {head.en} drove {far.en} away from where it stood, {when.en}, without an order.",
    )


WORDING: Final = RuleWording(REASONS, summary)
