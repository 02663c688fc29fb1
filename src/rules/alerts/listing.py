"""Lists of alerts: pages of their newest versions, in an order that an index carries whatever else is asked for.

An order that no single index has is made of parts that are read one after the other: by severity, one severity after the other; by the
time of the event, what began within a time and what was going on when it began. Each part is an ordinary list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

from rules.alerts.asked import UNREAD, Stretch, any_of, ask, masked, stretches
from rules.alerts.conditions import Conditions
from rules.alerts.feed import MAX_PAGE, versioned
from rules.alerts.model import Alert, AlertFilter, Severity, VersionedAlert
from runtime.apart import shown
from runtime.connection import Connection
from runtime.units import from_us, to_us

#: So many units are looked up one by one for a list, at most.
ONE_BY_ONE: Final = 50
#: So many alerts are looked at, at most, to find a page of those that are unread.
MOST_LOOKED_AT: Final = 5_000

By = Literal["detected", "occurred", "severity"]
#: The times that lists are ordered by.
_COLUMNS: Final[dict[By, str]] = {
    "detected": "detected_at",
    "occurred": "occurred_from",
    "severity": "detected_at",
}


@dataclass(frozen=True, slots=True)
class Order:
    """``detected``, ``occurred``: by the time of the detection, of the beginning of the event. ``severity``: by severity, of each the newest
    detection first. Where the times are equal the ids go the other way."""

    by: By = "detected"
    ascending: bool = False

    @property
    def column(self) -> str:
        """The time that decides within a part."""
        return _COLUMNS[self.by]

    @property
    def oldest_first(self) -> bool:
        """Whether a part begins with what is oldest."""
        return self.ascending and self.by != "severity"

    @property
    def sql(self) -> str:
        """ORDER BY of the table ``a``."""
        ways = ("", " DESC") if self.oldest_first else (" DESC", "")
        return f"a.{self.column}{ways[0]}, a.id{ways[1]}"


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which alert a page begins: the number of the part, the time that decides in us, the id."""

    part: int
    at_us: int
    id: str


@dataclass(frozen=True, slots=True)
class ListedAlert:
    """``unread``: the caller has not read this version; None = it is masked, and cannot be read."""

    held: VersionedAlert
    unread: bool | None

    @property
    def alert(self) -> Alert:
        """The alert."""
        return self.held.alert


@dataclass(frozen=True, slots=True)
class AlertPage:
    """``next``: where to go on; None = there are no others. Of what is unread a page may have fewer alerts than were asked for, or none,
    and others behind it."""

    alerts: list[ListedAlert]
    next: Place | None


NEWEST: Final = Order()


async def page_of_alerts(
    conn: Connection,
    filters: AlertFilter | None = None,
    *,
    limit: int = 100,
    order: Order = NEWEST,
    after: Place | None = None,
    units: Sequence[str] | None = None,
) -> AlertPage:
    """Alerts (their newest versions) in ``order``, behind ``after``, the end of the page before; at most MAX_PAGE. One that cannot be shown
    is left out. ``units``: only of these few, each of which is looked up by itself: whoever sees a thousandth of all alerts need not go
    through the others."""
    most, found, left = min(limit, MAX_PAGE), list[ListedAlert](), MOST_LOOKED_AT
    begin = 0 if after is None else after.part
    for number, wanted in list(enumerate(parts(filters or AlertFilter(), order)))[begin:]:
        place = after if after is not None and after.part == number else None
        part = _Part(conn, wanted, order, number, units)
        reached = await part.read(most - len(found), place, max(left, most))
        found, left = found + part.found, left - part.looked
        if reached is not None:
            return AlertPage(found, reached)
    return AlertPage(found, None)


async def list_alerts(
    conn: Connection, filters: AlertFilter | None = None, *, limit: int = 100, after: Place | None = None
) -> list[VersionedAlert]:
    """The alerts of such a page, newest detection first."""
    return [one.held for one in (await page_of_alerts(conn, filters, limit=limit, after=after)).alerts]


def parts(wanted: AlertFilter, order: Order) -> list[AlertFilter]:
    """What is read one after the other. Together they have each alert of ``wanted`` once."""
    if order.by == "severity":
        low_first = get_args(Severity)
        ranks = low_first if order.ascending else reversed(low_first)
        return [
            replace(wanted, severity=severity) for severity in ranks if wanted.severity in (None, severity)
        ]
    if order.by == "detected" or (wanted.from_us is None and wanted.to_us is None):
        return [wanted]
    # What overlaps a time and began within it, or before an end without a beginning, is a stretch of the index ...
    ends = [us for us in (wanted.to_us, wanted.began_to_us) if us is not None]
    begins = [us for us in (wanted.from_us, wanted.began_from_us) if us is not None]
    within = replace(
        wanted, from_us=None, to_us=None, began_from_us=max(begins, default=None), began_to_us=min(ends, default=None)
    )  # fmt: skip
    if wanted.from_us is None:
        return [within]
    # ... and what began before and was still going on then is little.
    since = wanted.from_us
    going_on = replace(wanted, to_us=since + 1, began_to_us=min([since, *ends]))
    return [going_on, within] if order.ascending else [within, going_on]


@dataclass
class _Part:
    """A part of a list. ``found``: alerts of it; ``looked``: how many were looked at for what is unread."""

    conn: Connection
    wanted: AlertFilter
    order: Order
    number: int
    units: Sequence[str] | None
    found: list[ListedAlert] = field(init=False, default_factory=list)
    looked: int = field(init=False, default=0)

    async def read(self, most: int, after: Place | None, left: int) -> Place | None:
        """Fills ``found`` with at most ``most`` alerts behind ``after``. Where to go on; None = at the end of the part."""
        place, size, unread = after, most, self.wanted.unread
        while True:
            # Of what is unread more and more is looked at: mostly it is what is newest, and the first page is full at once.
            asked = min(size, MAX_PAGE, left - self.looked) if unread else most - len(self.found)
            rows = await self._rows(asked, place)
            kept = [row for row in rows if row["seen"] and (row["unread"] or not unread)][
                : most - len(self.found)
            ]
            self.found += shown(kept, _listed, "alert", lambda row: row["id"])
            full, ended = len(self.found) == most, len(rows) < asked
            if rows:
                place = self._place(kept[-1] if full else rows[-1])
            self.looked, size = self.looked + (len(rows) if unread else 0), size * 2
            if full or ended or (unread and self.looked >= left):
                break
        return await self._with_masked(most, after, place if full or not ended else None)

    async def _rows(self, limit: int, after: Place | None) -> list[Any]:
        arguments = Conditions()
        most = arguments.argument(limit)
        by_detection = self.order.column == "detected_at"
        pages = [
            self._stretch(arguments, stretch, after, most)
            for stretch in stretches(self.wanted, by_detection=by_detection)
        ]
        page = pages[0] if len(pages) == 1 else " UNION ALL ".join(f"({one})" for one in pages)
        # What was read is not fetched where it is only passed over.
        body = f"CASE WHEN {UNREAD} THEN v.body END AS body" if self.wanted.unread else "v.body"
        # The page first, then its bodies: where many alerts match, PostgreSQL would fetch those of all of them before it orders. A version that
        # the caller must not see leaves its place empty, so that no page looks like the last one for want of it.
        return await self.conn.fetch(
            f"SELECT {body}, v.created_at, a.subject, a.vehicle_no, a.id, a.detected_at, a.occurred_from, {UNREAD} AS unread,"  # noqa: S608 - our own clauses
            f" v.alert_id IS NOT NULL AS seen FROM (SELECT a.* FROM ({page}) a ORDER BY {self.order.sql} LIMIT {most}) a"
            " LEFT JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version"
            f" ORDER BY {self.order.sql}",
            *arguments.arguments,
        )

    def _stretch(self, arguments: Conditions, stretch: Stretch, after: Place | None, most: str) -> str:
        """The first alerts of ``stretch`` behind ``after``; its values become ``arguments``."""
        asked, column = arguments.beside(), f"a.{self.order.column}"
        ask(asked, self.wanted)
        stretch.ask(asked)
        if after is not None:
            moment = from_us(after.at_us)
            # The first condition says where in the index to begin; the second alone would read all before.
            less, more = (">", "<") if self.order.oldest_first else ("<", ">")
            asked.add(f"{column} {less}= {{}} AND ({column} {less} {{}} OR a.id {more} {{}})", moment, moment, after.id)  # fmt: skip
        name, values = one_by_one(asked, self.wanted, self.units)
        first = f"ORDER BY {self.order.sql} LIMIT {most}"
        if values is not None:
            each = asked.argument(list(values))
            own = f"{asked.where} AND" if asked.where else " WHERE"
            return (
                f"SELECT a.* FROM unnest({each}::text[]) AS u (one) CROSS JOIN LATERAL (SELECT a.* FROM alerts a{own}"  # noqa: S608 - our own clauses
                f" a.{name} = u.one {first}) a {first}"
            )
        if stretch.few:  # OFFSET 0: PostgreSQL must not think of the order yet, or it would go through all alerts in the order
            return f"SELECT a.* FROM (SELECT a.* FROM alerts a{asked.where} OFFSET 0) a {first}"  # noqa: S608 - our own clauses
        return f"SELECT a.* FROM alerts a{asked.where} {first}"  # noqa: S608 - our own clauses

    async def _with_masked(self, most: int, after: Place | None, reached: Place | None) -> Place | None:
        """Adds the alerts of secret vehicles that the caller must not see, masked (migrations/0050_lists.sql). None where a vehicle, a
        driver, a finding or the state of its case is asked for: what is masked is not found by what is masked of it."""
        if not self.wanted.finds_masked:
            return reached
        rows = await self.conn.fetch(
            "SELECT body, created_at FROM masked_page($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            *masked(self.wanted), self.order.column == "occurred_from", self.order.oldest_first,
            None if after is None else from_us(after.at_us), None if after is None else after.id, most,
        )  # fmt: skip
        if not rows:
            return reached
        hidden = [VersionedAlert(Alert.from_body(row["body"]), "", None, row["created_at"]) for row in rows]
        both = self.found + [ListedAlert(one, None) for one in hidden]
        sign = 1 if self.order.oldest_first else -1
        both.sort(key=lambda one: one.alert.id, reverse=self.order.oldest_first)
        both.sort(key=lambda one: sign * to_us(getattr(one.alert, self.order.column)))
        self.found = both[:most]
        if len(self.found) < most:
            return reached
        last = self.found[-1].alert
        return Place(self.number, to_us(getattr(last, self.order.column)), last.id)

    def _place(self, row: Any) -> Place:
        return Place(self.number, to_us(row[self.order.column]), row["id"])


def _listed(row: Any) -> ListedAlert:
    return ListedAlert(versioned(row), row["unread"])


def one_by_one(
    asked: Conditions, wanted: AlertFilter, units: Sequence[str] | None
) -> tuple[str, Sequence[str] | None]:
    """What is looked up one by one, each along its own index: vehicles, or few units; the others become conditions. None: nothing."""
    if wanted.vehicles is not None:
        any_of(asked, replace(wanted, vehicles=None))
        return "vehicle", wanted.vehicles
    if any(value is not None for value in (wanted.organisation, wanted.vehicle, wanted.driver)):
        any_of(asked, wanted)
        return "", None
    if wanted.units is not None and len(wanted.units) <= ONE_BY_ONE:
        return "organisation", wanted.units
    any_of(asked, wanted)
    return "organisation", units


def many_units(wanted: AlertFilter) -> bool:
    """Whether ``wanted`` names so many units that a list of it is best read in its order, and the alerts of others passed over: the
    database would sort all of theirs for one page."""
    narrow = (wanted.organisation, wanted.vehicle, wanted.driver, wanted.vehicles)
    return wanted.units is not None and len(wanted.units) > ONE_BY_ONE and all(v is None for v in narrow)
