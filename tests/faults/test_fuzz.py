"""A short version of ``make fuzz``: valid frames of odd content stop nobody."""

from __future__ import annotations

from tests.faults.fuzz import fuzz


async def test_odd_content_keeps_no_other_terminal_from_being_stored_and_judged() -> None:
    found = await fuzz(seconds=45, seed=808, terminals=8)
    assert found.wrong == [], "\n".join(found.wrong)
    assert found.seconds >= 1  # rounds of the canary; a busy machine has few
    assert found.messages > 2_000
    assert found.stored > 2_000
