"""Parameters of the rules: names, units, defaults, sources, limits; and which value holds when.

Everything is an integer (metres, seconds, km/h, permille): rules compare integers, never floats. An
organisation may set its own value, from an effective date on (table ``rule_parameters``). It holds for the units below it
as well, until they set their own: of a unit and the units above it, the nearest one that has set a value counts. Without
one, what holds for everyone counts; without that, the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from registry.unreadable import UnreadableFactError
from runtime.arrays import Bools, Ints
from telemetry.terminals.exchange import EXCHANGE_SILENCE_DAYS


@dataclass(frozen=True, slots=True)
class Parameter:
    """One threshold. ``source`` says where the default comes from; limits are inclusive."""

    name: str
    unit: str
    default: int
    source: str
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One row of ``rule_parameters``. ``organisation`` None = everyone. ``below``: the units below it, for which it holds
    until they set their own. ``depth``: how many units with values of their own are above it; of two units in one line
    the lower one has the greater depth. ``unreadable``: why the row cannot be read, '' = it can; a value that would rest on
    it is not known."""

    rule: str
    name: str
    organisation: str | None
    value: int
    effective_us: int
    below: frozenset[str] = frozenset()
    depth: int = 0
    unreadable: str = ""

    def holds_for(self, organisation: str | None) -> bool:
        """Whether it is a value of everyone, of the organisation, or of a unit above it."""
        return self.organisation in (None, organisation) or organisation in self.below


_SEED = "市纪委电子监察预警平台"
_READING = "gongche reading of the rule"
_SECOND = "gongche reading of the rule, second edition"
_STANDARD = "《党政机关公务用车管理办法》（2017年12月5日起施行）配备标准"
_OFFICE = "公车管理处业务规范"

#: Parameters that every rule shares through the track kernels.
TRACK = "track"
#: Parameters of orders, whatever rule judges them. ``settle_after_h``: so long after its return an order is judged on
#: what is there, however silent its terminal is. ``early_start_min``: an order covers its vehicle from so long before its
#: planned departure on. ``overdue_cover_h``: an order without a return covers so long after its planned (extended) return.
#: ``cancel_return_min``: so long a cancelled order covers the way back to the fence. ``paper_grace_min``: where a time on
#: paper differs by at most so much from what the track shows, the track's time is used.
ORDER = "order"

#: Parameters of terminals, whatever their vehicles. ``exchange_silence_days``: after so many days of silence another device
#: with the same phone number is taken for an exchange.
TERMINAL = "terminal"
#: Deadlines of supervision orders (督办), in working days of the calendar unless the unit says otherwise (docs/supervision.md).
SUPERVISION = "supervision"
#: Reminders to drivers (docs/reminders.md): which conditions a unit has switched on, and how often a vehicle is told.
REMINDER = "reminder"
#: Requests and dispatches (docs/requests.md). How long an order covers that is not returned is ``order.overdue_cover_h``.
TRIPS = "trips"
#: Which vehicle is sent (docs/dispatch-planner.md): what is weighed, in 分, and what limits it. ``auto_city``: routine trips within the city get their vehicle without a dispatcher.
PLANNER = "planner"
#: Files of vehicles (docs/vehicle-file.md). ``one_quote_yuan``: up to so much one shop's quote will do for a maintenance.
VEHICLE = "vehicle"
#: What vehicles of each class of quota (编制) may cost and displace (registry.standards, docs/quotas.md).
QUOTA = "quota"
#: Groups of parameters that are no rule.
SHARED = (TRACK, ORDER, TERMINAL, SUPERVISION, REMINDER, TRIPS, PLANNER, VEHICLE, QUOTA)

RULES: Mapping[str, tuple[Parameter, ...]] = {
    TRACK: (
        Parameter("max_speed_kmh", "km/h", 200, _READING, 60, 1000),
        Parameter("gap_s", "s", 120, _READING, 10, 86_400),
        # A position that is older when it comes is no evidence: as far back as tracks are computed again. Of the whole city.
        Parameter("max_age_days", "d", 62, _READING, 1, 36_500),
    ),
    ORDER: (
        Parameter("settle_after_h", "h", 6, _READING, 0, 720),
        Parameter("early_start_min", "min", 10, _READING, 0, 1440),
        Parameter("overdue_cover_h", "h", 2, _SECOND, 0, 48),
        Parameter("cancel_return_min", "min", 60, _SECOND, 0, 1440),
        Parameter("paper_grace_min", "min", 15, _SECOND, 0, 240),
    ),
    TERMINAL: (Parameter("exchange_silence_days", "d", EXCHANGE_SILENCE_DAYS, _READING, 1, 3650),),
    SUPERVISION: (
        Parameter("urgent_wd", "WD", 2, _READING, 1, 60),
        Parameter("general_wd", "WD", 5, _READING, 1, 60),
        Parameter("sign_wd", "WD", 1, _READING, 1, 10),
        Parameter("refuse_wd", "WD", 2, "徐州市 12345 热线通知: 退件 2 日内", 1, 10),
        Parameter("ask_ahead_wd", "WD", 1, "徐州市 12345 热线通知: 延期在到期前提出", 0, 10),
        Parameter("redo_min_wd", "WD", 2, _READING, 1, 60),
        Parameter("office_wd", "WD", 5, _READING, 1, 60),
        Parameter("hotline_inquiry_wd", "WD", 5, "12345 热线: 咨询求助 3 或 5 个工作日", 1, 60),
        Parameter("hotline_report_wd", "WD", 15, "12345 热线: 投诉举报 13 或 15 个工作日", 1, 60),
        Parameter("hotline_margin_wd", "WD", 1, "徐州市 12345 热线通知: 内部时限提前 1 个工作日", 0, 10),
        Parameter("yellow_d", "d", 3, _READING, 0, 60),
        Parameter("announce_wd", "WD", 5, "逾期 5 个工作日以上通报", 0, 60),
        Parameter("reopen_d", "d", 365, _READING, 1, 3650),
    ),
    REMINDER: (
        Parameter("left_without_order", "1 = yes, 0 = no", 0, _READING, 0, 1),
        Parameter("order_overdue", "1 = yes, 0 = no", 0, _READING, 0, 1),
        Parameter("sealed_moved", "1 = yes, 0 = no", 0, _READING, 0, 1),
        # 0: nobody is told of his speed.
        Parameter("speed_kmh", "km/h", 0, _READING, 0, 250),
        Parameter("voice", "1 = yes, 0 = no", 1, _READING, 0, 1),
        Parameter("every_min", "min", 30, _READING, 1, 1440),
        Parameter("per_day", "1", 4, _READING, 1, 100),
        # What is older is the past: nobody is told of it.
        Parameter("recent_s", "s", 120, _READING, 10, 900),
    ),
    TRIPS: (
        Parameter("expire_min", "min", 30, _READING, 0, 1440),
        Parameter("no_car_min", "min", 30, "佛山平台设置", 0, 1440),
        # 0 = nobody has to accept.
        Parameter("accept_min", "min", 10, _READING, 0, 1440),
        Parameter("no_show_min", "min", 60, _READING, 5, 1440),
        Parameter("stand_min", "min", 10, _READING, 1, 240),
        Parameter("list_after_h", "h", 24, _READING, 1, 720),
        Parameter("backfill_wd", "WD", 1, "事后补办; 期限 gongche", 1, 30),
        Parameter("confirm_wd", "WD", 5, _READING, 1, 60),
        Parameter("near_m", "m", 8000, "某单位: 保障半径 8 公里", 0, 100_000),
    ),
    PLANNER: (
        Parameter("auto_city", "1 = yes, 0 = no", 0, _READING, 0, 1),
        Parameter("turnaround_min", "min", 10, _READING, 0, 240),
        Parameter("driver_day_h", "h", 10, _READING, 1, 24),
        Parameter("reserve_emergency", "1", 0, _READING, 0, 1000),
        Parameter("reserve_confidential", "1", 0, _READING, 0, 1000),
        # The pair of digits of Monday: 1 = 1 and 6, ... 5 = 5 and 0; the next pair on the next workday. 0: no restriction.
        Parameter("tail_first", "0 = none, 1-5", 0, _READING, 0, 5),
        Parameter("empty_fen_km", "fen/km", 120, _READING, 0, 10_000),
        Parameter("other_unit_fen", "fen", 1000, _READING, 0, 1_000_000),
        Parameter("class_above_fen", "fen", 2000, _READING, 0, 1_000_000),
        Parameter("seat_fen", "fen", 100, _READING, 0, 100_000),
        Parameter("fairness_fen_h", "fen/h", 100, _READING, 0, 10_000),
        Parameter("unfamiliar_fen", "fen", 300, _READING, 0, 1_000_000),
        Parameter("fuel_short_fen", "fen", 200, _READING, 0, 1_000_000),
        Parameter("late_fen_min", "fen/min", 200, _READING, 0, 100_000),
        Parameter("change_fen", "fen", 5000, _READING, 0, 1_000_000),
    ),
    VEHICLE: (Parameter("one_quote_yuan", "yuan", 500, "某单位维修审批: 500 元以下", 0, 1_000_000),),
    QUOTA: (
        Parameter("confidential_yuan", "yuan", 120_000, _STANDARD, 0, 100_000_000),
        Parameter("confidential_ml", "ml", 1_600, _STANDARD, 0, 30_000),
        Parameter("emergency_yuan", "yuan", 180_000, _STANDARD, 0, 100_000_000),
        Parameter("emergency_ml", "ml", 1_800, _STANDARD, 0, 30_000),
        Parameter("enforcement_yuan", "yuan", 120_000, _STANDARD, 0, 100_000_000),
        Parameter("enforcement_ml", "ml", 1_600, _STANDARD, 0, 30_000),
        Parameter("enforcement_need_yuan", "yuan", 180_000, _STANDARD, 0, 100_000_000),
        Parameter("enforcement_need_ml", "ml", 1_800, _STANDARD, 0, 30_000),
        Parameter("other_yuan", "yuan", 180_000, _STANDARD, 0, 100_000_000),
        Parameter("other_ml", "ml", 1_800, _STANDARD, 0, 30_000),
        Parameter("special_case_yuan", "yuan", 250_000, _STANDARD, 0, 100_000_000),
        Parameter("special_case_ml", "ml", 3_000, _STANDARD, 0, 30_000),
        Parameter("large_bus_yuan", "yuan", 450_000, _STANDARD, 0, 100_000_000),
        Parameter("new_energy_yuan", "yuan", 180_000, _STANDARD, 0, 100_000_000),
    ),
    "location": (
        Parameter("min_displacement_m", "m", 200, _READING, 0, 100_000),
        Parameter("episode_idle_min", "min", 30, _READING, 1, 1440),
    ),
    "destination": (
        Parameter("radius_m", "m", 2000, _SEED + ": 目的地2公里以内范围", 1, 1_000_000),
        Parameter("gap_speed_kmh", "km/h", 120, _READING, 1, 1000),
    ),
    "mileage": (
        Parameter("ratio_permille", "1/1000", 1500, _SEED + ": 1.5倍以上", 1000, 100_000),
        Parameter("short_trip_m", "m", 2000, _READING, 0, 1_000_000),
        Parameter("odometer_differs_permille", "1/1000", 100, _READING, 1, 1_000_000),
        Parameter("leave_out_local", "1 = yes, 0 = no", 0, _SECOND, 0, 1),
        Parameter("local_radius_m", "m", 2000, _SECOND, 0, 100_000),
    ),
    "fuel_consumption": (
        Parameter("ratio_permille", "1/1000", 1150, _SEED + ": 高出15%以上", 1000, 100_000),
        Parameter("baseline_months", "month", 3, _SEED + ": 前三个月", 1, 24),
        Parameter("min_km", "km", 300, _READING, 1, 100_000),
        Parameter("min_fills", "1", 2, _READING, 1, 1000),
        Parameter("gap_speed_kmh", "km/h", 120, _READING, 1, 1000),
        # What a tenth unseen of every trip hides, at even speed, is a ninth: less than the 15 % that are asked about.
        Parameter("min_coverage_permille", "1/1000", 900, _READING, 0, 1000),
        # Fuel bought is not fuel burnt: so much of it may be in a vehicle of which the register says nothing.
        Parameter("tank_default_l", "l", 60, _READING, 0, 1000),
        Parameter("battery_default_kwh", "kWh", 60, _READING, 0, 1000),
    ),
    "card_binding": (Parameter("grace_days", "d", 0, _READING, 0, 365),),
    "card_use": (
        Parameter("station_radius_m", "m", 200, _READING, 1, 10_000),
        Parameter("polygon_margin_m", "m", 30, _READING, 0, 1000),
        Parameter("window_min", "min", 15, _READING, 1, 1440),
        # Entering is stopping: whoever fills up stands, or creeps to the pump, for a minute at least.
        Parameter("min_stop_s", "s", 60, _READING, 0, 3600),
        Parameter("stop_kmh", "km/h", 6, _READING, 1, 30),
        # Good coverage: at least half of the window was seen, as of an order (mileage). Never 0: unseen accuses nobody.
        Parameter("min_coverage_permille", "1/1000", 500, _READING, 1, 1000),
        Parameter("gap_speed_kmh", "km/h", 120, _READING, 1, 1000),
        Parameter("settle_after_h", "h", 6, _READING, 0, 720),
    ),
    "refuel_frequency": (
        Parameter("min_fills", "1", 2, _SEED + ": 加油两次及以上", 2, 1000),
        Parameter("merge_min", "min", 10, _READING, 0, 1440),
        # Electric vehicles stand at the charger between orders.
        Parameter("count_charging", "1 = charging counts, 0 = not", 0, _READING, 0, 1),
    ),
    "traffic_violations": (
        Parameter("min_violations", "1", 2, _SEED + ": 2次以上", 1, 1000),
        Parameter("natural_month", "1 = natural, 0 = rolling", 0, _READING, 0, 1),
        Parameter("by_driver", "1 = driver, 0 = vehicle", 0, _READING, 0, 1),
        Parameter("count_parking", "1 = parking counts, 0 = not", 0, _SEED + ": 行驶过程中", 0, 1),
        Parameter("same_act_min", "min", 5, _READING, 0, 1440),
        Parameter("drive_speed_kmh", "km/h", 120, _READING, 1, 1000),
    ),
    "terminal_silent": (
        Parameter("min_silence_min", "min", 120, _READING, 10, 10_080),
        Parameter("min_peers", "1", 2, _READING, 1, 1000),
        Parameter("peers_permille", "1/1000", 500, _READING, 0, 1000),
        # A terminal that wakes up may find its first fix only minutes after the car has left: 3 min at 40 km/h.
        Parameter("min_displacement_m", "m", 2000, _READING, 0, 1_000_000),
        # Fixes that stand while the odometer runs, or the reverse: far more than drift, rounding and tyres explain.
        Parameter("min_contradiction_m", "m", 5000, _READING, 1000, 1_000_000),
        Parameter("settle_after_h", "h", 6, _READING, 0, 720),
    ),
    "off_hours": (
        Parameter("night_from_min", "minute of the day", 22 * 60, _READING, 0, 1439),
        Parameter("night_to_min", "minute of the day", 6 * 60, _READING, 0, 1439),
        Parameter("min_distance_m", "m", 1000, _READING, 0, 1_000_000),
        #: Sum of: 1 official, 2 repair, 4 inspection, 8 car_wash, 16 emergency, 32 tow.
        Parameter("allowed_types", "bitmask", 55, _READING, 0, 63),
        Parameter("settle_after_h", "h", 6, _READING, 0, 720),
    ),
    "sealed": (
        Parameter("min_displacement_m", "m", 200, _OFFICE + " 1.3: 封存期间位移 200 米以上", 50, 100_000),
        # The clerk's minute: the vehicle is still being parked, or was unsealed already.
        Parameter("grace_min", "min", 15, _READING, 0, 240),
        #: As of off_hours: repair, inspection, emergency, tow.
        Parameter("allowed_types", "bitmask", 54, _READING, 0, 63),
        Parameter("settle_after_h", "h", 6, _READING, 0, 720),
    ),
    "tank": (
        # The filler neck, the temperature and the meter of the pump.
        Parameter("tolerance_permille", "1/1000", 100, _READING, 0, 1000),
        # A smaller one in the register is a slip of units.
        Parameter("min_tank_l", "l", 20, _READING, 0, 1000),
        # High, in the driver's favour: a unit with lorries sets its own.
        Parameter("burn_l_100km", "l/100 km", 30, _READING, 1, 200),
        Parameter("idle_ml_h", "ml/h", 3000, _READING, 0, 50_000),
        Parameter("merge_min", "min", 10, _READING, 0, 1440),
        Parameter("lookback_days", "d", 31, _READING, 1, 366),
        Parameter("settle_after_h", "h", 6, _READING, 0, 720),
    ),
    "parking": (
        Parameter("night_from_min", "minute of the day", 23 * 60, _READING, 0, 1439),
        Parameter("night_to_min", "minute of the day", 5 * 60, _READING, 0, 1439),
        Parameter("min_stand_min", "min", 240, _READING, 10, 1440),
        # The gate, the road along the wall, an entrance that is drawn a little off.
        Parameter("margin_m", "m", 200, _READING, 0, 10_000),
        # Terminals of parked vehicles sleep: a longer silence is no stand.
        Parameter("max_gap_min", "min", 120, _READING, 5, 1440),
        Parameter("settle_after_h", "h", 6, _READING, 0, 720),
    ),
    "route": (
        # Lines that people draw on a map, parallel carriageways, and the yards on either side.
        Parameter("corridor_m", "m", 500, _READING, 50, 20_000),
        Parameter("off_route_m", "m", 2000, _READING, 100, 1_000_000),
        # A closed road is gone round: as far as a mileage may be above the navigation's.
        Parameter("detour_m", "m", 10_000, _READING, 0, 1_000_000),
        Parameter("detour_permille", "1/1000", 1500, _SEED + ": 1.5倍", 1000, 10_000),
        Parameter("stop_min", "min", 5, _READING, 1, 1440),
        Parameter("gap_speed_kmh", "km/h", 120, _READING, 20, 300),
    ),
    "idle_rental": (
        Parameter("min_idle", "1", 1, _OFFICE + " 1.5: 自有车辆闲置 1 辆以上", 1, 1000),
        # As of parking.
        Parameter("margin_m", "m", 200, _READING, 0, 10_000),
        Parameter("max_gap_min", "min", 120, _READING, 5, 1440),
        Parameter("settle_after_h", "h", 6, _READING, 0, 720),
    ),
}


#: (rule, name) -> where a parameter stands that was once the rule's own. The rule still uses it.
MOVED: Final[Mapping[tuple[str, str], str]] = {("location", "early_start_min"): ORDER}


class UnknownParameterError(ValueError):
    """No such rule, or the rule has no such parameter."""


class ParameterRangeError(ValueError):
    """The value is not an integer within the parameter's limits."""


def parameter(rule: str, name: str) -> Parameter:
    """The definition of a parameter. Raises UnknownParameterError."""
    for found in RULES.get(rule, ()):
        if found.name == name:
            return found
    raise UnknownParameterError(f"{rule}.{name}")


def used_by(rule: str) -> tuple[Parameter, ...]:
    """The parameters of a rule, then those of others that it uses and that were once its own."""
    moved = [parameter(now, name) for (was, name), now in MOVED.items() if was == rule]
    return (*RULES.get(rule, ()), *moved)


def validate(rule: str, name: str, value: Any) -> int:
    """``value`` as the integer the rule will use.

    Raises UnknownParameterError or ParameterRangeError (message: name, limits, unit).
    """
    known = parameter(rule, name)
    if isinstance(value, bool) or value != int(value) or not known.minimum <= value <= known.maximum:
        raise ParameterRangeError(
            f"{rule}.{name}: {value!r} is not an integer of {known.minimum}..{known.maximum} {known.unit}"
        )
    return int(value)


#: Endings of names and how many of the unit make one: what people say as ``ratio=1.3`` is ``ratio_permille`` 1300.
_SHORT: Final = {"_permille": 1000}


def parse(rule: str, text: str) -> tuple[str, int]:
    """(name, value) of what a person wrote: ``ratio_permille=1300`` or, exactly the same, ``ratio=1.3`` or ``ratio=130%``;
    a minute of the day also as ``22:30``.

    Raises UnknownParameterError, or ParameterRangeError where the value is no number, is not exact in the parameter's
    unit (``ratio=1.3005``), or is out of its limits.
    """
    name, _, value = (part.strip() for part in text.partition("="))
    name, times = name.replace("-", "_"), 1
    known = {p.name for p in used_by(rule)}
    for ending, per_unit in _SHORT.items():
        if name not in known and name + ending in known:
            name, times = name + ending, per_unit
    stands = MOVED.get((rule, name), rule)
    found = parameter(stands, name)
    clock = value.split(":")
    try:
        if found.unit == "minute of the day" and len(clock) == 2 and all(map(str.isdecimal, clock)):
            if int(clock[1]) > 59:
                raise ValueError(value)
            number = Fraction(60 * int(clock[0]) + int(clock[1]))
        elif value.endswith("%") and times > 1:
            number = Fraction(value[:-1]) / 100 * times
        else:
            number = Fraction(value) * times
    except (ValueError, ZeroDivisionError):
        raise ParameterRangeError(f"{rule}.{name}: {value!r} is no number") from None
    if number.denominator != 1:
        raise ParameterRangeError(f"{rule}.{name}: {value!r} is no whole number of {found.unit}")
    return name, validate(stands, name, int(number))


def override(
    rows: Iterable[ParameterRow], rule: str, values: Mapping[str, int], organisation: str | None = None
) -> tuple[ParameterRow, ...]:
    """``rows`` as if ``values`` (of ``used_by``, by name) had always held: for everyone, whatever an organisation has of its
    own, or for ``organisation`` alone (not for the units below it)."""
    stands = {(MOVED.get((rule, name), rule), name): value for name, value in values.items()}
    kept = [
        row
        for row in rows
        if (row.rule, row.name) not in stands or organisation not in (None, row.organisation)
    ]
    depth = 0 if organisation is None else _DEEPEST  # no unit above counts any more
    made = (
        ParameterRow(of, name, organisation, value, 0, depth=depth) for (of, name), value in stands.items()
    )
    return (*kept, *made)


#: Deeper than any unit lies.
_DEEPEST: Final = 1_000_000


def with_units_below(
    rows: Iterable[ParameterRow], below: Mapping[str, Iterable[str]]
) -> tuple[ParameterRow, ...]:
    """``rows`` with the units for which they hold. ``below``: of each organisation that has a row, every unit below it, at
    whatever distance."""
    under = {unit: frozenset(units) for unit, units in below.items()}
    depth = {unit: sum(unit in others for others in under.values()) for unit in under}
    return tuple(
        row if row.organisation is None
        else replace(row, below=under.get(row.organisation, frozenset()), depth=depth.get(row.organisation, 0))
        for row in rows
    )  # fmt: skip


def rows_for(rows: Iterable[ParameterRow], organisation: str) -> list[ParameterRow]:
    """The rows that concern an organisation, as evidence keeps them: everyone's as they are, and in place of what it and the
    units above it have set, rows of its own that give the same values at every time. Where no unit above has set
    anything they are its own rows, in their order."""
    mine = [row for row in rows if row.holds_for(organisation)]
    inherited = {(row.rule, row.name) for row in mine if row.organisation not in (None, organisation)}
    kept = [row for row in mine if row.organisation is None or (row.rule, row.name) not in inherited]
    own = [replace(row, below=frozenset(), depth=0) if row.organisation is not None else row for row in kept]
    for rule, name in sorted(inherited):
        line = [r for r in mine if (r.rule, r.name) == (rule, name) and r.organisation is not None]
        for at_us in sorted({r.effective_us for r in line}):
            holds = max((r for r in line if r.effective_us <= at_us), key=_rank)
            own.append(ParameterRow(rule, name, organisation, holds.value, at_us))
    return own


def _rank(row: ParameterRow) -> tuple[int, int, str, int]:
    """The greater, the more it counts: everyone's least, then the lower unit's, of one unit the newest."""
    depth = -1 if row.organisation is None else row.depth
    return depth, row.effective_us, row.name, row.value


def _ordered(rule: str, rows: Iterable[ParameterRow]) -> list[ParameterRow]:
    """The rule's rows so that a later one overrides an earlier: everyone's first, then from the upper units to the lower
    ones, of one unit by effective date."""
    names = {p.name for p in RULES[rule]}
    return sorted((r for r in rows if r.rule == rule and r.name in names), key=_rank)


def resolve(rule: str, organisation: str | None, at_us: int, rows: Iterable[ParameterRow]) -> dict[str, int]:
    """Values of a rule's parameters for an organisation at a time (us since 1970), by name.

    An organisation's own value beats that of a unit above it, and that one everyone's, whatever the dates; among those of
    one unit the newest effective one holds. Raises UnknownParameterError for an unknown rule, UnreadableFactError where a
    row that holds cannot be read.
    """
    if rule not in RULES:
        raise UnknownParameterError(rule)
    values = {p.name: p.default for p in RULES[rule]}
    for row in _ordered(rule, rows):
        if row.effective_us <= at_us and row.holds_for(organisation):
            if row.unreadable:
                raise UnreadableFactError(f"parameter {row.rule}.{row.name}: {row.unreadable}")
            values[row.name] = row.value
    return values


def max_age_us(rows: Iterable[ParameterRow]) -> int:
    """``track.max_age_days`` in microseconds. It is not a unit's: which of several values holds is asked of the newest that
    can be read."""
    known = [row for row in rows if not row.unreadable]
    return resolve(TRACK, None, 1 << 62, known)["max_age_days"] * 86_400 * 1_000_000


def resolve_columns(
    rule: str, organisations: NDArray[np.object_], at_us: Ints, rows: Iterable[ParameterRow]
) -> dict[str, Ints]:
    """``resolve`` for many (organisation, time) pairs: columns by parameter name, int64, shape (n,)."""
    columns = {p.name: np.full(len(at_us), p.default, np.int64) for p in RULES[rule]}
    for row in _ordered(rule, rows):
        hit = at_us >= row.effective_us
        if row.organisation is not None:
            hit &= _among(organisations, row)
        if row.unreadable:
            if hit.any():
                raise UnreadableFactError(f"parameter {row.rule}.{row.name}: {row.unreadable}")
            continue
        columns[row.name][hit] = row.value
    return columns


def _among(organisations: NDArray[np.object_], row: ParameterRow) -> Bools:
    """Which of ``organisations`` a unit's row holds for. Shape (n,)."""
    found: Bools = np.asarray(organisations == row.organisation, np.bool_)
    if row.below:  # rare: most units have none below them
        below = row.below
        found |= np.fromiter((unit in below for unit in organisations), np.bool_, len(organisations))
    return found
