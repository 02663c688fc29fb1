"""What terminals report, from a socket to the office: a gateway, the log, the keeper, a folder and the API, all real."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from runtime.settings import Settings
from simulation.terminal.habits import Habits, arrives, card_of, departs, introduced
from simulation.terminal.many import Fleet, registration
from simulation.terminal.state import Timing
from telemetry.gateway.limits import Limits
from telemetry.jt808.scalar.framing import encode_frame
from telemetry.jt808.scalar.header import Header, Version, build_messages
from telemetry.log.base import REPORTS, Record
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.reports import files
from telemetry.reports.keeper import ReportKeeper
from telemetry.reports.record import Report, records_of
from tests.integration.command_site import Office, confirm, office, ordered, phone
from tests.integration.command_site import gateway as commanding
from tests.integration.terminal_client import Terminal, position
from tests.integration.test_gateway import Running, running
from tests.jt808_messages import CASES
from tests.waiting import until

HEAD = bytes.fromhex("0000007B 00 00 01 02")
PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20
CARD_IN = next(one.body for one in CASES if one.message == 0x0702 and one.editions == (2013,))
CARD_2011 = next(one.body for one in CASES if one.message == 0x0702 and one.editions == (2011,))
OUTCOMES = ("stored", "stored_without_file", "duplicate", "rejected", "fault")


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def settled() -> dict[str, float]:
    return {each: count("gongche_reports_settled_total", outcome=each) for each in OUTCOMES}


class Site:
    """An office with a gateway, and keepers of the log of that gateway."""

    def __init__(self, office: Office, gateway: Running, settings: Settings) -> None:
        self.office, self.gateway, self.settings = office, gateway, settings
        self.pool: asyncpg.Pool = office.pool

    def keeper(self, checkpoint: Callable[[str], None] = lambda _: None, **settings: Any) -> ReportKeeper:
        reader = EmbeddedLogReader(self.gateway.path, REPORTS, self.gateway.partitions)
        return ReportKeeper(
            self.pool, reader, self.settings.model_copy(update=settings), checkpoint=checkpoint
        )

    async def kept(self, **settings: Any) -> None:
        """Everything that is in the log is stored, by a keeper that begins now."""
        keeper = self.keeper(**settings)
        await keeper.turn()
        while await keeper.turn():
            pass
        await keeper._reader.close()

    async def rows(self) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.pool.fetch("SELECT * FROM terminal_reports ORDER BY no")]

    async def listed(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = await self.office.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def stored_files(self) -> list[str]:
        return sorted(path.name for path in files.folder_of(self.settings).glob("??/*"))


@pytest.fixture
async def world(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    settings = Settings(database_url=db_url, data_dir=tmp_path / "data")
    async with (
        office(pool, db_url, data_dir=tmp_path / "data") as it,
        running(pool, tmp_path / "log", Limits(upload_bytes=1 << 20)) as gateway,
    ):
        yield Site(it, gateway, settings)


async def online(world: Site, n: int = 1, version: Version = Version.V2013) -> Terminal:
    return await Terminal.online(world.gateway.port, phone(n), version)


async def file_came(terminal: Terminal, media_id: int = 123) -> None:
    """Wait for the 0x8800 that says a file is whole."""
    while True:
        header, body = await terminal.receive()
        if header.id == 0x8800:
            assert body == media_id.to_bytes(4, "big")
            return
        assert header.id == 0x8001
        assert body[4] == 0


def picture(data: bytes = PICTURE, media_id: int = 123, time: str = "260302101112") -> bytes:
    return media_id.to_bytes(4, "big") + HEAD[4:] + position(time=time) + data


@pytest.mark.parametrize("version", [Version.V2013, Version.V2019])
async def test_every_kind_comes_to_the_office(world: Site, version: Version) -> None:
    terminal = await online(world, 1, version)
    before = settled()
    sent = 0
    for one in CASES:
        if one.message not in {0x0107, 0x0301, 0x0302, 0x0303, 0x0608, 0x0700, 0x0701, 0x0702, 0x0800, 0x0802, 0x0805,
                               0x0900, 0x0901, 0x0A00} or version not in one.editions:  # fmt: skip
            continue
        assert await terminal.ask(one.message, one.body) == 0, f"{one.message:#06x}"
        sent += 1
    terminal.send(0x0801, picture())
    await file_came(terminal)
    assert await terminal.ask(0x0702, CARD_IN[:10]) == 2
    await world.kept()
    now = settled()
    # The body of the standard's vector of 0x0901 may be no gzip; then it is set aside.
    assert now["stored"] + now["rejected"] - before["stored"] - before["rejected"] == sent + 1
    assert now["rejected"] - before["rejected"] <= 1
    rows = await world.rows()
    assert {row["vehicle"] for row in rows} == {"car-1"}
    assert {row["organisation"] for row in rows} == {"unit"}
    reports = await world.listed("/v1/terminal-reports")
    assert [report["no"] for report in reports] == [row["no"] for row in reversed(rows)]
    # Pages, filters, and nothing of another vehicle.
    pages = await world.office.client.get("/v1/terminal-reports", params={"limit": 2})
    following = await world.listed("/v1/terminal-reports", limit=1000, cursor=pages.json()["next"])
    assert pages.json()["items"] + following == reports
    assert await world.listed("/v1/terminal-reports", vehicle="car-2") == []
    (told,) = await world.listed("/v1/terminal-reports", kind="waybill", vehicle="car-1", organisation="unit")
    whole = (await world.office.client.get(f"/v1/terminal-reports/{told['no']}")).json()
    assert whole == told | {"body": "00000003010203"}
    (attributes,) = await world.listed("/v1/terminal-reports", kind="attributes")
    assert attributes["detail"]["manufacturer"]
    cards = await world.listed("/v1/driver-cards")
    (read_one,) = [card for card in cards if card["read_result"] == 0]
    assert (read_one["action"], read_one["name"], read_one["certificate"], read_one["valid_until"]) == (
        "in", "张三", "3206000001", "2030-01-01",
    )  # fmt: skip
    assert read_one["id_number"] == ("" if version is Version.V2013 else "320************011")
    assert read_one["device_time"] == "2026-03-02T10:11:12+08:00"
    # What a card says is not given away by its body.
    assert (await world.office.client.get(f"/v1/terminal-reports/{read_one['no']}")).json()["body"] is None
    assert {card["action"] for card in cards} == {"in", "out"}
    # Each reading is noted.
    noted = await world.pool.fetch("SELECT DISTINCT subject_kind FROM audit WHERE action = 'read'")
    assert {row["subject_kind"] for row in noted} == {"terminal-reports", "driver-cards"}


async def test_a_picture_is_kept_once_with_its_vehicle_and_place_and_given_safely(world: Site) -> None:
    terminal = await online(world)
    for _ in range(2):  # again, because the reply was lost
        terminal.send(0x0801, picture())
        await file_came(terminal)
    html = b"<html><script>alert(1)</script></html>"
    terminal.send(0x0801, picture(html, 124))
    await file_came(terminal, 124)
    # The same content under another id is another report of one file.
    terminal.send(0x0801, picture(PICTURE, 125))
    await file_came(terminal, 125)
    before = settled()
    await world.kept()
    assert settled()["duplicate"] - before["duplicate"] == 1
    same, odd, first = await world.listed("/v1/media")
    assert world.stored_files() == sorted({first["sha256"], odd["sha256"]})
    assert first["sha256"] == same["sha256"] == hashlib.sha256(PICTURE).hexdigest()
    assert (first["vehicle"], first["place"], first["state"]) == (
        "car-1", {"lat": 31.98, "lon": 120.89}, "stored",
    )  # fmt: skip
    assert (first["content_type"], first["as_claimed"]) == ("image/jpeg", True)
    assert (odd["content_type"], odd["as_claimed"]) == ("application/octet-stream", False)
    client = world.office.client
    answer = await client.get(f"/v1/media/{first['no']}/content")
    assert answer.content == PICTURE
    assert answer.headers["content-type"] == "image/jpeg"
    for no, shown in ((first["no"], "inline"), (odd["no"], "attachment")):
        headers = (await client.get(f"/v1/media/{no}/content")).headers
        assert headers["content-disposition"].startswith(f"{shown}; filename=")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert "html" not in headers["content-type"]
    assert (await client.get("/v1/media/999999/content")).status_code == 404
    noted = await world.pool.fetchval(
        "SELECT count(*) FROM audit WHERE subject_kind = 'media' AND subject_id = $1 AND vehicle = 'car-1'",
        str(first["no"]),
    )
    assert noted == 2
    usage = await world.pool.fetch("SELECT bytes, files FROM terminal_media_usage ORDER BY terminal_no")
    assert [tuple(row) for row in usage] == [(2 * len(PICTURE) + len(html), 3)] * 2
    # Retention: the rows stay and say so, then they go too; the file goes with the last row that has it.
    keeper = world.keeper(media_retention_days=1)
    await keeper.turn()
    await world.pool.execute(
        "UPDATE terminal_reports SET received_at = now() - interval '2 days' WHERE no <> $1", same["no"]
    )
    await keeper._upkeep()
    assert world.stored_files() == [first["sha256"]]
    assert [item["state"] for item in await world.listed("/v1/media")] == ["stored", "expired", "expired"]
    assert (await client.get(f"/v1/media/{first['no']}/content")).status_code == 410
    await world.pool.execute("UPDATE terminal_reports SET received_at = now() - interval '500 days'")
    await keeper._upkeep()
    await keeper._upkeep()
    assert (world.stored_files(), await world.rows()) == ([], [])
    assert await world.pool.fetchval("SELECT max(bytes) + max(files) FROM terminal_media_usage") == 0
    await keeper._reader.close()


async def test_packages_out_of_order_and_twice(world: Site) -> None:
    terminal = await online(world)
    parts = build_messages(0x0801, picture(), phone(1), 65_533, version=Version.V2013, max_body=700)
    for part in [*reversed(parts[3:]), parts[0], parts[0], parts[4], parts[2], parts[1]]:
        terminal.writer.write(encode_frame(part))
    await file_came(terminal)
    await world.kept()
    (one,) = await world.listed("/v1/media")
    assert one["sha256"] == hashlib.sha256(PICTURE).hexdigest()


async def test_no_room_is_told_and_stops_nothing(world: Site) -> None:
    first, second = await online(world, 1), await online(world, 2)
    for k in range(3):
        for terminal in (first, second):
            terminal.send(0x0801, picture(PICTURE * 150 + bytes([k]), k))
            await file_came(terminal, k)
    assert await first.ask(0x0301, b"\2") == 0
    before = settled()
    # There is room for one file of 768 KB, of one terminal and of all.
    await world.kept(media_quota_mb=1, media_terminal_quota_mb=1)
    assert {k: v - before[k] for k, v in settled().items() if v != before[k]} == {
        "stored": 2, "stored_without_file": 5,
    }  # fmt: skip
    found = await world.listed("/v1/media")
    assert [item["state"] for item in reversed(found)] == [
        "stored", "refused_full", "refused_terminal_full", "refused_full", "refused_terminal_full", "refused_full",
    ]  # fmt: skip
    assert len(world.stored_files()) == 1
    refused = await world.office.client.get(f"/v1/media/{found[0]['no']}/content")
    assert (refused.status_code, refused.json()["state"]) == (410, "refused_full")


async def test_nothing_is_replied_to_before_it_is_in_the_log(world: Site) -> None:
    terminal = await online(world)
    blocker = sqlite3.connect(world.gateway.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    serial = terminal.send(0x0702, CARD_IN)
    terminal.send(0x0801, picture(b"\xff\xd8\xff" + bytes(500)))
    assert await terminal.ask(0x0002, b"") == 0  # a heartbeat does not wait for the log
    with pytest.raises(TimeoutError):
        await terminal.receive(0.3)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert await terminal.result_of(serial, 0x0702) == 0
    await file_came(terminal)
    assert len(await world.gateway._read(REPORTS)) >= 1


_CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from runtime.postgres import create_pool
from telemetry.gateway import waiting_replies
from telemetry.gateway.limits import Limits
from telemetry.gateway.tcp import Gateway
from telemetry.log.sqlite import EmbeddedLogWriter
from telemetry.terminals.directory import TerminalDirectory

class Falls(EmbeddedLogWriter):
    async def append(self, records):
        await super().append(records)
        if any(record.topic == "gongche.reports" for record in records):
            os.kill(os.getpid(), signal.SIGKILL)

async def main():
    pool = await create_pool(sys.argv[1])
    directory = TerminalDirectory(pool, True)
    await directory.load()
    gateway = Gateway(directory, Falls(Path(sys.argv[2]), 1), Limits())
    print(gateway.listen("127.0.0.1", 0), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def _until_it_falls(terminal: Terminal) -> list[tuple[Header, bytes]]:
    """All that the platform says until the connection is gone."""
    heard: list[tuple[Header, bytes]] = []
    try:
        while True:
            heard.append(await terminal.receive())
    except (EOFError, ConnectionError):
        return heard


async def test_a_gateway_that_falls_between_the_log_and_the_reply(world: Site, db_url: str) -> None:
    """kill -9 after the append: the terminal heard nothing and sends again, over another gateway. The message is there once."""
    bodies = {0x0801: picture(), 0x0301: b"\2"}
    for message, body in bodies.items():
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CHILD, db_url, str(world.gateway.path), stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(["src", "."])},
        )  # fmt: skip
        assert child.stdout is not None
        terminal = await Terminal.online(int(await child.stdout.readline()), phone(1))
        serial = terminal.send(message, body)
        heard = await _until_it_falls(terminal)
        # Of a file all packages but the last may be replied to.
        assert not any(
            head.id == 0x8800 or (message != 0x0801 and reply[:2] == serial.to_bytes(2, "big"))
            for head, reply in heard
        )
        assert await child.wait() == -signal.SIGKILL
        again = await online(world)
        again.serial = serial
        again.send(message, body)
        if message == 0x0801:
            await file_came(again)
        else:
            assert await again.result_of(serial, message) == 0
        await again.close()
    before = settled()
    await world.kept()
    assert sorted(row["message"] for row in await world.rows()) == sorted(bodies)
    assert settled()["duplicate"] - before["duplicate"] == len(bodies)


class FallError(BaseException):
    """The process falls here."""


async def test_a_keeper_that_falls_anywhere_goes_on_once(world: Site) -> None:
    """At every step of its transaction, and after it; with a file of every try on the disk."""
    terminal = await online(world)
    terminal.send(0x0801, picture())
    await file_came(terminal)
    for k in range(3):
        assert await terminal.ask(0x0702, CARD_IN[:1] + bytes.fromhex(f"26030210111{k}") + CARD_IN[7:]) == 0
    steps: list[str] = []

    for fall_at in range(100):
        seen = 0

        def checkpoint(step: str, fall_at: int = fall_at) -> None:
            nonlocal seen
            seen += 1
            if seen > fall_at:
                steps.append(step)
                raise FallError

        keeper = world.keeper(checkpoint)
        try:
            await keeper.turn()
            await keeper.turn()
        except FallError:
            await keeper._reader.close()
            continue
        await keeper._reader.close()
        break
    assert {"row", "before_commit", "committed"} <= set(steps)
    assert [row["kind"] for row in await world.rows()] == [
        "media",
        "driver_card",
        "driver_card",
        "driver_card",
    ]
    usage = await world.pool.fetchval("SELECT files FROM terminal_media_usage WHERE terminal_no = 0")
    assert (usage, len(world.stored_files())) == (1, 1)


async def test_two_keepers_write_each_report_once(world: Site) -> None:
    """One that was stalled while another took its partitions writes nothing more."""
    terminal = await online(world)
    old = world.keeper()
    await old.turn()
    new = world.keeper()
    await new.turn()
    assert await terminal.ask(0x0301, b"\2") == 0
    with pytest.raises(Exception, match="another process"):
        await old.turn()
    assert await new.turn() == 1
    assert len(await world.rows()) == 1
    await old._reader.close()
    await new._reader.close()


async def test_what_is_bad_is_set_aside_and_stops_nothing(world: Site, pool: asyncpg.Pool) -> None:
    """Records of others, reports that cannot be read, and one on which the program fails."""
    terminal = await online(world)
    assert await terminal.ask(0x0301, b"\1") == 0
    number = await pool.fetchval("SELECT no FROM terminals WHERE phone = $1", phone(1))
    writer = EmbeddedLogWriter(world.gateway.path, 1)
    now_us = 1_772_417_472_000_000
    odd = [
        Report(number, now_us, 0x0200, 2013, 1, b"no report"),
        Report(number, now_us, 0x0901, 2013, 2, bytes.fromhex("00000002 1F8B")),
        # The edition does not fit the column: PostgreSQL refuses it.
        Report(number, now_us, 0x0301, 65_000, 3, b"\3"),
    ]
    await writer.append([Record(REPORTS, 0, b"junk"), *records_of(odd)])
    await writer.close()
    assert await terminal.ask(0x0301, b"\4") == 0
    before, aside = settled(), count("gongche_reports_records_aside_total")
    read_before = count("gongche_reports_read_total")
    await world.kept()
    now = {k: v - before[k] for k, v in settled().items()}
    assert now == {"stored": 2, "rejected": 2, "fault": 1, "duplicate": 0, "stored_without_file": 0}
    assert count("gongche_reports_read_total") - read_before == sum(now.values())
    assert count("gongche_reports_records_aside_total") - aside == 1
    rows = await pool.fetch("SELECT why, message, body FROM terminal_reports_aside ORDER BY no")
    assert sorted((row["why"], row["message"] or 0) for row in rows) == [
        ("fault", 0x0301), ("record", 0), ("rejected", 0x0200), ("rejected", 0x0901),
    ]  # fmt: skip


async def test_a_vehicle_that_is_bound_later_has_what_was_reported_before(world: Site) -> None:
    """The registry is late: what was bound to no vehicle, or to another, follows it."""
    terminal = await online(world, 1)
    await world.pool.execute("DELETE FROM terminal_bindings")
    assert await terminal.ask(0x0702, CARD_2011) == 0
    keeper = world.keeper()
    await keeper.turn()
    await keeper.turn()
    assert [row["vehicle"] for row in await world.rows()] == [None]
    assert await world.listed("/v1/driver-cards", vehicle="car-2") == []
    await world.pool.execute(
        "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) SELECT t.no, v.no, '2026-01-01' FROM terminals t, vehicles v"
        " WHERE t.phone = $1 AND v.id = 'car-2'",
        phone(1),
    )
    await keeper._rebind()
    (card,) = await world.listed("/v1/driver-cards", vehicle="car-2")
    assert (card["action"], card["name"], card["organisation"]) == ("told", "张三", "unit")
    await world.pool.execute("DELETE FROM terminal_bindings")
    await keeper._rebind()
    assert [row["vehicle"] for row in await world.rows()] == [None]
    await keeper._reader.close()


async def test_a_disk_that_cannot_be_written_is_waited_for(world: Site, tmp_path: Path) -> None:
    terminal = await online(world)
    terminal.send(0x0801, picture())
    await file_came(terminal)
    (tmp_path / "file").write_text("no folder")
    broken = world.keeper(media_dir=tmp_path / "file")
    stop = asyncio.Event()
    task = asyncio.create_task(broken.run(stop))
    await until(lambda: broken.trouble is not None, "it is told")
    assert await world.rows() == []
    (tmp_path / "file").unlink()
    await until(lambda: (tmp_path / "file").is_dir(), "it goes on")

    async def stored() -> bool:
        return len(await world.rows()) == 1

    await until(stored, "the picture is stored")
    stop.set()
    await task
    await broken._reader.close()


async def test_a_picture_that_was_asked_for(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> None:
    """The answer ends the command and is a report like any other; unasked it is a report alone."""
    async with (
        office(pool, db_url, data_dir=tmp_path / "data") as it,
        commanding(pool, db_url, tmp_path / "log") as gateway,
    ):
        terminal = await Terminal.online(gateway.port, phone(1))
        assert await terminal.ask(0x0702, CARD_IN) == 0
        no = await it.ask(1, "photo", channel=2)
        header, body = await ordered(terminal, 0x8801)
        assert body[:3] == b"\2\0\1"
        confirm(terminal, header)
        answer = header.serial.to_bytes(2, "big") + bytes.fromhex("00 0001 0000007B")
        assert await terminal.ask(0x0805, answer) == 0
        done = await it.comes_to(no, "answered")
        assert done["thread"][-1]["detail"] == {"result": 0, "media_ids": [123]}
        driver = await it.ask(1, "query_driver")
        header, _ = await ordered(terminal, 0x8702)
        confirm(terminal, header)
        assert await terminal.ask(0x0702, CARD_IN) == 0
        told = (await it.comes_to(driver, "answered"))["thread"][-1]["detail"]
        assert told == {"status": 1, "read": 0}
        # An answer of a device that nobody asked what it is, is kept; one that was asked for answers and is kept.
        attributes = next(one.body for one in CASES if one.message == 0x0107)
        assert await terminal.ask(0x0107, attributes) == 0
        asked = await it.ask(1, "query_attributes")
        header, _ = await ordered(terminal, 0x8107)
        confirm(terminal, header)
        assert await terminal.ask(0x0107, attributes) == 0
        await it.comes_to(asked, "answered")
        world = Site(it, gateway, Settings(database_url=db_url, data_dir=tmp_path / "data"))
        await world.kept()
        # The card that was told twice at one time is one fact.
        assert [row["kind"] for row in await world.rows()] == [
            "driver_card",
            "photo",
            "attributes",
            "attributes",
        ]
        assert "unasked" not in await gateway.rejects()


@pytest.mark.parametrize("version", Version)
async def test_a_simulated_terminal_says_all_of_it(world: Site, version: Version) -> None:
    """Its card in and out, what it is, a picture in packages (in 2011 numbered by themselves): confirmed, and with the office."""
    async with Fleet("127.0.0.1", world.gateway.port, timing=Timing(2.0, 2.0, 60.0, 0.02)) as fleet:
        terminal = fleet.add(phone(1), registration("苏F00001", "1", version))
        await fleet.all_online()
        habits = Habits(messages=True, media=True)
        introduced(terminal)
        departs(terminal, card_of("张三", 7), "260302101112", habits, position(1))
        arrives(terminal, "260302111112", habits)
        assert await fleet.flush(20)
        assert fleet.stats.said_lost == 0
        file = terminal.device.files[1].data
    await world.kept()
    (picture_of,) = await world.listed("/v1/media")
    assert picture_of["sha256"] == hashlib.sha256(file).hexdigest()
    assert (picture_of["place"] is None) == (version is Version.V2011)
    cards = [card["action"] for card in reversed(await world.listed("/v1/driver-cards"))]
    assert cards == (["told"] if version is Version.V2011 else ["in", "out"])
    assert len(await world.listed("/v1/terminal-reports", kind="attributes")) == (version > Version.V2011)
    assert len(await world.listed("/v1/terminal-reports", kind="passthrough")) == 1
