"""What a judgement says of orders besides: overdue ones, backfills that nobody approved, times on paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules.wording.texts import Text, moment
from runtime.units import US_PER_S

#: Notes told in one sentence; the evidence has them all.
MOST = 3


def told(notes: Iterable[Mapping[str, Any]]) -> Text:
    """The sentences of ``notes`` (``registry.order_cover.Note``), one after the other; empty without any."""
    found = [_one(note) for note in list(notes)[:MOST]]
    return Text("".join(text.zh for text in found), "".join(f" {text.en}" for text in found))


def _one(note: Mapping[str, Any]) -> Text:
    order, at = note["order"], note["at_us"]
    if note["kind"] == "overdue":
        return Text(
            f"派车单 {order} 至 {moment(at)} 未登记返回，已超期，其后不再覆盖。",
            f"Order {order} is overdue: no return was entered until {moment(at)}, and it covers nothing after that.",
        )
    if note["kind"] == "backfill":
        return Text(
            f"补单 {order}（{moment(at)} 录入）没有驾驶员和申请人以外的审批人，不据以撤销。",
            f"Order {order} was entered afterwards, at {moment(at)}, and nobody but driver and applicant approved it: it"
            " withdraws nothing.",
        )
    paper = note["paper_us"] or at
    minutes = -(-abs(at - paper) // (60 * US_PER_S))
    what = Text("出车", "departure") if note["kind"] == "departure" else Text("返回", "return")
    return Text(
        f"派车单 {order} 登记的{what.zh}时间 {moment(paper)} 与轨迹相差 {minutes} 分钟，按轨迹的 {moment(at)} 计。",
        f"The {what.en} of order {order} on paper, {moment(paper)}, is {minutes} min off the track: {moment(at)} is used.",
    )
