"""What the commands that work on the database share: they open it, do one thing over one connection and end."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime

from runtime.connection import Connection
from runtime.embedded_postgres import open_database
from runtime.logs import configure_logging
from runtime.migrations import require_schema
from runtime.postgres import connect
from runtime.settings import load_settings
from runtime.units import CHINA

#: What an action does with the arguments, over a connection; the exit status.
Action = Callable[[argparse.Namespace, Connection], Awaitable[int]]


def on_database(name: str, action: Action, args: argparse.Namespace) -> int:
    """Do ``action`` of the command ``name`` on the database of the settings; its exit status. Raises UnavailableError or
    ConfigurationError with what to do."""
    settings = load_settings()
    configure_logging("WARNING", name)
    with open_database(settings, lambda line: print(line, file=sys.stderr)) as dsn:
        return asyncio.run(_connected(dsn, action, args))


async def _connected(dsn: str, action: Action, args: argparse.Namespace) -> int:
    connection = await connect(dsn)
    try:
        await require_schema(connection)
        return await action(args, connection)
    finally:
        await connection.close()


def shown(moment: datetime | None) -> str:
    """A time as it is printed, Beijing time to the second; ``-`` for none."""
    return "-" if moment is None else moment.astimezone(CHINA).isoformat(timespec="seconds")
