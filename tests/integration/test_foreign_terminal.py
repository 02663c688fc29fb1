"""A terminal that we did not write (``tools/foreign_terminal``): from its registration to the answers to every question of the commands API."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from tools.foreign_terminal.build import ForeignTerminalError, program

from office.identity.subject import Role
from telemetry.jt808.outstanding import Patience
from telemetry.positions import Source
from tests.integration.command_site import gateway, office, phone
from tests.waiting import PATIENCE_S

SLOW = Patience(reply_s=60)
#: More than one package, and with none of the bytes that are escaped (0x7D, 0x7E): the library reads two of them at most.
LONG = "请按时返回单位" * 70


@pytest.fixture
def terminal() -> Path:
    try:
        return program()
    except ForeignTerminalError as error:
        pytest.skip(f"no terminal written by others: {error}")


class Foreign:
    """The program; ``lines`` that it printed and nobody asked for yet."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def says(self, line: str) -> None:
        """Wait for a line; those before it do not matter."""
        assert self.process.stdout is not None
        seen = []
        async with asyncio.timeout(PATIENCE_S):
            while (raw := await self.process.stdout.readline()) != b"":
                seen.append(raw.decode().rstrip("\n"))
                if seen[-1] == line:
                    return
        raise AssertionError(f"it ended without {line!r}, and said {seen}")

    def do(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())


@asynccontextmanager
async def foreign(terminal: Path, port: int, number: str, edition: str) -> AsyncIterator[Foreign]:
    words = (str(port), number, edition, "苏F00001")
    # It writes the time of the machine's zone.
    environment = os.environ | {"TZ": "Asia/Shanghai"}
    process = await asyncio.create_subprocess_exec(terminal, *words, stdin=PIPE, stdout=PIPE, env=environment)
    try:
        yield Foreign(process)
        assert process.returncode is None, "it has fallen"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("edition", ["2013", "2019"])
async def test_it_logs_in_reports_and_answers_commands(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path, terminal: Path, edition: str
) -> None:
    async with (
        office(pool, db_url, command_parameters=("0x0029",)) as it,
        gateway(pool, db_url, tmp_path / "log", SLOW) as g,
        it.person("wang", Role.VEHICLE_OFFICE) as wang,
        foreign(terminal, g.port, phone(1), edition) as they,
    ):
        await they.says("registered 0")
        await they.says("authenticated 0")
        await they.says("reply 0200 0")
        stored = await g.stored()
        assert (stored.lat_e6.tolist(), stored.lon_e6.tolist()) == ([31_980_123], [120_890_456])
        assert (stored.speed_dkmh.tolist(), stored.satellites.tolist()) == ([456], [1])

        no = await it.ask(1, text="请速回单位", urgent=True)
        await they.says(f"text {'13' if edition == '2013' else '14'} 请速回单位")
        await it.comes_to(no, "delivered")
        # In packages, each confirmed, joined by the library.
        no = await it.ask(1, text=LONG, display=False, speak=True)
        await they.says(f"text {'8' if edition == '2013' else '11'} {LONG}")
        await it.comes_to(no, "delivered")

        no = await it.ask(1, "query_parameters")
        told = (await it.comes_to(no, "answered"))["thread"][-1]["detail"]["parameters"]
        assert [(each["id"], each["value"]) for each in told] == [
            ("0x0001", 60), ("0x0029", 30), ("0x0083", "苏F00001"),
        ]  # fmt: skip
        no = await it.ask(1, "set_parameters", wang, parameters=[{"id": "0x0029", "value": 15}])
        await they.says("set 0029")
        await it.comes_to(no, "delivered")
        no = await it.ask(1, "query_parameters", ids=["0x0029", "0x0055"])  # it does not have the second
        told = (await it.comes_to(no, "answered"))["thread"][-1]["detail"]["parameters"]
        assert told == [{"id": "0x0029", "value": 15}]

        no = await it.ask(1, "query_attributes")
        device = (await it.comes_to(no, "answered"))["thread"][-1]["detail"]
        assert (device["manufacturer"], device["model"], device["device_id"]) == ("VANJO", "JT808-RS", "F808")
        assert (device["iccid"], device["firmware"]) == ("89860412345678901234", "F-0.1")

        no = await it.ask(1, "location")
        assert (await it.comes_to(no, "answered"))["thread"][-1]["detail"]["positioned"] is True
        assert (await g.stored()).source.tolist() == [Source.LIVE, Source.QUERIED]
        no = await it.ask(1, "tracking", interval_s=5, for_s=60)
        await they.says("tracking 5 60")
        await it.comes_to(no, "delivered")

        # The library writes a length into its heartbeats that they do not have: refused, counted, and nothing else is lost.
        they.do("heartbeat")
        assert await g.wait_rejects(1) == ["length_mismatch"]
        they.do("position")
        await they.says("reply 0200 0")
        assert len(await g.stored()) == 3
