"""Which files of the cold tier there are, and whose positions: all SQL of ``cold_files``, ``cold_terminals`` and ``cold_touched``.

What is read from files is decided by these tables alone, in the transaction of whoever reads.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from runtime.arrays import AnyInts
from runtime.connection import Connection, affected
from runtime.units import to_us

_DAY_ZERO: Final = date(1970, 1, 1)
#: A file that is read no more stays for so long: somebody who has just looked it up may be about to open it.
KEPT_DISCARDED: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class ColdFile:
    """A file that holds positions of the UTC ``day`` (since 1970). ``group_firsts``: the first terminal of each row group."""

    file: str
    folder: str
    day: int
    layout: int
    rows: int
    bytes: int
    sha256: builtins.bytes
    footer_sha256: builtins.bytes
    first_terminal: int
    last_terminal: int
    group_firsts: AnyInts

    def groups_of(self, terminals: AnyInts) -> list[int]:
        """The row groups that may have rows of ``terminals``."""
        inside = terminals[(terminals >= self.first_terminal) & (terminals <= self.last_terminal)]
        # A terminal that begins a group may have begun in the one before.
        low = np.maximum(np.searchsorted(self.group_firsts, inside, "left") - 1, 0)
        high = np.searchsorted(self.group_firsts, inside, "right")
        found: set[int] = set()
        for a, b in zip(low.tolist(), high.tolist(), strict=True):
            found.update(range(a, b))
        return sorted(found)


@dataclass(frozen=True, slots=True)
class Known:
    """The days (since 1970) between which a terminal may have positions in files. ``visible``: the times [from, to) (us) of which
    the one who asks may see them; None = of all."""

    first_day: int
    last_day: int
    visible: tuple[tuple[int, int], ...] | None


#: The policies of ``positions``, for rows that are in no table: reach by ``cold_terminals``, which has the same; and of a terminal
#: that sat in a secret vehicle only the times of the bindings that may be seen.
_KNOWN: Final = """
SELECT c.terminal_no, c.first_day, c.last_day, h.hidden,
       CASE WHEN h.hidden THEN (SELECT array_agg(b.valid_from ORDER BY b.valid_from, b.valid_to) FROM terminal_bindings b
             WHERE b.terminal_no = c.terminal_no) END AS since,
       CASE WHEN h.hidden THEN (SELECT array_agg(b.valid_to ORDER BY b.valid_from, b.valid_to) FROM terminal_bindings b
             WHERE b.terminal_no = c.terminal_no) END AS until
  FROM cold_terminals c
  CROSS JOIN LATERAL (SELECT CASE WHEN row_security_active('positions') AND pg_has_role('gongche_app', 'USAGE')
       THEN c.terminal_no = ANY ((SELECT hidden_terminals())::integer[]) ELSE false END AS hidden) h
 WHERE c.terminal_no = ANY($1::integer[])
"""


def day_of(day: int) -> date:
    """The date of a UTC day since 1970."""
    return _DAY_ZERO + timedelta(days=day)


def number_of(day: date) -> int:
    """The number of a UTC day since 1970."""
    return (day - _DAY_ZERO).days


async def known(conn: Connection, terminals: Sequence[int]) -> dict[int, Known]:
    """Of those of ``terminals`` that may have positions in files, and that the one who asks may see."""
    rows = await conn.fetch(_KNOWN, sorted(set(terminals)))
    found = {}
    for no, first, last, hidden, since, until in rows:
        visible = None
        if hidden:
            visible = tuple(
                (to_us(a), 1 << 62 if b is None else to_us(b))
                for a, b in zip(since or (), until or (), strict=True)
            )
        found[no] = Known(number_of(first), number_of(last), visible)
    return found


async def files_of(
    conn: Connection, first_day: int, last_day: int, terminals: Sequence[int] | None = None
) -> list[ColdFile]:
    """The files of the days from ``first_day`` to ``last_day`` (both included) that may have rows of ``terminals`` (None = all),
    by day, older ones first."""
    rows = await conn.fetch(
        "SELECT file, folder, day, layout, rows, bytes, sha256, footer_sha256, first_terminal, last_terminal, group_firsts"
        " FROM cold_files f WHERE state = 'cold' AND day BETWEEN $1 AND $2 AND ($3::integer[] IS NULL OR EXISTS"
        " (SELECT FROM unnest($3::integer[]) AS t (no) WHERE t.no BETWEEN f.first_terminal AND f.last_terminal))"
        " ORDER BY day, changed_at, first_terminal, file",
        day_of(first_day),
        day_of(last_day),
        None if terminals is None else sorted(set(terminals)),
    )
    return [_file(row) for row in rows]


def _file(row: Any) -> ColdFile:
    values: dict[str, Any] = dict(row)
    return ColdFile(
        **values | {"day": number_of(row["day"]), "group_firsts": np.array(row["group_firsts"], np.int64)}
    )


async def first_day(conn: Connection) -> int | None:
    """The first day (since 1970) that has a file; None: there is no file."""
    day = await conn.fetchval("SELECT min(day) FROM cold_files WHERE state = 'cold'")
    return None if day is None else number_of(day)


async def begin(conn: Connection, file: str, folder: str, day: int) -> None:
    """Note that ``file`` will be written: whoever finds it so later, and nobody writing, removes it."""
    await conn.execute(
        "INSERT INTO cold_files (file, folder, day) VALUES ($1, $2, $3)", file, folder, day_of(day)
    )


async def make_cold(conn: Connection, files: Sequence[ColdFile]) -> None:
    """From this transaction on these files are read. They have been begun."""
    await conn.executemany(
        "UPDATE cold_files SET state = 'cold', changed_at = now(), layout = $2, rows = $3, bytes = $4, sha256 = $5,"
        " footer_sha256 = $6, first_terminal = $7, last_terminal = $8, group_firsts = $9 WHERE file = $1 AND state = 'writing'",
        [
            (
                f.file, f.layout, f.rows, f.bytes, f.sha256, f.footer_sha256, f.first_terminal, f.last_terminal,
                f.group_firsts.tolist(),
            )
            for f in files
        ],
    )  # fmt: skip


async def note_terminals(conn: Connection, day: int, terminals: Sequence[int]) -> None:
    """``terminals`` have positions of ``day`` in files."""
    await conn.execute(
        "INSERT INTO cold_terminals AS c (terminal_no, first_day, last_day) SELECT no, $2, $2 FROM unnest($1::integer[]) AS t (no)"
        " ORDER BY no ON CONFLICT (terminal_no) DO UPDATE SET first_day = LEAST(c.first_day, $2), last_day = GREATEST(c.last_day, $2)"
        " WHERE $2 NOT BETWEEN c.first_day AND c.last_day",
        list(terminals),
        day_of(day),
    )


async def discard(conn: Connection, files: Sequence[str]) -> None:
    """From this transaction on these files are read no more."""
    await conn.execute(
        "UPDATE cold_files SET state = 'discarded', changed_at = now() WHERE file = ANY($1::text[])",
        list(files),
    )


async def discard_before(conn: Connection, day: int) -> list[str]:
    """The files of the days before ``day`` are read no more: they are past the retention; their names."""
    rows = await conn.fetch(
        "UPDATE cold_files SET state = 'discarded', changed_at = now() WHERE state = 'cold' AND day < $1 RETURNING file",
        day_of(day),
    )
    if rows:
        await conn.execute("DELETE FROM cold_terminals WHERE last_day < $1", day_of(day))
    return sorted(row["file"] for row in rows)


async def left(conn: Connection, *, writing: bool) -> list[tuple[str, str]]:
    """(folder, file) of what may be removed: discarded a while ago; with ``writing`` also what was begun and never became cold,
    which only he may ask who knows that nobody writes."""
    rows = await conn.fetch(
        # Few among many: by the index of those that are not cold.
        "SELECT folder, file FROM cold_files WHERE state <> 'cold' AND changed_at <= now()"
        " AND ((state = 'discarded' AND changed_at < now() - $1::interval) OR ($2 AND state = 'writing')) ORDER BY changed_at, file",
        KEPT_DISCARDED,
        writing,
    )
    return [(row["folder"], row["file"]) for row in rows]


async def forget(conn: Connection, file: str) -> None:
    """The file is removed."""
    await conn.execute("DELETE FROM cold_files WHERE file = $1 AND state <> 'cold'", file)


async def watch(conn: Connection, partition: str, day: int) -> None:
    """From now on a row that is written to the partition of ``day`` is noted (``touched``). Commits when nobody is writing to it
    whose row would not be seen; raises asyncpg.LockNotAvailableError when that takes longer than two seconds."""
    async with conn.transaction():
        await conn.execute("SET LOCAL lock_timeout = '2s'")
        await conn.execute(
            f"CREATE OR REPLACE TRIGGER cold_touch AFTER INSERT OR UPDATE OR DELETE ON {partition}"
            f" FOR EACH ROW EXECUTE FUNCTION cold_touch('{day_of(day).isoformat()}')"
        )
        await unwatch(conn, day)


async def unwatch(conn: Connection, day: int) -> None:
    """Forget what was noted of ``day``."""
    await conn.execute("DELETE FROM cold_touched WHERE day = $1", day_of(day))


async def touched(conn: Connection, day: int) -> bool:
    """Whether a row was written to the partition of ``day`` since it is watched."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM cold_touched WHERE day = $1)", day_of(day)))


async def totals(conn: Connection) -> tuple[int, int, int, int]:
    """Days, files, rows and bytes that are cold."""
    row = await conn.fetchrow(
        "SELECT count(DISTINCT day), count(*), COALESCE(sum(rows), 0)::bigint, COALESCE(sum(bytes), 0)::bigint FROM cold_files"
        " WHERE state = 'cold'"
    )
    days, files, rows, size = row
    return days, files, rows, size


async def move_folder(conn: Connection, former: str, place: str) -> int:
    """All files of the folder ``former`` lie in ``place`` now; how many."""
    done = await conn.execute("UPDATE cold_files SET folder = $2 WHERE folder = $1", former, place)
    return affected(done)
