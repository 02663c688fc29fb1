"""What the keeper of reports counts. Exactly: read = stored + stored without its file + duplicates + rejected + set aside for a fault."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

READ = Counter(
    "gongche_reports_read_total", "Reports of terminals read from the log, each once it is settled."
)
SETTLED = Counter(
    "gongche_reports_settled_total",
    "What became of reports: stored, stored_without_file (no room), duplicate, rejected (it cannot be read), fault (the program failed"
    " on it: set aside).",
    ["outcome"],
)
RECORDS_ASIDE = Counter(
    "gongche_reports_records_aside_total",
    "Records of the topic that are none of ours, or that the log could not read.",
)
FAULTS = Counter(
    "gongche_reports_faults_total", "Faults of the program while reports were stored; it went on."
)
LAG = Gauge("gongche_reports_lag_records", "Records of the topic of reports that are not processed yet.")
TURN_SECONDS = Gauge(
    "gongche_reports_turn_seconds",
    "For how long no turn over the topic of reports was finished: log, database or folder.",
)
MEDIA_BYTES = Gauge("gongche_reports_media_bytes", "What the files of terminals take, by their rows.")
MEDIA_FILES = Gauge("gongche_reports_media_files", "How many files of terminals are stored, by their rows.")
MEDIA_QUOTA = Gauge("gongche_reports_media_quota_bytes", "GONGCHE_MEDIA_QUOTA_MB.")
OUTCOMES = ("stored", "stored_without_file", "duplicate", "rejected", "fault")
for _each in OUTCOMES:
    SETTLED.labels(_each)
