"""All SQL of the tables of ``migrations/0003_judgement.sql`` and of ``log_offsets`` and ``fact_changes``.

Everything here takes a connection and runs in the transaction of the caller: the worker writes positions,
states, evaluations, alerts, consumed facts and offsets in *one* transaction, ``publish_feed`` last.

* ``model``: what goes in and out (Judgement, Alert, FeedEntry ...)
* ``judgement``: evidence, evaluations, alerts and their versions
* ``feed``: the commit-ordered feed, and what the API reads
* ``state``: vehicle states, day states
* ``results``: results of orders
* ``progress``: log offsets, records that could not be read, fact changes
"""

from rules.store.feed import (
    alert_versions,
    alerts_of_vehicles,
    evidence_body,
    evidence_of,
    feed_end,
    get_alert,
    list_alerts,
    publish_feed,
    read_feed,
    suspected_of_orders,
    suspected_subjects,
)
from rules.store.judgement import evaluations_of, publish, put_evidence
from rules.store.model import (
    Alert,
    AlertFacts,
    AlertFilter,
    Evidence,
    FactChange,
    FeedEntry,
    Judgement,
    Measure,
    OffsetConflictError,
    StoredEvaluation,
    VersionedAlert,
    alert_id,
)
from rules.store.progress import (
    claim_offsets,
    delete_fact_changes,
    drop_rejected,
    facts_waiting,
    lock_offsets,
    offsets,
    other_logs,
    rename_log,
    save_offsets,
    save_rejected,
    take_fact_changes,
)
from rules.store.results import (
    CarriedResult,
    OrderResults,
    delete_results,
    load_results,
    order_result,
    save_results,
    unsettled_orders,
)
from rules.store.state import (
    delete_day_states,
    delete_states,
    drop_day_states,
    last_fixes,
    load_day_states,
    load_states,
    outdated_states,
    save_day_states,
    save_states,
)

__all__ = [
    "Alert",
    "AlertFacts",
    "AlertFilter",
    "CarriedResult",
    "Evidence",
    "FactChange",
    "FeedEntry",
    "Judgement",
    "Measure",
    "OffsetConflictError",
    "OrderResults",
    "StoredEvaluation",
    "VersionedAlert",
    "alert_id",
    "alert_versions",
    "alerts_of_vehicles",
    "claim_offsets",
    "delete_day_states",
    "delete_fact_changes",
    "delete_results",
    "delete_states",
    "drop_day_states",
    "drop_rejected",
    "evaluations_of",
    "evidence_body",
    "evidence_of",
    "facts_waiting",
    "feed_end",
    "get_alert",
    "last_fixes",
    "list_alerts",
    "load_day_states",
    "load_results",
    "load_states",
    "lock_offsets",
    "offsets",
    "order_result",
    "other_logs",
    "outdated_states",
    "publish",
    "publish_feed",
    "put_evidence",
    "read_feed",
    "rename_log",
    "save_day_states",
    "save_offsets",
    "save_rejected",
    "save_results",
    "save_states",
    "suspected_of_orders",
    "suspected_subjects",
    "take_fact_changes",
    "unsettled_orders",
]
