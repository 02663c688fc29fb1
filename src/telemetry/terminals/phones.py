"""How a terminal's phone number is stored: the one form in which everybody looks it up."""

from __future__ import annotations


def stored_phone(phone: str) -> str:
    """``phone`` in capitals (a few terminals have hexadecimal digits) and without leading zeros, of which the 2011 and the 2019
    protocol send different numbers; "0" when all are zeros."""
    return phone.upper().lstrip("0") or "0"
