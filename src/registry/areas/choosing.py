"""Which fences go to terminals, as people choose it, and how each stands: in transactions that reach what their subject reaches."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from registry.areas.shapes import Refusal, Shape, shape_of
from runtime.connection import Connection

#: How it stands with a fence in a terminal, by its row.
_STATE: Final = (
    "CASE WHEN a.under_way THEN 'sending' WHEN a.refusal IS NOT NULL THEN 'refused' WHEN a.failure IS NOT NULL THEN 'failed'"
    " WHEN a.wanted_version IS NULL THEN 'ending' WHEN a.holds_version = a.wanted_version THEN 'confirmed' ELSE 'waiting' END"
)


class NoFenceError(Exception):
    """There is no such fence, or not for the caller."""


class CannotBeSentError(Exception):
    """No terminal takes the fence. ``why``: a code of ``shapes.WORDS``."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why)
        self.why = why


async def _unit(connection: Connection, fence: str) -> str:
    unit = await connection.fetchval(
        "SELECT organisation FROM fences WHERE id = $1 ORDER BY version DESC LIMIT 1", fence
    )
    if unit is None:
        raise NoFenceError(fence)
    return str(unit)


async def send_down(connection: Connection, fence: str) -> None:
    """The fence goes to the terminals of its vehicles, from now on, in each version that holds. What failed is tried again. Raises
    NoFenceError, and CannotBeSentError where no terminal takes its newest version."""
    unit = await _unit(connection, fence)
    wkb = await connection.fetchval(
        "SELECT geometry FROM fences WHERE id = $1 ORDER BY version DESC LIMIT 1", fence
    )
    if not isinstance(shape := shape_of(wkb), Shape):
        raise CannotBeSentError(shape)
    await _choose(connection, unit, fence)
    await _try_again(connection, "fence = $1", fence)


async def send_unit_down(connection: Connection, unit: str) -> bool:
    """Every fence of a unit goes; False: there is no such unit, or not for the caller."""
    if not await _there(connection, unit):
        return False
    await _choose(connection, unit, "")
    await _try_again(connection, "organisation = $1", unit)
    return True


async def _choose(connection: Connection, unit: str, fence: str) -> None:
    await connection.execute(
        "INSERT INTO fences_sent_down (organisation, fence) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        unit,
        fence,
    )


async def _try_again(connection: Connection, which: str, value: str) -> None:
    await connection.execute(
        f"UPDATE terminal_areas SET failure = NULL, failures = 0, retry_at = NULL WHERE {which} AND failure IS NOT NULL AND NOT under_way",  # noqa: S608 - our own constants
        value,
    )


async def recall(connection: Connection, fence: str) -> None:
    """The fence is taken from the terminals again, unless its unit has chosen all. Raises NoFenceError."""
    await _unit(connection, fence)
    await connection.execute("DELETE FROM fences_sent_down WHERE fence = $1", fence)


async def recall_unit(connection: Connection, unit: str) -> bool:
    """Not every fence of the unit goes any more; False: there is no such unit, or not for the caller."""
    if not await _there(connection, unit):
        return False
    await _choose(
        connection, unit, ""
    )  # whoever may not choose it may not do this: units above one's own are seen as well
    await connection.execute("DELETE FROM fences_sent_down WHERE organisation = $1 AND fence = ''", unit)
    return True


async def _there(connection: Connection, unit: str) -> bool:
    return bool(await connection.fetchval("SELECT true FROM organisations WHERE id = $1", unit))


async def standing(connection: Connection, fence: str, after: int, limit: int) -> dict[str, Any]:
    """{sent, by_unit, refusal, counts: {state: terminals}, items}: how a fence stands in the terminals, by their numbers. Raises
    NoFenceError."""
    unit = await _unit(connection, fence)
    chosen = {
        row["fence"]
        for row in await connection.fetch(
            "SELECT fence FROM fences_sent_down WHERE organisation = $1 AND fence IN ('', $2)", unit, fence
        )
    }
    wkb = await connection.fetchval(
        "SELECT geometry FROM fences WHERE id = $1 ORDER BY version DESC LIMIT 1", fence
    )
    shape = shape_of(wkb)
    counts = Counter[str]()
    for row in await connection.fetch(
        f"SELECT {_STATE} AS state, count(*) AS terminals FROM terminal_areas a WHERE a.fence = $1 GROUP BY 1",  # noqa: S608 - our own constants
        fence,
    ):
        counts[row["state"]] = row["terminals"]
    rows = await connection.fetch(
        f"SELECT a.terminal_no, t.phone AS terminal, a.vehicle, {_STATE} AS state, a.wanted_version, a.holds_version,"  # noqa: S608 - our own constants
        " COALESCE(a.refusal, a.failure) AS failure, a.command, a.area_id, a.settled_at, a.retry_at FROM terminal_areas a"
        " LEFT JOIN terminals t ON t.no = a.terminal_no WHERE a.fence = $1 AND a.terminal_no > $2 ORDER BY a.terminal_no LIMIT $3",
        fence, after, limit,
    )  # fmt: skip
    return {
        "sent": bool(chosen),
        "by_unit": "" in chosen,
        "shape": shape.name if isinstance(shape, Shape) else None,
        "refusal": None if isinstance(shape, Shape) else shape,
        "counts": dict(counts),
        "items": [dict(row) for row in rows],
    }
