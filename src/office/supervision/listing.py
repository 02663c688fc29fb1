"""Cases as they are shown: lists, counts, one with its thread and what the caller may do now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from office.identity.scope import FEW_UNITS, in_order
from office.supervision import cases
from office.supervision.actors import Actor, Sight, sight
from office.supervision.attachments import files_of
from office.supervision.cases import Entry, Thread
from office.supervision.commanding import helping_unit, possible, seen
from office.supervision.deadlines import Colour, Deadlines, Due
from office.supervision.states import OVER, STATE_NAMES, STEP_NAMES, State
from office.supervision.words import SAID
from registry.organisations import parents_of, units_above, units_below
from rules.alerts.conditions import Conditions
from runtime.connection import Connection

_ROW: Final = (
    "c.id, c.organisation, c.number, c.state, c.version, c.source, c.level, c.title, c.vehicle, c.external_no, c.finding,"
    " c.reminders, c.announced, c.proposal, c.created_at, c.issued_at, c.due_on, c.undetermined,"
    " CASE WHEN c.undetermined THEN 'grey' WHEN c.due_on IS NULL THEN 'none' WHEN c.due_on < {today} THEN 'red'"
    " WHEN c.yellow_from <= {today} THEN 'yellow' ELSE 'green' END AS colour"
)
_OWN: Final = (
    "c.id, c.organisation, c.number, c.state, c.version, c.source, c.level, c.title, c.vehicle, c.external_no, c.finding,"
    " c.reminders, c.announced, c.proposal, c.created_at, c.issued_at, c.due_on, c.yellow_from, c.undetermined"
)
_MASKED: Final = (
    _OWN.replace("c.title", "'涉密车辆督办'").replace("c.external_no", "NULL").replace("c.proposal", "NULL")
)
#: The same as conditions, so that an index finds the few.
_OF_COLOUR: Final = {
    Colour.RED: "c.due_on < {today}",
    Colour.YELLOW: "c.due_on >= {today} AND c.yellow_from <= {today}",
    Colour.GREEN: "c.due_on >= {today} AND c.yellow_from > {today}",
    Colour.GREY: "c.undetermined",
    Colour.NONE: "c.due_on IS NULL AND NOT c.undetermined",
}


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """None = any. ``organisation``: with the units below it. ``due_from``, ``due_to``: days, both included. ``created_from``,
    ``created_to`` (half open): when it was drafted."""

    state: State | None = None
    colour: Colour | None = None
    source: str | None = None
    organisation: str | None = None
    vehicle: str | None = None
    alert: str | None = None
    due_from: date | None = None
    due_to: date | None = None
    finding: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    proposal: str | None = None


By = Literal["created", "due", "number"]
#: Of each order the column, as the table ``c`` has it; None of it comes last, newest first.
_COLUMNS: Final[dict[By, str]] = {"created": "created_at", "due": "due_on", "number": "number"}


@dataclass(frozen=True, slots=True)
class Order:
    """``created``: when it was drafted; ``due``: by the end of the unit's term; ``number``: by number. What has no term, or no number, comes
    last, newest first."""

    by: By = "created"
    ascending: bool = False


NEWEST: Final = Order()


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which case a page begins: ``value`` of the column of its order, its id. ``last``: it is among those that have none; then
    ``value`` is when it was drafted."""

    value: datetime | date | str
    id: str
    last: bool = False


async def list_cases(
    connection: Connection,
    actor: Actor,
    filters: CaseFilter,
    *,
    limit: int,
    order: Order = NEWEST,
    after: Place | None = None,
) -> tuple[list[dict[str, Any]], Place | None]:
    """Cases that the caller may see, in ``order``, behind ``after``; and where the next page begins, None = there are no others."""
    sees = await sight(connection, actor.subject)
    place = await _shown_from(connection, filters)
    parts = [(order, False)] if order.by == "created" else [(order, False), (NEWEST, True)]
    found: list[dict[str, Any]] = []
    for part, last in parts:
        if after is not None and after.last and not last:
            continue
        behind = after if after is not None and after.last == last else None
        asked = Conditions()
        row = await _asked(connection, sees, filters, asked)
        column = _COLUMNS[part.by]
        if order.by != "created":
            asked.add(f"c.{_COLUMNS[order.by]} IS {'' if last else 'NOT '}NULL")
        less, more, way = (">", "<", "") if part.ascending else ("<", ">", " DESC")
        # Where two are equal the ids go the other way (no two have one number); the first condition says where in the index to begin.
        ties = "" if part.by == "number" else f", c.id{' DESC' if part.ascending else ''}"
        if behind is not None:
            asked.add(f"c.{column} {less}= {{}} AND (c.{column} {less} {{}} OR c.id {more} {{}})", behind.value, behind.value, behind.id)  # fmt: skip
        most = asked.argument(limit - len(found))
        sql = f"SELECT {row} FROM {place} c{asked.where} ORDER BY c.{column}{way}{ties} LIMIT {most}"  # noqa: S608 - constants
        few = last and order.by == "number"  # drafts: their own index finds them
        async with in_order(connection, place == "cases" and not few and _walks(sees, filters)):
            found += [_row_of(one, sees) for one in await connection.fetch(sql, *asked.arguments)]
        if len(found) == limit:
            return found, Place(found[-1][column], found[-1]["id"], last)
    return found, None


def _row_of(found: Any, sees: Sight) -> dict[str, Any]:
    """A row as it is shown: what is proposed is a matter of the office."""
    row = dict(found)
    return row if sees.office(row["organisation"]) else row | {"proposal": None}


#: What an index has beside the order of the lists.
_WALKED: Final = frozenset({"state", "source", "finding"})


def _walks(sees: Sight, filters: CaseFilter) -> bool:
    """Whether the list is read along an index: of all cases, or of some states, sources or findings, in many units (but not in all:
    then the database finds it by itself)."""
    named = {name for name in CaseFilter.__slots__ if getattr(filters, name) is not None}
    if not named <= _WALKED:
        return False
    return sees.all is not None and sees.issued is not None and len(sees.all | sees.issued) > FEW_UNITS


async def _shown_from(connection: Connection, filters: CaseFilter) -> str:
    """SQL: where cases are listed from: with those about secret vehicles that the caller must not see, masked
    (migrations/0036_secrecy.sql), where there are any. Who asks for a vehicle or an alert does not find them by it."""
    if filters.vehicle is not None or filters.alert is not None:
        return "cases"
    if not await connection.fetchval("SELECT cardinality(hidden_nos())"):
        return "cases"
    return f"(SELECT {_OWN} FROM cases c UNION ALL SELECT {_MASKED} FROM masked_cases() c)"  # noqa: S608 - constants


async def count_cases(connection: Connection, actor: Actor, filters: CaseFilter) -> dict[str, dict[str, int]]:
    """Numbers of cases by state and by colour (of those that are with a unit)."""
    sees = await sight(connection, actor.subject)
    place = await _shown_from(connection, filters)
    named = {name for name in CaseFilter.__slots__ if getattr(filters, name) is not None}
    if place == "cases" and named <= _COUNTED and not await _helped(connection, sees):
        found = await _counted(connection, sees, filters)
    else:
        asked = Conditions()
        row = await _asked(connection, sees, filters, asked)
        found = await connection.fetch(
            f"SELECT state, colour, count(*) AS n FROM (SELECT {row} FROM {place} c{asked.where}) f"  # noqa: S608 - constants
            " GROUP BY state, colour",
            *asked.arguments,
        )
    states = dict.fromkeys(map(str, State), 0)
    colours = {str(colour): 0 for colour in Colour if colour is not Colour.NONE}
    for each in found:
        states[each["state"]] += each["n"]
        if each["colour"] in colours:
            colours[each["colour"]] += each["n"]
    return {"states": states, "colours": colours}


#: What ``counted_cases`` can be asked for.
_COUNTED: Final = frozenset({"organisation", "source"})


async def _counted(connection: Connection, sees: Sight, filters: CaseFilter) -> Sequence[Any]:
    """The numbers from the indexes (migrations/0047_counts_and_closings.sql). Not where something is hidden from the reader."""
    whole = sees.all
    part = frozenset(await parents_of(connection)) if sees.issued is None else sees.issued
    if filters.organisation is not None:
        below = await units_below(connection, [filters.organisation])
        whole, part = below if whole is None else below & whole, below & part
    part = frozenset() if whole is None else part - whole
    found: Sequence[Any] = await connection.fetch(
        "SELECT state, colour, n FROM counted_cases($1, $2, $3, $4)",
        None if whole is None else sorted(whole), sorted(part), filters.source,
        await cases.today_of(connection),
    )  # fmt: skip
    return found


async def count_open(
    connection: Connection, actor: Actor, before: Sequence[datetime]
) -> dict[State, list[int]]:
    """Numbers of open cases by state and age: of those that were drafted at ``before[0]`` or later, at ``before[1]`` or later but before
    ``before[0]``, ..., before the last one. ``before``: times, the newest first."""
    asked, sees = Conditions(), await sight(connection, actor.subject)
    await _only_seen(connection, asked, sees)
    asked.add("c.state <> ALL({}::text[])", sorted(map(str, OVER)))
    place = await _shown_from(connection, CaseFilter())
    # width_bucket counts the bounds that are not after the value: of ascending ones.
    bounds = asked.argument(sorted(before))
    rows = await connection.fetch(
        f"SELECT state, width_bucket(created_at, {bounds}::timestamptz[]) AS part, count(*) AS n FROM {place} c{asked.where}"  # noqa: S608 - constants
        " GROUP BY 1, 2",
        *asked.arguments,
    )
    found = {state: [0] * (len(before) + 1) for state in State if state not in OVER}
    for row in rows:
        found[State(row["state"])][len(before) - row["part"]] += row["n"]
    return found


async def _asked(connection: Connection, sees: Sight, filters: CaseFilter, asked: Conditions) -> str:
    """Adds to ``asked`` what is asked for; the columns of a row."""
    today = await cases.today_of(connection)
    place = f"{asked.argument(today)}::date"
    row = _ROW.format(today=place)
    if filters.colour is not None:
        asked.add(_OF_COLOUR[filters.colour].format(today=place))
    await _only_seen(connection, asked, sees)
    if filters.proposal is not None:
        asked.add("c.proposal = {}", filters.proposal)
        if sees.all is not None:  # others are not told of it
            asked.add("c.organisation = ANY({}::text[])", sorted(sees.all))
    for column in ("state", "source", "vehicle", "finding"):
        value = getattr(filters, column)
        if value is not None:
            asked.add(f"c.{column} = {{}}", str(value))
    if filters.organisation is not None:
        below = sorted(await units_below(connection, [filters.organisation]))
        asked.add("c.organisation = ANY({}::text[])", below)
    if filters.alert is not None:
        asked.add(
            "c.id IN (SELECT l.case_id FROM case_links l WHERE l.kind = 'alert' AND l.ref = {})",
            filters.alert,
        )
    if filters.due_from is not None:
        asked.add("c.due_on >= {}", filters.due_from)
    if filters.due_to is not None:
        asked.add("c.due_on <= {}", filters.due_to)
    if filters.created_from is not None:
        asked.add("c.created_at >= {}", filters.created_from)
    if filters.created_to is not None:
        asked.add("c.created_at < {}", filters.created_to)
    return row


async def _only_seen(connection: Connection, asked: Conditions, sees: Sight) -> None:
    if sees.all is None:
        return
    everything = sorted(sees.all)
    helped = await _helped(connection, sees)
    if helped:  # rarely: the lists of all others are read as if there were no units that help
        asked.add(
            "(c.organisation = ANY({}::text[]) OR c.number IS NOT NULL AND c.organisation = ANY({}::text[]) OR c.id = ANY({}::text[]))",
            everything,
            sorted(sees.issued or ()),
            helped,
        )
        return
    if sees.issued is None:
        asked.add("(c.organisation = ANY({}::text[]) OR c.number IS NOT NULL)", everything)
    else:
        asked.add(
            "(c.organisation = ANY({}::text[]) OR c.number IS NOT NULL AND c.organisation = ANY({}::text[]))",
            everything,
            sorted(sees.issued),
        )


async def _helped(connection: Connection, sees: Sight) -> list[str]:
    """The cases of other units in which units of the caller help."""
    if sees.all is None or sees.issued is None:
        return []
    found: list[str] = await connection.fetchval("SELECT helped_cases($1)", sorted(sees.all | sees.issued))
    return found


async def show_case(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """One case: contents, thread, deadlines, files, and what the caller may do now. Raises NotThereError."""
    thread, sees = await seen(connection, actor, id)
    case = thread.case
    clocks = await cases.load_clocks(connection)
    today = await cases.today_of(connection)
    found = clocks.deadlines(case, today)
    helping = await helping_unit(connection, actor, case)
    above = await units_above(connection, case.organisation)
    steps = possible(
        actor,
        case,
        found,
        today,
        above,
        frozenset() if helping is None else await units_above(connection, helping),
    )
    office = sees.office(case.organisation)
    return {
        "id": id,
        "organisation": case.organisation,
        "number": case.number,
        "state": case.state,
        "state_name": STATE_NAMES[case.state],
        "version": case.version,
        "contents": _contents(case.contents, office=office),
        "finding": case.finding,
        "reminders": case.reminders,
        "announced": case.announced,
        "withdrawn_alerts": list(case.withdrawn_alerts) if office else [],
        "proposal": case.proposal if office else None,
        "created_at": thread.entries[0].event.at,
        "deadlines": _deadlines(found),
        "may": [
            {"step": step, "name": STEP_NAMES[step], "refused": None if why is None else SAID[why]}
            for step, why in steps
        ],
        "thread": _thread(thread, sees),
        "attachments": await files_of(connection, id),
    }


def _contents(contents: Any, *, office: bool) -> dict[str, Any]:
    """A draft as it is shown. The unit does not see which complaint is behind it: its caller could be asked for."""
    shown = dict(contents)
    if not office:
        shown.pop("complaint", None)
        if "hotline" in shown:
            shown["hotline"] = {k: v for k, v in shown["hotline"].items() if k != "complaint"}
    return shown


def _thread(thread: Thread, sees: Sight) -> list[dict[str, Any]]:
    """The entries that the caller sees: of what is internal the office all, the unit and each that helps its own."""
    case, office = thread.case, sees.office(thread.case.organisation)
    own = sees.issued is None or case.organisation in sees.issued
    helping = sees.helping(case.helpers)
    return [
        _shown(entry, office=office)
        for entry in thread.entries
        if office or not entry.internal or _is_own(entry, own=own, helping=helping)
    ]


def _is_own(entry: Entry, *, own: bool, helping: frozenset[str]) -> bool:
    side = entry.event.body.get("side")
    return (side == "unit" and own) or (side == "helper" and entry.event.body.get("unit") in helping)


def _shown(entry: Entry, *, office: bool) -> dict[str, Any]:
    event = entry.event
    body = dict(event.body)
    if "organisation" in body and "title" in body:
        body = _contents(body, office=office)
    return {
        "version": event.version,
        "step": event.step,
        "name": STEP_NAMES[event.step],
        "at": event.at,
        "by": entry.actor_name,
        "actor": entry.actor or None,
        "persons": sorted(event.persons),
        "internal": entry.internal,
        "body": body,
    } | ({"address": entry.address, "device": entry.device} if office else {"address": None, "device": None})


def _deadlines(found: Deadlines) -> dict[str, Any]:
    return {
        "colour": found.colour,
        "paused": found.paused,
        "overdue_wd": found.overdue_wd,
        "sign_late": found.sign_late,
        "reopen_by": found.reopen_by,
        "yellow_from": found.yellow_from,
    } | {
        name: _due(getattr(found, name))
        for name in ("due", "first_due", "sign", "refuse", "ask", "office", "announce")
    }


def _due(due: Due | None) -> dict[str, Any] | None:
    """A term for people: an undetermined one says of which day nobody knows."""
    if due is None:
        return None
    note = None
    if due.day is None and due.unknown is not None:
        note = f"{due.unknown} 的工作日安排尚未公布，期限待定 · nobody has published whether {due.unknown} is worked: undetermined"
    return {"on": due.day, "unknown": due.unknown, "note": note}
