"""How long a sender waits after a failure. Pure."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 1.0
MOST_S: Final = 300.0


def pause_s(failures: int, asked_s: float | None, chance: random.Random, most_s: float = MOST_S) -> float:
    """Seconds to wait after ``failures`` (1, 2, ...) in a row: doubled each time up to ``most_s``, of which a random half, so that
    many senders do not come back at once. What the receiver asked for (``asked_s``) is waited for at least, and a little more."""
    own = min(FIRST_S * 2.0 ** min(failures - 1, 30), most_s)
    own *= chance.uniform(0.5, 1.0)
    return own if asked_s is None else max(own, asked_s * chance.uniform(1.0, 1.2))
