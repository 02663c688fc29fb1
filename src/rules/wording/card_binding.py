"""The words of ``card_binding`` 油卡绑定异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, moment, span

REASONS: Final[Mapping[str, Text]] = {
    "official": Text("绑定期间一直是公务用车", "an official vehicle for the whole binding"),
    "not_official": Text(
        "绑定的车牌不是登记的公务用车", "the plate is not that of a registered official vehicle"
    ),
    "disposed": Text("绑定的公务用车已处置", "the official vehicle was disposed of"),
    "report_ended": Text("绑定的租赁车辆报备已到期", "the report of the rented vehicle has ended"),
    "plate_changed": Text(
        "车辆已换车牌，油卡仍绑定原车牌",
        "the vehicle got another plate, the card is still bound to the old one",
    ),
    "master": Text("主卡，不能加油，无须绑定车辆", "a master card that cannot fill needs no vehicle"),
    "closed_undated": Text("油卡已停用但没有停用日期", "the card is out of use, the day is not known"),
    "not_bound": Text("油卡未绑定车辆", "the card is bound to no vehicle"),
    "bound": Text("油卡已绑定车辆", "the card is bound to a vehicle"),
    "not_bound_yet": Text("油卡未绑定车辆未超过宽限", "not bound, within the days of grace"),
    "inactive": Text("油卡已停用", "the card is out of use"),
    "gone": Text("该绑定记录已删除或更改", "the binding was deleted or changed"),
}


def summary(said: Said) -> Text:
    """``told``: card; of a binding plate, bound_from_us, bound_to_us (None = no end), spans [[from, to or None]] in which
    the plate was none of ours, disposed_on; of a card without one since_us."""
    return _binding(said) if "plate" in said.told else _unbound(said)


def _binding(said: Said) -> Text:
    told = said.told
    when = span(told["bound_from_us"], told["bound_to_us"])
    zh = f"油卡 {told['card']} 绑定车牌 {told['plate']}（{when.zh}）"
    en = f"fuel card {told['card']} bound to plate {told['plate']} ({when.en})"
    if said.outcome == "normal":
        return Text(f"正常：{zh}，该车一直是公务用车。", f"Normal: {en}: an official vehicle all the time.")
    if said.outcome == "undetermined":
        return Text(
            f"不可判：{zh}：油卡已停用但没有停用日期。", f"Undetermined: {en}: the card is out of use, the day is not known."
        )  # fmt: skip
    why = Text("期间该车牌不是登记的公务用车", "the plate was not that of a registered official vehicle")
    if said.reason == "disposed":
        day = told["disposed_on"]
        why = Text(f"该车已于 {day} 处置", f"the vehicle was disposed of on {day}")
    if said.reason == "report_ended":
        day = told["disposed_on"]
        why = Text(
            f"该租赁车辆的报备至 {day} 前一日止", f"the report of the rented vehicle ended before {day}"
        )
    if said.reason == "plate_changed":
        day = told["disposed_on"]
        why = Text(
            f"该车已换车牌，自 {day} 起不再使用此车牌，油卡应改绑新车牌",
            f"the vehicle has another plate; this one is not its own from {day} on: bind the card to the new one",
        )
    spans = [span(*edges) for edges in told["spans"]]
    return Text(
        f"疑似油卡绑定异常：{zh}，{why.zh}，{'；'.join(f'异常时段 {s.zh}' for s in spans)}。",
        f"Suspected: {en}: {why.en}; {'; '.join(s.en for s in spans)}.",
    )


def _unbound(said: Said) -> Text:
    card, since, grace = said.told["card"], said.told["since_us"], said.parameters["grace_days"]
    if said.reason == "inactive":
        return Text(f"正常：油卡 {card} 已停用。", f"Normal: fuel card {card} is out of use.")
    if said.reason == "bound":
        return Text(f"正常：油卡 {card} 已绑定车辆。", f"Normal: fuel card {card} is bound to a vehicle.")
    if said.reason == "master":
        return Text(
            f"正常：油卡 {card} 是主卡，没有加油，无须绑定车辆。",
            f"Normal: fuel card {card} is a master card and has not filled: it needs no vehicle.",
        )
    zh = f"油卡 {card} 自 {moment(since)} 起未绑定任何车辆"
    en = f"fuel card {card} is bound to no vehicle since {moment(since)}"
    if said.outcome == "normal":
        return Text(f"正常：{zh}，未超过宽限。", f"Normal: {en}, within the days of grace.")
    if not grace:
        return Text(f"疑似油卡绑定异常：{zh}。", f"Suspected: {en}.")
    return Text(
        f"疑似油卡绑定异常：{zh}，超过 {grace} 天宽限。", f"Suspected: {en}, beyond {grace} days of grace."
    )


WORDING: Final = RuleWording(REASONS, summary)
