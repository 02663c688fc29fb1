"""What comes down from a peer above: kept like what others hand in, with the place up to which it was pulled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from office.exchange.incoming import Received, keep, read_record
from office.exchange.kinds import DOWN, Outcome
from office.exchange.peers import Peer
from office.exchange.status import note_arrivals, note_pulled
from office.exchange.transport import PeerError
from registry.organisations import names_of
from runtime.connection import Connection


async def take_down(connection: Connection, peer: Peer, own: str, answer: Mapping[str, Any]) -> bool:
    """Keep a page that a peer above gave, with its place, in one transaction; whether there is more. Raises PeerError for an
    answer that cannot be read. What is wrong with single records is counted and said on the status page."""
    given, cursor, more = answer.get("records"), answer.get("cursor"), answer.get("more")
    if (
        not isinstance(given, list)
        or not isinstance(cursor, str)
        or not 0 < len(cursor) <= 512
        or not cursor.isprintable()
        or len(given) > 1_000
    ):
        raise PeerError("对方的答复无法识别 · the answer cannot be read")
    records, refused, said = list[tuple[Received, str]](), 0, None
    known = await names_of(
        connection,
        # What is no text for the database is no unit either, and must not keep back the other records.
        {str(one.get("organisation"))[:128].replace("\0", "") for one in given if isinstance(one, dict)},
    )
    for place, one in enumerate(given):
        found = read_record(place, one, DOWN)
        if isinstance(found, Outcome) or found.envelope.origin == own:
            refused += 1
            said = (
                found.detail
                if isinstance(found, Outcome)
                else "来源是本级自己 · the origin is this instance itself"
            )
            continue
        unit = found.envelope.organisation
        records.append((found, unit if unit in known else peer.organisation))
    by_outcome = Counter(
        one.outcome for one in (await keep(connection, peer.name, records, believed=True)).values()
    )
    counted = ("down", by_outcome["stored"], by_outcome["unchanged"], refused + by_outcome["refused"], said)
    await note_arrivals(connection, peer.name, [counted])
    await note_pulled(connection, peer.name, cursor)
    return more is True
