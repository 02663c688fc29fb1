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
    read = [read_record(place, one, DOWN) for place, one in enumerate(given)]
    known = await names_of(
        connection, {one.envelope.organisation for one in read if isinstance(one, Received)}
    )
    records, refused, said = list[tuple[Received, str]](), 0, None
    for one in read:
        if isinstance(one, Outcome):
            refused, said = refused + 1, one.detail
        elif one.envelope.origin == own:
            refused, said = refused + 1, "来源是本级自己 · the origin is this instance itself"
        else:
            unit = one.envelope.organisation
            records.append((one, unit if unit in known else peer.organisation))
    by_outcome = Counter(
        one.outcome for one in (await keep(connection, peer.name, records, believed=True)).values()
    )
    counted = ("down", by_outcome["stored"], by_outcome["unchanged"], refused + by_outcome["refused"], said)
    await note_arrivals(connection, peer.name, [counted])
    await note_pulled(connection, peer.name, cursor)
    return more is True
