"""Counts of alerts, by what the list can be asked for. A number and the list of the same filter agree: both are made of ``asked``.

Counts read one index alone (alerts_counted, migrations/0048_statistics.sql). Alerts of secret vehicles that the caller must not see are
counted as the list shows them, masked; of which vehicle or driver they are, and what became of them, is not said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from rules.alerts.asked import any_of, ask, masked
from rules.alerts.conditions import Conditions
from rules.alerts.model import AlertFilter
from runtime.connection import Connection

#: So many alerts are counted for facets, at most: those that began last.
MOST_COUNTED: Final = 100_000
#: So many masked ones: there are few secret vehicles.
_MOST_MASKED: Final = 1_000_000

By = Literal[
    "rule", "organisation", "vehicle", "driver", "severity", "status", "finding", "case_state", "day", "month"
]
#: Days of China, at its offset: its zone had summer time until 1991, and costs more to ask.
_DAY: Final = "date_trunc('day', a.occurred_from AT TIME ZONE interval '8 hours')"
#: By what is counted -> SQL of an alert. Months are made of days, of which there are few.
_KEYS: Final[dict[str, str]] = {
    name: f"a.{name}"
    for name in ("rule", "organisation", "vehicle", "driver", "severity", "status", "finding")
} | {"case_state": "{case}", "day": _DAY, "month": _DAY}
#: Of a group, as text.
_SHOWN: Final[dict[str, str]] = {"day": "to_char(key, 'YYYY-MM-DD')", "month": "to_char(key, 'YYYY-MM')"}
#: What is masked of a secret vehicle.
_NOT_SAID: Final = frozenset({"vehicle", "driver", "finding", "case_state"})


@dataclass(slots=True)
class Counts:
    """Numbers of alerts. ``masked``: of them those whose vehicle, case and finding are not said; they are in no number of ``cases`` and
    ``findings``. ``open``: suspected, and in no case yet."""

    alerts: int = 0
    withdrawn: int = 0
    open: int = 0
    masked: int = 0
    severities: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cases: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    findings: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, row: Any) -> None:
        """A part of the alerts that are alike."""
        n = row["n"]
        self.alerts += n
        self.severities[row["severity"]] += n
        self.withdrawn += n if row["status"] == "withdrawn" else 0
        if row["masked"]:
            self.masked += n
            return
        self.cases[row["case_state"]] += n
        self.findings[row["finding"]] += n
        self.open += n if row["status"] == "suspected" and row["case_state"] == "none" else 0


@dataclass(frozen=True, slots=True)
class Group:
    """``key``: what its alerts have in common; None: nothing (they have no driver), or it is not said (``masked``)."""

    key: str | None
    masked: bool
    counts: Counts


@dataclass(frozen=True, slots=True)
class Grouped:
    """A page of groups, how many groups there are, and the counts of all of them."""

    groups: list[Group]
    of: int
    totals: Counts


async def grouped(
    conn: Connection,
    wanted: AlertFilter,
    by: By,
    *,
    order: Literal["alerts", "key"] = "alerts",
    descending: bool = True,
    limit: int = 100,
    offset: int = 0,
    not_seen: Collection[str] = (),
    units: Sequence[str] | None = None,
) -> Grouped:
    """Alerts of ``wanted`` by ``by``, a page of the groups in ``order``. ``not_seen``: states of a case that the caller does not see: for him
    such an alert is in no case. ``units``: only of these few."""
    asked = Conditions()
    ask(asked, wanted)
    any_of(asked, wanted, units)
    case = _case(asked, not_seen)
    shown, key = _SHOWN.get(by, "key"), _KEYS[by].format(case=case)
    most, after = asked.argument(limit), asked.argument(offset)
    hidden, arguments = await _masked(conn, wanted, asked, by)
    way = "DESC" if descending else "ASC"
    sort = f"alerts {way}, key" if order == "alerts" else f"key {way}"
    rows = await conn.fetch(
        f"WITH part AS MATERIALIZED (SELECT key, false AS masked, status, severity, case_state, finding, n FROM ("  # noqa: S608 - our own clauses
        f"SELECT {key} AS key, a.status, a.severity, {case} AS case_state, a.finding, count(*) AS n FROM alerts a{asked.where}"
        f" GROUP BY 1, 2, 3, 4, 5) f{hidden}),"
        f" named AS MATERIALIZED (SELECT {shown} AS key, key IS NULL AS without, masked, status, severity, case_state, finding, n FROM part),"
        " sums AS MATERIALIZED (SELECT COALESCE(key, '') AS key, without, masked AND without AS secret, sum(n) AS alerts FROM named GROUP BY 1, 2, 3),"
        f" page AS MATERIALIZED (SELECT *, row_number() OVER (ORDER BY {sort}, without, secret) AS place FROM sums"
        f" ORDER BY place LIMIT {most} OFFSET {after})"
        " SELECT 0 AS place, NULL AS key, false AS without, false AS secret, masked, status, severity, case_state, finding, sum(n)::bigint AS n,"
        " (SELECT count(*) FROM sums) AS of FROM named GROUP BY masked, status, severity, case_state, finding"
        " UNION ALL SELECT p.place, p.key, p.without, p.secret, d.masked, d.status, d.severity, d.case_state, d.finding, d.n, 0"
        " FROM page p JOIN named d ON COALESCE(d.key, '') = p.key AND d.without = p.without AND (d.masked AND d.without) = p.secret"
        " ORDER BY place",
        *arguments,
    )  # fmt: skip
    return _read(rows)


def _read(rows: Sequence[Any]) -> Grouped:
    totals, groups, of = Counts(), dict[int, Group](), 0
    for row in rows:
        if row["place"] == 0:
            totals.add(row)
            of = row["of"]
            continue
        key = None if row["without"] else row["key"]
        group = groups.setdefault(row["place"], Group(key, row["secret"], Counts()))
        group.counts.add(row)
    return Grouped(list(groups.values()), of, totals)


@dataclass(frozen=True, slots=True)
class Facets:
    """How many alerts a list has, and of them how many each value of a filter would leave. ``more``: there are more than were counted;
    counted were those that began last."""

    counts: Counts
    more: bool
    rules: dict[str, int]
    statuses: dict[str, int]
    organisations: dict[str, int]


async def facets(
    conn: Connection,
    wanted: AlertFilter,
    *,
    not_seen: Collection[str] = (),
    units: Sequence[str] | None = None,
    most: int = MOST_COUNTED,
) -> Facets:
    """The facets of the list of ``wanted``. See ``grouped``."""
    asked = Conditions()
    ask(asked, wanted)
    any_of(asked, wanted, units)
    case = _case(asked, not_seen)
    look = asked.argument(most + 1)
    hidden, arguments = await _masked(conn, wanted, asked, "organisation", ", rule")
    rows = await conn.fetch(
        "SELECT key AS organisation, rule, masked, status, severity, case_state, finding, n FROM ("  # noqa: S608 - our own clauses
        "SELECT organisation AS key, false AS masked, status, severity, case_state, finding, count(*) AS n, rule FROM ("
        f"SELECT a.organisation, a.rule, a.status, a.severity, {case} AS case_state, a.finding FROM alerts a{asked.where}"
        f" ORDER BY a.occurred_from DESC LIMIT {look}) f GROUP BY organisation, rule, status, severity, case_state, finding{hidden}) g",
        *arguments,
    )
    counts, sums = Counts(), {name: defaultdict[str, int](int) for name in ("rule", "status", "organisation")}
    for row in rows:
        counts.add(row)
        for name, found in sums.items():
            found[row[name]] += row["n"]
    more = counts.alerts - counts.masked > most
    return Facets(counts, more, *(dict(sums[name]) for name in ("rule", "status", "organisation")))


def _case(asked: Conditions, not_seen: Collection[str]) -> str:
    """SQL of the state of the case of an alert as the caller sees it."""
    if not not_seen:
        return "a.case_state"
    return f"CASE WHEN a.case_state = ANY({asked.argument(sorted(not_seen))}::text[]) THEN 'none' ELSE a.case_state END"


async def _masked(
    conn: Connection, wanted: AlertFilter, asked: Conditions, by: str, more: str = ""
) -> tuple[str, list[Any]]:
    """SQL that adds the masked alerts, where there are any, and the arguments of the whole statement."""
    if not wanted.finds_masked or not await conn.fetchval("SELECT cardinality(hidden_nos())"):
        return "", asked.arguments
    places = [asked.argument(value) for value in (*masked(wanted), _MOST_MASKED)]
    types = ("text", "text[]", "text", "text", *["timestamptz"] * 6, "integer")
    given = ", ".join(f"{place}::{kind}" for place, kind in zip(places, types, strict=True))
    call = f"masked_list({given.rpartition(', ')[0]}, NULL, NULL, {places[-1]}::integer)"
    key = "NULL" if by in _NOT_SAID else _KEYS[by]
    return (
        f" UNION ALL SELECT {key}, true, a.status, a.severity, '', '', count(*){', a.rule' if more else ''} FROM {call} a"  # noqa: S608 - our own clauses
        f" GROUP BY 1, 3, 4{', 8' if more else ''}",
        asked.arguments,
    )
