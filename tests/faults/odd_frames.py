"""Valid frames of odd content, as terminals of many makers and broken firmware might send them: every frame has a right checksum and
header, what is in it may be anything."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from runtime.units import CHINA

#: (message id, body) of one message; a body of more than a frame is sent as sub-packages.
Message = tuple[int, bytes]

_ITEM_IDS: Final = (
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x25, 0x2A, 0x2B, 0x30, 0x31, 0x64,
    0x65, 0x66, 0x67, 0xE0, 0xE1, 0xE2, 0xE7, 0xEB, 0xFE, 0x00, 0xFF,
)  # fmt: skip
_EXTREMES: Final = (0, 1, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF)
_LAT: Final = (31_000_000, 90_000_000, 90_000_001, 180_000_000, *_EXTREMES)
_MOST_BODY: Final = 1_000


class OddFrames:
    """What one terminal sends; another seed is another terminal."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._last: list[Message] = []
        self._layout = 0

    def message(self) -> Message:
        """The next one: mostly positions, now and then one of the last ones once more."""
        chosen = self._random.choices(
            [self._position, self._batch, self._queried, self._layouts, self._again, self._other],
            weights=[60, 12, 4, 10, 8, 6],
        )[0]
        made: Message = chosen()
        self._last = [*self._last[-20:], made]
        return made

    # ---- messages ----

    def _position(self) -> Message:
        return 0x0200, self._report()

    def _batch(self) -> Message:
        pick = self._random.choice
        reports = [self._report(200) for _ in range(pick([0, 1, 2, 5, 12]))]
        body = b"".join(len(r).to_bytes(2, "big") + r for r in reports)
        count = len(reports) if self._random.random() < 0.9 else self._random.randrange(65536)
        return 0x0704, count.to_bytes(2, "big") + bytes((pick([0, 0, 1, 1, 2, 255]),)) + body

    def _queried(self) -> Message:
        return 0x0201, self._random.randrange(65536).to_bytes(2, "big") + self._report(300)

    def _layouts(self) -> Message:
        """Another length of one vendor item each time, without any other item: as many layouts as positions."""
        self._layout = self._layout % 255 + 1
        return 0x0200, self._basic() + bytes((0xE1, self._layout)) + self._random.randbytes(self._layout)

    def _again(self) -> Message:
        return self._random.choice(self._last) if self._last else self._position()

    def _other(self) -> Message:
        kind = self._random.choice([0x0002, 0x0001, 0x0005, 0x0900, 0x0702, 0x0801, 0x0107, 0x0F01])
        return kind, self._random.randbytes(self._random.choice([0, 1, 5, 36, 300]))

    # ---- a report ----

    def _report(self, most: int = _MOST_BODY) -> bytes:
        report = self._basic()
        return report + self._items(most - len(report))

    def _basic(self) -> bytes:
        r = self._random
        usual = r.random() < 0.5
        lat = 31_000_000 + r.randrange(-60_000, 60_000) if usual else r.choice(_LAT)
        lon = 121_000_000 + r.randrange(-60_000, 60_000) if usual else r.choice(_LAT)
        status = r.choice([3, 3, 3, 2, 0, 0xFFFFFFFF, r.getrandbits(32)])
        return (
            r.choice([0, 0, 0xFFFFFFFF, r.getrandbits(32)]).to_bytes(4, "big")
            + status.to_bytes(4, "big")
            + lat.to_bytes(4, "big")
            + lon.to_bytes(4, "big")
            + r.choice([8, 0x7FFF, 0x8000, 0xFFFF, r.getrandbits(16)]).to_bytes(2, "big")
            + r.choice([0, 456, 0xFFFF, r.getrandbits(16)]).to_bytes(2, "big")
            + r.choice([0, 90, 359, 360, 0xFFFF]).to_bytes(2, "big")
            + self._time()
        )

    def _time(self) -> bytes:
        r = self._random
        now = datetime.fromtimestamp(int(time.time()), UTC).astimezone(CHINA)
        moves: list[Callable[[], datetime]] = [
            lambda: now,
            lambda: now.replace(second=0),  # many of one second
            lambda: now - timedelta(seconds=r.randrange(86_400)),
            lambda: now - timedelta(days=r.randrange(1, 500)),
            lambda: now + timedelta(days=r.randrange(0, 4), hours=r.randrange(24)),
            lambda: now - timedelta(hours=8),
            lambda: datetime(2000 + r.randrange(100), r.randrange(1, 13), r.randrange(1, 29), tzinfo=CHINA),
        ]
        if r.random() < 0.1:
            return r.choice([bytes(6), b"\xff" * 6, bytes.fromhex("260231250000"), r.randbytes(6)])
        said = r.choices(moves, weights=[40, 10, 20, 4, 4, 4, 4])[0]()
        return bytes.fromhex(f"{said:%y%m%d%H%M%S}")

    def _items(self, most: int) -> bytes:
        r = self._random
        made = b""
        for _ in range(r.choice([0, 0, 1, 2, 5, 40])):
            length = r.choice([0, 1, 2, 3, 4, 4, 4, 5, 8, 9, 27, 100, 255, r.randrange(256)])
            value = r.choice(
                [bytes(length), b"\xff" * length, r.randbytes(length), b"\x7e\x7d" * (length // 2 + 1)]
            )[:length]
            item = bytes((r.choice(_ITEM_IDS) if r.random() < 0.9 else r.randrange(256), length)) + value
            if len(made) + len(item) > most:
                break
            made += item
        if r.random() < 0.05 and len(made) + 3 <= most:
            made += bytes((r.choice(_ITEM_IDS), 200, 1))  # says more than there is
        return made
