"""The embedded log without space: nothing is confirmed meanwhile, and everything goes on when there is space again."""

from __future__ import annotations

import asyncio
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.rounds import World, world
from tests.waiting import PATIENCE_S, until

SMALL, LARGE = "3m", "256m"
_SILENT_S = 1.0


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of ``SMALL`` at ``folder``; skips the test where mounting is not permitted."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "gongche-faults", folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"mounting a small file system is not permitted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def _more_space(folder: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={LARGE}", folder], check=True)


async def _falls_silent(made: World) -> None:
    """Drive until no terminal has been replied to for a while, and something waits."""
    load = made.load
    async with asyncio.timeout(PATIENCE_S):
        replies, since = -1, load.now()
        while not (load.waiting and load.now() - since > _SILENT_S):
            if load.ledger.replies != replies:
                replies, since = load.ledger.replies, load.now()
            await asyncio.sleep(0.05)


async def test_a_full_disk_confirms_nothing_and_its_end_loses_nothing() -> None:
    # A busy machine writes fewer and larger records: of what is sent half fills the disk of an idle one.
    async with world(rounds=1, seconds=5, terminals=40, rate=1_600, log_on=small_disk) as made:
        driving = asyncio.create_task(made.load.drive(5))

        async def full() -> bool:  # a busy machine falls silent too
            metrics = await made.machine.gateway.metrics()
            return metrics is not None and metrics["gongche_gateway_log_append_failures_total"] > 0

        await until(full, "the disk is full")
        await _falls_silent(made)
        confirmed = made.load.ledger.confirmed.sum()
        # Whatever it holds in memory is gone now: a reply given without a record would be a position lost.
        await made.machine.kill(["gateway"], 0.2)
        await asyncio.sleep(1.0)  # time: nothing may be confirmed meanwhile
        assert made.load.ledger.confirmed.sum() == confirmed > 100
        await asyncio.to_thread(_more_space, made.machine.log_path.parent)
        await driving
        outcome = await made.finish(0, flush=True)
    assert outcome.audit.wrong == [], "\n".join(outcome.audit.wrong)
    assert outcome.audit.replied == outcome.audit.offered


async def test_a_gateway_that_may_not_write_confirms_nothing_and_recovers_by_itself() -> None:
    """EFBIG in place of ENOSPC: needs no file system of its own."""
    async with world(rounds=1, seconds=3, terminals=40, rate=1_600) as made:
        driving = asyncio.create_task(made.load.drive(3))
        await until(lambda: made.load.ledger.confirmed.sum() > 100, "positions are confirmed")
        life = made.machine.gateway.life
        assert life is not None
        before = resource.prlimit(life.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(life.process.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
        await _falls_silent(made)
        assert made.load.ledger.confirmed.sum() > 100
        resource.prlimit(life.process.pid, resource.RLIMIT_FSIZE, before)
        await driving
        outcome = await made.finish(0, flush=True)
        assert made.machine.gateway.life is life, "the same process goes on"
    assert outcome.audit.wrong == [], "\n".join(outcome.audit.wrong)
    assert outcome.audit.replied == outcome.audit.offered
