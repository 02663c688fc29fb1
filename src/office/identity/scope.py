"""The reach of a subject as the database keeps it: which role a transaction works as, and which units it sees.

``Reach`` is text: ``api.auth.scoped`` sends it with the first statement of each transaction; the policies are in
migrations/0031_scope.sql.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from office.identity.subject import Subject
from registry.organisations import units_below
from runtime.connection import Connection

#: The roles of requests: of one that reaches some units and those below them, and of one that reaches all. While nothing secret is
#: hidden from the latter, the database gives it a third one, without policies (migrations/0042_cleared_requests.sql).
UNITS_ROLE: Final = "gongche_app"
EVERYWHERE_ROLE: Final = "gongche_everywhere"


@dataclass(frozen=True, slots=True)
class Reach:
    """``units``: those that are reached, with all below them; None = everywhere, none = nothing. ``subject``: who asks, as
    ``kind:id``. ``actor``: the same as the audit has it (office.identity.audit); "" = nothing is written. ``secrets``: the units
    in which, and below which, secret vehicles are seen (office.identity.secrecy); None = everywhere. It can be pickled: a
    large import takes it to a process of its own."""

    units: frozenset[str] | None
    subject: str
    actor: str = ""
    secrets: frozenset[str] | None = frozenset()

    @property
    def role(self) -> str:
        """The role of the database that a transaction of this reach works as."""
        return EVERYWHERE_ROLE if self.units is None else UNITS_ROLE

    def sql(self, *, session: bool = False) -> str:
        """Statements that give a transaction this reach until it ends (or, of a connection that nobody else uses, the
        session until it is reset)."""
        how = "" if session else "LOCAL "
        return (
            f"SET {how}ROLE {self.role};"
            f"SET {how}gongche.reach = {quoted(array_text(self.units or ()))};"
            f"SET {how}gongche.secrets = {quoted('*' if self.secrets is None else array_text(self.secrets))};"
            + (f"SELECT set_config('role', everywhere_role(), {not session});" if self.units is None else "")
            + f"SET {how}gongche.subject = {quoted(self.subject)};"
            + (f"SET {how}gongche.actor = {quoted(self.actor)};" if self.actor else "")
        )


def array_text(items: Collection[str]) -> str:
    """``items`` as PostgreSQL writes an array of text: {"a","b"}."""
    inside = (item.replace("\\", "\\\\").replace('"', '\\"') for item in sorted(items))
    return "{" + ",".join(f'"{item}"' for item in inside) + "}"


def quoted(text: str) -> str:
    """``text`` as a literal of SQL (``standard_conforming_strings`` is on, see runtime.postgres). Raises ValueError for NUL,
    which no text of the database has."""
    if "\0" in text:
        raise ValueError("NUL in a text for the database")
    return "'" + text.replace("'", "''") + "'"


#: So many units are looked up one by one, where their rows are few among all.
FEW_UNITS: Final = 50


async def few_units(connection: Connection, reach: Reach) -> list[str] | None:
    """The units that a transaction of ``reach`` sees, when they are few; None = many, or all."""
    if reach.units is None:
        return None
    units: list[str] = await connection.fetchval("SELECT reach_units()")
    return units if len(units) <= FEW_UNITS else None


@asynccontextmanager
async def in_order(connection: Connection, wanted: bool) -> AsyncIterator[None]:
    """Where ``wanted``: a list is read along an index in the order in which it is shown. The database takes the rows of a reach of
    many units for few, and would sort all of them for one page. It is planned for the values that are asked for: a plan for any value
    walks an index along which a rare one comes at the very end. In a transaction, and only for what has such an index."""
    if not wanted:
        yield
        return
    await connection.execute("SET LOCAL enable_sort = off; SET LOCAL plan_cache_mode = force_custom_plan")
    yield
    await connection.execute("SET LOCAL enable_sort = on; SET LOCAL plan_cache_mode = auto")


async def units_reached(connection: Connection, subject: Subject, *permissions: str) -> frozenset[str] | None:
    """The units in which ``subject`` has one of ``permissions``, those below named as well; None = everywhere. The tree of
    units is read anew: a unit that moves takes with it what is its own."""
    roots = subject.reach(*permissions)
    return None if roots is None else await units_below(connection, roots)
