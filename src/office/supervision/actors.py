"""Who acts, and who sees what: from the subject to persons and units."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from office.identity.scope import units_reached
from office.identity.subject import Kind, Subject
from office.supervision.problems import NotAllowedError
from office.supervision.states import OFFICE
from registry.organisations import units_above, units_below
from runtime.connection import Connection

#: Whoever has one of these in a unit, and none of those of the office, answers for it: he sees its cases from the issue on only.
ANSWERS: Final = frozenset({"cases:reply", "cases:sign"})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, from which address and with what."""

    subject: Subject
    address: str = ""
    device: str = ""

    @property
    def person(self) -> str:
        """``user:7``: unique among all who can act."""
        return self.subject.key

    @property
    def human(self) -> bool:
        return self.subject.kind is Kind.USER


@dataclass(frozen=True, slots=True)
class Sight:
    """The units of which a subject sees every case, and those of which it sees the cases that were issued; with the units
    below them; None = all."""

    all: frozenset[str] | None
    issued: frozenset[str] | None

    def sees(self, organisation: str, helpers: Collection[str] = (), *, issued: bool) -> bool:
        """Whether a case of ``organisation`` is seen, in which ``helpers`` help."""
        if self.all is None or organisation in self.all:
            return True
        return issued and (self.issued is None or organisation in self.issued or bool(self.helping(helpers)))

    def helping(self, helpers: Collection[str]) -> frozenset[str]:
        """Those of ``helpers`` for which the subject sees what they help with: as a unit sees a case, from its issue on."""
        if self.all is None or self.issued is None:
            return frozenset(helpers)
        return (self.all | self.issued).intersection(helpers)

    def office(self, organisation: str) -> bool:
        """Whether the subject sees the case as the office and inspectors do, not as its unit."""
        return self.all is None or organisation in self.all


async def sight(connection: Connection, subject: Subject) -> Sight:
    """What ``subject`` sees."""
    everything: set[str | None] = set()
    issued: set[str | None] = set()
    for grant in subject.grants:
        if "cases:read" in grant.permissions:
            answers = not grant.permissions.isdisjoint(ANSWERS) and grant.permissions.isdisjoint(OFFICE)
            (issued if answers else everything).add(grant.organisation)
    return Sight(await _below(connection, everything), await _below(connection, issued))


def sees_drafts(subject: Subject, permission: str) -> bool:
    """Whether ``subject`` sees every case, drafts too, wherever it has ``permission``: not one of its grants is that of who only
    answers for a unit, or of who sees no cases."""
    return all(
        "cases:read" in grant.permissions
        and (grant.permissions.isdisjoint(ANSWERS) or not grant.permissions.isdisjoint(OFFICE))
        for grant in subject.grants
        if permission in grant.permissions
    )


async def _below(connection: Connection, units: set[str | None]) -> frozenset[str] | None:
    if None in units:
        return None
    return await units_below(connection, [unit for unit in units if unit is not None])


async def reach_of(connection: Connection, subject: Subject, *permissions: str) -> list[str] | None:
    """The units in which ``subject`` has one of ``permissions``, sorted; None = all."""
    reach = await units_reached(connection, subject, *permissions)
    return None if reach is None else sorted(reach)


async def persons_for(
    connection: Connection, actor: Actor, unit: str, *permissions: str
) -> list[frozenset[str]]:
    """``Subject.hats`` in ``unit``. Raises NotAllowedError when there is none."""
    found = actor.subject.hats(permissions, await units_above(connection, unit))
    if not found:
        raise NotAllowedError(unit, permissions)
    return found
