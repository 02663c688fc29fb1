"""A short version of ``make bounded``: every trouble in turn over one machine, and exact accounts at the end."""

from __future__ import annotations

from dataclasses import replace

import asyncpg

from tests.faults.accounts import reckon
from tests.faults.bounded import broker_dead, database_dead, slow_writers, storm
from tests.faults.trial import Setup, Trial, trial

SETUP = Setup(
    seconds=2.0, terminals=120, rate=600.0, budget_mb=64, calm_s=1.2, log="embedded", attackers=200, frame_timeout_s=1.0
)  # fmt: skip


async def test_memory_replies_and_accounts_keep_within_bounds() -> None:
    async with trial(SETUP, None) as made:
        await made.calm()
        made.setup = replace(SETUP, seconds=4.0)
        await slow_writers(made, None)
        assert made.figures["frame_timeout"] >= SETUP.attackers / 2
        made.setup = SETUP
        await database_dead(made, None)
        await broker_dead(made, None)
        assert made.figures["waiting_at_end_of_outage"] > SETUP.rate
        await storm(made, None)
        await made.finish()
        assert made.wrong == [], "\n".join(made.wrong)
        assert made.figures["stored"] == made.figures["replied"] > 5_000
        assert made.figures["duplicates"] > 0, "something must have been sent again"
        await _the_accounts_see_what_is_wrong(made)


async def _the_accounts_see_what_is_wrong(made: Trial) -> None:
    """Damage the database in every way that the accounts are there for, and look again."""
    connection = await asyncpg.connect(made.machine.dsn)
    try:
        await connection.execute(
            "DELETE FROM positions WHERE (terminal_no, device_time) ="
            " (SELECT terminal_no, min(device_time) FROM positions WHERE terminal_no = 1 GROUP BY 1)"
        )
        await connection.execute(
            "CREATE TEMP TABLE twin AS SELECT * FROM positions WHERE terminal_no = 4 LIMIT 1;"
            " UPDATE twin SET fingerprint = fingerprint + 1; INSERT INTO positions SELECT * FROM twin"
        )
        await connection.execute(
            "UPDATE positions SET lat_e6 = lat_e6 + 1 WHERE (terminal_no, device_time) ="
            " (SELECT terminal_no, min(device_time) FROM positions WHERE terminal_no = 2 GROUP BY 1)"
        )
    finally:
        await connection.close()
    crowd = made.crowd
    terminal, row = 5, 0
    crowd.ledger.sent[terminal, row] = 0
    found = await reckon(made.machine, crowd, strangers=made.strangers)
    assert found.lost == 1
    for expected in (
        "1 positions were replied to and are not stored",
        "1 positions are stored more than once",
        "1 stored positions have another lat_e6 than was sent",
        "positions are stored that were never sent",
        "log and database do not have the same positions",
    ):
        assert expected in found.wrong
