"""Units and time zones that headers and cells of statements name: what is known is converted exactly, the rest refused. Pure."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone
from fractions import Fraction
from typing import Final

from registry.spelling import name_key
from runtime.units import CHINA

#: What stands in brackets of a header, in one spelling of the header.
BRACKETS: Final = re.compile(r"[(\[【〔「<](.*?)[)\]】〕」>]")
_SAYS_UNIT: Final = re.compile(r"(单位|计量单位|unit)[:=]?")

#: Factors to the unit that is stored: litres (kWh for electricity), yuan, yuan a litre.
_VOLUME: Final[dict[str, int | Fraction]] = {
    "l": 1, "升": 1, "公升": 1, "lt": 1, "litre": 1, "liter": 1, "litres": 1, "liters": 1,
    "ml": Fraction(1, 1000), "毫升": Fraction(1, 1000), "千升": 1000, "kl": 1000,
    "kwh": 1, "kw.h": 1, "kw·h": 1, "度": 1, "千瓦时": 1, "wh": Fraction(1, 1000), "瓦时": Fraction(1, 1000), "mwh": 1000, "兆瓦时": 1000,
}  # fmt: skip
_MONEY: Final[dict[str, int | Fraction]] = {
    "元": 1, "圆": 1, "¥": 1, "￥": 1, "rmb": 1, "cny": 1, "yuan": 1, "人民币": 1, "人民币元": 1, "元人民币": 1,
    "角": Fraction(1, 10), "分": Fraction(1, 100), "cent": Fraction(1, 100), "百元": 100, "千元": 1000, "万元": 10_000, "万": 10_000,
}  # fmt: skip
_POINTS: Final[dict[str, int | Fraction]] = {"分": 1, "分值": 1}
_KINDS: Final[dict[str, dict[str, int | Fraction]]] = {
    "quantity": _VOLUME, "unit_price": _MONEY, "amount": _MONEY, "balance": _MONEY, "fine": _MONEY, "points": _POINTS,
}  # fmt: skip
#: What stands behind a price: 元/升. The unit of the quantity is converted by itself.
_PER: Final = frozenset({"l", "升", "公升", "kwh", "度", "千瓦时"})
#: Words in brackets that are no unit.
_REMARKS: Final = re.compile(
    r"含税|不含税|必填|选填|可空|非必填|格式|实付|实收|实际|优惠[前后]|折[前后]|y{2,4}|年月日|时分秒|h{1,2}:m|24小时制|本次|当次|小写|合计|整数|\d+位|保留.*小数"
)
_ZONES: Final = {
    "utc": UTC, "gmt": UTC, "世界时": UTC, "协调世界时": UTC, "格林尼治时间": UTC, "z": UTC,
    "北京时间": CHINA, "东八区": CHINA, "cst": CHINA, "中国标准时间": CHINA, "本地时间": CHINA, "当地时间": CHINA, "asia/shanghai": CHINA,
}  # fmt: skip
_OFFSET: Final = re.compile(r"(?:utc|gmt)?([+-])(\d{1,2})(?::?(\d{2}))?")


def bracketed(header: str) -> list[str]:
    """What a header says in brackets, in one spelling."""
    parts = (_SAYS_UNIT.sub("", part).strip() for part in BRACKETS.findall(name_key(header)))
    return [said for said in parts if said]


def factor_of(field: str, header: str) -> Fraction:
    """What a number of this column is multiplied by. Raises ValueError for a unit that is not known."""
    known = _KINDS.get(field)
    found = Fraction(1)
    if known is None:
        return found
    for said in bracketed(header):
        unit, slash, per = said.partition("/")
        # 元/升 is a price, never a sum; 升/度 is one quantity or the other.
        if unit in known and (not slash or (field in ("unit_price", "quantity") and per in _PER)):
            found *= known[unit]
        elif not _REMARKS.search(said):
            raise ValueError(
                f"不认识的单位“{said[:20]}”；请换算后改写表头 · unknown unit in the header; convert the column and name its unit"
            )
    return found


def zone_of(header: str) -> timezone:
    """The zone of a column of times: Asia/Shanghai where the header names none. Raises ValueError for one not known."""
    for said in bracketed(header):
        if said in _ZONES:
            return _ZONES[said]
        if offset := _OFFSET.fullmatch(said):
            minutes = int(offset[2]) * 60 + int(offset[3] or 0)
            if minutes <= 14 * 60:
                return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))
        if not _REMARKS.search(said):
            raise ValueError(
                f"不认识的时区“{said[:20]}”；请换算为北京时间 · unknown time zone in the header; convert the times to +08:00"
            )
    return CHINA


def cell_factor(field: str, unit: str) -> Fraction | None:
    """Factor of a unit written in the cell behind its number; None when it is not known. ``field`` "" knows all units."""
    known = _KINDS.get(field, {}) if field else _POINTS | _MONEY | _VOLUME
    return Fraction(known[key]) if (key := name_key(unit)) in known else None


#: Beyond these a single fill is a question of units, not a fill: litres or kWh, yuan, yuan a litre or kWh.
MOST_FILLED: Final = 1_000
MOST_PAID: Final = 20_000
MOST_A_UNIT: Final = 100
#: Quantity times price may differ from the sum by so much: discounts, never a unit.
MOST_APART: Final = 9
#: Beyond these one violation is a question of units: yuan, points.
MOST_FINED: Final = 20_000
MOST_POINTS: Final = 12


def questions(
    quantity: Fraction | None, price: Fraction | None, amount: Fraction | None
) -> list[tuple[str, str]]:
    """(field, question) of a fill whose numbers no car can have: to be answered by mending the file."""
    asked = []
    if quantity is not None and quantity > MOST_FILLED:
        asked.append(
            (
                "quantity",
                f"一次 {float(quantity):g} 升（度）超出常理，单位是否为毫升（瓦时）？ · more than {MOST_FILLED} litres or kWh at once: is the unit right?",
            )
        )
    if amount is not None and amount > MOST_PAID:
        asked.append(
            (
                "amount",
                f"一次 {float(amount):g} 元超出常理，单位是否为分？ · more than {MOST_PAID} yuan at once: is the unit right?",
            )
        )
    if price is not None and price > MOST_A_UNIT:
        asked.append(
            (
                "unit_price",
                f"单价 {float(price):g} 元超出常理，单位是否为分？ · more than {MOST_A_UNIT} yuan a unit: is the unit right?",
            )
        )
    return asked


def apart(quantity: Fraction | None, price: Fraction | None, amount: Fraction | None) -> bool:
    """Whether quantity times price and the sum are so far apart that one of them is likely to be in another unit."""
    if not quantity or not price or not amount:
        return False
    return not Fraction(1, MOST_APART) < amount / (quantity * price) < MOST_APART


def fine_questions(fine: Fraction | None, points: int | None) -> list[tuple[str, str]]:
    """(field, question) of a violation whose fine or points no law knows."""
    asked = []
    if fine is not None and fine > MOST_FINED:
        asked.append(
            (
                "fine",
                f"罚款 {float(fine):g} 元超出常理，单位是否为分？ · a fine of more than {MOST_FINED} yuan: is the unit right?",
            )
        )
    if points is not None and points > MOST_POINTS:
        asked.append(
            ("points", f"一次记分超过 {MOST_POINTS} 分，请核对 · more than {MOST_POINTS} points at once")
        )
    return asked
