"""The sealer: makes blocks of what was written and committed since.

Nobody who writes waits for it: a trigger notes the key of each new row in ``seal_pending``, in the transaction of the row; the
sealer takes committed notes, hashes their rows and stores a block, all in one transaction. So a process that is killed
anywhere leaves either both or neither, and of several sealers one works (an advisory lock), the others wait for their turn.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from prometheus_client import Counter, Gauge

from office.integrity import heads, tracks
from office.integrity.blocks import MOST_ROWS, NOTHING_BEFORE, Block, digests_of, make_header, read_header
from office.integrity.signing import SigningKey, known_keys, load_key, register
from office.integrity.streams import BY_NAME, STREAMS, Stream, rows_of
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.faults import of_one_fact
from runtime.settings import Settings
from runtime.units import CHINA, to_us

_logger = logging.getLogger(__name__)

#: How often it is looked whether something was written, in seconds.
EVERY_S: Final = 5.0
#: Held from the taking of notes to the end of the transaction.
_LOCK: Final = 0x676F6E67_7365616C  # "gongseal"
#: Rows of a block whose contents may be large; the server hashes them.
_MOST_LARGE: Final = 25
#: Evidence whose positions are still to be listed, in ``seal_pending``. Each is done in a transaction of its own; a turn
#: begins no other one after so many seconds.
_LISTING: Final = "listing"
_LISTING_S: Final = 15.0
#: Evidence with more fixes has no list: no rule looks at so long a track.
_MOST_FIXES: Final = 500_000
#: A row that says it was written so long before its stream had been sealed as a whole, and was not there then, is late.
LATE_US: Final = 3_600_000_000
#: Waiting rows are counted so far.
_MOST_COUNTED: Final = 100_000

BLOCKS: Final = Counter("gongche_seal_blocks_total", "Blocks made", ["stream"])
ROWS: Final = Counter("gongche_seal_rows_total", "Rows sealed", ["stream"])
WAITING: Final = Gauge("gongche_seal_waiting", f"Rows that are in no block yet, counted to {_MOST_COUNTED}")
OLDEST: Final = Gauge("gongche_seal_oldest_seconds", "For how long the oldest of them has waited")
LOST: Final = Counter(
    "gongche_seal_lost_total",
    "Blocks that this process knew of and that are not in the database any more, or are others",
    ["stream"],
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is in no block yet: how many rows, and for how many seconds the oldest of them has waited."""

    rows: int
    oldest_s: float


async def waiting(connection: Connection) -> Waiting:
    """What is in no block yet, counted to _MOST_COUNTED."""
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM (SELECT FROM seal_pending LIMIT $1) few) AS rows, COALESCE(extract(epoch FROM now() -"
        " (SELECT noted_at FROM seal_pending ORDER BY no LIMIT 1)), 0)::float8 AS oldest",
        _MOST_COUNTED,
    )
    return Waiting(row["rows"], max(row["oldest"], 0.0))


class Sealer:
    """Makes blocks, signs them with the key of the settings, and exports the heads once a day. Raises ConfigurationError when
    there is no usable key."""

    def __init__(self, settings: Settings, *, make_key: bool = True) -> None:
        self.key: Final = load_key(settings, make=make_key)
        self._export: Path | None = settings.seal_export_dir
        self._known = self._told = False
        #: The newest block of each stream that this process saw: (number, SHA-256).
        self._seen: dict[str, tuple[int, bytes]] = {}
        if self._export is not None:
            self._seen = _exported(self._export, self.key.id)

    async def turn(self, pool: Any) -> bool:
        """A turn of ``runtime.repeating``: at most a block of each stream; whether there may be more."""
        async with pool.acquire(timeout=5) as connection:
            more = await self.seal(connection)
            left = await waiting(connection)
            WAITING.set(left.rows)
            OLDEST.set(left.oldest_s)
            if self._export is not None and not more:
                await self._export_today(connection, self._export)
        return more

    async def seal(self, connection: Connection) -> bool:
        """At most a block of each stream; whether there may be more. Not in a transaction."""
        if not await self._registered(connection):
            return False
        more = False
        for stream in STREAMS:
            try:
                more |= await self._block(connection, stream)
            except Exception as error:  # one stream does not stop the others
                if not of_one_fact(error):
                    raise
                _logger.exception("the stream %s cannot be sealed", stream.name)
        began = time.monotonic()
        while await self._list_one(connection):
            if time.monotonic() - began > _LISTING_S:
                return True
        return more

    async def seal_all(self, connection: Connection) -> int:
        """Seal until nothing waits, or another process does it; the number of turns."""
        turns, before = 0, -1
        while True:
            more, turns = await self.seal(connection), turns + 1
            left = (await waiting(connection)).rows
            if not more and left in (0, before):
                return turns
            before = left

    async def _registered(self, connection: Connection) -> bool:
        """Whether the database knows our key. The first one makes itself known."""
        if not self._known:
            async with connection.transaction():
                if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                    return False
                keys = await known_keys(connection)
                if not keys:
                    await register(connection, self.key)
                self._known = not keys or self.key.id in keys
        if not self._known and not self._told:
            self._told = True
            _logger.error(
                "签名密钥 %s 未登记，本进程不封存；所有 judge 须用同一密钥文件，更换密钥用 gongche seal --rotate"
                " / the key %s is not known here: this process seals nothing",
                self.key.id,
                self.key.id,
            )
        return self._known

    async def _block(self, connection: Connection, stream: Stream) -> bool:
        """A block of what waits in a stream, if anything does; whether there may be more."""
        most = _MOST_LARGE if stream.contents else MOST_ROWS
        async with connection.transaction():
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                return False
            noted = await connection.fetch(
                "DELETE FROM seal_pending WHERE no IN (SELECT no FROM seal_pending WHERE stream = $1 ORDER BY no LIMIT $2)"
                " RETURNING no, key",
                stream.name,
                most,
            )
            if not noted:
                return False
            keys = [row["key"] for row in sorted(noted, key=lambda row: row["no"])]
            before = await last_block(connection, stream.name)
            await self._look_back(connection, stream)
            made = await self._made(connection, stream, keys, before, drained=len(keys) < most)
            await store(connection, made)
            if stream.name == "evidence":
                await connection.execute(
                    "INSERT INTO seal_pending (stream, key) SELECT $1, * FROM unnest($2::text[])",
                    _LISTING,
                    keys,
                )
        self._seen[stream.name] = made.number, made.sha256
        BLOCKS.labels(stream.name).inc()
        ROWS.labels(stream.name).inc(len(keys))
        return len(keys) == most

    async def _look_back(self, connection: Connection, stream: Stream) -> None:
        """Say it when a block that this process saw is gone. Whoever owns the database can cut the end of a chain off, change rows and
        have them sealed anew: the chain itself does not show it. The log is not in the database."""
        number, sha256 = self._seen.get(stream.name, (0, b""))
        if not number:
            return
        there = await connection.fetchval(
            "SELECT sha256 FROM seal_blocks WHERE stream = $1 AND number = $2", stream.name, number
        )
        if there == sha256:
            return
        LOST.labels(stream.name).inc()
        _logger.error(
            "%s 链第 %d 区块（SHA-256 %s）已不在库或已不同：数据库被截改，或恢复过备份"
            " / block %d of the stream %s is gone or another one: somebody cut or rewrote the chain, or a backup was restored",
            stream.chinese, number, sha256.hex(), number, stream.name,
        )  # fmt: skip

    async def _list_one(self, connection: Connection) -> bool:
        """List the positions of the next evidence; whether there was one."""
        if not self._known:
            return False
        async with connection.transaction():
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                return False
            key = await connection.fetchval(
                "DELETE FROM seal_pending WHERE no = (SELECT no FROM seal_pending WHERE stream = $1 ORDER BY no LIMIT 1)"
                " RETURNING key",
                _LISTING,
            )
            if key is None:
                return False
            await _list_positions(connection, key)
        return True

    async def _made(
        self, connection: Connection, stream: Stream, keys: list[str], before: Block | None, *, drained: bool
    ) -> Block:
        whole, stamp = None, ""
        if stream.stamp is not None:
            stamp = f", t.{stream.stamp} AS stamp"
            whole = await connection.fetchval(
                "SELECT sealed_at FROM seal_blocks WHERE stream = $1 AND (header::json ->> 'drained')::boolean"
                " ORDER BY number DESC LIMIT 1",
                stream.name,
            )
        rows = await rows_of(connection, stream, keys, stamp)
        texts = [None if row is None else row["text"].encode() for row in rows]
        late = [
            place
            for place, row in enumerate(rows)
            if whole is not None and row is not None and to_us(row["stamp"]) < to_us(whole) - LATE_US
        ]
        sha256s, sm3s = await asyncio.to_thread(digests_of, texts)
        previous = (NOTHING_BEFORE, NOTHING_BEFORE) if before is None else (before.sha256, before.sm3)
        number = 1 if before is None else before.number + 1
        header = make_header(
            stream.name, number, keys, sha256s, sm3s, previous=previous, late=late, drained=drained,
            sealed_at_us=to_us(await connection.fetchval("SELECT clock_timestamp()")),
        )  # fmt: skip
        return Block(
            stream.name, number, header, tuple(keys), sha256s, sm3s, self.key.id, self.key.sign_block(header)
        )

    async def _export_today(self, connection: Connection, folder: Path) -> None:
        """The heads of today, once."""
        path = folder / heads.name_of(datetime.now(UTC).astimezone(CHINA).date())
        if path.exists():
            return
        made = heads.make(await heads.read(connection), self.key, datetime.now(UTC))
        try:
            await asyncio.to_thread(heads.write, path, made)
        except OSError as error:
            _logger.error("封存链头无法导出 / the heads cannot be exported to %s: %s", path, error)


def _exported(folder: Path, key: str) -> dict[str, tuple[int, bytes]]:
    """The heads that a process of this key exported last: what a restarted one still knows. Files that are none say nothing."""
    for path in sorted(folder.glob("gongche-heads-*.json"), reverse=True):
        try:
            found = heads.load(path)
        except ConfigurationError as error:
            _logger.warning("%s", error)
            continue
        if found.key.id == key:
            try:
                return {
                    name: (head.number, bytes.fromhex(head.sha256)) for name, head in found.streams.items()
                }
            except ValueError:
                continue
    return {}


async def _list_positions(connection: Connection, key: str) -> None:
    """The positions of evidence that was sealed. Evidence that cannot be read has none."""
    (row,) = await rows_of(connection, BY_NAME["evidence"], [key], ", t.sha256 AS sha256, t.body AS body")
    if row is None:
        return
    try:
        found = await asyncio.to_thread(tracks.stretches, row["body"])
        if not found or sum(len(one.fixes) for one in found) > _MOST_FIXES:
            return
        async with connection.transaction():
            listed = await tracks.positions_of(connection, found)
    except Exception as error:
        if not of_one_fact(error):
            raise
        _logger.exception("the positions of evidence %s cannot be listed", row["sha256"].hex())
        return
    await connection.execute(
        "INSERT INTO evidence_positions (sha256, made_at, fixes, absent, spans, rows, sm3)"
        " VALUES ($1, clock_timestamp(), $2, $3, $4, $5, $6) ON CONFLICT (sha256) DO NOTHING",
        row["sha256"], listed.fixes, listed.absent, listed.spans, listed.rows, listed.sm3,
    )  # fmt: skip


async def store(connection: Connection, block: Block) -> None:
    """Store a block, in the caller's transaction."""
    await connection.execute(
        "INSERT INTO seal_blocks (stream, number, header, keys, sha256s, sm3s, sha256, sm3, key_id, signature, sealed_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'epoch'::timestamptz + $11 * interval '1 microsecond')",
        block.stream, block.number, block.header, list(block.keys or ()), block.sha256s, block.sm3s, block.sha256, block.sm3,
        block.key_id, block.signature, read_header(block.header)["sealed_at_us"],
    )  # fmt: skip


async def last_block(connection: Connection, stream: str) -> Block | None:
    """The newest block of a stream."""
    row = await connection.fetchrow(
        "SELECT * FROM seal_blocks WHERE stream = $1 ORDER BY number DESC LIMIT 1", stream
    )
    return None if row is None else block_of(row)


def block_of(row: Any) -> Block:
    """A row of ``seal_blocks``."""
    return Block(
        row["stream"], row["number"], row["header"], tuple(row["keys"]), row["sha256s"], row["sm3s"], row["key_id"],
        row["signature"],
    )  # fmt: skip


async def rotate(connection: Connection, old: SigningKey, new: SigningKey) -> None:
    """Have ``new`` sign from now on; ``old`` says so. Raises ValueError when the database does not know ``old``."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if old.id not in await known_keys(connection):
            raise ValueError(old.id)
        await register(connection, new, old)
