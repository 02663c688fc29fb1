"""Evidence outlives its rule: what was judged by a version is judged again by that version, and a version that a program
does not have is said to be unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rules import evidence as frozen
from rules.catalogue import CATALOGUE, RULES, Catalogue, rule
from rules.checks import mileage, traffic_violations
from rules.evidence import EvidenceError, UnknownVersionError
from rules.tracks.state import (
    FIELDS,
    READERS,
    STATE_DTYPE,
    STATE_VERSION,
    StateReader,
    TrackStates,
    UnknownStateError,
    read_states,
)
from rules.wording.standard import STANDARD
from tests.unit import next_violations, test_check_mileage
from tests.unit.test_check_traffic_violations import at, make, record

ONE = [record("W1", at("2026-03-02 10:00"))]


def bumped() -> Catalogue:
    """The rules of today, with the next version of one."""
    changed = rule("违章异常", next_violations, traffic_violations)
    return Catalogue([changed if r.code == changed.code else r for r in RULES])


def test_old_evidence_is_judged_by_the_version_that_judged_it() -> None:
    old, new = make("2026-03", ONE), make("2026-03", ONE) | {"rule_version": next_violations.VERSION}
    rules = bumped()
    was, is_ = rules.evaluate(old), rules.evaluate(new)
    assert (was.rule_version, was.outcome.value) == (traffic_violations.VERSION, "normal")
    assert (is_.rule_version, is_.outcome.value) == (next_violations.VERSION, "suspected")
    for evidence, made in ((old, was), (new, is_)):
        body = frozen.canonical(evidence)
        assert rules.verify(body, outcome=made.outcome.value, measures=made.measures) == []
    # Each by its own: the other version would find something else.
    assert rules.verify(frozen.canonical(old), outcome="suspected", measures=is_.measures) != []
    assert [r.version for r in rules.rules if r.code == "traffic_violations"] == [next_violations.VERSION]


def test_a_version_that_is_not_there_is_unknown_and_not_wrong() -> None:
    new = frozen.canonical(make("2026-03", ONE) | {"rule_version": 99})
    with pytest.raises(UnknownVersionError, match="traffic_violations 99; known: 1, "):
        CATALOGUE.verify(new, outcome="suspected", measures={})
    with pytest.raises(UnknownVersionError):
        CATALOGUE.evaluate({"rule": "mileage", "rule_version": "1"})
    # What was tampered with is wrong all the same.
    (hash_, unknown) = CATALOGUE.verify(new, outcome="suspected", measures={}, sha256="00")
    assert "SHA-256" in hash_
    assert "unknown version" in unknown
    with pytest.raises(EvidenceError, match="no rule"):
        CATALOGUE.evaluate({"rule": "nothing", "rule_version": 1})


def test_versions_of_one_rule_are_told_apart() -> None:
    with pytest.raises(ValueError, match="not versions of one rule"):
        rule("x", traffic_violations, traffic_violations)
    with pytest.raises(ValueError, match="not versions of one rule"):
        rule("x", traffic_violations, next_violations)  # the older one as the current one
    with pytest.raises(ValueError, match="not versions of one rule"):
        rule("x", next_violations, mileage)


def test_every_version_of_every_rule_has_its_words() -> None:
    assert STANDARD.rules().keys() == {(r.code, version) for r in RULES for version in r.evaluate}


# --- states of the kernel that are frozen in evidence

#: As a state of a version 0 would have been: without the odometer.
_BEFORE = [name for name in FIELDS if not name.startswith("odo_")]
_HALF_0 = np.dtype([(name, "<i8") for name in _BEFORE])
DTYPE_0 = np.dtype([("base", _HALF_0), ("tip", _HALF_0)])


def _from_0(rows: Any) -> Any:
    made = np.zeros(len(rows), STATE_DTYPE)
    for half in ("base", "tip"):
        for name in _BEFORE:
            made[half][name] = rows[half][name]
    return made


def test_a_frozen_state_is_read_by_the_reader_of_its_version() -> None:
    readers = {**READERS, 0: StateReader(DTYPE_0, _from_0)}
    old = np.zeros(2, DTYPE_0)
    old["tip"]["t"], old["tip"]["day_sum_mm"], old["base"]["leg"] = [5, 6], [70, 80], [-1, 9]
    read = read_states(0, [row.tobytes() for row in old], readers)
    states = TrackStates(2)
    states.unpack(np.arange(2), read)
    assert states.field("t").tolist() == [5, 6]
    assert states.field("day_sum_mm").tolist() == [70, 80]
    assert states.field("odo_first").tolist() == [0, 0]
    assert states.base_field("leg").tolist() == [-1, 9]
    now = states.pack(np.arange(2))
    assert read_states(STATE_VERSION, [row.tobytes() for row in now]).tobytes() == now.tobytes()
    with pytest.raises(UnknownStateError, match="version 0; known"):
        read_states(0, [b""])
    with pytest.raises(ValueError, match="bytes"):
        read_states(STATE_VERSION, [b"x"])


def test_evidence_with_a_state_of_an_unknown_version_is_unknown() -> None:
    packed = np.zeros(1, STATE_DTYPE).tobytes().hex()
    evidence = test_check_mileage.evidence(state={"version": STATE_VERSION, "packed": packed})
    made = mileage.evaluate(evidence)
    body = frozen.canonical(evidence | {"state": {"version": STATE_VERSION + 1, "packed": packed}})
    with pytest.raises(UnknownVersionError, match=f"state of the kernel, version {STATE_VERSION + 1}"):
        CATALOGUE.verify(body, outcome=made.outcome.value, measures=made.measures)
