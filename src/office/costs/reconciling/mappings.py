"""Mappings of units in the database: versions that are added; the newest one counts."""

from __future__ import annotations

from typing import Any, Final

from office.costs.reconciling.mapping import VoucherMapping
from office.costs.reconciling.runs import RECONCILE, mapping_for
from office.supervision.actors import Actor, persons_for
from registry.organisations import organisation_exists
from runtime.connection import Connection
from runtime.errors import NotThereError

#: Versions that are shown.
_SHOWN: Final = 50


async def save(
    connection: Connection, actor: Actor, organisation: str, mapping: VoucherMapping
) -> dict[str, Any]:
    """Add a version; all of them. The same mapping again adds none. Raises NotThereError, NotAllowedError."""
    if not await organisation_exists(connection, organisation):
        raise NotThereError(
            f"没有这个单位，或不在您的范围内 · no such unit, or it is not yours: {organisation}"
        )
    await persons_for(connection, actor, organisation, RECONCILE)
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('voucher-mapping:' || $1, 0))", organisation
    )
    newest = await connection.fetchrow(
        "SELECT version, body FROM voucher_mappings WHERE organisation = $1 ORDER BY version DESC LIMIT 1",
        organisation,
    )
    body = mapping.model_dump(mode="json")
    if newest is None or newest["body"] != body:
        await connection.execute(
            "INSERT INTO voucher_mappings (organisation, version, body, made_by, made_by_name, made_at) VALUES ($1, $2, $3, $4, $5, clock_timestamp())",
            organisation, 1 if newest is None else newest["version"] + 1, body, actor.person, actor.subject.name,
        )  # fmt: skip
    return await show(connection, organisation)


async def show(connection: Connection, organisation: str) -> dict[str, Any]:
    """The versions of a unit, and what a run of it would take."""
    rows = await connection.fetch(
        "SELECT organisation, version, body AS mapping, made_by_name AS made_by, made_at FROM voucher_mappings WHERE organisation = $1"
        " ORDER BY version DESC LIMIT $2",
        organisation, _SHOWN,
    )  # fmt: skip
    used, owner = await mapping_for(connection, organisation)
    return {
        "items": [dict(row) for row in rows],
        "used": used.model_dump(mode="json"),
        "used_of": owner and owner[0],
        "used_version": owner and owner[1],
    }
