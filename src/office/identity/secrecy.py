"""Secret vehicles (涉密): whose plate, person, place and track a subject must not see.

The wall is in the database (migrations/0036_secrecy.sql): a transaction of ``api.auth.scoped`` is told where its subject may
know ("gongche.secrets"), and does not see the rows of the other secret vehicles at all. ``hidden`` is for whoever reads
as the owner of the tables, or has ids of vehicles from elsewhere. All SQL of the table ``vehicle_secrecy`` is here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from office.identity.errors import NotAllowedError
from office.identity.subject import Kind, Subject
from registry.refusals import Flaw, RefusedError
from registry.vehicles import MASKED
from runtime.connection import Connection

#: Lets a subject see secret vehicles in its units; lets it mark them, and lift the mark together with another person.
PERMISSION: Final = "secret:read"
CHANGE: Final = "secret:change"
#: Somebody else agrees within so long, or the request to lift a mark counts no more.
ASKED_FOR: Final = timedelta(days=14)
#: What stands in the place of a plate.
MASKED_PLATE: Final = str(MASKED["plate"])
_MASKED_ID: Final = re.compile(r"masked-[0-9a-f]{32}", re.ASCII)


async def hidden(connection: Connection, subject: Subject, vehicle_ids: Collection[str]) -> frozenset[str]:
    """Those of ``vehicle_ids`` whose plate, person, place and track ``subject`` must not see. It asks the database at every
    call: a mark holds at once. An id that no vehicle has is not among them."""
    roots = subject.reach(PERMISSION)
    if roots is None or not vehicle_ids:
        return frozenset()
    found: list[str] = await connection.fetchval(
        "SELECT hidden_among($1::text[], $2::text[])", sorted(set(vehicle_ids)), sorted(roots)
    )
    return frozenset(found)


def is_masked_id(id: str) -> bool:
    """Whether ``id`` is a pseudonym that stands for something secret (a vehicle, an alert, a case)."""
    return _MASKED_ID.fullmatch(id) is not None


@dataclass(frozen=True, slots=True)
class Mark:
    """How it stands with a vehicle. ``asked_by``, ``asked_at``: who asked to lift the mark, while somebody else has not agreed."""

    vehicle: str
    secret: bool
    asked_by: str | None = None
    asked_at: datetime | None = None


async def mark(connection: Connection, subject: Subject, vehicle: str, reason: str) -> Mark | None:
    """Make a vehicle secret, in the caller's transaction; again: changes nothing. None = there is no such vehicle for the
    caller. A request to lift the mark ends with it."""
    row = await _locked(connection, vehicle)
    if row is None:
        return None
    asked = await _asked(connection, vehicle)
    if row["secret"] and asked is None:
        return Mark(vehicle, True)
    await _note(connection, subject, vehicle, row["organisation"], "marked", reason)
    await connection.execute(
        "UPDATE vehicles SET secret = true, updated_at = clock_timestamp() WHERE id = $1 AND NOT secret",
        vehicle,
    )
    return Mark(vehicle, True)


async def lift(connection: Connection, subject: Subject, vehicle: str, reason: str) -> Mark | None:
    """Ask that a vehicle is secret no more, or agree to what another person has asked: then it is lifted. None = there is no
    such vehicle for the caller. Raises NotAllowedError for a program, RefusedError (a conflict) for one person twice."""
    if subject.kind is not Kind.USER:
        raise NotAllowedError("解除涉密须由本人办理 · only a person lifts a mark")
    row = await _locked(connection, vehicle)
    if row is None:
        return None
    if not row["secret"]:
        return Mark(vehicle, False)
    asked = await _asked(connection, vehicle)
    if asked is None:
        await _note(connection, subject, vehicle, row["organisation"], "lift_asked", reason)
        asked = await _asked(connection, vehicle)
        return Mark(vehicle, True, asked["actor"], asked["at"])
    if not _persons(subject).isdisjoint(asked["persons"]):
        message = "解除涉密须两人办理：您已申请，请另一人确认 · two people lift a mark: you have asked, another person must agree"
        raise RefusedError([Flaw((), message)], conflict=True)
    await _note(connection, subject, vehicle, row["organisation"], "lifted", reason)
    await connection.execute(
        "UPDATE vehicles SET secret = false, updated_at = clock_timestamp() WHERE id = $1", vehicle
    )
    return Mark(vehicle, False)


async def known_to(connection: Connection) -> list[dict[str, Any]]:
    """The secret vehicles that the caller's transaction may know, by id: with the pseudonym that others see, and who asked to
    lift the mark."""
    rows = await connection.fetch("SELECT id, plate, organisation, masked FROM known_secrets() ORDER BY id")
    requests = await _requests(connection, [row["id"] for row in rows])
    found = []
    for row in rows:
        asked = requests.get(row["id"])
        told = (None, None) if asked is None else (asked["actor"], asked["at"])
        found.append(dict(row) | {"lift_asked_by": told[0], "lift_asked_at": told[1]})
    return found


async def _locked(connection: Connection, vehicle: str) -> Any:
    return await connection.fetchrow(
        "SELECT organisation, secret FROM vehicles WHERE id = $1 FOR NO KEY UPDATE", vehicle
    )


async def _requests(connection: Connection, vehicles: Collection[str]) -> dict[str, Any]:
    """Of ``vehicles`` the requests to lift the mark that stand: the newest step, if it is one and not too old."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (vehicle) vehicle, step, actor, persons, at, at > clock_timestamp() - $2::interval AS stands"
        " FROM vehicle_secrecy WHERE vehicle = ANY($1::text[]) ORDER BY vehicle, no DESC",
        list(vehicles),
        ASKED_FOR,
    )
    return {row["vehicle"]: row for row in rows if row["step"] == "lift_asked" and row["stands"]}


async def _asked(connection: Connection, vehicle: str) -> Any:
    """The request to lift the mark of ``vehicle`` that stands, or None."""
    return (await _requests(connection, [vehicle])).get(vehicle)


def _persons(subject: Subject) -> frozenset[str]:
    """Whose act it is: the subject's, and of those whose right was delegated to him."""
    lent = {grant.delegated_by for grant in subject.grants if CHANGE in grant.permissions}
    return frozenset({subject.key} | {f"user:{id}" for id in lent if id is not None})


async def _note(
    connection: Connection, subject: Subject, vehicle: str, organisation: str, step: str, reason: str
) -> None:
    await connection.execute(
        "INSERT INTO vehicle_secrecy (vehicle, organisation, step, actor, actor_name, persons, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        vehicle, organisation, step, subject.key, subject.name, sorted(_persons(subject)), reason,
    )  # fmt: skip
