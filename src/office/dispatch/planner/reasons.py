"""Why a vehicle, with its driver, cannot be sent for a request: the hard constraints H1-H12, as bits. None of them is ever weighed."""

from __future__ import annotations

from enum import IntFlag
from typing import Final


class Why(IntFlag):
    """What is in the way; none = it can be sent."""

    CATEGORY = 1 << 0
    SHARING = 1 << 1
    SECRECY = 1 << 2
    SEATS = 1 << 3
    OFF_ROAD = 1 << 4
    LICENCE = 1 << 5
    TAKEN = 1 << 6
    CANNOT_ARRIVE = 1 << 7
    NEXT_TOO_SOON = 1 << 8
    NO_DRIVER = 1 << 9
    DRIVER_OFF = 1 << 10
    DRIVER_TAKEN = 1 << 11
    DRIVER_REST = 1 << 12
    DRIVER_DAY = 1 << 13
    SEALED = 1 << 14
    NOT_IN_USE = 1 << 15
    REPAIR = 1 << 16
    PAPERS = 1 << 17
    RANGE = 1 << 18
    TAIL_NUMBER = 1 << 19
    FROZEN = 1 << 20
    RESERVE = 1 << 21
    NOT_APPROVED = 1 << 22
    DRIVER_DECIDED = 1 << 23
    POOLING = 1 << 24
    DRIVER_LEAVE = 1 << 25


#: Of each its constraint in the specification, and what people read.
TEXTS: Final[dict[Why, tuple[str, str]]] = {
    Why.CATEGORY: ("H1", "车辆类别不适用于本次用车类别 · vehicles of this class do not serve this category"),
    Why.SHARING: ("H1", "车辆不在本平台共享范围内 · not shared with this pool"),
    Why.SECRECY: ("H1", "涉密用车与车辆的保密要求不符 · secrecy of the trip and of the vehicle do not fit"),
    Why.SEATS: ("H2", "座位不够 · not enough seats"),
    Why.OFF_ROAD: ("H2", "不是越野车 · no off-road vehicle"),
    Why.LICENCE: ("H2", "驾驶员的准驾车型不符，或驾驶证届时已过期 · the driver's licence does not cover it"),
    Why.TAKEN: ("H3", "该时段已派车 · it is sent elsewhere then"),
    Why.CANNOT_ARRIVE: ("H3", "上一任务结束后赶不到上车点（含整备时间） · it cannot get there in time after what it does before"),
    Why.NEXT_TOO_SOON: ("H3", "返回后赶不上下一任务（含整备时间） · it would be late for what it does next"),
    Why.NO_DRIVER: ("H4", "没有可派的驾驶员 · no driver can be sent"),
    Why.DRIVER_OFF: ("H4", "驾驶员届时不当班 · the driver is off duty"),
    Why.DRIVER_TAKEN: ("H4", "驾驶员届时有其他任务 · the driver is elsewhere"),
    Why.DRIVER_REST: ("H4", "连续驾驶将超过 4 小时而没有 20 分钟休息 · more than four hours of driving without a rest of 20 minutes"),
    Why.DRIVER_DAY: ("H4", "超过驾驶员一日驾驶时间上限 · more than a driver may drive in a day"),
    Why.SEALED: ("H5", "车辆封存 · it is sealed"),
    Why.NOT_IN_USE: ("H5", "车辆届时尚未启用或已处置 · not in use yet, or not any more"),
    Why.REPAIR: ("H5", "车辆在修 · it is being repaired"),
    Why.PAPERS: ("H5", "年检、保险或保养到期 · inspection, insurance or service is over"),
    Why.RANGE: ("H6", "续航不足：用车后剩余将低于 15% · less than 15 % would be left of its range"),
    Why.TAIL_NUMBER: ("H7", "尾号限行 · its plate may not drive on that day"),
    Why.FROZEN: ("H8", "已接单且即将出车，不能改动 · accepted and about to leave"),
    Why.RESERVE: ("H9", "须留作应急或机要值班车 · kept in for emergencies or confidential trips"),
    Why.NOT_APPROVED: ("H10", "申请未经批准，或已失效 · not approved, or not any more"),
    Why.DRIVER_DECIDED: ("H11", "驾驶员审批过本申请 · the driver decided on this request"),
    Why.DRIVER_LEAVE: ("H4", "驾驶员届时请假 · the driver is on leave"),
    Why.POOLING: ("H12", "不能合乘：绕行超过 20% 或 10 分钟，或有一方不同意、涉密、应急 · cannot be pooled"),
}  # fmt: skip


def reasons_of(bits: int) -> list[dict[str, str]]:
    """{constraint, code, text} of each bit, in their order."""
    return [
        {"constraint": TEXTS[why][0], "code": str(why.name).lower(), "text": TEXTS[why][1]}
        for why in Why
        if bits & why
    ]
