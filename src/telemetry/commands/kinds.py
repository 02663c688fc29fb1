"""What may be asked of a terminal: the one list of the kinds, with what each needs and what follows from it. No protocol."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

Level = Literal["send", "configure", "control"]


@dataclass(frozen=True, slots=True)
class Kind:
    """``level``: who may (``office.identity.subject``: commands:send, commands:configure, commands:control). ``answered``: the
    terminal sends a message of its own beside the plain confirmation, and the command ends with that. ``repeatable``: it may be
    sent again when nobody knows whether it was received; one that is not fails then, and says so. ``life``: how long it waits for a
    terminal where nobody says otherwise; ``most``: how long at most."""

    code: str
    zh: str
    en: str
    level: Level
    answered: bool
    repeatable: bool
    life: timedelta
    most: timedelta

    @property
    def dangerous(self) -> bool:
        """Needs a second person, and a setting that is off by default."""
        return self.level == "control"


_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_TEN: Final = timedelta(minutes=10)
_HALF: Final = timedelta(minutes=30)
_HOUR: Final = timedelta(hours=1)

KINDS: Final[dict[str, Kind]] = {
    kind.code: kind
    for kind in (
        Kind("text", "文本信息", "text to the driver", "send", False, True, _DAY, _WEEK),
        Kind("location", "位置查询", "where are you", "send", True, True, _TEN, _DAY),
        Kind("tracking", "临时位置跟踪", "report more often for a while", "send", False, True, _TEN, _DAY),
        Kind("query_parameters", "查询终端参数", "what are your parameters", "send", True, True, _DAY, _WEEK),
        Kind("query_attributes", "查询终端属性", "what device are you", "send", True, True, _DAY, _WEEK),
        Kind("set_parameters", "设置终端参数", "set parameters", "configure", False, True, _DAY, _WEEK),
        Kind("photo", "拍照", "take a picture", "send", True, True, _TEN, _DAY),
        Kind(
            "query_driver", "查询驾驶员身份", "whose card is in the terminal", "send", True, True, _TEN, _DAY
        ),
        Kind("recorder", "采集行驶记录数据", "data of the driving recorder", "send", True, True, _DAY, _WEEK),
        # Asked by the program alone (registry/areas): set again, an area is what it was.
        Kind("areas", "下发围栏", "set or delete an area", "configure", False, True, _TEN, _DAY),
        # Whoever is not sure whether a car was locked must look, not try again: these are never sent twice.
        Kind("reset", "终端复位", "restart the device", "control", False, False, _HALF, _HOUR),
        Kind("lock", "车门加锁、解锁", "lock or unlock the doors", "control", True, False, _HALF, _HOUR),
        Kind(
            "cut",
            "断油断电、恢复",
            "cut fuel and power, or restore them",
            "control",
            False,
            False,
            _TEN,
            _HOUR,
        ),
    )
}
#: Permission of each level.
PERMISSION: Final[dict[Level, str]] = {
    "send": "commands:send", "configure": "commands:configure", "control": "commands:control",
}  # fmt: skip
#: Bytes of a text to the driver in GBK, at most (JT/T 808 8.27).
MOST_TEXT: Final = 1_024


def unprintable(text: str) -> str:
    """The characters of ``text`` that a terminal cannot show, each once: it reads GBK (JT/T 808 4.2)."""
    return "".join(dict.fromkeys(c for c in text if not _in_gbk(c)))


def _in_gbk(character: str) -> bool:
    try:
        character.encode("gbk")
    except UnicodeEncodeError:
        return False
    return character.isprintable() or character in "\n\u3000"
