"""The words of ``traffic_violations`` 违章异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, moment

REASONS: Final[Mapping[str, Text]] = {
    "repeated": Text("一个月内违章次数达到限值", "violations within a month reach the limit"),
    "few": Text("一个月内违章次数未达到限值", "fewer violations within a month than the limit"),
    "none": Text("本月没有计入的违章", "no violation of this month counts"),
    "other_unit": Text(
        "该单位的违章按另一口径（车辆或驾驶员）统计",
        "violations are counted by the other unit, vehicle or driver",
    ),
    "gone": Text("该车辆或驾驶员已不存在", "the vehicle or driver is no more"),
}


def summary(said: Said) -> Text:
    """``told``: plate or driver (name, else id), month, acts (at most five: {at_us, place, act})."""
    told, month, count = said.told, said.told["month"], said.measures["violations"]
    who = Text(told["plate"], told["plate"])
    if told["driver"] is not None:
        who = Text(f"驾驶员 {told['driver']}", f"driver {told['driver']}")
    besides = _besides(said)
    if said.reason == "few":
        return Text(
            f"正常：{who.zh} {month} 一个月内违章 {count} 次{besides.zh}，未达到限值。",
            f"Normal: {who.en} {month}: {count} violations within a month{besides.en}, below the limit.",
        )
    if said.outcome == "normal":
        why = REASONS[said.reason]
        return Text(
            f"正常：{who.zh} {month}：{why.zh}{besides.zh}。",
            f"Normal: {who.en} {month}: {why.en}{besides.en}.",
        )
    rows = [f"{moment(row['at_us'])} {row['place']}{row['act']}".rstrip() for row in told["acts"]]
    listed = said.measures["listed"]
    more = Text(f"；等 {listed} 次", f"; {listed} in all") if listed > len(rows) else Text("", "")
    span = Text("一个月内", "within a month")
    if said.parameters["natural_month"]:
        span = Text("自然月内", "within a calendar month")
    return Text(
        f"疑似违章异常：{who.zh} {span.zh}发生违章 {count} 次（{'；'.join(rows)}{more.zh}）{besides.zh}。",
        f"Suspected: {who.en}: {count} violations {span.en} ({'; '.join(rows)}{more.en}){besides.en}.",
    )


def _besides(said: Said) -> Text:
    """What is shown and does not count."""
    parking, same = said.measures.get("parking", 0), said.measures.get("same_act", 0)
    zh = [f"停车类 {parking} 条" if parking else "", f"同一行为的另一记录 {same} 条" if same else ""]
    en = [f"{parking} of parking" if parking else "", f"{same} of the same act" if same else ""]
    if not any(zh):
        return Text("", "")
    return Text(
        f"（另有{'、'.join(filter(None, zh))}，不计入）", f" (not counted: {', '.join(filter(None, en))})"
    )


WORDING: Final = RuleWording(REASONS, summary)
