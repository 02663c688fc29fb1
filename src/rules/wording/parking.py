"""The words of ``parking`` 停放异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, metres, span

REASONS: Final[Mapping[str, Text]] = {
    "outside": Text("夜间停放在停放区域以外", "stood outside its place over night"),
    "inside": Text("夜间在停放区域内", "was at its place"),
    "short": Text("在停放区域以外停放不足限值", "stood outside its place for less than the limit"),
    "ordered": Text("停放区域以外的停放有派车单", "an order covers the stand outside its place"),
    "excused": Text("在维修厂或封存", "it was in the repair shop, or sealed"),
    "gaps": Text(
        "夜间定位中断，不能确定一直停放在同一处",
        "positions are missing: whether it stood there all the time is not known",
    ),
    "no_track": Text("夜间没有可用定位", "no usable position in the night"),
    "no_fence": Text("当时没有停放区域（围栏）", "no area was drawn for the vehicle then"),
    "not_official": Text("当时不是公务车", "it was no official vehicle then"),
    "no_terminal": Text("当时没有安装终端", "no terminal sat in the vehicle then"),
    "gone": Text("车辆不再存在", "there is no such vehicle any more"),
}


def summary(said: Said) -> Text:
    """``told``: plate, night (the day on which it begins), orders (at most three within the night)."""
    told, why = said.told, REASONS[said.reason]
    head = Text(f"{told['plate']} {told['night']} 夜间", f"{told['plate']}, night of {told['night']}")
    if said.outcome == "normal":
        return Text(f"正常：{head.zh}：{why.zh}。", f"Normal: {head.en}: {why.en}.")
    if said.outcome == "undetermined":
        return Text(f"不可判：{head.zh}：{why.zh}。", f"Undetermined: {head.en}: {why.en}.")
    minutes, when, far = (
        said.measures["stood_s"] // 60,
        span(said.from_us, said.to_us),
        metres(said.measures["beyond_m"]),
    )
    return Text(
        f"疑似停放异常：{head.zh}（{when.zh}）停放在停放区域 {far.zh}以外，无派车单 {minutes // 60} 小时 {minutes % 60} 分。",
        f"Suspected: {head.en}: parked {far.en} outside its place, {when.en}, for {minutes // 60} h {minutes % 60} min without an order.",
    )


WORDING: Final = RuleWording(REASONS, summary)
