"""Words to the driver and back: texts, events, questions, information, phone."""

from __future__ import annotations

from typing import Final

from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.composite import OneOf, Optional, Rows, When
from telemetry.jt808.tables.general import QUERY_SERIAL
from telemetry.jt808.tables.grammar import Num, Table, Text
from telemetry.jt808.tables.message import Message, every

V2011, V2013, V2019 = Version

#: Bytes of a text at most (0x8300).
MAX_TEXT_BYTES: Final = 1024

_FLAGS_2011 = {
    0: "紧急|urgent",
    2: "终端显示器显示|shown on the display",
    3: "终端 TTS 播读|read aloud",
    4: "广告屏显示|shown on the advertising screen",
}
_FLAGS_2013 = _FLAGS_2011 | {5: "CAN 故障码信息（否则中心导航信息）|CAN fault code, else navigation"}
#: 2019: bits 0 and 1 are one number.
_FLAGS_2019 = {
    0: "服务（位 1 为 0），紧急（10）、通知（11）见位 1|low bit of the urgency: 01 service, 10 urgent, 11 notice",
    1: "紧急（10）或通知（11）|high bit of the urgency",
    2: "终端显示器显示|shown on the display",
    3: "终端 TTS 播读|read aloud",
    5: "CAN 故障码信息（否则中心导航信息）|CAN fault code, else navigation",
}
_TEXT = Text("text", "文本信息|text", most=MAX_TEXT_BYTES)


def _flag(bits: dict[int, str]) -> Num:
    return Num("flag", "文本信息标志|flags", 1, bits=bits)


_SETS = {0: "删除全部|delete all", 1: "更新|replace all", 2: "追加|add", 3: "修改|change"}
_EVENT_ID = Num("id", "事件 ID|id of the event", 1)
_EVENTS = Rows("events", "事件项|events", (_EVENT_ID, Text("text", "事件内容|text", prefix=1, default="")))
_KINDS_OF_INFORMATION = Rows(
    "kinds",
    "信息项|kinds of information",
    (Num("kind", "信息类型|kind", 1), Text("name", "信息名称|name", prefix=2)),
)
_CONTACTS = Rows(
    "contacts",
    "联系人项|contacts",
    (
        Num("flag", "标志|may", 1, codes={1: "呼入|call in", 2: "呼出|be called", 3: "呼入/呼出|both"}),
        Text("phone", "电话号码|phone", prefix=1),
        Text("name", "联系人|name", prefix=1),
    ),
)


def _setting(codes: dict[int, str], rows: Rows) -> dict[Version, Table]:
    """A kind of setting, and, but for "delete all", its rows. 2011 has before them how many there are in all packages."""
    kind = Num("setting", "设置类型|kind of setting", 1, codes=codes)
    total = Num("total", "总数|in all packages", 1, count_of=rows.name, at_least=True)

    def table(*its: Num | Rows) -> Table:
        # Some senders put a count of 0 behind "delete all".
        return (
            kind,
            When(OneOf("setting", (0,), but=True), its),
            When(OneOf("setting", (0,)), (Optional(its),)),
        )

    return {V2011: table(total, rows), V2013: table(rows), V2019: table(rows)}


_KIND = Num("kind", "信息类型|kind", 1)
_INFORMATION = Text("text", "信息内容|text", prefix=2)

MESSAGES = (
    Message(
        MessageId.TEXT,
        "文本信息下发|text",
        {
            V2011: (_flag(_FLAGS_2011), _TEXT),
            V2013: (_flag(_FLAGS_2013), _TEXT),
            V2019: (
                _flag(_FLAGS_2019),
                Num("kind", "文本类型|kind", 1, codes={1: "通知|notice", 2: "服务|service"}),
                _TEXT,
            ),
        },
    ),
    Message(
        MessageId.SET_EVENTS,
        "事件设置|sets events",
        _setting(_SETS | {4: "删除特定几项|delete some"}, _EVENTS),
    ),
    Message(MessageId.EVENT_REPORT, "事件报告|event", every((_EVENT_ID,))),
    Message(
        MessageId.QUESTION,
        "提问下发|question",
        every(
            (
                Num(
                    "flag",
                    "提问标志|flags",
                    1,
                    bits={
                        0: "紧急|urgent",
                        3: "终端 TTS 播读|read aloud",
                        4: "广告屏显示|shown on the advertising screen",
                    },
                ),
                Text("question", "问题|question", prefix=1),
                Rows(
                    "answers",
                    "候选答案|answers",
                    (Num("id", "答案 ID|id", 1), Text("text", "答案内容|text", prefix=2)),
                    count=0,
                ),
            )
        ),
    ),
    Message(
        MessageId.QUESTION_REPLY,
        "提问应答|answer",
        every((QUERY_SERIAL, Num("answer", "答案 ID|id of the answer", 1))),
    ),
    Message(
        MessageId.SET_INFORMATION_MENU,
        "信息点播菜单设置|sets the menu of information",
        _setting(_SETS, _KINDS_OF_INFORMATION),
    ),
    Message(
        MessageId.INFORMATION_REQUEST,
        "信息点播/取消|asks for information",
        every(
            (
                Num("kind", "信息类型|kind", 1),
                Num("flag", "点播/取消标志|wanted", 1, codes={0: "取消|no more", 1: "点播|yes"}),
            )
        ),
    ),
    Message(
        MessageId.INFORMATION,
        "信息服务|information",
        {
            V2011: (
                _KIND,
                Num("total", "信息总长度|bytes of the text in all packages", 2),
                _INFORMATION,
            ),
            V2013: (_KIND, _INFORMATION),
        },
    ),
    Message(
        MessageId.CALL_BACK,
        "电话回拨|call back",
        every(
            (
                Num("flag", "标志|kind", 1, codes={0: "普通通话|a call", 1: "监听|listens in"}),
                Text("phone", "电话号码|phone", most=20),
            )
        ),
    ),
    Message(
        MessageId.SET_PHONE_BOOK,
        "设置电话本|sets the phone book",
        _setting(
            {
                0: "删除所有联系人|delete all",
                1: "更新（删除全部后追加）|replace all",
                2: "追加|add",
                3: "修改（以联系人为索引）|change, found by name",
            },
            _CONTACTS,
        ),
    ),
)
