"""What holds for every rule, whatever its evidence: it judges the evidence and nothing else, leaves it as it is, reads it
in any order, and a milder limit never accuses anybody."""

from __future__ import annotations

import ast
import contextlib
import copy
import hashlib
import inspect
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import rules
from registry.parameters import RULES, TRACK
from rules import catalogue
from rules.checks.base import Evaluation, Outcome
from rules.evidence import TRACK_COLUMNS, canonical, parse
from tests.examples import examples
from tests.unit.evidences import EVIDENCE, Evidence

RANK = {Outcome.SUSPECTED: 0, Outcome.UNDETERMINED: 1, Outcome.NORMAL: 2}
EVERY = pytest.mark.parametrize("rule", [rule.code for rule in catalogue.RULES])


def told(made: Evaluation) -> bytes:
    """An evaluation as bytes; a float anywhere in it raises."""
    return canonical(json.loads(json.dumps(asdict(made))))


def test_every_rule_has_evidence_here() -> None:
    assert list(EVIDENCE) == [rule.code for rule in catalogue.RULES]


# --- a rule judges its evidence and nothing else


class Read(dict[str, Any]):
    """An object of evidence that notes which of its keys were looked at."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__({key: watched(value) for key, value in values.items()})
        self.seen: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.seen.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.seen.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.seen.add(str(key))
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self.seen.update(super().keys())
        return super().__iter__()

    def __or__(self, other: Any) -> Any:
        self.seen.update(super().keys())
        return super().__or__(other)

    def keys(self) -> Any:
        self.seen.update(super().keys())
        return super().keys()

    def items(self) -> Any:
        self.seen.update(super().keys())
        return super().items()

    def values(self) -> Any:
        self.seen.update(super().keys())
        return super().values()

    def __eq__(self, other: object) -> bool:
        self.seen.update(super().keys())
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        self.seen.update(super().keys())
        return super().__ne__(other)

    __hash__ = None  # as a dict

    def looked_at(self) -> dict[str, Any]:
        """The keys that were looked at, and within them the same."""
        return {
            key: stripped(super(Read, self).__getitem__(key)) for key in self.seen if key in dict.keys(self)
        }


def watched(value: Any) -> Any:
    if isinstance(value, dict):
        return Read(value)
    return [watched(item) for item in value] if isinstance(value, list) else value


def stripped(value: Any) -> Any:
    if isinstance(value, Read):
        return value.looked_at()
    return [stripped(item) for item in value] if isinstance(value, list) else value


def swollen(value: Any) -> Any:
    """The same with a key in every object that no rule knows."""
    if isinstance(value, dict):
        return {key: swollen(item) for key, item in value.items()} | {"zz_unknown": [1, "x", None]}
    return [swollen(item) for item in value] if isinstance(value, list) else value


@EVERY
@given(data=st.data())
@settings(max_examples=examples(25))
def test_only_what_the_evidence_holds_is_read(rule: str, data: st.DataObject) -> None:
    evidence = data.draw(EVIDENCE[rule])
    body = canonical(evidence)
    made = catalogue.evaluate(evidence)
    assert canonical(evidence) == body, "the evidence was changed"
    assert told(catalogue.evaluate(parse(body))) == told(made)
    # Without all that was not looked at: the same. And it is the same again, whatever was judged in between.
    spy = watched(parse(body))
    catalogue.evaluate(spy)
    least = spy.looked_at()
    whole = {name: evidence[name] for name in ("parameters", "result") if name in evidence}
    assert told(catalogue.evaluate(json.loads(json.dumps(least)) | whole)) == told(made)
    # With more than a rule knows of: the same, but for what is told, or compared, as a whole.
    more = swollen(parse(body)) | whole
    assert told(catalogue.evaluate(more)) == told(made)


def facts(rule: str, count: int) -> list[bytes]:
    """Some evidence of a rule, the same in every run."""
    found: list[bytes] = []

    @given(EVIDENCE[rule])
    @settings(
        max_examples=count, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )  # fmt: skip
    def collect(evidence: Evidence) -> None:
        found.append(canonical(evidence))

    collect()
    return found


@EVERY
def test_the_evidence_here_is_of_every_kind(rule: str) -> None:
    """Guilt, innocence and doubt of every rule are among what these tests look at. Which examples come first depends on the
    modules that are loaded: Hypothesis takes constants from them. So there may be some hundred."""
    # Of an undated end only, or never at all: what these rest on is a record or it is not.
    sure = {"location", "card_binding", "refuel_frequency", "traffic_violations"}
    wanted = {Outcome.SUSPECTED, Outcome.NORMAL} | (set() if rule in sure else {Outcome.UNDETERMINED})

    def found(evidence: Evidence) -> bool:
        wanted.discard(catalogue.evaluate(evidence).outcome)
        return not wanted

    kept = settings(
        max_examples=examples(500),
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with contextlib.suppress(NoSuchExample):
        find(EVIDENCE[rule], found, settings=kept)
    assert not wanted


#: Judges lines of evidence where nothing else can be had: no file (but modules imported late), no socket, no process.
ALONE = """
import hashlib, json, sys
from dataclasses import asdict
from rules import catalogue
from rules.evidence import canonical, parse

def refuse(event, args):
    if event.split(".")[0] in ("open", "socket", "subprocess", "os", "shutil", "sqlite3", "urllib"):
        if not str(args[0]).startswith((sys.prefix, sys.base_prefix)):
            raise SystemExit(f"{event} {args}")

lines = sys.stdin.buffer.read().splitlines()
sys.addaudithook(refuse)
for line in lines:
    print(hashlib.sha256(canonical(json.loads(json.dumps(asdict(catalogue.evaluate(parse(line))))))).hexdigest())
"""


def test_another_process_elsewhere_says_the_same() -> None:
    """Other time zone, other hash seed, other language, in another order, and nothing of the world in reach."""
    lines = [line for rule in EVIDENCE for line in facts(rule, 12)]
    here = [hashlib.sha256(told(catalogue.evaluate(parse(line)))).hexdigest() for line in lines]
    order = list(range(len(lines)))
    random.Random(7).shuffle(order)
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        input=b"\n".join(lines[k] for k in order),
        env={
            "PATH": os.environ["PATH"], "PYTHONPATH": str(Path(rules.__file__).parents[1]), "TZ": "America/St_Johns",
            "PYTHONHASHSEED": "4711", "LC_ALL": "C",
        },
        capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert done.stdout.decode().split() == [here[k] for k in order]
    assert len(set(here)) > len(EVIDENCE) * 4


WORLDLY = {
    "now",
    "today",
    "utcnow",
    "time",
    "time_ns",
    "monotonic",
    "perf_counter",
    "getenv",
    "environ",
    "urandom",
    "default_rng",
}


def test_no_check_asks_a_clock_or_the_world() -> None:
    modules = [importlib_module(f"rules.checks.{rule.code}") for rule in catalogue.RULES]
    modules += [
        importlib_module(name)
        for name in (
            "telemetry.geo", "rules.evidence", "rules.wording.texts", "rules.wording.standard", *(f"rules.wording.{rule.code}" for rule in catalogue.RULES), "rules.tracks.order_legs", "registry.parameters", "rules.tracks.advance",
            "rules.tracks.kernel", "rules.tracks.days", "rules.tracks.mileage", "rules.tracks.state", "rules.checks.base",
        )
    ]  # fmt: skip
    for module in modules:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                assert name not in WORLDLY | {"open", "print", "input", "eval", "exec"}, (
                    module.__name__,
                    name,
                )
            if isinstance(node, ast.Import):
                banned = {"os", "socket", "time", "random", "secrets", "asyncio", "logging", "locale"}
                assert not {alias.name.split(".")[0] for alias in node.names} & banned, module.__name__


def importlib_module(name: str) -> Any:
    __import__(name)
    return sys.modules[name]


# --- the order of facts

#: Lists whose order says nothing, by rule: paths into the evidence.
UNORDERED: dict[str, list[str]] = {
    "location": ["orders", "fences"],
    "destination": ["track"],
    "mileage": ["track", "orders"],
    "fuel_consumption": ["months", "months/orders", "months/fills", "months/left_out"],
    "card_binding": ["vehicles"],
    "card_use": ["track"],
    "refuel_frequency": ["transactions"],
    "traffic_violations": ["violations"],
    "terminal_silent": ["silences"],
    "off_hours": ["track"],
    "sealed": ["track", "orders"],
    "tank": ["transactions"],
    "parking": ["track", "orders"],
    "route": ["track"],
    "idle_rental": ["cars"],
}


def shuffle(value: Any, path: list[str], chance: random.Random) -> None:
    if isinstance(value, list):
        for item in value:
            shuffle(item, path, chance)
    elif len(path) > 1:
        shuffle(value[path[0]], path[1:], chance)
    elif path[0] == "track":
        order = list(range(len(value["track"]["t_us"])))
        chance.shuffle(order)
        value["track"] = {name: [value["track"][name][k] for k in order] for name in TRACK_COLUMNS}
    else:
        chance.shuffle(value[path[0]])


@EVERY
@given(data=st.data(), chance=st.randoms(use_true_random=False))
@settings(max_examples=examples(25))
def test_the_order_of_facts_says_nothing(rule: str, data: st.DataObject, chance: random.Random) -> None:
    evidence = data.draw(EVIDENCE[rule])
    made = catalogue.evaluate(copy.deepcopy(evidence))
    if rule == "terminal_silent":  # equally grave silences that begin at one time are one silence
        starts = [s["before"][-1][0] for s in evidence["silences"]]
        assume(len(set(starts)) == len(starts))
    for path in UNORDERED[rule]:
        mixed = copy.deepcopy(evidence)
        shuffle(mixed, path.split("/"), chance)
        assert told(catalogue.evaluate(mixed)) == told(made), path


@pytest.mark.parametrize(
    "rule", ["location", "destination", "mileage", "card_use", "off_hours", "sealed", "parking", "route"]
)
@given(data=st.data())
@settings(max_examples=examples(20))
def test_what_was_sent_twice_counts_once(rule: str, data: st.DataObject) -> None:
    evidence = data.draw(EVIDENCE[rule])
    made = catalogue.evaluate(copy.deepcopy(evidence))
    track = evidence["track"]
    twice = [k for k in range(len(track["t_us"])) for _ in range(data.draw(st.integers(1, 2)))]
    doubled = evidence | {"track": {name: [track[name][k] for k in twice] for name in TRACK_COLUMNS}}
    assert told(catalogue.evaluate(doubled)) == told(made)


# --- milder limits

#: (rule, parameter, next value): a limit that is milder to the one who is judged.
MILDER: list[tuple[str, str, Callable[[int], int]]] = [
    ("location", "min_displacement_m", lambda v: v + 150),
    ("destination", "radius_m", lambda v: v + 500),
    ("destination", "gap_speed_kmh", lambda v: v + 40),
    ("destination", "gap_s", lambda v: v // 2),
    ("mileage", "ratio_permille", lambda v: v + 250),
    ("fuel_consumption", "ratio_permille", lambda v: v + 100),
    ("fuel_consumption", "min_km", lambda v: v + 200),
    ("fuel_consumption", "min_fills", lambda v: v + 1),
    ("fuel_consumption", "gap_speed_kmh", lambda v: v + 40),
    ("fuel_consumption", "min_coverage_permille", lambda v: min(v + 100, 1000)),
    ("card_binding", "grace_days", lambda v: v + 2),
    ("card_use", "station_radius_m", lambda v: v + 300),
    ("card_use", "polygon_margin_m", lambda v: v + 100),
    ("card_use", "gap_speed_kmh", lambda v: v + 40),
    ("card_use", "min_coverage_permille", lambda v: min(v + 300, 1000)),
    ("card_use", "gap_s", lambda v: v // 2),
    ("refuel_frequency", "min_fills", lambda v: v + 1),
    ("refuel_frequency", "merge_min", lambda v: v + 30),
    ("traffic_violations", "min_violations", lambda v: v + 1),
    ("traffic_violations", "natural_month", lambda v: 1),
    ("terminal_silent", "min_peers", lambda v: v + 1),
    ("terminal_silent", "peers_permille", lambda v: v + 200),
    ("terminal_silent", "min_displacement_m", lambda v: v + 1500),
    ("off_hours", "min_distance_m", lambda v: v + 700),
    ("off_hours", "allowed_types", lambda v: v | 14),
    ("sealed", "min_displacement_m", lambda v: v + 150),
    ("tank", "tolerance_permille", lambda v: v + 200),
    ("tank", "burn_l_100km", lambda v: v + 10),
    ("parking", "min_stand_min", lambda v: v + 60),
    ("parking", "margin_m", lambda v: v + 1500),
    ("idle_rental", "min_idle", lambda v: v + 1),
    ("route", "off_route_m", lambda v: v + 1500),
    ("route", "detour_m", lambda v: v + 5000),
    ("route", "detour_permille", lambda v: v + 500),
    ("route", "stop_min", lambda v: v + 10),
]


def limited(evidence: Evidence, rule: str, name: str, value: int) -> Evidence:
    if rule == "location":
        return evidence | {"parameter_rows": [[rule, name, None, value, 0]]}
    return evidence | {"parameters": evidence["parameters"] | {name: value}}


@pytest.mark.parametrize(("rule", "name", "more"), MILDER, ids=lambda v: v if isinstance(v, str) else "")
@given(data=st.data())
@settings(max_examples=examples(25))
def test_a_milder_limit_accuses_nobody(
    rule: str, name: str, more: Callable[[int], int], data: st.DataObject
) -> None:
    evidence = data.draw(EVIDENCE[rule])
    known = {p.name: p.default for p in (*RULES[rule], *RULES[TRACK])}
    strict = evidence.get("parameters", known).get(name, known[name])
    before = catalogue.evaluate(limited(evidence, rule, name, strict)).outcome
    after = catalogue.evaluate(limited(evidence, rule, name, more(strict))).outcome
    assert not (after is Outcome.SUSPECTED and before is not Outcome.SUSPECTED)
