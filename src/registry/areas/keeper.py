"""Brings terminals to hold the fences that the office has chosen: a turn every few seconds, of one process at a time.

A turn hears of commands that have ended, finds what every terminal has to hold now, and asks the next command for each connected
terminal that differs: one at a time, differences only. All of it in one transaction; a kill at any moment is a turn that was not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from registry.areas.shapes import Refusal, Shape, shape_of
from registry.areas.steps import Held, Step, begin, doubted, heard, next_step, pause_s
from runtime.connection import Connection
from telemetry.commands.program import AREAS, Wanted, ask_all
from telemetry.commands.steps import CommandState

#: How often a turn has to be, in seconds.
EVERY_S: Final = 3.0
#: Rows of one turn, and terminals that are asked in one.
_ROWS: Final = 2_000
_TERMINALS: Final = 500
#: A command waits no longer: the next turn knows better what to send.
_LIFE: Final = timedelta(minutes=10)
#: Held to the end of the transaction.
_LOCK: Final = 0x676F6E67_66656E63  # "gongfenc"
_REASON: Final = "围栏下发 · a fence for the terminal"
#: Bytes of a name in a message of 2019.
_MOST_NAME: Final = 60

#: What every terminal has to hold now. A fence without vehicles is for those of its unit that no fence names.
_WANTED: Final = """
WITH held AS MATERIALIZED (SELECT id, version, organisation, vehicles FROM fences
      WHERE valid_from <= clock_timestamp() AND (valid_to IS NULL OR valid_to > clock_timestamp())),
     named AS (SELECT DISTINCT unnest(vehicles) AS id FROM held),
     chosen AS (SELECT f.* FROM held f WHERE EXISTS (SELECT FROM fences_sent_down s
      WHERE s.organisation = f.organisation AND s.fence IN ('', f.id))),
     pairs AS (SELECT c.id AS fence, c.version, c.organisation, v.no, v.id FROM chosen c JOIN vehicles v ON v.id = ANY (c.vehicles)
      UNION ALL SELECT c.id, c.version, c.organisation, v.no, v.id FROM chosen c JOIN vehicles v ON v.organisation = c.organisation
      WHERE c.vehicles = '{}' AND NOT EXISTS (SELECT FROM named n WHERE n.id = v.id))
SELECT b.terminal_no, p.fence, p.version, p.organisation, p.id AS vehicle
  FROM pairs p JOIN terminal_bindings b ON b.vehicle_no = p.no AND b.valid_from <= clock_timestamp()
   AND (b.valid_to IS NULL OR b.valid_to > clock_timestamp())
  JOIN terminals t ON t.no = b.terminal_no AND t.enabled
"""
_COLUMNS: Final = (
    "a.terminal_no, a.fence, a.area_id, a.wanted_version, a.wanted_shape, a.holds_version, a.may_hold, a.command_sets, a.command_shape,"
    " a.under_way, a.sure, a.failure, a.failures"
)
#: What differs, of connected terminals to which nothing is under way: one row a terminal.
_DIFFERENT: Final = f"""
SELECT DISTINCT ON (a.terminal_no) {_COLUMNS}, v.no AS vehicle_no, v.id AS vehicle
  FROM terminal_areas a JOIN terminal_presence p ON p.terminal_no = a.terminal_no
  JOIN terminal_bindings b ON b.terminal_no = a.terminal_no AND b.valid_from <= clock_timestamp()
   AND (b.valid_to IS NULL OR b.valid_to > clock_timestamp())
  JOIN vehicles v ON v.no = b.vehicle_no
 WHERE NOT a.under_way AND (a.failure IS NULL OR a.retry_at <= clock_timestamp())
   AND CASE WHEN a.wanted_version IS NULL THEN a.may_hold <> '{{}}' ELSE a.holds_version IS DISTINCT FROM a.wanted_version END
   AND NOT EXISTS (SELECT FROM terminal_areas o WHERE o.terminal_no = a.terminal_no AND o.under_way)
 ORDER BY a.terminal_no, a.wanted_version IS NOT NULL, a.area_id LIMIT $1
"""  # noqa: S608 - our own constants


class Keeper:
    """What one process remembers between turns: as of what it has found what is wanted."""

    def __init__(self) -> None:
        self._as_of: tuple[Any, ...] = ()

    async def turn(self, pool: Any) -> bool:
        """One turn; whether there is more to do at once."""
        async with pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(
                "SELECT EXISTS (SELECT FROM fences_sent_down) OR EXISTS (SELECT FROM terminal_areas)"
            ):
                return False
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                return False
            more = await _hear(connection)
            await _doubt(connection)
            # Versions begin and end by the clock, too: to the minute.
            as_of = tuple(
                await connection.fetchrow(
                    "SELECT (SELECT max(number) FROM change_commits), (SELECT count(*) FROM fences_sent_down),"
                    " (SELECT max(since) FROM fences_sent_down), date_trunc('minute', clock_timestamp())"
                )
            )
            if as_of != self._as_of:
                await _want(connection)
            more = await _ask(connection) or more
        self._as_of = as_of
        return more


def _held(row: Any) -> Held:
    version = row["wanted_version"]
    return Held(
        None if version is None else (version, row["wanted_shape"]), row["holds_version"], tuple(row["may_hold"]),
        Step(row["command_shape"], row["command_sets"]) if row["under_way"] else None, row["sure"], row["failure"], row["failures"],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Changed:
    """How a row stands now. ``command``: its last one, None = as it was."""

    row: Any
    held: Held
    command: int | None = None


async def _save(connection: Connection, changed: Sequence[_Changed], *, settled: bool) -> None:
    """``settled``: what the commands of these rows came to is known, since they ended."""
    await connection.execute(
        "UPDATE terminal_areas a SET holds_version = u.holds, may_hold = string_to_array(u.may, ','), under_way = u.step IS NOT NULL,"
        " command_sets = CASE WHEN u.step IS NULL THEN a.command_sets ELSE u.sets END, command_shape = COALESCE(u.step, a.command_shape),"
        " sure = u.sure, failure = u.failure, failures = u.failures, retry_at = clock_timestamp() + u.pause * interval '1 s',"
        " command = COALESCE(u.command, a.command),"
        " settled_at = CASE WHEN $12 THEN COALESCE((SELECT c.ended_at FROM terminal_commands c WHERE c.no = a.command), a.settled_at)"
        " ELSE a.settled_at END"
        " FROM unnest($1::integer[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::integer[], $7::boolean[], $8::text[],"
        " $9::integer[], $10::double precision[], $11::bigint[])"
        " AS u (terminal, fence, holds, may, step, sets, sure, failure, failures, pause, command)"
        " WHERE a.terminal_no = u.terminal AND a.fence = u.fence",
        [one.row["terminal_no"] for one in changed],
        [one.row["fence"] for one in changed],
        [one.held.holds for one in changed],
        [",".join(one.held.may_hold) for one in changed],
        [None if one.held.step is None else one.held.step.shape for one in changed],
        [None if one.held.step is None else one.held.step.version for one in changed],
        [one.held.sure for one in changed],
        [one.held.failure for one in changed],
        [one.held.failures for one in changed],
        [pause_s(one.held) for one in changed],
        [one.command for one in changed],
        settled,
    )


async def _hear(connection: Connection) -> bool:
    """What became of the commands that were under way."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS}, c.state, c.failure AS why, c.attempt FROM terminal_areas a JOIN terminal_commands c ON c.no = a.command"  # noqa: S608 - our own constants
        " WHERE a.under_way AND c.ended_at IS NOT NULL ORDER BY a.terminal_no, a.fence LIMIT $1",
        _ROWS,
    )
    if rows:
        changed = [
            _Changed(row, heard(_held(row), CommandState(row["state"]), row["why"], sent=row["attempt"] > 0))
            for row in rows
        ]
        await _save(connection, changed, settled=True)
    return len(rows) == _ROWS


async def _doubt(connection: Connection) -> None:
    """Terminals that have registered, or were restarted by the office, since it was last known what they hold."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM terminal_areas a JOIN terminals t ON t.no = a.terminal_no WHERE NOT a.under_way"  # noqa: S608 - our own constants
        " AND (a.holds_version IS NOT NULL OR a.failure IS NOT NULL) AND (t.registered_at > a.settled_at OR EXISTS (SELECT"
        " FROM terminal_commands c WHERE c.kind = 'reset' AND c.terminal_no = a.terminal_no AND c.state = 'delivered'"
        " AND c.ended_at > a.settled_at)) ORDER BY a.terminal_no, a.fence LIMIT $1",
        _ROWS,
    )
    if rows:
        await _save(connection, [_Changed(row, doubted(_held(row))) for row in rows], settled=False)
        await connection.execute(
            "UPDATE terminal_areas a SET settled_at = clock_timestamp() FROM unnest($1::integer[], $2::text[]) AS u (terminal, fence)"
            " WHERE a.terminal_no = u.terminal AND a.fence = u.fence",
            [row["terminal_no"] for row in rows],
            [row["fence"] for row in rows],
        )


async def _want(connection: Connection) -> None:
    """What has to be where now."""
    pairs = await connection.fetch(_WANTED)
    versions = sorted({(row["fence"], row["version"]) for row in pairs})
    fences = sorted({fence for fence, _ in versions})
    await connection.execute(
        "INSERT INTO fence_areas (fence) SELECT f FROM unnest($1::text[]) AS u (f) WHERE NOT EXISTS (SELECT FROM fence_areas a"
        " WHERE a.fence = u.f) ON CONFLICT (fence) DO NOTHING",
        fences,
    )
    shapes = await _shapes(connection, versions)
    given = [(row, shapes.get((row["fence"], row["version"]), "unreadable")) for row in pairs]
    await connection.execute(
        "WITH given AS (SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::text[])"
        " AS u (terminal, fence, unit, vehicle, version, shape, refusal)),"
        " gone AS (UPDATE terminal_areas a SET wanted_version = NULL, wanted_shape = NULL, refusal = NULL, failure = NULL, failures = 0,"
        " retry_at = NULL WHERE (a.wanted_version IS NOT NULL OR a.refusal IS NOT NULL) AND NOT EXISTS (SELECT FROM given g"
        " WHERE g.terminal = a.terminal_no AND g.fence = a.fence))"
        " INSERT INTO terminal_areas AS a (terminal_no, fence, organisation, vehicle, area_id, wanted_version, wanted_shape, refusal)"
        " SELECT g.terminal, g.fence, g.unit, g.vehicle, f.area_id, g.version, g.shape, g.refusal FROM given g JOIN fence_areas f"
        " ON f.fence = g.fence ON CONFLICT (terminal_no, fence) DO UPDATE SET organisation = excluded.organisation,"
        " vehicle = excluded.vehicle, wanted_version = excluded.wanted_version, wanted_shape = excluded.wanted_shape,"
        " refusal = excluded.refusal, failure = NULL, failures = 0, retry_at = NULL"
        " WHERE (a.organisation, a.vehicle, a.wanted_version, a.wanted_shape, a.refusal) IS DISTINCT FROM"
        " (excluded.organisation, excluded.vehicle, excluded.wanted_version, excluded.wanted_shape, excluded.refusal)",
        [row["terminal_no"] for row, _ in given],
        [row["fence"] for row, _ in given],
        [row["organisation"] for row, _ in given],
        [row["vehicle"] for row, _ in given],
        [row["version"] if isinstance(shape, Shape) else None for row, shape in given],
        [shape.name if isinstance(shape, Shape) else None for _, shape in given],
        [None if isinstance(shape, Shape) else shape for _, shape in given],
    )
    await connection.execute(
        "DELETE FROM terminal_areas WHERE wanted_version IS NULL AND refusal IS NULL AND may_hold = '{}' AND NOT under_way"
    )


async def _shapes(
    connection: Connection, versions: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], Shape | Refusal]:
    rows = await connection.fetch(
        "SELECT f.id, f.version, f.geometry FROM unnest($1::text[], $2::integer[]) AS u (id, version)"
        " JOIN fences f ON f.id = u.id AND f.version = u.version",
        [fence for fence, _ in versions],
        [version for _, version in versions],
    )
    return {(row["id"], row["version"]): shape_of(row["geometry"]) for row in rows}


@dataclass(frozen=True, slots=True)
class _Next:
    """What is asked of a terminal. ``key`` names the command: the row knows of it in the same transaction, so it is never asked again."""

    row: Any
    held: Held
    step: Step
    key: str


async def _ask(connection: Connection) -> bool:
    """The next command of each terminal that differs."""
    rows = await connection.fetch(_DIFFERENT, _TERMINALS)
    nexts = [
        _Next(row, held, step, uuid4().hex)
        for row in rows
        if (step := next_step(held := _held(row))) is not None
    ]
    setting = sorted({(one.row["fence"], one.step.version) for one in nexts if one.step.version is not None})
    shapes = await _shapes(connection, setting) if setting else {}
    named = await connection.fetch(
        "SELECT DISTINCT ON (id) id, name FROM fences WHERE id = ANY($1::text[]) ORDER BY id, version DESC",
        sorted({fence for fence, _ in setting}),
    )
    names = {row["id"]: _name(row["name"]) for row in named}
    wanted = [
        Wanted(one.key, one.row["vehicle_no"], "areas", fields, _REASON, _LIFE, one.row["terminal_no"])
        for one in nexts
        if (fields := _fields(one, shapes, names)) is not None
    ]
    asked = await ask_all(connection, AREAS, wanted)
    begun = [
        _Changed(one.row, begin(one.held, one.step), asked[one.key]) for one in nexts if one.key in asked
    ]
    if begun:
        await _save(connection, begun, settled=False)
    # Too much waits for the others: not before a minute.
    full = [one.row for one in nexts if one.key not in asked]
    if full:
        await connection.execute(
            "UPDATE terminal_areas a SET failure = 'no_room', retry_at = clock_timestamp() + interval '1 min'"
            " FROM unnest($1::integer[], $2::text[]) AS u (terminal, fence) WHERE a.terminal_no = u.terminal AND a.fence = u.fence",
            [row["terminal_no"] for row in full],
            [row["fence"] for row in full],
        )
    return len(rows) == _TERMINALS


def _fields(
    one: _Next, shapes: Mapping[tuple[str, int], Shape | Refusal], names: Mapping[str, str]
) -> dict[str, Any] | None:
    """Those of the command; None: this program does not send such a shape any more, and the next turn knows it."""
    fence, step = one.row["fence"], one.step
    fields: dict[str, Any] = {"fence": fence, "id": one.row["area_id"], "shape": step.shape}
    if step.version is None:
        return fields | {"action": "delete"}
    shape = shapes.get((fence, step.version))
    if not isinstance(shape, Shape) or shape.name != step.shape:
        return None
    set_as = {"action": "set", "version": step.version, "there": step.there, "name": names.get(fence, "")}
    return fields | set_as | {"place": shape.place}


def _name(name: str) -> str:
    """A name as a terminal can show it."""
    return name.encode("gbk", "ignore")[:_MOST_NAME].decode("gbk", "ignore")
