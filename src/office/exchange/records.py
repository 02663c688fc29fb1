"""Our own records as others are told of them, and those of others that are passed on. All that is left out for the sake of
secret vehicles (涉密) is left out here: masked id, no plate, no person, no place, no text that could name one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from pydantic import ValidationError

from office.exchange.kinds import KINDS, UP, digest, normal, plain_json
from registry.refusals import explain
from runtime.connection import Connection

#: What stands in place of a text about a secret vehicle.
NOT_EXCHANGED: Final = "涉密车辆，内容不予交换 / about a secret vehicle: not exchanged"


@dataclass(frozen=True, slots=True)
class Told:
    """A record as others are told of it. ``origin`` "" = our own. ``unit``: the unit of our tree by which it is decided who may
    know of it. ``payload`` None: it was taken back. ``version``: of a record of others that of its origin; 0 = not given yet."""

    kind: str
    origin: str
    id: str
    unit: str
    organisation: str
    payload: Mapping[str, Any] | None
    version: int = 0

    @property
    def sha256(self) -> bytes:
        """Of its content."""
        return digest(self.payload)


@dataclass(frozen=True, slots=True)
class Built:
    """``told``: by the id of the record here, what others are to be told of it. ``flaws``: records that do not fit their model,
    and why."""

    told: Mapping[str, list[Told]]
    flaws: Mapping[str, str]


async def build(connection: Connection, kind: str, ids: Collection[str]) -> Built:
    """Our own records of a kind that goes up, those of ``ids`` that there are. What is about a vehicle that became secret is taken
    back under its real id, what is about one that is secret no more under its masked one."""
    rows = await connection.fetch(_SQL[kind], sorted(set(ids)))
    found: dict[str, list[Told]] = {}
    flaws: dict[str, str] = {}
    for row in rows:
        id = row["id"]
        try:
            payload = normal(KINDS[kind], _MAKE[kind](row))
        except ValidationError as error:
            flaws[id] = "; ".join(f"{flaw.field}: {flaw.message}" for flaw in explain(error)[:3])
            continue
        unit = payload["organisation"]
        told = [Told(kind, "", id, unit, unit, payload)]
        if kind in _MASKED:
            shown, other = (row["masked"], id) if payload["secret"] else (id, row["masked"])
            told = [Told(kind, "", other, unit, unit, None), Told(kind, "", shown, unit, unit, payload)]
        if (
            kind == "order" and payload["secret"]
        ):  # when a secret vehicle is on its way, and where: not told at all
            told = [replace(one, payload=None) for one in told]
        found[id] = told
    return Built(found, flaws)


async def received(connection: Connection, kind: str, keys: Collection[tuple[str, str]]) -> list[Told]:
    """Those of the records that came from others, by (origin, id)."""
    wanted = sorted(set(keys))
    rows = await connection.fetch(
        "SELECT r.kind, r.origin, r.id, r.organisation, r.unit, r.payload FROM exchange_records r"
        " JOIN unnest($2::text[], $3::text[]) AS u (origin, id) ON r.origin = u.origin AND r.id = u.id WHERE r.kind = $1",
        kind,
        [origin for origin, _ in wanted],
        [id for _, id in wanted],
    )
    return [told_on(row) for row in rows]


def told_on(row: Any) -> Told:
    """A row of exchange_records, passed on as it came."""
    return Told(row["kind"], row["origin"], row["id"], row["organisation"], row["unit"], row["payload"])


def json_of(told: Told, source: str) -> dict[str, Any]:
    """The record as it is sent. ``source``: our name, the origin of what is our own."""
    return {
        "kind": told.kind,
        "origin": told.origin or source,
        "id": told.id,
        "version": told.version,
        "organisation": told.organisation,
        "payload": told.payload,
    }


# --- our own records, kind by kind


def _unit(row: Any) -> dict[str, Any]:
    return {"organisation": row["id"], "name": row["name"], "parent": row["parent"]}


def _vehicle(row: Any) -> dict[str, Any]:
    secret = row["hidden"]
    return {
        name: row[name]
        for name in ("organisation", "category", "energy", "ownership", "tank_ml", "battery_wh", "registered_on", "disposed_on")
    } | {"plate": "" if secret else row["plate"], "secret": secret}  # fmt: skip


def _driver(row: Any) -> dict[str, Any]:
    return {"organisation": row["organisation"], "name": row["name"]}


def _order(row: Any) -> dict[str, Any]:
    secret = row["hidden"]
    shown = {
        name: row[name]
        for name in ("organisation", "task_type", "status", "planned_departure", "planned_return", "actual_departure", "actual_return")
    } | {"order_version": row["version"], "vehicle": row["vehicle"], "secret": secret}  # fmt: skip
    if secret:
        return shown
    return shown | {
        "driver": row["driver"],
        "purpose": row["purpose"],
        "origin_place": _place(row["origin"]),
        "destinations": [_place(place) for place in row["destinations"]],
    }


def _place(place: Mapping[str, Any] | None) -> str:
    return "" if place is None else str(place.get("name") or "")


def _alert(row: Any) -> dict[str, Any]:
    body = row["body"]
    secret = row["hidden"]
    same = ("organisation", "rule", "rule_version", "status", "severity", "occurred_from", "occurred_to", "detected_at", "evidence_hash")  # fmt: skip
    shown = {name: body[name] for name in same} | {
        "alert_version": body["version"],
        "vehicle": row["masked_vehicle"] if secret else body["vehicle"],
        "secret": secret,
    }
    if secret:
        # By the hash of the evidence somebody who has it could say which alert it is.
        return shown | {"summary": NOT_EXCHANGED, "evidence_hash": ""}
    others = ("reason_code", "plate", "driver", "order", "summary", "summary_en", "withdrawal_reason")
    return shown | {name: body[name] for name in others if body.get(name) is not None}


def _case(row: Any) -> dict[str, Any]:
    secret = row["hidden"]
    same = ("organisation", "number", "state", "source", "level", "finding", "reminders", "created_at", "issued_at", "due_on")  # fmt: skip
    shown = {name: row[name] for name in same} | {
        "case_version": row["version"],
        "vehicle": row["masked_vehicle"] if secret else row["vehicle"],
        "title": NOT_EXCHANGED if secret else row["title"],
        "external_no": None if secret else row["external_no"],
        "alerts": [] if secret else row["alerts"],
        "secret": secret,
    }
    if "contents" in row.keys():  # noqa: SIM118 - a row of the database
        contents = row["contents"] or {}
        shown |= {
            "facts": contents.get("facts") or "",
            "requirements": contents.get("requirements") or "",
            "basis": contents.get("basis") or [],
        }
    return shown


_CASE: Final = (
    "SELECT c.id, c.organisation, c.number, c.version, c.state, c.source, c.level, c.title, c.external_no, c.vehicle, c.finding,"
    " c.reminders, c.created_at, c.issued_at, c.due_on, ARRAY(SELECT k.ref FROM case_links k WHERE k.case_id = c.id"
    " AND k.kind = 'alert' ORDER BY k.ref) AS alerts, %s FROM cases c WHERE c.number IS NOT NULL AND c.id = ANY($1::text[])"
)
#: "hidden": of everything that names a secret vehicle, its plate or its card (migrations/0036_secrecy.sql). Who works as the owner
#: of the tables has no right to know any, so all are hidden.
_SQL: Final = {
    "unit": "SELECT id, name, parent FROM organisations WHERE id = ANY($1::text[])",
    "vehicle": "SELECT id, masked_id('vehicle', id) AS masked, secret AS hidden, plate, organisation, category,"
    " energy, ownership, tank_ml, battery_wh, registered_on, disposed_on FROM vehicles WHERE id = ANY($1::text[])",
    "driver": "SELECT id, name, organisation FROM drivers WHERE id = ANY($1::text[])",
    "order": "SELECT id, masked_id('order', id) AS masked, order_hidden(id, (SELECT hidden_ids())) AS hidden, version,"
    " organisation, vehicle, driver, task_type, purpose, status, origin, destinations,"
    " planned_departure, planned_return, actual_departure, actual_return FROM dispatch_orders"
    " WHERE is_newest AND part_of IS NULL AND id = ANY($1::text[])",
    "alert": "SELECT a.id, masked_id('alert', a.id) AS masked, masked_id('vehicle', a.vehicle) AS masked_vehicle, alert_hidden(a.id,"
    " (SELECT hidden_ids()), (SELECT hidden_plates()), (SELECT hidden_cards()))"
    " OR COALESCE(v.body::text ~ (SELECT hidden_pattern()), false) AS hidden, v.body"
    " FROM alerts a JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version WHERE a.id = ANY($1::text[])",
    "case": _CASE
    % "masked_id('case', c.id) AS masked, masked_id('vehicle', c.vehicle) AS masked_vehicle, case_hidden(c.id,"
    " (SELECT hidden_ids()), (SELECT hidden_plates()), (SELECT hidden_cards()))"
    " OR COALESCE(concat_ws(' ', c.title, c.external_no) ~ (SELECT hidden_pattern()), false) AS hidden",
}
#: Kinds whose ids would say which vehicle it is.
_MASKED: Final = frozenset({"vehicle", "order", "alert", "case"})
_MAKE: Final = {
    "unit": _unit,
    "vehicle": _vehicle,
    "driver": _driver,
    "order": _order,
    "alert": _alert,
    "case": _case,
}
assert _SQL.keys() == UP.keys()  # noqa: S101 - a kind that is forgotten here ends the start

# --- what comes down: of the office's cases those of units below, its notices, its codes
_ASSIGNMENTS: Final = _CASE % (
    "false AS hidden, (SELECT e.body FROM case_events e WHERE e.case_id = c.id AND e.body ? 'title' AND e.body ? 'organisation'"
    " ORDER BY e.version DESC LIMIT 1) AS contents"
)


async def down(connection: Connection, kind: str, ids: Sequence[str]) -> list[Told]:
    """Our own records of a kind that comes down, those of ``ids`` that the caller's transaction sees: cases of secret vehicles it
    does not see."""
    if kind == "assignment":
        rows = await connection.fetch(_ASSIGNMENTS, list(ids))
        return list(_told(kind, ((row["id"], _case(row)) for row in rows)))
    if kind == "notice":
        rows = await connection.fetch(
            "SELECT id, organisation, title, body, published_at FROM exchange_notices WHERE id = ANY($1::text[])",
            list(ids),
        )
        return list(_told(kind, ((row["id"], dict(row)) for row in rows)))
    rows = await connection.fetch(
        "SELECT code, zh, en, active, updated_at FROM disposition_codes WHERE code = ANY($1::text[])",
        list(ids),
    )
    table = "dispositions"
    return list(
        _told(
            kind,
            ((f"{table}/{row['code']}", dict(row) | {"table": table, "organisation": "*"}) for row in rows),
        )
    )


def _told(kind: str, found: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterable[Told]:
    for id, fields in found:
        payload = normal(KINDS[kind], fields)
        yield Told(kind, "", id, payload["organisation"], payload["organisation"], payload)


def with_version(told: Told, version: int) -> Told:
    """The same with its version."""
    return replace(told, version=version)


def size_of(told: Told) -> int:
    """Bytes of its content."""
    return 0 if told.payload is None else len(plain_json(told.payload))


def as_bytes(value: object) -> bytes:
    """JSON of what is sent."""
    return orjson.dumps(value)
