"""Vehicles that rest on a fact of the registry that cannot be read (``registry.unreadable``): their positions are stored and not
judged, as those of a vehicle whose computation fails. Without that fact they would be judged as if nobody had entered it: a
drive without its order, a car beside its fence.

They are put off in the transaction that judges the others, and computed from then on when the fact can be read again.
"""

from __future__ import annotations

from rules.live.late import RENEW_US
from rules.live.memory import Memory
from rules.live.ownership import Ownership
from rules.live.store import recomputations
from rules.live.store.states import spoil_states
from runtime.connection import Connection


async def hold(conn: Connection, memory: Memory, owners: Ownership, now_us: int) -> None:
    """Put off the own vehicles that are not to be judged; what waited for facts that can be read by now is tried at once. Call
    it in every transaction that judges, before a state is used."""
    unjudged = memory.snapshot.unjudged
    if not unjudged and not memory.holds:
        return
    own = owners.own(memory.snapshot, unjudged)
    # Positions that come meanwhile may be late, and may be no vehicle's while it is not known where their terminal sits.
    fresh = await recomputations.hold(conn, {no: unjudged[no] for no in own}, now_us - RENEW_US)
    if fresh:
        await spoil_states(conn, fresh)
        memory.forget_states()
    await recomputations.release(conn, unjudged)
    memory.holds = bool(unjudged)
