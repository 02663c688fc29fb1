"""A subject by its kind and id, as it is now: for what goes on while the subject itself is away (webhooks)."""

from __future__ import annotations

from datetime import UTC, datetime

from office.identity.clients import subject_of_client
from office.identity.grants import GRANTS_OF_U, grants_of
from office.identity.subject import Kind, Subject
from office.identity.tokens import token_by_id
from runtime.connection import Connection


async def subject_by_id(connection: Connection, kind: Kind, id: str) -> Subject | None:
    """The subject with the rights that it has now; None when it has ended, is disabled or is not known."""
    if kind is Kind.TOKEN:
        token = await token_by_id(connection, id)
        return None if token is None or not token.alive(datetime.now(UTC)) else token.subject()
    if kind is Kind.CLIENT:
        return await subject_of_client(connection, id)
    if kind is Kind.USER:
        row = await connection.fetchrow(
            f"SELECT u.id, u.name, clock_timestamp() AS now, {GRANTS_OF_U} FROM users u"  # noqa: S608 - constant
            " WHERE u.id = $1 AND u.disabled_at IS NULL",
            id,
        )
        return None if row is None else Subject(kind, row["id"], row["name"], grants_of(row, row["now"]))
    return None
