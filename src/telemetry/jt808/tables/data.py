"""Data that pass through, compressed data, keys."""

from __future__ import annotations

import zlib

from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.grammar import Num, Raw, Table
from telemetry.jt808.tables.message import Message, every

_KINDS = {
    0x00: "GNSS 模块详细定位数据|detailed GNSS data",
    0x0B: "道路运输证 IC 卡信息|IC card",
    0x41: "串口 1 透传|serial port 1",
    0x42: "串口 2 透传|serial port 2",
}
_PASSTHROUGH: Table = (
    Num("kind", "透传消息类型（F0-FF 用户自定义）|kind, F0-FF of the maker", 1, codes=_KINDS),
    Raw("data", "透传消息内容|data"),
)
_PASSTHROUGH_2011: Table = (
    Num("kind", "透传消息类型|kind", 1),
    Num("total", "信息总长度|bytes in all packages", 4),
    Raw("data", "透传消息内容|data", prefix=2),
)
_PASSTHROUGHS = {
    Version.V2011: _PASSTHROUGH_2011,
    Version.V2013: _PASSTHROUGH,
    Version.V2019: _PASSTHROUGH,
}
_RSA: Table = (
    Num("e", "RSA 公钥 e|exponent of the key", 4),
    Raw("n", "RSA 公钥 n|modulus of the key", 128),
)

MESSAGES = (
    Message(MessageId.PASSTHROUGH_DOWN, "数据下行透传|passes data down", _PASSTHROUGHS),
    Message(MessageId.PASSTHROUGH_UP, "数据上行透传|passes data up", _PASSTHROUGHS),
    Message(
        MessageId.COMPRESSED,
        "数据压缩上报|compressed data",
        every((Raw("data", "压缩消息体（gzip）|gzip", prefix=4),)),
    ),
    Message(MessageId.PLATFORM_RSA_KEY, "平台 RSA 公钥|RSA key of the platform", every(_RSA)),
    Message(MessageId.TERMINAL_RSA_KEY, "终端 RSA 公钥|RSA key of the terminal", every(_RSA)),
)

_GZIP = 16 + zlib.MAX_WBITS


def inflated(data: bytes, most: int) -> bytes | Rejection:
    """What the gzip ``data`` of a 0x0901 holds, at most ``most`` bytes: more is never made. Rejects BAD_BODY (no gzip, broken off,
    something behind it) and TOO_LONG.
    """
    stream = zlib.decompressobj(_GZIP)
    try:
        out = stream.decompress(data, most + 1)
    except zlib.error as error:
        return Rejection(Reason.BAD_BODY, f"gzip: {error}", data)
    if len(out) > most:
        return Rejection(Reason.TOO_LONG, f"gzip: more than {most} bytes", data)
    if not stream.eof:
        return Rejection(Reason.BAD_BODY, "gzip: breaks off", data)
    if stream.unused_data:
        return Rejection(Reason.BAD_BODY, f"gzip: {len(stream.unused_data)} bytes behind its end", data)
    return out
