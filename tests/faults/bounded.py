"""Outages and abuse, and whether memory, replies and accounts keep within bounds:
``python -m tests.faults.bounded --scenario broker-dead --length full``.

broker-dead    the log takes nothing for so long (Kafka killed, or --log embedded: a full disk)
database-dead  PostgreSQL is dead for so long
slow-writers   10,000 connections that send a byte a second and never finish a frame, beside honest terminals
storm          10,000 terminals are cut off and come back at once; then the gateway is killed under them
kills          over Kafka: broker, gateway, worker, PostgreSQL and all of them at once are killed (-9) at random times

Memory: the gateway's peak (VmHWM, nothing between two samples escapes) may be at most the base, its peak in bursts of all
terminals while everything was well, and GONGCHE_MEMORY_BUDGET_MB more. The accounts at the end are exact.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

from tools.kafka.broker import Cluster

from tests.faults.dribble import Dribblers
from tests.faults.harness import EVERYTHING, kafka
from tests.faults.trial import RECOVERY_S, Setup, Trial, trial

#: Honest terminals wait at most so much longer (99th percentile) while others attack, the generator's own lag apart.
ATTACKED_MS = 500.0
#: Longest time without a reply to anybody that the death of the database may cause.
SILENCE_S = 3.0
#: What dies, in turn.
VICTIMS = (("broker",), ("gateway",), ("worker",), ("postgres",), ("broker", *EVERYTHING))


# --- the scenarios ----------------------------------------------------------------------------------------------------


async def broker_dead(made: Trial, cluster: Cluster | None) -> None:
    before = made.before_ms
    crowd = made.crowd
    life = made.machine.gateway.life
    assert life is not None
    pid, was = life.process.pid, (0, 0)
    if cluster is not None:
        await asyncio.to_thread(cluster.stop, kill=True)
    else:  # no byte more: what a full disk is to the log
        was = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, was[1]))
        await asyncio.sleep(0.5)  # time: an append that had been written already is confirmed yet
    down = crowd.now()
    made.say("the log is dead")
    await asyncio.sleep(made.setup.seconds)  # time: how long the log is dead
    up = crowd.now()
    false = sum(
        1 for s, r in zip(crowd.ledger.first_sent, crowd.ledger.replied, strict=True) if s > down and r < up
    )
    made.figures["false_confirms"] = false
    made.expect(not false, f"{false} messages were confirmed while there was no log")
    made.figures["gateway_at_end_of_outage_mib"] = round(made.gateway.now())
    made.figures["waiting_at_end_of_outage"] = crowd.waiting
    if cluster is not None:
        await asyncio.to_thread(cluster.start)
        made.figures["broker_start_s"] = round(crowd.now() - up, 1)
    else:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, was)
    up = crowd.now()
    made.say("the log is back")
    await made.recovered(up, before)
    first = [r for r in crowd.ledger.replied if r > up]
    made.figures["first_reply_s"] = round(min(first, default=up) - up, 1)
    made.expect(made.machine.gateway.life is life, "the gateway did not live through it")


async def database_dead(made: Trial, cluster: Cluster | None) -> None:
    before = made.before_ms
    crowd, life = made.crowd, made.machine.gateway.life
    killing = asyncio.create_task(made.machine.kill(["postgres"], made.setup.seconds))
    down, cpu = crowd.now(), made.gateway.cpu_s()
    made.say("the database is dead")
    await killing
    up = crowd.now()
    silence = crowd.ledger.silence_s(down, up)
    made.measure("during", down, up - 1.0, cpu)
    made.figures |= {"silence_s": round(silence, 2), "worker_restarts": made.machine.worker.gave_up}
    made.expect(silence <= SILENCE_S, f"no reply to anybody for {silence:.1f} s")
    made.say("the database may come back")
    await made.recovered(up, before)
    made.expect(made.machine.gateway.life is life, "the gateway did not live through it")


async def slow_writers(made: Trial, cluster: Cluster | None) -> None:
    before = made.before_ms
    setup, crowd = made.setup, made.crowd
    begin, cpu, connects = crowd.now(), made.gateway.cpu_s(), crowd.ledger.connects
    async with Dribblers(
        crowd.plan, made.machine.port, first=setup.terminals, count=setup.attackers
    ) as attackers:
        made.say(f"{setup.attackers} slow writers come")
        await asyncio.sleep(setup.seconds)  # time: how long the slow writers stay
        during, lag = (ms(begin, crowd.now() - 1.0) for ms in (crowd.p99_ms, crowd.lag_p99_ms))
        made.measure("during", begin, crowd.now() - 1.0, cpu)
        made.gateway.look()
        metrics = await made.machine.gateway.metrics() or {}
        made.figures |= {
            "attackers_open": attackers.open, "attackers_most": attackers.most, "connects": attackers.connects,
            "refused": attackers.refused, "gateway_during_mib": round(made.gateway.now()),
        }  # fmt: skip
    end = crowd.now()
    made.figures |= {"closed": attackers.closed, "longest_s": round(attackers.longest_s, 1)}
    closed = {
        reason: round(metrics.get(f'gongche_gateway_closed_total{{reason="{reason}"}}', 0))
        for reason in ("frame_timeout", "auth_timeout")
    }
    made.figures |= closed
    made.expect(attackers.most >= 0.95 * setup.attackers, f"only {attackers.most} attackers were connected")
    made.expect(closed["frame_timeout"] > 0, "no slow writer was closed by the frame deadline")
    made.expect(
        abs(sum(closed.values()) - attackers.closed) <= 0.05 * attackers.closed + 5,
        f"{attackers.closed} slow writers were closed, counted {closed}",
    )
    longest = setup.frame_timeout_s + 5.0
    made.expect(attackers.longest_s <= longest, f"a slow writer lived {attackers.longest_s:.1f} s")
    limit = ATTACKED_MS + before + lag
    made.expect(during <= limit, f"the 99th percentile was {during:.0f} ms under attack, {before:.0f} before")
    await made.recovered(end, before)
    made.expect(crowd.ledger.connects == connects, "honest terminals lost their connection")
    made.strangers += attackers.authentications


async def storm(made: Trial, cluster: Cluster | None) -> None:
    before = made.before_ms
    crowd = made.crowd
    for name in ("cut", "gateway killed"):
        key = name.replace(" ", "_")
        at = crowd.now()
        made.say(f"storm: {name}")
        if name == "cut":
            crowd.cut()
        else:
            await made.machine.kill(["gateway"], 0.0)
        while crowd.ledger.heard.min() <= at:
            if crowd.now() - at > RECOVERY_S:
                made.wrong.append(f"{name}: not everybody was replied to within {RECOVERY_S:.0f} s")
                break
            await asyncio.sleep(0.02)
        back = crowd.now()
        made.figures[f"{key}_all_replied_s"] = round(back - at, 2)
        await asyncio.sleep(1.0)  # time: what is measured needs a while
        made.figures[f"{key}_p99_ms"] = round(crowd.p99_ms(at, back))
        await made.recovered(at, before)
        made.figures[f"{key}_recovered_s"] = made.figures.pop("recovered_s", None)


async def kills(made: Trial, cluster: Cluster | None) -> None:
    if cluster is None:
        raise ValueError(
            "the scenario kills is about Kafka; tests.faults.rounds --log embedded does the same without it"
        )
    before, crowd = made.before_ms, made.crowd
    seed = random.SystemRandom().randrange(1_000_000)
    rng = random.Random(seed)
    done: Counter[str] = Counter()
    end = crowd.now() + made.setup.seconds
    while crowd.now() < end:
        await asyncio.sleep(rng.uniform(0.5, 5.0))
        victims = VICTIMS[done.total() % len(VICTIMS)]
        done["+".join(victims)] += 1
        await made.machine.kill(victims, rng.choice((0.0, rng.uniform(0.0, 1.5))))
        at = crowd.now()
        while crowd.ledger.heard.min() <= at:
            if crowd.now() - at > RECOVERY_S:
                made.wrong.append(f"{victims}: not everybody was replied to within {RECOVERY_S:.0f} s")
                return
            await asyncio.sleep(0.05)
    made.figures |= {"seed": seed, "kills": done.total()} | {f"killed_{name}": n for name, n in done.items()}
    await made.recovered(crowd.now(), before)


SCENARIOS: dict[str, Callable[[Trial, Cluster | None], Awaitable[None]]] = {
    "broker-dead": broker_dead,
    "database-dead": database_dead,
    "slow-writers": slow_writers,
    "storm": storm,
    "kills": kills,
}


async def run(name: str, setup: Setup) -> Trial:
    """One scenario; what was wrong is in the trial."""
    with kafka(name == "kills" or (name == "broker-dead" and setup.log == "kafka")) as cluster:
        async with trial(setup, cluster) as made:
            await made.calm()
            await SCENARIOS[name](made, cluster)
            await made.finish()
        return made


def setup_of(name: str, args: argparse.Namespace) -> Setup:
    """What the options say, or what suits the scenario."""
    terminals = args.terminals or (10_000 if name == "storm" else 1_000)
    seconds = 20.0 if args.length == "short" else {"slow-writers": 60.0, "kills": 250.0}.get(name, 600.0)
    return Setup(
        seconds=args.seconds or seconds,
        terminals=terminals, rate=args.rate, budget_mb=args.budget_mb, log=args.log,
        attackers=args.attackers if name == "slow-writers" else 0,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", choices=[*SCENARIOS, "all"], default="all")
    parser.add_argument(
        "--length", choices=("short", "full"), default="full",
        help="of the trouble: short 20 s each, full 600 s, slow-writers 60, kills 250 (default full)",
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, help="of trouble, instead of --length")
    parser.add_argument("--terminals", type=int, help="honest ones: 1,000, storm 10,000")
    parser.add_argument("--attackers", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=2_000.0, help="positions a second, of all together")
    parser.add_argument("--budget-mb", type=int, default=64, help="GONGCHE_MEMORY_BUDGET_MB")
    parser.add_argument("--log", choices=("kafka", "embedded"), default="kafka", help="of broker-dead")
    args = parser.parse_args()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    failed = False
    for name in list(SCENARIOS) if args.scenario == "all" else [args.scenario]:
        setup = setup_of(name, args)
        print(f"{name}: {setup}", flush=True)
        made = asyncio.run(run(name, setup))
        print(
            "  "
            + ", ".join(
                f"{key} {value:,}" if isinstance(value, (int, float)) else f"{key} {value}"
                for key, value in made.figures.items()
            )
        )
        figures = made.figures
        if "gateway_bound_mib" in figures:
            print(
                f"  memory of the gateway: at most {figures['gateway_peak_mib']:,} MiB used,"
                f" {figures['gateway_bound_mib']:,} MiB allowed ({figures['gateway_base_mib']:,} before the trouble"
                f" + {setup.budget_mb:,} budget)"
            )
        for text in made.wrong:
            print(f"  WRONG: {text}")
        print(f"{name}: {'WRONG' if made.wrong else 'ok'}", flush=True)
        failed |= bool(made.wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
