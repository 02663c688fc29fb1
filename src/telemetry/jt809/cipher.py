"""The encryption of JT/T 809 (2011 clause 4.4.3, the same in 2019): each byte of the body is combined with one of a row of numbers.

    key = key mod 2^32, 1 for 0; for each byte: key = IA1 x (key mod M1) + IC1 (32 bits), byte ^= bits 20 to 27 of key

M1, IA1 and IC1 are given to the lower platform by the upper one; ``key`` is in the header of each message. It is a scrambling of 1980 and
hides nothing from who wants to know: what must be secret goes through a tunnel.
"""

from __future__ import annotations

from dataclasses import dataclass

_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Keys:
    """What both ends know: numbers of 32 bits. An M1 of 0 counts as 1."""

    m1: int
    ia1: int
    ic1: int

    def __repr__(self) -> str:
        return "Keys(...)"  # keys do not go into logs


def scramble(keys: Keys, key: int, data: bytes) -> bytes:
    """``data`` encrypted, or decrypted: it is the same."""
    m1, ia1, ic1 = keys.m1 or 1, keys.ia1, keys.ic1
    key = key & _WORD or 1
    out = bytearray(len(data))
    for place, byte in enumerate(data):
        key = (ia1 * (key % m1) + ic1) & _WORD
        out[place] = byte ^ (key >> 20 & 0xFF)
    return bytes(out)
