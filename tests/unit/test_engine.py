"""The list of rules: whatever is on it has parameters, a page, words for its reasons, and is known to the API; and frozen
evidence is verified against what was stored."""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from registry import parameters
from rules import catalogue
from rules import evidence as frozen
from rules.checks import traffic_violations
from rules.judge.subjects.all import GATHERERS
from rules.wording.standard import STANDARD
from runtime.settings import Settings
from tests.unit.test_check_traffic_violations import at, make, record

DOCS = Path(__file__).parents[2] / "docs" / "rules"
NAMES = [
    ("location", "定位异常"), ("destination", "目的地异常"), ("mileage", "里程数异常"), ("fuel_consumption", "油耗异常"),
    ("card_binding", "油卡绑定异常"), ("card_use", "油卡使用异常"), ("refuel_frequency", "加油频率异常"),
    ("traffic_violations", "违章异常"), ("terminal_silent", "终端失联"), ("off_hours", "非工作时间用车"),
    ("sealed", "封存车辆移动"),
    ("tank", "加油超箱容"),
    ("parking", "停放异常"),
    ("route", "行驶路线异常"),
    ("idle_rental", "租赁期间自有车辆闲置"),
]  # fmt: skip


def strings(node: ast.expr) -> set[str]:
    """String constants that an expression may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return strings(node.body) | strings(node.orelse)
    return set()


def is_outcome(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return is_outcome(node.body)
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Outcome"


def given_reasons(module: Any) -> Iterator[str]:
    """What the source of a check gives as a reason: what follows an outcome, and what is assigned to ``reason``."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        listed: list[ast.expr] = []
        if isinstance(node, ast.Call):
            listed = node.args
        elif isinstance(node, ast.Tuple):
            listed = node.elts
        for one, following in itertools.pairwise(listed):
            if is_outcome(one):
                yield from strings(following)
        if isinstance(node, ast.Assign):
            targets = node.targets[0]
            if isinstance(targets, ast.Name) and targets.id == "reason":
                yield from strings(node.value)


def test_the_rules_in_their_order() -> None:
    assert [(rule.code, rule.name) for rule in catalogue.RULES] == NAMES
    assert set(parameters.RULES) - set(parameters.SHARED) == {rule.code for rule in catalogue.RULES}
    judged = [code for gatherer in GATHERERS for code in gatherer.rules]
    assert sorted([*judged, "location"]) == sorted(rule.code for rule in catalogue.RULES)


@pytest.mark.parametrize("rule", catalogue.RULES, ids=lambda rule: rule.code)
def test_a_rule_is_complete(rule: catalogue.Rule) -> None:
    module = importlib.import_module(f"rules.checks.{rule.code}")
    assert (rule.code, rule.version) == (module.RULE, module.VERSION)
    assert rule.evaluate[rule.version] is module.evaluate
    reasons = STANDARD.rules()[rule.code, rule.version].reasons
    given = set(given_reasons(module)) - {""}
    assert given or rule.code == "location"
    assert given <= reasons.keys()
    for chinese, english in reasons.values():
        assert any("\u4e00" <= c <= "\u9fff" for c in chinese)
        assert english.isascii()
    page = (DOCS / f"{rule.code}.md").read_text("utf-8")
    assert rule.name in page
    for parameter in parameters.RULES[rule.code]:
        assert parameter.name in page, f"{rule.code}.md does not tell of {parameter.name}"
    assert f"({rule.code}.md)" in (DOCS / "README.md").read_text("utf-8")
    with pytest.raises(frozen.EvidenceError):
        catalogue.evaluate({"rule": rule.code, "rule_version": 0})


def test_the_api_knows_the_rules() -> None:
    described = create_app(Settings(), None, position_sink=None).openapi()["paths"]["/v1/alerts"]["get"]
    (rule,) = (p for p in described["parameters"] if p["name"] == "rule")
    (known,) = (kind["enum"] for kind in rule["schema"]["anyOf"] if "enum" in kind)
    assert sorted(known) == sorted(code for code, _ in NAMES)


def test_verifying_evidence() -> None:
    evidence = make("2026-03", [record("W1", at("2026-03-02 10:00")), record("W2", at("2026-03-05 10:00"))])
    body = frozen.canonical(evidence)
    made = traffic_violations.evaluate(evidence)
    sha256, sm3 = (h.hex() for h in frozen.digests(body))
    stored: dict[str, Any] = {
        "outcome": "suspected", "measures": {n: dict(m) for n, m in made.measures.items()}, "sha256": sha256, "sm3": sm3,
    }  # fmt: skip
    assert catalogue.verify(body, **stored) == []
    assert catalogue.verify(body, outcome="suspected", measures=made.measures) == []
    other = {
        "outcome": "normal",
        "measures": {"violations": {"value": 3, "unit": "1"}},
        "sha256": "00",
        "sm3": "00",
    }
    for name, value in other.items():
        assert catalogue.verify(body, **(stored | {name: value})), name
    forged = body.replace("人民路".encode(), "解放路".encode())
    assert [w[:7] for w in catalogue.verify(forged, **stored)] == ["SHA-256", "SM3 不符 "[:7]]
    assert len(catalogue.verify(b" " + body, **stored)) == 3  # and not canonical
    for broken in (b"{}", b"[]", b"", b'{"rule":"traffic_violations","rule_version":1}', body[:-1]):
        assert "cannot be judged" in catalogue.verify(broken, **stored)[-1]


def test_the_two_hashes() -> None:
    """SM3 as in GB/T 32905, annex A.1."""
    sha256, sm3 = frozen.digests(b"abc")
    assert sm3.hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sha256 == hashlib.sha256(b"abc").digest() == frozen.digest(b"abc")
