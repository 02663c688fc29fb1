"""The numbers of an alert as a table for people: Chinese names, values with their units. Pure.

A number without a name here keeps the name that it has in the interface: none is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

NAMES: Final[Mapping[str, str]] = {
    "all_mileage_m": "全部里程",
    "all_quantity": "全部能耗",
    "amount_fen": "金额",
    "at_distance_m": "加油时距站",
    "at_lat_e6": "加油时纬度",
    "at_lon_e6": "加油时经度",
    "at_off_s": "定位与加油相差",
    "baseline_consumption": "基期百公里能耗",
    "baseline_fills": "基期加注次数",
    "baseline_mileage_m": "基期里程",
    "baseline_months": "基期月数",
    "baseline_most": "基期能耗上限",
    "baseline_quantity": "基期加注量",
    "bridged_m": "其中中断处直线",
    "classes": "车型数",
    "contradiction_moved_m": "不符时轨迹里程",
    "contradiction_odometer_m": "不符时里程表",
    "contradictions": "里程不符次数",
    "coverage_permille": "轨迹覆盖率",
    "current_consumption": "本期百公里能耗",
    "current_fills": "本期加注次数",
    "current_least": "本期能耗下限",
    "current_mileage_m": "本期里程",
    "current_quantity": "本期加注量",
    "day_m": "日间里程",
    "displacement_m": "中断前后位移",
    "distance_m": "行驶里程",
    "driving_s": "行驶时长",
    "electric_quantity": "充电量",
    "farthest_m": "最远离开围栏",
    "fills": "加注次数",
    "fixes": "定位点数",
    "fuel_quantity": "加油量",
    "last_year_consumption": "去年同期百公里能耗",
    "left_out_fills": "未计入的加注",
    "listed": "列出条数",
    "local_m": "目的地周边里程",
    "mileage_m": "实际里程",
    "navigation_m": "导航里程",
    "nearest_m": "最近距离",
    "night_m": "夜间里程",
    "not_counted": "未计入条数",
    "odometer_differs": "里程表与轨迹不符",
    "odometer_fault": "里程表故障",
    "odometer_m": "里程表里程",
    "ordered_min": "其中派车时间",
    "other_vehicle": "属其他车辆",
    "parking": "违停条数",
    "payments": "付款次数",
    "peers_reporting": "同单位在线终端",
    "peers_silent": "同单位无信号终端",
    "positions": "定位点数",
    "ratio_permille": "倍数",
    "reports_without_fix": "无定位的上报",
    "same_act": "同一行为",
    "silence_min": "无信号时长",
    "silences": "无信号次数",
    "spans": "时段数",
    "stop_s": "站内停留",
    "terminals_apart_m": "两台终端相距",
    "unplugged": "终端断电",
    "unplugged_silences": "断电次数",
    "vehicles_not_driven_before": "基期未驾驶的车辆",
    "violations": "违法条数",
    "without_time": "无时刻的交易",
    "wrong_s": "不符时长",
}
_UNITS: Final[Mapping[str, str]] = {"m": "米", "s": "秒", "min": "分钟", "month": "个月", "km/h": "公里/时", "1": "", "": ""}  # fmt: skip
#: Unit -> (a thousandth of which unit, how that is called).
_THOUSANDTHS: Final[Mapping[str, str]] = {
    "ml": "升",
    "Wh": "千瓦时",
    "ml/100 km": "升/百公里",
    "Wh/100 km": "千瓦时/百公里",
}


def figures(measures: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """(name, value with its unit) of each measure of an alert, in their order."""
    return tuple((NAMES.get(name, name), value_text(m["value"], m["unit"])) for name, m in measures.items())


def value_text(value: Any, unit: str) -> str:
    """``3,412 米``, ``1.62 倍``, ``是``, ``—`` for none."""
    if value is None:
        return "—"
    if not isinstance(value, int | float):
        return f"{value}{unit}"
    if unit == "1 = yes":
        return "是" if value else "否"
    if unit == "1/1000":
        return f"{value / 1000:.3f}"
    if unit == "fen":
        return f"{value / 100:,.2f} 元"
    if unit in _THOUSANDTHS:
        return f"{value / 1000:,.2f} {_THOUSANDTHS[unit]}"
    if unit in ("1e-6 degree", "1e-6 °", "1e-6 deg"):
        return f"{value / 1_000_000:.6f}°"
    return f"{value:,} {_UNITS.get(unit, unit)}".rstrip()
