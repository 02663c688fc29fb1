"""Commands that the program asks by itself, many at once: reminders to drivers, areas for terminals. As the owner of the tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from runtime.connection import Connection
from telemetry.commands.asking import MOST_WAITING
from telemetry.commands.kinds import KINDS
from telemetry.commands.steps import CommandStep, begun
from telemetry.commands.thread import CHANNEL


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the program that asks: a subject of its own. ``id`` stands in the audit, ``name`` is what people read."""

    id: str
    name: str

    @property
    def key(self) -> str:
        """As subjects have it: no person has such a one."""
        return f"program:{self.id}"


REMINDERS: Final = Part("reminders", "系统提醒 · reminders")
AREAS: Final = Part("areas", "围栏下发 · fences")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A command for the vehicle ``vehicle`` (its number). ``key`` names it: the same again is the same command. ``terminal``: which
    one (its number), None = the one that is connected, else the first."""

    key: str
    vehicle: int
    kind: str
    fields: Mapping[str, Any]
    reason: str
    life: timedelta
    terminal: int | None = None


_TERMINALS: Final = """
SELECT DISTINCT ON (w.place) w.place, v.id, v.organisation, b.terminal_no
  FROM unnest($1::integer[], $2::integer[]) WITH ORDINALITY AS w (vehicle, terminal, place)
  JOIN vehicles v ON v.no = w.vehicle
  JOIN terminal_bindings b ON b.vehicle_no = v.no AND b.valid_from <= clock_timestamp()
   AND (b.valid_to IS NULL OR b.valid_to > clock_timestamp()) AND (w.terminal IS NULL OR w.terminal = b.terminal_no)
  JOIN terminals t ON t.no = b.terminal_no AND t.enabled
  LEFT JOIN terminal_presence p ON p.terminal_no = t.no
 ORDER BY w.place, p.terminal_no IS NULL, t.no
"""


async def ask_all(connection: Connection, part: Part, wanted: Sequence[Wanted]) -> dict[str, int]:
    """The numbers of the commands by key, in the caller's transaction. Those are missing that were asked for before, whose vehicle
    has no enabled terminal now, or for whose terminal ``asking.MOST_WAITING`` commands wait."""
    if not wanted:
        return {}
    found = await connection.fetch(
        _TERMINALS, [one.vehicle for one in wanted], [one.terminal for one in wanted]
    )
    full = await _full(connection, sorted({row["terminal_no"] for row in found}))
    rows = [(wanted[row["place"] - 1], row) for row in found if row["terminal_no"] not in full]
    if not rows:
        return {}
    before = await connection.fetchval("SELECT current_setting('gongche.actor', true)")
    actor = {"kind": "program", "id": part.id, "name": part.name, "operation": f"program {part.id}"}
    await connection.execute(
        "SELECT set_config('gongche.actor', $1, true)", json.dumps(actor, ensure_ascii=False)
    )
    made = await connection.fetch(
        "INSERT INTO terminal_commands (organisation, vehicle, terminal_no, kind, fields, reason, asked_by, asked_by_name, persons, key,"
        " expires_at, state, events) SELECT unit, vehicle, terminal, kind, fields::jsonb, reason, $1, $2, ARRAY[$1], key,"
        " clock_timestamp() + life, state, 1 FROM unnest($3::text[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::text[],"
        " $9::text[], $10::interval[], $11::text[]) AS u (unit, vehicle, terminal, kind, fields, reason, key, life, state)"
        " ON CONFLICT (asked_by, key) DO NOTHING RETURNING no, key, reason",
        part.key,
        part.name,
        [row["organisation"] for _, row in rows],
        [row["id"] for _, row in rows],
        [row["terminal_no"] for _, row in rows],
        [one.kind for one, _ in rows],
        [json.dumps(dict(one.fields), ensure_ascii=False) for one, _ in rows],
        [one.reason for one, _ in rows],
        [one.key for one, _ in rows],
        [min(one.life, KINDS[one.kind].most) for one, _ in rows],
        [begun(one.kind).state for one, _ in rows],
    )
    await connection.execute("SELECT set_config('gongche.actor', $1, true)", before or "")
    await connection.execute(
        "INSERT INTO terminal_command_events (command, number, step, actor, actor_name, reason)"
        " SELECT no, 1, $1, $2, $3, reason FROM unnest($4::bigint[], $5::text[]) AS u (no, reason)",
        CommandStep.ASKED, part.key, part.name, [row["no"] for row in made], [row["reason"] for row in made],
    )  # fmt: skip
    if made:
        await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
    return {row["key"]: row["no"] for row in made}


async def _full(connection: Connection, terminals: Sequence[int]) -> set[int]:
    """Those of ``terminals`` for which no more commands may wait."""
    rows = await connection.fetch(
        "SELECT terminal_no FROM terminal_commands WHERE terminal_no = ANY($1::integer[]) AND state IN ('proposed', 'queued')"
        " GROUP BY terminal_no HAVING count(*) >= $2",
        terminals, MOST_WAITING,
    )  # fmt: skip
    return {row["terminal_no"] for row in rows}
