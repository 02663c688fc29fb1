"""Cells of statements as offices have them: numbers, times, numbers of records and words to exact values. Pure.

Every reader takes a cell (see ``Cell``) and raises ValueError with a Chinese, then an English sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from fractions import Fraction
from typing import Any, ClassVar, Final, TypeVar

from registry.decimals import scaled
from registry.goods import is_goods
from registry.spelling import name_key, normal_code, plain, unquoted
from registry.statements.units import cell_factor
from registry.values import parse_time
from runtime.units import CHINA


class Numeric(str):
    """A number of a sheet as text, with at most 15 digits, as Excel shows it. Where a day or a time is wanted it may
    be one whose cell lost its format: days since ``epoch``.
    """

    __slots__ = ("epoch",)
    epoch: datetime

    def __new__(cls, text: str, epoch: datetime = datetime(1899, 12, 30)) -> Numeric:
        """``epoch``: day 0 of the workbook."""
        made = super().__new__(cls, text)
        made.epoch = epoch
        return made


class Uncomputed(str):
    """A formula whose result is not stored in the file. As text it is empty."""

    __slots__ = ()
    #: Why it has no value, and what to do about it.
    why: ClassVar[str] = (
        "公式没有保存结果，请用 Excel/WPS 打开并保存后再导入 · a formula without its result; open and save the file in Excel first"
    )


class Zoned(Uncomputed):
    """A date of a sheet with a zone that is not ours: the readers leave the zone out, and spreadsheets show what is left."""

    __slots__ = ()
    why = "日期单元格带有时区，Excel 不显示它，分不清是哪个时刻；请改成北京时间、不带时区 · the date names a zone, which spreadsheets do not show; write it in +08:00, without one"


class Covered(str):
    """A cell that a merged cell above it covers: the text of that one."""

    __slots__ = ()


#: What a sheet holds: text, a number, or what Excel calls a date.
Cell = str | datetime | date | time

_T = TypeVar("_T")

_ONE: Final = Fraction(1)
#: Decimals of what is converted, at most.
_FINEST: Final = 9
_NOTHING: Final = frozenset({"", "-", "--", "/", "无", "N/A", "null", "NULL"})
# ¥-5, -¥5; in brackets, as in accounts, a number is negative.
_BRACKETED: Final = re.compile(r"\(((?:¥|RMB|CNY)?\s*[0-9][^()+-]*)\)(.*)", re.IGNORECASE | re.DOTALL)
_SIGNED_MONEY: Final = re.compile(r"([+-])\s*((?:¥|RMB|CNY)\s*)([0-9].*)", re.IGNORECASE | re.DOTALL)
_POINT: Final = re.compile(r"([+-]?)([0-9]*)\.([0-9]*)", re.ASCII)
_UNIT: Final = re.compile(r"^(?:¥|RMB|CNY)?\s*([+-]?[0-9.,]+)\s*([^0-9.,\s][^0-9]{0,5})?$", re.IGNORECASE)
#: Excel keeps 15 digits of a number; a longer one has zeros for what it has lost.
_KEPT_DIGITS: Final = 15
_SCIENTIFIC: Final = re.compile(r"\d(\.\d+)?E\+?\d+", re.IGNORECASE | re.ASCII)
LOST_DIGITS: Final = (
    "数字单元格只保留 15 位，号码的末几位已被 Excel 改掉；请把该列设为“文本”格式后重新导出"
    " · Excel keeps 15 digits of a number and has changed the last ones; export the column as text"
)
_GROUPED: Final = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", re.ASCII)

_CLOCK: Final = r"(\d{1,2})[:时点](\d{1,2})(?:[:分](\d{1,2})(?:\.(\d{1,9}))?)?[分秒]?"
_DAY: Final = r"(\d{4})(?:[-/.]|年)(\d{1,2})(?:[-/.]|月)(\d{1,2})"
_DAY_ONLY: Final = re.compile(rf"{_DAY}日?|(\d{{4}})(\d\d)(\d\d)", re.ASCII)
_CLOCK_ONLY: Final = re.compile(rf"{_CLOCK}|(\d?\d)(\d\d)(\d\d)", re.ASCII)  # 80509: a number lost its zero
_SERIAL: Final = re.compile(r"(\d{1,5})(?:\.(\d{1,15}))?", re.ASCII)
_LAST_SERIAL: Final = 80_000
_OFFSET: Final = r"\s?(Z|[+-]\d\d:?\d\d)?"
_TIME: Final = re.compile(rf"{_DAY}(?:日\s?|T|\s){_CLOCK}{_OFFSET}", re.ASCII)
_COMPACT: Final = re.compile(rf"(\d{{4}})(\d\d)(\d\d)[T\s]?(\d\d):?(\d\d)(?::?(\d\d))?(){_OFFSET}", re.ASCII)
_NO_CLOCK: Final = "只有日期，没有时刻 · a date without the time of day"
_SHORT_CLOCK: Final = "时刻不足 5 位，分不清时分秒 · fewer than 5 digits: hours, minutes or seconds?"
_NO_TIME: Final = "应为时间，如 2026-03-02 08:05:09 · must be a time such as 2026-03-02 08:05:09"


def text_of(cell: Cell) -> str:
    """The cell as text, without spaces at its ends, spreadsheet quoting and control characters."""
    return unquoted(cell if isinstance(cell, str) else str(cell))


def number_of(cell: Cell, digits: int, field: str = "", factor: Fraction = _ONE) -> int | None:
    """A quantity or a sum times 10**digits, exactly; None for an empty cell. ``factor``: of its column's unit; a unit that
    stands in the cell itself wins.

    Takes thousands separators (1,234.50), brackets for minus, a leading ￥, a trailing unit (升 L 毫升 元 分 度 kWh), full-width digits.
    """
    text = plain(text_of(cell)) if isinstance(cell, str) else "x"
    if text in _NOTHING:
        return None
    if bracketed := _BRACKETED.fullmatch(text):
        text = f"-{bracketed[1]}{bracketed[2]}"
    if signed := _SIGNED_MONEY.fullmatch(text):
        text = f"{signed[2]}{signed[1]}{signed[3]}"
    match = _UNIT.fullmatch(text)
    number = match[1] if match else text
    if match and match[2]:
        own = cell_factor(field, match[2])
        if own is None:
            raise ValueError(f"不认识的单位“{match[2].strip()}” · unknown unit: {match[2].strip()}")
        factor = own
    if "," in number:
        if not _GROUPED.fullmatch(number):
            raise ValueError("千分位不规则 · the thousands separators are not regular")
        number = number.replace(",", "")
    if (point := _POINT.fullmatch(number)) and (
        point[2] or point[3]
    ):  # 300. and .5, as the format #.## shows them
        number = f"{point[1]}{point[2] or '0'}.{point[3] or '0'}"
    if factor == 1:
        return scaled(number, digits)
    exact = Fraction(scaled(number, _FINEST)) * factor / 10 ** (_FINEST - digits)
    if exact.denominator != 1:
        raise ValueError(f"至多 {digits} 位小数 · at most {digits} decimals")
    return int(exact)


def code_of(cell: Cell) -> str:
    """The number of a card or a record: without spaces, full-width digits as ASCII; "" for an empty cell. Raises
    ValueError for one that a spreadsheet has changed: its last digits are not those of the card."""
    text = normal_code(text_of(cell))
    if isinstance(cell, Numeric) and "." in text:
        raise ValueError("号码应为整数，单元格中有小数 · a number of a card or a record has no decimals")
    if _SCIENTIFIC.fullmatch(text) or (isinstance(cell, Numeric) and len(text.lstrip("+-0")) > _KEPT_DIGITS):
        raise ValueError(LOST_DIGITS)
    return "" if text in _NOTHING else text


def rounded_codes(codes: Iterable[str]) -> bool:
    """Whether the numbers of a column of text look as if a spreadsheet had rounded them: three and more different ones
    longer than 15 digits, and behind the 15th there are zeros only."""
    long = {code for code in codes if _is_long(code)}
    return len(long) >= 3 and not any(map(is_exact, long))


def is_exact(code: str) -> bool:
    """Whether a number has more than 15 digits and says something behind them: no spreadsheet has rounded its column."""
    return _is_long(code) and bool(code[_KEPT_DIGITS:].strip("0"))


def _is_long(code: str) -> bool:
    return len(code) > _KEPT_DIGITS and code.isascii() and code.isdigit()


def day_of(cell: Cell) -> date:
    """A day, from a cell with a date (and perhaps a time)."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if (serial := _serial(cell)) is not None and serial.days:
        return serial.on.date()
    match = _DAY_ONLY.fullmatch(_joined(cell)) if isinstance(cell, str) else None
    if match is None:
        raise ValueError("应为日期，如 2026-03-02 · must be a date such as 2026-03-02")
    year, month, day = (int(part) for part in match.groups() if part is not None)
    return _existing(date, year, month, day)


def time_of(cell: Cell, day: date | None = None, zone: timezone = CHINA) -> datetime:
    """A time in UTC; in ``zone`` where the cell names no offset. ``day``: of a cell that has the clock
    alone.
    """
    if isinstance(cell, datetime):
        return parse_time(cell if cell.tzinfo else cell.replace(tzinfo=zone))
    if isinstance(cell, time):
        return _on(day, cell, zone)
    if isinstance(cell, date):
        raise ValueError(_NO_CLOCK)
    if (serial := _serial(cell)) is not None and serial.fraction:
        return (
            _on(day, serial.on.time(), zone)
            if not serial.days
            else parse_time(serial.on.replace(tzinfo=zone))
        )
    text = _joined(cell)
    match = _TIME.fullmatch(text) or _COMPACT.fullmatch(text)
    if match is None:
        clock = _CLOCK_ONLY.fullmatch(text)
        if clock is not None and day is not None:
            parts: Sequence[Any] = clock.groups()
            hour, minute, second, fraction = parts[:4] if parts[0] else (*parts[4:], None)
            return _on(day, _clock(hour, minute, second, fraction), zone)
        if day is not None and re.fullmatch(r"[0-9]{1,4}", text):
            raise ValueError(_SHORT_CLOCK)
        raise ValueError(_NO_CLOCK if _DAY_ONLY.fullmatch(text) or serial is not None else _NO_TIME)
    year, month, on, hour, minute, second, fraction, offset = match.groups()
    naive = datetime.combine(
        _existing(date, int(year), int(month), int(on)), _clock(hour, minute, second, fraction)
    )
    if offset is None:
        return parse_time(naive.replace(tzinfo=zone))
    return parse_time(_existing(datetime.fromisoformat, naive.isoformat() + offset))


@dataclass(frozen=True, slots=True)
class _Serial:
    """A number as a date: its whole days, whether it has a fraction, and the moment, to the second."""

    days: int
    fraction: bool
    on: datetime


def _serial(cell: Cell) -> _Serial | None:
    match = _SERIAL.fullmatch(cell) if isinstance(cell, Numeric) else None
    if match is None or not isinstance(cell, Numeric) or int(match[1]) > _LAST_SERIAL:
        return None
    seconds = round(Fraction(cell) * 86_400)
    return _Serial(int(match[1]), match[2] is not None, cell.epoch + timedelta(seconds=seconds))


def _joined(cell: str) -> str:
    return " ".join(plain(text_of(cell)).split())


def _on(day: date | None, clock: time, zone: timezone) -> datetime:
    if day is None:
        raise ValueError("只有时刻，没有日期 · a time of day without a date")
    return parse_time(datetime.combine(day, clock, tzinfo=zone))


def _clock(hour: str, minute: str, second: str | None, fraction: str | None) -> time:
    micro = int((fraction or "")[:6].ljust(6, "0"))
    return _existing(time, int(hour), int(minute), int(second or 0), micro)


def _existing(make: Callable[..., _T], *parts: object) -> _T:
    try:
        return make(*parts)
    except ValueError:
        raise ValueError("没有这个时刻 · no such time") from None


# --- words

_REVERSAL: Final = re.compile("撤销|撤消|冲正|退款|退货|冲销|反交易|退油")
_NO_FILL: Final = re.compile("非油|便利店|圈提|转出|查询|结息|积分")
_KINDS: Final = {
    "fee": re.compile("手续费|工本费|年费|服务费|补卡|换卡|挂失|滞纳金"),
    "top_up": re.compile("圈存|充值|分配|转入|转账|返利|划拨|存入|备用金|预存|汇入"),
    "fill": re.compile("加油|消费|充电|加气|购油|提油|用油"),
}
_ELECTRIC: Final = re.compile("充电|电能|电费|电量|^电$|kwh|千瓦时")
_STATUS: Final = (
    ("appealed", re.compile("申诉成功|异议成立|复议撤销|复议成功|诉讼撤销")),
    ("revoked", re.compile("撤销|撤消|作废")),  # 已处理(已撤销): handled before, and then taken back
    ("handled", re.compile("已处理|已处罚|已裁决|已缴|已交|已办|办结|处理完毕|驳回|申诉失败|维持|不予撤")),
    ("open", re.compile("未|待|拟|申请|处理中|申诉中|复议中|撤[销消]中")),
    ("revoked", re.compile("注销|删除|无效")),
)
# 撤销 that is not, not yet, or of a driving licence.
_NOT_TAKEN_BACK: Final = re.compile(
    "[未不待拟](?:予|被|曾)?(?:撤|作废)|申请(?:中|撤)|撤[销消](?:申请|中|失败|机动车|驾驶)|驳回|维持"
)

Words = Mapping[str, str]


def kind_of(word: str, product: str, own: Words) -> str:
    """fill, top_up, reversal, fee or other, of 交易类型 as written. ``own``: the office's words, which win.

    Goods that are no fuel (``product``) are no fill. What takes back a top-up or a fee is ``other``. Raises
    ValueError for a word that says none or two of them.
    """
    text = name_key(word)
    mine = {name_key(key): value for key, value in own.items()}
    if text in mine:
        return mine[text]
    if text in ("fill", "top_up", "reversal", "fee", "other"):
        return text
    if _NO_FILL.search(text):
        return "other"
    said = [kind for kind, pattern in _KINDS.items() if pattern.search(text)]
    if _REVERSAL.search(text):
        return "reversal" if said in ([], ["fill"]) else "other"
    if len(said) != 1:
        raise ValueError(
            f"不认识的交易类型 {word[:40]}，请在对照文件的 words.kind 中说明"
            " · unknown kind of transaction; explain it in the mapping's words.kind"
        )
    return "other" if said == ["fill"] and is_goods(product) else said[0]


def energy_of(*texts: str) -> str:
    """electric or fuel, of whatever says so: product, unit of the quantity, kind."""
    return "electric" if any(_ELECTRIC.search(name_key(text)) for text in texts) else "fuel"


def status_of(word: str, own: Words) -> str:
    """open, handled, revoked or appealed, of 处理状态 as written; "" is open."""
    text = name_key(word)
    mine = {name_key(key): value for key, value in own.items()}
    if text in mine:
        return mine[text]
    if text in ("", "open", "handled", "revoked", "appealed"):
        return text or "open"
    for status, pattern in _STATUS:
        if pattern.search(text) and not (status == "revoked" and _NOT_TAKEN_BACK.search(text)):
            return status
    raise ValueError(
        f"不认识的处理状态 {word[:40]}，请在对照文件的 words.status 中说明"
        " · unknown status; explain it in the mapping's words.status"
    )
