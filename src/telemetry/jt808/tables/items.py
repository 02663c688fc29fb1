"""Additional items of a position (2019 tables 27 to 33) in words. Their layouts are those of ``scalar.items``."""

from __future__ import annotations

from typing import Final

from telemetry.jt808.scalar.fields import Field, Kind, decode_field, fixed_width
from telemetry.jt808.scalar.items import ITEMS as KNOWN
from telemetry.jt808.tables.grammar import Num, Raw, Value

_LABELS: Final = {
    0x01: "里程|odometer",
    0x02: "油量|fuel",
    0x03: "行驶记录功能获取的速度|speed of the driving recorder",
    0x04: "需要人工确认报警事件的 ID|event to confirm",
    0x05: "胎压|tyre pressure",
    0x06: "车厢温度|temperature of the compartment",
    0x11: "超速报警附加信息|overspeed",
    0x12: "进出区域/路线报警附加信息|area or route entered or left",
    0x13: "路段行驶时间不足/过长报警附加信息|time on a segment",
    0x14: "视频相关报警（JT/T 1078）|video alarms (JT/T 1078)",
    0x15: "视频信号丢失状态（JT/T 1078）|video signal lost (JT/T 1078)",
    0x16: "视频信号遮挡状态（JT/T 1078）|video covered (JT/T 1078)",
    0x17: "存储器故障状态（JT/T 1078）|storage fails (JT/T 1078)",
    0x18: "异常驾驶行为（JT/T 1078）|abnormal driving (JT/T 1078)",
    0x25: "扩展车辆信号状态|vehicle signals",
    0x2A: "IO 状态|IO",
    0x2B: "模拟量|analog inputs",
    0x30: "无线通信网络信号强度|radio signal",
    0x31: "GNSS 定位卫星数|satellites",
    0x64: "高级驾驶辅助系统报警（苏标）|ADAS alarm (Su-biao)",
    0x65: "驾驶员状态监测系统报警（苏标）|driver monitoring alarm (Su-biao)",
    0x66: "胎压监测系统报警（苏标）|tyre pressure alarm (Su-biao)",
    0x67: "盲区监测系统报警（苏标）|blind spot alarm (Su-biao)",
    0xE0: "后续自定义信息长度|length of what follows",
}
_FIELDS: Final = {
    "area_type": "位置类型|place",
    "area_id": "区域或路段 ID|id of the area or segment",
    "direction": "方向|direction",
    "segment_id": "路段 ID|id of the segment",
    "time": "路段行驶时间|time on the segment",
    "result": "结果|result",
    "kinds": "行为类型|kinds",
    "fatigue": "疲劳程度|degree of fatigue",
    "ad0": "AD0",
    "ad1": "AD1",
}
_CODES: Final = {
    "area_type": {
        0: "无特定位置|nowhere special",
        1: "圆形区域|circle",
        2: "矩形区域|rectangle",
        3: "多边形区域|polygon",
        4: "路段|segment of a route",
    },
    "direction": {0: "进|entered", 1: "出|left"},
    "result": {0: "不足|too short", 1: "过长|too long"},
}
#: 2019 table 31.
_SIGNALS: Final = {
    0: "近光灯|low beam", 1: "远光灯|high beam", 2: "右转向灯|right indicator", 3: "左转向灯|left indicator", 4: "制动|brake",
    5: "倒挡|reverse", 6: "雾灯|fog light", 7: "示廓灯|side lights", 8: "喇叭|horn", 9: "空调|air conditioning", 10: "空挡|neutral",
    11: "缓速器工作|retarder", 12: "ABS 工作|ABS", 13: "加热器工作|heater", 14: "离合器状态|clutch",
}  # fmt: skip
_BITS: Final = {
    "vehicle_signals": _SIGNALS,
    "io_status": {0: "深度休眠|deep sleep", 1: "休眠|sleep"},
    "kinds": {0: "疲劳|fatigue", 1: "打电话|phone", 2: "抽烟|smoking"},
}
_BY_ID = {item.id: item for item in KNOWN}


def item_label(identity: int) -> str:
    """What an item is."""
    if identity in _LABELS:
        return _LABELS[identity]
    if identity >= 0xE1:
        return "厂商自定义|of the maker"
    return "标准没有的附加信息|not in the standard"


def item_fields(identity: int, raw: bytes) -> list[tuple[Num | Raw, bytes, Value]] | None:
    """The fields of an item with the bytes and the value of each (None: the terminal says that it has none); None where the item is
    unknown or has a length that it should not have."""
    item = _BY_ID.get(identity)
    for layout in item.layouts if item else ():
        if fixed_width(layout) == len(raw) or layout[0].width == 0:
            return _fields(layout, raw, item_label(identity))
    return None


def item_lengths(identity: int) -> list[int]:
    """The lengths that a known item may have."""
    item = _BY_ID.get(identity)
    return [fixed_width(layout) for layout in item.layouts] if item else []


def _fields(layout: tuple[Field, ...], raw: bytes, label: str) -> list[tuple[Num | Raw, bytes, Value]]:
    found: list[tuple[Num | Raw, bytes, Value]] = []
    at = 0
    for each in layout:
        part = raw[at : at + each.width] if each.width else raw
        at += each.width
        named = label if len(layout) == 1 else _FIELDS.get(each.name, each.name)
        element: Num | Raw
        if each.kind is Kind.BYTES:
            element = Raw(each.name, named, len(part))
        else:
            codes, bits = _CODES.get(each.name), _BITS.get(each.name)
            element = Num(each.name, named, each.width, each.unit, each.scale, codes=codes, bits=bits)
        found.append((element, part, decode_field(each, part)))
    return found
