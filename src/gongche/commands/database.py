"""What the commands that work on the database share: they open it, do one thing over one connection and end."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime

from office.identity.audit import actor_of_command, note, set_actor
from runtime.connection import Connection
from runtime.embedded_postgres import open_database
from runtime.logs import configure_logging
from runtime.migrations import require_schema
from runtime.postgres import connect, is_read_only
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
        return asyncio.run(_connected(dsn, name, action, args))


async def _connected(dsn: str, name: str, action: Action, args: argparse.Namespace) -> int:
    connection = await connect(dsn)
    try:
        await require_schema(connection)
        # A database that takes no writes has the entry in the log, and what cannot be done says so first, in one sentence.
        read_only = await is_read_only(connection)
        if not read_only:
            await _note(connection, name, args)
        status = await action(args, connection)
        if read_only:
            await _note(connection, name, args)
        return status
    finally:
        await connection.close()


async def _note(connection: Connection, name: str, args: argparse.Namespace) -> None:
    """The command in the audit, before it does anything; what it writes is noted by the database. Secrets are no arguments."""
    said = {
        key: str(value)[:200]
        for key, value in vars(args).items()
        if value is not None and not callable(value) and key != "command"
    }
    actor = actor_of_command(" ".join(["gongche", name, *([said.pop("action")] if "action" in said else [])]))
    await note(connection, actor, "command", name, said.get("id"), detail=said)
    await set_actor(connection, actor)


def shown(moment: datetime | None) -> str:
    """A time as it is printed, Beijing time to the second; ``-`` for none."""
    return "-" if moment is None else moment.astimezone(CHINA).isoformat(timespec="seconds")
