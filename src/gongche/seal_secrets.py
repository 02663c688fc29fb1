"""At the first start after an upgrade: secrets of webhooks that an earlier release kept as they are get sealed."""

from __future__ import annotations

import logging

from office.identity.keys import Sealer, key_file
from office.subscriptions import keys
from runtime import database_says
from runtime.connection import Connection
from runtime.postgres import DATABASE_ERRORS
from runtime.settings import Settings

_logger = logging.getLogger(__name__)


async def seal_secrets(connection: Connection, settings: Settings) -> int:
    """Seal what is not sealed; how many. An API makes the key where there is none (``Sealer``). A database that takes no writes now
    has it done at the next start. Raises ConfigurationError for a key that cannot be used."""
    sealer, done = Sealer(settings), 0
    try:
        while True:
            async with connection.transaction():
                part = await keys.seal_plain(connection, sealer)
            done += part
            if not part:
                break
    except DATABASE_ERRORS as error:
        if database_says.takes_no_writes(error) is None:
            raise
        _logger.warning("secrets of webhooks are sealed at the next start: %s", database_says.cause(error))
    if done:
        _logger.info("%d secrets of webhooks were sealed with the identity key", done)
    return done


async def check_secrets(connection: Connection, settings: Settings) -> None:
    """For the process that signs. It makes no key of its own: on another machine that would be another one than that of the APIs.
    Raises ConfigurationError when secrets cannot be opened with the key that is here."""
    if key_file(settings).exists():
        await seal_secrets(connection, settings)
    await keys.check_key(connection, Sealer(settings))
