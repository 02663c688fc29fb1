"""Pictures, sound and film."""

from __future__ import annotations

from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.composite import Either, Numbers, OneOf, Optional, Rows, When
from telemetry.jt808.tables.general import QUERY_SERIAL
from telemetry.jt808.tables.grammar import Num, Raw, Table, time
from telemetry.jt808.tables.message import Message, every
from telemetry.jt808.tables.position import BASIC

V2011, V2013, V2019 = Version

_MEDIA_ID = Num("media_id", "多媒体数据 ID|id of the file", 4)
_MEDIA_TYPE = Num(
    "media_type", "多媒体类型|kind", 1, codes={0: "图像|picture", 1: "音频|sound", 2: "视频|film"}
)
_FORMAT = Num("format", "多媒体格式编码|format", 1, codes={0: "JPEG", 1: "TIF", 2: "MP3", 3: "WAV", 4: "WMV"})
_EVENTS_2011 = {
    0: "平台下发指令|asked for",
    1: "定时动作|by time",
    2: "抢劫报警触发|robbery",
    3: "碰撞侧翻报警触发|collision or rollover",
}
_EVENTS = _EVENTS_2011 | {
    4: "门开拍照|door opens",
    5: "门关拍照|door shuts",
    6: "车门由开变关，车速从小于到超过 20 km/h|doors shut and speed over 20 km/h",
    7: "定距拍照|by distance",
}
_CHANNEL = Num("channel", "通道 ID|channel", 1)
_ALL_CHANNELS = Num("channel", "通道 ID（0 = 所有）|channel, 0 = all", 1)
_KEPT = Num("delete", "删除标志|afterwards", 1, codes={0: "保留|keep", 1: "删除|delete"})
_SAVE = Num("save", "保存标志|what becomes of it", 1, codes={0: "实时上传|sent at once", 1: "保存|kept"})


def _event(codes: dict[int, str]) -> Num:
    return Num("event", "事件项编码|event", 1, codes=codes)


def _again(width: int) -> Numbers:
    return Numbers("indexes", "重传包 ID 列表|packages to send again", width)


def _file(codes: dict[int, str], *behind: Num) -> Table:
    return (_MEDIA_ID, _MEDIA_TYPE, _FORMAT, _event(codes), _CHANNEL, *behind)


_DATA = Raw("data", "多媒体数据包|data")
_SEARCH: Table = (
    _MEDIA_TYPE,
    _ALL_CHANNELS,
    _event(_EVENTS),
    time("begins", "起始时间（全 0 不限）|from, zeros = any"),
    time("ends", "结束时间（全 0 不限）|to, zeros = any"),
)
_RESOLUTIONS = {
    0: "最低分辨率（2019）|the lowest, 2019",
    0xFF: "最高分辨率（2019）|the highest, 2019",
    1: "320x240",
    2: "640x480",
    3: "800x600",
    4: "1024x768",
    5: "176x144 (QCIF)",
    6: "352x288 (CIF)",
    7: "704x288 (HALF D1)",
    8: "704x576 (D1)",
}


_FOUND: Table = (_MEDIA_TYPE, _CHANNEL, _event(_EVENTS), *BASIC)
_FOUND_ROWS = Rows("found", "检索项|found", (_MEDIA_ID, *_FOUND), count=2)


_SHOT: Table = (
    QUERY_SERIAL,
    Num(
        "result", "结果|result", 1, codes={0: "成功|done", 1: "失败|failed", 2: "通道不支持|no such channel"}
    ),
    When(
        OneOf("result", (0,)),
        (Numbers("media_ids", "多媒体 ID 列表|ids of the files", 4, count=2),),
    ),
    When(
        OneOf("result", (0,), but=True),
        (Optional((Numbers("media_ids", "多媒体 ID 列表|ids of the files", 4, count=2),)),),
    ),
)

MESSAGES = (
    Message(
        MessageId.MEDIA_EVENT,
        "多媒体事件信息上传|there is a file",
        {V2011: _file(_EVENTS_2011), V2013: _file(_EVENTS), V2019: _file(_EVENTS)},
    ),
    Message(
        MessageId.MEDIA_DATA,
        "多媒体数据上传|a file",
        {
            V2011: (
                *_file(_EVENTS_2011),
                Num("total", "数据总包数|packages", 4),
                Num("index", "包 ID（从 1 开始）|number of the package, from 1", 4),
                _DATA,
            ),
            V2013: (*_file(_EVENTS), *BASIC, _DATA),
            V2019: (*_file(_EVENTS), *BASIC, _DATA),
        },
    ),
    Message(
        MessageId.MEDIA_REPLY,
        "多媒体数据上传应答|the file has come",
        {
            # 2011 does not say how wide a number of a package is; in 0x0801 it is a DWORD there.
            V2011: (QUERY_SERIAL, _MEDIA_ID, Optional((Either(((_again(4),), (_again(2),))),))),
            V2013: (_MEDIA_ID, Optional((_again(2),))),
            V2019: (_MEDIA_ID, Optional((_again(2),))),
        },
    ),
    Message(
        MessageId.SHOOT,
        "摄像头立即拍摄命令|take pictures",
        every(
            (
                Num("channel", "通道 ID|channel", 1),
                Num(
                    "command", "拍摄命令（0 停止，65535 录像，其他为张数）|pictures; 0 stops, 65535 films", 2
                ),
                Num("interval", "拍照间隔/录像时间（0 = 最小间隔/一直录像）|every, or film for", 2, "s"),
                _SAVE,
                Num("resolution", "分辨率|resolution", 1, codes=_RESOLUTIONS),
                Num("quality", "图像/视频质量（1 质量损失最小）|quality, 1 is best", 1),
                Num("brightness", "亮度|brightness", 1),
                Num("contrast", "对比度|contrast", 1),
                Num("saturation", "饱和度|saturation", 1),
                Num("chroma", "色度|chroma", 1),
            )
        ),
    ),
    Message(MessageId.SHOOT_REPLY, "摄像头立即拍摄命令应答|pictures were taken", every(_SHOT)),
    Message(MessageId.MEDIA_SEARCH, "存储多媒体数据检索|looks for files", every(_SEARCH)),
    Message(
        MessageId.MEDIA_SEARCH_REPLY,
        "存储多媒体数据检索应答|files found",
        {
            V2011: (
                QUERY_SERIAL,
                Num("total", "多媒体数据总项数|found in all packages", 2, count_of="found", at_least=True),
                Rows("found", "检索项|found", _FOUND, count=2),
            ),
            V2013: (QUERY_SERIAL, _FOUND_ROWS),
            V2019: (QUERY_SERIAL, _FOUND_ROWS),
        },
    ),
    Message(MessageId.MEDIA_UPLOAD, "存储多媒体数据上传命令|send files", every((*_SEARCH, _KEPT))),
    Message(
        MessageId.RECORD_SOUND,
        "录音开始命令|record sound",
        every(
            (
                Num("command", "录音命令|command", 1, codes={0: "停止录音|stop", 1: "开始录音|start"}),
                Num("duration", "录音时间（0 = 一直录音）|for, 0 = on and on", 2, "s"),
                _SAVE,
                Num("rate", "音频采样率|rate", 1, codes={0: "8K", 1: "11K", 2: "23K", 3: "32K"}),
            )
        ),
    ),
    Message(
        MessageId.MEDIA_UPLOAD_ONE,
        "单条存储多媒体数据检索上传命令|send one file",
        every((_MEDIA_ID, _KEPT)),
    ),
)
