"""Pictures and sound that simulated devices take: made here, baseline JPEG (ITU-T T.81) and PCM WAV, with nothing in them of anybody."""

from __future__ import annotations

import io
import math
import wave
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Resolution codes of 0x8801 -> width, height. What is larger is taken at 640 x 480, as a cheap camera does.
_SIZES: Final = {1: (320, 240), 2: (640, 480), 5: (176, 144), 6: (352, 288), 0: (176, 144)}
_LARGEST: Final = (640, 480)
_RATE_HZ: Final = 8_000

Pixels = NDArray[np.float64]

# --- the scene ----------------------------------------------------------------------------------------------------

#: 3 x 5 dots a character, a row in three bits.
_GLYPHS: Final = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71111", "8": "75757",
    "9": "75717", "-": "00700", ":": "02020", " ": "00000", "S": "74717", "I": "72227", "M": "57755",
}  # fmt: skip


def size_of(resolution: int) -> tuple[int, int]:
    """Width and height for a code of 0x8801."""
    return _SIZES.get(resolution, _LARGEST)


def photograph(width: int, height: int, channel: int, stamp: str) -> bytes:
    """A JPEG of an invented road, or for an even ``channel`` of an empty cabin, with ``SIM`` and ``stamp`` (digits, ``-:`` and blanks)
    written on it."""
    rows, columns = np.mgrid[0:height, 0:width]
    down, across = rows / height, columns / width
    if channel % 2:
        grey = 200.0 - 60.0 * down
        road = (down > 0.45) & (np.abs(across - 0.5) < (down - 0.4) * 0.9)
        line = road & (np.abs(across - 0.5) < 0.02 * down) & ((down * 12).astype(int) % 2 == 0)
        grey = np.where(down > 0.45, 110.0, grey)
        grey = np.where(road, 80.0, grey)
        grey = np.where(line, 235.0, grey)
    else:
        grey = 60.0 + 40.0 * across
        seats = (np.abs(down - 0.65) < 0.25) & (np.abs(np.abs(across - 0.5) - 0.22) < 0.12)
        grey = np.where(seats, 130.0 - 60.0 * down, grey)
    _write(grey, f"SIM {stamp}", dot=max(1, width // 160))
    return jpeg(grey)


def _write(grey: Pixels, text: str, dot: int) -> None:
    """``text`` in white on black in the upper left corner."""
    grey[: 7 * dot, : (4 * len(text) + 1) * dot] = 0.0
    for at, character in enumerate(text):
        for row, bits in enumerate(_GLYPHS.get(character, _GLYPHS[" "])):
            for column in range(3):
                if int(bits) >> (2 - column) & 1:
                    top, left = (1 + row) * dot, (1 + 4 * at + column) * dot
                    grey[top : top + dot, left : left + dot] = 255.0


# --- JPEG, one component ------------------------------------------------------------------------------------------

#: T.81 K.1, times two: smaller files than at its quality.
_QUANTISERS: Final = 2 * np.array(
    (16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
     18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100,
     103, 99),
).reshape(8, 8)  # fmt: skip
_ZIGZAG: Final = np.array(
    sorted(range(64), key=lambda k: (k // 8 + k % 8, k // 8 if (k // 8 + k % 8) % 2 else k % 8))
)
#: T.81 K.3: how many codes of each length, and their symbols, for differences of DC.
_DC_COUNTS, _DC_SYMBOLS = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)), bytes(range(12))
#: T.81 K.5, for AC.
_AC_COUNTS: Final = bytes((0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125))
_AC_SYMBOLS: Final = bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748"
    "494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3"
    "c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)


def _codes(counts: bytes, symbols: bytes) -> dict[int, tuple[int, int]]:
    """Symbol -> (code, its bits): T.81 annex C."""
    found, code, at = {}, 0, 0
    for length, count in enumerate(counts, 1):
        for symbol in symbols[at : at + count]:
            found[symbol] = (code, length)
            code += 1
        at += count
        code <<= 1
    return found


_DC, _AC = _codes(_DC_COUNTS, _DC_SYMBOLS), _codes(_AC_COUNTS, _AC_SYMBOLS)
_COSINES: Final = np.array(
    [[math.sqrt((1 if u == 0 else 2) / 8) * math.cos((2 * x + 1) * u * math.pi / 16) for x in range(8)] for u in range(8)]
)  # fmt: skip


def jpeg(grey: Pixels) -> bytes:
    """A baseline JPEG with one component of ``grey``, shape (height, width), 0 to 255; both sides are multiples of 8."""
    height, width = grey.shape
    blocks = (grey - 128.0).reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
    coefficients = np.rint(_COSINES @ blocks @ _COSINES.T / _QUANTISERS).astype(int)
    scan = _entropy_coded(coefficients.reshape(-1, 64)[:, _ZIGZAG])
    return b"".join((
        b"\xff\xd8",
        _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        _segment(0xDB, b"\0" + _QUANTISERS.reshape(64)[_ZIGZAG].astype(np.uint8).tobytes()),
        _segment(0xC0, b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x01\x01\x11\0"),
        _segment(0xC4, b"\0" + _DC_COUNTS + _DC_SYMBOLS),
        _segment(0xC4, b"\x10" + _AC_COUNTS + _AC_SYMBOLS),
        _segment(0xDA, b"\x01\x01\0\0\x3f\0"),
        scan,
        b"\xff\xd9",
    ))  # fmt: skip


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def _entropy_coded(rows: NDArray[np.int_]) -> bytes:
    """T.81 annex F of blocks in zigzag order, shape (n, 64)."""
    out: list[str] = []
    before = 0
    for row in rows.tolist():
        difference, before = row[0] - before, row[0]
        out.append(_word(_DC, difference.bit_length(), difference))
        run = 0
        last = max((k for k in range(1, 64) if row[k]), default=0)
        for value in row[1 : last + 1]:
            if value == 0:
                run += 1
                continue
            while run > 15:
                out.append(_word(_AC, 0xF0, 0))
                run -= 16
            out.append(_word(_AC, run << 4 | value.bit_length(), value))
            run = 0
        if last < 63:
            out.append(_word(_AC, 0, 0))
    bits = "".join(out)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def _word(table: dict[int, tuple[int, int]], symbol: int, value: int) -> str:
    """The code of ``symbol`` and the bits of ``value`` behind it."""
    code, length = table[symbol]
    size = symbol & 0xF
    low = value if value >= 0 else value + (1 << size) - 1
    return f"{code:0{length}b}" + (f"{low:0{size}b}" if size else "")


# --- sound --------------------------------------------------------------------------------------------------------


def sound(seconds: float) -> bytes:
    """A WAV of a quiet tone, 8 kHz, 8 bits."""
    steps = np.arange(round(seconds * _RATE_HZ))
    samples = np.rint(128 + 20 * np.sin(2 * np.pi * 440 / _RATE_HZ * steps)).astype(np.uint8)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(_RATE_HZ)
        out.writeframes(samples.tobytes())
    return file.getvalue()
