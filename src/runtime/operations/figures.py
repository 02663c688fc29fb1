"""Which figures of a process are kept, of which metrics they are made, and how those of several processes are put together.

A figure has the name of its column in ``process_samples``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client.core import Metric

#: How several values become one: of one process over time, or of several processes.
Combine = Literal["sum", "max", "min", "avg"]

#: How often a process notes its figures, and for how long they are kept.
EVERY_S: Final = 10
KEPT_S: Final = 25 * 3600


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a process. ``source``: the metric whose samples are
    added; ``labels``: only those whose labels begin so. ``counts``: what came since the sample before,
    shown as a rate; else how it stands, of which several in time become one by ``over_time``. ``together``: how those of several
    processes become one."""

    name: str
    source: str
    zh: str
    en: str
    unit: str
    counts: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    over_time: Combine = "max"
    together: Combine = "sum"


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram of a process, of which quantiles are shown. ``bounds``: upper bounds of its buckets in seconds; the last bucket is
    open."""

    name: str
    source: str
    bounds: tuple[float, ...]
    zh: str
    en: str


def _counted(
    name: str, source: str, zh: str, en: str, unit: str = "1/s", labels: tuple[tuple[str, str], ...] = ()
) -> Figure:
    return Figure(name, source, zh, en, unit, counts=True, labels=labels)


_GATEWAY, _WORKER = "gongche_gateway_", "gongche_worker_"
FIGURES: Final[tuple[Figure, ...]] = (
    _counted("decoded", f"{_GATEWAY}positions_total", "接收定位", "positions decoded"),
    _counted("confirmed", f"{_GATEWAY}positions_confirmed_total", "日志已确认", "positions confirmed by the log"),
    _counted("frames", f"{_GATEWAY}frames_total", "接收消息", "frames read"),
    _counted("rejected", f"{_GATEWAY}rejects_total", "拒绝", "frames and points refused"),
    _counted("append_failures", f"{_GATEWAY}log_append_failures_total", "日志写入失败", "appends that failed"),
    _counted("pauses", f"{_GATEWAY}pauses_total", "暂停读取", "pauses of reading"),
    _counted("gateway_faults", f"{_GATEWAY}registry_faults_total", "登记故障", "faults on the registry of terminals"),
    _counted("stored", f"{_WORKER}rows_total", "入库", "positions stored", labels=(("result", "stored"),)),
    _counted("duplicate", f"{_WORKER}rows_total", "重复", "positions that were stored already", labels=(("result", "duplicate"),)),
    _counted("quarantined", f"{_WORKER}rows_total", "隔离", "positions set aside", labels=(("result", "quarantined"),)),
    _counted("transactions_failed", f"{_WORKER}transactions_total", "事务失败", "transactions that failed", labels=(("result", "failed"),)),
    _counted("requests", "gongche_api_requests_total", "接口请求", "requests"),
    _counted("request_errors", "gongche_api_requests_total", "接口错误", "requests that failed (5xx)", labels=(("status", "5"),)),
    _counted("cpu_seconds", "process_cpu_seconds_total", "CPU", "CPU, in cores", "cores"),
    Figure("connections", f"{_GATEWAY}connections", "在线连接", "connections", "", over_time="avg"),
    Figure("authenticated", f"{_GATEWAY}authenticated_connections", "已鉴权连接", "authenticated connections", "", over_time="avg"),
    Figure("budget_used", f"{_GATEWAY}memory_budget_used_bytes", "网关内存预算已用", "memory budget in use", "B"),
    Figure("budget_size", f"{_GATEWAY}memory_budget_bytes", "网关内存预算", "memory budget", "B"),
    Figure("lag_seconds", f"{_WORKER}log_lag_seconds", "入库滞后", "age of the oldest record that waits", "s", together="max"),
    Figure("lag_records", f"{_WORKER}log_lag_records", "积压记录", "records of the log that wait", ""),
    Figure("quarantine_entries", f"{_WORKER}quarantine_entries", "隔离区", "parts of records set aside", "", together="max"),
    Figure("put_off", f"{_WORKER}put_off_vehicles", "暂缓判定车辆", "vehicles put off", "", together="max"),
    Figure("recomputing", f"{_WORKER}recomputing_vehicles", "待重算车辆", "vehicles to be computed again", ""),
    Figure("judge_leads", "gongche_judge_leader", "主判定进程", "judges that lead", ""),
    Figure("pending_changes", "gongche_judge_pending_changes", "待判变更", "changed facts that wait for the judge", "", together="max"),
    Figure("seal_oldest", "gongche_seal_oldest_seconds", "待封存时长", "oldest row that is not sealed", "s", together="max"),
    Figure("delivery_oldest", "gongche_deliver_oldest_waiting_seconds", "推送等待", "oldest delivery that waits", "s", together="max"),
    Figure("dead_letters", "gongche_deliver_dead_letters", "推送失败", "deliveries given up", "", together="max"),
    Figure("exchange_oldest", "gongche_exchange_oldest_waiting_seconds", "交换等待", "oldest record for another instance", "s", together="max"),
    Figure("memory_bytes", "process_resident_memory_bytes", "内存", "memory", "B"),
    Figure("open_files", "process_open_fds", "已开文件", "open descriptors", ""),
    Figure("most_files", "process_max_fds", "文件上限", "descriptors at most", ""),
    Figure("disk_free_bytes", "gongche_data_dir_free_bytes", "磁盘剩余", "disk free", "B", over_time="min", together="min"),
    Figure("disk_size_bytes", "gongche_data_dir_size_bytes", "磁盘容量", "disk size", "B", together="min"),
)  # fmt: skip
SPREADS: Final[tuple[Spread, ...]] = (
    Spread(
        "reply", f"{_GATEWAY}reply_seconds",
        (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30), "应答时间", "reply latency",
    ),
    Spread(
        "append", f"{_GATEWAY}log_append_seconds",
        (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10), "日志写入时间", "append latency",
    ),
    Spread(
        "delay", f"{_WORKER}delay_seconds",
        (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600), "接收到入库", "from receipt to commit",
    ),
)  # fmt: skip
#: Whose samples are kept by the value of a label.
REJECTS: Final = (f"{_GATEWAY}rejects_total", "reason")
#: Quantiles that are shown of each ``Spread``.
QUANTILES: Final[Mapping[str, float]] = {"p50": 0.5, "p99": 0.99}

#: Names of the samples that are looked at: a registry need not collect any others.
WANTED: Final = frozenset(
    {REJECTS[0]} | {figure.source for figure in FIGURES} | {f"{spread.source}_bucket" for spread in SPREADS}
)


@dataclass(frozen=True, slots=True)
class Reading:
    """The figures of a process at one moment, counts since its start. ``spreads``: observations by bucket, not added up; ``rejects``: by
    reason. What the process does not have is not in it."""

    values: Mapping[str, float]
    spreads: Mapping[str, Sequence[float]]
    rejects: Mapping[str, float]


def read(metrics: Iterable[Metric]) -> Reading:
    """The figures in ``metrics`` (of a registry)."""
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for metric in metrics:
        for sample in metric.samples:
            if sample.name in WANTED:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
    values = {}
    for figure in FIGURES:
        mine = [
            value
            for labels, value in found.get(figure.source, ())
            if all(labels.get(k, "").startswith(v) for k, v in figure.labels)
        ]
        # A counter without a sample of these labels has counted none, if it is there at all.
        if figure.source in found:
            values[figure.name] = sum(mine)
    spreads = {}
    for spread in SPREADS:
        if samples := found.get(f"{spread.source}_bucket"):
            up_to: dict[float, float] = {}
            for labels, value in samples:
                bound = float(labels["le"])
                up_to[bound] = up_to.get(bound, 0.0) + value
            if sorted(up_to)[:-1] == list(spread.bounds):
                counts = [up_to[bound] for bound in sorted(up_to)]
                spreads[spread.name] = [b - a for a, b in zip([0.0, *counts[:-1]], counts, strict=True)]
    name, label = REJECTS
    rejects = {labels[label]: value for labels, value in found.get(name, ())}
    return Reading(values, spreads, rejects)


def since(now: Reading, before: Reading) -> Reading:
    """What came between two readings of one process; what is no count stays as it is ``now``."""
    counted = {figure.name for figure in FIGURES if figure.counts}
    return Reading(
        {
            name: _grown(value, before.values.get(name, 0.0)) if name in counted else value
            for name, value in now.values.items()
        },
        {
            name: [_grown(a, b) for a, b in zip(counts, before.spreads.get(name) or [0.0] * len(counts), strict=True)]
            for name, counts in now.spreads.items()
        },
        {
            reason: grown
            for reason, count in now.rejects.items()
            if (grown := _grown(count, before.rejects.get(reason, 0.0)))
        },
    )  # fmt: skip


def _grown(now: float, before: float) -> float:
    """A counter that is lower than before has begun again."""
    return now - before if now >= before else now
