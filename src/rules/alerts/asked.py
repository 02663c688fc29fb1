"""What a list of alerts, or a count of them, is asked for, as SQL: one place, so that a number and the list that it opens agree."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from rules.alerts.conditions import Conditions
from rules.alerts.model import AlertFilter
from runtime.units import from_us

#: Columns that are compared with one value.
_SAME: Final = ("rule", "organisation", "vehicle", "status", "finding", "severity", "driver")


#: Whether the caller has not read the newest version of the alert ``a`` (migrations/0050_lists.sql).
UNREAD: Final = (
    "NOT EXISTS (SELECT FROM alert_reads r WHERE r.reader = current_setting('gongche.subject', true) AND r.alert = a.id"
    " AND r.version = a.version)"
)


def moment(us: int | None) -> datetime | None:
    """A time of a filter as the database takes it."""
    return None if us is None else from_us(us)


def ask(asked: Conditions, wanted: AlertFilter) -> None:
    """Adds what ``wanted`` says of the table ``a``; ``wanted.vehicles`` and ``wanted.units`` only where nothing else does (``any_of``). What
    is unread the list looks at row by row (``listing``)."""
    for column in _SAME:
        value = getattr(wanted, column)
        if value is not None:
            asked.add(f"a.{column} = {{}}", value)
    if wanted.case_states is not None:
        if len(wanted.case_states) == 1:  # then the index alerts_by_case is in the order of the page
            asked.add("a.case_state = {}", wanted.case_states[0])
        else:
            asked.add("a.case_state = ANY({}::text[])", list(wanted.case_states))
    if wanted.from_us is not None or wanted.to_us is not None:
        # What the index alerts_happened is made of. It takes both ends with it, so the exact words follow.
        asked.add(
            "tstzrange(a.occurred_from, GREATEST(a.occurred_from, COALESCE(a.occurred_to, 'infinity')), '[]')"
            " && tstzrange({}, {})",
            moment(wanted.from_us),
            moment(wanted.to_us),
        )
    if wanted.from_us is not None:
        asked.add("(a.occurred_to IS NULL OR a.occurred_to >= {})", from_us(wanted.from_us))
    if wanted.to_us is not None:
        asked.add("a.occurred_from < {}", from_us(wanted.to_us))
    for column, since, until in (
        ("occurred_from", wanted.began_from_us, wanted.began_to_us),
        ("detected_at", wanted.detected_from_us, wanted.detected_to_us),
    ):
        if since is not None:
            asked.add(f"a.{column} >= {{}}", from_us(since))
        if until is not None:
            asked.add(f"a.{column} < {{}}", from_us(until))


def any_of(asked: Conditions, wanted: AlertFilter) -> None:
    """Adds the units and vehicles of ``wanted`` as conditions."""
    for column, values in (("organisation", wanted.units), ("vehicle", wanted.vehicles)):
        if values is not None:
            asked.add(f"a.{column} = ANY({{}}::text[])", list(values))


def named(wanted: AlertFilter) -> dict[str, str]:
    """The filters that are single values, as the function counted_alerts (migrations/0050_lists.sql) takes them."""
    values: dict[str, str | None] = {column: getattr(wanted, column) for column in _SAME}
    times = ("from", "to", "began_from", "began_to", "detected_from", "detected_to")
    for name in times:
        us = getattr(wanted, f"{name}_us")
        values[name] = None if us is None else from_us(us).isoformat()
    values["unread"] = "true" if wanted.unread else None
    return {name: value for name, value in values.items() if value is not None}


def masked(wanted: AlertFilter) -> list[Any]:
    """The first ten arguments of the functions masked_list and masked_page (migrations/0048_statistics.sql, 0050_lists.sql)."""
    units = None if wanted.units is None else list(wanted.units)
    if wanted.organisation is not None:
        units = [wanted.organisation] if units is None or wanted.organisation in units else []
    times = (
        wanted.from_us, wanted.to_us, wanted.began_from_us, wanted.began_to_us, wanted.detected_from_us, wanted.detected_to_us,
    )  # fmt: skip
    return [wanted.rule, units, wanted.status, wanted.severity, *map(moment, times)]
