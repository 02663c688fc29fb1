"""What the alert rules of ``deploy/prometheus/alerts.yml`` would say, for the most important ones: for who has no Prometheus.

Pure: it looks at the figures of the last half hour, in steps of ten seconds. Names, limits and times are those of the file; a test
compares them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.metrics import quantile
from runtime.operations.figures import EVERY_S, SPREADS
from runtime.operations.series import Last, Process

#: What is looked at, in seconds; every rule needs less.
LOOKED_AT_S: Final = 1_800
#: A process is gone when it has not said anything for so long.
SILENT_S: Final = 60
#: A figure that is older is not known.
_STALE_STEPS: Final = 60 // EVERY_S
#: A condition that has to hold for a while is looked at so often.
_LOOK_STEPS: Final = 30 // EVERY_S


@dataclass(frozen=True, slots=True)
class View:
    """The figures up to a step: ``processes`` as ``series.load`` gives them in steps of ten seconds, ``now`` the step."""

    processes: Sequence[Process]
    now: int

    def each(self, *kinds: str) -> Iterator[Process]:
        """Those of ``kinds``; none named = all."""
        yield from (of for of in self.processes if not kinds or of.process in kinds)

    def increase(self, of: Process, figure: str, seconds: int) -> float:
        """What was counted in the last ``seconds``."""
        column = of.columns.get(figure)
        if column is None:
            return 0.0
        first = max(0, self.now - seconds // EVERY_S + 1)
        return math.fsum(value * EVERY_S for value in column[first : self.now + 1] if value is not None)

    def refused(self, of: Process, reason: str, seconds: int) -> float:
        """Frames and points that were refused for ``reason`` in the last ``seconds``."""
        column = of.rejects.get(reason, [])
        first = max(0, self.now - seconds // EVERY_S + 1)
        return math.fsum(value * EVERY_S for value in column[first : self.now + 1] if value is not None)

    def level(self, of: Process, figure: str) -> float | None:
        """How it stood last; None = not known."""
        column = of.columns.get(figure)
        if column is None:
            return None
        known = column[max(0, self.now - _STALE_STEPS + 1) : self.now + 1]
        return next((value for value in reversed(known) if value is not None), None)

    def levels(self, figure: str, *kinds: str) -> list[float]:
        """The same of every process that has it."""
        found = (self.level(of, figure) for of in self.each(*kinds))
        return [value for value in found if value is not None]

    def quantile(self, spread: str, q: float, seconds: int) -> float | None:
        """Of all observations of the last ``seconds``, of all processes."""
        bounds = next((*each.bounds, math.inf) for each in SPREADS if each.name == spread)
        sums = [0] * len(bounds)
        first = max(0, self.now - seconds // EVERY_S + 1)
        for of in self.processes:
            for slot, counts in of.spreads.get(spread, {}).items():
                if first <= slot <= self.now:
                    sums = [a + b for a, b in zip(sums, counts, strict=True)]
        added = [float(sum(sums[: n + 1])) for n in range(len(sums))]
        return quantile(dict(zip(bounds, added, strict=True)), q)


#: (the process it is about, None = all together; the value that is told) while the condition holds.
Found = Iterable[tuple[Process | None, float]]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule of ``alerts.yml``. ``limit``: the number in its expression; ``for_s``: how long it has to hold."""

    name: str
    severity: str
    for_s: int
    limit: float
    zh: str
    en: str
    runbook: str
    found: Callable[[View, float], Found]


def _total(figure: str, seconds: int) -> Callable[[View, float], Found]:
    def found(view: View, limit: float) -> Found:
        value = math.fsum(view.increase(of, figure, seconds) for of in view.each())
        return [(None, value)] if value > limit else []

    return found


def _own(figure: str, seconds: int) -> Callable[[View, float], Found]:
    def found(view: View, limit: float) -> Found:
        values = [(of, view.increase(of, figure, seconds)) for of in view.each()]
        return [(of, value) for of, value in values if value > limit]

    return found


def _highest(figure: str) -> Callable[[View, float], Found]:
    def found(view: View, limit: float) -> Found:
        value = max(view.levels(figure), default=-math.inf)
        return [(None, value)] if value > limit else []

    return found


def _own_level(figure: str) -> Callable[[View, float], Found]:
    def found(view: View, limit: float) -> Found:
        values = [(of, view.level(of, figure)) for of in view.each()]
        return [(of, value) for of, value in values if value is not None and value > limit]

    return found


def _slow(spread: str) -> Callable[[View, float], Found]:
    def found(view: View, limit: float) -> Found:
        value = view.quantile(spread, 0.99, 300)
        return [(None, value)] if value is not None and value > limit else []

    return found


def _rejects(view: View, limit: float) -> Found:
    gateways = list(view.each("gateway"))
    refused = math.fsum(view.increase(of, "rejected", 600) for of in gateways)
    frames = math.fsum(view.increase(of, "frames", 600) for of in gateways)
    return [(None, refused / 600)] if refused / 600 > 0.1 and refused > limit * frames else []


def _gateway_faults(view: View, limit: float) -> Found:
    values = [
        (of, view.refused(of, "fault", 900) + view.increase(of, "gateway_faults", 900))
        for of in view.each("gateway")
    ]
    return [(of, value) for of, value in values if value > limit]


def _no_data(view: View, limit: float) -> Found:
    connections = math.fsum(view.levels("connections"))
    decoded = math.fsum(view.increase(of, "decoded", 600) for of in view.each())
    return [(None, connections)] if connections > limit and decoded <= 0 else []


def _no_terminals(view: View, limit: float) -> Found:
    there = view.levels("authenticated")
    return [(None, 0.0)] if there and math.fsum(there) <= limit else []


def _stuck(view: View, limit: float) -> Found:
    confirmed = math.fsum(view.increase(of, "confirmed", 300) for of in view.each())
    stored = math.fsum(
        view.increase(of, figure, 300) for of in view.each() for figure in ("stored", "duplicate")
    )
    return [(None, confirmed / 300)] if confirmed > limit and stored <= 0 else []


def _judge_none(view: View, limit: float) -> Found:
    leading = math.fsum(view.levels("judge_leads"))
    # Of a time of which nothing is known nothing is said.
    return [(None, leading)] if leading < limit and view.levels("memory_bytes") else []


def _api_errors(view: View, limit: float) -> Found:
    errors = math.fsum(view.increase(of, "request_errors", 300) for of in view.each())
    requests = math.fsum(view.increase(of, "requests", 300) for of in view.each())
    return [(None, errors / 300)] if errors > limit * requests else []


def _share(part: str, whole: str, *, over: bool) -> Callable[[View, float], Found]:
    def found(view: View, limit: float) -> Found:
        for of in view.each():
            some, all_ = view.level(of, part), view.level(of, whole)
            if some is not None and all_ and (some > limit * all_ if over else some < limit * all_):
                yield of, some

    return found


_DISK_LOW: Final = _share("disk_free_bytes", "disk_size_bytes", over=False)
DOWN: Final = Alarm(
    "GongcheDown",
    "critical",
    60,
    0,
    "进程无应答",
    "a process does not answer",
    "a-process-is-down",
    lambda *_: [],
)
ALARMS: Final[tuple[Alarm, ...]] = (
    Alarm("GongcheAppendFailing", "critical", 60, 0, "日志写入失败，终端得不到应答", "the log does not confirm; terminals get no reply and send again", "broker-loss", _total("append_failures", 300)),
    Alarm("GongcheRepliesSlow", "warning", 300, 1, "应答变慢", "replies are slow (p99, seconds)", "slow-replies", _slow("reply")),
    Alarm("GongchePaused", "warning", 300, 0, "网关内存预算用尽，暂停读取", "a gateway keeps pausing: its memory budget is used up", "slow-replies", _own("pauses", 300)),
    Alarm("GongcheRejects", "warning", 600, 0.01, "拒绝率超过 1%", "more than 1% of frames are refused (per second)", "refused-frames", _rejects),
    Alarm("GongcheGatewayFaults", "critical", 0, 0, "接入程序故障，个别消息未被接收或终端登记未更新", "a gateway fails on messages of a terminal or on the registry of terminals", "refused-frames", _gateway_faults),
    Alarm("GongcheNoData", "critical", 300, 0, "终端在线但没有定位", "terminals are connected, and no position has come for 10 minutes", "no-data", _no_data),
    Alarm("GongcheNoTerminals", "warning", 900, 0, "没有终端在线", "no terminal has been connected for 15 minutes", "no-data", _no_terminals),
    Alarm("GongcheDescriptors", "warning", 60, 0.9, "文件描述符将用尽", "descriptors are about to run out", "sizing", _share("open_files", "most_files", over=True)),
    Alarm("GongcheLag", "critical", 300, 60, "入库滞后", "storing is behind: age of the oldest record that waits, in seconds", "workers-lag", _own_level("lag_seconds")),
    Alarm("GongcheWorkerStuck", "critical", 120, 0, "有定位到达但无人入库", "positions arrive and nothing is stored", "workers-lag", _stuck),
    Alarm("GongcheDelay", "warning", 300, 30, "从接收到入库变慢", "from receipt to commit is slow (p99, seconds)", "workers-lag", _slow("delay")),
    Alarm("GongcheTransactionsFailing", "critical", 300, 0, "入库事务反复失败", "transactions of a worker keep failing; they are tried again", "the-database-fails", _own("transactions_failed", 300)),
    Alarm("GongcheQuarantine", "critical", 60, 0, "程序故障，部分定位已隔离未入库", "parts of records are set aside for a fault of the program: not lost, not stored", "quarantine", _highest("quarantine_entries")),
    Alarm("GongchePutOff", "critical", 600, 0, "程序故障，部分车辆暂缓判定", "vehicles cannot be judged for a fault of the program; their positions are stored", "quarantine", _highest("put_off")),
    Alarm("GongcheApiErrors", "warning", 300, 0.01, "接口错误率超过 1%", "more than 1% of API requests fail (per second)", "the-database-fails", _api_errors),
    Alarm("GongcheJudgeNone", "critical", 300, 1, "没有判定进程在工作", "no judge leads: nothing but location and destination is judged", "the-judge", _judge_none),
    Alarm("GongcheSealBehind", "warning", 300, 900, "哈希链封存滞后", "rows wait to be sealed (seconds)", "nothing-is-sealed", _highest("seal_oldest")),
    Alarm("GongcheWebhooksLate", "warning", 300, 3600, "预警推送积压", "the oldest delivery to a webhook has waited for so many seconds", "webhooks", _highest("delivery_oldest")),
    Alarm("GongcheDeadLetters", "warning", 300, 0, "有预警推送最终失败", "deliveries that were given up", "webhooks", _highest("dead_letters")),
    Alarm("GongcheDiskDataLow", "warning", 600, 0.15, "数据目录所在磁盘剩余不足 15%", "less than 15% of the disk of GONGCHE_DATA_DIR is left (bytes)", "disk-full", _DISK_LOW),
    Alarm("GongcheDiskDataFull", "critical", 60, 0.05, "数据目录所在磁盘将满", "less than 5% of the disk of GONGCHE_DATA_DIR is left (bytes)", "disk-full", _DISK_LOW),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that stands. ``process``, ``instance``: whose it is, '' = of all together. ``value``: what was found."""

    alarm: Alarm
    process: str
    instance: str
    value: float


def standing(processes: Sequence[Process], steps: int) -> list[Raised]:
    """The alarms that stand at the end of the last ``steps`` steps of ten seconds, but for ``DOWN``."""
    made = []
    for alarm in ALARMS:
        looks = range(steps - 1, max(-1, steps - 2 - alarm.for_s // EVERY_S), -_LOOK_STEPS)
        held: dict[tuple[str, str], float] | None = None
        for now in looks:
            found = {
                ("", "") if of is None else (of.process, of.instance): value
                for of, value in alarm.found(View(processes, now), alarm.limit)
            }
            held = found if held is None else {key: value for key, value in held.items() if key in found}
            if not held:
                break
        made += [Raised(alarm, *key, value) for key, value in sorted((held or {}).items())]
    return made


def state_of(last: Last, others: Iterable[Last]) -> str:
    """``running``; ``stopped``: it was told to; ``silent``: nobody knows why; ``replaced``: silent, and another of its kind began
    since."""
    if last.leaving:
        return "stopped"
    if last.age_s <= SILENT_S:
        return "running"
    newer = any(
        one.process == last.process and one.age_s <= SILENT_S and one.started_at_s >= last.at_s - EVERY_S
        for one in others
    )
    return "replaced" if newer else "silent"


def down(lasts: Sequence[Last], needed: Iterable[str]) -> list[Raised]:
    """The processes that are silent, and the kinds ``needed`` of which none runs."""
    states = {(last.process, last.instance): state_of(last, lasts) for last in lasts}
    running = {process for (process, _), state in states.items() if state == "running"}
    made = [
        Raised(DOWN, last.process, last.instance, last.age_s)
        for last in lasts
        if states[last.process, last.instance] == "silent"
    ]
    told = {raised.process for raised in made}
    return made + [Raised(DOWN, process, "", 0) for process in needed if process not in running | told]
