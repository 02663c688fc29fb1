"""Bodies of the messages that we send and take, as tables with clause and edition (2011: clause 4.5; 2019: clause 8.3).

Some messages travel in a *carrier* (0x1200, 0x9200, 0x1400, 0x9400), whose body begins with the vehicle (plate, colour), the id of
the message and the length of what follows. The tables are made of the elements of ``telemetry.jt808.tables.grammar``.

The layouts are those that at least two independent public programs agree on (docs/decisions/0037-jt809.md), but for 0x1201 and 0x9201
of 2019, which were read in one only. 0x9401 and 0x1401 are known
to us from 2011 only: 2019 leaves the vehicle out of their carrier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from telemetry.jt808.scalar.fields import Kind
from telemetry.jt808.tables.grammar import Num, Raw, Table, Text
from telemetry.jt809.header import Edition


class Id(IntEnum):
    """Ids of messages, those in carriers too. 1xxx: from the lower platform; 9xxx: from the upper one."""

    UP_CONNECT_REQ = 0x1001
    UP_CONNECT_RSP = 0x1002
    UP_DISCONNECT_REQ = 0x1003
    UP_DISCONNECT_RSP = 0x1004
    UP_LINKTEST_REQ = 0x1005
    UP_LINKTEST_RSP = 0x1006
    UP_DISCONNECT_INFORM = 0x1007
    UP_CLOSELINK_INFORM = 0x1008
    DOWN_CONNECT_REQ = 0x9001
    DOWN_CONNECT_RSP = 0x9002
    DOWN_DISCONNECT_REQ = 0x9003
    DOWN_DISCONNECT_RSP = 0x9004
    DOWN_LINKTEST_REQ = 0x9005
    DOWN_LINKTEST_RSP = 0x9006
    DOWN_DISCONNECT_INFORM = 0x9007
    DOWN_CLOSELINK_INFORM = 0x9008
    DOWN_TOTAL_RECV_BACK_MSG = 0x9101
    UP_EXG_MSG = 0x1200
    UP_EXG_MSG_REGISTER = 0x1201
    UP_EXG_MSG_REAL_LOCATION = 0x1202
    UP_EXG_MSG_HISTORY_LOCATION = 0x1203
    DOWN_EXG_MSG = 0x9200
    DOWN_EXG_MSG_REGISTER_ACK = 0x9201
    UP_WARN_MSG = 0x1400
    UP_WARN_MSG_URGE_TODO_ACK = 0x1401
    DOWN_WARN_MSG = 0x9400
    DOWN_WARN_MSG_URGE_TODO_REQ = 0x9401


@dataclass(frozen=True, slots=True)
class Message:
    """``label``: Chinese|English. ``clause``: of the edition of 2011, "" where only 2019 has it. ``carrier``: the message that it travels
    in, None = by itself. ``tables``: by edition; one that does not have it, or whose layout is not known to us, is left out."""

    id: Id
    label: str
    clause: str
    tables: Mapping[Edition, Table] = field(hash=False)
    carrier: Id | None = None


#: Results of a login (0x1002) and what they say to people.
LOGIN_RESULTS: Final[Mapping[int, str]] = {
    0: "成功|taken",
    1: "IP 地址不正确|wrong IP address",
    2: "接入码不正确|wrong access code",
    3: "用户没有注册|no such user",
    4: "密码错误|wrong password",
    5: "资源紧张，稍后再连接|no resources now, try later",
    6: "其他|another reason",
}
#: Results of a connection of the subordinate link (0x9002).
DOWN_RESULTS: Final[Mapping[int, str]] = {
    0: "成功|taken",
    1: "校验码错误|wrong verification code",
    2: "资源紧张，稍后再连接|no resources now, try later",
    3: "其他|another reason",
}
#: What was done about an alarm (0x1401).
URGE_RESULTS: Final[Mapping[int, str]] = {
    0: "处理中|being dealt with",
    1: "已处理完毕|dealt with",
    2: "不作处理|nothing is done about it",
    3: "将来处理|will be dealt with",
}
#: Who says that there is an alarm (0x9401).
WARN_SOURCES: Final[Mapping[int, str]] = {
    1: "车载终端|the terminal",
    2: "企业监控平台|the platform of a company",
    3: "政府监管平台|a platform of the government",
    9: "其他|others",
}
WARN_TYPES: Final[Mapping[int, str]] = {
    0x0001: "超速报警|overspeed",
    0x0002: "疲劳驾驶报警|fatigue",
    0x0003: "紧急报警|emergency",
    0x0004: "进入指定区域报警|entered an area",
    0x0005: "离开指定区域报警|left an area",
    0x0006: "路段堵塞报警|congestion",
    0x0007: "危险路段报警|dangerous road",
    0x0008: "越界报警|out of bounds",
    0x0009: "盗警|theft",
    0x000A: "劫警|robbery",
    0x000B: "偏离路线报警|off the route",
    0x000C: "车辆移动报警|vehicle moved",
    0x000D: "超时驾驶报警|drove too long",
    0x000E: "其他报警|another alarm",
}
#: Colours of plates: 2011 by JT/T 415-2006, 2019 by JT/T 697.7-2014, which adds 5.
COLOURS: Final[Mapping[int, str]] = {
    1: "蓝|blue",
    2: "黄|yellow",
    3: "黑|black",
    4: "白|white",
    5: "绿|green",
    9: "其他|other",
}


def _both(table: Table) -> Mapping[Edition, Table]:
    return dict.fromkeys(Edition, table)


def _old(table: Table) -> Mapping[Edition, Table]:
    return {Edition.V2011: table}


_USER = Num("user_id", "用户名|user", 4)
_PASSWORD = Text("password", "密码|password", 8)
_DOWN = (
    Text("down_ip", "从链路 IP|address of the subordinate link", 32),
    Num("down_port", "从链路端口|port of the subordinate link", 2),
)
_VERIFY = Num("verify_code", "校验码|verification code", 4)
_LOCATIONS = Raw("location", "定位数据|position")

#: Begins the body of a carrier; ``DATA_LENGTH`` bytes follow.
VEHICLE: Final = (
    Text("plate", "车牌号|plate", 21),
    Num("colour", "车牌颜色|colour of the plate", 1, codes=COLOURS),
)
CARRIED: Final = (
    Num("data_type", "子业务类型|id of the message", 2),
    Num("data_length", "后续数据长度|length of what follows", 4),
)

_MESSAGES: Final = (
    Message(
        Id.UP_CONNECT_REQ, "主链路登录请求|login, main link", "4.5.1.1",
        {
            Edition.V2011: (_USER, _PASSWORD, *_DOWN),
            Edition.V2019: (_USER, _PASSWORD, Num("access_code", "接入码|access code", 4), *_DOWN),
        },
    ),
    Message(
        Id.UP_CONNECT_RSP, "主链路登录应答|answer to it", "4.5.1.2",
        _both((Num("result", "结果|result", 1, codes=LOGIN_RESULTS), _VERIFY)),
    ),
    Message(Id.UP_DISCONNECT_REQ, "主链路注销请求|logout, main link", "4.5.1.3", _both((_USER, _PASSWORD))),
    Message(Id.UP_DISCONNECT_RSP, "主链路注销应答|answer to it", "4.5.1.4", _both(())),
    Message(Id.UP_LINKTEST_REQ, "主链路连接保持请求|link test, main link", "4.5.1.5", _both(())),
    Message(Id.UP_LINKTEST_RSP, "主链路连接保持应答|answer to it", "4.5.1.6", _both(())),
    Message(
        Id.UP_DISCONNECT_INFORM, "主链路断开通知|the main link broke", "4.5.1.7",
        _both((Num("error", "错误代码|error", 1),)),
    ),
    Message(
        Id.UP_CLOSELINK_INFORM, "下级平台主动关闭链路通知|the lower platform closes", "4.5.1.8",
        _both((Num("reason", "原因|reason", 1),)),
    ),
    Message(Id.DOWN_CONNECT_REQ, "从链路连接请求|connection, subordinate link", "4.5.1.9", _both((_VERIFY,))),
    Message(
        Id.DOWN_CONNECT_RSP, "从链路连接应答|answer to it", "4.5.1.10",
        _both((Num("result", "结果|result", 1, codes=DOWN_RESULTS),)),
    ),
    Message(Id.DOWN_DISCONNECT_REQ, "从链路注销请求|end of the subordinate link", "4.5.1.11", _both((_VERIFY,))),
    Message(Id.DOWN_DISCONNECT_RSP, "从链路注销应答|answer to it", "4.5.1.12", _both(())),
    Message(Id.DOWN_LINKTEST_REQ, "从链路连接保持请求|link test, subordinate link", "4.5.1.13", _both(())),
    Message(Id.DOWN_LINKTEST_RSP, "从链路连接保持应答|answer to it", "4.5.1.14", _both(())),
    Message(
        Id.DOWN_DISCONNECT_INFORM, "从链路断开通知|the subordinate link broke", "4.5.1.15",
        _both((Num("error", "错误代码|error", 1),)),
    ),
    Message(
        Id.DOWN_CLOSELINK_INFORM, "上级平台主动关闭链路通知|the upper platform closes", "4.5.1.16",
        _both((Num("reason", "原因|reason", 1),)),
    ),
    Message(
        Id.DOWN_TOTAL_RECV_BACK_MSG, "接收定位信息数量通知|how many positions were taken", "4.5.2.1",
        _old((
            Num("total", "数量|how many", 4),
            Num("from_s", "起始时间|from", 8, unit="s since 1970 UTC"),
            Num("to_s", "结束时间|to", 8, unit="s since 1970 UTC"),
        )),
    ),
    Message(
        Id.UP_EXG_MSG_REGISTER, "上传车辆注册信息|registration of a vehicle", "4.5.3.1.2",
        {
            Edition.V2011: (
                Text("platform_id", "平台唯一编码|platform", 11),
                Text("producer_id", "终端厂商编码|maker of the terminal", 11),
                Text("model", "终端型号|model of the terminal", 20),
                Text("terminal_id", "终端编号|id of the terminal", 7),
                Text("sim", "SIM 卡号|SIM", 12, pad=Kind.TEXT_RIGHT),
            ),
            Edition.V2019: (
                Text("platform_id", "平台唯一编码|platform", 11),
                Text("producer_id", "终端厂商编码|maker of the terminal", 11),
                Text("model", "终端型号|model of the terminal", 30),
                Text("imei", "IMEI|IMEI", 15),
                Text("terminal_id", "终端编号|id of the terminal", 30),
                Text("sim", "SIM 卡号|SIM", 13, pad=Kind.TEXT_RIGHT),
            ),
        },
        Id.UP_EXG_MSG,
    ),
    Message(Id.UP_EXG_MSG_REAL_LOCATION, "实时上传定位|a position as it comes", "4.5.3.1.3", _both((_LOCATIONS,)), Id.UP_EXG_MSG),
    Message(
        Id.UP_EXG_MSG_HISTORY_LOCATION, "定位自动补报|positions of before, one to five", "4.5.3.1.4",
        _both((Num("count", "个数|how many", 1), _LOCATIONS)), Id.UP_EXG_MSG,
    ),
    Message(
        Id.DOWN_EXG_MSG_REGISTER_ACK, "车辆注册信息应答|answer to a registration", "",
        {
            Edition.V2019: (
                Num("source_type", "源子业务类型|of which message", 2),
                Num("source_serial", "源报文序列号|its serial", 4),
                Num("result", "结果|result", 1),
            ),
        },
        Id.DOWN_EXG_MSG,
    ),
    Message(
        Id.UP_WARN_MSG_URGE_TODO_ACK, "报警督办应答|answer to an order to deal with an alarm", "4.5.5.1.2",
        _old((
            Num("supervision_id", "督办 ID|number of the order", 4),
            Num("result", "结果|result", 1, codes=URGE_RESULTS),
        )),
        Id.UP_WARN_MSG,
    ),
    Message(
        Id.DOWN_WARN_MSG_URGE_TODO_REQ, "报警督办请求|order to deal with an alarm", "4.5.5.2.2",
        _old((
            Num("warn_source", "报警来源|who says it", 1, codes=WARN_SOURCES),
            Num("warn_type", "报警类型|kind of alarm", 2, codes=WARN_TYPES),
            Num("warn_s", "报警时间|when", 8, unit="s since 1970 UTC"),
            Num("supervision_id", "督办 ID|number of the order", 4),
            Num("due_s", "督办截止时间|until when", 8, unit="s since 1970 UTC"),
            Num("level", "督办级别|level", 1, codes={0: "紧急|urgent", 1: "一般|general"}),
            Text("supervisor", "督办人|who orders", 16),
            Text("phone", "联系电话|phone", 20),
            Text("email", "电子邮件|mail", 32),
        )),
        Id.DOWN_WARN_MSG,
    ),
)  # fmt: skip
CATALOGUE: Final[Mapping[int, Message]] = {message.id: message for message in _MESSAGES}
#: The messages that carry others, by the first byte of what they carry.
CARRIERS: Final = frozenset(message.carrier for message in _MESSAGES if message.carrier is not None)
