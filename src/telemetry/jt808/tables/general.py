"""Replies, registration, attributes, upgrade, control of the terminal itself."""

from __future__ import annotations

from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.scalar.messages import REGISTRATION_TABLES
from telemetry.jt808.tables.composite import Either, Numbers, OneOf, When
from telemetry.jt808.tables.grammar import Bcd, Num, Raw, Table, Text
from telemetry.jt808.tables.message import NOTHING, Message, every, of_fields

V2011, V2013, V2019 = Version

QUERY_SERIAL = Num("serial", "应答流水号|serial of the message answered", 2)
_RESULTS = {0: "成功/确认|done", 1: "失败|failed", 2: "消息有误|bad message", 3: "不支持|not supported"}


def _general_reply(results: dict[int, str]) -> Table:
    return (
        QUERY_SERIAL,
        Num("id", "应答 ID|id of the message answered", 2),
        Num("result", "结果|result", 1, codes=results),
    )


_FIRST_SERIAL = Num("first_serial", "原始消息流水号|serial of the first package", 2)
_PACKAGES_BYTE = (_FIRST_SERIAL, Numbers("indexes", "重传包 ID 列表|packages to send again", 2, count=1))
_PACKAGES_WORD = (_FIRST_SERIAL, Numbers("indexes", "重传包 ID 列表|packages to send again", 2, count=2))
_RETRANSMIT = {
    V2013: (Either((_PACKAGES_BYTE, _PACKAGES_WORD)),),
    V2019: (Either((_PACKAGES_WORD, _PACKAGES_BYTE)),),
}

_REGISTRATION = {
    "province": "省域 ID|province, GB/T 2260",
    "city": "市县域 ID|city and county, GB/T 2260",
    "manufacturer": "制造商 ID|manufacturer",
    "model": "终端型号|model of the terminal",
    "device_id": "终端 ID|id of the terminal",
    "plate_color": "车牌颜色|colour of the plate, JT/T 415",
    "plate": "车辆标识|plate, or VIN where the colour is 0",
}
_CODE = Text("code", "鉴权码|authentication code")
_REGISTERED = (
    QUERY_SERIAL,
    Num(
        "result",
        "结果|result",
        1,
        codes={
            0: "成功|done",
            1: "车辆已被注册|the vehicle is registered already",
            2: "数据库中无该车辆|no such vehicle",
            3: "终端已被注册|the terminal is registered already",
            4: "数据库中无该终端|no such terminal",
        },
    ),
    When(OneOf("result", (0,)), (_CODE,)),
)
_AUTHENTICATION_2019 = (
    Text("code", "鉴权码内容|authentication code", prefix=1),
    Text("imei", "终端 IMEI|IMEI of the terminal", 15),
    Text("software", "软件版本号|software version", 20),
)

#: Bits of the kind of a terminal (0x0107).
_KINDS = {
    0: "适用客运车辆|coaches",
    1: "适用危险品车辆|dangerous goods",
    2: "适用普通货运车辆|freight",
    3: "适用出租车辆|taxis",
    6: "支持硬盘录像|records to a hard disk",
    7: "分体机|in several cases",
}
_KINDS_2019 = _KINDS | {8: "适用挂车|trailers"}
_GNSS = {
    0: "支持 GPS 定位|GPS",
    1: "支持北斗定位|BeiDou",
    2: "支持 GLONASS 定位|GLONASS",
    3: "支持 Galileo 定位|Galileo",
}
_RADIO = {
    0: "支持 GPRS 通信|GPRS",
    1: "支持 CDMA 通信|CDMA",
    2: "支持 TD-SCDMA 通信|TD-SCDMA",
    3: "支持 WCDMA 通信|WCDMA",
    4: "支持 CDMA2000 通信|CDMA2000",
    5: "支持 TD-LTE 通信|TD-LTE",
    7: "支持其他通信方式|others",
}


def _attributes(maker: int, model: int, device: int, kinds: dict[int, str]) -> Table:
    return (
        Num("kind", "终端类型|kind of terminal", 2, bits=kinds),
        Text("manufacturer", "制造商 ID|manufacturer", maker),
        Text("model", "终端型号|model of the terminal", model),
        Text("device_id", "终端 ID|id of the terminal", device),
        Bcd("iccid", "终端 SIM 卡 ICCID|ICCID of the SIM card", 10),
        Text("hardware", "终端硬件版本号|hardware version", prefix=1),
        Text("firmware", "终端固件版本号|firmware version", prefix=1),
        Num("gnss", "GNSS 模块属性|GNSS module", 1, bits=_GNSS),
        Num("radio", "通信模块属性|radio module", 1, bits=_RADIO),
    )


_UPGRADES = {
    0: "终端|terminal",
    12: "道路运输证 IC 卡读卡器|IC card reader",
    52: "北斗卫星定位模块|BeiDou module",
}


def _upgrade(maker: int) -> Table:
    return (
        Num("kind", "升级类型|what is upgraded", 1, codes=_UPGRADES),
        Text("manufacturer", "制造商 ID|manufacturer", maker),
        Text("version", "版本号|version", prefix=1),
        Raw("data", "升级数据包|upgrade data", prefix=4),
    )


_CONTROLS = {
    1: "无线升级|upgrade over the air",
    2: "控制终端连接指定服务器|connect to a named server",
    3: "终端关机|switch off",
    4: "终端复位|reset",
    5: "终端恢复出厂设置|factory settings",
    6: "关闭数据通信|close data communication",
    7: "关闭所有无线通信|close all radio",
}

MESSAGES = (
    Message(
        MessageId.TERMINAL_GENERAL_REPLY,
        "终端通用应答|reply of the terminal",
        every(_general_reply(_RESULTS)),
    ),
    Message(
        MessageId.PLATFORM_GENERAL_REPLY,
        "平台通用应答|reply of the platform",
        every(_general_reply(_RESULTS | {4: "报警处理确认|alarm confirmed"})),
    ),
    Message(MessageId.HEARTBEAT, "终端心跳|heartbeat", every(NOTHING)),
    Message(MessageId.LOGOUT, "终端注销|logout", every(NOTHING)),
    Message(MessageId.TIME_QUERY, "查询服务器时间请求|asks for the time", every(NOTHING)),
    Message(
        MessageId.TIME_REPLY,
        "查询服务器时间应答|tells the time",
        every((Bcd("time", "服务器时间（UTC）|time, in UTC", 6, "YYMMDDhhmmss"),)),
    ),
    Message(MessageId.PLATFORM_RETRANSMIT_REQUEST, "服务器补传分包请求|asks for packages again", _RETRANSMIT),
    Message(MessageId.TERMINAL_RETRANSMIT_REQUEST, "终端补传分包请求|asks for packages again", _RETRANSMIT),
    Message(
        MessageId.REGISTER,
        "终端注册|registration",
        {edition: of_fields(table, _REGISTRATION) for edition, table in REGISTRATION_TABLES.items()},
    ),
    Message(MessageId.REGISTRATION_REPLY, "终端注册应答|reply to a registration", every(_REGISTERED)),
    Message(
        MessageId.AUTHENTICATE,
        "终端鉴权|authentication",
        {V2011: (_CODE,), V2013: (_CODE,), V2019: _AUTHENTICATION_2019},
    ),
    Message(
        MessageId.TERMINAL_CONTROL,
        "终端控制|control of the terminal",
        every(
            (
                Num("command", "命令字|command", 1, codes=_CONTROLS),
                Text("parameters", "命令参数|parameters, separated by semicolons", default=""),
            )
        ),
    ),
    Message(MessageId.QUERY_ATTRIBUTES, "查询终端属性|asks for attributes", every(NOTHING)),
    Message(
        MessageId.ATTRIBUTES_REPLY,
        "查询终端属性应答|attributes",
        {
            V2013: _attributes(5, 20, 7, _KINDS),
            # The standard has 5 bytes for the manufacturer, 11 at the registration (8.8): terminals send both.
            V2019: (Either((_attributes(5, 30, 30, _KINDS_2019), _attributes(11, 30, 30, _KINDS_2019))),),
        },
    ),
    Message(MessageId.UPGRADE, "下发终端升级包|upgrade", {V2013: _upgrade(5), V2019: _upgrade(5)}),
    Message(
        MessageId.UPGRADE_RESULT,
        "终端升级结果通知|result of an upgrade",
        every(
            (
                Num("kind", "升级类型|what is upgraded", 1, codes=_UPGRADES),
                Num(
                    "result",
                    "升级结果|result",
                    1,
                    codes={0: "成功|done", 1: "失败|failed", 2: "取消|cancelled"},
                ),
            )
        ),
    ),
    Message(MessageId.LINK_TEST, "链路检测|test of the link", every(NOTHING)),
)
