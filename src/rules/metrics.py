"""Metrics of the worker. Every row that came in is stored or a duplicate; every record is decoded or
rejected."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

ROWS = Counter("gongche_worker_rows_total", "Rows of positions taken from the log", ["result"])
RECORDS = Counter("gongche_worker_records_total", "Records taken from the log", ["result"])
JUDGED = Counter(
    "gongche_worker_judged_rows_total", "Stored rows by what the track kernels did with them", ["result"]
)
TRANSACTIONS = Counter("gongche_worker_transactions_total", "Transactions by how they ended", ["result"])
ALERTS = Counter("gongche_worker_alert_versions_total", "Versions of alerts written", ["rule", "status"])
EVALUATIONS = Counter("gongche_worker_evaluations_total", "Judgements made", ["rule", "outcome"])
RECOMPUTED = Counter("gongche_worker_recomputed_vehicles_total", "Vehicles recomputed", ["cause"])
TRANSACTION_SECONDS = Histogram("gongche_worker_transaction_seconds", "Time of one transaction")
LAG_RECORDS = Gauge("gongche_worker_log_lag_records", "Records of the log not processed yet")
DELAY_SECONDS = Histogram(
    "gongche_worker_delay_seconds", "From receipt of a position to its commit",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
)  # fmt: skip
