"""``OrderBoard``: which order each vehicle of a reach has now, and what has changed since somebody asked. Pure.

Windows are those of the rules (``registry.order_cover``). What they mean at a moment (on an order, overdue) the reader finds out
by the times that are told: so a row changes when its order does, and not as time goes by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from registry.order_cover import PARAMETERS, overdue_at, times_of, window
from registry.orders import OrderRow
from registry.parameters import ORDER, ParameterRow, parameter, resolve
from registry.unreadable import UnreadableFactError
from registry.working_days import Calendar
from rules.checks.off_hours import RULE as OFF_HOURS
from rules.checks.off_hours import TASK_TYPES
from runtime.units import CHINA, US_PER_S

#: An order is told so long before it begins, in which nobody has to ask again.
SOON: Final = timedelta(minutes=30)
#: Vehicles that were taken off the board, kept for who asks what has changed; beyond that he gets all of it.
MOST_GONE: Final = 5_000
_NAMES: Final = 3


@dataclass(frozen=True, slots=True)
class Held:
    """A vehicle's order: its number, where to, [from, until) that it covers, when it should be back, from when on it is overdue (None: it
    is back, or was cancelled), all in seconds since 1970 UTC; ``allowed``: also in off hours (rule ``off_hours``)."""

    order: str
    destination: str
    from_s: int
    until_s: int
    due_s: int
    overdue_s: int | None
    allowed: bool


class Values:
    """Parameters of a rule by unit at a time: what nobody has set for a unit is looked up once."""

    def __init__(self, rule: str, rows: Iterable[ParameterRow]) -> None:
        self._rule = rule
        self._rows = [row for row in rows if row.rule == rule]
        self._units = any(row.organisation is not None for row in self._rows)
        self._known: dict[tuple[str | None, int], dict[str, int]] = {}

    def at(self, organisation: str, at_us: int) -> dict[str, int]:
        """Raises UnreadableFactError where a value that holds cannot be read."""
        # Of times between which nothing was set the first one is as good as any.
        since = max((row.effective_us for row in self._rows if row.effective_us <= at_us), default=0)
        key = (organisation if self._units else None, since)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = resolve(self._rule, key[0], at_us, self._rows)
        return found


def held_now(orders: Iterable[OrderRow], now_us: int, parameters: Sequence[ParameterRow]) -> dict[str, Held]:
    """By vehicle its order: the one that covers ``now_us``, else one that is overdue, else the next one that begins soon; of several
    the one that departs last. A value that cannot be read is taken as its default: the map accuses nobody of it."""
    of_orders, off_hours = Values(ORDER, parameters), Values(OFF_HOURS, parameters)
    best: dict[str, tuple[int, int, Held]] = {}
    for row in orders:
        try:
            used = of_orders.at(row.organisation, row.planned_departure_us)
        except UnreadableFactError:
            used = {name: parameter(ORDER, name).default for name in PARAMETERS}
        times = times_of(row)
        covers = window(times, used)
        if covers is None:
            continue
        late = overdue_at(times, used)
        if covers.from_us <= now_us < covers.to_us:
            rank = 2
        elif late is not None and late <= now_us:
            rank = 1
        elif now_us < covers.from_us <= now_us + SOON // timedelta(microseconds=1):
            rank = 0
        else:
            continue
        known = best.get(row.vehicle)
        if known is not None and known[:2] >= (rank, row.planned_departure_us):
            continue
        try:
            types = off_hours.at(row.organisation, row.planned_departure_us)["allowed_types"]
        except UnreadableFactError:
            types = sum(TASK_TYPES.values())
        names = [place.name for place in row.destinations if place.name][:_NAMES]
        held = Held(
            row.order, "、".join(names), covers.from_us // US_PER_S, covers.to_us // US_PER_S, times.due_us // US_PER_S,
            None if late is None else late // US_PER_S, bool(TASK_TYPES.get(row.task_type, 0) & types),
        )  # fmt: skip
        best[row.vehicle] = (rank, row.planned_departure_us, held)
    return {vehicle: held for vehicle, (_, _, held) in best.items()}


def resting_units(
    units: Iterable[str], now_us: int, calendar: Calendar, parameters: Sequence[ParameterRow]
) -> list[str]:
    """The units in whose off hours ``now_us`` lies, as the rule ``off_hours`` has them; on a day of which nobody has published whether it is
    worked, and where a value cannot be read: only what is certain."""
    now = datetime.fromtimestamp(now_us / 1e6, CHINA)
    minute = now.hour * 60 + now.minute
    day_off = calendar.workday(now.date()) is False
    values = Values(OFF_HOURS, parameters)
    found = []
    for unit in units:
        try:
            used = values.at(unit, now_us)
        except UnreadableFactError:
            continue
        begin, end = used["night_from_min"], used["night_to_min"]
        night = begin <= minute < end if begin <= end else minute >= begin or minute < end
        if day_off or night:
            found.append(unit)
    return sorted(found)


@dataclass(slots=True)
class OrderBoard:
    """``seq`` grows with each change; ``run`` names this board, whose numbers no other one knows."""

    run: str
    seq: int = 0
    resting: list[str] = field(default_factory=list)
    _rows: dict[str, tuple[int, Held]] = field(default_factory=dict)
    _gone: dict[str, int] = field(default_factory=dict)
    #: What was gone at or before it is not known any more.
    _forgotten: int = 0

    def update(self, held: Mapping[str, Held], resting: list[str]) -> None:
        """Take what holds now."""
        changed = [
            vehicle
            for vehicle, one in held.items()
            if (known := self._rows.get(vehicle)) is None or known[1] != one
        ]
        gone = [vehicle for vehicle in self._rows if vehicle not in held]
        if changed or gone or resting != self.resting:
            self.seq += 1
        for vehicle in changed:
            self._rows[vehicle] = (self.seq, held[vehicle])
            self._gone.pop(vehicle, None)
        for vehicle in gone:
            del self._rows[vehicle]
            self._gone[vehicle] = self.seq
        if len(self._gone) > MOST_GONE:
            self._gone.clear()
            self._forgotten = self.seq
        self.resting = resting

    def since(self, told: str | None) -> tuple[bool, dict[str, Held], list[str]]:
        """(whether it is all of it, rows, vehicles without one any more) for who was told ``told`` (``mark``) last."""
        run, _, number = (told or "").partition("-")
        seq = int(number) if number.isascii() and number.isdecimal() and len(number) < 16 else -1
        if run != self.run or not self._forgotten <= seq <= self.seq:
            return True, {vehicle: held for vehicle, (_, held) in self._rows.items()}, []
        rows = {vehicle: held for vehicle, (at, held) in self._rows.items() if at > seq}
        return False, rows, [vehicle for vehicle, at in self._gone.items() if at > seq]

    @property
    def mark(self) -> str:
        """Where the board stands."""
        return f"{self.run}-{self.seq}"
