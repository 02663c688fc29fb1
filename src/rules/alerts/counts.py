"""Counts of alerts, by what the list can be asked for.

The function counted_alerts (migrations/0050_lists.sql) counts what the caller may see, from one index alone; tests compare its numbers with the
list of the same filters. Alerts of secret vehicles that the caller must not see are counted as the list shows them, masked; of which
vehicle or driver they are, and what became of them, is not said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from rules.alerts.asked import masked, named
from rules.alerts.model import AlertFilter
from runtime.connection import Connection

#: So many alerts are counted for facets, at most: those that began last.
MOST_COUNTED: Final = 100_000
#: So many masked ones: there are few secret vehicles.
_MOST_MASKED: Final = 1_000_000

By = Literal[
    "rule", "organisation", "vehicle", "driver", "severity", "status", "finding", "case_state", "day", "month"
]
_DAY: Final = "to_char(a.occurred_from AT TIME ZONE interval '8 hours', '{}')"
#: Of a masked alert that by which it is counted; what is not here is not said.
_MASKED_KEYS: Final[dict[str, str]] = {
    name: f"a.{name}" for name in ("rule", "organisation", "severity", "status")
} | {
    "day": _DAY.format("YYYY-MM-DD"),
    "month": _DAY.format("YYYY-MM"),
}
#: $1 to $7. "list": rule and unit are told beside each other.
_COUNTED: Final = "counted_alerts($1, $2, $3, $4, $5, $6, $7)"


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
) -> Grouped:
    """Alerts of ``wanted`` by ``by``, a page of the groups in ``order``. ``not_seen``: states of a case that the caller does not see: for him
    such an alert is in no case."""
    arguments = _arguments(by, wanted, not_seen, None)
    hidden = await _masked(conn, wanted, arguments, _MASKED_KEYS.get(by, "NULL"))
    arguments += [limit, offset]
    way = "DESC" if descending else "ASC"
    sort = f"alerts {way}, key" if order == "alerts" else f"key {way}"
    rows = await conn.fetch(
        "WITH part AS MATERIALIZED (SELECT COALESCE(key, '') AS key, key IS NULL AS without, masked, key IS NULL AND masked AS secret,"  # noqa: S608 - our own clauses
        " status, severity, case_state, finding, n FROM (SELECT key, rule, organisation, false AS masked, status, severity, case_state,"
        f" finding, n FROM {_COUNTED}{hidden}) f),"
        " sums AS MATERIALIZED (SELECT key, without, secret, sum(n) AS alerts FROM part GROUP BY 1, 2, 3),"
        f" page AS MATERIALIZED (SELECT *, row_number() OVER (ORDER BY {sort}, without, secret) AS place FROM sums"
        f" ORDER BY place LIMIT ${len(arguments) - 1} OFFSET ${len(arguments)})"
        " SELECT 0 AS place, NULL AS key, false AS without, false AS secret, masked, status, severity, case_state, finding, sum(n)::bigint AS n,"
        " (SELECT count(*) FROM sums) AS of FROM part GROUP BY masked, status, severity, case_state, finding"
        " UNION ALL SELECT p.place, p.key, p.without, p.secret, d.masked, d.status, d.severity, d.case_state, d.finding, d.n, 0"
        " FROM page p JOIN part d ON d.key = p.key AND d.without = p.without AND d.secret = p.secret ORDER BY place",
        *arguments,
    )
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
    conn: Connection, wanted: AlertFilter, *, not_seen: Collection[str] = (), most: int = MOST_COUNTED
) -> Facets:
    """The facets of the list of ``wanted``. See ``grouped``."""
    arguments = _arguments("list", wanted, not_seen, most + 1)
    hidden = await _masked(conn, wanted, arguments, "NULL")
    rows = await conn.fetch(
        f"SELECT key, rule, organisation, false AS masked, status, severity, case_state, finding, n FROM {_COUNTED}{hidden}",  # noqa: S608 - our own clauses
        *arguments,
    )
    counts, sums = Counts(), {name: defaultdict[str, int](int) for name in ("rule", "status", "organisation")}
    for row in rows:
        counts.add(row)
        for name, found in sums.items():
            found[row[name]] += row["n"]
    more = counts.alerts - counts.masked > most
    return Facets(counts, more, *(dict(sums[name]) for name in ("rule", "status", "organisation")))


def _arguments(by: str, wanted: AlertFilter, not_seen: Collection[str], most: int | None) -> list[Any]:
    """Those of counted_alerts."""
    lists = (wanted.units, wanted.vehicles, wanted.case_states, sorted(not_seen))
    return [by, named(wanted), *(None if each is None else list(each) for each in lists), most]


async def _masked(conn: Connection, wanted: AlertFilter, arguments: list[Any], key: str) -> str:
    """SQL that adds the masked alerts, where there are any; what it needs is added to ``arguments``."""
    if not wanted.finds_masked or not await conn.fetchval("SELECT cardinality(hidden_nos())"):
        return ""
    types = ("text", "text[]", "text", "text", *["timestamptz"] * 6)
    given = ", ".join(f"${len(arguments) + k}::{kind}" for k, kind in enumerate(types, 1))
    arguments += masked(wanted)
    return (
        f" UNION ALL SELECT {key}, a.rule, a.organisation, true, a.status, a.severity, '', '', count(*)"  # noqa: S608 - our own clauses
        f" FROM masked_list({given}, NULL, NULL, {_MOST_MASKED}) a GROUP BY 1, 2, 3, 5, 6"
    )
