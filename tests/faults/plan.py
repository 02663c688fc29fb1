"""What the terminals of a fault round say: seeded by nothing, a function of (terminal, row) alone.

Every vehicle drives the same loop again and again: it stands in the yard, drives out some six kilometres, and comes
back. Each (terminal, row) has a device time and a place of its own, so every stored row can be told apart. A part of
the fleet has no order (each loop is an episode of ``location``), a part one long order, a part an order a loop that
has returned (each is settled by ``destination``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import shapely

from runtime.arrays import Ints
from runtime.connection import Connection
from simulation.terminal.reports import encode_reports
from telemetry.positions import PositionBatch

FIRST_PHONE = 13_700_000_000
STEP_S = 5
#: Rows of one loop: in the yard, outwards, homewards.
PARKED, OUT, LOOP = 80, 160, 240
_BASE_LAT, _BASE_LON, _STEP_E6 = 31_000_000, 121_000_000, 750
_YARD_E6 = 4_000
#: The longest that the parameter may be: no order of a plan is settled by the clock, all by their tracks.
SETTLE_AFTER_H = 720
_STATUS = 1 | 1 << 1 | 1 << 18 | 1 << 19  # ACC, positioned, GPS and BeiDou
#: Vehicles of this share hold some rows back and send them later, out of order.
_LATE_EVERY = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """``terminals`` terminals with ``rows`` reports each; row ``i`` has the device time ``start_s + i * STEP_S``."""

    terminals: int
    rows: int
    start_s: int

    @classmethod
    def ending_before(cls, now: datetime, terminals: int, rows: int) -> Plan:
        """A plan whose last report is in the past of ``now``. ValueError when it reaches back more than 25 days:
        orders that returned ``SETTLE_AFTER_H`` ago are settled by the clock, and two runs would see different clocks.
        """
        if rows * STEP_S > 25 * 86_400:
            raise ValueError(f"{rows} rows of {STEP_S} s are more than 25 days")
        return cls(terminals, rows, int(now.timestamp()) - rows * STEP_S)

    def phone(self, terminal: int) -> str:
        """Without leading zeros."""
        return str(FIRST_PHONE + terminal)

    def columns(self, terminal: Ints, row: Ints) -> dict[str, Ints]:
        """What report ``row`` of ``terminal`` says, int64 columns of the given shape; units of telemetry.positions."""
        loop, at = np.divmod(row, LOOP)
        out = PARKED + (at - PARKED + 1) * _STEP_E6
        home = PARKED + (OUT - PARKED) * _STEP_E6 - (at - OUT) * _STEP_E6 - _STEP_E6 // 2
        east = np.where(at < PARKED, at, np.where(at < OUT, out, home))
        driving = at >= PARKED
        return {
            "time_s": self.start_s + row * STEP_S,
            "lat_e6": _BASE_LAT + 20 * terminal + loop,
            "lon_e6": _BASE_LON + east,
            "altitude_m": 5 + terminal,
            "speed_dkmh": np.where(driving, 513, 0),
            "direction_deg": np.where(at < OUT, 90, 270),
            "odometer_dkm": 1_000_000 + row,
        }

    def bodies(self, terminal: int, rows: Ints) -> list[bytes]:
        """The 0x0200 bodies of ``rows``."""
        return self.all_bodies(np.full(len(rows), terminal, np.int64), rows)

    def all_bodies(self, terminal: Ints, row: Ints) -> list[bytes]:
        """The 0x0200 bodies of ``row`` of ``terminal``, both of shape (n,)."""
        c = self.columns(terminal, row)
        return encode_reports(
            c["time_s"], c["lat_e6"], c["lon_e6"], altitude_m=c["altitude_m"], speed_dkmh=c["speed_dkmh"],
            direction_deg=c["direction_deg"], status=np.full(len(row), _STATUS), odometer_dkm=c["odometer_dkm"],
        )  # fmt: skip

    def batch(self, terminal_no: Ints, terminal: Ints, row: Ints, received_us: int) -> PositionBatch:
        """The same reports as the log would carry them."""
        c = self.columns(terminal, row)
        return PositionBatch.build(
            len(row), terminal=terminal_no, received_us=received_us, device_us=c.pop("time_s") * 1_000_000,
            status=_STATUS, present=1, **c,
        )  # fmt: skip

    def emission(self, terminal: int, first: int, count: int) -> Ints:
        """Rows [first, first + count) in the order in which the terminal sends them."""
        rows = np.arange(first, first + count)
        if terminal % _LATE_EVERY == _LATE_EVERY - 1:
            place = rows % 60
            held = (place >= 20) & (place < 25)
            rows = rows[np.lexsort((rows, np.where(held, rows + 40, rows)))]
        return rows

    async def register(self, connection: Connection) -> None:
        """The fleet in an empty database: the same numbers for the same plan, in every database."""
        start = datetime.fromtimestamp(self.start_s, UTC)
        await connection.execute("INSERT INTO organisations (id, name) VALUES ('office', '办公室')")
        await connection.execute(
            "INSERT INTO vehicles (id, plate, organisation) SELECT 'v' || k, '苏F' || lpad(k::text, 5, '0'), 'office'"
            " FROM generate_series(0, $1 - 1) k ORDER BY k",
            self.terminals,
        )
        await connection.execute(
            "INSERT INTO terminals (phone) SELECT ($2::bigint + k)::text FROM generate_series(0, $1 - 1) k ORDER BY k",
            self.terminals, FIRST_PHONE,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) SELECT t.no, v.no, '2000-01-01'"
            " FROM terminals t JOIN vehicles v ON v.id = 'v' || (t.phone::bigint - $1::bigint)",
            FIRST_PHONE,
        )
        yard = shapely.box(
            (_BASE_LON - _YARD_E6) / 1e6, (_BASE_LAT - _YARD_E6) / 1e6,
            (_BASE_LON + _YARD_E6) / 1e6, (_BASE_LAT + _YARD_E6) / 1e6,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO fences (id, version, name, organisation, original, datum, geometry, valid_from)"
            " VALUES ('yard', 1, 'yard', 'office', $1, 'wgs84', $2, '2000-01-01')",
            shapely.geometry.mapping(yard), yard.wkb,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO rule_parameters (rule, name, value, effective_from)"
            " VALUES ('order', 'settle_after_h', $1, '2000-01-01')",
            SETTLE_AFTER_H,
        )
        await connection.executemany(
            "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, status, destinations,"
            " planned_departure, planned_return, actual_departure, actual_return)"
            " VALUES ($1, 1, 'office', $2, 'official', $3, $4, $5, $6, $5, $7)",
            [order for k in range(self.terminals) for order in self._orders(k, start)],
        )

    def _orders(self, terminal: int, start: datetime) -> list[tuple[Any, ...]]:
        vehicle, end = f"v{terminal}", start + timedelta(days=40)
        if terminal % 4 == 2:
            return [(f"o{terminal}", vehicle, "departed", [_place(0.05)], start, end, None)]
        if terminal % 4 == 3:
            loops = -(-self.rows // LOOP)
            seconds = [
                ((n * LOOP + PARKED - 10) * STEP_S, (n * LOOP + LOOP - 3) * STEP_S) for n in range(loops)
            ]
            return [
                (
                    f"o{terminal}-{n}", vehicle, "returned", [_place(0.05 if n % 2 else 0.2)],
                    start + timedelta(seconds=a), start + timedelta(seconds=b), start + timedelta(seconds=b),
                )
                for n, (a, b) in enumerate(seconds)
            ]  # fmt: skip
        return []


def _place(east: float) -> dict[str, Any]:
    """A destination so many degrees east of the yard: 0.05 is reached, 0.2 is not."""
    lon = _BASE_LON + round(east * 1e6)
    at = {"lat_e6": _BASE_LAT, "lon_e6": lon}
    return {"name": "目的地", "lat": _BASE_LAT / 1e6, "lon": lon / 1e6, "datum": "wgs84", "wgs84": at}
