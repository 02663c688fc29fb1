"""What a worker keeps in memory between two transactions. After one that failed all of it is dropped and read again."""

from __future__ import annotations

from collections.abc import Collection

from registry.snapshot.fleet import FleetSnapshot
from rules.live.clocks import ClockWatch
from rules.live.order_results import TripResults
from rules.live.reminders import Reminders
from rules.live.sealed import SealWatch
from rules.live.vehicle_states import Tracker


class Memory:
    """``snapshot``: the registry. ``clocks``: of the terminals whose reports lag. ``tracker``, ``results``: the states of the vehicles seen, and
    the results of their orders. ``reminders``: which of them were told something a moment ago. ``seals``: which are sealed."""

    def __init__(self, snapshot: FleetSnapshot) -> None:
        self.snapshot = snapshot
        self.clocks = ClockWatch()
        self.forget_states()

    def forget_states(self) -> None:
        """Drop states and results; they are read again when next needed."""
        #: Whether vehicles may be put off for facts that cannot be read (``held``).
        self.holds = True
        self.tracker = Tracker(self.snapshot)
        self.results = TripResults(self.snapshot, self.tracker)
        self.reminders = Reminders(self.snapshot)
        self.seals = SealWatch()

    def lose(self, vehicles: Collection[int]) -> None:
        """``vehicles`` are another worker's now: when they come back, what is here is not the newest any more."""
        if self.tracker.holds(vehicles):
            self.forget_states()

    @property
    def rows(self) -> int:
        """Rows of orders and fences, superseded ones among them."""
        return len(self.snapshot.orders.orders) + len(self.snapshot.fences.areas)
