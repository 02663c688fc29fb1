"""Judgements become alerts with versions; the feed misses nothing and keeps the order of commits."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import asyncpg
import numpy as np
import pytest

from rules.alerts.feed import (
    alert_versions,
    alerts_of_vehicles,
    evidence_body,
    evidence_of,
    feed_end,
    get_alert,
    publish_feed,
    read_feed,
    suspected_subjects,
)
from rules.alerts.listing import Place, list_alerts
from rules.alerts.model import (
    Alert,
    AlertFacts,
    AlertFilter,
    Judgement,
    Measure,
    OffsetConflictError,
    VersionedAlert,
    alert_id,
)
from rules.alerts.publish import evaluations_of
from rules.alerts.publish import publish as publish_judgements
from rules.evidence import digests
from rules.live.store.due import delete_due, take_due
from rules.live.store.offsets import (
    claim_offsets,
    lock_offsets,
    offsets,
    save_offsets,
)
from rules.live.store.states import (
    delete_day_states,
    delete_states,
    last_fixes,
    load_day_states,
    load_states,
    save_day_states,
    save_states,
)
from runtime.units import US_PER_S

T0 = 1_772_000_000 * US_PER_S


def suspected(subject: str, metres: int = 300, *, vehicle_no: int | None = 1, **changes: Any) -> Judgement:
    facts = AlertFacts(
        severity="medium",
        organisation="o1",
        vehicle=f"v{vehicle_no}",
        plate="苏F12345",
        occurred_from_us=T0,
        occurred_to_us=None,
    )
    values: dict[str, Any] = {
        "rule": "location",
        "rule_version": 1,
        "subject": subject,
        "vehicle_no": vehicle_no,
        "outcome": "suspected",
        "reason": "outside",
        "evaluated_at_us": T0 + 5,
        "measures": {"farthest_m": Measure(metres, "m"), "distance_m": Measure(2 * metres, "m")},
        "parameters": {"min_displacement_m": 200},
        "evidence": f'{{"metres":{metres}}}'.encode(),
        "alert": facts,
        "told": {"plate": "苏F12345"},
    }
    return Judgement(**(values | changes))


def normal(subject: str, reason: str = "an order came later", **changes: Any) -> Judgement:
    return suspected(
        subject, **({"outcome": "normal", "reason": reason, "alert": None, "evidence": None} | changes)
    )


async def publish(pool: asyncpg.Pool, *judgements: Judgement) -> list[Alert]:
    async with pool.acquire() as conn, conn.transaction():
        written = await publish_judgements(conn, judgements)
        seqs = await publish_feed(conn, written)
        assert len(seqs) == len(written)
        return written


async def count(pool: asyncpg.Pool) -> list[int]:
    tables = ("evidence", "evaluations", "alerts", "alert_versions", "alert_feed")
    return [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables]  # noqa: S608 - fixed names


async def test_the_life_of_an_alert(pool: asyncpg.Pool) -> None:
    (first,) = await publish(pool, suspected("e1"))
    assert (first.version, first.status, first.id) == (1, "suspected", alert_id("location", "e1"))
    assert await publish(pool, suspected("e1")) == []
    assert await count(pool) == [1, 1, 1, 1, 1]  # twice = once
    assert await publish(pool, suspected("e1", evaluated_at_us=T0 + 9)) == []

    (second,) = await publish(pool, suspected("e1", 400, evaluated_at_us=T0 + 99))
    assert (second.version, second.detected_at) == (2, first.detected_at)
    assert second.evidence_hash != first.evidence_hash

    (third,) = await publish(pool, normal("e1"))
    assert (third.version, third.status, third.withdrawal_reason) == (3, "withdrawn", "an order came later")
    assert third.measures == second.measures
    assert third.evidence_hash == second.evidence_hash
    assert await publish(pool, normal("e1", "still"), normal("e2")) == []

    (fourth,) = await publish(pool, suspected("e1", 400))
    assert (fourth.version, fourth.status, fourth.withdrawal_reason) == (4, "suspected", None)
    async with pool.acquire() as conn:
        versions = await alert_versions(conn, first.id)
        assert [v.alert for v in versions] == [first, second, third, fourth]
        assert [e.alert for e in await read_feed(conn, 0, 10)] == [first, second, third, fourth]
        newest = await get_alert(conn, first.id)
        assert newest is not None
        assert (newest.alert, newest.subject, newest.vehicle_no, newest.occurred_from_us) == (
            fourth,
            "e1",
            1,
            T0,
        )
        evidence = await evidence_of(conn, first.id, 1)
        assert evidence is not None
        assert (evidence.body, evidence.sha256) == (b'{"metres":300}', first.evidence_hash)
        assert (await evidence_of(conn, first.id)).body == b'{"metres":400}'  # type: ignore[union-attr]  # there
        assert await evidence_body(conn, first.evidence_hash) == b'{"metres":300}'
        assert await evidence_of(conn, first.id, 9) is None
        assert await get_alert(conn, "none") is None
        assert (await evaluations_of(conn, "location", ["e1", "e2", "e3"])).keys() == {"e1", "e2"}


async def test_an_open_alert_ends_when_it_is_withdrawn(pool: asyncpg.Pool) -> None:
    await publish(pool, suspected("e1"))
    (withdrawn,) = await publish(pool, normal("e1", happened=(T0, T0 + 60 * US_PER_S)))
    assert withdrawn.occurred_to is not None
    assert (withdrawn.occurred_to - withdrawn.occurred_from).total_seconds() == 60
    async with pool.acquire() as conn:
        for since, found in ((60, 1), (61, 0)):
            alerts = await alerts_of_vehicles(conn, "location", [1], T0 + since * US_PER_S)
            assert len(alerts) == found


async def test_an_alert_is_its_body() -> None:
    judged = Alert.from_body
    body = {
        "id": "x", "rule": "location", "rule_version": 1, "version": 1, "status": "suspected", "severity": "low",
        "organisation": "o", "vehicle": None, "plate": "", "driver": None, "order": None,
        "occurred_from": "2026-03-02T21:14:00+08:00", "occurred_to": None,
        "detected_at": "2026-03-02T21:15:00+08:00", "summary": "疑似", "measures": {"a": {"value": 1, "unit": "m"}},
        "parameters": {"p": 1}, "evidence_hash": "00", "withdrawal_reason": None,
        "evidence_sm3": None, "summary_en": None, "withdrawal_reason_en": None, "reason_code": None,
        "withdrawn_by": None,
    }  # fmt: skip
    assert judged(body).body() == body
    with pytest.raises(ValueError, match="needs its alert"):
        suspected("e", evidence=None)


async def test_several_judgements_of_one_subject_in_one_transaction(pool: asyncpg.Pool) -> None:
    written = await publish(pool, suspected("e1"), suspected("e2"), normal("e1"), suspected("e1", 500))
    assert sorted((a.id, a.version) for a in written) == sorted(
        [(alert_id("location", s), v) for s, v in (("e1", 1), ("e2", 1), ("e1", 2), ("e1", 3))]
    )
    async with pool.acquire() as conn:
        seen = [(e.alert.id, e.alert.version) for e in await read_feed(conn, 0, 10)]
    assert sorted(seen) == sorted((a.id, a.version) for a in written)
    of_one = [version for id_, version in seen if id_ == alert_id("location", "e1")]
    assert of_one == [1, 2, 3]


async def test_nothing_is_left_of_a_rolled_back_transaction(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await publish_feed(conn, await publish_judgements(conn, [suspected("e1")]))
        await transaction.rollback()
        with pytest.raises(RuntimeError):
            await publish_judgements(conn, [suspected("e1")])
        with pytest.raises(RuntimeError):
            await publish_feed(conn, [])
    assert await count(pool) == [0, 0, 0, 0, 0]


async def test_the_feed_under_many_writers(pool: asyncpg.Pool) -> None:
    """Transactions of several alerts that commit out of order, some rolled back, some fighting over one
    alert; a reader that polls with its cursor sees every committed version once, in an order that never
    changes behind it."""
    chance = random.Random(7)
    committed: list[tuple[str, int]] = []
    done = asyncio.Event()

    async def writer(k: int) -> None:
        for step in range(12):
            async with pool.acquire() as conn:
                transaction = conn.transaction()
                await transaction.start()
                try:
                    judgements = [suspected(f"w{k}-{step}-{i}") for i in range(chance.randint(0, 3))]
                    judgements.append(suspected(f"shared{chance.randint(0, 2)}", chance.randint(300, 10**9)))
                    chance.shuffle(judgements)
                    written = await publish_judgements(conn, judgements)
                    await asyncio.sleep(chance.random() * 0.01)  # time: the writers should come in any order
                    await publish_feed(conn, written)
                    await asyncio.sleep(chance.random() * 0.01)  # time: others must wait, not overtake
                except asyncpg.UniqueViolationError:  # two made the same new alert: one starts again
                    await transaction.rollback()
                    continue
                if chance.random() < 0.25:
                    await transaction.rollback()
                else:
                    await transaction.commit()
                    committed.extend((a.id, a.version) for a in written)

    async def reader(limit: int) -> list[tuple[int, str, int]]:
        seen: list[tuple[int, str, int]] = []
        cursor = 0
        while True:
            last_round = done.is_set()
            async with pool.acquire() as conn:
                page = await read_feed(conn, cursor, limit)
            seen += [(e.seq, e.alert.id, e.alert.version) for e in page]
            if page:
                cursor = page[-1].seq
            elif last_round:
                return seen
            await asyncio.sleep(0.001)

    readers = [asyncio.create_task(reader(limit)) for limit in (1, 3, 100)]
    await asyncio.gather(*(writer(k) for k in range(8)))
    done.set()
    results = await asyncio.gather(*readers)
    assert results[0] == results[1] == results[2]
    seen = results[0]
    assert [seq for seq, _, _ in seen] == sorted({seq for seq, _, _ in seen})
    assert sorted((id_, version) for _, id_, version in seen) == sorted(committed)
    assert len(committed) > 50
    newest: dict[str, int] = {}
    for _, id_, version in seen:
        assert version == newest.get(id_, 0) + 1
        newest[id_] = version


async def test_lists_and_filters(pool: asyncpg.Pool) -> None:
    for k in range(6):
        base = suspected(f"e{k}", vehicle_no=k % 2, evaluated_at_us=T0 + k // 2)
        facts = replace(
            base.alert,  # type: ignore[type-var]  # suspected always has them
            organisation=f"o{k % 3}",
            occurred_from_us=T0 + k * 100,
            occurred_to_us=None if k == 0 else T0 + k * 100 + 50,
        )
        await publish(pool, replace(base, alert=facts))
    await publish(pool, normal("e5", vehicle_no=1))

    def subject(found: Iterable[VersionedAlert]) -> list[str]:
        return [v.subject for v in found]

    async with pool.acquire() as conn:
        whole = await list_alerts(conn)
        assert len(whole) == 6
        assert [v.alert.detected_at for v in whole] == sorted(
            (v.alert.detected_at for v in whole), reverse=True
        )
        pages, after = [], None
        while page := await list_alerts(conn, limit=1, after=after):
            pages += page
            after = Place(0, T0 + int(page[-1].subject[1]) // 2, page[-1].alert.id)
        assert subject(pages) == subject(whole)

        async def having(**filters: Any) -> set[str]:
            return set(subject(await list_alerts(conn, AlertFilter(**filters))))

        assert await having(status="withdrawn") == {"e5"}
        assert await having(organisation="o1") == {"e1", "e4"}
        assert await having(vehicle="v1", status="suspected") == {"e1", "e3"}
        assert await having(rule="destination") == set()
        assert await having(from_us=T0 + 260, to_us=T0 + 400) == {"e0", "e3"}  # e0 goes on still
        found = await alerts_of_vehicles(conn, "location", [1], T0 + 351)
        assert subject(found) == ["e5"]
        assert subject(await alerts_of_vehicles(conn, "location", [0, 1])) == [
            "e0",
            "e2",
            "e4",
            "e1",
            "e3",
            "e5",
        ]
        assert subject(await alerts_of_vehicles(conn, "destination", [0, 1])) == []
        assert await feed_end(conn) == 7


async def fleet(pool: asyncpg.Pool, vehicles: int) -> None:
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('o', 'o')")
    await pool.execute(
        "INSERT INTO vehicles (id, plate, organisation) SELECT 'v' || i, 'p' || i, 'o' FROM generate_series(1, $1) i",
        vehicles,
    )


STATE = np.dtype([("watermark", "i8"), ("kept", "f8"), ("mode", "i1")])


async def test_states_come_back_bit_for_bit(pool: asyncpg.Pool) -> None:
    await fleet(pool, 5)
    nos = np.array([4, 1, 3], np.int32)
    rows = np.zeros(3, STATE)
    rows["kept"] = [0.1, np.pi, -0.0]
    rows["watermark"] = T0 + np.arange(3)
    marks = {"watermark_us": rows["watermark"], "last_fix_us": np.array([T0, 0, T0 + 2])}
    places = {"last_lat_e6": np.array([1, 2, 3]), "last_lon_e6": np.array([4, 5, 6])}
    async with pool.acquire() as conn:
        for _ in range(2):
            await save_states(conn, nos, rows, 1, **marks, **places)
        found, loaded = await load_states(conn, np.array([9, 3, 4, 1]), STATE, 1)
        assert found.tolist() == [1, 2, 3]
        assert loaded.tobytes() == rows[[2, 0, 1]].tobytes()
        loaded["mode"] = 1  # the worker goes on from them
        assert len((await load_states(conn, nos, STATE, 2))[0]) == 0
        assert len((await load_states(conn, nos, np.dtype("i4"), 1))[0]) == 0
        assert await last_fixes(conn) == [(3, T0 + 2, 3, 6), (4, T0, 1, 4)]
        assert await last_fixes(conn, np.array([4])) == [(4, T0, 1, 4)]
        await delete_states(conn, np.array([4]))
        assert (await load_states(conn, nos, STATE, 1))[0].tolist() == [1, 2]
        await save_states(conn, nos[:0], rows[:0], 1, **{k: v[:0] for k, v in (marks | places).items()})


async def test_day_states(pool: asyncpg.Pool) -> None:
    await fleet(pool, 3)
    nos, days = np.array([1, 1, 2, 1]), np.array([100, 102, 101, 104])
    rows = np.zeros(4, STATE)
    rows["kept"] = [1, 2, 3, 4]
    async with pool.acquire() as conn:
        await save_day_states(conn, nos, days, rows, 1)
        asked = np.array([1, 1, 1, 2, 3]), np.array([99, 103, 102, 200, 200])
        found, of_day, loaded = await load_day_states(conn, *asked, STATE, 1)
        assert (found.tolist(), of_day.tolist()) == ([1, 2, 3], [102, 102, 101])
        assert loaded["kept"].tolist() == [2, 2, 3]
        await delete_day_states(conn, np.array([1, 2]), np.array([102, 100]))
        found, of_day, _ = await load_day_states(conn, *asked, STATE, 1)
        assert (found.tolist(), of_day.tolist()) == ([1, 2], [102, 102])
        assert len((await load_day_states(conn, *asked, STATE, 2))[0]) == 0


async def test_offsets_stop_a_stale_worker(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        assert await offsets(conn, "t") == {}
        await claim_offsets(conn, "t", [0, 1], "one")
        await save_offsets(conn, "t", {0: 5, 1: 7})
        assert await offsets(conn, "t") == {0: 5, 1: 7}
        assert await offsets(conn, "u") == {}
        async with conn.transaction():
            await lock_offsets(conn, "t", {0: 5, 1: 7}, "one")
            await save_offsets(conn, "t", {0: 9})
        for wrong, claim in (({0: 5}, "one"), ({0: 9, 1: 7}, "two"), ({2: 0}, "one")):
            async with conn.transaction():
                with pytest.raises(OffsetConflictError):
                    await lock_offsets(conn, "t", wrong, claim)
        assert await offsets(conn, "t") == {0: 9, 1: 7}


async def test_two_workers_of_a_new_partition_wait_for_each_other(pool: asyncpg.Pool) -> None:
    async def worker(name: str) -> bool:
        async with pool.acquire() as conn:
            await claim_offsets(conn, "t", [0], name)
            try:
                async with conn.transaction():
                    await lock_offsets(conn, "t", {0: 0}, name)
                    await save_offsets(conn, "t", {0: 5})
                    await asyncio.sleep(0.05)  # time: the others should come while this one has it
            except OffsetConflictError:
                return False
            return True

    assert sum(await asyncio.gather(*(worker(str(k)) for k in range(4)))) == 1


async def test_what_is_due_is_taken_once(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO live_due (kind, subject, vehicle_no, from_time)"
        " SELECT 'order', 'd' || i, i % 3, timestamptz 'epoch' + i * interval '1 second' FROM generate_series(1, 9) i"
    )
    async with pool.acquire() as one, pool.acquire() as two:
        async with one.transaction():
            mine = await take_due(one, [1, 2], 4)
            assert [c.subject for c in mine] == ["d1", "d2", "d4", "d5"]
            assert mine[0].from_us == US_PER_S
            async with two.transaction():
                others = await take_due(two, None, 100)
            assert [c.subject for c in others] == ["d3", "d6", "d7", "d8", "d9"]
            await delete_due(one, [c.seq for c in mine])
        assert [c.subject for c in await take_due(two, None, 2)] == ["d3", "d6"]


async def test_both_hashes_are_kept_and_old_rows_have_none(pool: asyncpg.Pool) -> None:
    (first,) = await publish(pool, suspected("e1"))
    body = b'{"metres":300}'
    assert (first.evidence_hash, first.evidence_sm3) == tuple(h.hex() for h in digests(body))
    assert first.body()["evidence_sm3"] == hashlib.new("sm3", body).hexdigest()
    # As it was written before there was an SM3.
    await pool.execute("UPDATE evidence SET sm3 = NULL")
    await pool.execute("UPDATE alert_versions SET body = body - 'evidence_sm3'")
    async with pool.acquire() as conn:
        kept = await evidence_of(conn, first.id)
        assert kept is not None
        assert (kept.sm3, kept.sha256) == (None, first.evidence_hash)
        assert (await get_alert(conn, first.id)).alert.evidence_sm3 is None  # type: ignore[union-attr]  # there
    assert await publish(pool, suspected("e1")) == []  # no version of its own for the hash alone
    (gone,) = await publish(pool, normal("e1"))
    assert (gone.evidence_hash, gone.evidence_sm3) == (first.evidence_hash, None)
    (again,) = await publish(pool, suspected("e1", 400))
    assert again.evidence_sm3 == hashlib.new("sm3", b'{"metres":400}').hexdigest()
    other = b'{"metres":0}'
    (gone,) = await publish(pool, normal("e1", evidence=other))
    assert (gone.evidence_hash, gone.evidence_sm3) == tuple(h.hex() for h in digests(other))
    assert await pool.fetchval("SELECT count(*) FROM evidence WHERE sm3 IS NULL") == 1
    async with pool.acquire() as conn:
        assert await suspected_subjects(conn, "location") == []
        await publish(pool, suspected("e3"), suspected("e2"))
        assert await suspected_subjects(conn, "location") == ["e2", "e3"]
        assert await suspected_subjects(conn, "mileage") == []
