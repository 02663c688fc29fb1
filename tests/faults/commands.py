"""Commands to terminals, with a fall between every two steps: ``python -m tests.faults.commands``.

A gateway asks the database some thirty things until a command has come to its end. At each of them, before it is done and after it is
done but before the answer has come, the gateway is killed, or the database fails once. Then everything goes on, and it is looked at
what the terminal received and what the thread says (docs/commands.md, "What is kept, and how").
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import asyncpg

from runtime.bell import Bell
from runtime.embedded_postgres import embedded_server
from runtime.migrations import migrate
from runtime.postgres import create_pool
from simulation.terminal.answers import answers, new_device
from telemetry.commands.kinds import KINDS
from telemetry.jt808.outstanding import Patience
from telemetry.jt808.scalar.header import Version
from tests.integration.command_site import Office, downlink, office, phone
from tests.integration.terminal_client import Terminal, position
from tests.integration.test_gateway import running
from tests.waiting import until

FIELDS: Final[dict[str, dict[str, Any]]] = {
    "text": {"text": "请按时返回", "urgent": False, "display": True, "speak": True},
    "query_parameters": {"ids": []},
    "lock": {"locked": True},
}
_REPLIES: Final = frozenset({0x8001, 0x8100})
#: More than there are steps: then the command has come to its end unharmed.
_MOST_STEPS: Final = 400


class KilledError(BaseException):
    """The process is dead: nothing of it goes on."""


@dataclass
class Fall:
    """At the question number ``at`` of the gateway the process dies (``kill``), or the database fails once. ``after``: the question was
    done, and the answer is lost."""

    at: int
    after: bool
    kill: bool
    asked: int = 0
    dead: bool = False

    @property
    def fell(self) -> bool:
        return self.asked > self.at

    async def through(self, question: Callable[[], Awaitable[Any]]) -> Any:
        """Ask, or fall."""
        if self.dead:
            raise KilledError
        here = self.asked == self.at
        self.asked += 1
        if not here:
            return await question()
        if self.after:
            await question()
        self.dead = self.kill
        raise KilledError if self.kill else asyncpg.ConnectionDoesNotExistError("the line broke")


class _Transaction:
    def __init__(self, real: Any, fall: Fall) -> None:
        self._real, self._fall = real, fall

    async def __aenter__(self) -> None:
        await self._fall.through(self._real.start)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            await self._real.rollback()
            return
        try:
            await self._fall.through(self._real.commit)
        except BaseException:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):  # where it was committed already
                await self._real.rollback()
            raise


class _Connection:
    def __init__(self, real: Any, fall: Fall) -> None:
        self._real, self._fall = real, fall

    def transaction(self, **options: Any) -> _Transaction:
        return _Transaction(self._real.transaction(**options), self._fall)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)

        async def asked(*args: Any) -> Any:
            return await self._fall.through(lambda: method(*args))

        return asked


class FallingPool:
    """A pool of connections over which ``fall`` happens."""

    def __init__(self, pool: Any, fall: Fall) -> None:
        self._pool, self._fall = pool, fall

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        if self._fall.dead:  # what is left of it in this process ends quietly
            raise asyncpg.InterfaceError("the process is dead")
        async with self._pool.acquire() as real:
            yield _Connection(real, self._fall)

    async def expire_connections(self) -> None:
        return


@dataclass
class Device:
    """A terminal that answers everything, over as many connections as it gets. ``received``: messages by id, counted once for each
    serial number of a connection."""

    received: Counter[int] = field(default_factory=Counter)

    async def live(self, port: int) -> None:
        """One connection, from its login to its end."""
        with suppress(EOFError, OSError, AssertionError):
            terminal = await Terminal.online(port, phone(1))
            device, seen = new_device(Version.V2013, "D1"), set[int]()
            while True:
                header, body = await terminal.receive()
                if header.id in _REPLIES:
                    continue
                if header.serial not in seen:
                    self.received[header.id] += 1
                seen.add(header.serial)
                for message_id, answer in answers(device, header, body, position(1)):
                    terminal.send(message_id, answer)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one command: how it stands, how often its terminal received it, how often it was taken."""

    state: str
    failure: str | None
    received: int
    steps: tuple[str, ...]

    def wrong(self, kind: str) -> str | None:
        """What is not as it must be, or None."""
        if self.steps.count("answered") > 1 or self.steps.count("delivered") > self.steps.count("sent"):
            return "something was counted twice"
        good = "answered" if KINDS[kind].answered else "delivered"
        if KINDS[kind].repeatable:
            return None if self.state == good and self.received >= 1 else "it was lost"
        if self.received > 1:
            return "it was sent twice"
        if self.state == good:
            return None if self.received == 1 else "it was never received"
        return None if (self.state, self.failure) == ("failed", "outcome_unknown") else "it stands wrongly"


async def tried(site: Office, dsn: str, kind: str, fall: Fall) -> Outcome:
    """One command of ``kind`` with ``fall`` on its way, to its end."""
    no: int = await site.pool.fetchval(
        "INSERT INTO terminal_commands (organisation, vehicle, terminal_no, kind, fields, reason, asked_by, asked_by_name, persons, key,"
        " expires_at, state, events) SELECT 'unit', 'car-1', t.no, $1, $2, 'a trial', 'test', 'test', '{}', gen_random_uuid()::text,"
        " now() + interval '1 h', 'queued', 0 FROM terminals t WHERE t.phone = $3 RETURNING no",
        kind, FIELDS[kind], phone(1),
    )  # fmt: skip

    async def over() -> bool:
        return bool(
            await site.pool.fetchval("SELECT ended_at IS NOT NULL FROM terminal_commands WHERE no = $1", no)
        )

    async def fell_or_over() -> bool:
        return fall.dead or await over()

    device = Device()
    with TemporaryDirectory() as folder:
        await _gateway(site, dsn, FallingPool(site.pool, fall), Path(folder) / "one", device, fell_or_over)
        if fall.dead:
            await site.pool.execute("UPDATE terminal_gateways SET alive_until = now() - interval '1 s'")
            await _gateway(site, dsn, site.pool, Path(folder) / "two", device, over)
    row = await site.pool.fetchrow("SELECT state, failure FROM terminal_commands WHERE no = $1", no)
    await site.pool.execute("DELETE FROM terminal_gateways")
    message_id = {"text": 0x8300, "query_parameters": 0x8104, "lock": 0x8500}[kind]
    return Outcome(row["state"], row["failure"], device.received[message_id], tuple(await site.steps(no)))


async def _gateway(
    site: Office, dsn: str, pool: Any, path: Path, device: Device, end: Callable[[], Awaitable[bool]]
) -> None:
    """A gateway with the terminal, until ``end``."""
    made = downlink(pool, Bell(dsn), Patience(reply_s=5, resends=2, answer_s=5))
    with suppress(KilledError):
        async with running(site.pool, path, downlink=made) as it:
            lives = asyncio.create_task(device.live(it.port))
            try:
                await until(end, "the command comes to its end, or the gateway falls")
            finally:
                lives.cancel()
                await asyncio.gather(lives, return_exceptions=True)


#: (the question was done and its answer is lost, the process dies)
FALLS: Final = ((False, True), (True, True), (False, False), (True, False))


@dataclass
class Account:
    """What came of many falls. ``doubled``: commands that must not be repeated and were received twice; ``lost``: commands that may be
    repeated and were never received or never came to a good end."""

    kills: int = 0
    failures: int = 0
    commands: int = 0
    received: int = 0
    again: int = 0
    unknown: int = 0
    doubled: int = 0
    lost: int = 0

    def add(self, kind: str, fall: Fall, outcome: Outcome) -> None:
        self.kills += fall.fell and fall.kill
        self.failures += fall.fell and not fall.kill
        self.commands += 1
        self.received += outcome.received
        repeatable = KINDS[kind].repeatable
        self.again += repeatable and outcome.received > 1
        self.doubled += not repeatable and outcome.received > 1
        self.unknown += outcome.failure == "outcome_unknown"
        self.lost += repeatable and outcome.wrong(kind) is not None

    def __str__(self) -> str:
        return (
            f"{self.kills} 次杀死 kills, {self.failures} 次数据库失败 failures of the database, {self.commands} 条指令 commands, "
            f"终端收到 received {self.received}, 可重发的收到多次 repeatable ones received again {self.again}, 不知结果 outcome unknown "
            f"{self.unknown}, 不可重发而重复 doubled {self.doubled}, 可重发而丢失 lost {self.lost}"
        )


async def sweep(
    site: Office,
    dsn: str,
    kinds: Sequence[str],
    stride: int = 1,
    falls: Sequence[tuple[bool, bool]] = FALLS,
    account: Account | None = None,
) -> tuple[int, list[str]]:
    """Every ``stride``-th fall of each kind; how many there were, and what was wrong."""
    count, wrong = 0, list[str]()
    for kind in kinds:
        for after, kill in falls:
            for at in range((count * 7) % stride, _MOST_STEPS, stride):
                fall = Fall(at, after, kill)
                outcome = await tried(site, dsn, kind, fall)
                if account is not None:
                    account.add(kind, fall, outcome)
                if flaw := outcome.wrong(kind):
                    wrong.append(f"{kind}, {fall}: {flaw}: {outcome}")
                if not fall.fell:
                    break
                count += 1
    return count, wrong


async def _all(dsn: str, stride: int) -> int:
    await migrate(dsn)
    pool = await create_pool(dsn, max_size=10)
    async with office(pool, dsn) as site:
        account = Account()
        count, wrong = await sweep(site, dsn, list(FIELDS), stride, account=account)
    pool.terminate()
    print(f"指令 / commands: {count} falls, {len(wrong)} wrong; {account}")
    print("\n".join(wrong))
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stride", type=int, default=1, help="only every n-th fall")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with embedded_server(Path(folder)) as dsn:
            return asyncio.run(_all(dsn, options.stride))


if __name__ == "__main__":
    sys.exit(main())
