"""Positions and what is asked and told about them (the server itself reads positions as columns: ``columns.location``)."""

from __future__ import annotations

from typing import Final

from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.composite import OneOf, Optional, Rows, When
from telemetry.jt808.tables.general import QUERY_SERIAL
from telemetry.jt808.tables.grammar import Bcd, Num, Raw, Table, time
from telemetry.jt808.tables.message import NOTHING, Message, every

V2011, V2013, V2019 = Version

#: Alarms (2019 table 24), by bit.
ALARM_BITS: Final = {
    0: "紧急报警|emergency",
    1: "超速报警|overspeed",
    2: "疲劳驾驶报警|fatigue",
    3: "危险预警|danger",
    4: "GNSS 模块故障|GNSS module fails",
    5: "GNSS 天线未接或被剪断|GNSS antenna missing or cut",
    6: "GNSS 天线短路|GNSS antenna shorted",
    7: "终端主电源欠压|main power low",
    8: "终端主电源掉电|main power lost",
    9: "终端 LCD 或显示器故障|display fails",
    10: "TTS 模块故障|TTS module fails",
    11: "摄像头故障|camera fails",
    12: "道路运输证 IC 卡模块故障|IC card module fails",
    13: "超速预警|overspeed is near",
    14: "疲劳驾驶预警|fatigue is near",
    15: "违规行驶报警|driving at a forbidden time",
    16: "胎压预警|tyre pressure",
    17: "右转盲区异常报警|blind spot on the right",
    18: "当天累计驾驶超时|driven too long today",
    19: "超时停车|parked too long",
    20: "进出区域|area entered or left",
    21: "进出路线|route entered or left",
    22: "路段行驶时间不足/过长|segment driven too quickly or too slowly",
    23: "路线偏离报警|off the route",
    24: "车辆 VSS 故障|speed sensor fails",
    25: "车辆油量异常|fuel abnormal",
    26: "车辆被盗|stolen",
    27: "车辆非法点火|illegal ignition",
    28: "车辆非法位移|illegal movement",
    29: "碰撞侧翻报警|collision",
    30: "侧翻预警|rollover is near",
    31: "非法开门报警|illegal opening of a door",
}
#: Status (2019 table 25), by bit: what it says when set. Bits 8 and 9 together are the load.
STATUS_BITS: Final = {
    0: "ACC 开|ACC on",
    1: "已定位|positioned",
    2: "南纬|south",
    3: "西经|west",
    4: "停运状态|out of service",
    5: "经纬度已加密|coordinates encrypted",
    6: "紧急刹车系统前撞预警|AEB warns",
    7: "车道偏移预警|lane departure",
    8: "载重位 0|load, low bit",
    9: "载重位 1|load, high bit",
    10: "油路断开|fuel cut",
    11: "电路断开|circuit cut",
    12: "车门加锁|doors locked",
    13: "门 1（前门）开|door 1 (front) open",
    14: "门 2（中门）开|door 2 (middle) open",
    15: "门 3（后门）开|door 3 (rear) open",
    16: "门 4（驾驶席门）开|door 4 (driver) open",
    17: "门 5（自定义）开|door 5 open",
    18: "使用 GPS 定位|uses GPS",
    19: "使用北斗定位|uses BeiDou",
    20: "使用 GLONASS 定位|uses GLONASS",
    21: "使用 Galileo 定位|uses Galileo",
    22: "车辆行驶中|moving",
}

#: The 28 bytes of ``report.BASIC_TABLE``, with the same names and units. South and west are status bits.
BASIC: Final[Table] = (
    Num("alarm", "报警标志|alarms", 4, bits=ALARM_BITS),
    Num("status", "状态|status", 4, bits=STATUS_BITS),
    Num("lat_e6", "纬度|latitude", 4, "°", 1e-6),
    Num("lon_e6", "经度|longitude", 4, "°", 1e-6),
    Num("altitude_m", "高程|altitude", 2, "m", signed=True),
    Num("speed_dkmh", "速度|speed", 2, "km/h", 0.1),
    Num("direction_deg", "方向|direction", 2, "°"),
    time("time", "时间|time"),
)
ITEMS: Final = Rows(
    "items",
    "位置附加信息项|additional items",
    (
        Num("id", "附加信息 ID|id of the item", 1),
        Raw("value", "附加信息|value", prefix=1),
    ),
    count=0,
    lenient=True,
    may_lack=True,
)
REPORT: Final[Table] = (*BASIC, ITEMS)

#: Alarms that a person may confirm (0x8203).
_CONFIRMED = {
    0: "确认紧急报警|emergency",
    3: "确认危险预警|danger",
    20: "确认进出区域报警|area entered or left",
    21: "确认进出路线报警|route entered or left",
    22: "确认路段行驶时间不足/过长报警|time on a segment",
    27: "确认车辆非法点火报警|illegal ignition",
    28: "确认车辆非法位移报警|illegal movement",
}

MESSAGES = (
    Message(MessageId.LOCATION, "位置信息汇报|position", every(REPORT)),
    Message(MessageId.LOCATION_QUERY, "位置信息查询|asks for the position", every(NOTHING)),
    Message(
        MessageId.LOCATION_QUERY_REPLY,
        "位置信息查询应答|position asked for",
        {V2011: REPORT, V2013: (QUERY_SERIAL, *REPORT), V2019: (QUERY_SERIAL, *REPORT)},
    ),
    Message(
        MessageId.TRACKING,
        "临时位置跟踪控制|positions more often for a time",
        every(
            (
                Num("interval", "时间间隔（0 停止跟踪）|every, 0 stops", 2, "s"),
                When(OneOf("interval", (0,)), (Optional((Num("validity", "位置跟踪有效期|for", 4, "s"),)),)),
                When(OneOf("interval", (0,), but=True), (Num("validity", "位置跟踪有效期|for", 4, "s"),)),
            )
        ),
    ),
    Message(
        MessageId.CONFIRM_ALARM,
        "人工确认报警消息|confirms alarms",
        every(
            (
                Num(
                    "serial",
                    "报警消息流水号（0 表示该类型所有）|serial of the alarm, 0 = all of the kinds",
                    2,
                ),
                Num("alarm", "人工确认报警类型|kinds", 4, bits=_CONFIRMED),
            )
        ),
    ),
    Message(
        MessageId.LOCATION_BATCH,
        "定位数据批量上传|positions in a batch",
        every(
            (
                Num("count", "数据项个数|positions", 2, count_of="positions"),
                Num(
                    "kind",
                    "位置数据类型|kind",
                    1,
                    codes={0: "正常位置批量汇报|as usual", 1: "盲区补报|recorded without network"},
                ),
                Rows("positions", "位置汇报数据项|positions", REPORT, count=0, sized=2, lenient=True),
            )
        ),
    ),
    Message(
        MessageId.CAN_DATA,
        "CAN 总线数据上传|CAN data",
        every(
            (
                Num("count", "数据项个数|items", 2, count_of="items"),
                Bcd("time", "CAN 总线数据接收时间|time of the first", 5, "hhmmssmsms"),
                Rows(
                    "items",
                    "CAN 总线数据项|items",
                    (
                        Num(
                            "can_id",
                            "CAN ID（位 31 通道，30 扩展帧，29 平均值）|id; bit 31 channel, 30 extended, 29 mean",
                            4,
                        ),
                        Raw("data", "CAN 数据|data", 8),
                    ),
                    count=0,
                ),
            )
        ),
    ),
)
