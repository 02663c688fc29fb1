"""The owner of a subscription as it is now: what it may do is looked up anew whenever something is sent for it."""

from __future__ import annotations

from datetime import UTC, datetime

from office.identity.subject import Kind, Subject
from office.identity.tokens import token_by_id
from office.subscriptions.store import Owner
from runtime.connection import Connection


async def subject_of(connection: Connection, owner: Owner) -> Subject | None:
    """The owner with the rights that it has now; None when it has ended, or is not known."""
    if owner.kind is Kind.TOKEN:
        token = await token_by_id(connection, owner.id)
        return None if token is None or not token.alive(datetime.now(UTC)) else token.subject()
    return None
