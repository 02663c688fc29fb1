"""Metrics of the worker. Every row that came in is stored, a duplicate or in the quarantine; every record is decoded, rejected
or in the quarantine."""

from __future__ import annotations

import time
from collections import Counter as Counts
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

from registry.unreadable import CLOCK_CORRECTION, KINDS_OF_FLEET, Unreadable

ROWS = Counter("gongche_worker_rows_total", "Rows of positions taken from the log", ["result"])
RECORDS = Counter("gongche_worker_records_total", "Records taken from the log", ["result"])
RETRIED = Counter(
    "gongche_worker_quarantine_retried_rows_total", "Rows of the quarantine that were tried again", ["result"]
)
QUARANTINE_ENTRIES = Gauge("gongche_worker_quarantine_entries", "What is set aside: parts of records")
QUARANTINE_ROWS = Gauge("gongche_worker_quarantine_rows", "What is set aside: positions")
PUT_OFF = Gauge(
    "gongche_worker_put_off_vehicles",
    "Vehicles whose computation failed for a fault of the program and is put off",
)
FAULTS = Counter(
    "gongche_worker_faults_total", "Faults of the program that the worker went on after, by where", ["where"]
)
EXPIRED = Counter(
    "gongche_worker_quarantine_expired_rows_total",
    "Rows of the quarantine that were deleted at the end of the retention",
)
RECORDS_LOST = Counter(
    "gongche_worker_records_lost_total", "Records that the log deleted before they were processed"
)
JUDGED = Counter(
    "gongche_worker_judged_rows_total", "Stored rows by what the track kernels did with them", ["result"]
)
TRANSACTIONS = Counter("gongche_worker_transactions_total", "Transactions by how they ended", ["result"])
ALERTS = Counter("gongche_worker_alert_versions_total", "Versions of alerts written", ["rule", "status"])
REMINDERS = Counter(
    "gongche_worker_reminders_total", "Reasons to remind a driver, by what became of them", ["condition", "result"]
)  # fmt: skip
EVALUATIONS = Counter("gongche_worker_evaluations_total", "Judgements made", ["rule", "outcome"])
RECOMPUTED = Counter("gongche_worker_recomputed_vehicles_total", "Vehicles recomputed", ["cause"])
RECOMPUTING = Gauge(
    "gongche_worker_recomputing_vehicles", "Vehicles that wait to be computed again, or are being"
)
SLICE_ROWS = Counter("gongche_worker_recomputed_rows_total", "Stored positions taken once more, in slices")
SLICE_SECONDS = Histogram(
    "gongche_worker_slice_seconds", "Time of one slice of recomputation, between two live transactions",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 10),
)  # fmt: skip
TRANSACTION_SECONDS = Histogram("gongche_worker_transaction_seconds", "Time of one transaction")
TRANSACTION_ROWS = Histogram(
    "gongche_worker_transaction_rows", "Rows of positions of one committed transaction",
    buckets=(0, 1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144),
)  # fmt: skip
STEP_SECONDS = Histogram(
    "gongche_worker_step_seconds", "Time of one step of a transaction", ["step"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)  # fmt: skip
RULE_SECONDS = Counter(
    "gongche_worker_rule_seconds_total", "Time spent judging by each rule, its reading of tracks included", ["rule"]
)  # fmt: skip
LAG_SECONDS = Gauge(
    "gongche_worker_log_lag_seconds", "Age of the oldest record of the log not processed yet, 0 = none waits"
)
CLOCKS = Counter(
    "gongche_worker_clocks_total", "Clocks of terminals found wrong by a constant, or right again", ["found"]
)
CLOCKS_IN_DOUBT = Gauge(
    "gongche_worker_clocks_in_doubt",
    "Terminals whose clock is wrong by a constant and not corrected: no evidence",
)
RECORDS_UNREADABLE = Counter(
    "gongche_worker_records_unreadable_total",
    "Damaged records that the log itself could not read; they are in the quarantine, their positions are lost to judging",
)
UNREADABLE_FACTS = Gauge(
    "gongche_worker_unreadable_facts",
    "Facts of the registry that cannot be read; the vehicles they concern are not judged",
    ["kind"],
)
HELD_ROWS = Gauge(
    "gongche_worker_held_rows", "Rows of orders and fences in memory, superseded ones among them"
)
RELOADS = Counter("gongche_worker_reloads_total", "Times the memory was loaded afresh to bound it")
HOUSEKEEPING_FAILURES = Counter(
    "gongche_worker_housekeeping_failures_total", "Times that something old could not be dropped", ["part"]
)
ODD_DATES_BYTES = Gauge(
    "gongche_worker_odd_dates_bytes",
    "Disk space of positions whose date no day partition is for",
    ["partition"],
)
TABLE_BYTES = Gauge(
    "gongche_worker_table_bytes",
    "Disk space of a table that grows, its indexes and partitions included",
    ["table"],
)
ORDERS = Gauge(
    "gongche_worker_orders", "Orders that somebody has to see to: overdue, or a backfill that waits for an approver", ["what"]
)  # fmt: skip
LAG_RECORDS = Gauge("gongche_worker_log_lag_records", "Records of the log not processed yet")
DELAY_SECONDS = Histogram(
    "gongche_worker_delay_seconds", "From receipt of a position to its commit",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
)  # fmt: skip

for _result in ("stored", "duplicate", "quarantined"):  # there from the start, so that an increase is seen
    ROWS.labels(_result)
for _result in ("decoded", "rejected", "quarantined"):
    RECORDS.labels(_result)
for _where in ("records", "slice", "changes", "clock", "retry", "reminders"):
    FAULTS.labels(_where)
for _kind in (*KINDS_OF_FLEET, CLOCK_CORRECTION):
    UNREADABLE_FACTS.labels(_kind)


def show_unreadable(facts: Iterable[Unreadable]) -> None:
    """Set the gauge of facts that cannot be read, of the kinds that the worker reads as a whole."""
    counts = Counts(fact.kind for fact in facts)
    for kind in KINDS_OF_FLEET:
        UNREADABLE_FACTS.labels(kind).set(counts[kind])


@contextmanager
def rule_seconds(rule: str) -> Iterator[None]:
    """Count the time of the block as that of ``rule``, also when it fails."""
    started = time.perf_counter()
    try:
        yield
    finally:
        RULE_SECONDS.labels(rule).inc(time.perf_counter() - started)
