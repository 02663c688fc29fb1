"""The worker end to end: stray fixes, and several terminals in one vehicle, in whatever order the positions arrive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from registry.terminals import Terminal
from runtime.units import US_PER_DAY, from_us
from tests.integration.worker_world import TRUNCATE_RESULTS, Fix, World, drive, place, shuffled, stand

H = 3600
#: A private trip, and one with an order; stray fixes before, in and after both, one at the end of the order's time.
TRIP = drive(10 * H, (0.0, 0.0), (6000.0, 0.0), (0.0, 0.0))
ORDER = drive(14 * H, (0.0, 0.0), (0.0, 7000.0), (0.0, 0.0))
TRACK: list[Fix] = [
    *stand(0, 9 * H, every=600), *stand(9 * H + 600, 10 * H, every=30), *TRIP, *stand(12 * H, 14 * H, every=60),
    *ORDER, *stand(16 * H, 30 * H, every=600),
]  # fmt: skip


def strewn() -> list[Fix]:
    """TRACK with strays: alone, two and three in a row."""
    made = sorted(TRACK)
    rng = np.random.default_rng(4)
    for k in (12, 30, 31, 90, 91, 92, 150, 260, 261, 330, len(made) - 9, len(made) - 1):
        east, north = rng.normal(0, 60_000, 2)
        made[k] = (made[k][0], float(east), float(north), 0)
    return made


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("second", [False, True])
async def test_the_order_of_arrival_does_not_matter_to_stray_fixes_and_second_terminals(
    world: World, tmp_path: Path, db_url: str, second: bool, seed: int
) -> None:
    await world.order("A", 14 * H, 16 * H, destinations=[place(0.0, 7000.0)])
    fixes, terminals = strewn(), [1] * len(TRACK)
    if second:  # in the yard all the time
        long_ago = from_us(world.day - 100 * US_PER_DAY)
        await world.apply(Terminal(id="13800000002", vehicle="V1", valid_from=long_ago, beside=True))
        yard = stand(5, 30 * H, 20.0, every=300)
        fixes, terminals = fixes + yard, terminals + [2] * len(yard)
    batch = world.batch(fixes, terminal=terminals)
    n = len(batch)
    await world.send_in(batch, np.argsort(batch.device_us, kind="stable").tolist(), 30)
    await world.work()
    truth, told = await world.everything(), await world.told()
    (alert,) = [a for a in told if a[0] == "location"]
    assert ("terminals_apart_m" in dict(alert[6])) == second
    assert 11_500 < dict(alert[6])["distance_m"] < 12_500
    assert 13_500_000 < truth["results"][0][4] < 14_500_000

    async with world.pool.acquire() as conn:
        await conn.execute(TRUNCATE_RESULTS)
    await world.close()
    (tmp_path / "second").mkdir()
    other = World(world.pool, tmp_path / "second", world.day, db_url)
    await other.send_in(batch, shuffled(n, seed), 40)
    await other.work()
    again = await other.everything()
    await other.close()
    for name in ("states", "days", "results"):
        assert again[name] == truth[name], name
    assert await other.told() == told


@pytest.mark.parametrize("together", [False, True])
async def test_two_fixes_outside_and_back_at_once_are_undetermined(world: World, together: bool) -> None:
    """The driver waits in the yard with the engine on. Two stray fixes look like a drive: it is told live, and withdrawn when what
    follows does not bear it out. Whoever sees all of it at once tells nothing."""
    fixes = [
        *stand(9 * H, 10 * H),
        (10 * H, 400.0, 0.0, 600),
        (10 * H + 30, 900.0, 0.0, 300),
        *stand(10 * H + 60, 11 * H),
    ]
    batch = world.batch(fixes, status=3)
    n, seen = len(batch), 122
    worker = await world.work()
    if not together:
        await world.send(batch.take(np.arange(seen)))
        await world.work(worker)
        (alert,) = await world.alerts()
        assert (alert["rule"], alert["severity"]) == ("location", "high")
    await world.send(batch.take(np.arange(0 if together else seen, n)))
    await world.work(worker)
    assert await world.alerts() == []
    rows = await world.pool.fetch(
        "SELECT outcome, reason_code FROM evaluations WHERE rule = 'location' ORDER BY id DESC LIMIT 1"
    )
    assert [tuple(r) for r in rows] == [("undetermined", "few_fixes")]
    withdrawn = await world.alerts("withdrawn")
    assert len(withdrawn) == (0 if together else 1)
