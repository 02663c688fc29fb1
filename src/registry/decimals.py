"""Decimal numbers read and written exactly: no binary float comes between a statement and the database.
Pure.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

# No record of ours nests deeper than a GeoJSON fence in a batch, 8.
MAX_DEPTH: Final = 100
#: Values of one text: 20,000 records of all fields have a tenth of it.
MAX_VALUES: Final = 2_000_000
#: Longest number of JSON that is read as one, in characters, and its largest exponent.
MAX_DIGITS: Final = 40
_DECIMAL: Final = re.compile(r"([+-]?)([0-9]{1,15})(?:\.([0-9]{1,40}))?", re.ASCII)
_NO_NUMBER: Final = "应为十进制数，如 45.32 · must be a decimal number such as 45.32"


class NoNumber:
    """A number of JSON that is too long or has too large an exponent."""


def scaled(value: object, digits: int) -> int:
    """``value`` times 10**digits, exactly. Takes decimal text, int and Decimal; never a float.

    Raises ValueError for what is no number, has more than ``digits`` decimals, or 16 and more digits before
    the point.
    """
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int) or value.adjusted() > 14:
            raise ValueError(_NO_NUMBER)
        value = format(value, "f") if exponent >= -40 else "0." + "1" * 40
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**15 else ""
    match = _DECIMAL.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(_NO_NUMBER)
    sign, whole, fraction = match[1], match[2], (match[3] or "").rstrip("0")
    if len(fraction) > digits:
        raise ValueError(f"至多 {digits} 位小数 · at most {digits} decimals")
    number = int(whole + fraction.ljust(digits, "0"))
    return -number if sign == "-" else number


def decimal_text(number: int, digits: int) -> str:
    """``number`` / 10**digits as text with at least two decimals: (45320, 3) is ``45.32``."""
    whole, fraction = divmod(abs(number), 10**digits)
    places = str(fraction).rjust(digits, "0").rstrip("0").ljust(2, "0")
    return f"{'-' if number < 0 else ''}{whole}.{places}"


def exact_json(data: bytes) -> Any:
    """JSON whose numbers with a point are Decimals. Raises orjson.JSONDecodeError for what is not JSON, and for more than
    MAX_VALUES values."""
    if data.count(b",") > MAX_VALUES:
        raise orjson.JSONDecodeError("too many values", "", 0)
    found = orjson.loads(data)  # strict: no NaN, no lone surrogate, UTF-8 alone
    if _deeper(found, MAX_DEPTH):  # the same on every Python: since 3.12 its own limit is another one
        raise orjson.JSONDecodeError("nested too deeply", "", 0)
    return json.loads(data, parse_float=_fraction, parse_int=_whole)


def _deeper(value: Any, limit: int) -> bool:
    """Whether lists and objects lie more than ``limit`` deep in each other."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (
                outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ()
            )
            if isinstance(inner, list | dict)
        ]
        if not level:
            return False
    return True


def _fraction(text: str) -> object:
    """A Decimal that may safely be made a whole number: of 1e-999999999 that takes for ever. What is longer or has a larger
    exponent than any value of ours is no number, and no text either: no field takes it."""
    if len(text) > MAX_DIGITS:
        return NoNumber()
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond every limit
        return NoNumber()
    exponent = number.as_tuple().exponent
    return number if isinstance(exponent, int) and abs(exponent) <= MAX_DIGITS else NoNumber()


def _whole(text: str) -> object:
    return int(text) if len(text) <= MAX_DIGITS else NoNumber()
