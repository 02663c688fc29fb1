"""The Kafka log on a real broker: the promises of every log, the group of readers, brokers that fail or refuse.

Needs Java and Maven (the broker comes from ``tools/kafka``), or ``GONGCHE_TEST_KAFKA=host:port`` of a cluster that may
be used; there the tests that stop brokers or need users of their own are skipped.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import sqlite3
import time
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition
from tools.kafka.broker import Cluster

from runtime.errors import ConfigurationError, UnavailableError
from runtime.settings import Settings
from telemetry.gateway.batcher import Batcher
from telemetry.log import open_reader, open_tail, open_writer
from telemetry.log.base import POSITIONS, REJECTS, LogReader, Record
from telemetry.log.codec import decode
from telemetry.log.kafka.reader import KafkaLogReader
from telemetry.log.kafka.writer import KafkaLogWriter
from telemetry.positions import PositionBatch
from tests.integration.log_contract import PARTITIONS, PATIENCE_S, LogContract, assigned, payloads, take
from tests.integration.test_live_map import check_log
from tests.waiting import until


class KafkaLog:
    """The Kafka log, for the tests that every implementation passes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def writer(self) -> KafkaLogWriter:
        made = open_writer(self._settings)
        assert isinstance(made, KafkaLogWriter)
        return made

    def reader(self, topic: str = POSITIONS) -> KafkaLogReader:
        made = open_reader(self._settings, topic)
        assert isinstance(made, KafkaLogReader)
        return made


class TestKafka(LogContract):
    @pytest.fixture
    def log(self, kafka: Settings) -> KafkaLog:
        return KafkaLog(kafka)


# --- the group of readers -------------------------------------------------------------------------------------------


class Results:
    """Where readers keep results and offsets together, as the workers do in PostgreSQL: a SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as connection:
            connection.executescript(
                "PRAGMA journal_mode=WAL;"
                "CREATE TABLE IF NOT EXISTS done (number INTEGER, reader TEXT);"
                "CREATE TABLE IF NOT EXISTS offsets (place INTEGER PRIMARY KEY, next INTEGER NOT NULL)"
            )

    def _open(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self._path, timeout=20, isolation_level=None))

    def offsets(self) -> dict[int, int]:
        with self._open() as connection:
            return dict(connection.execute("SELECT place, next FROM offsets"))

    def numbers(self) -> Counter[int]:
        with self._open() as connection:
            return Counter(number for (number,) in connection.execute("SELECT number FROM done"))

    def readers(self) -> Counter[str]:
        with self._open() as connection:
            return Counter(name for (name,) in connection.execute("SELECT reader FROM done"))

    def store(self, name: str, records: Any, expected: dict[int, int]) -> bool:
        """Results and offsets in one transaction; False when somebody else has moved an offset."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            there = dict(connection.execute("SELECT place, next FROM offsets"))
            for record in records:
                place = record.partition
                if there.get(place, 0) != expected.get(place, 0):
                    connection.execute("ROLLBACK")
                    return False
            for record in records:
                connection.execute("INSERT INTO done VALUES (?, ?)", (int(record.payload), name))
                connection.execute(
                    "INSERT OR REPLACE INTO offsets VALUES (?, ?)", (record.partition, record.offset + 1)
                )
            connection.execute("COMMIT")
        return True


class Member:
    """A small worker: polls, checks what it was told, stores."""

    def __init__(self, reader: LogReader, results: Results, name: str) -> None:
        self.reader, self.results, self.name = reader, results, name
        self.owned: set[int] = set()
        self.conflicts = 0
        self.expected: dict[int, int] = {}

    async def turn(self, timeout_s: float = 0.1) -> int:
        poll = await self.reader.poll(200, timeout_s)
        assert not (poll.records and (poll.assigned or poll.revoked))
        if poll.assigned or poll.revoked:
            assert poll.revoked <= self.owned
            assert not poll.assigned & self.owned
            self.owned = (self.owned | poll.assigned) - poll.revoked
            await self.load()
            return 0
        assert {record.partition for record in poll.records} <= self.owned
        if not self.results.store(self.name, poll.records, self.expected):
            self.conflicts += 1
            await self.load()
            return 0
        self.expected |= {record.partition: record.offset + 1 for record in poll.records}
        return len(poll.records)

    async def load(self) -> None:
        self.expected = self.results.offsets()
        for partition in self.owned:
            await self.reader.seek(partition, self.expected.get(partition, 0))

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.turn()


async def produce(writer: KafkaLogWriter, stop: asyncio.Event) -> int:
    """Append numbers until ``stop``; how many."""
    count = 0
    while not stop.is_set():
        await writer.append(
            [Record(POSITIONS, (count + k) % PARTITIONS, b"%d" % (count + k)) for k in range(5)]
        )
        count += 5
        await asyncio.sleep(0.005)
    return count


def shared_out(members: list[Member]) -> bool:
    """Whether each partition has one owner and each member as many as the others, or one more."""
    owned = sorted(p for member in members for p in member.owned)
    return owned == [0, 1, 2] and all(len(member.owned) >= 3 // len(members) for member in members)


async def test_readers_join_and_leave_without_gap_or_double_count(kafka: Settings, tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    writer = KafkaLogWriter(kafka)
    await writer.start()
    stop = asyncio.Event()
    producing = asyncio.create_task(produce(writer, stop))
    members = [Member(KafkaLogReader(kafka), results, name) for name in "abc"]

    def has_read(name: str, more_than: int) -> bool:
        return results.readers()[name] > more_than

    stops = [asyncio.Event() for _ in members]
    tasks = []
    for k, member in enumerate(members):
        await member.reader.start()
        tasks.append(asyncio.create_task(member.run(stops[k])))
        present = members[: k + 1]
        await until(partial(shared_out, present), "the partitions are shared out")
        await until(partial(has_read, member.name, 20), "the new member reads")
    for k in (0, 2):
        stops[k].set()
        await tasks[k]
        await members[k].reader.close()
        rest = [m for j, m in enumerate(members) if not stops[j].is_set()]
        await until(partial(shared_out, rest), "the rest share out the partitions")
    before = results.readers()["b"]
    await until(lambda: results.readers()["b"] > before + 20, "b goes on")
    stop.set()
    count = await producing
    await until(lambda: len(results.numbers()) == count, "everything is read")
    stops[1].set()
    await tasks[1]
    assert results.numbers() == Counter(range(count))
    assert sum(member.conflicts for member in members) == 0  # rebalances waited for what was in hand
    await members[1].reader.close()
    await writer.close()


def _member_until_killed(settings: Settings, path: Path) -> None:
    async def work() -> None:
        reader = KafkaLogReader(settings)
        await reader.start()
        await Member(reader, Results(path), "killed").run(asyncio.Event())

    asyncio.run(work())


async def test_a_reader_that_is_killed_loses_its_partitions_to_another(
    kafka: Settings, tmp_path: Path
) -> None:
    results = Results(tmp_path / "results")
    writer = KafkaLogWriter(kafka)
    await writer.start()
    stop, end = asyncio.Event(), asyncio.Event()
    producing = asyncio.create_task(produce(writer, stop))
    process = multiprocessing.get_context("spawn").Process(
        target=_member_until_killed, args=(kafka, tmp_path / "results"), daemon=True
    )
    process.start()
    member = Member(KafkaLogReader(kafka), results, "stays")
    await member.reader.start()
    running = asyncio.create_task(member.run(end))
    await until(lambda: results.readers()["killed"] > 50 and len(member.owned) in (1, 2), "both read")
    os.kill(process.pid or 0, signal.SIGKILL)
    await until(lambda: member.owned == {0, 1, 2}, "the partitions of the killed one are taken")
    before = results.readers()["stays"]
    await until(lambda: results.readers()["stays"] > before + 50, "the one that stays reads on")
    stop.set()
    count = await producing
    await until(lambda: len(results.numbers()) == count, "everything is read")
    assert results.numbers() == Counter(range(count))
    end.set()
    await running
    await member.reader.close()
    await writer.close()
    await asyncio.to_thread(process.join)


async def test_a_rebalance_waits_for_what_is_in_hand_but_not_for_ever(
    kafka: Settings, tmp_path: Path
) -> None:
    writer = KafkaLogWriter(kafka)
    await writer.start()
    await writer.append([Record(POSITIONS, p, b"%d" % p) for p in range(PARTITIONS)])
    results = Results(tmp_path / "results")
    slow = Member(KafkaLogReader(kafka, hold_s=3), results, "slow")
    await slow.reader.start()
    await slow.turn(PATIENCE_S)
    in_hand = await take(slow.reader, 3)
    other = Member(KafkaLogReader(kafka), results, "other")
    began = time.monotonic()
    await other.reader.start()
    while not other.owned:
        await other.turn()
        assert time.monotonic() - began < PATIENCE_S
    assert time.monotonic() - began > 1.5  # it was held, and then no longer
    while len(results.numbers()) < len(other.owned):
        await other.turn()
    # The stalled one still has the records: the offsets tell that they are no longer its own.
    assert not results.store("slow", in_hand, {})
    await slow.reader.seek(min(other.owned), 0)  # no longer ours: nothing happens
    await slow.turn()
    assert not slow.owned
    while len(results.numbers()) < 3:
        await slow.turn()
        await other.turn()
    assert results.numbers() == Counter(range(3))
    assert slow.owned | other.owned == {0, 1, 2}
    await slow.reader.close()
    await other.reader.close()
    await writer.close()


async def lost_until(reader: KafkaLogReader, count: int) -> int:
    """Read ``count`` records of partition 0, the last ones of ten; how many were said to be lost."""
    found: list[bytes] = []
    lost = 0
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            poll = await reader.poll(1 << 20, 0.2)
            found += [record.payload for record in poll.records]
            lost += poll.lost
    assert found == [b"%d" % k for k in range(10 - count, 10)]
    return lost


# --- offsets, foreign records, topics -------------------------------------------------------------------------------


async def test_offsets_that_the_log_no_longer_has_are_said_and_skipped(
    kafka: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    writer, reader = KafkaLogWriter(kafka), KafkaLogReader(kafka)
    await writer.start()
    for k in range(10):
        await writer.append([Record(POSITIONS, 0, b"%d" % k)])
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka_bootstrap)
    await admin.start()
    place = TopicPartition(kafka.kafka_topic_prefix + POSITIONS, 0)
    await admin.delete_records({place: RecordsToDelete(before_offset=4)})
    await admin.close()
    await reader.start()
    await assigned(reader, {0: 2})
    lost = await lost_until(reader, 6)
    assert lost == 2
    assert "records 2 to 3 were deleted by retention" in caplog.text
    await reader.seek(0, 2)  # the caller had to begin again: nothing more was lost
    assert await lost_until(reader, 6) == 0
    await reader.seek(0, 0)  # of a partition that nobody has ever read
    assert await lost_until(reader, 6) == 4
    assert "records 0 to 3 were deleted by retention" in caplog.text
    await reader.seek(0, 5_000)
    assert payloads(await take(reader, 6), 0) == [b"%d" % k for k in range(4, 10)]
    assert "offset 5000 is beyond the end" in caplog.text
    await reader.close()
    await writer.close()


async def test_foreign_records_arrive_as_they_are(kafka: Settings) -> None:
    writer, reader = KafkaLogWriter(kafka), KafkaLogReader(kafka)
    await writer.start()
    foreign = AIOKafkaProducer(bootstrap_servers=kafka.kafka_bootstrap, compression_type="gzip")
    await foreign.start()
    topic = kafka.kafka_topic_prefix + POSITIONS
    await foreign.send_and_wait(
        topic, None, key=b"k", partition=0, headers=[("bad", b"\xff"), ("none", None), ("", b"")]
    )
    await foreign.send_and_wait(topic, b"text" * 1000, partition=0)
    await foreign.stop()
    await writer.append([Record(POSITIONS, 0, b"ours")])
    await reader.start()
    await assigned(reader)
    found = await take(reader, 3)
    assert payloads(found, 0) == [b"", b"text" * 1000, b"ours"]
    assert found[0].headers == {"bad": "�", "none": "", "": ""}
    await reader.close()
    await writer.close()


async def test_topics_are_created_rightly_and_taken_as_they_are(
    kafka: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    writers = [KafkaLogWriter(kafka) for _ in range(3)]
    await asyncio.gather(*(writer.start() for writer in writers))  # all at once create them once
    other = KafkaLogWriter(kafka.model_copy(update={"kafka_partitions": 7, "kafka_retention_hours": 2_000}))
    await other.start()
    assert other.partitions == PARTITIONS
    assert "retention.ms=604800000" in caplog.text
    with pytest.raises(UnavailableError, match="no partition 3"):
        await other.append([Record(POSITIONS, 3, b"")])
    await other.append([Record(POSITIONS, 2, b""), Record(REJECTS, 0, b"")])
    for writer in [*writers, other]:
        await writer.close()
    with pytest.raises(ConfigurationError) as caught:
        await KafkaLogWriter(
            kafka.model_copy(update={"kafka_replication": 9, "kafka_topic_prefix": "other."})
        ).start()
    assert "GONGCHE_KAFKA_REPLICATION" in caught.value.hint


async def test_a_topic_that_is_made_anew_with_fewer_partitions(kafka: Settings) -> None:
    """Group commit divides its positions anew: it neither ends nor confirms what is nowhere."""

    class Receipt:
        released = asyncio.Event()

        def release(self) -> None:
            self.released.set()

    writer = KafkaLogWriter(kafka)
    await writer.start()
    batcher = Batcher(writer, on_space=lambda: None)
    topic = kafka.kafka_topic_prefix + POSITIONS
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka_bootstrap)
    await admin.start()
    await admin.delete_topics([topic])
    while topic in await admin.list_topics():  # noqa: ASYNC110 - the broker is asked
        await asyncio.sleep(0.05)
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    terminals = np.arange(1, 51)
    batcher.add(PositionBatch.build(50, terminal=terminals, received_us=1, device_us=1), Receipt())
    async with asyncio.timeout(PATIENCE_S):
        await Receipt.released.wait()
    assert writer.partitions == 1
    assert await batcher.drain(5) == 0
    await writer.close()
    reader = KafkaLogReader(kafka)
    await reader.start()
    try:
        assert await assigned(reader) == {0}
        stored: set[int] = set()  # what failed may have been stored in part
        async with asyncio.timeout(PATIENCE_S):
            while len(stored) < 50:
                for record in (await reader.poll(1 << 20, 0.5)).records:
                    stored.update(decode(record.payload).terminal.tolist())
    finally:
        await reader.close()


# --- what operators get wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["kafka", "kafka:", "kafka:99999", "kafka:9092,,b:1", "a b:9092", "plain://a:1"]
)
def test_a_bootstrap_address_that_is_none(address: str) -> None:
    with pytest.raises(ConfigurationError, match="host:port"):
        open_writer(Settings(kafka_bootstrap=address))
    with pytest.raises(ConfigurationError, match="host:port"):
        open_reader(Settings(kafka_bootstrap=address))


def test_security_settings_that_cannot_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_writer(Settings(kafka_bootstrap="a:1", kafka_security="SASL_SSL"))
    assert "GONGCHE_KAFKA_PASSWORD" in caught.value.hint
    (tmp_path / "ca").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="certificates"):
        open_writer(Settings(kafka_bootstrap="a:1", kafka_security="SSL", kafka_ca_file=tmp_path / "ca"))


async def test_nobody_and_the_wrong_one_at_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for made in (
        open_writer(Settings(kafka_bootstrap=f"127.0.0.1:{port}")),
        open_reader(Settings(kafka_bootstrap=f"127.0.0.1:{port}")),
    ):
        with pytest.raises(UnavailableError, match=f"127.0.0.1:{port}: Connect"):
            await made.start()
        await made.close()
    with pytest.raises(UnavailableError, match=r"nowhere\.invalid:1: "):
        await open_writer(Settings(kafka_bootstrap="nowhere.invalid:1")).start()

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UnavailableError, match="no Kafka that accepts us"):
            await open_writer(Settings(kafka_bootstrap=f"127.0.0.1:{port}")).start()


async def test_users_and_permissions(own_cluster: Cluster, kafka: Settings) -> None:
    def user(name: str, password: str) -> Settings:
        return Settings(
            **kafka.model_dump(exclude={"kafka_bootstrap", "kafka_password"}, exclude_unset=True),
            kafka_bootstrap=own_cluster.sasl_bootstrap,
            kafka_security="SASL_PLAINTEXT",
            kafka_sasl_mechanism="PLAIN",
            kafka_username=name,
            kafka_password=password,
        )

    for made in (open_writer(user("guest", "guest")), open_reader(user("guest", "guest"))):
        with pytest.raises(ConfigurationError, match="may not create it") as refused:
            await made.start()
        assert "grant Create, Describe, Write and Read" in refused.value.hint
        await made.close()
    with pytest.raises(UnavailableError, match="no Kafka that accepts us") as caught:
        await open_writer(user("guest", "wrong")).start()
    assert "password" in caught.value.hint
    assert "wrong" not in str(user("guest", "wrong"))

    writer, reader = open_writer(user("admin", "admin")), open_reader(user("admin", "admin"))
    await writer.start()
    await reader.start()
    await writer.append([Record(POSITIONS, 0, b"secured")])
    await assigned(reader)
    assert payloads(await take(reader, 1), 0) == [b"secured"]
    await reader.close()
    await writer.close()


# --- brokers that fail ----------------------------------------------------------------------------------------------


async def test_many_appends_wait_for_a_slow_broker(
    own_cluster: Cluster, kafka: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as an append may take, not as long as one request: none fails, and each is there once."""
    monkeypatch.setattr("telemetry.log.kafka.writer.REQUEST_TIMEOUT_S", 0.3)
    writer = KafkaLogWriter(kafka)
    await writer.start()
    await writer.append([Record(POSITIONS, 0, b"first")])
    (pid,) = own_cluster.pids.values()
    os.kill(pid, signal.SIGSTOP)
    try:
        appends = [asyncio.create_task(writer.append([Record(POSITIONS, 0, b"%d" % k)])) for k in range(40)]
        ended, _ = await asyncio.wait(appends, timeout=2)  # time: several requests' patience
        assert not ended
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.gather(*appends)
    await writer.close()
    reader = KafkaLogReader(kafka)
    await reader.start()
    await assigned(reader)
    assert sorted(record.payload for record in await take(reader, 41)) == sorted(
        [b"first", *(b"%d" % k for k in range(40))]
    )
    await reader.close()


async def test_a_broker_that_is_killed_loses_nothing_that_was_confirmed(
    own_cluster: Cluster, kafka: Settings
) -> None:
    """Last, for it stops the broker of the session (and starts it again)."""
    impatient = KafkaLogWriter(kafka.model_copy(update={"kafka_timeout_s": 2.0}))
    # It waits for all that follows, however slowly a broker starts.
    patient = KafkaLogWriter(kafka.model_copy(update={"kafka_timeout_s": 300}))
    reader = KafkaLogReader(kafka)
    rejects = KafkaLogReader(kafka.model_copy(update={"kafka_timeout_s": 2.0}), REJECTS)
    for part in (impatient, patient, reader, rejects):
        await part.start()
    await assigned(reader)
    await assigned(rejects)
    for _ in range(25):  # nothing to read is no silence
        assert not (await rejects.poll(1, 0.1)).records
    confirmed: list[bytes] = []
    stop = asyncio.Event()

    async def keep_appending() -> None:
        while not stop.is_set():
            payload = b"%d" % len(confirmed)
            await patient.append([Record(POSITIONS, len(confirmed) % PARTITIONS, payload)])
            confirmed.append(payload)
            await asyncio.sleep(0.002)

    appending = asyncio.create_task(keep_appending())
    await until(lambda: len(confirmed) > 100, "appends are confirmed")
    await asyncio.to_thread(own_cluster.stop, kill=True)
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(UnavailableError, match=r"Kafka does not answer: 127\.0\.0\.1"):
            await impatient.append([Record(POSITIONS, 0, b"refused")])
        assert time.monotonic() - began < 20  # and not for all of kafka_timeout_s, or for ever
    with pytest.raises(UnavailableError):
        await KafkaLogWriter(kafka).start()
    with pytest.raises(UnavailableError, match="Kafka does not answer"):
        await rejects.poll(1, PATIENCE_S)
    with pytest.raises(UnavailableError, match="Kafka does not answer"):
        await rejects.end_offsets()
    assert (await rejects.poll(1, 0.5)).revoked == {0}
    began_with = len(confirmed)
    await asyncio.to_thread(own_cluster.start)
    await until(
        lambda: len(confirmed) > began_with + 100, "appends are confirmed again"
    )  # the append under way has waited
    await impatient.append([Record(POSITIONS, 0, b"taken again")])
    stop.set()
    await appending
    assert await assigned(rejects) == {0}

    found: list[bytes] = []
    async with asyncio.timeout(PATIENCE_S):
        while not {*confirmed, b"taken again"} <= set(found):
            poll = await reader.poll(1 << 20, 0.5)
            for partition in poll.assigned:
                await reader.seek(partition, 0)
                found.clear()
            found += [record.payload for record in poll.records]
    for partition in range(PARTITIONS):
        mine = [int(p) for p in found if p.isdigit() and int(p) % PARTITIONS == partition]
        assert mine == sorted(mine)
    assert Counter(found).total() - len(set(found)) == 0  # idempotent: the repeated request counts once
    for part in (impatient, patient, reader, rejects):
        await part.close()


# --- its end, followed beside the workers ---------------------------------------------------------------------------


async def test_its_end_is_followed_for_the_live_map(kafka: Settings, pool: asyncpg.Pool) -> None:
    """As the embedded one; and nobody joins the group of the workers for it."""
    await check_log(kafka, pool, PARTITIONS)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka_bootstrap)
    await admin.start()
    try:
        groups = {name for name, *_ in await admin.list_consumer_groups()}
        assert not any(name.startswith(kafka.kafka_topic_prefix) for name in groups)
    finally:
        await admin.close()


async def test_a_log_that_is_away_is_said_and_found_again(kafka: Settings, own_cluster: Cluster) -> None:
    tail = open_tail(kafka)
    opened = await tail.open()
    assert set(opened.ends.values()) == {0}
    await tail.seek(opened.ends)
    assert await tail.read(1) == []
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka_bootstrap)
    await admin.start()
    await admin.delete_topics([kafka.kafka_topic_prefix + POSITIONS])
    await admin.close()

    async def noticed() -> bool:
        try:
            await tail.read(1)
            await tail.check()
        except UnavailableError:
            return True
        return False

    await until(noticed, "the topic is another one")
    await tail.close()
    again = await tail.open()
    assert again.identity != opened.identity
    await tail.close()
