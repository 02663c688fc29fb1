"""Whom a message goes to: people with the permission in its unit, and the groups of units. Read at the moment at which it is put
on its way; what somebody may do then counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from office.identity.grants import GRANTS_OF_U, grants_of
from office.identity.secrecy import PERMISSION
from office.identity.subject import Grant
from registry.organisations import parents_of
from runtime.connection import Connection

#: What is the unit's to do; everything else is the office's.
OF_UNITS: Final = frozenset({"cases:reply", "cases:sign"})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with channels that are in use."""

    channels: tuple[int, ...]
    grants: tuple[Grant, ...]
    id: str = ""


@dataclass(frozen=True, slots=True)
class UnitChannel:
    """A channel of a unit. ``about``: "unit" = what the unit has to do, "office" = what the office has to do with it and the
    units below it."""

    channel: int
    organisation: str
    about: str


@dataclass(frozen=True, slots=True)
class Receivers:
    """All who have channels in use, and the tree of units (unit -> the unit above it)."""

    people: Sequence[Person]
    units: Sequence[UnitChannel]
    parents: Mapping[str, str | None]

    def of_person(self, id: str) -> list[int]:
        """The channels of one person, sorted: of a message that is for him alone."""
        return sorted(channel for person in self.people if person.id == id for channel in person.channels)

    def of_trips(self, organisation: str, permission: str) -> list[int]:
        """The channels of people that a message about a trip goes to. No groups: it is somebody's turn, not everybody's."""
        above = self._above(organisation)
        return sorted(
            {
                channel
                for person in self.people
                if _may(person.grants, permission, above)
                for channel in person.channels
            }
        )

    def of(self, organisation: str, permission: str, *, secret: bool = False) -> list[int]:
        """The channels that a message of ``organisation`` for ``permission`` goes to, sorted. ``secret``: its case has to do with a
        secret vehicle (涉密). Then only people hear of it who may know, and no group: who is in one is not known."""
        above = self._above(organisation)
        found = {
            channel
            for person in self.people
            if _may(person.grants, permission, above)
            and (not secret or _may(person.grants, PERMISSION, above))
            for channel in person.channels
        }
        for unit in () if secret else self.units:
            if permission in OF_UNITS:
                if unit.about == "unit" and unit.organisation == organisation:
                    found.add(unit.channel)
            elif unit.about == "office" and unit.organisation in above:
                found.add(unit.channel)
        return sorted(found)

    def _above(self, organisation: str) -> frozenset[str]:
        found: set[str] = set()
        at: str | None = organisation
        while at is not None and at not in found:
            found.add(at)
            at = self.parents.get(at)
        return frozenset(found)


def _may(grants: Iterable[Grant], permission: str, above: frozenset[str]) -> bool:
    return any(
        permission in grant.permissions and (grant.organisation is None or grant.organisation in above)
        for grant in grants
    )


async def load(connection: Connection) -> Receivers:
    """As they are now: people who may come in, with the roles that hold now."""
    people: Sequence[Any] = await connection.fetch(
        f"SELECT u.id, clock_timestamp() AS now, c.channels, {GRANTS_OF_U} FROM users u JOIN (SELECT person, array_agg(no) AS channels"  # noqa: S608 - constants
        " FROM message_channels WHERE person IS NOT NULL AND enabled AND confirmed_at IS NOT NULL GROUP BY person) c"
        " ON c.person = u.id WHERE u.disabled_at IS NULL"
    )
    units = await connection.fetch(
        "SELECT no, organisation, about FROM message_channels WHERE organisation IS NOT NULL AND enabled"
        " AND confirmed_at IS NOT NULL"
    )
    return Receivers(
        [Person(tuple(row["channels"]), grants_of(row, row["now"]), row["id"]) for row in people],
        [UnitChannel(*row) for row in units],
        await parents_of(connection),
    )
