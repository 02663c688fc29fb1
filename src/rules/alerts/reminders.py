"""What drivers were reminded of (docs/reminders.md): all SQL of the table ``reminders``.

A reminder is a command to the terminal, asked in the transaction of the worker that saw its reason; how it went is what the thread of
the command says. It belongs to the alerts of its vehicle within whose time its fix lies, and to those of which its overdue order is a
part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rules.alerts.feed import evidence_of
from rules.alerts.model import Alert
from rules.evidence import parse
from rules.evidence_parts import Reminder
from runtime.connection import Connection
from runtime.units import from_us, to_us

#: Rules whose alerts are about a time that a vehicle drove, and whose evidence has what its driver was told in it.
RULES: Final = frozenset({"location", "off_hours"})
#: An order that is a part of an alert has been overdue for no longer (``registry.facts.order_notes``).
OVERDUE_DAYS: Final = 31
#: Reminders of one alert that are shown.
MOST_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Made:
    """A reminder that was asked. ``key`` names its episode, ``about_us``: the fix that shows it, ``command``: its number."""

    key: str
    condition: str
    vehicle: int
    order: str | None
    about_us: int
    command: int


@dataclass(frozen=True, slots=True)
class Before:
    """What a vehicle was told of one condition: when last, and how often since the beginning of the day."""

    last_us: int
    today: int


async def told_before(
    conn: Connection, vehicles: Sequence[int], since_us: int, today_us: int
) -> dict[tuple[int, str], Before]:
    """(vehicle, condition) -> what was asked since ``since_us``; ``today_us``: the beginning of the day."""
    rows = await conn.fetch(
        "SELECT vehicle_no, condition, max(asked_at) AS last, count(*) FILTER (WHERE asked_at >= $3) AS today FROM reminders"
        " WHERE vehicle_no = ANY($1::integer[]) AND asked_at >= $2 GROUP BY vehicle_no, condition",
        vehicles, from_us(since_us), from_us(today_us),
    )  # fmt: skip
    return {(r["vehicle_no"], r["condition"]): Before(to_us(r["last"]), r["today"]) for r in rows}


async def known_keys(conn: Connection, keys: Sequence[str]) -> set[str]:
    """Those of ``keys`` that were told already."""
    rows = await conn.fetch("SELECT key FROM reminders WHERE key = ANY($1::text[])", keys)
    return {row["key"] for row in rows}


async def write(conn: Connection, made: Sequence[Made], now_us: int) -> None:
    """Keep ``made``, whose commands were asked at ``now_us`` in this transaction."""
    await conn.execute(
        "INSERT INTO reminders (key, condition, organisation, vehicle, vehicle_no, order_id, about, asked_at, command)"
        " SELECT u.key, u.condition, c.organisation, c.vehicle, u.vehicle, u.of_order, u.about, $7, c.no"
        " FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::timestamptz[], $6::bigint[])"
        " AS u (key, condition, vehicle, of_order, about, command) JOIN terminal_commands c ON c.no = u.command",
        [one.key for one in made],
        [one.condition for one in made],
        [one.vehicle for one in made],
        [one.order for one in made],
        [from_us(one.about_us) for one in made],
        [one.command for one in made],
        from_us(now_us),
    )


#: The terminal's confirmation is an event of the command, and so is why it failed.
_SHOWN: Final = (
    "r.condition, r.order_id, r.about, r.asked_at, r.command, r.vehicle_no, c.fields ->> 'text' AS text, c.state, c.failure,"
    " (SELECT min(e.at) FROM terminal_command_events e WHERE e.command = c.no AND e.step = 'delivered') AS confirmed_at"
)


async def for_evidence(
    conn: Connection, wanted: Sequence[tuple[int, int, int]], orders: Sequence[Sequence[str]]
) -> list[list[Reminder]]:
    """For each (vehicle number, from, to) what its driver was told in it, or of one of its ``orders`` that are overdue, as far as that
    is known now, by number of the command."""
    if not wanted or not await conn.fetchval("SELECT EXISTS (SELECT FROM reminders)"):
        return [[] for _ in wanted]
    rows = await conn.fetch(
        f"SELECT {_SHOWN} FROM reminders r JOIN terminal_commands c ON c.no = r.command WHERE r.vehicle_no = ANY($1::integer[])"  # noqa: S608 - our own constants
        " AND (r.about BETWEEN $2 AND $3 OR r.order_id = ANY($4::text[])) ORDER BY r.command",
        sorted({no for no, _, _ in wanted}),
        from_us(max(0, min(since for _, since, _ in wanted))),
        from_us(max(until for _, _, until in wanted)),
        sorted({order for its in orders for order in its}),
    )
    of_vehicle: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        of_vehicle[row["vehicle_no"]].append(row)
    return [
        [
            _frozen(row)
            for row in of_vehicle[no]
            if since <= to_us(row["about"]) <= until or row["order_id"] in its
        ]
        for (no, since, until), its in zip(wanted, orders, strict=True)
    ]


def _frozen(row: Mapping[str, Any]) -> Reminder:
    confirmed: datetime | None = row["confirmed_at"]
    return {
        "command": row["command"],
        "condition": row["condition"],
        "order": row["order_id"],
        "text": row["text"] or "",
        "fix_us": to_us(row["about"]),
        "asked_us": to_us(row["asked_at"]),
        "state": row["state"],
        "confirmed_us": None if confirmed is None else to_us(confirmed),
    }


async def of_alert(conn: Connection, alert: Alert) -> list[dict[str, Any]]:
    """What the driver was told in the time of an alert, and what else its evidence names, as it stands now: the first first."""
    if alert.vehicle is None or alert.rule not in RULES:
        return []
    rows = await conn.fetch(
        f"SELECT {_SHOWN} FROM reminders r JOIN terminal_commands c ON c.no = r.command WHERE r.vehicle = $1"  # noqa: S608 - our own constants
        " AND r.about >= $2::timestamptz - $4 * interval '1 day' AND ($3::timestamptz IS NULL OR r.about <= $3::timestamptz + interval '1 day')"
        " ORDER BY r.no DESC LIMIT $5",
        alert.vehicle, alert.occurred_from, alert.occurred_to, float(OVERDUE_DAYS), MOST_SHOWN,
    )  # fmt: skip
    within = [_within(alert, row["about"]) for row in rows]
    named = set() if all(within) else await _named(conn, alert)
    return [
        {name: row[name] for name in ("command", "condition", "text", "about", "asked_at", "state", "failure", "confirmed_at")}
        for row, its in zip(reversed(rows), reversed(within), strict=True)
        if its or row["command"] in named
    ]  # fmt: skip


def _within(alert: Alert, about: datetime) -> bool:
    return alert.occurred_from <= about and (alert.occurred_to is None or about <= alert.occurred_to)


async def _named(conn: Connection, alert: Alert) -> set[int]:
    """The commands of the reminders that the evidence of an alert names."""
    kept = await evidence_of(conn, alert.id, alert.version)
    return set() if kept is None else {one["command"] for one in parse(kept.body).get("reminders", [])}
