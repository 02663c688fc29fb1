"""Parameters of a terminal (0x8103, 0x104): what each id means, and of which type and unit its value is, in each edition.

2011 table 11, 2013 table 12, 2019 table 13; those of video from JT/T 1078. What is not here (0xF000-0xFFFF are the makers') stays bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.composite import Typing
from telemetry.jt808.tables.grammar import Num, Raw, Text
from telemetry.jt808.tables.position import ALARM_BITS

V2011, V2013, V2019 = Version


def _dword(label: str, unit: str = "", scale: float = 1, codes: Mapping[int, str] | None = None) -> Num:
    return Num("value", label, 4, unit, scale, codes=codes)


def _word(label: str, unit: str = "", scale: float = 1) -> Num:
    return Num("value", label, 2, unit, scale)


def _byte(label: str, codes: Mapping[int, str] | None = None, bits: Mapping[int, str] | None = None) -> Num:
    return Num("value", label, 1, codes=codes, bits=bits)


def _text(label: str) -> Text:
    return Text("value", label)


def _alarms(label: str) -> Num:
    return Num("value", label, 4, bits=ALARM_BITS)


_PICTURES_BY_TIME = {
    **{k: f"摄像通道 {k + 1} 定时拍照|camera {k + 1} takes pictures by time" for k in range(5)},
    **{
        8 + k: f"摄像通道 {k + 1} 定时拍照上传，否则存储|camera {k + 1} sends them, else keeps them"
        for k in range(5)
    },
    16: "定时单位：分，否则秒|the interval is in minutes, else seconds",
    **{17 + k: f"间隔位 {k}|interval, bit {k}" for k in range(15)},
}
_PICTURES_BY_WAY = {
    **{k: f"摄像通道 {k + 1} 定距拍照|camera {k + 1} takes pictures by distance" for k in range(5)},
    **{
        8 + k: f"摄像通道 {k + 1} 定距拍照上传，否则存储|camera {k + 1} sends them, else keeps them"
        for k in range(5)
    },
    16: "定距单位：公里，否则米|the distance is in km, else m",
    **{17 + k: f"间隔位 {k}|interval, bit {k}" for k in range(15)},
}
_ANSWERS = {0: "自动接听|answers by itself", 1: "ACC ON 时自动接听，OFF 时手动|by itself while ACC is on"}
PLATE_COLORS: Final = {
    0: "未上牌|no plate yet", 1: "蓝|blue", 2: "黄|yellow", 3: "黑|black", 4: "白|white", 5: "绿|green", 9: "其他|other",
}  # fmt: skip
_GNSS = {
    0: "GPS 定位|GPS", 1: "北斗定位|BeiDou", 2: "GLONASS 定位|GLONASS", 3: "Galileo 定位|Galileo",
}  # fmt: skip
_BAUD = {0: "4800", 1: "9600", 2: "19200", 3: "38400", 4: "57600", 5: "115200"}
_OUTPUT = {0: "500 ms", 1: "1000 ms", 2: "2000 ms", 3: "3000 ms", 4: "4000 ms"}
_UPLOADS = {
    0x00: "本地存储，不上传|kept in the terminal only",
    0x01: "按时间间隔上传|by time",
    0x02: "按距离间隔上传|by distance",
    0x0B: "按累计时间上传|after a time has gathered",
    0x0C: "按累计距离上传|after a distance has gathered",
    0x0D: "按累计条数上传|after a number has gathered",
}

#: What all three editions have.
_COMMON: dict[int, Typing] = {
    0x01: _dword("终端心跳发送间隔|heartbeat every", "s"),
    0x02: _dword("TCP 消息应答超时时间|TCP: reply within", "s"),
    0x03: _dword("TCP 消息重传次数|TCP: sent again, times"),
    0x04: _dword("UDP 消息应答超时时间|UDP: reply within", "s"),
    0x05: _dword("UDP 消息重传次数|UDP: sent again, times"),
    0x06: _dword("SMS 消息应答超时时间|SMS: reply within", "s"),
    0x07: _dword("SMS 消息重传次数|SMS: sent again, times"),
    0x10: _text("主服务器 APN|main server: APN"),
    0x11: _text("主服务器无线通信拨号用户名|main server: user of the radio network"),
    0x12: _text("主服务器无线通信拨号密码|main server: password of the radio network"),
    0x13: _text("主服务器地址|main server: address"),
    0x14: _text("备份服务器 APN|backup server: APN"),
    0x15: _text("备份服务器无线通信拨号用户名|backup server: user of the radio network"),
    0x16: _text("备份服务器无线通信拨号密码|backup server: password of the radio network"),
    0x17: _text("备份服务器地址|backup server: address"),
    0x20: _dword(
        "位置汇报策略|positions are sent",
        codes={0: "定时汇报|by time", 1: "定距汇报|by distance", 2: "定时和定距汇报|by both"},
    ),
    0x21: _dword(
        "位置汇报方案|depending on",
        codes={0: "根据 ACC 状态|ACC", 1: "根据登录状态和 ACC 状态|login, then ACC"},
    ),
    0x22: _dword("驾驶员未登录汇报时间间隔|positions while no driver is logged in, every", "s"),
    0x27: _dword("休眠时汇报时间间隔|positions while asleep, every", "s"),
    0x28: _dword("紧急报警时汇报时间间隔|positions in an emergency, every", "s"),
    0x29: _dword("缺省时间汇报间隔|positions, every", "s"),
    0x2C: _dword("缺省距离汇报间隔|positions, every", "m"),
    0x2D: _dword("驾驶员未登录汇报距离间隔|positions while no driver is logged in, every", "m"),
    0x2E: _dword("休眠时汇报距离间隔|positions while asleep, every", "m"),
    0x2F: _dword("紧急报警时汇报距离间隔|positions in an emergency, every", "m"),
    0x30: _dword("拐点补传角度|a turn of more than this is sent too", "°"),
    0x40: _text("监控平台电话号码|phone of the platform"),
    0x41: _text("复位电话号码|phone that resets"),
    0x42: _text("恢复出厂设置电话号码|phone that sets back to factory settings"),
    0x43: _text("监控平台 SMS 电话号码|SMS number of the platform"),
    0x44: _text("接收终端 SMS 文本报警号码|SMS number for alarms"),
    0x45: _dword("终端电话接听策略|calls are answered", codes=_ANSWERS),
    0x46: _dword("每次最长通话时间|a call takes at most", "s"),
    0x47: _dword("当月最长通话时间|calls of a month take at most", "s"),
    0x48: _text("监听电话号码|phone that listens in"),
    0x49: _text("监管平台特权短信号码|SMS number with privileges"),
    0x50: _alarms("报警屏蔽字|alarms that are suppressed"),
    0x51: _alarms("报警发送文本 SMS 开关|alarms that send an SMS"),
    0x52: _alarms("报警拍摄开关|alarms that take a picture"),
    0x53: _alarms("报警拍摄存储标志|alarms whose picture is kept"),
    0x54: _alarms("关键标志|alarms that are key alarms"),
    0x55: _dword("最高速度|highest speed", "km/h"),
    0x56: _dword("超速持续时间|overspeed for", "s"),
    0x57: _dword("连续驾驶时间门限|driving without a break for", "s"),
    0x58: _dword("当天累计驾驶时间门限|driving in a day for", "s"),
    0x59: _dword("最小休息时间|shortest break", "s"),
    0x5A: _dword("最长停车时间|longest parking", "s"),
    0x70: _dword("图像/视频质量（1 最好）|quality of pictures, 1 is best"),
    0x71: _dword("亮度|brightness"),
    0x72: _dword("对比度|contrast"),
    0x73: _dword("饱和度|saturation"),
    0x74: _dword("色度|chroma"),
    0x80: _dword("车辆里程表读数|odometer", "km", 0.1),
    0x83: _text("机动车号牌|plate"),
}
_PORTS: dict[int, Typing] = {
    0x18: _dword("服务器 TCP 端口|TCP port of the server"),
    0x19: _dword("服务器 UDP 端口|UDP port of the server"),
}
#: 2011 has a DWORD for each of them (and for the plate, which cannot be).
_VEHICLE_2011: dict[int, Typing] = {
    0x81: _dword("车辆所在的省域 ID|province"),
    0x82: _dword("车辆所在的市域 ID|city"),
    0x84: _dword("车牌颜色|colour of the plate", codes=PLATE_COLORS),
}
#: What 2013 brought.
_SINCE_2013: dict[int, Typing] = {
    0x1A: _text("道路运输证 IC 卡认证主服务器地址|IC card server: address"),
    0x1B: _dword("道路运输证 IC 卡认证主服务器 TCP 端口|IC card server: TCP port"),
    0x1C: _dword("道路运输证 IC 卡认证主服务器 UDP 端口|IC card server: UDP port"),
    0x1D: _text("道路运输证 IC 卡认证备份服务器地址|IC card backup server: address"),
    0x31: _word("电子围栏半径（非法位移阈值）|illegal movement beyond", "m"),
    0x81: _word("车辆所在的省域 ID|province"),
    0x82: _word("车辆所在的市域 ID|city"),
    0x84: _byte("车牌颜色|colour of the plate", PLATE_COLORS),
    0x5B: _word("超速报警预警差值|overspeed is announced below the limit by", "km/h", 0.1),
    0x5C: _word("疲劳驾驶预警差值|fatigue is announced before the limit by", "s"),
    0x5D: Num("value", "碰撞报警参数|collision alarm: bits 0-7 time in 4 ms, 8-15 acceleration in 0.1 g", 2),
    0x5E: _word("侧翻报警参数|rollover beyond", "°"),
    0x64: Num("value", "定时拍照控制|pictures by time", 4, bits=_PICTURES_BY_TIME),
    0x65: Num("value", "定距拍照控制|pictures by distance", 4, bits=_PICTURES_BY_WAY),
    0x90: _byte("GNSS 定位模式|satellites used", bits=_GNSS),
    0x91: _byte("GNSS 波特率|baud rate of the GNSS module", _BAUD),
    0x92: _byte("GNSS 模块详细定位数据输出频率|detailed GNSS data, every", _OUTPUT),
    0x93: _dword("GNSS 模块详细定位数据采集频率|detailed GNSS data are taken, every", "s"),
    0x94: _byte("GNSS 模块详细定位数据上传方式|detailed GNSS data are sent", _UPLOADS),
    0x95: _dword("GNSS 模块详细定位数据上传设置|unit s, m or a number, as 0x94 says"),
    0x100: _dword("CAN 总线通道 1 采集时间间隔|CAN 1 is read, every", "ms"),
    0x101: _word("CAN 总线通道 1 上传时间间隔|CAN 1 is sent, every", "s"),
    0x102: _dword("CAN 总线通道 2 采集时间间隔|CAN 2 is read, every", "ms"),
    0x103: _word("CAN 总线通道 2 上传时间间隔|CAN 2 is sent, every", "s"),
    **{
        number: Raw("value", "CAN 总线 ID 单独采集设置|one CAN id read apart", 8)
        for number in range(0x110, 0x200)
    },
}
#: What 2019 brought.
_SINCE_2019: dict[int, Typing] = {
    0x23: _text("从服务器 APN|third server: APN"),
    0x24: _text("从服务器无线通信拨号用户名|third server: user of the radio network"),
    0x25: _text("从服务器无线通信拨号密码|third server: password of the radio network"),
    0x26: _text("从服务器地址|third server: address"),
    0x32: Raw("value", "违规行驶时段范围|hours when driving is forbidden: hh mm hh mm, as numbers", 4),
}
#: JT/T 1078 table 1, whose values have fields of their own.
_VIDEO: dict[int, Typing] = {
    0x75: Raw("value", "音视频参数设置|audio and video (JT/T 1078)"),
    0x76: Raw("value", "音视频通道列表|audio and video channels (JT/T 1078)"),
    0x77: Raw("value", "单独视频通道参数|single video channels (JT/T 1078)"),
    0x79: Raw("value", "特殊报警录像参数|recording at alarms (JT/T 1078)", 3),
    0x7A: Num("value", "视频相关报警屏蔽字|video alarms that are suppressed (JT/T 1078)", 4),
    0x7B: Raw("value", "图像分析报警参数|alarms from pictures (JT/T 1078)", 2),
    0x7C: Raw("value", "终端休眠唤醒模式|waking from sleep (JT/T 1078)", 20),
}

PARAMETERS: Final[Mapping[Version, Mapping[int, Typing]]] = {
    V2011: _COMMON | _PORTS | _VEHICLE_2011,
    V2013: _COMMON | _PORTS | _SINCE_2013 | _VIDEO,
    V2019: _COMMON | _SINCE_2013 | _SINCE_2019 | _VIDEO,
}
