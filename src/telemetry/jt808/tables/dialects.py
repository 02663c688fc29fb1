"""What makers and other standards put into places that JT/T 808 leaves to them, and what they do otherwise than it says, one
``Dialect`` each.

A dialect is chosen by manufacturer and model, where it names some, and by its content: a table that does not read a value to its last byte
does not fit it, and the value stays bytes. A new one is one entry in ``DIALECTS``, or in the file of the office
(``telemetry.terminals.dialect_file``). What it says of clock, datum and units (``Deviation``) is obeyed where positions are read, by
dated corrections (``telemetry.terminals.dialect_corrections``); never in the codec: what was received stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from telemetry.jt808.tables.composite import Rows
from telemetry.jt808.tables.grammar import Broken, Cursor, Num, Part, Raw, Table, Text, read_table, time


@dataclass(frozen=True, slots=True)
class Deviation:
    """What a make of terminals does otherwise, None: as the standard says. ``shift_s``: seconds to add to its times (28800 where UTC is
    written as GMT+8); ``datum``: what its coordinates are in (gcj02, bd09); ``odometer_unit_m``, ``fuel_unit_ml``: metres and
    millilitres of one unit of the items 0x01 and 0x02, by the standard 100; 0 = the item is something else."""

    shift_s: int | None = None
    datum: str | None = None
    odometer_unit_m: int | None = None
    fuel_unit_ml: int | None = None

    @property
    def nothing(self) -> bool:
        return self == Deviation()


@dataclass(frozen=True, slots=True)
class Dialect:
    """``label``: whose it is, Chinese|English. ``items``: tables of additional items of a position (0x0200), by id. ``manufacturers`` and
    ``models``: as terminals name themselves at registration, a model by how it begins; empty = of any. ``deviation``: obeyed where both
    that it names are known."""

    label: str
    items: Mapping[int, Table] = field(hash=False, default_factory=dict)
    manufacturers: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    deviation: Deviation = Deviation()

    def is_of(self, manufacturer: str, model: str) -> bool:
        """Whether a terminal may speak it; one of which nothing is known ("") may."""
        maker = not self.manufacturers or not manufacturer or manufacturer in self.manufacturers
        return maker and (not self.models or not model or model.startswith(self.models))

    def is_surely_of(self, manufacturer: str, model: str) -> bool:
        """Whether a terminal speaks it, by what is known of it: what accuses or clears somebody is not guessed."""
        maker = not self.manufacturers or manufacturer in self.manufacturers
        return maker and (not self.models or model.startswith(self.models))


# --- Su-biao: T/JSATL 12-2017, alarms of driver assistance ---------------------------------------------------

_STATES = {0: "不可用|not available", 1: "开始|begins", 2: "结束|ends"}
_VEHICLE = {
    0: "ACC 打开|ACC on",
    1: "左转向|left indicator",
    2: "右转向|right indicator",
    3: "雨刮器打开|wipers",
    4: "制动|brake",
    5: "已插卡|card is in",
    10: "已定位|positioned",
}
_BEGIN: Table = (
    Num("alarm_id", "报警 ID|id of the alarm", 4),
    Num("state", "标志状态|state", 1, codes=_STATES),
)
_PLACE: Table = (
    Num("speed_kmh", "车速|speed", 1, "km/h"),
    Num("altitude_m", "高程|altitude", 2, "m"),
    Num("lat_e6", "纬度|latitude", 4, "°", 1e-6),
    Num("lon_e6", "经度|longitude", 4, "°", 1e-6),
    time("time", "日期时间|time"),
    Num("vehicle", "车辆状态|vehicle", 2, bits=_VEHICLE),
    Text("device_id", "报警标识号：终端 ID|mark of the alarm: terminal", 7),
    time("mark_time", "报警标识号：时间|mark of the alarm: time"),
    Num("number", "报警标识号：序号|mark of the alarm: number", 1),
    Num("files", "报警标识号：附件数量|mark of the alarm: files", 1),
    Raw("reserved", "报警标识号：预留|mark of the alarm: reserved", 1),
)
_ADAS = {
    1: "前向碰撞|forward collision",
    2: "车道偏离|lane departure",
    3: "车距过近|too close",
    4: "行人碰撞|pedestrian",
    5: "频繁变道|frequent lane changes",
    6: "道路标识超限|beyond a road sign",
    7: "障碍物|obstacle",
    16: "道路标志识别事件|road sign seen",
    17: "主动抓拍事件|picture taken",
}
_DSM = {
    1: "疲劳驾驶|fatigue",
    2: "接打电话|phone",
    3: "抽烟|smoking",
    4: "分神驾驶|distracted",
    5: "驾驶员异常|driver abnormal",
    16: "自动抓拍事件|picture taken",
    17: "驾驶员变更事件|another driver",
}
_BSD = {1: "后方接近|near behind", 2: "左侧后方接近|near behind left", 3: "右侧后方接近|near behind right"}
_TYRE = {
    0: "胎压（定时上报）|pressure, by time",
    1: "胎压过高|pressure too high",
    2: "胎压过低|pressure too low",
    3: "胎温过高|too hot",
    4: "传感器异常|sensor fails",
    5: "胎压不平衡|unbalanced",
    6: "慢漏气|slow leak",
    7: "电池电量低|battery low",
}
_LEVEL = Num("level", "报警级别|level", 1)
_TYRES = Rows(
    "tyres",
    "轮胎|tyres",
    (
        Num("position", "轮胎位置编号|number of the tyre", 1),
        Num("kind", "报警/事件类型|kind", 2, bits=_TYRE),
        Num("pressure", "胎压|pressure", 2, "kPa"),
        Num("temperature", "胎温|temperature", 2, "°C"),
        Num("battery", "电池电量|battery", 2, "%"),
    ),
)
SU_BIAO: Final = Dialect(
    "苏标 T/JSATL 12-2017|Su-biao T/JSATL 12-2017",
    {
        0x64: (
            *_BEGIN,
            Num("kind", "报警/事件类型|kind", 1, codes=_ADAS),
            _LEVEL,
            Num("front_kmh", "前车车速|speed of the vehicle in front", 1, "km/h"),
            Num("distance", "前车/行人距离|distance to it or to a pedestrian", 1, "s", 0.1),
            Num("departure", "偏离类型|departure", 1, codes={0: "-", 1: "左侧|left", 2: "右侧|right"}),
            Num(
                "sign",
                "道路标志识别类型|road sign",
                1,
                codes={0: "-", 1: "限速|speed", 2: "限高|height", 3: "限重|weight"},
            ),
            Num("sign_value", "道路标志识别数据|value of the sign", 1),
            *_PLACE,
        ),
        0x65: (
            *_BEGIN,
            Num("kind", "报警/事件类型|kind", 1, codes=_DSM),
            _LEVEL,
            Num("fatigue", "疲劳程度|degree of fatigue", 1),
            Raw("before", "预留|reserved", 4),
            *_PLACE,
        ),
        0x66: (*_BEGIN, *_PLACE, _TYRES),
        0x67: (*_BEGIN, Num("kind", "报警/事件类型|kind", 1, codes=_BSD), *_PLACE),
    },
)

DIALECTS: Final = (SU_BIAO,)


def item_parts(
    identity: int, value: bytes, manufacturer: str = "", model: str = ""
) -> tuple[str, list[Part]] | None:
    """The fields of an additional item by the first dialect that reads it to its last byte, with the dialect's label; None where none
    does."""
    for dialect in DIALECTS:
        table = dialect.items.get(identity)
        if table is None or not dialect.is_of(manufacturer, model):
            continue
        cursor = Cursor(value, len(value), parts=[])
        try:
            read_table(table, cursor)
        except Broken:
            continue
        if not cursor.left:
            return dialect.label, cursor.parts or []
    return None
