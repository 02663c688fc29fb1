"""The words of ``terminal_silent`` 终端失联."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, kilometres, span

REASONS: Final[Mapping[str, Text]] = {
    "displaced": Text("失联期间车辆位置变动", "the vehicle was elsewhere after the silence"),
    "odometer": Text("失联期间里程表增加", "the odometer counted during the silence"),
    "unplugged": Text("终端主电源断开后失联", "silent after loss of main power"),
    "unplugged_together": Text(
        "当日多次断电失联，合计达到时长",
        "several silences of the day with loss of main power, long enough together",
    ),
    "asleep": Text("失联前后车辆未移动，视为终端休眠", "the vehicle did not move, the terminal slept"),
    "workshop": Text("失联在维修、拖车或年检派车任务期间", "silent under a repair, tow or inspection order"),
    "reporting": Text("当日没有达到时长的失联", "no silence of that length began on that day"),
    "peers_silent": Text(
        "同期其他车辆也没有实时定位，可能是网络故障", "others were silent too, maybe a failure of the network"
    ),
    "still_silent": Text("仍在失联，尚无位置变动证据", "not over yet, and no sign of displacement"),
    "unconfirmed": Text("恢复后定位不足两个，无法确认位置", "fewer than two fixes after it"),
    "terminal_changed": Text("失联期间终端被拆换或解绑", "the terminal was unbound or exchanged in between"),
    "odometer_fault": Text(
        "里程表读数变化超出车辆可能行驶的里程（清零、校准、换单位或翻转），视为设备故障，请检查终端",
        "the odometer changed by what no car can drive in the time (reset, set, another unit, rolled over): a fault of the device, have the terminal checked",
    ),
    "contradiction": Text(
        "位置与里程矛盾：一个在变而另一个不动，请检查终端、天线和里程接线",
        "position and odometer contradict each other: one runs, the other stands; have terminal, aerial and odometer line checked",
    ),
    "no_fix": Text(
        "全天没有可用定位，与失联开始之日一并判断",
        "no fix all day, judged with the day on which the silence began",
    ),
    "not_official": Text("当日不是在册公务车", "no official vehicle on that day"),
    "no_terminal": Text("当日未绑定终端", "no terminal was bound on that day"),
}


def summary(said: Said) -> Text:
    """``told``: plate, date; of a suspected silence also peers_of (organisation or fleet) and orders (at most three
    ids)."""
    told, measures, plate = said.told, said.measures, said.told["plate"]
    if said.outcome != "suspected":
        why, day = REASONS[said.reason], told["date"]
        if said.reason == "contradiction" and "contradiction_odometer_m" in measures:
            counted, moved = (
                kilometres(measures[f"contradiction_{name}_m"]) for name in ("odometer", "moved")
            )
            why = Text(
                f"{why.zh}（里程表 {counted.zh}，定位范围 {moved.zh}）",
                f"{why.en} (odometer {counted.en}, fixes {moved.en} apart)",
            )
        if said.outcome == "normal":
            return Text(f"正常：{plate} {day}：{why.zh}。", f"Normal: {plate} {day}: {why.en}.")
        return Text(f"不可判：{plate} {day}：{why.zh}。", f"Undetermined: {plate} {day}: {why.en}.")
    hours, minutes = divmod(measures["silence_min"], 60)
    when, over = span(said.from_us, said.to_us), said.to_us is not None
    zh = f"{when.zh}失联{' ' if over else '超过 '}{hours} 小时 {minutes} 分"
    en = f"silent {when.en}, for {'' if over else 'more than '}{hours} h {minutes} min"
    if said.reason == "unplugged_together":
        times = measures["unplugged_silences"]
        zh = f"{when.zh}断电失联 {times} 次，合计 {hours} 小时 {minutes} 分"
        en = f"silent {times} times {when.en}, for {hours} h {minutes} min together"
    if orders := told["orders"]:
        zh += f"（涉及派车单 {'、'.join(orders)}）"
        en += f" (orders {', '.join(orders)})"
    what = _what(said)
    if not said.reason.startswith("unplugged") and measures["unplugged"]:
        what = Text(f"{what.zh}，失联时终端报主电源断开", f"{what.en}; it reported loss of main power")
    where = Text("全部", "all")
    if told["peers_of"] == "organisation":
        where = Text("本单位", "its unit")
    others = measures["peers_reporting"]
    return Text(
        f"疑似终端失联：{plate} 于 {zh}，{what.zh}，同期{where.zh}其他车辆有 {others} 辆定位正常。",
        f"Suspected: the terminal of {plate} was {en}; {what.en}; of {where.en}, {others} other vehicles were seen meanwhile.",
    )


def _what(said: Said) -> Text:
    if said.reason == "displaced":
        away = kilometres(said.measures["displacement_m"])
        return Text(f"恢复定位时车辆已在 {away.zh}之外", f"when it was seen again it was {away.en} away")
    if said.reason == "odometer":
        driven = kilometres(said.measures["odometer_m"])
        return Text(f"期间里程表增加 {driven.zh}", f"its odometer counted {driven.en} meanwhile")
    return Text("失联时终端报主电源断开", "it reported loss of main power")


WORDING: Final = RuleWording(REASONS, summary)
