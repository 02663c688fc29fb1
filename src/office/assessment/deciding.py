"""Who may do what about which unit. A unit never decides on its own assessment: whoever decides holds his role in a unit above it
(or everywhere), and does not answer for the unit."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from office.assessment.problems import NotAllowedError
from office.identity.scope import units_reached
from office.identity.subject import Kind, Subject
from registry.organisations import organisation_exists, units_above
from runtime.connection import Connection
from runtime.errors import NotThereError

READ: Final = "assessments:read"
MANAGE: Final = "assessments:manage"
DECIDE: Final = "assessments:decide"
DISPUTE: Final = "assessments:dispute"
#: Whoever has one of these in a unit answers for it.
_ANSWERS: Final = frozenset({DISPUTE})


def no_such_unit(unit: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(f"没有这个单位，或不在您的范围内 · no such unit, or it is not yours to see: {unit}")


async def visible(connection: Connection, subject: Subject, unit: str, *permissions: str) -> None:
    """Raises NotThereError for a unit in which ``subject`` has none of ``permissions``."""
    reached = await units_reached(connection, subject, *permissions)
    if (reached is not None and unit not in reached) or not await organisation_exists(connection, unit):
        raise no_such_unit(unit)


def human(subject: Subject) -> None:
    """Raises NotAllowedError for a program."""
    if subject.kind is not Kind.USER:
        raise NotAllowedError(
            "no-person",
            "此事须由本人登录办理，程序不能代办 · a person must do this, not a program; log in yourself",
        )


async def acting(
    connection: Connection, subject: Subject, permission: str, unit: str, *, but: Collection[str] = ()
) -> frozenset[str]:
    """Whose act it is when ``subject`` uses ``permission`` in ``unit``. ``but``: persons who must not have a part in it.

    Raises NotAllowedError."""
    ways = subject.hats([permission], await units_above(connection, unit))
    return _first(ways, permission, unit, but)


async def deciding(
    connection: Connection, subject: Subject, unit: str, *, but: Collection[str] = ()
) -> frozenset[str]:
    """Whose act it is when ``subject`` decides about ``unit`` from above. Raises NotAllowedError."""
    human(subject)
    chain = await units_above(connection, unit)
    if subject.hats(_ANSWERS, chain):
        raise NotAllowedError(
            "own-unit",
            "您代表该单位（或其上级受考核单位），不能决定它的考核，请交其他人办理 · you answer for this unit and cannot decide on its"
            " assessment; let somebody else do it",
        )
    ways = subject.hats([DECIDE], chain - {unit})
    if not ways and subject.hats([DECIDE], chain):
        raise NotAllowedError(
            "own-unit",
            "本单位的考核须由上级公车管理处决定 · the assessment of one's own unit is decided by the office of the unit above",
        )
    return _first(ways, DECIDE, unit, but)


def _first(ways: list[frozenset[str]], permission: str, unit: str, but: Collection[str]) -> frozenset[str]:
    if not ways:
        raise NotAllowedError(
            "missing-permission",
            f"您在单位 {unit} 没有权限 {permission}，请由有权限的人员办理 · you lack {permission} in unit {unit}; ask somebody who has it",
        )
    for persons in ways:
        if persons.isdisjoint(but):
            return persons
    raise NotAllowedError(
        "own-matter",
        "您（或委托您的人）已参与过此事的前一步，须由另一人办理 · you, or who delegated the right, took the step before this one;"
        " another person must take this one",
    )
