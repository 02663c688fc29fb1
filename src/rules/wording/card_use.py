"""The words of ``card_use`` 油卡使用异常."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, energy_unit, hundredths, metres, moment

REASONS: Final[Mapping[str, Text]] = {
    "entered": Text(
        "车辆在加油时间进入该加油站并停留", "the vehicle stopped in the station around that time"
    ),
    "passed": Text(
        "车辆在加油时间只经过该加油站，没有停留", "the vehicle only passed the station around that time"
    ),
    "not_entered": Text(
        "车辆在加油时间未进入该加油站", "the vehicle was not in the station around that time"
    ),
    "no_fill": Text("不是加油，或已冲正", "no fill, or taken back"),
    "reversal_unmatched": Text("冲正没有对应的加油", "a reversal that no fill fits"),
    "posting_time": Text(
        "只有入账时间，当天没有看到车辆进站停留",
        "only the time of booking is known, and the vehicle was not seen to stop there on that day",
    ),
    "stop_unclear": Text(
        "车辆经过该加油站，定位太疏，看不出是否停留",
        "passed the station, with fixes too far apart to tell whether it stopped",
    ),
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
    if said.reason == "reversal_unmatched":
        return Text(
            f"不可判：油卡 {told['card']} 于 {moment(said.from_us)} 的冲正 {told['transaction']} 没有对应的加油，请核对。",
            f"Undetermined: no fill fits reversal {told['transaction']} of fuel card {told['card']} at"
            f" {moment(said.from_us)}; please check.",
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
            f"正常：{zh}，{plate} 在该加油站停留 {said.measures['stop_s']} 秒{nearest.zh}。",
            f"Normal: {en}; {plate} stopped in the station for {said.measures['stop_s']} s{nearest.en}.",
        )
    window, off, away = (
        said.parameters["window_min"],
        said.measures["at_off_s"],
        metres(said.measures["at_distance_m"]),
    )
    if said.reason == "passed":
        least = said.parameters["min_stop_s"]
        return Text(
            f"疑似油卡使用异常：{zh}，但绑定的公务车 {plate} 在加油前后 {window} 分钟内只经过该加油站{nearest.zh}，停留不足 {least} 秒；"
            f"与加油时间相差 {off} 秒的定位距该加油站 {away.zh}。",
            f"Suspected: {en}, but the official vehicle {plate} that it is bound to only passed the station within {window}"
            f" minutes before or after{nearest.en}, without stopping for {least} s; its fix {off} s from the fill is"
            f" {away.en} from the station.",
        )
    return Text(
        f"疑似油卡使用异常：{zh}，但绑定的公务车 {plate} 在加油前后 {window} 分钟内未进入该加油站{nearest.zh}；"
        f"与加油时间相差 {off} 秒的定位距该加油站 {away.zh}。",
        f"Suspected: {en}, but the official vehicle {plate} that it is bound to was not in the station within {window}"
        f" minutes before or after{nearest.en}; its fix {off} s from the fill is {away.en} from the station.",
    )


WORDING: Final = RuleWording(REASONS, summary)
