"""Links by JT/T 809, between two instances of ours. Whatever breaks in between, nothing is lost and nothing is stored twice; strangers
get nothing, and cost nothing."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gongche.cli import build_parser
from gongche.commands.exchange809 import ACTIONS
from office.identity.audit import actor_of_command, set_actor
from office.platforms import links, urging
from office.platforms.links import Link, Secret, networks_of
from registry.refusals import RefusedError
from telemetry.archive.store import Archive, days_of
from telemetry.jt809 import framing
from telemetry.jt809.channel import Channel
from telemetry.jt809.cipher import Keys
from telemetry.jt809.codec import Received
from telemetry.jt809.header import Edition
from telemetry.jt809.tables import Id
from telemetry.positions import PositionBatch
from tests.integration.exchange_site import Process
from tests.integration.jt809_site import CARS, MARCH_US, Line, Platform, drive, plate_of, told, two_platforms
from tests.ports import free_port
from tests.waiting import until

CODE, USER = 1_234_567, 9_999
KEYS = (30_000_001, 20_000_003, 20_000_005)
SECRET = Secret("pass-wd1", KEYS)
HERE = networks_of(["127.0.0.0/8"])


def below(edition: int, **more: Any) -> Link:
    return replace(
        Link("county", "below", edition, CODE, USER, "", None, None, "", 0, HERE, "office", ("office",), encrypts=True), **more
    )  # fmt: skip


def above(edition: int, port: int, down_port: int = 0, **more: Any) -> Link:
    return replace(
        Link(
            "city", "above", edition, CODE, USER, "32060000001", "127.0.0.1", port, "127.0.0.1", down_port, HERE, "office", ("office",),
            encrypts=True,
        ),
        **more,
    )  # fmt: skip


@pytest.fixture
async def two(
    postgres_dsn: str, template_database: str, tmp_path: Path
) -> AsyncIterator[tuple[Platform, Platform]]:
    async with two_platforms(postgres_dsn, template_database, tmp_path) as made:
        yield made


async def test_nothing_is_lost_or_stored_twice(two: tuple[Platform, Platform]) -> None:
    """The lower platform is a process that is killed, the line swallows what is sent and breaks, the upper one is away for a while."""
    lower, upper = two
    chance = random.Random(809)
    await lower.pool.execute("UPDATE vehicles SET secret = true WHERE id = $1", f"car-{CARS - 1}")
    port = free_port()
    line = Line(lambda: port)
    await line.start()
    await upper.add(below(2019), SECRET)
    await lower.add(above(2019, line.port), SECRET)
    await upper.start(port)
    process = Process(
        lower.dsn, lower.folder, "exchange809", "run", EXCHANGE809_METRICS_PORT="0", EXCHANGE809_CONFIRM_S="0.1",
        EXCHANGE809_MOST_PAUSE_S="0.2",
    )  # fmt: skip
    plates, there = await lower.terminals(), await upper.terminals()
    secret = {no for no, plate in plates.items() if plate == plate_of(CARS - 1)}
    foreign = {no for no, plate in plates.items() if plate == "苏F99999"}
    sent: list[tuple[str, int, int]] = []
    second = 0

    async def report(n: int) -> None:
        nonlocal second
        batch = drive(chance, sorted(plates), second, n)
        second += n
        await lower.write(batch)
        mine = [no not in secret | foreign for no in batch.terminal.tolist()]
        sent.extend(one for one, there_too in zip(told(batch, plates), mine, strict=True) if there_too)

    async def arrived() -> bool:
        return set(told(await upper.logged(), there)) >= set(sent)

    async def up() -> bool:
        return (await lower.state("city"))["main_since"] is not None

    await lower.write(
        PositionBatch.build(1, terminal=min(plates), device_us=MARCH_US - 5)
    )  # before the link was there
    try:
        await process.start()
        await until(up, "the lower platform has logged in")
        await report(60)
        await until(arrived, "what was reported has arrived")
        # The line takes what is sent and brings it nowhere; then it breaks, and the process is killed while it sends again.
        line.swallows = True
        await report(60)
        await until(lambda: line.swallowed > 2_000, "the line has swallowed some")
        line.up = False
        line.cut()
        await report(140)
        line.up = True
        before = line.swallowed
        await until(lambda: line.swallowed > before + 2_000, "the line has swallowed some more")
        await process.kill()
        line.swallows = False
        await process.start()
        await until(arrived, "what the line swallowed has arrived")
        # The upper platform ends and begins again, in the middle of it.
        await report(200)
        await upper.stop()
        await report(30)
        await upper.start(port)
        await until(arrived, "what came meanwhile has arrived")
        await report(10)
        await until(arrived, "everything has arrived")

        async def confirmed() -> bool:
            return (await lower.state("city"))["received_until"] is not None and not await _behind(lower)

        await until(confirmed, "everything is confirmed")
    finally:
        await process.kill()
        await line.stop()
    # Each position once in the archive, as it was here: coordinates, items, times, all of it.
    batch = await upper.logged()
    assert set(told(batch, there)) == set(
        sent
    )  # none of a secret vehicle, none of another unit, none of before
    archive = Archive()
    async with upper.pool.acquire() as connection:
        await archive.ensure_partitions(connection, days_of(batch))
        result = await archive.store(connection, batch)
        stored = await connection.fetch("SELECT terminal_no, device_time, fingerprint FROM positions")
    assert Counter((there[row["terminal_no"]], row["fingerprint"]) for row in stored) == Counter(
        (plate, print_) for plate, _, print_ in sent
    )
    assert result.duplicates == len(batch) - len(sent)
    state = await lower.state("city")
    assert state["resent"] > 0
    assert state["withheld"] > 0
    assert state["lost"] == 0
    taken = await upper.state("county")
    assert taken["refused"] == {}


async def _behind(platform: Platform) -> bool:
    """Whether the place in the log is before its end."""
    from telemetry.log import open_tail

    tail = open_tail(platform.settings)
    try:
        opened = await tail.open()
    finally:
        await tail.close()
    places = (await platform.state("city"))["places"]
    return any(int(places.get(str(p), 0)) < end for p, end in opened.ends.items())


async def test_a_long_break_is_filled_from_the_archive(two: tuple[Platform, Platform]) -> None:
    """The log has been trimmed meanwhile: what the worker has stored is taken from the archive, and nothing of it is missing."""
    lower, upper = two
    chance = random.Random(9)
    plates, there = await lower.terminals(), await upper.terminals()
    port = free_port()
    await upper.add(below(2011), SECRET)
    await lower.add(above(2011, port), SECRET)
    await upper.start(port)
    cars = [no for no, plate in plates.items() if plate != "苏F99999"]
    batch = drive(chance, cars, 0, 50)
    async with lower.pool.acquire() as connection:
        archive = Archive()
        await archive.ensure_partitions(connection, days_of(batch))
        await archive.store(connection, batch)
    await lower.write(drive(chance, cars[:1], 5_000, 1))
    # The link was there before, with another log (or with this one, long ago).
    await lower.pool.execute(
        "UPDATE platform_states SET log_identity = 'another', places = '{\"0\": 4000}', received_until = $1"
        " WHERE link = 'city'",
        _moment(MARCH_US),
    )
    await lower.start()
    wanted = {
        (plates[no], at) for no, at in zip(batch.terminal.tolist(), batch.device_us.tolist(), strict=True)
    }
    wanted.add((plates[cars[0]], MARCH_US + 5_000_000_000))

    async def arrived() -> bool:
        return {(plate, at) for plate, at, _ in told(await upper.logged(), there)} == wanted

    await until(arrived, "archive and log have arrived")
    assert len(await upper.logged()) == len(wanted)


def _moment(us: int) -> Any:
    from runtime.units import from_us

    return from_us(us)


async def put_case_state(platform: Platform, id: str, state: str) -> None:
    await platform.pool.execute("UPDATE cases SET state = $2 WHERE id = $1", id, state)


async def test_orders_registrations_and_refusals(two: tuple[Platform, Platform]) -> None:
    """2011: the subordinate link comes about, an order of the upper platform becomes a draft of the lower one, and its end is answered."""
    lower, upper = two
    port, down = free_port(), free_port()
    await lower.write(PositionBatch.build(0))
    await upper.add(below(2011), SECRET)
    await lower.add(above(2011, port, down), replace(SECRET, password="wrong-pw"))
    await upper.start(port)
    await lower.start(down)

    async def refused() -> bool:
        state = await lower.state("city")
        return state["login_result"] == 4 and "密码错误" in (state["last_error"] or "")

    await until(refused, "the wrong password is refused, and said")
    # Who guesses is closed out for a minute; the operator's correction is then let in: here the memory of it is cleared.
    await lower.stop()
    async with lower.pool.acquire() as connection, connection.transaction():
        await connection.execute("DELETE FROM platform_links")
    await lower.add(above(2011, port, down), SECRET)
    entrance = upper.kept._entrance if upper.kept is not None else None
    assert entrance is not None
    entrance.guesses.failed.clear()
    await lower.start(down)

    async def linked() -> bool:
        state = await upper.state("county")
        return state["main_since"] is not None and state["down_since"] is not None

    await until(linked, "both links are there")

    async def registered() -> bool:
        rows = await upper.pool.fetch("SELECT plate, device, refused FROM platform_vehicles ORDER BY plate")
        return len(rows) == CARS and all(row["refused"] is None for row in rows)

    await until(registered, "every car is registered, once")
    device = await upper.pool.fetchval("SELECT device FROM platform_vehicles WHERE plate = $1", plate_of(2))
    assert device == {
        "platform_id": "32060000001", "producer_id": "7611", "model": "BD-1", "terminal_id": "DEV2", "sim": "013800000002",
    }  # fmt: skip
    # An order for a case of the upper platform, and one of a plate that the lower one does not have.
    await upper.pool.execute(
        "INSERT INTO cases (id, organisation, number, state, version, source, level, title, vehicle, created_at, issued_at)"
        " VALUES ('case-1', 'office', '督1', 'issued', 1, 'alert', 'urgent', '核实', 'car-2', now(), now())"
    )
    now = _moment(MARCH_US)
    order = urging.Order(1, plate_of(2), 1, 3, 0x000E, now, now, 0, "王五", "0513-1", "a@b.cn", "car-2")
    async with upper.pool.acquire() as connection, connection.transaction():
        await urging.keep(connection, "county", order, "case-1", asked=True)
        await urging.keep(
            connection, "county", replace(order, supervision_id=2, plate="苏F77777"), "case-1", asked=True
        )

    async def results() -> dict[int, int | None]:
        rows = await upper.pool.fetch("SELECT supervision_id, result FROM platform_supervisions")
        return {row["supervision_id"]: row["result"] for row in rows}

    async def first_answers() -> bool:
        return await results() == {1: urging.UNDER_WAY, 2: urging.NOTHING}

    await until(first_answers, "being dealt with; nothing of it here")
    case = await lower.pool.fetchrow(
        "SELECT id, state, source, external_no, vehicle, level, organisation FROM cases"
    )
    assert dict(case) | {"id": ""} == {
        "id": "", "state": "draft", "source": "commission", "external_no": "city-1", "vehicle": "car-2", "level": "urgent",
        "organisation": "office",
    }  # fmt: skip
    facts = await lower.pool.fetchval("SELECT body ->> 'facts' FROM case_events")
    assert plate_of(2) in facts
    assert "王五" in facts

    async def both_asked() -> bool:
        return not await upper.pool.fetchval("SELECT count(*) FROM platform_supervisions WHERE told IS NULL")

    await until(both_asked, "the lower platform has read them")
    # The same order again makes no second draft, and is answered again.
    await upper.pool.execute(
        "UPDATE platform_supervisions SET told = NULL, result = NULL WHERE supervision_id = 1"
    )
    await until(first_answers, "answered once more")
    assert await lower.pool.fetchval("SELECT count(*) FROM cases") == 1
    await put_case_state(lower, case["id"], "closed")

    async def done() -> bool:
        return (await results())[1] == urging.DONE

    await until(done, "the end of the case is told")

    async def both_told() -> bool:
        rows = await lower.pool.fetch("SELECT supervision_id, told FROM platform_supervisions ORDER BY 1")
        return [tuple(row) for row in rows] == [(1, urging.DONE), (2, urging.NOTHING)]

    await until(both_told, "and kept as told")


async def test_strangers_and_liars(two: tuple[Platform, Platform]) -> None:
    """What a stranger, or a platform that is let in, can send: refused by kind, counted, and nothing else is lost with it."""
    _, upper = two
    port = free_port()
    upper.terms = replace(upper.terms, login_s=3)
    await upper.add(below(2011), SECRET)
    async with upper.pool.acquire() as connection, connection.transaction():
        await links.set_colour(connection, "car-3", 2)
    await upper.start(port)

    async def listens() -> bool:
        return upper.kept is not None and upper.kept.port is not None and "county" in upper.kept._links

    await until(listens, "the port is open")

    async def asked(*pieces: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in pieces:
            writer.write(piece)
        try:
            return await reader.read()
        except ConnectionResetError:  # it was closed before everything was read
            return b""
        finally:
            writer.close()

    def channel(**more: Any) -> Channel:
        return Channel(Edition.V2011, CODE, Keys(*KEYS), **({"encrypts": True} | more))

    login = {"user_id": USER, "password": SECRET.password, "down_ip": "", "down_port": 0}
    # No login: silence, junk, too much, another message, an access code of nobody, no encryption where it was agreed on.
    assert await asked() == b""
    assert await asked(b"GET / HTTP/1.1\r\n\r\n" + bytes(4_000)) == b""
    assert await asked(channel().frame(Id.UP_LINKTEST_REQ, {}, 0)) == b""
    answer = await asked(Channel(Edition.V2011, 5).frame(Id.UP_CONNECT_REQ, login, 0))
    assert _results(Channel(Edition.V2011, 5).feed(answer)) == [2]
    answer = await asked(channel(encrypts=False).frame(Id.UP_CONNECT_REQ, login, 0))
    assert _results(channel().feed(answer)) == [6]
    for wrong, result in (({"user_id": 1}, 3), ({"password": "x"}, 4)):
        answer = await asked(channel().frame(Id.UP_CONNECT_REQ, login | wrong, 0))
        assert _results(channel().feed(answer)) == [result]
    # Five failed: now even the right password gets no answer, until a minute is over.
    assert await asked(channel().frame(Id.UP_CONNECT_REQ, login, 0)) == b""
    assert upper.kept is not None
    entrance = upper.kept._entrance
    assert entrance is not None
    entrance.guesses.failed.clear()

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    mine = channel()

    async def say(id: Id, fields: dict[str, Any]) -> None:
        writer.write(mine.frame(id, fields, 0))

    async def hear(id: Id) -> Received:
        while True:
            for one in mine.feed(await asyncio.wait_for(reader.read(4_096), 60)):
                if isinstance(one, Received) and one.id is id:
                    return one

    await say(Id.UP_CONNECT_REQ, login)
    assert (await hear(Id.UP_CONNECT_RSP)).fields["result"] == 0
    location = bytes((0, 2, 3)) + (2026).to_bytes(2, "big") + bytes(3) + bytes(8) + bytes(20)
    good = {"plate": plate_of(1), "colour": 1, "location": location}
    await say(Id.UP_EXG_MSG_REAL_LOCATION, good)
    await say(Id.UP_EXG_MSG_REAL_LOCATION, good | {"plate": "苏A00001"})  # nobody here
    await say(Id.UP_EXG_MSG_REAL_LOCATION, good | {"plate": "苏F99999"})  # of another unit
    await say(Id.UP_EXG_MSG_REAL_LOCATION, good | {"plate": plate_of(3)})  # yellow here, blue there
    await say(Id.UP_EXG_MSG_REAL_LOCATION, good | {"location": location + b"x"})
    await say(Id.UP_EXG_MSG_HISTORY_LOCATION, good | {"count": 6, "location": location * 6})
    await say(Id.UP_EXG_MSG_HISTORY_LOCATION, good | {"count": 2, "location": location * 2})
    await say(Id.DOWN_CONNECT_REQ, {"verify_code": 1})  # not for us
    await say(
        Id.UP_WARN_MSG_URGE_TODO_ACK, {"plate": plate_of(1), "colour": 1, "supervision_id": 7, "result": 1}
    )
    plain = framing.unescape(mine.frame(Id.UP_LINKTEST_REQ, {}, 0)[1:-1])
    assert isinstance(plain, bytes)
    wrong_crc = framing.escape(plain[:-1] + bytes((plain[-1] ^ 1,)))
    writer.write(b"between the frames[" + wrong_crc + b"]")
    await say(Id.UP_LINKTEST_REQ, {})
    await hear(Id.UP_LINKTEST_RSP)
    # It was answered: so what came before is in the log.
    batch = await upper.logged()
    there = await upper.terminals()
    assert [plate for plate, _, _ in told(batch, there)] == [plate_of(1)] * 3
    await say(Id.UP_DISCONNECT_REQ, {"user_id": USER, "password": SECRET.password})
    await hear(Id.UP_DISCONNECT_RSP)
    assert await reader.read() == b""
    writer.close()

    async def counted() -> bool:
        state = await upper.state("county")
        return (state["taken"], state["refused"]) == (3, {
            "unknown-vehicle": 2, "another-colour": 1, "bad-body": 2, "unexpected": 1, "unknown-order": 1, "junk": 1, "bad-crc": 1,
        })  # fmt: skip

    await until(counted, "each refusal is counted by its kind")

    async def named() -> bool:
        strangers = await upper.pool.fetch("SELECT plate FROM platform_vehicles WHERE refused IS NOT NULL")
        return {row["plate"] for row in strangers} == {"苏A00001", "苏F99999", plate_of(3)}

    await until(named, "each stranger is named")


def _results(found: list[Any]) -> list[Any]:
    return [one.fields["result"] for one in found if isinstance(one, Received)]


async def test_what_the_operator_does(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list of links, with every flaw told at once; colours; an order for a case: by the command, noted in the audit."""
    monkeypatch.setenv("GONGCHE_DATA_DIR", str(tmp_path))
    site = Platform(pool, "", tmp_path, 0)
    await site.fill()
    secret = tmp_path / "secret.json"
    secret.write_text('{"password": "pass-wd1", "m1": 1, "ia1": 2, "ic1": 3}')
    await pool.execute(
        "INSERT INTO cases (id, organisation, number, state, version, source, level, title, vehicle, created_at, issued_at)"
        " VALUES ('case-1', 'office', '督1', 'issued', 1, 'alert', 'urgent', '核实', 'car-2', now(), now()),"
        " ('case-2', 'other', '督2', 'issued', 1, 'alert', 'urgent', '核实', 'foreign', now(), now())"
    )

    async def command(*words: str) -> tuple[int, str]:
        args = build_parser("exchange809").parse_args(["exchange809", *words])
        async with pool.acquire() as connection, connection.transaction():
            await set_actor(connection, actor_of_command("gongche exchange809"))
            status = await ACTIONS[args.action](args, connection)
        told_people = capsys.readouterr()
        return status, told_people.out + told_people.err

    common = ["--edition", "2011", "--access-code", "7", "--user", "8", "--secret-file", str(secret)]
    with pytest.raises(RefusedError) as refused:
        await command("link", "below", "Bad Name", *common, "--unit", "nowhere", "--encrypt")
    assert {flaw.path[0] for flaw in refused.value.flaws} == {"name", "networks", "units"}
    made = ["--unit", "office", "--network", "10.2.0.0/16"]
    assert (await command("link", "below", "county", *common, *made))[0] == 0
    with pytest.raises(RefusedError) as refused:
        await command("link", "below", "another", *common, *made)
    assert [flaw.path for flaw in refused.value.flaws] == [("access_code",)]
    status, said = await command("link", "list")
    assert "10.2.0.0/16" in said
    assert "pass-wd1" not in str(await pool.fetch("SELECT * FROM platform_links, platform_secrets, audit"))
    assert (await command("colour", "car-2", "yellow"))[0] == 0
    for case in ("case-2", "none"):
        assert (await command("urge", case, "--link", "county"))[0] == 1
    assert (await command("urge", "case-1", "--link", "county", "--supervisor", "王五"))[0] == 0
    status, said = await command("orders")
    assert plate_of(2) in said
    assert await pool.fetchval("SELECT colour FROM platform_supervisions") == 2
    for words in (
        ("link", "disable", "county"),
        ("link", "enable", "county"),
        ("colour", "car-2", "default"),
    ):
        assert (await command(*words))[0] == 0
    assert (await command("link", "disable", "nobody"))[0] == 1
    status, said = await command("status")
    assert status == 0
    assert "county" in said
    noted = await pool.fetch("SELECT DISTINCT subject_kind FROM audit WHERE subject_kind LIKE 'platform-%'")
    assert {row[0] for row in noted} == {"platform-links", "platform-colours", "platform-supervisions"}
