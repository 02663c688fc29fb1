"""Commands while gateway and PostgreSQL are killed (-9) at random: ``python -m tests.faults.command_rounds --seconds 30``.

Every terminal is asked for some texts and one lock. In the end each text was received and stands as delivered, each lock was received
once at most, and what is not known is said to be unknown.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg

from runtime.postgres import DATABASE_ERRORS, connect
from simulation.terminal.answers import answers, new_device
from telemetry.commands import asking
from telemetry.commands.asking import Asked, Who
from telemetry.commands.kinds import KINDS
from telemetry.jt808.scalar.header import Version
from tests.faults.harness import Machine, machine
from tests.faults.plan import Plan
from tests.integration.terminal_client import Terminal, position

TERMINALS, TEXTS = 20, 6
_TEXT, _LOCK = 0x8300, 0x8500
_KILLS = (("gateway",), ("postgres",), ("gateway", "postgres"))
_WHO = Who("user:faults", "faults", frozenset({"user:faults"}))


@dataclass
class Heard:
    """What the terminals received: texts by their words, locks by terminal; each serial number of a connection once. ``asked``: one
    more command stands in the database."""

    texts: Counter[str] = field(default_factory=Counter)
    locks: Counter[int] = field(default_factory=Counter)
    asked: asyncio.Event = field(default_factory=asyncio.Event)


async def live(made: Machine, plan: Plan, number: int, heard: Heard) -> None:
    """A terminal that comes back for ever."""
    device = new_device(Version.V2013, f"D{number}")
    while True:
        with suppress(EOFError, OSError, AssertionError):
            terminal = await Terminal.online(made.port, plan.phone(number))
            seen = set[int]()
            while True:
                header, body = await terminal.receive(300)
                if header.id in (0x8001, 0x8100):
                    continue
                if header.serial not in seen and header.id == _TEXT:
                    heard.texts[body[1:].decode("gbk")] += 1
                heard.locks[number] += header.id == _LOCK and header.serial not in seen
                seen.add(header.serial)
                for message_id, answer in answers(device, header, body, position(number)):
                    terminal.send(message_id, answer)
        await asyncio.sleep(0.2)


async def ask(made: Machine, number: int, kind: str, fields: dict[str, Any], key: str) -> None:
    """One command, asked with the same key until it is there; a lock has its second person already."""
    while True:
        with suppress(*DATABASE_ERRORS):
            connection = await connect(made.dsn)
            try:
                async with connection.transaction():
                    asked = Asked(f"v{number}", kind, fields, "a reason", key, KINDS[kind].most)
                    command, _ = await asking.ask(connection, asked, _WHO)
                    if command["state"] == "proposed":
                        await asking.approve(connection, command["no"], _WHO, "a reason")
                return
            finally:
                connection.terminate()
        await asyncio.sleep(0.1)


async def ask_all(made: Machine, seconds: float, chance: random.Random, heard: Heard) -> None:
    """Everything that is asked, in any order, over ``seconds``."""
    wanted: list[tuple[int, str, dict[str, Any], str]] = []
    for number in range(TERMINALS):
        wanted.append((number, "lock", {"locked": True}, f"lock-{number}"))
        for k in range(TEXTS):
            text = {"text": f"text-{number}-{k}", "urgent": False, "display": True, "speak": True}
            wanted.append((number, "text", text, f"text-{number}-{k}"))
    chance.shuffle(wanted)
    for one in wanted:
        await ask(made, *one)
        heard.asked.set()
        await asyncio.sleep(seconds / len(wanted))  # time: they are spread over the kills


async def ended(made: Machine) -> list[Any]:
    """All commands, when nothing happens to them any more."""
    async with asyncio.timeout(240):
        while True:
            with suppress(*DATABASE_ERRORS):
                connection: asyncpg.Connection = await connect(made.dsn)
                try:
                    rows = await connection.fetch(
                        "SELECT key, state, failure, ended_at FROM terminal_commands"
                    )
                finally:
                    connection.terminate()
                if all(row["ended_at"] for row in rows):
                    return list(rows)
            await asyncio.sleep(0.5)


def flaws(rows: list[Any], heard: Heard) -> list[str]:
    """What is not as docs/commands.md says."""
    wrong = [] if len(rows) == TERMINALS * (TEXTS + 1) else [f"{len(rows)} commands"]
    for row in rows:
        kind, number = row["key"].split("-")[:2]
        how = (row["state"], row["failure"])
        if kind == "text":
            count = heard.texts[row["key"]]
            good = how == ("delivered", None) and count >= 1
        else:
            count = heard.locks[int(number)]
            good = (how == ("answered", None) and count == 1) or (
                how == ("failed", "outcome_unknown") and count <= 1
            )
        if not good:
            wrong.append(f"{row['key']}: {how}, received {count} times")
    return wrong


async def run(seconds: float, seed: int, total: Counter[str] | None = None) -> list[str]:
    """A round; what was wrong. Its figures are added to ``total``."""
    chance, heard = random.Random(seed), Heard()
    plan = Plan.ending_before(datetime.now(UTC), TERMINALS, 240)
    settings = {"GONGCHE_COMMAND_CONTROL": "true", "GONGCHE_COMMAND_REPLY_S": "5"}
    async with machine(plan, settings=settings) as made:
        lives = [asyncio.create_task(live(made, plan, number, heard)) for number in range(TERMINALS)]
        asks = asyncio.create_task(ask_all(made, seconds, chance, heard))
        kills = 0
        while not asks.done():
            await asyncio.sleep(chance.uniform(0.5, 4))  # time: kills come at any time
            # On a busy machine PostgreSQL takes longer to come back than this: it must come back between two kills.
            heard.asked.clear()
            came = asyncio.create_task(heard.asked.wait())
            await asyncio.wait({came, asks}, return_when=asyncio.FIRST_COMPLETED)
            came.cancel()
            await made.kill(chance.choice(_KILLS), chance.uniform(0, 0.5))
            kills += 1
        await asks
        await made.all_up()
        rows = await ended(made)
        for task in lives:
            task.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
    states = Counter((row["state"], row["failure"]) for row in rows)
    repeated = heard.texts.total() - len(heard.texts)
    print(f"指令 / commands: {kills} kills, {dict(states)}, {repeated} texts received again", flush=True)
    if total is not None:
        total["rounds"] += 1
        total["kills"] += kills
        total["commands"] += len(rows)
        total["received"] += heard.texts.total() + heard.locks.total()
        total["texts received again"] += repeated
        total["outcome unknown"] += states["failed", "outcome_unknown"]
        total["locks doubled"] += sum(count > 1 for count in heard.locks.values())
        total["texts lost"] += TERMINALS * TEXTS - len(heard.texts)
    return flaws(rows, heard)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long commands are asked for")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=1, help="with seeds from --seed on")
    options = parser.parse_args()
    total, wrong = Counter[str](), list[str]()
    for seed in range(options.seed, options.seed + options.rounds):
        wrong += [f"seed {seed}: {each}" for each in asyncio.run(run(options.seconds, seed, total))]
    print(", ".join(f"{name} {count}" for name, count in total.items()))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
