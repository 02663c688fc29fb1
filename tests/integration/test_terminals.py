"""The terminal directory on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import asyncpg
import pytest

from registry.records import apply
from registry.terminals import Terminal
from runtime.errors import UnavailableError
from runtime.postgres import create_pool
from telemetry.archive.partitions import clock_us
from telemetry.archive.store import Archive
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.scalar.messages import Registration
from telemetry.jt808.scalar.replies import RegistrationResult
from telemetry.positions import PositionBatch
from telemetry.terminals import notices
from telemetry.terminals.directory import TerminalDirectory
from telemetry.terminals.exchange import accept

PHONE = "13900000001"
TOLD = Registration(32, 600, "MAKER", "M-1", "DEV0001", 1, "苏F12345", Version.V2013)


async def admit(pool: asyncpg.Pool, phone: str = PHONE, **office: str) -> int:
    """A terminal in the registry, with what the office says about it."""
    no = await pool.fetchval(
        "INSERT INTO terminals (phone, manufacturer, device_id, office_said) VALUES ($1, $2, $3, $4) RETURNING no",
        phone, office.get("manufacturer", ""), office.get("device_id", ""), list(office),
    )  # fmt: skip
    assert isinstance(no, int)
    return no


async def code_of(directory: TerminalDirectory, phone: str = PHONE) -> bytes:
    result, code, terminal = await directory.register(phone, TOLD)
    assert result == RegistrationResult.OK
    assert code is not None
    assert terminal is not None
    return code.encode()


async def test_a_known_terminal_registers_and_authenticates(pool: asyncpg.Pool) -> None:
    no = await admit(pool)
    directory = TerminalDirectory(pool, auto_register=False)
    await directory.load()
    code = await code_of(directory)
    assert len(code) == 32
    terminal = directory.verify(PHONE, code)
    assert terminal is not None
    assert terminal.no == no
    assert directory.verify("0" + PHONE, code) == directory.verify("000000000" + PHONE, code) == terminal
    row = await pool.fetchrow("SELECT * FROM terminals")
    assert row["code_sha256"] == hashlib.sha256(code).digest()
    assert (row["manufacturer"], row["plate"], row["source"]) == ("MAKER", "苏F12345", "registry")
    assert code.decode() not in str(dict(row))


async def test_what_the_registry_says_stands(pool: asyncpg.Pool) -> None:
    await admit(pool, manufacturer="OFFICE")
    await code_of(TerminalDirectory(pool, auto_register=False))
    row = await pool.fetchrow("SELECT manufacturer, model FROM terminals")
    assert tuple(row) == ("OFFICE", "M-1")


async def test_another_device_than_the_office_named_is_refused(pool: asyncpg.Pool) -> None:
    await admit(pool, device_id="dev0001")
    directory = TerminalDirectory(pool, auto_register=True)  # not even where everybody may come
    await directory.load()
    code = await code_of(directory)
    terminal = directory.verify(PHONE, code)
    assert terminal is not None
    for other in ("DEV0002", ""):
        answer = await directory.register(PHONE, replace(TOLD, device_id=other))
        assert answer == (RegistrationResult.NO_SUCH_TERMINAL, None, terminal)
    await directory.refresh()
    assert directory.verify(PHONE, code), "and nothing has changed for the one that is named"
    row = await pool.fetchrow("SELECT device_id, model FROM terminals")
    assert tuple(row) == ("dev0001", "M-1")


EXCHANGED = replace(TOLD, manufacturer="OTHER", model="M-2", device_id="DEV0002")


async def test_another_device_than_the_first_waits_for_the_office(pool: asyncpg.Pool) -> None:
    no = await admit(pool)
    directory = TerminalDirectory(pool, auto_register=True)
    await directory.load()
    first = await code_of(directory)
    assert directory.verify(PHONE, first)
    for _ in range(2):
        result, code, terminal = await directory.register(PHONE, EXCHANGED)
        assert (result, code) == (RegistrationResult.TERMINAL_ALREADY_REGISTERED, None)
        assert terminal is not None
    assert directory.verify(PHONE, first), "the true terminal is not cut off"
    assert (await directory.register(PHONE, TOLD))[0] == RegistrationResult.OK  # and may ask again
    async with pool.acquire() as conn:
        (notice,) = await notices.page(conn, terminal=PHONE)
        assert (notice["kind"], notice["times"]) == ("device_refused", 2)
        assert notice["detail"] == {
            "remembered": ["MAKER", "DEV0001", "苏F12345"], "asks": ["OTHER", "DEV0002", "苏F12345"],
            "asked": ["DEV0002"],
        }  # fmt: skip
        accepted = await accept(conn, PHONE, "office")
        assert accepted is not None
        assert (accepted["device_id"], accepted["model"]) == ("DEV0002", "M-2")
        assert await accept(conn, PHONE, "office") is None
        assert await notices.page(conn) == []
        assert [n["kind"] for n in await notices.page(conn, open_only=False)] == [
            "device_refused",
            "device_accepted",
        ]
    assert (await directory.register(PHONE, EXCHANGED))[0] == RegistrationResult.OK
    assert (await directory.register(PHONE, TOLD))[0] == RegistrationResult.TERMINAL_ALREADY_REGISTERED
    # The office forgets the device: the next one is the first.
    async with pool.acquire() as conn, conn.transaction():
        await apply(conn, [Terminal(id=PHONE, device_id="")])
    assert (await directory.register(PHONE, TOLD))[0] == RegistrationResult.OK
    assert (await directory.register(PHONE, EXCHANGED))[0] == RegistrationResult.TERMINAL_ALREADY_REGISTERED
    assert no


async def test_another_device_is_let_in_after_long_silence(pool: asyncpg.Pool) -> None:
    await admit(pool)
    directory = TerminalDirectory(pool, auto_register=False)
    await code_of(directory)
    refused, admitted = RegistrationResult.TERMINAL_ALREADY_REGISTERED, RegistrationResult.OK
    await pool.execute("UPDATE terminals SET registered_at = now() - interval '29 days'")
    assert (await directory.register(PHONE, EXCHANGED))[0] == refused
    await pool.execute(
        "UPDATE terminals SET registered_at = now() - interval '31 days', seen_at = now() - interval '2 days'"
    )
    assert (await directory.register(PHONE, EXCHANGED))[0] == refused  # it authenticated since
    await pool.execute("UPDATE terminals SET seen_at = NULL")
    position = PositionBatch.build(
        1, terminal=1, device_us=clock_us(), received_us=clock_us(), status=2, lat_e6=1, lon_e6=1
    )
    async with pool.acquire() as conn:
        no = await conn.fetchval("SELECT no FROM terminals")
        await Archive().store(conn, replace(position, terminal=position.terminal * no))
    assert (await directory.register(PHONE, EXCHANGED))[0] == refused  # it reported since
    await pool.execute("DELETE FROM positions")
    await pool.execute(
        "INSERT INTO rule_parameters (rule, name, value, effective_from) VALUES ('terminal', 'exchange_silence_days', 40, 'epoch')"
    )
    assert (await directory.register(PHONE, EXCHANGED))[0] == refused  # the office waits longer
    await pool.execute("UPDATE terminals SET registered_at = now() - interval '41 days'")
    assert (await directory.register(PHONE, EXCHANGED))[0] == admitted
    async with pool.acquire() as conn:
        told = await notices.page(conn, kind="device_accepted")
    assert [n["detail"]["by"] for n in told] == ["silence"]


async def test_a_phone_with_hexadecimal_digits_is_known_when_the_registry_knows_it(
    pool: asyncpg.Pool,
) -> None:
    strict = TerminalDirectory(pool, auto_register=False)
    assert (await strict.register("0ABC00000001", TOLD))[0] == RegistrationResult.NO_SUCH_TERMINAL
    await admit(pool, "ABC00000001")
    assert (await strict.register("0ABC00000001", TOLD))[0] == RegistrationResult.OK
    everybody = TerminalDirectory(pool, auto_register=True)
    assert (await everybody.register("00000000000000ABCDEF", TOLD))[0] == RegistrationResult.OK


async def test_wrong_codes_unknown_and_disabled_terminals_are_refused(pool: asyncpg.Pool) -> None:
    await admit(pool)
    await admit(pool, "13900000002")
    directory = TerminalDirectory(pool, auto_register=False)
    await directory.load()
    code = await code_of(directory)
    assert directory.verify(PHONE, b"") is None
    assert directory.verify(PHONE, code[:-1]) is None
    assert directory.verify("13900000002", code) is None  # never registered
    assert directory.verify("13900000003", code) is None  # unknown
    await pool.execute(
        "UPDATE terminals SET enabled = false, updated_at = clock_timestamp() WHERE phone = $1", PHONE
    )
    await directory.refresh()
    assert directory.verify(PHONE, code) is None
    assert (await directory.register(PHONE, TOLD))[0] == RegistrationResult.NO_SUCH_TERMINAL
    terminal = directory.find(PHONE)
    assert terminal is not None
    assert not directory.is_enabled(terminal.no)


async def test_strangers_only_with_auto_register(pool: asyncpg.Pool) -> None:
    strict = TerminalDirectory(pool, auto_register=False)
    assert await strict.register(PHONE, TOLD) == (RegistrationResult.NO_SUCH_TERMINAL, None, None)
    assert await pool.fetchval("SELECT count(*) FROM terminals") == 0
    open_to_all = TerminalDirectory(pool, auto_register=True)
    codes = await asyncio.gather(*(code_of(open_to_all) for _ in range(5)))
    assert await pool.fetchval("SELECT count(*) FROM terminals WHERE source = 'auto'") == 1
    assert sum(open_to_all.verify(PHONE, code) is not None for code in codes) >= 1


async def test_an_old_code_is_valid_until_the_new_one_is_used(pool: asyncpg.Pool) -> None:
    await admit(pool)
    directory = TerminalDirectory(pool, auto_register=False)
    first = await code_of(directory)
    assert directory.verify(PHONE, first)
    second = await code_of(directory)
    third = await code_of(directory)  # the reply with the second was lost
    assert directory.verify(PHONE, first)  # the terminal never got a reply at all
    assert directory.verify(PHONE, second) is None
    assert directory.verify(PHONE, third)
    assert directory.verify(PHONE, first) is None
    # Another process learns it, too.
    other = TerminalDirectory(pool, auto_register=False)
    await other.load()
    assert other.verify(PHONE, first)
    await directory.refresh()
    await other.refresh()
    assert other.verify(PHONE, first) is None
    assert other.verify(PHONE, third)


async def test_a_used_code_survives_the_next_registration_before_it_is_written(pool: asyncpg.Pool) -> None:
    await admit(pool)
    directory = TerminalDirectory(pool, auto_register=False)
    await code_of(directory)
    second = await code_of(directory)
    assert directory.verify(PHONE, second)
    third = await code_of(directory)
    assert directory.verify(PHONE, second)
    await directory.refresh()
    assert directory.verify(PHONE, second)
    assert directory.verify(PHONE, third)
    assert directory.verify(PHONE, second) is None
    await directory.refresh()
    assert directory.verify(PHONE, second) is None


async def test_refresh_finds_what_committed_late(pool: asyncpg.Pool) -> None:
    directory = TerminalDirectory(pool, auto_register=False)
    await directory.load()
    async with pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute("INSERT INTO terminals (phone) VALUES ('1')")  # updated_at is taken here
        await admit(pool, "2")
        await directory.refresh()
        assert directory.find("2")
        assert directory.find("1") is None
        await transaction.commit()
    await directory.refresh()
    assert directory.find("1")
    assert len(directory) == 2


async def test_refresh_reads_each_change_once(pool: asyncpg.Pool) -> None:
    directory = TerminalDirectory(pool, auto_register=False)
    await directory.load()
    await pool.execute("INSERT INTO terminals (phone) SELECT k::text FROM generate_series(1, 300) k")
    assert len(await directory.refresh()) == len(directory) == 300
    assert await directory.refresh() == []
    await pool.execute("CREATE TABLE elsewhere (k integer); INSERT INTO elsewhere VALUES (1)")
    assert await directory.refresh() == []
    await pool.execute(
        "UPDATE terminals SET enabled = false, updated_at = clock_timestamp() WHERE phone = '7'"
    )
    seven = directory.find("7")
    assert seven is not None
    assert await directory.refresh() == [seven.no]
    assert not directory.is_enabled(seven.no)
    assert await directory.refresh() == []
    fresh = TerminalDirectory(pool, auto_register=False)
    await fresh.load()
    assert await fresh.refresh() == [], "what was loaded is not read again"


async def test_refresh_reads_all_of_a_database_that_counts_anew(pool: asyncpg.Pool) -> None:
    no = await admit(pool)
    directory = TerminalDirectory(pool, auto_register=False)
    await directory.load()
    assert directory._seen_xid is not None
    directory._seen_xid += 1_000_000  # as after a restore from a copy: its transactions have lower numbers
    assert await directory.refresh() == [no]
    assert await directory.refresh() == []


async def test_many_register_together_and_each_gets_its_own_answer(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO terminals (phone, enabled) SELECT k::text, k % 10 > 0 FROM generate_series(1, 400) k"
    )
    directory = TerminalDirectory(pool, auto_register=False)
    await directory.load()
    phones = [str(k) for k in range(1, 451)] + [str(k) for k in range(1, 100, 2)]  # strangers, and some twice
    answers = await asyncio.gather(
        *(directory.register("000" + p, replace(TOLD, device_id=f"D{p}")) for p in phones)
    )
    for phone, (result, code, terminal) in zip(phones, answers, strict=True):
        if int(phone) > 400 or int(phone) % 10 == 0:
            assert (result, code, terminal) == (RegistrationResult.NO_SUCH_TERMINAL, None, None)
        else:
            assert result == RegistrationResult.OK
            assert code is not None
            assert terminal is not None
            assert terminal.phone == phone
    assert len({code for _, code, _ in answers if code}) == 360 + 50
    newest = {p: code for p, (_, code, _) in zip(phones, answers, strict=True) if code}
    assert all(directory.verify(p, code.encode()) for p, code in newest.items())
    assert await pool.fetchval("SELECT count(*) FROM terminals WHERE device_id = 'D' || phone") == 360
    assert await pool.fetchval("SELECT count(DISTINCT xmin::text) FROM terminals WHERE device_id <> ''") <= 4


async def test_one_registration_that_cannot_be_stored_spoils_no_other(pool: asyncpg.Pool) -> None:
    directory = TerminalDirectory(pool, auto_register=True)
    answers = await asyncio.gather(
        *(
            directory.register(str(k), replace(TOLD, plate="\0" if k == 13 else f"P{k}"))
            for k in range(1, 31)
        ),
        return_exceptions=True,
    )
    for k, answer in enumerate(answers, 1):
        if k == 13:
            assert isinstance(answer, UnavailableError)
        else:
            assert not isinstance(answer, BaseException)
            assert answer[0] == RegistrationResult.OK
            assert await pool.fetchval("SELECT plate FROM terminals WHERE phone = $1", str(k)) == f"P{k}"


async def test_strangers_are_admitted_up_to_the_limit(pool: asyncpg.Pool) -> None:
    directory = TerminalDirectory(pool, auto_register=True, most=25)
    answers = await asyncio.gather(*(directory.register(str(k), TOLD) for k in range(1, 41)))
    assert sum(result == RegistrationResult.OK for result, _, _ in answers) == 25
    assert await pool.fetchval("SELECT count(*) FROM terminals") == 25


async def test_two_gateways_register_the_same_terminals_at_once(pool: asyncpg.Pool) -> None:
    one, other = (TerminalDirectory(pool, auto_register=True) for _ in range(2))
    phones = [str(k) for k in range(1, 101)]
    for _ in range(3):
        answers = await asyncio.gather(
            *(one.register(p, TOLD) for p in phones), *(other.register(p, TOLD) for p in reversed(phones))
        )
        assert all(result == RegistrationResult.OK for result, _, _ in answers)
        for directory, codes in ((one, answers[:100]), (other, answers[100:])):
            for _, code, terminal in codes:
                assert code is not None
                assert terminal is not None
                directory.verify(terminal.phone, code.encode())
        await asyncio.gather(one.refresh(), other.refresh())


async def test_without_the_database_known_terminals_still_get_in(db_url: str) -> None:
    pool = await create_pool(db_url)
    try:
        await admit(pool)
        directory = TerminalDirectory(pool, auto_register=True)
        await directory.load()
        code = await code_of(directory)
    finally:
        pool.terminate()
    assert directory.verify(PHONE, code)
    for attempt in (directory.load(), directory.refresh(), directory.register(PHONE, TOLD)):
        with pytest.raises(UnavailableError):
            await attempt
    assert directory.verify(PHONE, code)
