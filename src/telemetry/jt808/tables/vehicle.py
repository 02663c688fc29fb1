"""Control of the vehicle."""

from __future__ import annotations

from typing import Final

from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.composite import OneOf, Rows, When
from telemetry.jt808.tables.general import QUERY_SERIAL
from telemetry.jt808.tables.grammar import Num, Raw
from telemetry.jt808.tables.message import Message, every
from telemetry.jt808.tables.position import REPORT

V2011, V2013, V2019 = Version

#: The only kind of control that 2019 defines: the doors.
DOORS: Final = 1
_CONTROLS_2019 = (
    Num("id", "控制类型 ID|kind of control", 2, codes={DOORS: "车门|doors"}),
    When(
        OneOf("id", (DOORS,)),
        (Num("value", "控制参数|what to do", 1, codes={0: "车门锁闭|lock", 1: "车门开启|unlock"}),),
    ),
    # Where the parameter of a maker's own control ends, nobody else knows.
    When(OneOf("id", (DOORS,), but=True), (Raw("value", "控制参数|parameter"),)),
)
_FLAGS = Num("flag", "控制标志|control", 1, bits={0: "车门加锁（否则解锁）|lock the doors, else unlock"})

MESSAGES = (
    Message(
        MessageId.VEHICLE_CONTROL,
        "车辆控制|control of the vehicle",
        {
            V2011: (_FLAGS,),
            V2013: (_FLAGS,),
            V2019: (Rows("controls", "控制类型|controls", _CONTROLS_2019, count=2),),
        },
    ),
    Message(
        MessageId.VEHICLE_CONTROL_REPLY,
        "车辆控制应答|the vehicle was controlled",
        every((QUERY_SERIAL, *REPORT)),
    ),
)
