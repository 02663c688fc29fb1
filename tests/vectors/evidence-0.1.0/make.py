"""Evidence of every rule with what the released program makes of it: ``evidence.ndjson.gz``.

Run with the program and the tests of that release (commit ``0621ef2``), never with those of today:

    git worktree add ../released 0621ef2
    PYTHONPATH=../released/src:../released .venv/bin/python tests/vectors/evidence-0.1.0/make.py

One line a piece of evidence: rule, evidence (the canonical text, byte for byte), outcome, reason, measures, parameters,
from_us, to_us, summary. The evidence is what the release's own property tests make (``tests/unit/evidences.py``), some of each
reason, and by hand what chance does not find.
"""

from __future__ import annotations

import copy
import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, Phase, given, settings
from tests.unit import evidences
from tests.unit import test_check_card_use as card_use
from tests.unit import test_check_location as location
from tests.unit import test_check_mileage as mileage
from tests.unit import test_check_terminal_silent as terminal_silent
from tests.unit import test_check_traffic_violations as violations

from rules import engine  # only the release has it
from rules import evidence as frozen

#: Tries by chance, and kept of each reason: of suspected ones more, for their sentences differ more.
TRIES = {"mileage": 400, "location": 900}
KEPT, KEPT_SUSPECTED = 14, 40


def line(evidence: dict[str, Any]) -> dict[str, Any]:
    """A line for a piece of evidence."""
    body = frozen.canonical(orjson.loads(frozen.canonical(evidence)))
    made = engine.evaluate(orjson.loads(body))
    return {
        "rule": made.rule, "evidence": body.decode(), "outcome": made.outcome.value, "reason": made.reason,
        "measures": {name: dict(m) for name, m in made.measures.items()}, "parameters": dict(made.parameters),
        "from_us": made.from_us, "to_us": made.to_us, "summary": made.summary,
    }  # fmt: skip


def by_chance(rule: str) -> list[dict[str, Any]]:
    """Lines of one rule."""
    found: dict[str, dict[str, Any]] = {}
    kept: Counter[tuple[str, str]] = Counter()

    @settings(
        max_examples=TRIES.get(rule, 2500), derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(evidences.EVIDENCE[rule])
    def run(evidence: dict[str, Any]) -> None:
        made = line(evidence)
        key = made["outcome"], made["reason"]
        most = KEPT_SUSPECTED if made["outcome"] == "suspected" else KEPT
        if made["evidence"] not in found and kept[key] < most:
            kept[key] += 1
            found[made["evidence"]] = made

    run()
    return list(found.values())


def by_hand() -> Iterator[dict[str, Any]]:
    """Evidence of the reasons that chance does not find."""
    for k in range(4):
        drive = location.drive(-50, 3000 + 100 * k)
        fence = location.FENCE | {"to_us": location.T0 + (300 + 10 * k) * location.S}
        yield location.make(drive, fences=[fence])
        yield location.make([*drive, (drive[-1][0] + 1800, 3100 + 100 * k, 0)])  # parked
        evening = [(t + 9.7 * 3600, m, s) for t, m, s in location.drive(-50, 10_000, -50 - k)]
        sold = location.make(evening)
        sold["vehicle"] |= {"registered_on": None, "disposed_on": "2026-02-26"}
        yield sold
    trip = mileage.evidence(navigation_m=10_000)
    for name in ("mileage_mm", "bridged_mm", "fixes"):
        wrong = copy.deepcopy(trip)
        wrong["result"][name] += 1
        yield wrong
    for change in (
        {"destinations": []}, {"origin": None}, {"origin": mileage.UNKNOWN},
        {"departed_us": mileage.DAY - 40 * 86_400 * mileage.S},
    ):  # fmt: skip
        yield trip | change
    for end in (-840, -780, -720):
        yield card_use.make(card_use.parked(90_000, start=-900, end=end))
    at = violations.at
    rows = [
        violations.record("W1", at("2026-03-02 10:00")),
        violations.record("W2", at("2026-03-05 10:00")),
    ]
    yield violations.make("2026-03", rows, by_driver=1)
    yield violations.make("2026-03", rows, unit="driver", by_driver=0)
    day, hour = terminal_silent.DAY, terminal_silent.HOUR
    repair = {
        "id": "P1",
        "version": 1,
        "task_type": "repair",
        "from_us": day + 9 * hour,
        "to_us": day + 14 * hour,
    }
    yield terminal_silent.make(terminal_silent.silence(unplugged=True) | {"orders": [repair]})


def main() -> None:
    rules = list(evidences.EVIDENCE)
    lines = [made for rule in rules for made in by_chance(rule)] + [line(one) for one in by_hand()]
    lines.sort(
        key=lambda made: (rules.index(made["rule"]), made["outcome"], made["reason"], made["evidence"])
    )
    body = b"".join(orjson.dumps(made, option=orjson.OPT_SORT_KEYS) + b"\n" for made in lines)
    file = Path(__file__).with_name("evidence.ndjson.gz")
    file.write_bytes(gzip.compress(body, 9, mtime=0))
    print(len(lines), Counter((made["rule"], made["reason"]) for made in lines))


if __name__ == "__main__":
    main()
