"""The cold tier in a bucket: moto's S3 server, which speaks the protocol over HTTP and keeps objects in memory.

It is not Amazon's, and not MinIO: it shows that our requests are S3's and what we do with the answers, not how a store behaves that
is slow, far away or partly down. Signatures are not checked by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import asyncpg
import pyarrow.fs as pafs
import pytest
from moto.server import ThreadedMotoServer

from runtime.errors import ConfigurationError, UnavailableError
from runtime.units import US_PER_DAY
from telemetry.archive.cold import catalogue, reading
from telemetry.archive.cold.folder import Folder
from telemetry.archive.cold.layout import ColdDamagedError
from telemetry.archive.cold.mover import remove_left
from telemetry.archive.read import PositionReader
from tests.integration import test_cold
from tests.integration.test_cold import DAYS, EVER, TERMINALS, TODAY, told

conn = test_cold.conn


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The place of a bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    urlopen(Request(f"http://{host}:{port}/cold", method="PUT")).close()
    try:
        yield f"s3://cold/positions?region=us-east-1&scheme=http&endpoint_override={host}:{port}"
    finally:
        server.stop()


def names(place: str) -> set[str]:
    system, base = pafs.FileSystem.from_uri(place)
    found = system.get_file_info(pafs.FileSelector(base, recursive=True, allow_not_found=True))
    return {info.base_name for info in found if info.is_file}


async def test_a_bucket_holds_days_as_a_folder_does(
    conn: asyncpg.Connection, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bucket
    spans = [(no, *EVER) for no in TERMINALS]
    before = told(await PositionReader().track(conn, spans))

    def dies(step: str) -> None:
        if step == "filled":
            raise RuntimeError("in the middle of an upload")

    with pytest.raises(RuntimeError, match="in the middle"):
        await test_cold.moved(conn, place, checkpoint=dies)
    assert names(place) == set()
    assert [day.day for day in await test_cold.moved(conn, place)] == list(DAYS[:2])
    assert names(place) == {file.file for file in await catalogue.files_of(conn, 0, TODAY)}
    assert told(await PositionReader().track(conn, spans)) == before
    reading._footers.clear()
    assert told(await PositionReader().track(conn, spans)) == before

    (file,) = await catalogue.files_of(conn, DAYS[0], DAYS[0])
    Folder(place).remove(file.file)
    first = [(1, DAYS[0] * US_PER_DAY, (DAYS[0] + 1) * US_PER_DAY)]
    with pytest.raises(ColdDamagedError, match=file.file):
        await PositionReader().track(conn, first)
    with Folder(place).create(file.file) as sink:
        sink.write(b"x" * file.bytes)
    with pytest.raises(ColdDamagedError, match=file.file):
        await PositionReader().track(conn, first)
    # Discarded files are removed from it.
    await conn.execute(
        "UPDATE cold_files SET state = 'discarded', changed_at = '2020-01-01' WHERE file = $1", file.file
    )
    assert await remove_left(conn) == 1
    assert len(names(place)) == 1
    # A store that is away is no damage.
    (file,) = await catalogue.files_of(conn, DAYS[1], DAYS[1])
    folder = Folder(place)
    folder._system = Away()
    monkeypatch.setattr(reading, "_folder", lambda _: folder)
    with pytest.raises(UnavailableError, match="does not answer"):
        await PositionReader().track(conn, [(1, DAYS[1] * US_PER_DAY, (DAYS[1] + 1) * US_PER_DAY)])


class Away:
    """What the AWS SDK says of a server that is not there, without its patience."""

    def open_input_file(self, _: str) -> Any:
        raise OSError("When reading information for key: AWS Error NETWORK_CONNECTION")

    get_file_info = open_input_file


def test_other_addresses_are_refused() -> None:
    for place in ("gs://bucket/x", "http://127.0.0.1/x", "s3://", "cold/days"):
        with pytest.raises(ConfigurationError, match="GONGCHE_COLD_DIR"):
            Folder(place)
