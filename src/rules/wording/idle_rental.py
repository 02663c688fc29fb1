"""The words of ``idle_rental`` 租赁期间自有车辆闲置."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, span

REASONS: Final[Mapping[str, Text]] = {
    "idle": Text("租赁期间有适用的自有车辆闲置", "a suitable own vehicle stood idle"),
    "used": Text(
        "适用的自有车辆都有使用，或届时不能使用", "suitable own vehicles were used, or could not be"
    ),
    "none_suitable": Text("查无车证明中没有适用的自有车辆", "the proof names no suitable own vehicle"),
    "not_seen": Text(
        "适用的自有车辆当时是否闲置不能确定", "whether a suitable own vehicle stood idle is not known"
    ),
    "not_rented": Text("没有起租，或租赁已撤销", "it was not taken, or is no rental any more"),
    "gone": Text("没有这次租赁", "there is no such rental any more"),
}


def summary(said: Said) -> Text:
    """``told``: plate (the rented one), number (of the report), plates (of at most five idle ones), orders (at most three that kept them)."""
    told, why, when = said.told, REASONS[said.reason], span(said.from_us, said.to_us)
    head = Text(
        f"租赁报备 {told['number']}（{told['plate']}，{when.zh}）",
        f"rental {told['number']} ({told['plate']}, {when.en})",
    )
    if said.outcome == "normal":
        return Text(f"正常：{head.zh}：{why.zh}。", f"Normal: {head.en}: {why.en}.")
    if said.outcome == "undetermined":
        return Text(f"不可判：{head.zh}：{why.zh}。", f"Undetermined: {head.en}: {why.en}.")
    plates, kept = "、".join(told["plates"]), ", ".join(told["orders"])
    zh = f"，其派车单 {kept} 未出车" if kept else ""
    en = f" (kept by order {kept}, which was not driven)" if kept else ""
    return Text(
        f"疑似租赁期间自有车辆闲置：{head.zh}期间，适用的自有车辆 {said.measures['idle']} 辆（{plates}）始终停在本单位未动{zh}。",
        f"Suspected: during {head.en} {said.measures['idle']} suitable own vehicle(s), {', '.join(told['plates'])}, never left their place{en}.",
    )


WORDING: Final = RuleWording(REASONS, summary)
