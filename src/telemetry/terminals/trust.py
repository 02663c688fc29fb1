"""Trust on first use: the first device (manufacturer, terminal id, plate) that registers with a phone number is remembered, and
another one is refused until the office accepts it or the terminal has been silent for long.

The protocol knows no secret before the first code: whoever knows a phone number may ask for one. Without this, asking again
would cut the true terminal off and let forged positions be stored as the vehicle's. The SQL of this part of ``terminals`` is here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runtime.connection import Connection
from telemetry.jt808.scalar.messages import Registration
from telemetry.terminals import notices
from telemetry.terminals.exchange import EXCHANGE_SILENCE_DAYS, plain_id

#: Devices of one notice that are remembered.
MAX_ASKED: Final = 5


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a phone number. ``office_said``: columns that are the office's word. ``first``: nobody has
    registered with it yet."""

    no: int
    office_said: Sequence[str]
    manufacturer: str
    device_id: str
    plate: str
    first: bool


def same_device(known: Known, asks: Registration) -> bool:
    """Whether the device that asks is the one that is remembered, or the one that the office named. Capitals and spaces
    around do not count, nor does a plate that one of both does not know."""
    if "device_id" in known.office_said:
        return plain_id(known.device_id) == plain_id(asks.device_id)
    if known.first:
        return True
    if "manufacturer" not in known.office_said and plain_id(known.manufacturer) != plain_id(
        asks.manufacturer
    ):
        return False
    plates = {plain_id(known.plate), plain_id(asks.plate)} - {""}
    return plain_id(known.device_id) == plain_id(asks.device_id) and len(plates) <= 1


@dataclass(frozen=True, slots=True)
class Decided:
    """``admitted``: phones whose device may have a code. ``office``: refused ones of which the office named another device;
    ``refused``: those of another device than the first."""

    admitted: frozenset[str]
    office: frozenset[str]
    refused: frozenset[str]


async def decide(conn: Connection, asking: Mapping[str, Registration]) -> Decided:
    """Who of ``asking`` (phone without leading zeros -> what it says), whose rows are locked, may have a code; the others wait
    for the office, and notices say so."""
    rows = await conn.fetch(
        "SELECT phone, no, office_said, manufacturer, device_id, plate, registered_at IS NULL FROM terminals"
        " WHERE enabled AND phone = ANY($1::text[])",
        list(asking),
    )
    known = {phone: Known(*rest) for phone, *rest in rows}
    others = {p: k for p, k in known.items() if not same_device(k, asking[p])}
    free = [p for p, k in others.items() if "device_id" not in k.office_said]
    silent = await _silent(conn, free) if free else frozenset()
    refused = frozenset(others) - silent
    await _wait(conn, {phone: asking[phone] for phone in refused})
    await _note(conn, {p: (known[p], asking[p]) for p in refused}, "device_refused")
    await _note(conn, {p: (known[p], asking[p]) for p in silent}, "device_accepted", by="silence")
    office = frozenset(p for p in refused if "device_id" in known[p].office_said)
    return Decided(frozenset(known) - refused, office, refused - office)


async def _silent(conn: Connection, phones: Sequence[str]) -> frozenset[str]:
    """The phones that have neither authenticated nor sent anything for the parameter's days."""
    rows = await conn.fetch(
        "WITH days AS (SELECT make_interval(days => COALESCE((SELECT value::integer FROM rule_parameters WHERE rule = 'terminal'"
        " AND name = 'exchange_silence_days' AND organisation IS NULL AND effective_from <= now()"
        " ORDER BY effective_from DESC LIMIT 1), $2)) AS long)"
        " SELECT t.phone FROM terminals t, days WHERE t.phone = ANY($1::text[])"
        " AND GREATEST(t.registered_at, t.seen_at) < now() - days.long AND NOT EXISTS (SELECT FROM positions p"
        " WHERE p.terminal_no = t.no AND p.received_at > now() - days.long AND p.device_time > now() - days.long - interval '1 day')"
        # Of days that are kept as files only the day is asked for: at worst a device is exchanged a day later.
        " AND NOT EXISTS (SELECT FROM cold_terminals c WHERE c.terminal_no = t.no AND c.last_day >= (now() - days.long)::date - 1)",
        phones,
        EXCHANGE_SILENCE_DAYS,
    )
    return frozenset(row["phone"] for row in rows)


async def _wait(conn: Connection, refused: Mapping[str, Registration]) -> None:
    await conn.execute(
        "UPDATE terminals t SET waiting_device = ARRAY[u.manufacturer, u.model, u.device_id, u.plate], waiting_since = now()"
        " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])"
        " AS u (phone, manufacturer, model, device_id, plate) WHERE t.phone = u.phone",
        list(refused),
        [one.manufacturer for one in refused.values()],
        [one.model for one in refused.values()],
        [one.device_id for one in refused.values()],
        [one.plate for one in refused.values()],
    )


async def _note(
    conn: Connection, devices: Mapping[str, tuple[Known, Registration]], kind: str, **more: str
) -> None:
    """One notice a phone, however many devices ask: what strangers can make is bounded. It has the terminal ids of the newest
    MAX_ASKED that have asked since it was settled."""
    before = await notices.details(conn, [known.no for known, _ in devices.values()], kind)
    await notices.put(
        conn,
        [
            notices.Notice(
                known.no, kind, "device",
                {
                    "remembered": [known.manufacturer, known.device_id, known.plate],
                    "asks": [asks.manufacturer, asks.device_id, asks.plate],
                    "asked": _asked(before.get(known.no, {}), asks.device_id),
                }
                | more,
            )
            for known, asks in devices.values()
        ],
    )  # fmt: skip


def _asked(before: Mapping[str, Any], device: str) -> list[str]:
    others = [one for one in before.get("asked", []) if plain_id(one) != plain_id(device)]
    return [*others, device][-MAX_ASKED:]


async def mark_seen(conn: Connection, numbers: Sequence[int]) -> None:
    """These terminals have authenticated; written once a day for each."""
    # Locked in the order of phones, as every other write of terminals does: two gateways cannot deadlock.
    await conn.execute(
        "WITH locked AS (SELECT no FROM terminals WHERE no = ANY($1::integer[])"
        " AND (seen_at IS NULL OR seen_at < now() - interval '1 day') ORDER BY phone FOR NO KEY UPDATE)"
        " UPDATE terminals t SET seen_at = now() FROM locked WHERE t.no = locked.no",
        numbers,
    )
