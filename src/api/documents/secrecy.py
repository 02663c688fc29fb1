"""Which vehicles' plate, place and track a subject must not see (涉密)."""

from __future__ import annotations

from collections.abc import Collection

from office.identity.subject import Subject
from runtime.connection import Connection


async def hidden(connection: Connection, subject: Subject, vehicle_ids: Collection[str]) -> frozenset[str]:
    """Those of ``vehicle_ids`` that are hidden from ``subject``."""
    del connection, subject, vehicle_ids
    return frozenset()
