"""Made once: a create that is sent again under the same key (Idempotency-Key) makes nothing more. All SQL of ``idempotency_keys``.

Who sends a create and gets no answer does not know whether it was made. Under a key of his own he may send it again: the second request waits for the first,
and is told what that made. The key is his for KEPT; the same key with other contents is a mistake, and is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from runtime.connection import Connection, affected
from runtime.errors import DeclinedError

#: A device may be without a network for so long.
KEPT: Final = timedelta(days=7)


class KeyReusedError(DeclinedError):
    """The key was used for something else."""

    status = 422


async def once(
    connection: Connection, operation: str, key: str | None, asked: str, make: Callable[[], Awaitable[str]]
) -> str:
    """The id of what ``make`` made, now or when the same was sent before, in the caller's transaction. ``asked``: what is to be made, as text; without a
    ``key`` it is made. Raises KeyReusedError."""
    if key is None:
        return await make()
    digest = hashlib.sha256(asked.encode()).digest()
    whose = "current_setting('gongche.subject', true)"
    mine = await connection.fetchval(
        f"INSERT INTO idempotency_keys (person, operation, key, digest) VALUES ({whose}, $1, $2, $3) ON CONFLICT DO NOTHING RETURNING true",  # noqa: S608 - constant
        operation, key, digest,
    )  # fmt: skip
    if mine:
        made = await make()
        await connection.execute(
            f"UPDATE idempotency_keys SET made = $3 WHERE person = {whose} AND operation = $1 AND key = $2",  # noqa: S608 - constant
            operation, key, made,
        )  # fmt: skip
        return made
    known = await connection.fetchrow(
        f"SELECT digest, made FROM idempotency_keys WHERE person = {whose} AND operation = $1 AND key = $2",  # noqa: S608 - constant
        operation, key,
    )  # fmt: skip
    if known["digest"] != digest:
        raise KeyReusedError(
            "idempotency-key-reused",
            "这个 Idempotency-Key 已用于另一份内容：重发请原样发送，另办请换一个 · this key was used for other contents: send the same again, or take another key",
        )
    return str(known["made"])


async def drop_old(connection: Connection, most: int) -> int:
    """Forget up to ``most`` keys that are older than KEPT; how many went."""
    done = await connection.execute(
        "DELETE FROM idempotency_keys k USING (SELECT person, operation, key FROM idempotency_keys WHERE made_at < now() - $1::interval LIMIT $2) o"
        " WHERE (k.person, k.operation, k.key) = (o.person, o.operation, o.key)",
        KEPT, most,
    )  # fmt: skip
    return affected(done)
