"""Driving recorder, waybill, identity of the driver."""

from __future__ import annotations

from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.fields import Kind
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.composite import OneOf, Optional, When
from telemetry.jt808.tables.general import QUERY_SERIAL
from telemetry.jt808.tables.grammar import Bcd, Num, Raw, Table, Text, time
from telemetry.jt808.tables.message import NOTHING, Message, every

V2011, V2013, V2019 = Version

#: A block of the recorder stays as it is: its fields are those of GB/T 19056.
_COMMAND = Num("command", "命令字|command, GB/T 19056", 1)
_RECORDER: Table = (
    _COMMAND,
    Raw("data", "数据块（GB/T 19056）|data block, GB/T 19056"),
)

_NAME = Text("name", "驾驶员姓名|name of the driver", prefix=1)
_ISSUER = Text("issuer", "发证机构名称|issued by", prefix=1)
_IDENTITY_2011 = (
    _NAME,
    Text("id_number", "驾驶员身份证编码|identity number of the driver", 20),
    Text("certificate", "从业资格证编码|number of the certificate", 40),
    _ISSUER,
)


def _identity(*behind: Text) -> Table:
    inserted = (
        Num(
            "read",
            "IC 卡读取结果|card was read",
            1,
            codes={
                0: "读卡成功|yes",
                1: "卡片密钥认证未通过|key of the card refused",
                2: "卡片已被锁定|the card is locked",
                3: "卡片被拔出|the card was pulled out",
                4: "数据校验错误|wrong checksum",
            },
        ),
        When(
            OneOf("read", (0,)),
            (
                _NAME,
                Text("certificate", "从业资格证编码|number of the certificate", 20, pad=Kind.TEXT_LEFT),
                _ISSUER,
                Bcd("valid_until", "证件有效期|valid until", 4, "YYYYMMDD"),
                *behind,
            ),
        ),
    )
    return (
        Num(
            "status",
            "状态|the card was",
            1,
            codes={1: "IC 卡插入（上班）|put in", 2: "IC 卡拔出（下班）|pulled out"},
        ),
        time("time", "插拔卡时间|when"),
        When(OneOf("status", (1,)), inserted),
        # Said to be there only when the card was put in; some terminals send it always.
        When(OneOf("status", (1,), but=True), (Optional(inserted),)),
    )


MESSAGES = (
    Message(
        MessageId.RECORDER_QUERY,
        "行驶记录数据采集命令|asks the driving recorder",
        {V2011: (_COMMAND,), V2013: _RECORDER, V2019: _RECORDER},
    ),
    Message(
        MessageId.RECORDER_DATA,
        "行驶记录数据上传|data of the driving recorder",
        {
            V2011: (
                _COMMAND,
                Num("total", "数据块总长度|bytes of the block in all packages", 2),
                Raw("data", "数据块（GB/T 19056）|data block, GB/T 19056", prefix=2),
            ),
            V2013: (QUERY_SERIAL, *_RECORDER),
            V2019: (QUERY_SERIAL, *_RECORDER),
        },
    ),
    Message(MessageId.RECORDER_SET, "行驶记录参数下传命令|sets the driving recorder", every(_RECORDER)),
    Message(
        MessageId.WAYBILL, "电子运单上报|waybill", every((Raw("waybill", "电子运单内容|waybill", prefix=4),))
    ),
    Message(MessageId.QUERY_DRIVER_IDENTITY, "上报驾驶员身份信息请求|asks for the driver", every(NOTHING)),
    Message(
        MessageId.DRIVER_IDENTITY,
        "驾驶员身份信息采集上报|identity of the driver",
        {
            V2011: _IDENTITY_2011,
            V2013: _identity(),
            V2019: _identity(Text("id_number", "驾驶员身份证号|identity number of the driver", 20)),
        },
    ),
)
