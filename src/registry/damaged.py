"""Text that was damaged on its way: read in another encoding than it was written in, or with marks in place of characters that
were lost. Such a name looks like a name, is stored, and is found by nobody again. Pure.

A text is called damaged only where it can be put right: its characters give the bytes back that were read wrongly, and these
make common Chinese in the encoding that was meant. Rare characters alone are no damage: people have them in their names.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final

from registry.spelling import sheet_error

#: Ideographs of planes 2 and 3: real ones, also where this Python does not know them yet.
_RARE: Final = re.compile("[\U00020000-\U0003fffd]")
_PRIVATE: Final = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]")
#: What stands for a character that was lost, in every text.
_LOST: Final = re.compile(
    r"\ufffd|锟斤拷|&#(?:\d{2,7}|x[0-9a-fA-F]{2,6});|\\u[0-9a-fA-F]{4}|(?:%[EeFf][0-9a-fA-F](?:%[89ABab][0-9a-fA-F]){2,3}){2}"
)
#: The same in names alone: a question mark beside a Chinese character, a name of nothing else, and the printers' marks.
_LOST_IN_NAME: Final = re.compile(
    r"[\u3400-\u9fff\U00020000-\U0003fffd]\?|\?[\u3400-\u9fff\U00020000-\U0003fffd]|^\?+$|[□■〓]"
)
#: Without one of these a text in ASCII has lost nothing.
_MARKS: Final = frozenset("&\\%")
_RUN: Final = re.compile(r"[^\x00-\x7f\ufffd]{2,}")
_PLATE_BEGINS: Final = re.compile("[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z]")
_CHINESE: Final = re.compile("[\u4e00-\u9fff]")

# Characters that GB 18030 of the year 2000 had no place for: there they lie where only one's own fonts have something.
# GB 18030-2022 gives them their places in Unicode.
_GB18030_PRIVATE: Final = str.maketrans(
    dict(zip(range(0xE78D, 0xE797), "︐︒︑︓︔︕︖︗︘︙", strict=True))
    | {
        0xE7C7: "\u1e3f", 0xE81E: "\u9fb4", 0xE826: "\u9fb5", 0xE82B: "\u9fb6", 0xE82C: "\u9fb7", 0xE832: "\u9fb8",
        0xE843: "\u9fb9", 0xE854: "\u9fba", 0xE864: "\u9fbb", 0xE816: "\U00020087", 0xE817: "\U00020089",
        0xE818: "\U000200cc", 0xE831: "\U000215d7", 0xE83B: "\U0002298f", 0xE855: "\U000241fe",
    }
)  # fmt: skip


def from_gb18030(text: str) -> str:
    """``text`` as decoded from GB 18030 with the characters that the standard has moved since in their places."""
    return text.translate(_GB18030_PRIVATE)


def unprintable(text: str) -> str | None:
    """What is wrong with a text that has a character nobody can see, None: nothing."""
    if text.isprintable():
        return None
    for place, character in enumerate(text, start=1):
        if _PRIVATE.match(character):
            return (
                f"第 {place} 个字是造字区字符 U+{ord(character):04X}，别的电脑显示不出，请改为标准汉字"
                f" · character {place} is of a private font; use the standard character"
            )
        if not character.isprintable() and not _RARE.match(character):
            return (
                f"含有不可见字符：第 {place} 个字 U+{ord(character):04X} · contains characters that cannot be printed:"
                f" character {place}"
            )
    return None


def damaged(text: str, *, name: bool = False) -> str | None:
    """What is wrong with a text (``name``: it is one) that was damaged, None: nothing that can be known."""
    if (error := sheet_error(text)) is not None:
        return error
    if text.isascii() and not name and not _MARKS & set(text):
        return None
    lost = _LOST.search(text) or (_LOST_IN_NAME.search(text) if name else None)
    if lost:
        return (
            f"第 {lost.start() + 1} 个字起有丢失的字（{lost[0][:12]}），请按原文重新填写 · characters were lost at"
            f" character {lost.start() + 1}; give the original text"
        )
    for run in _RUN.finditer(text):
        for meant, read in _READINGS:
            if (original := read(run[0])) is not None:
                return (
                    f"第 {run.start() + 1} 个字起是乱码，是否应为“{original[:20]}”？（{meant}）请用正确的编码重新导出"
                    f" · read in the wrong encoding from character {run.start() + 1} on; export it again in the right one"
                )
    return None


def _utf8_as_gbk(run: str) -> str | None:
    """财政局 for 璐㈡斂灞€. The end may have been cut inside a character."""
    try:
        data = b"".join(b"\x80" if c == "€" else c.encode("gb18030") for c in run)
        found = codecs.getincrementaldecoder("utf-8")().decode(data, final=len(run) < 3)
    except UnicodeError:
        return None
    if "\ufffd" in found:
        return found
    # By chance three common characters may be valid UTF-8; next to never such that what comes out is common, too.
    common = _encodes(found, "gb2312") and (is_common(found) or not _encodes(run, "gb2312"))
    chinese = len(_CHINESE.findall(found))
    enough = (chinese >= 2 and 2 * chinese > len(found)) or _PLATE_BEGINS.fullmatch(found)
    return found if common and enough else None


def _utf8_as_latin(run: str) -> str | None:
    """财政局 for è´¢æ”¿å±€."""
    try:
        data = b"".join(c.encode("latin-1") if ord(c) < 256 else c.encode("cp1252") for c in run)
        found = codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeError:
        return None
    return found if _CHINESE.search(found) else None


def _gbk_as_latin(run: str) -> str | None:
    """财政局 for ²ÆÕþ¾Ö."""
    if len(run) < 4 or len(run) % 2:
        return None
    try:
        found = run.encode("latin-1").decode("gb2312")
    except UnicodeError:
        return None
    return found if is_common(found) else None


_READINGS: Final[tuple[tuple[str, Callable[[str], str | None]], ...]] = (
    ("UTF-8 被当作 GBK", _utf8_as_gbk),
    ("UTF-8 被当作 Latin-1", _utf8_as_latin),
    ("GBK 被当作 Latin-1", _gbk_as_latin),
)


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def is_common(text: str) -> bool:
    """Whether all of it is of the 3,755 most common characters (GB 2312, level 1)."""
    return bool(text) and all(
        _CHINESE.match(c) and b"\xb0" <= c.encode("gb2312", "replace")[:1] < b"\xd8" for c in text
    )
