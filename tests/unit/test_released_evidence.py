"""Evidence of release 0.1.0, judged by the program of today: the same outcome, numbers, times, bytes and sentence."""

from __future__ import annotations

import gzip
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from rules import evidence as frozen
from rules.catalogue import CATALOGUE, RULES
from rules.wording.standard import STANDARD
from rules.wording.texts import Said
from tests.words import said

FILE = Path(__file__).parents[1] / "vectors" / "evidence-0.1.0" / "evidence.ndjson.gz"
#: Reasons that no evidence gives, only a withdrawal.
ONLY_WITHDRAWN = {
    "gone", "nothing", "not_official", "no_terminal", "order_cancelled", "order_reassigned", "order_reopened",
    "destination_removed", "covered_by_order", "not_official_then", "no_fence", "merged", "no_longer_holds",
}  # fmt: skip


@cache
def lines() -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in gzip.decompress(FILE.read_bytes()).splitlines()]


#: The rules that the first release had; the others came after it.
RELEASED = [rule for rule in RULES if rule.version > 1]


@pytest.mark.parametrize("rule", [rule.code for rule in RELEASED])
def test_it_is_judged_as_it_was(rule: str) -> None:
    mine = [line for line in lines() if line["rule"] == rule]
    assert len(mine) >= 50
    for line in mine:
        body = line["evidence"].encode()
        evidence = frozen.parse(body)
        assert frozen.canonical(evidence) == body
        made = CATALOGUE.evaluate(evidence)
        assert (made.outcome.value, made.reason, made.from_us, made.to_us) == (
            line["outcome"], line["reason"], line["from_us"], line["to_us"],
        )  # fmt: skip
        assert {name: dict(m) for name, m in made.measures.items()} == line["measures"]
        assert dict(made.parameters) == line["parameters"]
        assert CATALOGUE.verify(body, outcome=line["outcome"], measures=line["measures"]) == []
        if made.reason != "no_route":  # why there is none stood there in both languages
            assert said(made) == line["summary"]
        english = STANDARD.summary(Said.of(made)).en
        assert english.split(":")[0] in ("Suspected", "Normal", "Undetermined") or rule == "location"
        for word in ("疑似", "正常：", "不可判", "。", " 米", " 公里", " 至 "):
            assert word not in english


def test_every_outcome_and_every_reason_is_among_it() -> None:
    kinds = Counter((line["rule"], line["reason"]) for line in lines())
    for rule in RELEASED:
        reasons = STANDARD.rules()[rule.code, 1].reasons.keys() - ONLY_WITHDRAWN
        assert reasons <= {reason for code, reason in kinds if code == rule.code}, rule.code
        outcomes = {line["outcome"] for line in lines() if line["rule"] == rule.code}
        assert outcomes >= {"suspected", "normal"}
