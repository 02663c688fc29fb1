"""Metrics of the links. Their names come from the operator, the reasons from fixed sets: nothing grows with what strangers send."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from prometheus_client import Counter, Gauge

POSITIONS: Final = Counter(
    "gongche_exchange809_positions_total",
    "Positions of a link: sent as they came, sent again or late, taken, withheld",
    ["link", "what"],
)
REFUSED: Final = Counter(
    "gongche_exchange809_refused_total", "What came over a link and was not taken", ["link", "reason"]
)
STRANGERS: Final = Counter(
    "gongche_exchange809_strangers_total", "Connections that were ended before they had logged in", ["reason"]
)
LOGINS: Final = Counter(
    "gongche_exchange809_logins_total", "Answers to logins, by result", ["link", "result"]
)
UP: Final = Gauge("gongche_exchange809_up", "Whether a link is there", ["link", "which"])
UNCONFIRMED: Final = Gauge(
    "gongche_exchange809_unconfirmed_seconds",
    "For how long a platform above has not confirmed what it was sent",
    ["link"],
)
_WHICH: Final = ("main", "subordinate")
FAULTS: Final = Counter("gongche_exchange809_faults_total", "Turns on which the program failed")


def begin(link: str) -> None:
    """A link is on the list, and not there yet."""
    UP.labels(link, "main").set(0)


def forget(link: str) -> None:
    """A link is not on the list any more: no alarm stands for it."""
    for which in _WHICH:
        with suppress(KeyError):
            UP.remove(link, which)
    with suppress(KeyError):
        UNCONFIRMED.remove(link)
