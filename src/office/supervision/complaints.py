"""Complaints of the hotline 12345: taken from a form, a file or the hotline's own program; what is known of the car at that time.

The caller is kept encrypted (``callers``), is no part of the case, and is shown to the office only, with a reason that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from office.supervision.actors import Actor, persons_for, reach_of
from office.supervision.callers import Caller, CallerKey
from office.supervision.cases import china_today, new_id, now_of
from office.supervision.contents import LongText
from office.supervision.words import SAID, Refusal
from registry.organisations import organisation_exists
from registry.refusals import AHEAD, IN_FUTURE
from registry.values import Identifier, Plate, Text, Time, readable_name
from registry.vehicles import VehicleInfo, holders_of_plates, official_on
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError
from runtime.units import CHINA

#: So long before and after the time that a complaint names something of the car is looked for.
AROUND: Final = timedelta(hours=2)
#: Near plates, orders, alerts that are told, at most.
MOST: Final = 10
Channel = Literal["form", "file", "webhook"]
_CATEGORIES: Final = {"紧急": "emergency", "咨询": "inquiry", "咨询求助": "inquiry", "求助": "inquiry", "投诉": "report", "举报": "report", "投诉举报": "report"}  # fmt: skip

#: A phone number as people write it.
CallerPhone = Annotated[
    str, StringConstraints(min_length=3, max_length=40, pattern=r"^[0-9+() \-#*]+$", strip_whitespace=True)
]
_CallerName = Annotated[
    str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True), AfterValidator(readable_name)
]


class Complaint(BaseModel):
    """A complaint as it comes in."""

    model_config = ConfigDict(
        extra="forbid", str_strip_whitespace=True, frozen=True, hide_input_in_errors=True
    )

    ticket: Identifier = Field(description="工单号")
    category: Annotated[
        Literal["emergency", "inquiry", "report"],
        BeforeValidator(lambda v: _CATEGORIES.get(v, v) if isinstance(v, str) else v),
    ] = Field("report", description="紧急, 咨询求助, 投诉举报")
    received_at: Time = Field(description="受理时间")
    claim: LongText = Field(description="诉求")
    plate: Plate | None = Field(None, description="所述车牌")
    place: Text | None = Field(None, description="地点")
    happened_at: Time | None = Field(None, description="发生时间")
    organisation: Identifier | None = Field(
        None, description="所述单位; left out: that of the car, else yours"
    )
    caller_name: _CallerName | None = Field(None, description="来电人; kept encrypted")
    caller_phone: CallerPhone | None = Field(None, description="来电号码; kept encrypted")

    @property
    def caller(self) -> Caller | None:
        """Who called, None: it is not said."""
        if self.caller_name is None and self.caller_phone is None:
            return None
        return Caller(self.caller_name or "", self.caller_phone or "")


class NoPersonError(DeclinedError):
    """A program asks for a caller."""

    status = 403

    def __init__(self) -> None:
        super().__init__(str(Refusal.NO_PERSON), SAID[Refusal.NO_PERSON])


class RepeatedError(DeclinedError):
    """The ticket is there already."""

    def __init__(self, ticket: str, id: str) -> None:
        super().__init__(
            "repeated-ticket",
            f"工单 {ticket} 已登记为 {id}，未重复写入 · ticket {ticket} is here already as {id}; nothing was written",
        )


async def take_in(
    connection: Connection, actor: Actor, given: Complaint, channel: Channel, key: CallerKey | None
) -> str:
    """Store a complaint; its id. ``key``: needed where it has a caller. In the caller's transaction.

    Raises RepeatedError, InvalidError, NotAllowedError."""
    now = await now_of(connection)
    for name in ("received_at", "happened_at"):
        moment: datetime | None = getattr(given, name)
        if moment is not None and moment > now + AHEAD:
            raise InvalidError(f"/{name}", IN_FUTURE)
    before = await connection.fetchval("SELECT id FROM complaints WHERE ticket = $1", given.ticket)
    if before is not None:
        raise RepeatedError(given.ticket, before)
    reach = await reach_of(connection, actor.subject, "cases:draft", "complaints:write")
    vehicle = await _vehicle(connection, given.plate, given.happened_at or given.received_at, reach)
    unit = await _unit(connection, actor, given, vehicle, reach)
    id, sealed = new_id(), None
    if (caller := given.caller) is not None:
        if key is None:
            raise ValueError("a caller without a key")
        sealed = key.seal(id, caller)
    await connection.execute(
        "INSERT INTO complaints (id, organisation, ticket, category, received_at, claim, plate, place, happened_at, vehicle,"
        " caller, caller_key, channel, entered_by, entered_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
        " $14, $15)",
        id, unit, given.ticket, given.category, given.received_at, given.claim, given.plate, given.place or None,
        given.happened_at, None if vehicle is None else vehicle.id, sealed,
        None if sealed is None or key is None else key.id, channel, actor.person, now,
    )  # fmt: skip
    return id


async def _vehicle(
    connection: Connection, plate: str | None, at: datetime, reach: Collection[str] | None
) -> VehicleInfo | None:
    """The car of a plate; of several that had it the one that had it at the time ``at`` that is complained of, else the one that
    has it now. One of a unit beyond the caller's reach is none."""
    if plate is None:
        return None
    found = (await holders_of_plates(connection, [plate])).get(plate, [])
    found = [v for v in found if reach is None or v.organisation in reach]
    # A plate that has gone to another car since: what happened then is held against the car that bore it.
    then = [v for v in found if v.replated and official_on(v, china_today(at))]
    now = [v for v in found if not v.replated]
    return next(iter((*then, *now, *found)), None)


async def _unit(
    connection: Connection,
    actor: Actor,
    given: Complaint,
    vehicle: VehicleInfo | None,
    reach: Collection[str] | None,
) -> str:
    """Whose the complaint is: of the car's unit, else of the one that it names, else of whoever takes it."""
    if vehicle is not None:
        return vehicle.organisation
    if given.organisation is not None:
        known = await organisation_exists(connection, given.organisation)
        if not known or (reach is not None and given.organisation not in reach):
            raise InvalidError(
                "/organisation",
                f"没有这个单位，或不在您的范围内 · no such unit within your reach: {given.organisation}",
            )
        return given.organisation
    own = actor.subject.reach("cases:draft", "complaints:write")
    return min(own) if own else ""


async def near_plates(connection: Connection, plate: str, units: Collection[str] | None) -> list[str]:
    """Plates that differ from ``plate`` by one character (another, one more, one less) or by two that are swapped, of cars of
    ``units`` (None = all), sorted; the first MOST."""
    marked = [char if char not in "\\%_" else "\\" + char for char in plate]
    patterns: set[str] = set()
    for k in range(len(marked) + 1):
        patterns.add("".join((*marked[:k], "_", *marked[k:])))
        if k < len(marked):
            patterns.add("".join((*marked[:k], "_", *marked[k + 1 :])))
            patterns.add("".join((*marked[:k], *marked[k + 1 :])))
        if k + 1 < len(marked):
            patterns.add("".join((*marked[:k], marked[k + 1], marked[k], *marked[k + 2 :])))
    rows = await connection.fetch(
        "SELECT DISTINCT plate FROM vehicles WHERE plate LIKE ANY($1::text[]) AND plate <> $2"
        " AND ($3::text[] IS NULL OR organisation = ANY($3::text[])) ORDER BY plate LIMIT $4",
        sorted(patterns), plate, None if units is None else sorted(units), MOST,
    )  # fmt: skip
    return [row["plate"] for row in rows]


_SHOWN: Final = (
    "id, organisation, ticket, category, received_at, claim, plate, place, happened_at, vehicle, channel, entered_at,"
    " caller IS NOT NULL AS has_caller"
)


async def list_complaints(
    connection: Connection, actor: Actor, *, limit: int, after: tuple[datetime, str] | None = None
) -> list[dict[str, Any]]:
    """Complaints of the caller's units, newest first, without callers."""
    units = await reach_of(connection, actor.subject, "cases:draft")
    moment, id = after or (None, None)
    rows = await connection.fetch(
        f"SELECT {_SHOWN} FROM complaints WHERE ($1::text[] IS NULL OR organisation = ANY($1::text[]))"  # noqa: S608 - constant
        " AND ($2::timestamptz IS NULL OR received_at < $2 OR received_at = $2 AND id > $3)"
        " ORDER BY received_at DESC, id LIMIT $4",
        units, moment, id, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def get_complaint(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """One complaint with what is known of the car around its time, without the caller."""
    row = await _seen(connection, actor, id)
    found = {name: row[name] for name in row if name not in ("caller", "caller_key", "entered_by")}
    return found | await _around(connection, actor, row)


async def _seen(connection: Connection, actor: Actor, id: str, *permissions: str) -> dict[str, Any]:
    row = await connection.fetchrow(f"SELECT {_SHOWN}, caller, caller_key FROM complaints WHERE id = $1", id)  # noqa: S608 - constant
    units = await reach_of(connection, actor.subject, *(permissions or ("cases:draft",)))
    if row is None or (units is not None and row["organisation"] not in units):
        raise NotThereError(f"没有这件诉求 · no such complaint: {id}")
    return dict(row)


async def told(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """The answer to whoever has just handed in a complaint. A program that may only hand in is told nothing of the car."""
    if actor.subject.may("cases:draft"):
        return await get_complaint(connection, actor, id)
    row = await _seen(connection, actor, id, "complaints:write")
    return {name: row[name] for name in row if name not in ("caller", "caller_key")} | dict(_NOTHING)


_NOTHING: Final[Mapping[str, Any]] = {"warning": None, "near_plates": [], "orders": [], "alerts": [], "track": None, "cases": []}  # fmt: skip


async def _around(connection: Connection, actor: Actor, row: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(_NOTHING)
    found["cases"] = [
        case["id"]
        for case in await connection.fetch(
            "SELECT case_id AS id FROM case_links WHERE kind = 'complaint' AND ref = $1 ORDER BY case_id",
            row["id"],
        )
    ]
    if row["vehicle"] is None:
        if row["plate"] is not None:
            units = await reach_of(connection, actor.subject, "cases:draft")
            near = await near_plates(connection, row["plate"], units)
            tail = f"；相近的有 · near ones are: {'、'.join(near)}" if near else ""
            found |= {"near_plates": near, "warning": f"没有车牌 {row['plate']} · no such plate{tail}"}
        return found
    moment: datetime | None = row["happened_at"]
    if moment is None:
        return found
    since, until = moment - AROUND, moment + AROUND
    orders = await connection.fetch(
        "SELECT id FROM dispatch_orders WHERE vehicle = $1 AND is_newest"
        " AND COALESCE(actual_departure, planned_departure) < $3"
        # One that has not come back covers its car without end.
        " AND (status = 'departed' OR COALESCE(actual_return, extended_return, planned_return) > $2)"
        " ORDER BY planned_departure, id LIMIT $4",
        row["vehicle"], since, until, MOST,
    )  # fmt: skip
    alerts = await connection.fetch(
        "SELECT id FROM alerts WHERE vehicle = $1 AND occurred_from < $3 AND COALESCE(occurred_to, occurred_from) > $2"
        " ORDER BY occurred_from, id LIMIT $4",
        row["vehicle"], since, until, MOST,
    )  # fmt: skip
    found |= {"orders": [o["id"] for o in orders], "alerts": [a["id"] for a in alerts]}
    if actor.subject.may("tracks:read"):
        span = "&".join(
            f"{name}={at.astimezone(CHINA).isoformat(timespec='seconds').replace('+', '%2B')}"
            for name, at in (("from", since), ("to", until))
        )
        found["track"] = f"/v1/vehicles/{row['vehicle']}/track?{span}"
    return found


async def case_part(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """What a case keeps of the complaint that it answers."""
    row = await _seen(connection, actor, id)
    return {
        "complaint": id,
        "category": row["category"],
        "received_on": china_today(row["received_at"]).isoformat(),
    }


async def reveal_caller(
    connection: Connection, actor: Actor, id: str, reason: str, key: Callable[[], CallerKey]
) -> dict[str, Any]:
    """Who called. That the caller's data were looked at, by whom and why, is kept. In the caller's transaction: without the
    note nothing is shown."""
    row = await _seen(connection, actor, id)
    await persons_for(connection, actor, row["organisation"], "cases:draft")
    if not actor.human:
        raise NoPersonError
    if row["caller"] is None:
        raise NotThereError("诉求未登记来电人 · the complaint has no caller")
    caller = key().open(id, row["caller"], row["caller_key"])
    await connection.execute(
        "INSERT INTO complaint_reads (complaint_id, person, reason, address, at) VALUES ($1, $2, $3, $4, $5)",
        id, actor.person, reason, actor.address, await now_of(connection),
    )  # fmt: skip
    return {"name": caller.name, "phone": caller.phone}
