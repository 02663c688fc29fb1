"""A stream compared with its table: which rows were changed, are missing, or were put in, and which blocks were touched.

A whole table comes over one COPY as texts and is hashed as it comes; digests are compared in numpy. So a row is no object of
Python, and a table of a million rows takes less than a minute. Only rows that differ are looked at one by one.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np

from office.integrity.blocks import (
    ABSENT,
    DIGEST,
    MOST_ROWS,
    NOTHING_BEFORE,
    Block,
    flaws,
    read_header,
    sha256,
    sm3,
)
from office.integrity.heads import Heads
from office.integrity.sealer import block_of
from office.integrity.signing import PublicKey
from office.integrity.streams import UNREADABLE, Stream, month_of, texts_of
from runtime.arrays import AnyArray
from runtime.connection import Connection

#: Blocks that are read at once.
_BLOCKS_AT_ONCE: Final = 200
#: Rows of a table that match nothing are remembered so far; more are counted.
_MOST_REMEMBERED: Final = 2_000_000
#: Rows that are compared at once.
_ROWS_AT_ONCE: Final = 20_000
#: Length of a binary COPY stream's head.
_COPY_HEAD: Final = 19
_FIELD: Final = struct.Struct(">hi")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was sealed. ``stream``: which chain; ``kind``: changed, missing, inserted, late, gone, block,
    key, head, standing, position-changed, position-missing, position-inserted; ``key``: which row or block."""

    stream: str
    kind: str
    key: str
    what: str


@dataclass(slots=True)
class Report:
    """What was compared. ``past``: rows that were dropped at the end of their retention, and cannot be compared any more;
    ``absent``: fixes of evidence that were not in the table already when it was sealed; ``signed``: how many blocks each key signed;
    ``unsure``: what could not be checked, each with the reason."""

    rows: int = 0
    blocks: int = 0
    waiting: int = 0
    past: int = 0
    evidences: int = 0
    absent: int = 0
    signed: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    unsure: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Kept:
    """For how many days things are kept."""

    evaluations: int
    audit: int
    positions: int

    def of(self, stream: Stream) -> int:
        """For how long the rows of a stream that has months are kept."""
        return self.audit if stream.name == "audit" else self.evaluations


@dataclass(slots=True)
class _Chain:
    """The digests of all rows of a chain, in its order; ``counts``: rows of each block, ``numbers``: of the blocks."""

    sha256s: AnyArray
    sm3s: AnyArray
    numbers: list[int]
    counts: list[int]


Tell = Callable[[str], None]


class Comparison:
    """A stream compared with its table."""

    def __init__(
        self, connection: Connection, stream: Stream, report: Report, keys: Mapping[str, PublicKey], kept: Kept, now: datetime,
        heads: Heads | None, tell: Tell,
    ) -> None:  # fmt: skip
        self._connection, self._stream, self._report, self._tell = connection, stream, report, tell
        self._keys, self._kept, self._now = keys, kept, now
        self._heads = heads
        self._unknown: set[str] = set()
        self._overflow = False
        self._months: dict[date, bool] = {}

    def _found(self, kind: str, key: str, what: str) -> None:
        self._report.findings.append(Finding(self._stream.name, kind, key, what))

    async def run(self) -> None:
        chain = await self._chain()
        matched = await self._compare(chain)
        differing = await self._differing(chain, np.flatnonzero(~matched))
        pending = {
            row["key"]
            for row in await self._connection.fetch(
                "SELECT key FROM seal_pending WHERE stream = $1", self._stream.name
            )
        }
        self._report.waiting += len(pending)
        for key in sorted(self._unknown - differing - pending):
            self._found("inserted", key, "未经程序写入，不在链上 · it was put in, and is in no block")
        # After an upgrade of a large database more waits than is remembered here: then nothing is said of what is gone.
        for key in [] if self._overflow else sorted(pending - self._unknown - differing):
            if not await self._past(key):
                self._found(
                    "gone",
                    key,
                    "写入后、封存前被删除 · it was deleted after it was written, before it was sealed",
                )

    async def _chain(self) -> _Chain:
        """All blocks in order, each looked at."""
        stream, after = self._stream, 0
        previous: tuple[bytes, bytes] | None = (NOTHING_BEFORE, NOTHING_BEFORE)
        head = None if self._heads is None else self._heads.streams.get(stream.name)
        parts, numbers, counts = list[tuple[bytes, bytes]](), list[int](), list[int]()
        head_seen = head is None
        while rows := await self._connection.fetch(
            "SELECT * FROM seal_blocks WHERE stream = $1 AND number > $2 ORDER BY number LIMIT $3",
            stream.name,
            after,
            _BLOCKS_AT_ONCE,
        ):
            for row in rows:
                block = block_of(row)
                if block.number != after + 1:
                    missing = (
                        f"{after + 1}" if block.number == after + 2 else f"{after + 1}-{block.number - 1}"
                    )
                    self._found("block", missing, "区块缺失 · the block is missing")
                    previous = None
                wrong = self._wrong(block, row, previous)
                if head is not None and head.number == block.number:
                    head_seen = True
                    if (head.sha256, head.sm3) != (block.sha256.hex(), block.sm3.hex()):
                        self._found(
                            "head",
                            str(block.number),
                            "与导出的链头不符，链已被重写 · other than the exported head: the chain was rewritten",
                        )
                if wrong:
                    self._found("block", str(block.number), "; ".join(wrong))
                self._late(block)
                previous, after = (block.sha256, block.sm3), block.number
                count = min(len(block.sha256s), len(block.sm3s)) // DIGEST
                parts.append((block.sha256s[: count * DIGEST], block.sm3s[: count * DIGEST]))
                numbers.append(block.number)
                counts.append(count)
        if not head_seen and head is not None:
            self._found(
                "head",
                str(head.number),
                "导出的链头之后的区块被截去 · blocks up to the exported head were cut off",
            )
        self._report.blocks += len(numbers)
        return _Chain(_rows(a for a, _ in parts), _rows(b for _, b in parts), numbers, counts)

    def _wrong(self, block: Block, row: Any, previous: tuple[bytes, bytes] | None) -> list[str]:
        wrong = flaws(block, previous)
        self._report.signed[block.key_id] += 1
        if (row["sha256"], row["sm3"]) != (block.sha256, block.sm3):
            wrong.append("区块头被改动 · the header was changed")
        key = self._keys.get(block.key_id)
        if key is None or not key.signed_block(block.header, block.signature):
            wrong.append("签名不符 · the signature does not hold")
        return wrong

    def _late(self, block: Block) -> None:
        try:
            late = read_header(block.header).get("late")
        except ValueError:
            return
        for place in late if isinstance(late, list) else ():
            if isinstance(place, int) and block.keys is not None and 0 <= place < len(block.keys):
                self._found(
                    "late",
                    block.keys[place],
                    "自称的写入时间远早于实际入链时间，可能为事后插入 · it says that it was written long before it came",
                )

    async def _compare(self, chain: _Chain) -> AnyArray:
        """Which rows of the chain are in the table as they were sealed; the rows of the table that are in no block so are
        remembered by their key."""
        stream, matched = self._stream, np.zeros(len(chain.sha256s), bool)
        prefix = chain.sha256s[:, 0]
        order = np.argsort(prefix, kind="stable")
        ordered = prefix[order]
        carry, texts, seen = b"", list[bytes](), 0

        def flush() -> None:
            nonlocal seen
            ours = _rows([b"".join(map(sha256, texts))]), _rows([b"".join(map(sm3, texts))])
            seen += len(texts)
            known = np.zeros(len(texts), bool)
            if len(order):
                place = order[np.minimum(np.searchsorted(ordered, ours[0][:, 0]), len(order) - 1)]
                known = (chain.sha256s[place] == ours[0]).all(1) & (chain.sm3s[place] == ours[1]).all(1)
                matched[place[known]] = True
            for k in np.flatnonzero(~known).tolist():
                if len(self._unknown) < _MOST_REMEMBERED:
                    self._unknown.add(stream.key_of(texts[k]))
                else:
                    self._overflow = True
            texts.clear()
            self._tell(f"{stream.chinese} / {stream.name}: {seen:,}")

        begun = False

        async def take(data: bytes) -> None:
            nonlocal carry, begun
            data = carry + data if carry else data
            at, end, unpack, size = 0, len(data), _FIELD.unpack_from, _FIELD.size
            if not begun:
                if end < _COPY_HEAD:
                    carry = data
                    return
                at, begun = _COPY_HEAD, True
            while at + size <= end:
                _, length = unpack(data, at)
                if at + size + length > end:
                    break
                texts.append(data[at + size : at + size + length])
                at += size + length
            carry = data[at:]
            if len(texts) >= _ROWS_AT_ONCE:
                flush()

        await self._connection.copy_from_query(
            f"SELECT {stream.text('t')} FROM {stream.table} t",  # noqa: S608 - our own names
            output=take,
            format="binary",
        )
        flush()
        self._report.rows += seen
        self._report.counts[stream.name] = seen
        return matched

    async def _differing(self, chain: _Chain, places: AnyArray) -> set[str]:
        """Look at rows of the chain that no row of the table equals; the keys of those that are there, changed."""
        there: set[str] = set()
        ends = np.cumsum(chain.counts) if chain.counts else np.zeros(0, np.int64)
        blocks = np.searchsorted(ends, places, side="right")
        for block in np.unique(blocks).tolist():
            keys = await self._connection.fetchval(
                "SELECT keys FROM seal_blocks WHERE stream = $1 AND number = $2",
                self._stream.name,
                chain.numbers[block],
            )
            first = int(ends[block]) - chain.counts[block]
            within = [int(place) - first for place in places[blocks == block] if place - first < len(keys)]
            there |= await self._look(chain, first, keys, within, chain.numbers[block])
        return there

    async def _look(
        self, chain: _Chain, first: int, keys: list[str], within: list[int], number: int
    ) -> set[str]:
        there: set[str] = set()
        for start in range(0, len(within), MOST_ROWS):
            part = within[start : start + MOST_ROWS]
            texts = await texts_of(self._connection, self._stream, [keys[k] for k in part])
            for k, text in zip(part, texts, strict=True):
                sealed = chain.sha256s[first + k].tobytes()
                where = f"{self._stream.table} {keys[k]}, block {number}"
                if text is None:
                    if await self._past(keys[k]):
                        self._report.past += 1
                    elif sealed == ABSENT:
                        self._found(
                            "gone", keys[k], f"封存前已被删除 · it was deleted before it was sealed ({where})"
                        )
                    else:
                        self._found("missing", keys[k], f"行缺失 · the row is missing ({where})")
                    continue
                there.add(keys[k])
                if sha256(text) != sealed or sm3(text) != chain.sm3s[first + k].tobytes():
                    self._found("changed", keys[k], f"行被改动 · the row was changed ({where})")
        return there

    async def _past(self, key: str) -> bool:
        """Whether a row that is not there was dropped at the end of its retention."""
        try:
            month = month_of(self._stream, key)
        except UNREADABLE:
            return False
        if month is None:
            return False
        if month < _month(self._now, self._kept.of(self._stream)):
            return True
        # Under other settings than now it may have been dropped earlier: then as a whole, and not before the least time.
        return month < _month(self._now, self._stream.kept_days) and not await self._month_there(month)

    async def _month_there(self, month: date) -> bool:
        if month not in self._months:
            until = (month + timedelta(days=32)).replace(day=1)
            of_dates = dict(self._stream.key)[str(self._stream.month)] == "date"
            between: list[Any] = [month, until] if of_dates else [
                datetime(month.year, month.month, 1, tzinfo=UTC), datetime(until.year, until.month, 1, tzinfo=UTC)
            ]  # fmt: skip
            self._months[month] = await self._connection.fetchval(
                f"SELECT EXISTS (SELECT FROM {self._stream.table} WHERE {self._stream.month} >= $1"  # noqa: S608 - our own names
                f" AND {self._stream.month} < $2)",
                *between,
            )
        return self._months[month]


def _month(now: datetime, days: int) -> date:
    return (now - timedelta(days=days)).astimezone(UTC).date().replace(day=1)


def _rows(parts: Iterable[bytes]) -> AnyArray:
    """Digests as rows of four numbers: shape (n, 4), uint64."""
    return np.frombuffer(b"".join(parts), np.uint64).reshape(-1, 4)
