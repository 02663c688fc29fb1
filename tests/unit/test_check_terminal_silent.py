"""terminal_silent: a sleeping terminal accuses nobody, displacement does, and only while others are seen."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.parameters import RULES
from rules import evidence as frozen
from rules.checks import terminal_silent
from rules.checks.base import Outcome
from rules.evidence import EvidenceError
from telemetry import geo
from tests.examples import examples
from tests.words import said

S = 1_000_000
MIN, HOUR = 60 * S, 3600 * S
DAY = 20_517 * 86_400 * S - 8 * HOUR
PARAMETERS = {p.name: p.default for rule in ("terminal_silent", "track") for p in RULES[rule]}
PEERS: dict[str, Any] = {"of": "organisation", "reporting": 2, "silent": 0, "asleep": 5, "until_us": DAY}


def fix(minute: int, metres: float = 0, *, odometer: int = -1, terminal: int = 7) -> list[int]:
    return [DAY + minute * MIN, 29_500_000 + round(metres * 9.0205), 106_500_000, odometer, terminal]


def silence(
    before: Sequence[float] = (0, 0), after: Sequence[float] = (0, 0), *, minutes: int = 180,
    peers: dict[str, Any] | None = PEERS, odometer: tuple[int, int] = (-1, -1), **more: Any,
) -> Any:  # fmt: skip
    """Two fixes before and after; metres north of each; ``minutes`` between 10:00 and the next fix."""
    first = [fix(599 + k, m, odometer=odometer[0]) for k, m in enumerate(before)]
    later = [fix(600 + minutes + k, m, odometer=odometer[1]) for k, m in enumerate(after)]
    return {
        "before": first, "after": later, "to_us": later[0][0] if len(later) == 2 else None, "unplugged": False,
        "binding": "same", "reports": 0, "orders": [], "peers": peers,
    } | more  # fmt: skip


def make(
    *silences: dict[str, Any], positions: int = 100, contradictions: Sequence[Any] = (), **parameters: Any
) -> Any:
    return {
        "rule": "terminal_silent", "rule_version": 2, "subject": terminal_silent.subject("V1", "2026-03-05"),
        "vehicle": {"no": 1, "id": "V1", "plate": "渝A12345", "organisation": "O1"},
        "day": {"date": "2026-03-05", "from_us": DAY}, "parameters": PARAMETERS | parameters,
        "day_positions": positions, "silences": list(silences), "contradictions": list(contradictions),
    }  # fmt: skip


def told(*silences: dict[str, Any], **more: Any) -> tuple[Outcome, str]:
    made = terminal_silent.evaluate(make(*silences, **more))
    return made.outcome, made.reason


def test_asleep_and_displaced() -> None:
    assert told(silence()) == (Outcome.NORMAL, "asleep")
    made = terminal_silent.evaluate(make(silence(after=(5000, 5100))))
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "displaced")
    assert made.measures["displacement_m"]["value"] in (4999, 5000)
    assert made.measures["silence_min"] == {"value": 180, "unit": "min"}
    assert said(made) == (
        "疑似终端失联：渝A12345 于 2026-03-05 10:00 至 13:00失联 3 小时 0 分，恢复定位时车辆已在 5.0 公里之外，"
        "同期本单位其他车辆有 2 辆定位正常。"
    )
    assert terminal_silent.severity(make(silence(after=(5000, 5100)))) == "high"


def test_one_stray_fix_accuses_nobody() -> None:
    assert told(silence(after=(5000, 0))) == (Outcome.NORMAL, "asleep")
    assert told(silence(before=(0, 5000))) == (Outcome.NORMAL, "asleep")
    assert told(silence(after=(5000,))) == (Outcome.UNDETERMINED, "unconfirmed")


def test_exactly_the_displacement() -> None:
    found = silence(after=(2500, 2500))
    metres = (
        min(geo.distance_mm_scalar(b[1], b[2], a[1], a[2]) for b in found["before"] for a in found["after"])
        // 1000
    )
    assert told(found, min_displacement_m=metres)[0] is Outcome.SUSPECTED
    assert told(found, min_displacement_m=metres + 1) == (Outcome.NORMAL, "asleep")
    assert told(silence(), min_displacement_m=0) == (Outcome.NORMAL, "asleep")


def test_a_round_trip_shows_in_the_odometer_of_the_same_terminal() -> None:
    assert told(silence(odometer=(1000, 1020))) == (Outcome.SUSPECTED, "odometer")
    assert told(silence(odometer=(1000, 1019))) == (Outcome.NORMAL, "asleep")
    assert told(silence(odometer=(1000, -1))) == (Outcome.NORMAL, "asleep")


def test_unplugged() -> None:
    repair = {
        "id": "P1",
        "version": 1,
        "task_type": "repair",
        "from_us": DAY + 9 * HOUR,
        "to_us": DAY + 14 * HOUR,
    }
    back = silence(unplugged=True)
    away = silence(after=(), unplugged=True)
    assert told(back) == told(away) == (Outcome.SUSPECTED, "unplugged")
    assert terminal_silent.severity(make(back)) == "low"
    assert terminal_silent.severity(make(away)) == "medium"
    assert terminal_silent.severity(make(back, away, silence(after=(9000, 9000)))) == "high"
    assert told(back | {"orders": [repair]}) == (Outcome.NORMAL, "workshop")
    assert told(away | {"orders": [repair]}) == (Outcome.UNDETERMINED, "still_silent")
    assert told(back | {"orders": [repair | {"task_type": "official"}]})[0] is Outcome.SUSPECTED
    # Begins long after the power was lost: 120 min of the silence lie outside of it, or a minute less.
    start = back["before"][-1][0]
    late = repair | {"from_us": start + 120 * MIN}
    assert told(back | {"orders": [late]})[0] is Outcome.SUSPECTED
    assert told(back | {"orders": [late | {"from_us": start + 119 * MIN}]}) == (Outcome.NORMAL, "workshop")


@pytest.mark.parametrize("task_type", ["repair", "tow", "inspection"])
def test_a_repair_or_a_tow_covers(task_type: str) -> None:
    order = {
        "id": "P1",
        "version": 1,
        "task_type": task_type,
        "from_us": DAY + 9 * HOUR,
        "to_us": DAY + 14 * HOUR,
    }
    for gone in (
        silence(after=(9000, 9000), unplugged=True),
        silence(after=(9000, 9000)),
        silence(odometer=(1000, 1500)),
    ):
        assert told(gone)[0] is Outcome.SUSPECTED
        assert told(gone | {"orders": [order]}) == (Outcome.NORMAL, "workshop")
        assert told(gone | {"orders": [order | {"task_type": "official"}]})[0] is Outcome.SUSPECTED
        half = order | {"from_us": gone["before"][-1][0] + 125 * MIN}  # for two hours nothing covered it
        assert told(gone | {"orders": [half]})[0] is Outcome.SUSPECTED


@pytest.mark.parametrize(
    "odometer",
    [
        (0, 582_110),  # set: 58,211 km
        (582_110, 600_110),  # recalibrated while parked
        (1000, 0),  # reset
        (582_110, 58_211),  # another unit
        (58_211, 582_150),
        (0xFFFFFF, 20),  # rolled over
    ],
)
def test_what_no_car_can_drive_is_a_fault_of_the_device(odometer: tuple[int, int]) -> None:
    assert told(silence(odometer=odometer)) == (Outcome.UNDETERMINED, "odometer_fault")
    # What the fixes say stands.
    assert told(silence(after=(5000, 5000), odometer=odometer)) == (Outcome.SUSPECTED, "displaced")
    assert told(silence(unplugged=True, odometer=odometer)) == (Outcome.SUSPECTED, "unplugged")


def test_a_counter_at_zero_does_not_count_yet() -> None:
    # 900 km in 10 hours a car could drive, but the counter stood at 0: it was set, or connected.
    fault = (Outcome.UNDETERMINED, "odometer_fault")
    assert told(silence(minutes=600, odometer=(0, 9_000))) == fault
    assert told(silence(minutes=600, odometer=(0, 1_000))) == fault
    assert told(silence(minutes=600, odometer=(0, 300))) == (Outcome.SUSPECTED, "odometer")
    assert told(silence(minutes=600, odometer=(123_456, 132_456))) == (Outcome.SUSPECTED, "odometer")


def test_no_data_is_no_odometer() -> None:
    for odometer in ((582_110, 0xFFFFFFFF), (0xFFFFFFFF, 582_110), (0xFFFFFFFF, 0xFFFFFFFF)):
        assert told(silence(odometer=odometer)) == (Outcome.NORMAL, "asleep")


def test_one_fix_before_it_accuses_nobody() -> None:
    assert told(silence(before=(0,), after=(5000, 5000))) == (Outcome.UNDETERMINED, "unconfirmed")
    assert told(silence(before=(0,), odometer=(1000, 1500))) == (Outcome.UNDETERMINED, "unconfirmed")
    assert told(silence(before=(0,))) == (Outcome.NORMAL, "asleep")


def test_one_stray_reading_of_the_odometer_accuses_nobody() -> None:
    found = silence(odometer=(1000, 1000))
    found["before"][1][3] = 900  # then 1000 again
    assert told(found) == (Outcome.UNDETERMINED, "odometer_fault")
    found = silence(odometer=(1000, 1000))
    found["after"][0][3] = 1500
    assert told(found)[0] is not Outcome.SUSPECTED


def cut(minute: int, minutes: int, **more: Any) -> Any:
    """A short silence with loss of power from ``minute`` of the day on."""
    found = silence(minutes=minutes, unplugged=True, **more)
    for one in found["before"] + found["after"]:
        one[0] += (minute - 600) * MIN
    return found | {"to_us": found["after"][0][0]}


def test_silences_with_loss_of_power_add_up() -> None:
    first, second, third = cut(500, 40), cut(600, 40), cut(700, 39)
    exactly = cut(700, 40)
    length = [s["to_us"] - s["before"][-1][0] for s in (first, second, exactly)]
    assert sum(length) == 120 * MIN  # 以上: the number itself is enough
    assert told(first, second, exactly) == (Outcome.SUSPECTED, "unplugged_together")
    assert told(first, second, third) == (Outcome.NORMAL, "reporting")
    assert told(first) == (Outcome.NORMAL, "reporting")
    evidence = make(first, second, exactly)
    assert terminal_silent.severity(evidence) == "low"
    made = terminal_silent.evaluate(evidence)
    assert (made.from_us, made.to_us) == (first["before"][-1][0], exactly["to_us"])
    assert "断电失联 3 次，合计 2 小时 0 分" in said(made)
    away = make(first, second, cut(700, 40, after=(9000, 9000)))
    assert terminal_silent.severity(away) == "high"
    # Not when the others were silent as well, or at a workshop.
    quiet = cut(700, 40, peers=PEERS | {"reporting": 0, "silent": 9})
    assert told(first, second, quiet) == (Outcome.UNDETERMINED, "peers_silent")
    repair = {"id": "P1", "version": 1, "task_type": "repair", "from_us": DAY, "to_us": DAY + 24 * HOUR}
    assert told(first, second, exactly | {"orders": [repair]}) == (Outcome.NORMAL, "reporting")
    assert told(first, second, exactly | {"unplugged": False, "peers": None}) == (Outcome.NORMAL, "reporting")


def test_fixes_and_odometer_that_contradict_each_other_are_a_finding_of_their_own() -> None:
    runs = {
        "kind": "odometer_runs",
        "odometer_m": 8200,
        "moved_m": 40,
        "edges": [fix(500, odometer=10), fix(530, odometer=92)],
    }
    stands = runs | {"kind": "fixes_run", "odometer_m": 0, "moved_m": 9000}
    for one in (runs, stands):
        assert told(contradictions=[one]) == (Outcome.UNDETERMINED, "contradiction")
        assert told(silence(), contradictions=[one]) == (Outcome.UNDETERMINED, "contradiction")
        assert told(silence(after=(5000, 5000)), contradictions=[one]) == (Outcome.SUSPECTED, "displaced")
    # An odometer that runs by itself does not accuse.
    assert told(silence(odometer=(1000, 1500)), contradictions=[runs])[0] is Outcome.UNDETERMINED
    assert "位置与里程矛盾" in said(terminal_silent.evaluate(make(contradictions=[runs])))
    assert "8.2 公里" in said(terminal_silent.evaluate(make(contradictions=[runs])))


def test_others() -> None:
    found = silence(after=(5000, 5000))

    def peers(reporting: int, silent: int) -> Any:
        return found | {"peers": PEERS | {"reporting": reporting, "silent": silent}}

    assert told(peers(2, 2))[0] is Outcome.SUSPECTED  # exactly half of those awake
    assert told(peers(2, 3)) == (Outcome.UNDETERMINED, "peers_silent")
    assert told(peers(1, 0)) == (Outcome.UNDETERMINED, "peers_silent")
    assert told(peers(1, 0), min_peers=1)[0] is Outcome.SUSPECTED
    with pytest.raises(EvidenceError):
        told(found | {"peers": None})
    assert told(silence(peers=None)) == (Outcome.NORMAL, "asleep")


def test_what_is_not_known() -> None:
    assert told(silence(after=(), peers=None)) == (Outcome.UNDETERMINED, "still_silent")
    for binding in ("exchanged", "ended"):
        moved = silence(after=(9000, 9000), odometer=(0, 500), binding=binding)
        assert told(moved) == (Outcome.UNDETERMINED, "terminal_changed")
    assert told(silence(binding="exchanged", unplugged=True)) == (Outcome.SUSPECTED, "unplugged")
    assert told(silence(binding="ended", unplugged=True)) == (Outcome.UNDETERMINED, "terminal_changed")
    assert told() == (Outcome.NORMAL, "reporting")
    assert told(positions=0) == (Outcome.UNDETERMINED, "no_fix")
    assert terminal_silent.waits(make(silence(after=())))
    assert terminal_silent.waits(make(silence(after=(1,))))
    assert terminal_silent.waits(make(positions=0))
    assert not terminal_silent.waits(make(silence(), silence(after=(9000, 9000))))
    assert not terminal_silent.waits(make(silence(after=(), binding="exchanged")))


def test_an_order_during_the_silence_is_noted() -> None:
    orders = [
        {"id": k, "version": 1, "task_type": "official", "from_us": DAY + a * HOUR, "to_us": DAY + b * HOUR}
        for k, a, b in (("P1", 9, 11), ("P2", 10, 12))
    ]
    made = terminal_silent.evaluate(make(silence(after=(5000, 5000), orders=orders)))
    assert made.measures["ordered_min"] == {"value": 120 - 0, "unit": "min"}
    assert "派车单 P1、P2" in said(made)


def test_other_evidence_is_refused() -> None:
    with pytest.raises(EvidenceError):
        terminal_silent.evaluate(make() | {"rule_version": 99})


METRES = st.lists(st.integers(-6000, 6000), min_size=1, max_size=2)
SILENCES = st.lists(
    st.builds(
        silence, METRES, st.lists(st.integers(-6000, 6000), max_size=2), minutes=st.integers(121, 3000),
        odometer=st.tuples(st.integers(-1, 60), st.integers(-1, 60)), unplugged=st.booleans(), binding=st.sampled_from(["same", "exchanged", "ended"]),
        peers=st.builds(lambda r, s: PEERS | {"reporting": r, "silent": s}, st.integers(0, 4), st.integers(0, 4)),
    ),
    max_size=3,
)  # fmt: skip
RANK = {Outcome.NORMAL: 0, Outcome.UNDETERMINED: 1, Outcome.SUSPECTED: 2}


@given(SILENCES, st.randoms(use_true_random=False))
@settings(max_examples=examples(300), deadline=None)
def test_what_must_always_hold(silences: Any, random: Random) -> None:
    evidence = make(*silences)
    made = terminal_silent.evaluate(evidence)
    assert terminal_silent.evaluate(frozen.parse(frozen.canonical(evidence))) == made
    # The day is as grave as its gravest silence, in whatever order they come.
    mixed = make(*random.sample(silences, len(silences)))
    assert terminal_silent.evaluate(mixed).outcome is made.outcome
    alone = [terminal_silent.evaluate(make(s)) for s in silences]
    if silences:
        assert RANK[made.outcome] == max(RANK[a.outcome] for a in alone)
    for s, a in zip(silences, alone, strict=True):
        # More of the others seen never clears, fewer never accuses.
        louder = terminal_silent.evaluate(make(s | {"peers": PEERS | {"reporting": 9}}))
        quieter = terminal_silent.evaluate(make(s | {"peers": PEERS | {"reporting": 0}}))
        assert RANK[louder.outcome] >= RANK[a.outcome] or louder.outcome is Outcome.SUSPECTED
        assert quieter.outcome is not Outcome.SUSPECTED
        if a.outcome is Outcome.SUSPECTED:
            assert terminal_silent.suspicious(s, PARAMETERS) == a.reason
            assert s["unplugged"] or len(s["after"]) == 2
