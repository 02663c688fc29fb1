"""Which units' alerts a subject gets: what it may see, and what it asks for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from office.identity.scope import units_reached
from office.identity.subject import Subject
from registry.organisations import units_below
from rules.alerts.model import FeedFilter
from runtime.connection import Connection


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader of the feed asks for; None = all. ``organisations``: units, each with those below it."""

    organisations: tuple[str, ...] | None = None
    rules: tuple[str, ...] | None = None
    severities: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None


async def visible_units(
    connection: Connection, subject: Subject, permission: str, chosen: Collection[str] | None = None
) -> frozenset[str] | None:
    """The units in which ``subject`` has ``permission``, those below named as well; with ``chosen`` only these and those below
    them. None = everywhere. The tree of units is read anew: a unit that moves takes its alerts with it."""
    reach = await units_reached(connection, subject, permission)
    if chosen is None:
        return reach
    asked = await units_below(connection, chosen)
    return asked if reach is None else asked & reach


async def filter_for(connection: Connection, subject: Subject, permission: str, wanted: Wanted) -> FeedFilter:
    """The filter of the feed for ``subject``, as it may see things now."""
    units = await visible_units(connection, subject, permission, wanted.organisations)
    return FeedFilter(units, *(_set(v) for v in (wanted.rules, wanted.severities, wanted.statuses)))


def _set(values: Collection[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)
