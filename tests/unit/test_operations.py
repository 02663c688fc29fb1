"""The figures of the last day: how they are read, put together, and what they raise. The alarms are those of deploy/prometheus."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic import ValidationError

from runtime.operations import alarms, figures, series
from runtime.operations.sampler import Sampler
from runtime.operations.series import Last, Process, Window, together, window
from runtime.settings import Settings

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "alerts.yml"
STEPS = alarms.LOOKED_AT_S // figures.EVERY_S


def test_the_alarms_are_those_of_the_rules() -> None:
    """Names, severities, how long they have to hold, and the limits."""
    written = {}
    for text in RULES.read_text("utf-8").split("- alert: ")[1:]:
        wait = re.search(r"^ +for: (\d+)(m|h)$", text, re.MULTILINE)
        severity = re.search(r"severity: (\w+)", text)
        expr = re.search(r"expr:(.*?)\n {8}(?:for|labels):", text, re.DOTALL)
        runbook = re.search(r"runbook: docs/operations.md#(\S+)", text)
        zh = re.search(r'summary: "([^/"{]*?) /', text)
        assert severity
        assert expr
        assert runbook
        seconds = 0 if wait is None else int(wait[1]) * (60 if wait[2] == "m" else 3600)
        written[text.split("\n", 1)[0]] = (severity[1], seconds, expr[1], runbook[1], zh and zh[1])
    for alarm in (alarms.DOWN, *alarms.ALARMS):
        severity_, seconds, text, page, words = written[alarm.name]
        assert (alarm.severity, alarm.for_s, alarm.runbook) == (severity_, seconds, page), alarm.name
        assert alarm.zh == words, alarm.name
        limits = [float(n) for n in re.findall(r"(?:[<>]|==) (\d[\d.e]*)", text)]
        assert alarm.limit in limits, (alarm.name, limits)
        windows = [int(n) * 60 for n in re.findall(r"\[(\d+)m\]", text)]
        assert max(windows, default=0) + alarm.for_s <= alarms.LOOKED_AT_S, alarm.name


def test_every_figure_is_of_a_metric_that_there_is() -> None:
    source = "\n".join(
        file.read_text("utf-8")
        for file in (RULES.parents[2] / "src").rglob("*.py")
        if file.name != "figures.py"
    )
    for name in {figure.source for figure in figures.FIGURES} | {spread.source for spread in figures.SPREADS}:
        # Two names are put together of parts.
        known = name.startswith(("process_", "gongche_deliver_")) or f'"{name}"' in source
        assert known, name


class Clock:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def test_counts_are_of_the_time_since_the_sample_before() -> None:
    registry, clock = CollectorRegistry(), Clock()
    decoded = Counter("gongche_gateway_positions_total", "x", registry=registry)
    rejects = Counter("gongche_gateway_rejects_total", "x", ["reason"], registry=registry)
    rows = Counter("gongche_worker_rows_total", "x", ["result"], registry=registry)
    requests = Counter("gongche_api_requests_total", "x", ["status"], registry=registry)
    open_ = Gauge("gongche_gateway_connections", "x", registry=registry)
    bounds = next(spread.bounds for spread in figures.SPREADS if spread.name == "reply")
    reply = Histogram("gongche_gateway_reply_seconds", "x", buckets=bounds, registry=registry)
    decoded.inc(5)
    sampler = Sampler("gateway", "h:1", registry=registry, clock=clock)
    decoded.inc(30)
    open_.set(7)
    rejects.labels("crc").inc(2)
    rows.labels("stored").inc(4)
    requests.labels("503").inc(3)
    requests.labels("200").inc(9)
    reply.observe(0.0015)
    reply.observe(99)
    clock.s += 10
    sampler.take()
    clock.s += 20
    sampler.take(leaving=True)
    first, second = sampler._pending
    assert (first.seconds, second.seconds, second.leaving) == (10, 20, True)
    values = first.figures.values
    assert (values["decoded"], values["connections"], values["stored"], values["duplicate"]) == (30, 7, 4, 0)
    assert (values["requests"], values["request_errors"]) == (12, 3)
    assert first.figures.rejects == {"crc": 2}
    assert first.figures.spreads["reply"] == [0, 1, *[0] * (len(bounds) - 2), 1]
    assert second.figures.values["decoded"] == 0
    assert second.figures.values["connections"] == 7
    assert second.figures.rejects == {}
    assert "lag_seconds" not in values


def test_a_counter_that_began_again_is_no_negative_rate() -> None:
    before = figures.Reading({"decoded": 100.0}, {"reply": [5.0, 5.0]}, {"crc": 9.0})
    after = figures.since(figures.Reading({"decoded": 3.0}, {"reply": [1.0, 6.0]}, {"crc": 2.0}), before)
    assert after.values == {"decoded": 3.0}
    assert list(after.spreads["reply"]) == [1.0, 1.0]
    assert after.rejects == {"crc": 2.0}


def test_the_samples_of_an_outage_are_bounded() -> None:
    clock = Clock()
    sampler = Sampler("api", "h:1", registry=CollectorRegistry(), clock=clock)
    for _ in range(1_000):
        clock.s += 10
        sampler.take()
    assert len(sampler._pending) == 360


def test_the_window_is_what_is_kept_and_over() -> None:
    now = 1_000_000_007.0
    assert window(now, None, None, None) == Window(999_913_800, 300, 288 - 1)
    assert window(now, now - 3600, None, None).step_s == 10
    assert window(now, 0, None, 600).from_s >= now - figures.KEPT_S
    assert window(now, now, None, 10).points == 0
    assert window(now, now + 10_000, None, None).points == 0
    assert window(now, None, now - 10**8, None).points == 0
    ahead = window(now, now - 100, now + 10**9, 10)
    assert now - 12 <= ahead.to_s <= now
    with pytest.raises(ValueError, match="120"):
        window(now, None, None, 10)


def made(process: str, instance: str = "h:1", **columns: float | list[float | None]) -> Process:
    """A process with the same value in each step, or the given ones."""
    of = Process(process, instance, "1")
    for name, value in columns.items():
        of.columns[name] = list(value) if isinstance(value, list) else [value] * STEPS
    return of


def raised(*processes: Process) -> set[str]:
    return {one.alarm.name for one in alarms.standing(processes, STEPS)}


def test_together_a_gap_is_no_zero() -> None:
    one = made("gateway", connections=[1, None, 3], decoded=[10, None, 30])
    two = made("gateway", "h:2", connections=[2, None, None], decoded=[1, None, None])
    one.rejects["crc"] = [1, None, 0]
    one.spreads["reply"][0] = [0, 4, *[0] * 13]
    two.spreads["reply"][0] = [0, 0, *[0] * 12, 4]
    total = together([one, two], 3)
    assert total.columns["connections"] == [3, None, 3]
    assert total.columns["decoded"] == [11, None, 30]
    assert total.rejects == {"crc": [1, None, 0]}
    assert total.columns["reply_p99"] == [30, None, None]
    median = total.columns["reply_p50"][0]
    assert median is not None
    assert 0.001 < median <= 0.002


def test_what_holds_for_long_enough_is_raised() -> None:
    assert raised(made("worker", lag_seconds=61)) == {"GongcheLag"}
    assert raised(made("worker", lag_seconds=60)) == set()
    short: list[float | None] = [*[0.0] * (STEPS - 12), *[500.0] * 12]
    assert raised(made("worker", lag_seconds=short)) == set()
    # A single look at which it is better ends it.
    dips: list[float | None] = [500.0] * STEPS
    dips[STEPS - 10] = 0.0
    assert raised(made("worker", lag_seconds=dips)) == set()
    assert raised(made("gateway", connections=5, decoded=0.0)) == {"GongcheNoData"}
    assert raised(made("gateway", connections=5, decoded=2.0, confirmed=2.0)) == {"GongcheWorkerStuck"}
    assert raised(made("gateway", confirmed=2.0), made("worker", stored=0.0, duplicate=2.0)) == set()
    assert raised(made("gateway", authenticated=0)) == {"GongcheNoTerminals"}
    assert raised(made("gateway", frames=10.0, rejected=0.2)) == {"GongcheRejects"}
    assert raised(made("gateway", frames=100.0, rejected=0.2)) == set()
    assert raised(made("judge", memory_bytes=1, judge_leads=0)) == {"GongcheJudgeNone"}
    assert raised(made("judge", memory_bytes=1, judge_leads=0), made("judge", "h:2", judge_leads=1)) == set()
    assert raised(made("api", requests=1.0, request_errors=0.5)) == {"GongcheApiErrors"}
    assert raised(made("api", disk_free_bytes=10, disk_size_bytes=100)) == {"GongcheDiskDataLow"}
    assert raised(made("api", disk_free_bytes=4, disk_size_bytes=100)) == {
        "GongcheDiskDataLow",
        "GongcheDiskDataFull",
    }
    assert raised(made("api", open_files=91, most_files=100)) == {"GongcheDescriptors"}
    slow = made("gateway")
    slow.spreads["reply"] = {n: [0] * 11 + [1, 0, 0, 0] for n in range(STEPS)}
    assert raised(slow) == {"GongcheRepliesSlow"}
    assert raised() == set()


def last(
    process: str, age_s: float, started_at_s: float = 0, *, leaving: bool = False, instance: str = "h:1"
) -> Last:
    return Last(process, instance, "1", started_at_s, 10_000 - age_s, age_s, leaving, {})


def test_a_process_that_says_nothing_is_down_until_another_has_taken_its_place() -> None:
    gone = last("gateway", 300, instance="h:1")
    states = [alarms.state_of(one, [gone]) for one in (gone, last("api", 5), last("api", 900, leaving=True))]
    assert states == ["silent", "running", "stopped"]
    beside = last("gateway", 5, 100, instance="h:2")
    after = last("gateway", 5, 9_900, instance="h:3")
    assert alarms.state_of(gone, [gone, beside]) == "silent"
    assert alarms.state_of(gone, [gone, beside, after]) == "replaced"
    down = [(one.process, one.instance) for one in alarms.down([gone, beside], ["gateway", "judge"])]
    assert down == [("gateway", "h:1"), ("judge", "")]


def test_what_a_late_sample_covers_has_its_rate() -> None:
    of = made("worker", stored=[1.0, None, None, 4.0], lag_seconds=[1.0, None, None, 9.0])
    series._spread_back(of, {0: 10.0, 3: 30.0}, Window(0, 10, 4))
    assert of.columns["stored"] == [1.0, 4.0, 4.0, 4.0]
    assert of.columns["lag_seconds"] == [1.0, None, None, 9.0]


def test_grafana_is_an_address_of_the_web() -> None:
    assert Settings().grafana_url is None
    for good in ("https://grafana.example.cn", "http://10.0.0.1:3000/d/gongche?orgId=1&from=now-1d"):
        assert Settings(grafana_url=good).grafana_url == good
    for wrong in (
        "javascript:alert(1)", "ftp://x", "https://", "grafana", "https://user:word@host/", "https://host/<script>", 'https://host/"x',
        "https://host/ x", "https://host\nx",
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            Settings(grafana_url=wrong)
