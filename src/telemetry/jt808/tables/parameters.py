"""Parameters: set, asked for, told."""

from __future__ import annotations

from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.composite import Numbers, Rows, Typed
from telemetry.jt808.tables.general import QUERY_SERIAL
from telemetry.jt808.tables.grammar import Num
from telemetry.jt808.tables.message import NOTHING, Message, every
from telemetry.jt808.tables.parameter_ids import PARAMETERS

V2011, V2013, V2019 = Version


def _items(edition: Version) -> Rows:
    return Rows(
        "parameters",
        "参数项|parameters",
        (
            Num("id", "参数 ID|id of the parameter", 4),
            Typed("value", "参数值|value", key="id", prefix=1, known=PARAMETERS[edition]),
        ),
    )


_TOTAL = Num("total", "参数总数|parameters in all packages", 1, count_of="parameters", at_least=True)

MESSAGES = (
    Message(
        MessageId.SET_PARAMETERS,
        "设置终端参数|sets parameters",
        {V2011: (_TOTAL, _items(V2011)), V2013: (_items(V2013),), V2019: (_items(V2019),)},
    ),
    Message(MessageId.QUERY_PARAMETERS, "查询终端参数|asks for all parameters", every(NOTHING)),
    Message(
        MessageId.QUERY_SOME_PARAMETERS,
        "查询指定终端参数|asks for some parameters",
        every((Numbers("ids", "参数 ID 列表|ids of the parameters", 4),)),
    ),
    Message(
        MessageId.PARAMETERS_REPLY,
        "查询终端参数应答|parameters",
        {
            V2011: (QUERY_SERIAL, _TOTAL, _items(V2011)),
            V2013: (QUERY_SERIAL, _items(V2013)),
            V2019: (QUERY_SERIAL, _items(V2019)),
        },
    ),
)
