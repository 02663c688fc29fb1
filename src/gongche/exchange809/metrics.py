"""Metrics of the links. Their names come from the operator, the reasons from fixed sets: nothing grows with what strangers send."""

from __future__ import annotations

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
FAULTS: Final = Counter("gongche_exchange809_faults_total", "Turns on which the program failed")
