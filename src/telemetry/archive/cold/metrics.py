"""What the cold tier counts and shows."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

MOVED = Counter("gongche_cold_moved_rows_total", "Positions moved from PostgreSQL to files")
FAILURES = Counter(
    "gongche_cold_failures_total",
    "Days that could not be moved to files, by why; nothing was dropped",
    ["why"],
)
DAMAGED = Counter(
    "gongche_cold_damaged_total", "Times that a file of the cold tier was missing or not what was written"
)
BYTES = Gauge("gongche_cold_bytes", "Size of the files of the cold tier")
DAYS = Gauge("gongche_cold_days", "Days that are in the cold tier")
#: A day that was written to meanwhile is moved in the next turn; the others need somebody.
TOUCHED, STORE, DIFFERENT, FAULT = "written_meanwhile", "store", "different", "fault"
for _why in (TOUCHED, STORE, DIFFERENT, FAULT):
    FAILURES.labels(_why)
