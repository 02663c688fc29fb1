"""The words of ``refuel_frequency`` 加油频率异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rules.wording.texts import RuleWording, Said, Text, energy_unit, hundredths, moment

REASONS: Final[Mapping[str, Text]] = {
    "often": Text("两次派单之间加油次数达到限值", "fills between two orders reach the limit"),
    "few": Text("两次派单之间加油次数未达到限值", "fewer fills between two orders than the limit"),
    "posting_time": Text(
        "有加油只有入账时间，不能确定发生在两次派单之间",
        "of some fills only the booking is known: they may not lie between the orders",
    ),
    "gone": Text(
        "派车单、绑定或加油记录已更改，该时段不再有加油",
        "orders, binding or transactions changed: there are no fills in this stretch any more",
    ),
}


def summary(said: Said) -> Text:
    """``told``: card, plate, order, returned_us, returned (false: it has no return, so long it covers), next_order (None: there is none), departs_us, fills (at most ten:
    {at_us, station, energy, quantity (ml or Wh, None), payments})."""
    told, count = said.told, said.measures["fills"]
    until = Text("尚无下次派单", "no order after it yet")
    if told["next_order"] is not None:
        departs = moment(told["departs_us"])
        until = Text(
            f"下次派车单 {told['next_order']} {departs} 出车", f"the next one, {told['next_order']}, departs {departs}"
        )  # fmt: skip
    back = moment(told["returned_us"])
    ended = Text(f"{back} 返回后", f"after the return of order {told['order']}, {back}")
    if told.get("paper_us") is not None:
        paper = moment(told["paper_us"])
        ended = Text(
            f"{back} 返回（登记 {paper}，按轨迹）后",
            f"after the return of order {told['order']}, {back} by the track ({paper} on paper)",
        )
    if not told.get("returned", True):
        ended = Text(
            f"没有返回记录，其覆盖时间 {back} 结束后",
            f"after {back}, until when order {told['order']} covers without a return",
        )
    zh = f"油卡 {told['card']}（{told['plate']}）在派车单 {told['order']} {ended.zh}（{until.zh}）加油 {count} 次"
    en = f"fuel card {told['card']} ({told['plate']}) paid {count} fills {ended.en} ({until.en})"
    if said.outcome == "normal":
        least = said.parameters["min_fills"]
        return Text(f"正常：{zh}，不足 {least} 次。", f"Normal: {en}; fewer than {least}.")
    if said.outcome == "undetermined":
        why = REASONS[said.reason]
        return Text(f"不可判：{zh}：{why.zh}。", f"Undetermined: {en}: {why.en}.")
    fills = [_fill(fill) for fill in told["fills"]]
    more = Text("", "")
    if count > len(fills):
        more = Text(f"等 {count} 次", f"; {count} in all")
    return Text(
        f"疑似加油频率异常：{zh}：{'；'.join(f.zh for f in fills)}{more.zh}。",
        f"Suspected: {en}: {'; '.join(f.en for f in fills)}{more.en}.",
    )


def _fill(fill: Mapping[str, Any]) -> Text:
    at, station = moment(fill["at_us"]), fill["station"]
    place = Text(station or "网点不明", station or "station unknown")
    if fill["quantity"] is None:
        return Text(f"{at} {place.zh} 数量不明", f"{at} {place.en}, quantity unknown")
    unit, number = energy_unit(fill["energy"]), hundredths(fill["quantity"])
    parts = Text("", "")
    if fill["payments"] > 1:
        parts = Text(f"（{fill['payments']} 笔）", f" ({fill['payments']} payments)")
    return Text(
        f"{at} {place.zh} {number} {unit.zh}{parts.zh}", f"{at} {place.en} {number} {unit.en}{parts.en}"
    )


WORDING: Final = RuleWording(REASONS, summary)
