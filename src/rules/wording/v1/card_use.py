"""The words of ``card_use`` 油卡使用异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, energy_unit, hundredths, metres, moment

REASONS: Final[Mapping[str, Text]] = {
    "entered": Text("车辆在加油时间进入过该加油站", "the vehicle was in the station around that time"),
    "not_entered": Text(
        "车辆在加油时间未进入该加油站", "the vehicle was not in the station around that time"
    ),
    "no_fill": Text("不是加油，或已冲正", "no fill, or taken back"),
    "not_bound": Text("油卡当时未绑定车牌", "the card was bound to no plate then"),
    "not_official": Text(
        "油卡当时绑定的不是登记的公务用车", "the card was bound to no registered official vehicle then"
    ),
    "station_unknown": Text("交易网点未对应到加油站", "the station of the transaction is not known"),
    "no_coordinates": Text("加油站没有坐标", "the station has no coordinates"),
    "no_track": Text("没有可用的行驶轨迹", "no usable track"),
    "gap": Text("轨迹中断期间车辆可能到过加油站", "may have been in the station during a gap of the track"),
    "poor_coverage": Text("加油前后轨迹缺失过多", "too much of the track around that time is missing"),
    "gone": Text("该加油记录已删除", "the transaction is no more"),
}


def summary(said: Said) -> Text:
    """``told``: card, transaction, station (name), energy, quantity (ml or Wh, None), plate (None: no vehicle)."""
    told = said.told
    if said.reason == "no_fill":
        return Text(
            f"正常：油卡 {told['card']} 的交易 {told['transaction']} 不是加油，或已冲正。",
            f"Normal: transaction {told['transaction']} of fuel card {told['card']} is no fill, or was taken back.",
        )
    at, plate, station = moment(said.from_us), told["plate"], told["station"]
    amount = Text("", "")
    if told["quantity"] is not None:
        unit, number = energy_unit(told["energy"]), hundredths(told["quantity"])
        amount = Text(f" {number} {unit.zh}", f" {number} {unit.en}")
    zh = f"油卡 {told['card']} 于 {at} 在“{station}”加油{amount.zh}"
    en = f'fuel card {told["card"]} paid a fill{amount.en} at "{station}" at {at}'
    if said.outcome == "undetermined":
        why = REASONS[said.reason]
        return Text(f"不可判：{zh}：{why.zh}。", f"Undetermined: {en}: {why.en}.")
    nearest = Text("", "")
    if "nearest_m" in said.measures:
        distance = metres(said.measures["nearest_m"])
        nearest = Text(f"，最近距离 {distance.zh}", f", {distance.en} at the nearest")
    if said.outcome == "normal":
        return Text(
            f"正常：{zh}，{plate} 到过该加油站{nearest.zh}。",
            f"Normal: {en}; {plate} was in the station{nearest.en}.",
        )
    window, off, away = (
        said.parameters["window_min"],
        said.measures["at_off_s"],
        metres(said.measures["at_distance_m"]),
    )
    return Text(
        f"疑似油卡使用异常：{zh}，但绑定的公务车 {plate} 在加油前后 {window} 分钟内未进入该加油站{nearest.zh}；"
        f"与加油时间相差 {off} 秒的定位距该加油站 {away.zh}。",
        f"Suspected: {en}, but the official vehicle {plate} that it is bound to was not in the station within {window}"
        f" minutes before or after{nearest.en}; its fix {off} s from the fill is {away.en} from the station.",
    )


WORDING: Final = RuleWording(REASONS, summary)
