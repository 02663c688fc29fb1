"""A migrated database for a benchmark."""

from __future__ import annotations

import asyncio

from telemetry.runtime.database import migrate


def migrated(dsn: str) -> None:
    """Bring the database at ``dsn`` to the newest schema."""
    asyncio.run(migrate(dsn))
