"""Second edition of ``terminal_silent`` on a real database: odometers of devices, power cuts that add up, contradictions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest

from telemetry.positions import OPTIONAL
from telemetry.terminals import notices
from tests.integration.test_judge_vehicle_days import POWER_LOSS, Court
from tests.integration.worker_world import Fix, stand

H = 3600
RULE = "terminal_silent"
ODOMETER = 1 << OPTIONAL.index("odometer_dkm")


@pytest.fixture
async def court(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Court]:
    made = Court(pool, tmp_path)
    await made.build(3, fence=False)
    await made.calendar()
    for k in (2, 3):  # the others are seen all day
        await made.send(made.batch(stand(0, 26 * H, every=300), terminal=k))
    yield made
    await made.close()


async def report(
    court: Court,
    fixes: Sequence[Fix],
    *,
    odometer: Sequence[int] | int | None = None,
    alarm: Sequence[int] | int = 0,
) -> None:
    columns: dict[str, Any] = (
        {}
        if odometer is None
        else {"odometer_dkm": np.broadcast_to(odometer, len(fixes)), "present": ODOMETER}
    )
    await court.send(court.batch(fixes, alarm=np.broadcast_to(alarm, len(fixes)), **columns))


async def judged(court: Court) -> tuple[str, str]:
    await court.work()
    await court.judge(court.key())
    return (await court.outcomes(RULE))[court.told_of(1)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (0, 582_110, ("undetermined", "odometer_fault")),  # 0 -> 58,211 km
        (582_110, 0xFFFFFFFF, ("normal", "asleep")),  # no data, as a release before stored it
        (582_110, 600_110, ("undetermined", "odometer_fault")),  # calibrated while parked
        (1000, 1300, ("suspected", "odometer")),
        (1000, 1000, ("normal", "asleep")),
    ],
)
async def test_odometers(court: Court, before: int, after: int, expected: tuple[str, str]) -> None:
    morning, evening = stand(8 * H, 10 * H, every=300), stand(15 * H, 26 * H, every=300)
    await report(court, morning + evening, odometer=[before] * len(morning) + [after] * len(evening))
    assert await judged(court) == expected


async def test_one_fix_of_a_day_is_judged_with_the_one_before_it(court: Court) -> None:
    await report(court, stand(-5 * H, -4 * H, every=600))
    await report(court, [(8 * H, 0, 0, 0), *stand(15 * H, 26 * H, 9000, every=300)])
    assert await judged(court) == ("suspected", "displaced")
    # Had it been a stray one, far from where the vehicle was before, it would accuse nobody.
    await report(court, [(7.9 * H, 9000, 0, 0)])
    assert (await judged(court))[0] != "suspected"


async def test_power_cuts_of_a_day_add_up(court: Court) -> None:
    """Three of 45 minutes."""
    fixes, alarm = [], []
    for start in (8, 10, 12):
        part = stand((start - 1) * H + 45 * 60, start * H + 1, every=60)
        fixes += part
        alarm += [0] * (len(part) - 1) + [POWER_LOSS]
    rest = stand(12.75 * H, 26 * H, every=300)
    awake = [f for a, b in ((8.75, 9.75), (10.75, 11.75)) for f in stand(a * H, b * H - 60, every=60)]
    await report(court, fixes, alarm=alarm)
    await report(court, awake + rest)
    assert await judged(court) == ("suspected", "unplugged_together")
    (alert,) = await court.of(RULE)
    assert alert["severity"] == "low"
    assert alert["measures"]["unplugged_silences"]["value"] == 3
    assert "断电失联 3 次" in alert["summary"]


async def test_a_terminal_that_goes_on_by_its_battery_was_not_cut_off(court: Court) -> None:
    fixes = stand(8 * H, 18 * H, every=900)
    await report(court, fixes, alarm=POWER_LOSS)
    await report(court, stand(18 * H, 26 * H, every=300))
    assert (await judged(court))[0] == "normal"


async def test_fixes_that_stand_while_the_odometer_runs_are_told_to_the_office(court: Court) -> None:
    fixes = stand(8 * H, 26 * H, every=60)
    running = [1000 + min(k, 80) for k in range(len(fixes))]
    await report(court, fixes, odometer=running)
    assert await judged(court) == ("undetermined", "contradiction")
    async with court.pool.acquire() as conn:
        (notice,) = await notices.page(conn, kind="contradiction")
    assert notice["terminal"] == "13800000001"
    assert notice["detail"] == {"vehicle": "V1", "kind": "odometer_runs", "odometer_m": 8000, "moved_m": 0}
