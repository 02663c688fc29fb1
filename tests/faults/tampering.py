"""Random tampering by the owner of the database, who has all rights and switches every trigger off: is each found, and named?

``python -m tests.faults.tampering --count 1000``: so many, on a database of its own. Several are done at once, in a transaction
that is rolled back after the verification; and nothing else may be named than what was done.
"""

# ruff: noqa: S608 - the SQL is made of the names of our own tables and columns
from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import numpy as np

from office.integrity.comparing import Kept
from office.integrity.streams import BY_NAME, STREAMS, Stream, key_text
from office.integrity.tracks import ROW
from office.integrity.verifying import verify_chains
from runtime.connection import Connection
from runtime.embedded_postgres import embedded_server
from runtime.postgres import connect
from runtime.units import from_us
from tests.databases import dsn_of
from tests.integration.integrity_world import build

#: Tamperings before a verification.
AT_ONCE = 10
#: Nothing of the world is past its retention.
KEPT = Kept(36_500, 36_500, 36_500)
KINDS = ("update", "update", "delete", "swap", "insert", "body", "position", "position", "key")
CHAIN_KINDS = ("header", "digests", "keys", "signature", "block")

_OTHER = {
    "text": "COALESCE({0}, '') || '.'", "integer": "COALESCE({0}, 0) + 1", "bigint": "COALESCE({0}, 0) + 1",
    "smallint": "COALESCE({0}, 0) + 1", "boolean": "NOT {0}", "jsonb": "jsonb_build_array({0}, 1)",
    "timestamp with time zone": "{0} + interval '1 microsecond'", "date": "'2026-05-01'::date",
    "bytea": "set_byte({0}, 3, get_byte({0}, 3) # 4)", "ARRAY": "array_append({0}, 'x')",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Done:
    """A tampering, and the rows that must be named for it: (stream, key). ``rests_on``: a row that nothing else may be done to,
    since it names what was tampered with."""

    kind: str
    what: str
    named: frozenset[tuple[str, str]]
    rests_on: frozenset[tuple[str, str]] = frozenset()


class Tamperer:
    """Does random things to a sealed database."""

    def __init__(self, connection: Connection, dice: random.Random) -> None:
        self._connection, self._dice = connection, dice
        self._types: dict[str, dict[str, str]] = {}
        self._used: set[tuple[str, str]] = set()
        self._changed: set[tuple[str, str]] = set()

    async def begin(self) -> None:
        """What is in the database."""
        for stream in STREAMS:
            rows = await self._connection.fetch(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1", stream.table
            )  # fmt: skip
            self._types[stream.name] = {row["column_name"]: row["data_type"] for row in rows}

    def forget(self) -> None:
        """Everything was rolled back."""
        self._used.clear()
        self._changed.clear()

    async def tamper(self, kind: str) -> Done:
        """Do ``kind`` to a row to which nothing was done. The transaction has no triggers."""
        while True:
            point = self._connection.transaction()
            await point.start()
            try:
                done: Done | None = await getattr(self, f"_{kind}")()
            except (asyncpg.PostgresError, ValueError):  # what a row before it was changed to cannot be
                done = None
            touched = frozenset() if done is None else done.named | done.rests_on
            if done is None or done.named & self._used or done.rests_on & self._changed:
                await point.rollback()
                continue
            await point.commit()
            self._used |= touched
            self._changed |= done.named
            return done

    async def _pick(self, stream: Stream, count: int = 1) -> list[str]:
        blocks = await self._connection.fetch("SELECT keys FROM seal_blocks WHERE stream = $1", stream.name)
        keys = [key for block in blocks for key in block["keys"]]
        return self._dice.sample(keys, count)

    def _stream(self) -> Stream:
        return self._dice.choice(STREAMS)

    def _where(self, stream: Stream, key: str, first: int = 1) -> tuple[str, list[object]]:
        same = [f"{name} = ${n}::{kind}" for n, (name, kind) in enumerate(stream.key, first)]
        return " AND ".join(same), [column[0] for column in stream.values([key])]

    async def _update(self) -> Done | None:
        stream = self._stream()
        (key,) = await self._pick(stream)
        column = self._dice.choice(stream.columns)
        return await self._change(stream, key, column)

    async def _change(self, stream: Stream, key: str, column: str) -> Done | None:
        where, values = self._where(stream, key)
        other = _OTHER[self._types[stream.name][column]].format(column)
        if self._types[stream.name][column] == "boolean":
            other = f"NOT COALESCE({column}, false)"
        changed = await self._connection.fetchval(
            f"UPDATE {stream.table} t SET {column} = {other} WHERE {where} AND {column} IS DISTINCT FROM {other} RETURNING 1",
            *values,
        )
        return (
            Done("update", f"{stream.table}.{column}", frozenset({(stream.name, key)})) if changed else None
        )

    async def _body(self) -> Done | None:
        stream = self._dice.choice([BY_NAME["evidence"], BY_NAME["attachments"], BY_NAME["positions"]])
        (key,) = await self._pick(stream)
        where, values = self._where(stream, key)
        (column,) = stream.contents
        length = await self._connection.fetchval(
            f"SELECT length({column}) FROM {stream.table} WHERE {where}", *values
        )
        if not length:  # the row is gone already
            return None
        place, bit = self._dice.randrange(length), 1 << self._dice.randrange(8)
        # What names a position in the list may be hit: then other positions are named beside the list.
        await self._connection.execute(
            f"UPDATE {stream.table} SET {column} = set_byte({column}, {place}, get_byte({column}, {place}) # {bit}) WHERE {where}",
            *values,
        )
        return Done("body", f"{stream.table}.{column}[{place}]", frozenset({(stream.name, key)}))

    async def _delete(self) -> Done | None:
        stream = self._stream()
        (key,) = await self._pick(stream)
        where, values = self._where(stream, key)
        await self._connection.execute(f"DELETE FROM {stream.table} WHERE {where}", *values)
        return Done("delete", stream.table, frozenset({(stream.name, key)}))

    async def _swap(self) -> Done | None:
        """The contents of two rows change places: an order that is not that of the chain."""
        stream = self._stream()
        one, two = await self._pick(stream, 2)
        names = ", ".join(stream.columns)
        (where, values), (there, more) = (
            self._where(stream, one),
            self._where(stream, two, len(stream.key) + 1),
        )
        rows = await self._connection.fetch(
            f"WITH pair AS MATERIALIZED (SELECT (SELECT to_jsonb(t) FROM {stream.table} t WHERE {where}) AS a,"
            f" (SELECT to_jsonb(t) FROM {stream.table} t WHERE {there}) AS b),"
            f" other AS (UPDATE {stream.table} t SET ({names}) = (SELECT {', '.join('r.' + n for n in stream.columns)}"
            f" FROM pair, jsonb_populate_record(NULL::{stream.table}, CASE WHEN {self._is(stream, 't')} THEN b ELSE a END) r)"
            f" WHERE ({where}) OR ({there}) RETURNING 1)"
            f" SELECT (SELECT count(*) FROM other) AS n, {' OR '.join(f'a->{n!r} IS DISTINCT FROM b->{n!r}' for n in stream.columns)}"
            " AS differ FROM pair",
            *values,
            *more,
        )
        if not rows or rows[0]["n"] != 2 or not rows[0]["differ"]:
            return None
        return Done("swap", stream.table, frozenset({(stream.name, one), (stream.name, two)}))

    def _is(self, stream: Stream, row: str) -> str:
        return " AND ".join(f"{row}.{name} = ${n}::{kind}" for n, (name, kind) in enumerate(stream.key, 1))

    async def _key(self) -> Done | None:
        """A row gets another name: it is missing, and another one is there."""
        stream = self._stream()
        (key,) = await self._pick(stream)
        where, values = self._where(stream, key)
        column = self._dice.choice(stream.key)[0]
        text = await self._connection.fetchval(
            f"UPDATE {stream.table} t SET {column} = {_OTHER[self._types[stream.name][column]].format(column)} WHERE {where}"
            f" RETURNING {stream.text('t')}",
            *values,
        )
        if text is None or stream.key_of(text.encode()) == key:
            return None
        return Done(
            "key", stream.table, frozenset({(stream.name, key), (stream.name, stream.key_of(text.encode()))})
        )

    async def _insert(self) -> Done | None:
        """A copy of a row, with another name."""
        stream = self._stream()
        (key,) = await self._pick(stream)
        where, values = self._where(stream, key)
        name = stream.key[0][0]
        columns = list(self._types[stream.name])
        kind = self._types[stream.name][name]
        new = f"({name} + 1000000)" if kind in ("bigint", "integer") else _OTHER[kind].format(name)
        chosen = ", ".join(new if n == name else n for n in columns)
        text = await self._connection.fetchval(
            f"INSERT INTO {stream.table} AS t ({', '.join(columns)}) OVERRIDING SYSTEM VALUE SELECT {chosen} FROM {stream.table}"
            f" WHERE {where} RETURNING {stream.text('t')}",
            *values,
        )
        return (
            None
            if text is None
            else Done("insert", stream.table, frozenset({(stream.name, stream.key_of(text.encode()))}))
        )

    async def _position(self) -> Done | None:
        """A position that evidence rests on is changed, removed, or another one is put beside it."""
        lists = await self._connection.fetch(
            "SELECT encode(sha256, 'hex') AS sha256, rows FROM evidence_positions"
        )
        listed = self._dice.choice(lists)
        row = self._dice.choice(np.frombuffer(listed["rows"], ROW))
        where = f"terminal_no = {row['terminal']} AND device_time = $1 AND fingerprint = {row['fingerprint']}"
        time_, fingerprint = from_us(int(row["t_us"])), int(row["fingerprint"])
        how = self._dice.choice(("change", "remove", "put"))
        if how == "change":
            column = self._dice.choice(
                (
                    "lat_e6",
                    "lon_e6",
                    "speed_dkmh",
                    "quality",
                    "status",
                    "odometer_dkm",
                    "items",
                    "received_at",
                )
            )
            other = {"items": r"'\x01'::bytea", "received_at": "received_at - interval '1 h'"}.get(
                column, f"COALESCE({column}, 0) + 1"
            )
            await self._connection.execute(f"UPDATE positions SET {column} = {other} WHERE {where}", time_)
        elif how == "remove":
            await self._connection.execute(f"DELETE FROM positions WHERE {where}", time_)
        else:
            fingerprint += 1
            names = await self._connection.fetchval(
                "SELECT string_agg(column_name::text, ', ') FROM information_schema.columns WHERE table_name = 'positions'"
                " AND column_name NOT IN ('fingerprint', 'received_at')"
            )
            await self._connection.execute(
                f"INSERT INTO positions ({names}, fingerprint, received_at) SELECT {names}, fingerprint + 1,"
                f" received_at - interval '10 days' FROM positions WHERE {where}",
                time_,
            )
        key = f"terminal {row['terminal']}, {time_.isoformat()}, {fingerprint}"
        return Done(
            "position",
            how,
            frozenset({("positions", key)}),
            frozenset({("positions", key_text([listed["sha256"]]))}),
        )

    async def chain(self, kind: str) -> Done:
        """Something is done to the chain itself."""
        row = self._dice.choice(
            await self._connection.fetch("SELECT stream, number, header FROM seal_blocks ORDER BY 1, 2")
        )
        where = "WHERE stream = $1 AND number = $2"
        change = {
            "header": "header = replace(header, '\"late\":[', '\"late\":[0,')",
            "digests": "sha256s = set_byte(sha256s, 5, get_byte(sha256s, 5) # 1)",
            "keys": "keys[1] = keys[1] || ' '",
            "signature": "signature = set_byte(signature, 9, get_byte(signature, 9) # 1)",
        }.get(kind)
        sql = f"UPDATE seal_blocks SET {change} {where}" if change else f"DELETE FROM seal_blocks {where}"
        await self._connection.execute(sql, row["stream"], row["number"])
        return Done(kind, "seal_blocks", frozenset({(row["stream"], str(row["number"]))}))


async def trial(connection: Connection, kinds: Sequence[str], tamperer: Tamperer) -> list[str]:
    """Do ``kinds`` at once, verify, undo; what went wrong, in words. Nothing but what was done may be named."""
    undone = connection.transaction()
    await undone.start()
    try:
        await connection.execute("SET LOCAL session_replication_role = replica")
        done = [await tamperer.tamper(kind) for kind in kinds]
        report = await verify_chains(connection, KEPT)
    finally:
        await undone.rollback()
        tamperer.forget()
    named = {(finding.stream, finding.key) for finding in report.findings}
    wrong = [f"not named: {each}" for each in done if not each.named <= named]
    expected = frozenset().union(*(each.named for each in done))
    lists = any(each.named & expected and ("positions" in dict(each.named)) for each in done)
    for finding in report.findings:
        beside = finding.kind == "standing" or (finding.kind.startswith("position-") and lists)
        if (finding.stream, finding.key) not in expected and not beside:
            wrong.append(f"invented: {finding}, after {done}")
    return wrong


async def chain_trial(connection: Connection, kind: str, tamperer: Tamperer) -> list[str]:
    """Tamper with the chain, verify, undo; what went wrong, in words."""
    undone = connection.transaction()
    await undone.start()
    try:
        await connection.execute("SET LOCAL session_replication_role = replica")
        done = await tamperer.chain(kind)
        ((stream, number),) = done.named
        report = await verify_chains(connection, KEPT, only=[stream])
    finally:
        await undone.rollback()
    last = await connection.fetchval("SELECT max(number)::text FROM seal_blocks WHERE stream = $1", stream)
    named = {finding.key for finding in report.findings if finding.kind == "block"}
    # The last block of a chain that is gone: its rows are named, as in no block.
    found = number in named or (kind == "block" and number == last and report.findings)
    wrong = [] if found else [f"not named: {done}"]
    return wrong + [
        f"invented: {finding}, after {done}" for finding in report.findings if finding.stream != stream
    ]


async def many(connection: Connection, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """``count`` tamperings; how many of each kind, and what went wrong."""
    dice = random.Random(seed)
    tamperer = Tamperer(connection, dice)
    await tamperer.begin()
    untouched = await verify_chains(connection, KEPT)
    wrong = [f"invented: {finding}" for finding in untouched.findings]
    kinds = [dice.choice((*KINDS, "chain")) for _ in range(count)]
    rows = [kind for kind in kinds if kind != "chain"]
    tally = Counter(rows)
    for start in range(0, len(rows), AT_ONCE):
        wrong += await trial(connection, rows[start : start + AT_ONCE], tamperer)
    for _ in range(count - len(rows)):
        kind = dice.choice(CHAIN_KINDS)
        tally[f"chain {kind}"] += 1
        wrong += await chain_trial(connection, kind, tamperer)
    return tally, wrong


async def _run(server: str, folder: Path, count: int, seed: int) -> int:
    connection = await connect(server)
    await connection.execute("CREATE DATABASE tampered TEMPLATE template0")
    await connection.close()
    dsn = dsn_of(server, "tampered")
    await build(dsn, folder)
    connection = await connect(dsn)
    began = time.monotonic()
    tally, wrong = await many(connection, count, seed)
    await connection.close()
    print(json.dumps(dict(sorted(tally.items()))))
    print(*wrong, sep="\n")
    print(f"seed {seed}: {count} tamperings, {len(wrong)} wrong, {time.monotonic() - began:.1f} s")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gongche-tampering-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded_server(folder / "db") as dsn:
            return asyncio.run(_run(dsn, folder, args.count, args.seed))


if __name__ == "__main__":
    raise SystemExit(main())
