"""Terminals behind a line that delays, cuts, throttles, tears and stalls; processes die meanwhile."""

from __future__ import annotations

from tests.faults.rounds import Kill, world

SECONDS = 4.0


async def test_a_bad_line_loses_nothing_and_mixes_up_no_replies() -> None:
    async with world(rounds=1, seconds=SECONDS, terminals=40, rate=1_200, bad_line=808) as made:
        outcome = await made.round(SECONDS, [Kill(("gateway",), 2.0, 0.0)], flush=True)
        line = made.line
    assert outcome.audit.wrong == [], "\n".join(outcome.audit.wrong)
    assert outcome.audit.replied == outcome.audit.offered > 4_000
    # Whether a position is twice in the log is chance: its reply must have been lost, and not the position. That the line was bad is not.
    assert line is not None
    assert line.cuts > 10
    assert line.refused > 0
