"""Records of the positions topic that are not ours, in both logs: kept with their place and reason, once, and passed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from prometheus_client import REGISTRY

from rules.live.process import Worker
from runtime.settings import Settings
from telemetry.log import codec, open_reader, open_writer
from telemetry.log.base import HEADER_SCHEMA, POSITIONS, LogReader, LogWriter, Record
from telemetry.positions import SPEC, PositionBatch
from tests.integration.worker_world import World, stand

Open = Callable[[], Awaitable[tuple[LogWriter, LogReader]]]


@pytest.fixture(params=["embedded", "kafka"])
async def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a log that is new each time it is called."""
    if request.param == "kafka":
        kafka: Settings = request.getfixturevalue("kafka")
    opened: list[LogWriter | LogReader] = []

    async def make() -> tuple[LogWriter, LogReader]:
        number = len(opened)
        settings = Settings(data_dir=tmp_path / f"log{number}")
        if request.param == "kafka":
            settings = kafka.model_copy(
                update={"kafka_topic_prefix": f"{kafka.kafka_topic_prefix}{number}.", "kafka_partitions": 1}
            )
        writer, reader = open_writer(settings), open_reader(settings)
        await writer.start()
        await reader.start()
        opened.extend((writer, reader))
        return writer, reader

    yield make
    for part in opened:
        await part.close()


def newer(batch: PositionBatch) -> bytes:
    """A record as a program of the next version might write it: one more column, another schema name."""
    table = pa.ipc.open_stream(codec.encode(batch)).read_all()
    table = table.append_column("heading_source", pa.array(np.zeros(len(batch), np.int8)))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.with_metadata({"schema": f"{codec.SCHEMA_NAME}/2"})) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def impossible(batch: PositionBatch) -> bytes:
    """Ours by its form, but no server of ours received anything before 1970."""
    columns = {name: getattr(batch, name) for name in SPEC} | {"received_us": np.full(len(batch), -(2**62))}
    return codec.encode(PositionBatch.build(len(batch), **columns))


def rejected_records() -> float:
    return REGISTRY.get_sample_value("gongche_worker_records_total", {"result": "rejected"}) or 0.0


async def work(worker: Worker, records: int) -> None:
    for _ in range(200):
        await worker.turn()
        if worker.counts.records >= records:
            return
    pytest.fail(f"{worker.counts.records} of {records} records")


async def test_what_is_not_ours_is_kept_counted_and_passed(world: World, open_log: Open) -> None:
    writer, reader = await open_log()
    foreign = [
        (b"", {}, "unreadable"),
        (b'{"lat": 32.1}', {}, "unreadable"),
        (newer(world.batch(stand(0, 60))), {HEADER_SCHEMA: f"{codec.SCHEMA_NAME}/2"}, "gongche.positions/2"),
        (impossible(world.batch(stand(0, 60))), dict(codec.HEADERS), "received_us"),
    ]
    for k, (payload, headers, _) in enumerate(foreign):
        good = world.batch(stand(300 * k, 300 * k + 300))
        await writer.append([Record(POSITIONS, 0, codec.encode(good), codec.HEADERS)])
        await writer.append([Record(POSITIONS, 0, payload, headers)])
    counted = rejected_records()

    worker = Worker(world.pool, reader)
    await work(worker, 8)
    assert (worker.counts.stored, worker.counts.rejected, worker.counts.failures) == (40, 4, 0)
    assert rejected_records() == counted + 4
    query = 'SELECT * FROM rejected_records ORDER BY topic, partition, "offset"'
    rows = await world.pool.fetch(query)
    assert [r["payload_bytes"] for r in rows] == [len(payload) for payload, _, _ in foreign]
    assert [r["payload"] for r in rows] == [payload[:4096] for payload, _, _ in foreign]
    assert [r["headers"] for r in rows] == [headers for _, headers, _ in foreign]
    for row, (_, _, reason) in zip(rows, foreign, strict=True):
        assert reason in row["reason"]
    log = f"{POSITIONS}@{await reader.identity()}"
    assert {(r["topic"], r["partition"]) for r in rows} == {(log, 0)}
    # The runbook's way back: by the offsets that the rows name.
    await world.pool.execute(
        "UPDATE log_offsets SET next_offset = $2 WHERE topic = $1", log, rows[2]["offset"]
    )
    worker.reset()
    await work(worker, 11)
    assert (worker.counts.stored, worker.counts.duplicates, worker.counts.rejected) == (40, 10, 6)
    assert await world.pool.fetch(query) == rows

    # Another log has the same offsets for other records.
    writer, reader = await open_log()
    for _ in range(8):
        await writer.append([Record(POSITIONS, 0, b"other", {})])
    await work(Worker(world.pool, reader), 8)
    assert await world.pool.fetchval("SELECT count(*) FROM rejected_records") == 12
