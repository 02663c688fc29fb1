"""Commands from the request to the terminal and back, over real sockets and a real database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from office.identity.subject import Role
from runtime.bell import Bell
from telemetry.commands import delivering
from telemetry.commands.steps import CommandStep
from telemetry.commands.thread import CHANNEL, Happened, append
from telemetry.jt808.outstanding import Patience
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.scalar.messages import Registration, encode_registration
from telemetry.positions import Source
from tests.integration.command_site import (
    QUICK,
    confirm,
    downlink,
    gateway,
    office,
    online,
    ordered,
    phone,
    quiet,
)
from tests.integration.terminal_client import Terminal, position
from tests.integration.test_gateway import running
from tests.waiting import until

TEXT, LOCATE, ASK_ALL, ASK_ATTRIBUTES, CONTROL, LOCK = 0x8300, 0x8201, 0x8104, 0x8107, 0x8105, 0x8500
SLOW = Patience(reply_s=60)


def ignored(why: str) -> float:
    return REGISTRY.get_sample_value("gongche_gateway_command_answers_ignored_total", {"why": why}) or 0.0


@pytest.mark.parametrize("version", [Version.V2013, Version.V2019])
async def test_a_text_goes_to_the_driver(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path, version: Version
) -> None:
    async with office(pool, db_url) as it, gateway(pool, db_url, tmp_path / "log") as g:
        waiting = await it.ask(1, text="请速回单位", urgent=True)
        assert await it.state(waiting) == "queued"  # nobody is connected
        terminal = await online(g, 1, version)
        header, body = await ordered(terminal, TEXT)
        assert header.serial == 2  # 0 registration, 1 authentication: one counter
        assert body.endswith("请速回单位".encode("gbk"))
        assert await it.state(waiting) == "sent"
        confirm(terminal, header)
        done = await it.comes_to(waiting, "delivered")
        assert [step["step"] for step in done["thread"]] == ["asked", "sent", "delivered"]
        assert (done["attempts"], done["failure"]) == (1, None)
        assert done["ended_at"] is not None
        second = await it.ask(1)
        header, _ = await ordered(terminal, TEXT)
        confirm(terminal, header, 1)
        assert (await it.comes_to(second, "failed"))["failure"] == "refused"
        # The position reports of the terminal go on as if nothing were.
        assert await terminal.ask(0x0200, position(1)) == 0


async def test_questions_are_answered_once(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> None:
    async with office(pool, db_url) as it, gateway(pool, db_url, tmp_path / "log", SLOW) as g:
        terminal = await online(g)
        no = await it.ask(1, "query_parameters")
        header, body = await ordered(terminal, ASK_ALL)
        assert body == b""
        unasked = ignored("unasked")
        wrong = (header.serial + 1).to_bytes(2, "big") + b"\x01\x00\x00\x00\x01\x04\x00\x00\x00\x3c"
        assert await terminal.ask(0x0104, wrong) == 0  # replied to, so that it does not come again
        terminal.send(0x0001, b"\x00\x63\x81\x04\x00")
        await until(lambda: ignored("unasked") == unasked + 2, "both are counted")
        assert await it.state(no) == "sent"
        assert "unasked" in await g.wait_rejects(1)
        right = header.serial.to_bytes(2, "big") + wrong[2:]
        assert await terminal.ask(0x0104, right) == 0
        # It is in the thread before the terminal hears of it.
        done = await it.command(no)
        assert done["state"] == "answered"
        assert done["thread"][-1]["detail"] == {"parameters": [{"id": "0x0001", "value": 60}]}
        assert await pool.fetchval("SELECT raw FROM terminal_command_events WHERE step = 'answered'") == right
        assert await terminal.ask(0x0104, right) == 0
        assert (await it.steps(no)).count("answered") == 1
        place = await it.ask(1, "location")
        header, _ = await ordered(terminal, LOCATE)
        other = await online(g, 2)
        answer = header.serial.to_bytes(2, "big") + position(7)
        assert (
            await other.ask(0x0201, answer) == 0
        )  # of another terminal: a position of its own, and no answer
        third = await online(g, 3)
        third.send(0x0201, answer, phone=phone(1))  # under the first one's number: refused

        async def refused() -> bool:
            return "phone_mismatch" in await g.rejects()

        await until(refused, "it is refused")
        assert await it.state(place) == "sent"
        assert await terminal.ask(0x0201, answer) == 0
        done = await it.comes_to(place, "answered")
        assert done["thread"][-1]["detail"].keys() == {"device_time", "positioned"}  # and no place
        stored = await g.stored()
        assert stored.source.tolist() == [Source.QUERIED, Source.QUERIED]


async def test_it_is_sent_again_by_the_rule_with_the_same_serial(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    async with office(pool, db_url) as it, gateway(pool, db_url, tmp_path / "log") as g:
        terminal = await online(g)
        no = await it.ask(1)
        first, body = await ordered(terminal, TEXT)
        terminal.send(0x0002, b"")  # other messages take serial numbers in between
        second = await ordered(terminal, TEXT)
        assert second == (first, body)
        third = await ordered(terminal, TEXT)
        assert third == (first, body)
        failed = await it.comes_to(no, "failed")
        assert failed["failure"] == "no_reply"
        assert await it.steps(no) == ["asked", "sent", "resent", "resent", "failed"]
        confirm(terminal, first)  # too late
        await terminal.ask(0x0002, b"")
        assert await it.state(no) == "failed"


async def test_one_at_a_time_for_a_terminal_in_their_order(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    async with office(pool, db_url) as it, gateway(pool, db_url, tmp_path / "log", SLOW) as g:
        nos = [await it.ask(1, text=f"第{k}条") for k in range(3)]
        terminal = await online(g)
        for k, no in enumerate(nos):
            header, body = await ordered(terminal, TEXT)
            assert body.endswith(f"第{k}条".encode("gbk"))
            assert [await it.state(each) for each in nos[k:]] == ["sent", *["queued"] * (2 - k)]
            confirm(terminal, header)
            await it.comes_to(no, "delivered")


async def test_a_broken_connection_sends_again_what_may_be_repeated(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    async with (
        office(pool, db_url, command_control=True) as it,
        gateway(pool, db_url, tmp_path / "log", SLOW) as g,
    ):
        terminal = await online(g)
        no = await it.ask(1)
        await ordered(terminal, TEXT)
        await terminal.close()
        await it.comes_to(no, "queued")
        terminal = await online(g)
        header, _ = await ordered(terminal, TEXT)
        confirm(terminal, header)
        assert (await it.comes_to(no, "delivered"))["attempts"] == 2
        async with it.person("wang", Role.VEHICLE_OFFICE) as wang, it.person("li", Role.OFFICE_HEAD) as li:
            lock = await it.ask(1, "lock", wang, locked=True)
            assert (
                await li.post(f"/v1/commands/{lock}:approve", json={"reason": "核实无误，同意"})
            ).status_code == 200
        header, _ = await ordered(terminal, LOCK)
        await terminal.close()
        assert (await it.comes_to(lock, "failed"))["failure"] == "outcome_unknown"
        terminal = await online(g)
        assert await quiet(terminal, 1.0)
        assert (await it.steps(lock)).count("sent") == 1


async def test_who_locks_a_car_needs_another_person(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> None:
    async with (
        office(pool, db_url, command_control=True) as it,
        gateway(pool, db_url, tmp_path / "log", SLOW) as g,
    ):
        terminal = await online(g)
        program = await it.send(1, "lock", locked=True)
        assert (program.status_code, program.json()["type"]) == (403, "urn:gongche:problem:missing-scope")
        async with (
            it.person("wang", Role.VEHICLE_OFFICE) as wang,
            it.person("li", Role.OFFICE_HEAD) as li,
            it.person("zhao", Role.UNIT_ADMINISTRATOR) as zhao,
            it.person("qian", Role.OFFICE_HEAD, "other") as qian,
        ):
            assert (await it.send(1, "lock", zhao, locked=True)).status_code == 403
            assert (await it.send(1, "cut", wang, cut=True)).status_code == 403  # nobody said how
            no = await it.ask(1, "lock", wang, locked=True)
            why = {"reason": "核实无误，同意"}
            own = await wang.post(f"/v1/commands/{no}:approve", json=why)
            assert (own.status_code, own.json()["type"]) == (409, "urn:gongche:problem:second-person")
            assert (await zhao.post(f"/v1/commands/{no}:approve", json=why)).status_code == 403
            assert (await qian.post(f"/v1/commands/{no}:approve", json=why)).status_code == 404
            assert await quiet(terminal, 0.6)
            shown = (await li.get(f"/v1/commands/{no}")).json()
            assert (shown["state"], shown["approvable"], shown["cancellable"]) == ("proposed", True, True)
            assert not (await wang.get(f"/v1/commands/{no}")).json()["approvable"]
            assert (await li.post(f"/v1/commands/{no}:approve", json=why)).status_code == 200
            assert (await li.post(f"/v1/commands/{no}:approve", json=why)).status_code == 409
            header, body = await ordered(terminal, LOCK)
            assert body == b"\x01"
            confirm(terminal, header)
            await it.comes_to(no, "delivered")
            status = (3 | 1 << 12).to_bytes(4, "big")
            report = position(1)[:4] + status + position(1)[8:]
            assert await terminal.ask(0x0500, header.serial.to_bytes(2, "big") + report) == 0
            done = await it.comes_to(no, "answered")
            assert done["thread"][-1]["detail"] == {"locked": True}
            assert [(s["step"], s["by"]) for s in done["thread"][:2]] == [
                ("asked", "wang"),
                ("approved", "li"),
            ]
        noted = await pool.fetch(
            "SELECT who_id, operation, vehicle, after FROM audit WHERE subject_kind = 'commands' AND action = 'write' ORDER BY no"
        )
        assert [row["who_id"] for row in noted] == ["wang", "li"]
        assert {row["vehicle"] for row in noted} == {"car-1"}


async def test_what_is_switched_off_cannot_be_asked_for(pool: asyncpg.Pool, db_url: str) -> None:
    async with office(pool, db_url, command_parameters=("0x0029",)) as it:
        async with it.person("wang", Role.VEHICLE_OFFICE) as wang:
            assert (await it.send(1, "lock", wang, locked=True)).json()["type"].endswith("switched-off")
            foreign = await it.send(
                1, "set_parameters", wang, parameters=[{"id": "0x0013", "value": "10.0.0.1"}]
            )
            assert (foreign.status_code, foreign.json()["errors"][0]["pointer"]) == (422, "/parameters")
            no = await it.ask(1, "set_parameters", wang, parameters=[{"id": "0x00000029", "value": 15}])
            assert await it.state(no) == "queued"
        assert (
            await it.send(1, "set_parameters", parameters=[{"id": "0x0029", "value": 15}])
        ).status_code == 403


async def test_the_same_key_is_the_same_command(pool: asyncpg.Pool, db_url: str) -> None:
    async with office(pool, db_url) as it:
        answers = await asyncio.gather(*(it.send(1, key="one") for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert len({answer.json()["no"] for answer in answers}) == 1
        others: list[dict[str, Any]] = [{"text": "另一条"}, {"reason": "另一个理由"}]
        for other in others:
            answer = await it.send(1, key="one", **other)
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:gongche:problem:key-taken")
        assert (await it.send(2, key="one")).status_code == 409
        # Of another person the same key is another command.
        async with it.person("wang", Role.UNIT_ADMINISTRATOR) as wang:
            assert (await it.send(1, "text", wang, key="one")).status_code == 201


#: What is wrong, and where that is said.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"text": "开会🚗"}, "/text"), ({"text": "   "}, "/text"), ({"text": "车" * 513}, "/text"), ({"kind": "shout"}, "/kind"),
    ({"kind": None}, "/kind"), ({"reason": "短"}, "/reason"), ({"expires_in_s": 5}, "/expires_in_s"), ({"more": 1}, "/more"),
    ({"terminal": "99"}, "/terminal"), ({"kind": "location", "text": "x"}, "/text"),
    ({"kind": "tracking", "interval_s": 70_000}, "/interval_s"), ({"kind": "location", "expires_in_s": 90_000}, "/expires_in_s"),
]  # fmt: skip


async def test_what_cannot_be_sent_is_said_before(pool: asyncpg.Pool, db_url: str) -> None:
    async with office(pool, db_url) as it:
        for fields, pointer in WRONG:
            answer = await it.send(1, **({"kind": "text"} | fields))
            assert answer.status_code == 422, (fields, answer.text)
            assert pointer in [error["pointer"] for error in answer.json()["errors"]], fields
        assert await pool.fetchval("SELECT count(*) FROM terminal_commands") == 0


async def test_lists_and_cancelling(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> None:
    async with office(pool, db_url) as it:
        nos = [await it.ask(1 + k % 2) for k in range(6)]
        page = (await it.client.get("/v1/commands", params={"limit": 4})).json()
        assert [row["no"] for row in page["items"]] == nos[:1:-1]
        rest = (await it.client.get("/v1/commands", params={"cursor": page["next"]})).json()
        assert ([row["no"] for row in rest["items"]], rest["next"]) == ([nos[1], nos[0]], None)
        for query, count in (
            ({"vehicle": "car-1"}, 3), ({"vehicle": "nobody"}, 0), ({"kind": "location"}, 0), ({"organisation": "unit"}, 6),
            ({"state": ["queued", "sent"]}, 6), ({"state": "sent"}, 0),
        ):  # fmt: skip
            assert len((await it.client.get("/v1/commands", params=query)).json()["items"]) == count, query
        for step in ("cancel", "approve"):  # a step is no number of a command
            wrong_method = await it.client.get(f"/v1/commands/{nos[0]}:{step}")
            assert (wrong_method.status_code, wrong_method.headers["allow"]) == (405, "POST")
        assert (await it.client.get("/v1/commands/none")).status_code == 404
        back = {"reason": "已经电话通知"}
        assert (await it.client.post(f"/v1/commands/{nos[0]}:cancel", json=back)).json()[
            "state"
        ] == "cancelled"
        again = await it.client.post(f"/v1/commands/{nos[0]}:cancel", json=back)
        assert (again.status_code, again.json()["state"]) == (409, "cancelled")
        async with gateway(pool, db_url, tmp_path / "log", SLOW) as g:
            terminal = await online(g)
            await ordered(terminal, TEXT)
            sent = await it.client.post(f"/v1/commands/{nos[2]}:cancel", json=back)
            assert (sent.status_code, sent.json()["state"]) == (409, "sent")
        assert (await it.client.get("/v1/commands/999999")).status_code == 404
        async with it.person("qian", Role.VEHICLE_OFFICE, "other") as qian:
            assert (await qian.get("/v1/commands")).json()["items"] == []
            assert (await qian.get(f"/v1/commands/{nos[1]}")).status_code == 404
            assert (await qian.post(f"/v1/commands/{nos[1]}:cancel", json=back)).status_code == 404
            assert (await it.send(1, "text", qian)).status_code == 404


async def test_time_ends_what_nobody_could_take(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> None:
    async with office(pool, db_url) as it:
        no, moved, many = await it.ask(1), await it.ask(2), []
        await pool.execute("UPDATE terminal_commands SET expires_at = now() WHERE no = $1", no)
        assert not await delivering.keep(pool)
        assert (await it.command(no))["state"] == "expired"
        # A terminal that was put into another car must not say there what the first one's driver was to hear.
        await pool.execute(
            "DELETE FROM terminal_bindings WHERE terminal_no = (SELECT no FROM terminals WHERE phone = $1)",
            phone(2),
        )
        await pool.execute(
            "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) SELECT t.no, v.no, now() - interval '1 s' FROM terminals t,"
            " vehicles v WHERE t.phone = $1 AND v.id = 'car-3'", phone(2),
        )  # fmt: skip
        which = await it.send(3)
        assert (which.status_code, which.json()["type"]) == (409, "urn:gongche:problem:which-terminal")
        assert (await it.send(2)).json()["errors"][0]["pointer"] == "/terminal"
        async with gateway(pool, db_url, tmp_path / "log", SLOW) as g:
            terminal = await online(g, 2)
            assert (await it.comes_to(moved, "failed"))["failure"] == "terminal_moved"
            assert await quiet(terminal, 0.3)
        while (answer := await it.send(1)).status_code == 201:
            many.append(answer)
        assert (answer.status_code, len(many)) == (429, 50)


async def test_two_gateways_and_one_terminal(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> None:
    """The one where it logged in last sends; what the other had sent and not heard of goes again."""
    async with (
        office(pool, db_url) as it,
        gateway(pool, db_url, tmp_path / "one", SLOW) as one,
        gateway(pool, db_url, tmp_path / "two", SLOW) as two,
    ):
        first = await online(one)
        no = await it.ask(1)
        await ordered(first, TEXT)
        second = await Terminal.connect(two.port, phone(1))
        second.code = first.code
        assert await second.authenticate() == 0  # the first connection hangs half open
        header, _ = await ordered(second, TEXT)
        confirm(second, header)
        assert (await it.comes_to(no, "delivered"))["attempts"] == 2
        await first.close()
        other = await it.ask(1)
        header, _ = await ordered(second, TEXT)
        confirm(second, header)
        await it.comes_to(other, "delivered")


async def test_a_gateway_that_was_killed_holds_nothing(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    """Its commands are sent by the next one, or told; its late words count nothing."""
    async with office(pool, db_url) as it:
        text, lock = await it.ask(1), await it.ask(2)
        await pool.execute(
            "UPDATE terminal_commands SET kind = 'lock', fields = '{\"locked\": true}' WHERE no = $1", lock
        )
        dead = "00000000-0000-0000-0000-000000000001"
        await pool.execute(
            "INSERT INTO terminal_gateways (id, host, alive_until) VALUES ($1, 'x', now() + interval '1 h')",
            dead,
        )
        async with pool.acquire() as connection, connection.transaction():
            await append(connection, [Happened(no, CommandStep.SENT, dead) for no in (text, lock)])
        await delivering.keep(pool)
        assert [await it.state(no) for no in (text, lock)] == ["sent", "sent"]
        await pool.execute("UPDATE terminal_gateways SET alive_until = now() - interval '1 s'")
        async with gateway(pool, db_url, tmp_path / "log", SLOW) as g:
            terminal = await online(g)
            header, _ = await ordered(terminal, TEXT)
            assert (await it.comes_to(lock, "failed"))["failure"] == "outcome_unknown"
            async with pool.acquire() as connection, connection.transaction():
                done = await append(
                    connection,
                    [
                        Happened(text, CommandStep.DELIVERED, dead, 1),
                        Happened(lock, CommandStep.ANSWERED, dead, 1),
                    ],
                )
            assert [each.counted for each in done] == [False, False]
            confirm(terminal, header)
            await it.comes_to(text, "delivered")


async def test_the_database_goes_and_comes_back(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> None:
    """Positions go on, commands wait, an answer is not replied to before it stands, and counts once however often it came."""
    async with office(pool, db_url) as it, gateway(pool, db_url, tmp_path / "log", SLOW) as g:
        terminal = await online(g)
        no = await it.ask(1, "query_attributes")
        _header, _ = await ordered(terminal, ASK_ATTRIBUTES)
        await pool.execute("ALTER TABLE terminal_command_events RENAME TO away")
        answer = (
            bytes(2)
            + b"MAKER"
            + b"M".ljust(20, b"\0")
            + b"D1".ljust(7, b"\0")
            + bytes(10)
            + b"\x011\x012\x03\x05"
        )
        again = ignored("again")
        first = terminal.send(0x0107, answer)
        terminal.send(0x0107, answer)
        await until(lambda: ignored("again") == again + 1, "the second one is known")
        assert await terminal.ask(0x0200, position(1)) == 0
        assert all(body[:2] != first.to_bytes(2, "big") for _, body in terminal.inbox)
        await pool.execute("ALTER TABLE away RENAME TO terminal_command_events")
        assert await terminal.result_of(first, 0x0107) == 0
        assert (await it.command(no))["thread"][-1]["detail"]["firmware"] == "2"
        assert (await it.steps(no)).count("answered") == 1


async def test_a_claim_whose_commit_was_lost_is_given_back(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    """The database says "sent" and the gateway never heard that it may: even a lock may go again, for it never went."""
    made = downlink(pool, Bell(db_url, CHANNEL), SLOW)
    async with office(pool, db_url) as it, running(pool, tmp_path / "log", downlink=made) as g:
        no = await it.ask(1)
        await pool.execute(
            "UPDATE terminal_commands SET kind = 'lock', fields = '{\"locked\": true}' WHERE no = $1", no
        )
        async with pool.acquire() as connection:
            await until(lambda: made._known, "the gateway is known")
            async with connection.transaction():
                await append(connection, [Happened(no, CommandStep.SENT, made.id)])
        terminal = await online(g)
        await ordered(terminal, LOCK)
        assert await it.steps(no) == ["asked", "sent", "released", "sent"]


async def test_an_answer_on_which_the_program_fails_stops_no_other(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    async with office(pool, db_url) as it, gateway(pool, db_url, tmp_path / "log", SLOW) as g:
        await pool.execute("ALTER TABLE terminal_command_events ADD CHECK (octet_length(raw) < 20)")
        one, two = await online(g, 1), await online(g, 2)
        odd, plain = await it.ask(1, "query_parameters"), await it.ask(2)
        asked, _ = await ordered(one, ASK_ALL)
        text, _ = await ordered(two, TEXT)
        confirm(two, text)
        assert await one.ask(0x0104, asked.serial.to_bytes(2, "big") + b"\0" + bytes(20)) == 0
        assert (await it.comes_to(odd, "answered"))["thread"][-1]["detail"] is None
        await it.comes_to(plain, "delivered")


async def test_long_texts_go_in_packages_and_are_asked_for_again(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    async with office(pool, db_url) as it, gateway(pool, db_url, tmp_path / "log", SLOW) as g:
        terminal = await online(g)
        no = await it.ask(1, text="车" * 512)
        (first, one), (second, two) = await ordered(terminal, TEXT), await ordered(terminal, TEXT)
        assert [(h.serial, h.total, h.index) for h in (first, second)] == [(2, 2, 1), (3, 2, 2)]
        assert (one + two)[1:] == ("车" * 512).encode("gbk")
        terminal.send(0x0005, b"\x00\x02\x01\x00\x02")
        assert await ordered(terminal, TEXT) == (second, two)
        confirm(terminal, first)
        confirm(terminal, second)
        await it.comes_to(no, "delivered")
        assert await terminal.ask(0x0005, b"\x00\x02\x01\x00\x02") == 1  # it is over


async def test_answers_that_nobody_asked_for_change_nothing(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    """Of every kind, while nothing is asked and while something else is; twice; by another terminal; for another message."""
    async with office(pool, db_url) as it, gateway(pool, db_url, tmp_path / "log", SLOW) as g:
        terminal, other = await online(g), await online(g, 2)
        unasked = ignored("unasked")
        device = (
            bytes(2)
            + b"MAKER"
            + b"M".ljust(20, b"\0")
            + b"D1".ljust(7, b"\0")
            + bytes(10)
            + b"\x011\x012\x03\x05"
        )
        wild = {0x0104: b"\x00\x02\x00", 0x0107: device, 0x0500: b"\x00\x02" + position(1)}
        for message_id, body in wild.items():
            assert await terminal.ask(message_id, body) == 0  # replied to: it must not come for ever
        terminal.send(0x0001, b"\x00\x02\x83\x00\x00")
        # What a device is may come unasked: that is a report.
        await until(lambda: ignored("unasked") == unasked + 3, "the others are counted")
        no = await it.ask(1)
        header, _ = await ordered(terminal, TEXT)
        right = header.serial.to_bytes(2, "big") + header.id.to_bytes(2, "big") + b"\0"
        other.send(0x0001, right)  # of another terminal
        for wrong in (right[:2] + b"\x82\x01\x00", b"\xff\xff" + right[2:], right[:4], b""):
            terminal.send(0x0001, wrong)
        for message_id, body in wild.items():
            assert await terminal.ask(message_id, body) == 0
        await until(lambda: ignored("unasked") == unasked + 3 + 3 + 2, "all are counted")
        assert await it.state(no) == "sent"
        confirm(terminal, header, 0)
        confirm(terminal, header, 1)  # it cannot be refused any more
        await it.comes_to(no, "delivered")
        assert await terminal.ask(0x0002, b"") == 0
        assert await it.steps(no) == ["asked", "sent", "delivered"]
        assert (await it.command(no))["failure"] is None
        assert await terminal.ask(0x0200, position(1)) == 0


async def test_a_parameter_that_its_edition_does_not_have_fails_alone(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    """0x0026 came with 2019; 0x0031 is two bytes wide. Nothing is sent, and what waits behind goes."""
    async with (
        office(pool, db_url, command_parameters=("0x0026", "0x0031")) as it,
        gateway(pool, db_url, tmp_path / "log", SLOW) as g,
        it.person("wang", Role.VEHICLE_OFFICE) as wang,
    ):
        unknown = {"parameters": [{"id": "0x0026", "value": "10.0.0.1"}]}
        wide = {"parameters": [{"id": "0x0031", "value": 70_000}]}
        nos = [await it.ask(1, "set_parameters", wang, **fields) for fields in (unknown, wide)]
        text, newer = await it.ask(1), await it.ask(2, "set_parameters", wang, **unknown)
        old, new = await online(g, 1, Version.V2013), await online(g, 2, Version.V2019)
        header, _ = await ordered(old, TEXT)  # the first that comes
        confirm(old, header)
        await it.comes_to(text, "delivered")
        for no in nos:
            assert (await it.comes_to(no, "failed"))["failure"] == "cannot_encode"
        header, body = await ordered(new, 0x8103)
        assert body == b"\x01\x00\x00\x00\x26\x0810.0.0.1"
        confirm(new, header)
        await it.comes_to(newer, "delivered")


async def test_a_text_that_gbk_does_not_have_is_refused_with_its_characters(
    pool: asyncpg.Pool, db_url: str
) -> None:
    async with office(pool, db_url) as it:
        answer = await it.send(1, text="请去𠮷祥路🚗接人")
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["pointer"]) == (422, "/text")
        assert all(each in str(error) for each in "𠮷🚗")
        assert await pool.fetchval("SELECT count(*) FROM terminal_commands") == 0


async def test_the_thread_is_only_added_to(pool: asyncpg.Pool, db_url: str) -> None:
    async with office(pool, db_url) as it:
        await it.ask(1)
        for sql in ("UPDATE terminal_command_events SET step = 'x'", "DELETE FROM terminal_command_events", "DELETE FROM terminal_commands",
                    "TRUNCATE terminal_command_events"):  # fmt: skip
            with pytest.raises(asyncpg.PostgresError, match="never changed"):
                await pool.execute(sql)


assert QUICK


async def test_a_terminal_of_2011_that_only_authenticates_is_asked_in_its_edition(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    """Headers of 2011 and 2013 are the same; its registration, on another gateway, told them apart. 0x8103 and 0x0201 differ."""
    async with office(pool, db_url, command_parameters=("0x0029",)) as it:
        async with gateway(pool, db_url, tmp_path / "other") as elsewhere:
            before = await Terminal.connect(elsewhere.port, phone(1))
            told = Registration(32, 600, "MAKER", "M1", "D000001", 1, "苏F12345", Version.V2011)
            before.send(0x0100, encode_registration(told))
            _, answer = await before.receive()
            code = answer[3:].decode()
            assert await before.authenticate(code) == 0
        async with gateway(pool, db_url, tmp_path / "log") as g:
            terminal = await Terminal.connect(g.port, phone(1))
            assert await terminal.authenticate(code) == 0
            async with it.person("wang", Role.VEHICLE_OFFICE) as wang:
                no = await it.ask(1, "set_parameters", wang, parameters=[{"id": "0x0029", "value": 30}])
            header, body = await ordered(terminal, 0x8103)
            assert body == bytes.fromhex(
                "01 01 00000029 04 0000001e"
            )  # 2011 has the number of parameters twice
            confirm(terminal, header)
            await it.comes_to(no, "delivered")
            no = await it.ask(1, "location")
            await ordered(terminal, LOCATE)
            assert await terminal.ask(0x0201, position(3)) == 0  # without a serial number
            await it.comes_to(no, "answered")
            stored = await g.stored()
            assert stored.lat_e6.tolist() == [31_980_003]
