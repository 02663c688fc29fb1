"""What each indicator says, exactly, in the words that are printed with it. Pure.

Shares are given as numerator and denominator; nothing is rounded before it is shown. Units of what is counted: the unit of the vehicle, for requests that of the applicant.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class UseIndicator(StrEnum):
    """The indicators that are computed."""

    TRIPS = "trips"
    TASK_HOURS = "task_hours"
    DRIVEN_KM = "driven_km"
    ORDERED_KM = "ordered_km"
    UNORDERED_KM = "unordered_km"
    DEPARTURE_RATE = "departure_rate"
    TIME_USE = "time_use"
    KEPT_RATE = "kept_rate"
    OVERBOOKED = "overbooked"
    APPROVAL_MEDIAN = "approval_median"
    APPROVAL_P95 = "approval_p95"
    ASSIGNMENT_MEDIAN = "assignment_median"
    ASSIGNMENT_P95 = "assignment_p95"
    PUNCTUAL = "punctual"
    BACKFILLED = "backfilled"
    REASSIGNED = "reassigned"
    NO_VEHICLE = "no_vehicle"
    POOLED = "pooled"
    RATING = "rating"
    FUEL = "fuel_per_100km"
    POWER = "power_per_100km"
    COST_OF_VEHICLE = "cost_of_vehicle"
    COST_PER_KM = "cost_per_km"
    MARKED = "marked"


@dataclass(frozen=True, slots=True)
class Definition:
    """``text``, ``english``: exactly what it is. ``numerator``, ``denominator``: of what the number is; "" = it is a sum or a quantile."""

    name: str
    unit: str
    text: str
    english: str
    numerator: str = ""
    denominator: str = ""


_I = UseIndicator
DEFINITIONS: Final[dict[UseIndicator, Definition]] = {
    _I.TRIPS: Definition("出行次数", "次", "本期内实际出车的派车单数；已批准而未出车的、已取消的不计。", "Orders that departed within the period; not what was approved."),
    _I.TASK_HOURS: Definition("任务时长", "小时", "每辆车从出车到归队各段的并集（重叠只算一次），取本期以内的部分；没有归队时间的不计，另列件数。", "The union over a vehicle of [departure, return], within the period; orders without a return are left out and counted."),
    _I.DRIVEN_KM: Definition("行驶里程", "公里", "每辆车本期最后一次归队与第一次出车的里程表读数之差，包括其间没有派车单的行驶。没有读数的车不计，另列辆数。", "Per vehicle the odometer of the last return less that of the first departure of the period, with what was driven without an order between."),
    _I.ORDERED_KM: Definition("派车里程", "公里", "同上各车，本期出车的各派车单里程表归队读数减出车读数之和。", "Of the same vehicles the sum of the odometer differences of the orders."),
    _I.UNORDERED_KM: Definition("无单里程", "公里", "行驶里程减派车里程。", "Driven less ordered."),
    _I.DEPARTURE_RATE: Definition("出车率", "%", "有出车的车日 ÷ 可派车日。车日：一辆车一天；可派：在册，且不是全天封存或全天在修。有出车的车日总是可派的。", "Vehicle-days with a departure ÷ dispatchable vehicle-days (in service, neither sealed nor in the shop all day).", "有出车的车日", "可派车日"),
    _I.TIME_USE: Definition("时间利用率", "%", "工作日 8:00—18:00 以内的任务时长 ÷ 同一时段可派车日的时长（每个可派的工作日 10 小时）。", "Task time within 08:00-18:00 of working days ÷ ten hours of each dispatchable working day.", "任务时长（秒）", "可派时长（秒）"),
    _I.KEPT_RATE: Definition("预约兑现率", "%", "计划出车时间在本期（且已过）、派过车的普通派车单中，实际出车的 ÷ 全部，包括取消和未用车的。", "Of normal dispatches that were to depart in the period: departed ÷ assigned, cancelled and no-shows included.", "已出车", "已派车"),
    _I.OVERBOOKED: Definition("超占率", "%", "（计划时长 − 实际时长）÷ 计划时长，对本期出车且已归队的普通派车单求和后相除；实际超过计划的为负。", "(planned − actual) ÷ planned duration, of sums over normal dispatches that departed in the period and are back.", "计划减实际（秒）", "计划时长（秒）"),
    _I.APPROVAL_MEDIAN: Definition("审批响应（中位数）", "分钟", "本期提交的普通申请，从提交到批准的时长中落在工作日 8:00—18:00 以内的部分，取中位数；未批准的不计。", "Of normal requests submitted in the period: office hours from submission to approval, the median."),
    _I.APPROVAL_P95: Definition("审批响应（95 分位）", "分钟", "同上，95% 的申请不超过的时长。", "The same: what 95 % do not exceed."),
    _I.ASSIGNMENT_MEDIAN: Definition("派车响应（中位数）", "分钟", "本期提交的普通申请，从批准到第一次派车的时长中落在工作日 8:00—18:00 以内的部分，取中位数。", "Office hours from approval to the first assignment, the median."),
    _I.ASSIGNMENT_P95: Definition("派车响应（95 分位）", "分钟", "同上，95% 的申请不超过的时长。", "The same: what 95 % do not exceed."),
    _I.PUNCTUAL: Definition("准点率", "%", "本期出车的普通派车单中，实际出车不晚于计划 10 分钟的 ÷ 全部。", "Of normal dispatches that departed: at most 10 minutes after the planned time.", "准点", "已出车"),
    _I.BACKFILLED: Definition("补单率", "%", "本期出车的派车单中，补录的 ÷ 全部。", "Of orders that departed: entered afterwards.", "补录", "出行次数"),
    _I.REASSIGNED: Definition("改派率", "%", "计划出车时间在本期的派车单中，改派过的 ÷ 全部。", "Of dispatches that were to depart in the period: reassigned at least once.", "改派过的", "派车单"),
    _I.NO_VEHICLE: Definition("无车率", "%", "本期提交且已批准的申请中，登记过无车的 ÷ 全部。", "Of requests submitted in the period and approved: once told that there is no vehicle.", "登记过无车的", "已批准的申请"),
    _I.POOLED: Definition("合乘率", "%", "本期出车的派车单中，载有两份及以上申请的 ÷ 全部。", "Of dispatches that departed: carried two requests or more.", "合乘的", "已出车"),
    _I.RATING: Definition("满意度", "分（1—5）", "本期提交的申请的评价平均数，只算有评价的；默认确认的没有评价。件数一并列出。", "The mean of the ratings given; n is shown.", "评分之和", "有评价的申请"),
    _I.FUEL: Definition("百公里油耗", "升/百公里", "100 × 各车加油升数之和 ÷ 里程表公里之和；只算本期加油不少于 3 次、里程不少于 300 公里的车，否则不可判。加油为台账中首次出车日至末次归队日之间的。", "100·ΣL ÷ Σkm of vehicles with 3 fills and 300 km or more; a ratio of sums, not a mean of means."),
    _I.POWER: Definition("百公里电耗", "千瓦时/百公里", "同百公里油耗，充电量按千瓦时；插电混动的车油、电分别计入。", "The same of charging; plug-in vehicles are in both."),
    _I.COST_OF_VEHICLE: Definition("单车成本", "元/辆", "单位承担的台账费用合计（按会计期间；折旧、驾驶员加班不计，车辆购置不入台账）÷ 本期在册的车辆数。", "The unit's ledger without depreciation and wages ÷ vehicles in service in the period.", "费用（分）", "在册车辆"),
    _I.COST_PER_KM: Definition("每公里成本", "元/公里", "有里程表读数的车：同上费用之和 ÷ 行驶里程之和。", "Of vehicles with odometer readings: the same costs ÷ km driven.", "费用（分）", "行驶里程（米）"),
    _I.MARKED: Definition("标识化率", "%", "已喷涂标识的 ÷ 应当标识的（已喷涂＋未喷涂）；免标识的两边都不计，未登记的另列辆数。", "Marked ÷ must be marked; exempt ones are in neither.", "已标识", "应标识"),
}  # fmt: skip
#: Asked for, and not given: why.
NOT_PUBLISHED: Final[dict[str, str]] = {
    "服务总时长": "不公布：这一名称没有确定的含义。有的平台公布的数折合每车每年八千多小时，占全年 94%，不可能是行驶，只能是终端通电或派车单未归队。任务时长、派车里程另有明确定义 · not published: as printed elsewhere it comes to 94 % of a vehicle's year and cannot be driving",
    "行驶时长": "数据库中没有逐日的行驶时间，须读取全部轨迹 · the database holds no driving time by day; it would have to be read from every track",
    "等候时长": "等于任务时长减行驶时长，缺行驶时长 · needs the driving time",
    "空驶率": "没有何时载客的记录 · nobody records when passengers are on board",
    "终端可用率": "数据库中没有逐日有无轨迹的记录 · the database holds no record by day of whether there was a track",
}
