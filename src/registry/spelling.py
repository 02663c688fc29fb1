"""Texts as people and other systems write them, brought to one form: widths, look-alike letters, plates,
names of stations. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

# Cyrillic and Greek capitals that look like Latin ones, and the dashes and spaces that stand for one of each.
_LOOKALIKES: Final = str.maketrans(
    "АВЕКМНОРСТУХІЅЈ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "‐‑‒–—―−",
    "ABEKMHOPCTYXISJ" + "ABEZHIKMNOPTYX" + "-------",
)
_SMALL: Final = str.maketrans("асеорухіѕј" + "ο", "aceopyxisj" + "o")
# Region and office, then the serial: five or six places, of which the last may say what kind of vehicle it is.
_PLATE: Final = re.compile(r"([\u4e00-\u9fff][A-Z])([0-9A-Z]{4,5}[0-9A-Z\u4e00-\u9fff])")
_SERIAL: Final = str.maketrans("OI", "01")
_QUOTED: Final = re.compile(r'="?(.*?)"?')
#: A long number as Excel writes it: 1.23457E+18. An office's own 3E12 has no plus.
ROUNDED: Final = re.compile(r"[0-9](\.[0-9]+)?E\+[0-9]{1,3}", re.IGNORECASE)
_SCIENTIFIC: Final = re.compile(r"[0-9](\.[0-9]+)?E\+?[0-9]+", re.IGNORECASE)


def plain(text: str) -> str:
    """``text`` with full-width and look-alike letters and digits as ASCII, without spaces at its ends."""
    if text.isascii():
        return text.strip()  # nothing of it is any of these
    return unicodedata.normalize("NFKC", text).translate(_LOOKALIKES).translate(_SMALL).strip()


def normal_plate(value: str) -> str:
    """A plate as everyone writes it in the end: full-width and look-alike letters, spaces and the dot gone,
    capitals: ``苏F12345``. The serial of a plate has no letters I and O (GA 36): there they are 1 and 0.
    """
    text = plain(value)
    text = plain("".join(c for c in text if not c.isspace() and c not in "·•・-.").upper())
    parts = _PLATE.fullmatch(text)
    return text if parts is None else parts[1] + parts[2].translate(_SERIAL)


def name_key(name: str) -> str:
    """What two spellings of one name (of a station, an act) have in common: for comparing only."""
    return "".join(plain(name).split()).casefold()


def unquoted(text: str) -> str:
    """``text`` without spaces at its ends, spreadsheet quoting and control characters."""
    text = "".join(c if c.isprintable() else " " for c in text).strip()
    match = _QUOTED.fullmatch(text) if text.startswith("=") else None
    return (match[1] if match else text.removeprefix("'")).strip()


def normal_code(text: str) -> str:
    """The number of a card or a transaction: without spaces and quoting, full-width digits as ASCII. Raises
    ValueError for one of which a spreadsheet has lost digits.
    """
    text = "".join(plain(unquoted(text)).split())
    if _SCIENTIFIC.fullmatch(text):
        raise ValueError(
            "号码已被 Excel 改为科学记数并丢失位数，请把该列设为文本后重新导出"
            " · Excel has rounded this number; make the column text and export again"
        )
    return text


#: What a spreadsheet shows for a formula that failed, and for a number that has no room in its cell.
_SHEET_ERROR: Final = re.compile(
    r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|FIELD!|BLOCKED!|CONNECT!|BUSY!|UNKNOWN!|GETTING_DATA)|#{3,}",
    re.IGNORECASE,
)


def sheet_error(text: str) -> str | None:
    """What is wrong with a cell that holds an error of a spreadsheet instead of a value, None: it holds none."""
    shown = plain(text) if text[:1] in ("#", "＃") else ""
    if not _SHEET_ERROR.fullmatch(shown):
        return None
    return (
        f"单元格是 Excel 的错误值 {shown[:16]}，请在 Excel/WPS 中改正（### 请加宽该列）后重新导出"
        f" · the cell holds an error of the spreadsheet, {shown[:16]}; mend it there (### means: widen the column) and export again"
    )


_FORMULA_BEGINS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(value: Any) -> Any:
    """What a CSV may hold for ``value``: a spreadsheet takes text that begins like a formula for one, so it is marked as text.
    Numbers stay numbers."""
    return "'" + value if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_BEGINS) else value
