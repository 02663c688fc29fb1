"""Whose positions go over a link: the vehicles of its units with the terminals in them, and the colours of their plates.

Secret vehicles (涉密) are never given to another platform. They may be taken from one below: their unit has them there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from runtime.arrays import AnyInts
from runtime.connection import Connection
from runtime.units import to_us

#: Without end.
_EVER: Final = 1 << 62
BLUE, GREEN, OTHER = 1, 5, 9
#: A plate of a new energy vehicle has one character more, and is green.
_NEW_ENERGY: Final = 8


def colour_of(plate: str, edition: int) -> int:
    """The colour of a plate of which nobody has said another one: blue; green of a new energy vehicle, which the table of colours of
    2011 does not have (there: other)."""
    if len(plate) != _NEW_ENERGY:
        return BLUE
    return GREEN if edition >= 2019 else OTHER


@dataclass(frozen=True, slots=True)
class Fitted:
    """A terminal in a vehicle within [since_us, until_us)."""

    terminal: int
    since_us: int
    until_us: int
    vehicle: str
    organisation: str
    plate: str
    colour: int
    secret: bool
    enabled: bool
    phone: str
    manufacturer: str
    model: str
    device_id: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """The terminals of a link, all times. ``terminals``: their numbers, sorted, shape (n,)."""

    fitted: Mapping[int, Sequence[Fitted]]
    terminals: AnyInts

    def at(self, terminal: int, device_us: int) -> Fitted | None:
        """The vehicle in which a terminal sat then."""
        for one in self.fitted.get(terminal, ()):
            if one.since_us <= device_us < one.until_us:
                return one
        return None

    def now(self, now_us: int) -> list[Fitted]:
        """Who sits in a vehicle now, by plate."""
        found = [
            one for group in self.fitted.values() for one in group if one.since_us <= now_us < one.until_us
        ]
        return sorted(found, key=lambda one: (one.plate, one.terminal))

    def by_plate(self, now_us: int) -> dict[str, Fitted]:
        """Whose positions of a plate would be, now: those of an enabled terminal, of several the first registered."""
        found: dict[str, Fitted] = {}
        for one in self.now(now_us):
            if one.enabled:
                found.setdefault(one.plate, one)
        return found


def fleet_of(fitted: Iterable[Fitted]) -> Fleet:
    """The fleet of what was read."""
    groups: defaultdict[int, list[Fitted]] = defaultdict(list)
    for one in fitted:
        groups[one.terminal].append(one)
    return Fleet(dict(groups), np.array(sorted(groups), np.int64))


async def read_fleet(connection: Connection, units: Sequence[str], edition: int) -> Fleet:
    """The fleet of the units ``units`` and those below them."""
    rows = await connection.fetch(
        "WITH RECURSIVE below AS (SELECT unnest($1::text[]) AS id UNION SELECT o.id FROM below b JOIN organisations o ON o.parent = b.id)"
        " SELECT b.terminal_no, b.valid_from, b.valid_to, v.id, v.organisation, v.plate, c.colour, v.secret, t.enabled, t.phone, t.manufacturer,"
        " t.model, t.device_id FROM vehicles v JOIN terminal_bindings b ON b.vehicle_no = v.no JOIN terminals t ON t.no = b.terminal_no"
        " LEFT JOIN platform_colours c ON c.vehicle = v.id WHERE v.organisation IN (SELECT id FROM below)",
        list(units),
    )
    return fleet_of(_fitted(row, edition) for row in rows)


def _fitted(row: Any, edition: int) -> Fitted:
    until = _EVER if row["valid_to"] is None else to_us(row["valid_to"])
    colour = colour_of(row["plate"], edition) if row["colour"] is None else row["colour"]
    return Fitted(
        row["terminal_no"], to_us(row["valid_from"]), until, row["id"], row["organisation"], row["plate"], colour, row["secret"], row["enabled"],
        row["phone"], row["manufacturer"], row["model"], row["device_id"],
    )  # fmt: skip


async def said_colours(connection: Connection) -> dict[str, int]:
    """Vehicle -> the colour that somebody has said."""
    return {
        row["vehicle"]: row["colour"]
        for row in await connection.fetch("SELECT vehicle, colour FROM platform_colours")
    }
