"""The evidence that the console's tests have is that of the checks of today."""

from __future__ import annotations

from rules.catalogue import RULES
from tests.console_evidence import FILE, judged, written


def test_the_file_is_what_the_checks_find() -> None:
    assert FILE.read_bytes() == written(), "write it anew: PYTHONPATH=src python -m tests.console_evidence"


def test_there_is_a_suspected_one_of_each_rule() -> None:
    found = judged()
    assert {name.split(".")[0] for name in found} == {rule.code for rule in RULES}
    assert {made.outcome.value for _, made in found.values()} == {"suspected"}
