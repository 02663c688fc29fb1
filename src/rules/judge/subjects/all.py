"""The gatherers, in the order in which a turn of the judge runs them."""

from __future__ import annotations

from rules.judge.context import Gatherer
from rules.judge.subjects.cards import Cards
from rules.judge.subjects.destinations import Destinations
from rules.judge.subjects.driver_months import DriverMonths
from rules.judge.subjects.fills import Transactions
from rules.judge.subjects.nights import Nights
from rules.judge.subjects.orders import Orders
from rules.judge.subjects.rentals import Rentals
from rules.judge.subjects.routes import Routes
from rules.judge.subjects.seals import Seals
from rules.judge.subjects.tanks import Tanks
from rules.judge.subjects.vehicle_days import VehicleDays
from rules.judge.subjects.violations import Violations

GATHERERS: tuple[Gatherer, ...] = (
    Orders(),
    Destinations(),
    Transactions(),
    Cards(),
    Violations(),
    DriverMonths(),
    VehicleDays(),
    Seals(),
    Tanks(),
    Nights(),
    Routes(),
    Rentals(),
)
