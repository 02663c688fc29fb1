"""The vehicles of a map, and which terminals sit in them: few columns of all vehicles that the caller's transaction sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from registry.snapshot.timelines import FOREVER
from runtime.arrays import Ints
from runtime.connection import Connection
from runtime.units import to_us

#: Whatever is on the road; a vehicle that was disposed of is not shown.
_VEHICLES: Final = "FROM vehicles v WHERE v.disposed_on IS NULL OR v.disposed_on > (now() AT TIME ZONE 'Asia/Shanghai')::date"
#: Those that hold, and those that ended within a day: until the next terminal reports, its last position is the vehicle's last.
_BINDINGS: Final = "FROM terminal_bindings b WHERE b.valid_from <= now() AND (b.valid_to IS NULL OR b.valid_to > now() - interval '1 day')"


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """Vehicles in the order of their ids, as lists of the same length: ``numbers`` (int64, shape (n,)), ``ids``, ``plates``,
    ``organisations``. Bindings as int64 columns of shape (m,), in any order: ``vehicle`` (place in these lists), ``terminal`` (number),
    ``since_us``, ``until_us``. ``print`` is the same as long as all of it is."""

    numbers: Ints
    ids: list[str]
    plates: list[str]
    organisations: list[str]
    vehicle: Ints
    terminal: Ints
    since_us: Ints
    until_us: Ints
    print: str


async def roster_print(connection: Connection) -> str:
    """Changes when the roster does. The database computes it: that costs less than to read all of it."""
    found: str = await connection.fetchval(
        "SELECT (SELECT concat(count(*), ':', sum(hashtextextended(concat_ws(E'\\n', v.no, v.id, v.plate, v.organisation), 0)::numeric))"  # noqa: S608 - constants
        f" {_VEHICLES}) || '/' || (SELECT concat(count(*), ':', sum(hashtextextended(concat_ws(E'\\n', b.vehicle_no, b.terminal_no,"
        f" extract(epoch FROM b.valid_from), extract(epoch FROM b.valid_to)), 0)::numeric)) {_BINDINGS})"
    )
    return found


async def read_roster(connection: Connection) -> Roster:
    """All of it. The print comes first: what changes while the rest is read gives another print the next time."""
    said = await roster_print(connection)
    # By bytes, so that the order is the same in every database.
    vehicles = await connection.fetch(
        f'SELECT v.no, v.id, v.plate, v.organisation {_VEHICLES} ORDER BY v.id COLLATE "C"'
    )
    bindings = await connection.fetch(
        f"SELECT b.vehicle_no, b.terminal_no, b.valid_from, b.valid_to {_BINDINGS} ORDER BY b.vehicle_no, b.valid_from"
    )
    places = {row[0]: place for place, row in enumerate(vehicles)}
    kept = [row for row in bindings if row[0] in places]
    return Roster(
        np.array([row[0] for row in vehicles], np.int64),
        [row[1] for row in vehicles],
        [row[2] for row in vehicles],
        [row[3] for row in vehicles],
        np.array([places[row[0]] for row in kept], np.int64),
        np.array([row[1] for row in kept], np.int64),
        np.array([to_us(row[2]) for row in kept], np.int64),
        np.array([FOREVER if row[3] is None else to_us(row[3]) for row in kept], np.int64),
        said,
    )
