"""Dispatch orders as columns: which order covers a vehicle at a time. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from registry import parameters as params
from registry.order_cover import PARAMETERS, times_of, window
from registry.orders import OrderRow
from registry.snapshot.timelines import Timelines, highest
from runtime.arrays import AnyArray, AnyInts

#: Times that are not given.
NO_TIME: Final = np.iinfo(np.int64).min
#: Codes of the column ``status``.
STATUS: Final = ("approved", "departed", "returned", "cancelled")

#: One element per order row; times in microseconds since 1970 UTC, NO_TIME = not given. ``cover_from``,
#: ``cover_to``:
#: the covered window [from, to); both NO_TIME for a cancelled order, ``cover_to`` FOREVER while it is out.
ORDER_DTYPE: Final = np.dtype(
    [
        ("vehicle_no", "i4"),
        ("status", "i1"),
        ("planned_departure", "i8"),
        ("planned_return", "i8"),
        ("extended_return", "i8"),
        ("actual_departure", "i8"),
        ("actual_return", "i8"),
        ("cover_from", "i8"),
        ("cover_to", "i8"),
        ("leave_from", "i8"),
        ("leave_to", "i8"),
        ("back_from", "i8"),
        ("back_to", "i8"),
    ]
)

_COVER: Final = ("cover_from", "cover_to", "leave_from", "leave_to", "back_from", "back_to")


class OrderBook:
    """Orders by row. A row never changes its meaning: a new version of an order, or other parameters for its
    window, are a new row. ``rows`` (ORDER_DTYPE) and ``orders`` (OrderRow) have the same index.

    The time that an order covers: ``registry.order_cover.window``.

    Where orders of one vehicle overlap, one takes over from the other when it departs: at its actual departure where
    the office says so, else when it begins to cover; of two that do so at once the one with the greater id. The one
    that took over last counts; while none has, the one that began to cover first. So what one order drives while the
    next is late belongs to it and its driver.
    """

    def __init__(self) -> None:
        self._data = np.zeros(64, ORDER_DTYPE)
        self._count = 0
        self.orders: list[OrderRow] = []
        self._rows_of_vehicle: dict[int, list[int]] = {}
        self._row_of_id: dict[str, int] = {}
        self._cover = Timelines()

    @property
    def rows(self) -> AnyArray:
        """Columns of all rows, shape (n,), ORDER_DTYPE. Read only; rows superseded since stay readable."""
        return self._data[: self._count]

    def at(self, vehicle_nos: AnyInts, times_us: AnyInts) -> AnyInts:
        """Row of the order that covers each (vehicle, time), or -1. Shape (n,), int64."""
        return self._cover.at(vehicle_nos, times_us)

    def row_of(self, order_id: str) -> int | None:
        """The row of an order, if it is loaded."""
        return self._row_of_id.get(order_id)

    def rows_of(self, vehicle_no: int) -> list[int]:
        """Rows of a vehicle's orders, by (start of the window, id); cancelled ones first."""
        return list(self._rows_of_vehicle.get(vehicle_no, ()))

    def vehicles(self) -> list[int]:
        """The vehicles that have orders."""
        return list(self._rows_of_vehicle)

    def replace(
        self,
        vehicle_nos: Iterable[int],
        orders: Sequence[OrderRow],
        parameters: Sequence[params.ParameterRow],
    ) -> None:
        """``orders`` are now all orders of ``vehicle_nos``. Unchanged ones keep their rows."""
        windows = self._windows(orders, parameters)
        by_vehicle: dict[int, list[int]] = defaultdict(list)
        vehicle_nos = set(vehicle_nos)
        gone: dict[str, int] = {}
        for no in vehicle_nos:
            gone |= {self.orders[row].id: row for row in self._rows_of_vehicle.pop(no, ())}
        for order, cover in zip(orders, windows, strict=True):
            known = self._row_of_id.get(order.id)
            gone.pop(order.id, None)
            if (
                known is None
                or self.orders[known] != order
                or tuple(self._data[known][name] for name in _COVER) != cover
            ):
                known = self._add(order, cover)
            by_vehicle[order.vehicle_no].append(known)
        for order_id, row in gone.items():
            if self._row_of_id.get(order_id) == row:  # else the order went to another vehicle
                del self._row_of_id[order_id]
        flat: list[tuple[int, int, int, int]] = []
        for no, rows in by_vehicle.items():
            rows.sort(key=lambda row: (int(self._data[row]["cover_from"]), self.orders[row].id))
            self._rows_of_vehicle[no] = rows
            spans = [(int(self._data[r]["cover_from"]), int(self._data[r]["cover_to"]), r) for r in rows]
            apart = all(a[1] <= b[0] for a, b in pairwise(spans))
            if not apart:
                spans = self._shared(rows)
            flat += [(no, start, end, row) for start, end, row in spans if start < end]
        self._cover.replace(vehicle_nos | by_vehicle.keys(), flat)

    def _add(self, order: OrderRow, cover: tuple[int, ...]) -> int:
        if self._count == len(self._data):
            self._data = np.concatenate([self._data, np.zeros(len(self._data), ORDER_DTYPE)])
        row = self._count
        self._data[row] = (
            order.vehicle_no,
            STATUS.index(order.status),
            order.planned_departure_us,
            order.planned_return_us,
            _time(order.extended_return_us),
            _time(order.actual_departure_us),
            _time(order.actual_return_us),
            *cover,
        )
        self._count += 1
        self.orders.append(order)
        self._row_of_id[order.id] = row
        return row

    def _shared(self, rows: Sequence[int]) -> list[tuple[int, int, int]]:
        """(from, to, row) of the times that overlapping orders cover, by who counts; ``rows`` by (start, id)."""
        # Rank: those that have taken over by when they did, before them the waiting ones, the first one first.
        found: list[tuple[int, int, tuple[bool, int, str], int]] = []
        for place, row in enumerate(rows):
            start, end = int(self._data[row]["cover_from"]), int(self._data[row]["cover_to"])
            told = int(self._data[row]["actual_departure"])
            taken = told if start < told < end else start
            if start < taken:
                found.append((start, taken, (False, -place, ""), row))
            found.append((taken, end, (True, taken, self.orders[row].id), row))
        return highest(found)

    @staticmethod
    def _windows(
        orders: Sequence[OrderRow], parameters: Sequence[params.ParameterRow]
    ) -> list[tuple[int, ...]]:
        """The columns _COVER of each order."""
        departure = np.array([o.planned_departure_us for o in orders], np.int64)
        organisations = np.array([o.organisation for o in orders], object)
        columns = params.resolve_columns(params.ORDER, organisations, departure, parameters)
        values = zip(*(columns[name].tolist() for name in PARAMETERS), strict=True)
        return [
            _cover(order, dict(zip(PARAMETERS, used, strict=True)))
            for order, used in zip(orders, values, strict=True)
        ]


def _cover(order: OrderRow, used: dict[str, int]) -> tuple[int, ...]:
    found = window(times_of(order), used)
    if found is None:
        return (NO_TIME,) * len(_COVER)
    none = (NO_TIME, NO_TIME)
    leave = none if found.leave is None or order.left_us is not None else found.leave
    back = none if found.back is None or order.back_us is not None else found.back
    return found.from_us, found.to_us, *leave, *back


def _time(us: int | None) -> int:
    return NO_TIME if us is None else us
