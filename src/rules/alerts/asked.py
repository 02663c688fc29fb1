"""What a list of alerts, or a count of them, is asked for, as SQL: one place, so that a number and the list that it opens agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rules.alerts.conditions import Conditions
from rules.alerts.model import AlertFilter
from runtime.units import US_PER_DAY, from_us

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
    """Adds what ``wanted`` says of the table ``a``, but for the time that an alert overlaps (``stretches``); ``wanted.vehicles`` and
    ``wanted.units`` only where nothing else does (``any_of``). What is unread the list looks at row by row (``listing``)."""
    for column in _SAME:
        value = getattr(wanted, column)
        if column == "status" and value == "withdrawn":
            # A word of the statement: then the indexes of the few that are can be used.
            asked.add("a.status = 'withdrawn'")
        elif value is not None:
            asked.add(f"a.{column} = {{}}", value)
    if wanted.case_states is not None:
        if len(wanted.case_states) == 1:  # then the index alerts_by_case is in the order of the page
            asked.add("a.case_state = {}", wanted.case_states[0])
        else:
            asked.add("a.case_state = ANY({}::text[])", list(wanted.case_states))
    for column, since, until in (
        ("occurred_from", wanted.began_from_us, wanted.began_to_us),
        ("detected_at", wanted.detected_from_us, wanted.detected_to_us),
    ):
        if since is not None:
            asked.add(f"a.{column} >= {{}}", from_us(since))
        if until is not None:
            asked.add(f"a.{column} < {{}}", from_us(until))


#: Conditions of the indexes alerts_long and alerts_late (migrations/0054_times_of_lists.sql), word for word.
_LONG: Final = "(a.occurred_to IS NULL OR a.occurred_to - a.occurred_from >= interval '24 hours')"
_LATE: Final = "a.detected_at - a.occurred_from >= interval '48 hours'"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Alerts that follow one index. ``clauses``: as ``Conditions.add`` takes them. ``few``: they are few, and read before they are
    ordered: the index does not have them in the order of the list."""

    clauses: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    few: bool = False

    def ask(self, asked: Conditions) -> None:
        """Adds what the stretch says."""
        for clause, values in self.clauses:
            asked.add(clause, *values)


def stretches(wanted: AlertFilter, *, by_detection: bool) -> list[Stretch]:
    """What overlaps the time of ``wanted``; together they have each alert once. Only comparisons of times: under row-level security no
    index of ranges is used (its operators might tell what is hidden). ``by_detection``: the list is ordered by the time of the detection."""
    since, until = wanted.from_us, wanted.to_us
    ended: list[tuple[str, tuple[Any, ...]]] = []
    if until is not None:
        ended.append(("a.occurred_from < {}", (from_us(until),)))
    found: list[Stretch] = []
    if since is not None:
        ended.append(("(a.occurred_to IS NULL OR a.occurred_to >= {})", (from_us(since),)))
        day_before = from_us(since - US_PER_DAY)
        # What began more than a day before and goes on is long, and few alerts are.
        long = (
            ("a.occurred_from < {}", (day_before,)),
            (_LONG, ()),
            ("COALESCE(a.occurred_to, 'infinity') >= {}", (from_us(since),)),
        )
        found.append(Stretch((*long, *ended), True))
        ended.append(("a.occurred_from >= {}", (day_before,)))
    if until is None or not by_detection:
        return [Stretch(tuple(ended)), *found]
    # Most alerts are detected soon after their beginning: the index by detection has those of a time together, however long ago that is.
    soon = (("a.detected_at < {}", (from_us(until + 2 * US_PER_DAY),)), (f"NOT {_LATE}", ()))
    return [Stretch((*soon, *ended)), Stretch(((_LATE, ()), *ended), True), *found]


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
