"""Reminders to drivers (docs/reminders.md): found over columns, asked as commands in the transaction that has found their reason.

While no unit has switched one on nothing is looked at. Nobody is told of the past: only of fixes that are seconds old, that the
kernels took as they came; what is computed again tells nobody. Decision, command and the place in the log are committed together, so a
kill at any moment neither loses a reminder nor tells twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import shapely

from registry.parameters import REMINDER, RULES, ParameterRow, resolve
from registry.seals import sealed_since
from registry.snapshot.fleet import FleetSnapshot
from registry.snapshot.orders import NO_TIME, STATUS
from registry.unreadable import UnreadableFactError
from rules.alerts import reminders as kept
from rules.alerts.reminders import Made
from rules.live.vehicle_states import Context, Fixes, order_key
from rules.tracks.advance import Advanced
from rules.tracks.kernel import Event
from rules.tracks.state import TrackStates
from rules.wording.reminders import REASONS, text_of
from runtime.arrays import Bools, Ints
from runtime.connection import Connection
from runtime.units import CHINA, CHINA_OFFSET_US, US_PER_DAY, US_PER_S, china_day, from_us, to_us
from telemetry.commands.program import REMINDERS, Wanted, ask_all

#: A reminder waits no longer for its terminal: then it would be about the past.
LIFE: Final = timedelta(minutes=5)
#: A clock may be ahead by so much.
_AHEAD_US: Final = 60 * US_PER_S
#: Two fixes say that a vehicle is fast, or moves, where they are no further apart: one alone may be a reflection.
_TOGETHER_US: Final = 120 * US_PER_S
#: A sealed vehicle moves when two fixes say so: drift of one that stands stays below (0.1 km/h).
_MOVES_DKMH: Final = 100
_RENEW_US: Final = 60 * US_PER_S
#: How often it is asked which vehicles are sealed.
_SEALS_US: Final = 5 * US_PER_S
#: After so long it is looked again whether a terminal has room, or an order was extended of which was told.
_AGAIN_US: Final = 60 * US_PER_S
#: Vehicles and conditions that are remembered as told a while ago.
_MOST_QUIET: Final = 100_000
_SWITCHES: Final = ("left_without_order", "order_overdue", "sealed_moved", "speed_kmh")
_NAMES: Final = tuple(parameter.name for parameter in RULES[REMINDER])
_OUT: Final = [STATUS.index("approved"), STATUS.index("departed")]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a driver is to be told: the fix at ``at_us`` of a vehicle, by its number, shows ``condition``. ``key`` names the
    episode; ``detail`` is what the text names."""

    key: str
    condition: str
    vehicle: int
    at_us: int
    order: str | None = None
    detail: str = ""


class Reminders:
    """What a worker remembers of reminders between two transactions; all of it may be lost."""

    def __init__(self, snapshot: FleetSnapshot) -> None:
        self._snapshot = snapshot
        self._of: tuple[ParameterRow, ...] | None = None
        self._on = False
        self._values = np.zeros((len(_NAMES), 1), np.int64)
        self._until_us = 0
        self._quiet: dict[tuple[int, str], int] = {}
        self._seals: dict[int, int] = {}
        self._seals_at_us = 0

    def on(self, now_us: int) -> bool:
        """Whether any unit has switched anything on."""
        rows = self._snapshot.parameters
        if rows is not self._of:
            self._of, self._until_us = rows, 0
            self._on = any(row.rule == REMINDER and row.name in _SWITCHES and row.value for row in rows)
        if self._on and not self._until_us - _RENEW_US <= now_us < self._until_us:
            self._until_us = now_us + _RENEW_US
            self._values = _values(self._snapshot, now_us)
        return self._on

    def _value(self, name: str, vehicles: Ints) -> Ints:
        """A parameter of each vehicle; 0 for one that is newer than what is held here."""
        column = self._values[_NAMES.index(name)]
        found: Ints = np.where(vehicles < len(column), column[np.minimum(vehicles, len(column) - 1)], 0)
        return found

    def of(self, name: str, vehicle: int) -> int:
        """A parameter of one vehicle."""
        return int(self._value(name, np.array([vehicle], np.int64))[0])

    async def follow_seals(self, conn: Connection, now_us: int) -> None:
        """Know which vehicles are sealed now, where anybody wants to be told."""
        if not self._values[_NAMES.index("sealed_moved")].any():
            self._seals = {}
        elif abs(now_us - self._seals_at_us) >= _SEALS_US:
            self._seals_at_us = now_us
            async with conn.transaction():  # within the caller's: should this fail, that goes on
                sealed = await sealed_since(conn, from_us(now_us))
            self._seals = {no: to_us(at) for no, at in sealed.items()}

    # --- found -------------------------------------------------------------------------------------------------------

    def find(
        self, live: Fixes, context: Context, advanced: Advanced, before: TrackStates, after: TrackStates, moved: Ints, now_us: int
    ) -> list[Reason]:  # fmt: skip
        """The reasons in the rows ``live`` that the kernels have just taken, of each vehicle and condition the newest at most.
        ``before``: the states of the vehicles ``moved`` (sorted) before that, ``after``: all states."""
        recent = live.t_us >= now_us - self._value("recent_s", live.vehicle) * US_PER_S
        recent &= (live.t_us <= now_us + _AHEAD_US) & advanced.valid
        reasons = self._left(advanced, after, now_us)
        if recent.any():
            reasons += self._overdue(live, context, recent)
            reasons += self._fast(live, advanced.valid, recent, before, moved)
        return [
            reason for reason in reasons if now_us >= self._quiet.get((reason.vehicle, reason.condition), 0)
        ]

    def _left(self, advanced: Advanced, after: TrackStates, now_us: int) -> list[Reason]:
        found = []
        for event in advanced.events:
            no, opened = event.slot, event.after
            if event.event is not Event.OPENED or not self.of("left_without_order", no):
                continue
            at = opened["open_t"]
            still = int(after.field("open_t", np.array([no]))[0]) == at
            if still and now_us - self.of("recent_s", no) * US_PER_S <= at <= now_us + _AHEAD_US:
                found.append(Reason(f"left:{no}:{opened['run_t']}", "left_without_order", no, at))
        return found

    def _overdue(self, live: Fixes, context: Context, recent: Bools) -> list[Reason]:
        rows = self._snapshot.orders.rows
        ask = np.flatnonzero(recent & (context.order >= 0) & (self._value("order_overdue", live.vehicle) > 0))
        if not len(ask):
            return []
        orders = rows[context.order[ask]]
        due = np.where(
            orders["extended_return"] == NO_TIME, orders["planned_return"], orders["extended_return"]
        )
        ask = ask[np.isin(orders["status"], _OUT) & (due != NO_TIME) & (live.t_us[ask] > due)]
        found = []
        for row in _newest(live, ask):
            order = self._snapshot.orders.orders[int(context.order[row])]
            due_us = order.extended_return_us or order.planned_return_us
            if not self._home(live, context, row):
                at = from_us(due_us).astimezone(CHINA).strftime("%H:%M")
                key = f"overdue:{order_key(order.id)}:{due_us}"
                found.append(
                    Reason(key, "order_overdue", int(live.vehicle[row]), int(live.t_us[row]), order.order, at)
                )
        return found

    def _home(self, live: Fixes, context: Context, row: int) -> bool:
        """Whether the fix is within the vehicle's fence: it is back, whatever the paper says."""
        if context.fence[row] < 0:
            return False
        area = self._snapshot.area(int(context.fence[row])).geometry
        return bool(shapely.intersects_xy(area, live.lon_e6[row] / 1e6, live.lat_e6[row] / 1e6))

    def _fast(
        self, live: Fixes, valid: Bools, recent: Bools, before: TrackStates, moved: Ints
    ) -> list[Reason]:
        """Of vehicles of which two fixes in a row say so: faster than the limit, or moving while sealed."""
        limit = self._value("speed_kmh", live.vehicle) * 10
        sealed = np.zeros(len(live), np.bool_)
        if self._seals:
            since = np.full(max(int(live.vehicle.max()), *self._seals) + 1, np.iinfo(np.int64).max, np.int64)
            since[list(self._seals)] = list(self._seals.values())
            sealed = (self._value("sealed_moved", live.vehicle) > 0) & (live.t_us >= since[live.vehicle])
        if not (limit.any() or sealed.any()):
            return []
        order = np.flatnonzero(valid)
        order = order[np.lexsort((live.t_us[order], live.vehicle[order]))]
        vehicle, t, speed = live.vehicle[order], live.t_us[order], live.speed_dkmh[order]
        first = np.r_[True, vehicle[1:] != vehicle[:-1]] if len(order) else np.zeros(0, np.bool_)
        place = np.searchsorted(moved, vehicle)
        earlier_t = np.where(first, before.field("prev_t")[place], np.r_[0, t[:-1]])
        earlier = np.where(first, before.field("prev_speed")[place], np.r_[0, speed[:-1]])
        lowest = np.where(t - earlier_t <= _TOGETHER_US, np.minimum(speed, earlier), 0)
        fast = recent[order] & (limit[order] > 0) & (lowest > limit[order])
        moves = recent[order] & sealed[order] & (lowest >= _MOVES_DKMH)
        found = [
            Reason(f"speed:{live.vehicle[row]}:{live.t_us[row]}", "speed", int(live.vehicle[row]), int(live.t_us[row]), None,
                   str(int(limit[row]) // 10))
            for row in _newest(live, order[fast])
        ]  # fmt: skip
        found += [
            Reason(f"sealed:{live.vehicle[row]}:{live.t_us[row]}", "sealed_moved", int(live.vehicle[row]), int(live.t_us[row]))
            for row in _newest(live, order[moves])
        ]  # fmt: skip
        return found

    # --- asked -------------------------------------------------------------------------------------------------------

    async def ask(self, conn: Connection, reasons: Sequence[Reason], now_us: int) -> list[tuple[str, str]]:
        """Ask the commands, in a transaction within the caller's. (condition, what became of it) of each reason: asked, again
        (told already), too_soon, too_many (today), no_terminal (or it has no room)."""
        today = china_day(now_us) * US_PER_DAY - CHINA_OFFSET_US  # its beginning
        nos = sorted({reason.vehicle for reason in reasons})
        before = await kept.told_before(conn, nos, min(today, now_us - US_PER_DAY), today)
        known = await kept.known_keys(conn, [reason.key for reason in reasons])
        results: list[tuple[str, str]] = []
        due: list[Reason] = []
        for reason in reasons:
            told = before.get((reason.vehicle, reason.condition))
            every_us = self.of("every_min", reason.vehicle) * 60 * US_PER_S
            if reason.key in known:
                results.append((reason.condition, "again"))
                self._rest(reason, now_us + _AGAIN_US)
            elif told is not None and now_us < told.last_us + every_us:
                results.append((reason.condition, "too_soon"))
                self._rest(reason, told.last_us + every_us)
            elif told is not None and told.today >= self.of("per_day", reason.vehicle):
                results.append((reason.condition, "too_many"))
                self._rest(reason, min(today + US_PER_DAY, now_us + every_us))
            else:
                due.append(reason)
        asked = await ask_all(conn, REMINDERS, [self._wanted(reason) for reason in due])
        made = []
        for reason in due:
            command = asked.get(reason.key)
            results.append((reason.condition, "no_terminal" if command is None else "asked"))
            # Should this be rolled back, all that is in memory is dropped, and it is asked again.
            wait_us = _AGAIN_US if command is None else self.of("every_min", reason.vehicle) * 60 * US_PER_S
            self._rest(reason, now_us + wait_us)
            if command is not None:
                made.append(
                    Made(reason.key, reason.condition, reason.vehicle, reason.order, reason.at_us, command)
                )
        if made:
            await kept.write(conn, made, now_us)
        return results

    def _rest(self, reason: Reason, until_us: int) -> None:
        """Do not even look at this vehicle and condition until then."""
        if len(self._quiet) >= _MOST_QUIET:
            self._quiet.clear()
        self._quiet[reason.vehicle, reason.condition] = until_us

    def _wanted(self, reason: Reason) -> Wanted:
        named = {
            "plate": self._snapshot.vehicles[reason.vehicle].plate, "at": reason.detail, "limit": reason.detail,
        }  # fmt: skip
        fields = {
            "text": text_of(reason.condition, named), "urgent": False, "display": True,
            "speak": bool(self.of("voice", reason.vehicle)),
        }  # fmt: skip
        return Wanted(reason.key, reason.vehicle, "text", fields, REASONS[reason.condition], LIFE)


def _values(snapshot: FleetSnapshot, now_us: int) -> Ints:
    """The parameters of every vehicle by its number, int64 of shape (parameters, numbers)."""
    made = np.zeros((len(_NAMES), max(snapshot.vehicles, default=0) + 1), np.int64)
    of_unit: dict[str, Ints] = {}
    for no, vehicle in snapshot.vehicles.items():
        if vehicle.organisation not in of_unit:
            try:
                found = resolve(REMINDER, vehicle.organisation, now_us, snapshot.parameters)
            except UnreadableFactError:  # it is told as such; its unit is reminded of nothing
                found = {}
            of_unit[vehicle.organisation] = np.array([found.get(name, 0) for name in _NAMES], np.int64)
        made[:, no] = of_unit[vehicle.organisation]
    return made


def _newest(live: Fixes, rows: Ints) -> Iterable[int]:
    """Of each vehicle the newest of ``rows``."""
    rows = rows[np.lexsort((live.t_us[rows], live.vehicle[rows]))]
    vehicle = live.vehicle[rows]
    last = np.r_[vehicle[1:] != vehicle[:-1], True] if len(rows) else np.zeros(0, np.bool_)
    newest: list[int] = rows[last].tolist()
    return newest
