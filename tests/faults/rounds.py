"""Rounds of ``kill -9`` under load, each with an exact audit: ``python -m tests.faults.rounds --rounds 25``.

A round: terminals send, at random times one of gateway, worker, PostgreSQL or all of them at once is killed and started
again, the terminals go on. With ``--log kafka`` there are two gateways, between which the terminals change, two workers,
which take each other's partitions, and a broker, which is killed like the others. Every second round ends with everything confirmed, the others with all connections broken off
under way. Then the audit. The database and the log live through all rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.faults.audit import Audit, Reference, audit_round, reference
from tests.faults.harness import LogPlace, Machine, kafka, machine
from tests.faults.load import Load
from tests.faults.plan import Plan
from tests.faults.proxy import Proxy, proxy

TERMINALS, RATE, SECONDS = 50, 2_000.0, 8.0
#: Gateways and workers over Kafka, and for how long a worker may be silent before the other has its partitions.
COPIES, SESSION_S = 2, 3
_FLUSH_S = 90.0


@dataclass(frozen=True, slots=True)
class Kill:
    """``at_s`` after the load began; down for ``down_s``."""

    names: tuple[str, ...]
    at_s: float
    down_s: float


@dataclass
class Outcome:
    """One round: what was done, what was found, and how long it took to be well again."""

    number: int
    kills: Sequence[Kill]
    flushed: bool
    audit: Audit = field(default_factory=Audit)
    silence_s: float = 0.0
    caught_up_s: float = 0.0

    @property
    def row(self) -> list[str]:
        a = self.audit
        kills = "+".join("all" if len(k.names) > 1 else k.names[0] for k in self.kills)
        return [
            str(self.number), kills or "-", "all" if self.flushed else "cut", f"{a.offered:,}", f"{a.replied:,}",
            f"{a.stored:,}", str(a.lost), str(a.duplicate_rows), f"{a.unconfirmed_arrived:,}", f"{a.repeated:,}",
            f"{self.silence_s:.1f}", f"{self.caught_up_s:.1f}", str(a.alerts), str(a.evaluations), str(a.lives_checked),
            "ok" if not a.wrong else "WRONG",
        ]  # fmt: skip


HEADINGS = (
    "round", "killed", "end", "offered", "replied", "stored", "lost", "duplicate rows", "arrived, not replied",
    "sent again", "silence s", "caught up s", "alerts", "judged", "counters", "",
)  # fmt: skip


class World:
    """A machine, its terminals and the undisturbed run beside it, over several rounds. Made by ``world``."""

    def __init__(self, machine: Machine, load: Load, undisturbed: Reference, line: Proxy | None) -> None:
        self.machine, self.load, self.line = machine, load, line
        self.undisturbed = undisturbed
        self._number = 0

    async def round(self, seconds: float, kills: Sequence[Kill], *, flush: bool) -> Outcome:
        """One round and its audit. Raises TimeoutError when something does not come back."""
        load, first = self.load, self.load.next_row
        driving = asyncio.create_task(load.drive(seconds))
        try:
            begin = load.now()
            for kill in sorted(kills, key=lambda k: k.at_s):
                await asyncio.sleep(max(0.0, begin + kill.at_s - load.now()))  # time: the plan of kills
                await self.machine.kill(kill.names, kill.down_s)
            await driving
        finally:
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
        return await self.finish(first, flush=flush, kills=kills)

    async def finish(self, first: int, *, flush: bool, kills: Sequence[Kill] = ()) -> Outcome:
        """The end of a round: the terminals flush (or are cut off), everything settles, the audit of the rows from
        ``first`` on."""
        self._number += 1
        outcome = Outcome(self._number, kills, flush)
        load = self.load
        if self.line is not None:
            self.line.calm()
        if flush:
            await load.flush(_FLUSH_S)
        load.stop()
        ended = load.now()
        outcome.silence_s = load.ledger.longest_silence_s
        await self.machine.all_up()
        await self.machine.settled()
        outcome.caught_up_s = load.now() - ended
        rows = slice(first, load.next_row)
        outcome.audit, terminal, row = await audit_round(self.machine, load, rows)
        if flush:
            missing = outcome.audit.offered - outcome.audit.replied
            outcome.audit.expect(
                not missing, f"{missing} positions were never confirmed, though all was flushed"
            )
        await self.undisturbed.feed(terminal, row)
        await self.undisturbed.compare(self.machine, outcome.audit)
        return outcome


@asynccontextmanager
async def world(
    *,
    rounds: int,
    seconds: float,
    terminals: int = TERMINALS,
    rate: float = RATE,
    bad_line: int | None = None,
    log_on: LogPlace | None = None,
    over_kafka: bool = False,
) -> AsyncIterator[World]:
    """Everything for ``rounds`` rounds of ``seconds``. ``bad_line``: seed of a fault proxy before the gateway.
    ``log_on`` makes the (not yet existing) folder of the log."""
    settings = {"GONGCHE_KAFKA_SESSION_TIMEOUT_S": str(SESSION_S)} if over_kafka else {}
    rows = int(rounds * seconds * rate / terminals) + rounds
    plan = Plan.ending_before(datetime.now(UTC), terminals, rows)
    async with AsyncExitStack() as stack:
        cluster = stack.enter_context(kafka(over_kafka))
        copies = COPIES if over_kafka else 1
        made = await stack.enter_async_context(machine(plan, log_on, settings, cluster, copies))
        undisturbed = await stack.enter_async_context(reference(made, plan))
        line = None
        if bad_line is not None:
            line = await stack.enter_async_context(proxy(made.port, bad_line))
        ports = made.ports if line is None else [line.port]
        load = await stack.enter_async_context(Load(plan, ports, rate=rate))
        yield World(made, load, undisturbed, line)


def some_kills(rng: random.Random, everything: Sequence[str], number: int, seconds: float) -> list[Kill]:
    """One to three kills: each of ``everything`` alone and all of it at once have their turn, the rest is chance."""
    possible = [*((name,) for name in everything), tuple(everything)]
    kinds = [possible[number % len(possible)], *rng.choices(possible, k=rng.randint(0, 2))]
    at = sorted(rng.uniform(0.3, seconds) for _ in kinds)
    rng.shuffle(kinds)
    return [
        Kill(kind, when, rng.choice((0.0, rng.uniform(0.0, 1.5))))
        for kind, when in zip(kinds, at, strict=True)
    ]


def _print_row(cells: Sequence[str]) -> None:
    widths = [max(len(h), 9) for h in HEADINGS]
    widths[1] = 30
    print("  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)), flush=True)


async def _main(rounds: int, seconds: float, seed: int, over_kafka: bool, terminals: int, rate: float) -> int:
    rng = random.Random(seed)
    print(
        f"{rounds} rounds of {seconds:g} s, {terminals} terminals, {rate:,.0f} positions/s, seed {seed},"
        f" {'Kafka' if over_kafka else 'embedded log'}\n"
    )
    _print_row(HEADINGS)
    outcomes: list[Outcome] = []
    begin = time.monotonic()
    async with world(
        rounds=rounds, seconds=seconds, terminals=terminals, rate=rate, over_kafka=over_kafka
    ) as made:
        for number in range(rounds):
            outcome = await made.round(
                seconds, some_kills(rng, made.machine.everything, number, seconds), flush=number % 2 == 0
            )
            outcomes.append(outcome)
            _print_row(outcome.row)
            for text in outcome.audit.wrong:
                print(f"  WRONG: {text}", flush=True)
    audits = [o.audit for o in outcomes]
    kills = [k for o in outcomes for k in o.kills]
    print(
        f"\n{len(outcomes)} rounds in {time.monotonic() - begin:.0f} s, {len(kills)} kills"
        f" ({', '.join(f'{sum(n in k.names for k in kills)} {n}' for n in made.machine.everything)}),"
        f" {sum(a.replied for a in audits):,} positions replied to, {sum(a.stored for a in audits):,} stored,"
        f" {sum(a.lost for a in audits)} lost, {sum(a.duplicate_rows for a in audits)} duplicate rows,"
        f" {sum(a.repeated for a in audits):,} sent again and stored once, longest silence"
        f" {max(o.silence_s for o in outcomes):.1f} s, slowest catching up {max(o.caught_up_s for o in outcomes):.1f} s,"
        f" {audits[-1].alerts} alerts and {audits[-1].evaluations} judgements of orders as in the undisturbed run"
    )
    return 1 if any(a.wrong for a in audits) else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of load in a round")
    parser.add_argument("--terminals", type=int, default=TERMINALS)
    parser.add_argument("--rate", type=float, default=RATE, help="positions/s of all terminals together")
    parser.add_argument("--seed", type=int, default=None, help="of the times and kinds of kills")
    parser.add_argument("--log", choices=("embedded", "kafka"), default="embedded")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1_000_000)
    return asyncio.run(_main(args.rounds, args.seconds, seed, args.log == "kafka", args.terminals, args.rate))


if __name__ == "__main__":
    sys.exit(main())
