"""The time that an order covers: one text, for the worker, the judge, recomputing and backtests.

From planned departure minus ``early_start_min``, until:

* returned: the actual return (none said: the extended, else the planned one);
* not returned: the planned (extended) return and ``overdue_cover_h`` more. From then on the order is overdue;
* cancelled: the cancellation, and the way back to the fence, ``cancel_return_min`` at most. Cancelled before it had begun and
  before anybody left for it: nothing. Who had left (on paper, or within the clerk's minute by the track) is covered.

**The clerk's minute.** Where the vehicle was in its fence ``paper_grace_min`` before the departure on paper (planned or actual), and so
left it later, it is covered from then on; where it came back at most so long after the return on paper, until then. What the
track shows is looked up when it has passed the time in question (``rules.live.paper``); until then the order covers as if it
showed what is best for the driver. So nobody is accused in the minutes in which that is not known yet.

A row may cover a stretch of its order only (``leg_from``, ``leg_to``): that of one of several vehicles, or that for which an
earlier version holds. The clerk's minute is that of an exchange, too: the next vehicle must leave its yard before it takes over, and
the first one is then still on its way back. But a version that holds from its entry on covers nothing before it was entered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, TypedDict

from registry.parameters import ORDER, parameter
from runtime.units import US_PER_S

MINUTE_US: Final = 60 * US_PER_S
HOUR_US: Final = 3600 * US_PER_S

#: Parameters that windows rest on.
PARAMETERS: Final = ("early_start_min", "overdue_cover_h", "cancel_return_min", "paper_grace_min")
#: What ``left_us`` and ``back_us`` say where the track is known and shows no such time.
NOT_SHOWN: Final = -1

#: An order covers its vehicle from a little before it departs: so much is the most that any organisation may have set.
BEFORE_ORDER: Final = timedelta(
    minutes=max(parameter(ORDER, name).maximum for name in ("early_start_min", "paper_grace_min"))
)
#: And so long after the last of its times of return, at most.
AFTER_ORDER: Final = timedelta(
    hours=max(
        parameter(ORDER, "overdue_cover_h").maximum,
        -(-parameter(ORDER, "paper_grace_min").maximum // 60),
    )
)
#: Units above each other, at most.
_UNITS_ABOVE: Final = 50
_BEFORE: Final = f"interval '{BEFORE_ORDER // timedelta(minutes=1)} minutes'"
_AFTER: Final = f"interval '{AFTER_ORDER // timedelta(hours=1)} hours'"


@dataclass(frozen=True, slots=True)
class Times:
    """The times of an order that its window rests on, microseconds since 1970 UTC; None = not given. ``left_us``,
    ``back_us``: as the track shows it; None = not known yet, NOT_SHOWN = the paper holds (it was out before, it was not back in
    time). ``left_us`` is the end of the stretch where it had not left until then. ``was_out``: a part whose order was not returned
    when the part ended. ``not_before_us``: when a version was entered that says nothing of the time before; None = no such limit."""

    status: str
    planned_departure_us: int
    planned_return_us: int
    extended_return_us: int | None = None
    actual_departure_us: int | None = None
    actual_return_us: int | None = None
    cancelled_us: int | None = None
    leg_from_us: int | None = None
    leg_to_us: int | None = None
    covers_to_us: int | None = None
    left_us: int | None = None
    back_us: int | None = None
    was_out: bool = False
    not_before_us: int | None = None

    @property
    def due_us(self) -> int:
        """When it should be back: the extended, else the planned return."""
        return self.extended_return_us or self.planned_return_us

    @property
    def departures_us(self) -> tuple[int, ...]:
        """The departures on paper."""
        told = self.actual_departure_us
        return (self.planned_departure_us,) if told is None else (self.planned_departure_us, told)

    @property
    def told_departure_us(self) -> int:
        """The departure on paper that a departure by the track is compared with: actual, else planned; of a vehicle that
        took over later, when it did."""
        told = self.planned_departure_us if self.actual_departure_us is None else self.actual_departure_us
        return told if self.leg_from_us is None else max(told, self.leg_from_us)

    @property
    def paper_return_us(self) -> int | None:
        """The return on paper; None: not returned."""
        if self.status in ("approved", "departed"):
            return None
        if self.actual_return_us is not None:
            return self.actual_return_us
        return self.due_us if self.status == "returned" else None


@dataclass(frozen=True, slots=True)
class Window:
    """What an order covers: [from, to), microseconds since 1970 UTC. ``leave``: (from, until) in which a departure that the
    track shows counts for that on paper; ``back``: the same of the end; None: the paper holds. ``overdue``: whether
    the window ends because the order is overdue. ``grace_us``: how far a departure that counts may be off the paper."""

    from_us: int
    to_us: int
    leave: tuple[int, int] | None = None
    back: tuple[int, int] | None = None
    overdue: bool = False
    grace_us: int = 0


class Note(TypedDict):
    """A fact about an order that a judgement shows (``facts.order_notes``). ``kind``: overdue (``at_us``: since when), backfill (when it was entered), departure or return (``at_us``: as the track
    shows it, ``paper_us``: on paper; else None)."""

    kind: Literal["overdue", "backfill", "departure", "return"]
    order: str
    version: int
    at_us: int
    paper_us: int | None


def window(times: Times, used: Mapping[str, int]) -> Window | None:
    """What an order covers; ``used``: its parameters of ``order``. None: it was cancelled before it began and before anybody
    left. A window may be empty (from >= to): the paper says that it returned before it was to depart."""
    grace = used["paper_grace_min"] * MINUTE_US
    base = times.planned_departure_us - used["early_start_min"] * MINUTE_US
    first = min(base, *(at - grace for at in times.departures_us))
    first = max(first, times.planned_departure_us - BEFORE_ORDER // timedelta(microseconds=1))
    latest = max(times.departures_us)
    exact = not grace  # whether no other start than that on paper is looked for
    leg = times.leg_from_us
    if leg is not None and leg > (first if grace else base):
        limit = leg - grace
        if times.not_before_us is not None:
            limit = max(limit, min(leg, times.not_before_us))
        first, base, latest = max(first, limit), max(base, leg), max(latest, leg)
        exact = exact or first >= base
    leave = None if exact else (first, latest + grace)
    if times.status == "cancelled":
        cancelled = times.cancelled_us
        if cancelled is None:
            return None
        if cancelled <= base:
            # Only who left before it was cancelled is covered.
            leave = (first, cancelled) if leave is not None and first < cancelled else None
            if not _had_left(times, cancelled, leave):
                return None
    # A departure further off than the clerk's minute is none for this order: the paper holds (so does NOT_SHOWN).
    paper = leave is None or (times.left_us is not None and times.left_us < first)
    start = base if paper else first
    end, back, overdue = _end(times, used, grace)
    if times.covers_to_us is not None and times.covers_to_us < end:
        end, back, overdue = times.covers_to_us, None, True
    return Window(start, end, leave, back, overdue, grace)


def _had_left(times: Times, cancelled: int, leave: tuple[int, int] | None) -> bool:
    """Whether a vehicle had left for an order when that was cancelled: on paper, or by the track within ``leave`` (not known yet:
    yes). A vehicle that takes over later has left on paper when it has taken over."""
    told = times.actual_departure_us
    if told is not None and times.told_departure_us <= cancelled:
        return True
    if leave is None or times.left_us == NOT_SHOWN:
        return False
    return times.left_us is None or leave[0] <= times.left_us < cancelled


def _end(times: Times, used: Mapping[str, int], grace: int) -> tuple[int, tuple[int, int] | None, bool]:
    """When it ends: (time, where the track may show another one, whether that is because it is overdue)."""
    returned = times.paper_return_us
    back: tuple[int, int] | None = None
    if returned is None or times.was_out:
        end, overdue = times.due_us + used["overdue_cover_h"] * HOUR_US, True
    else:
        end, overdue = returned, False
        if grace and times.actual_return_us is not None:
            back = (returned, returned + grace)
    leg = None if times.status == "cancelled" else times.leg_to_us  # it was cancelled before that
    if leg is not None and leg < end:
        back = (leg, min(leg + grace, end) if overdue else leg + grace) if grace else None
        end, overdue = leg, False
    if back is not None:
        end = _shown(times.back_us, end, back)
    if times.status == "cancelled":
        cancelled = times.cancelled_us or 0
        limit = cancelled + used["cancel_return_min"] * MINUTE_US
        if limit < end:
            way = (cancelled, limit)
            return min(end, _shown(times.back_us, limit, way)), way, False
    return end, back, overdue


def _shown(back_us: int | None, paper_us: int, stretch: tuple[int, int]) -> int:
    """The end that the track shows within ``stretch``, else that on paper; one before it is its begin."""
    if back_us is None:
        return stretch[1]
    return paper_us if back_us == NOT_SHOWN or back_us > stretch[1] else max(stretch[0], back_us)


def overdue_at(times: Times, used: Mapping[str, int]) -> int | None:
    """From when on an order is overdue, unless it is returned before; None: it is not out any more."""
    if times.status not in ("approved", "departed"):
        return None
    return times.due_us + used["overdue_cover_h"] * HOUR_US


# The same in SQL, for finding orders: at the widest, whatever the parameters and what the track shows. ``o``: the name of the
# table. The expression is that of the index dispatch_orders_ended.


def last_return(o: str) -> str:
    """SQL: the latest of the times at which an order ends on paper."""
    return f"GREATEST({o}.planned_return, {o}.extended_return, {o}.actual_return)"


def covers_after(o: str, since: str) -> str:
    """SQL condition: whether an order may cover ``since`` or a later time."""
    return f"{last_return(o)} >= {since}::timestamptz - {_AFTER}"


def covers_within(o: str, since: str, until: str) -> str:
    """SQL condition: whether an order may cover a time in [since, until]."""
    return f"{o}.planned_departure <= {until}::timestamptz + {_BEFORE} AND {covers_after(o, since)}"


def begins(o: str) -> str:
    """SQL: the earliest time that an order may cover."""
    return f"LEAST({o}.planned_departure, {o}.actual_departure) - {_BEFORE}"


def hours(name: str, o: str) -> str:
    """SQL: the value of a parameter of orders for order ``o`` at its planned departure: that of its organisation, else of the
    nearest unit above that has one, else everyone's, else the default."""
    of = f"p.rule = '{ORDER}' AND p.name = '{name}' AND p.effective_from <= {o}.planned_departure"
    own = (
        f"WITH RECURSIVE up AS (SELECT {o}.organisation AS id, 0 AS above"  # noqa: S608 - our own constants
        " UNION ALL SELECT g.parent, up.above + 1 FROM up JOIN organisations g ON g.id = up.id"
        f" WHERE g.parent IS NOT NULL AND up.above < {_UNITS_ABOVE}) SELECT p.value FROM up JOIN rule_parameters p"
        f" ON p.organisation = up.id AND {of} ORDER BY up.above, p.effective_from DESC LIMIT 1"
    )
    everyone = (
        f"SELECT p.value FROM rule_parameters p WHERE p.organisation IS NULL AND {of}"  # noqa: S608 - our own constants
        " ORDER BY p.effective_from DESC LIMIT 1"
    )
    return f"COALESCE(({own}), ({everyone}), {parameter(ORDER, name).default})"


def is_overdue(o: str) -> str:
    """SQL condition: whether an order is overdue now."""
    due = f"GREATEST({o}.planned_return, {o}.extended_return)"
    late = f"{due} + {hours('overdue_cover_h', o)} * interval '1 hour' <= now()"
    return f"({o}.status IN ('approved', 'departed') AND {due} <= now() AND {late})"  # due: the index dispatch_orders_out


def times_of(row: Any) -> Times:
    """The Times of anything that has their names as attributes."""
    return Times(**{name: getattr(row, name) for name in Times.__slots__})
