"""Sums of money (integer 分) for people: in yuan, and in the characters that cannot be altered (大写金额). Pure."""

from __future__ import annotations

from typing import Final

_DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"
_PLACES: Final = ("", "拾", "佰", "仟")
_GROUPS: Final = ("", "万", "亿", "万亿")
#: Larger sums have no words here: 10^16 yuan.
_MOST_YUAN: Final = 10**16


def yuan(fen: int) -> str:
    """12345 -> ``123.45``."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{rest:02d}"


def in_words(fen: int) -> str:
    """大写金额, as on a bill: 10050 -> 壹佰元零伍角整. Raises ValueError from 10^16 yuan on."""
    whole, rest = divmod(abs(fen), 100)
    if whole >= _MOST_YUAN:
        raise ValueError("金额过大 · the sum is too large")
    jiao, cent = divmod(rest, 10)
    text = f"{_whole(whole)}元" if whole else ""
    if jiao:
        # 零 where the yuan end with a nought: nobody writes a digit between.
        text += ("零" if whole and whole % 10 == 0 else "") + _DIGITS[jiao] + "角"
    elif cent and whole:
        text += "零"
    text += f"{_DIGITS[cent]}分" if cent else "整"
    if not whole and not rest:
        text = "零元整"
    return ("负" if fen < 0 else "") + text


def _whole(number: int) -> str:
    text, gap = "", False
    for place in range(len(_GROUPS) - 1, -1, -1):
        group = number // 10 ** (4 * place) % 10_000
        if not group:
            gap = gap or bool(text)
            continue
        if text and (gap or group < 1000):
            text += "零"
        text, gap = text + _group(group) + _GROUPS[place], False
    return text


def _group(group: int) -> str:
    text, gap = "", False
    for place in range(3, -1, -1):
        digit = group // 10**place % 10
        if digit:
            text += ("零" if gap and text else "") + _DIGITS[digit] + _PLACES[place]
        gap = not digit
    return text
