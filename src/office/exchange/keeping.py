"""What the exchange need not remember any more: records that were taken back long ago.

A row of ``exchange_sent`` whose record the peer still has stays for ever: without it nobody would know that the record must be taken
back there when its vehicle becomes secret, or when it leaves the units of the peer. Of what was taken back only the version counts,
and the highest one of what is dropped is kept (``exchange_states.least_version``). At the receiver the empty record keeps out what was
sent before and comes late; after so many days nothing is under way any more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from runtime.connection import Connection, affected

#: Rows of a transaction, and transactions of a turn: a turn ends in good time also after years without one.
_AT_ONCE: Final = 5_000
_MOST_TURNS: Final = 40

_SENT: Final = (
    "WITH old AS MATERIALIZED (SELECT s.ctid FROM exchange_sent s WHERE s.gone AND s.confirmed AND s.confirmed_at < $1"
    " AND EXISTS (SELECT FROM exchange_states t WHERE t.peer = s.peer) ORDER BY s.confirmed_at LIMIT $2 FOR UPDATE SKIP LOCKED),"
    " dropped AS (DELETE FROM exchange_sent s USING old WHERE s.ctid = old.ctid RETURNING s.peer, s.version),"
    " kept AS (UPDATE exchange_states t SET least_version = GREATEST(t.least_version, d.version)"
    " FROM (SELECT peer, max(version) AS version FROM dropped GROUP BY peer) d WHERE t.peer = d.peer)"
    " SELECT count(*) FROM dropped"
)
#: Not while a peer above has still to be told of it.
_RECEIVED: Final = (
    "WITH old AS MATERIALIZED (SELECT r.no FROM exchange_records r WHERE r.payload IS NULL AND r.received_at < $1"
    " AND NOT EXISTS (SELECT FROM exchange_queue q WHERE (q.kind, q.origin, q.id) = (r.kind, r.origin, r.id))"
    " AND NOT EXISTS (SELECT FROM exchange_sent s WHERE (s.kind, s.origin, s.id) = (r.kind, r.origin, r.id)"
    " AND NOT (s.gone AND s.confirmed)) ORDER BY r.received_at LIMIT $2 FOR UPDATE OF r SKIP LOCKED)"
    " DELETE FROM exchange_records r USING old WHERE r.no = old.no"
)


async def drop_taken_back(connection: Connection, before: datetime) -> int:
    """Drop what was taken back, and confirmed as such, before a time; how many rows. Not in a transaction."""
    dropped = 0
    for _ in range(_MOST_TURNS):
        sent = await connection.fetchval(_SENT, before, _AT_ONCE)
        received = affected(await connection.execute(_RECEIVED, before, _AT_ONCE))
        dropped += sent + received
        if max(sent, received) < _AT_ONCE:
            break
    return dropped
