"""The gatherers, in the order in which a turn of the judge runs them."""

from __future__ import annotations

from rules.judge.base import Gatherer
from rules.judge.cards import Cards
from rules.judge.driver_months import DriverMonths
from rules.judge.orders import Orders
from rules.judge.transactions import Transactions
from rules.judge.vehicle_days import VehicleDays
from rules.judge.violations import Violations

GATHERERS: tuple[Gatherer, ...] = (
    Orders(),
    Transactions(),
    Cards(),
    Violations(),
    DriverMonths(),
    VehicleDays(),
)
