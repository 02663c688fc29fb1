"""What one reach sees: its roster, and the newest positions of the vehicles in it. Shared by all who have the same reach."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from api.live.frames import UNKNOWN, Flag
from registry.roster import Roster
from runtime.arrays import AnyInts, Bools, Ints
from runtime.units import US_PER_S
from telemetry.live.feed import LastFixes, LiveFeed
from telemetry.live.newest import NEVER

#: Epochs are whole numbers that JSON and float64 hold exactly.
_EPOCH_BYTES: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The vehicles of a roster now, in its order; shape (n,). ``known``: there is a position at all. Columns as in
    api.live.frames.Rows, but for the place in 1e-6 degree."""

    known: Bools
    lon_e6: Ints
    lat_e6: Ints
    fix_s: Ints
    speed: AnyInts
    direction: AnyInts
    flags: AnyInts


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """At most one binding of each vehicle."""

    vehicle: Ints
    terminal: Ints
    since_us: Ints
    until_us: Ints


class Sight:
    """A roster and how to find the positions of its vehicles. ``epoch`` names what a reader of the stream has to know of it."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self.epoch = epoch_of(roster)
        self._layers = _layers(roster)
        self._slots: list[Ints] | None = None  # of the terminals of each layer, in the columns of the feed
        self._fixes: LastFixes | None = None
        self._stored = (np.zeros(0, np.int64),) * 3  # fix_us, lon, lat of the database, by vehicle

    def __len__(self) -> int:
        return len(self.roster.ids)

    def view(self, feed: LiveFeed) -> View:
        """Always of the same ``feed``. Where the vehicles are now. A position counts for a vehicle while its terminal sat in it."""
        if self._fixes is not feed.fixes:
            self._fixes = feed.fixes
            self._stored = self._found(feed.fixes)
        newest = feed.newest
        if self._slots is None:
            self._slots = [newest.slots(layer.terminal) for layer in self._layers]
        fix, lon, lat = (column.copy() for column in self._stored)
        speed = np.full(len(self), UNKNOWN, np.uint8)
        direction = np.full(len(self), UNKNOWN, np.uint8)
        flags = np.full(len(self), Flag.STORED, np.uint8)
        for layer, slot in zip(self._layers, self._slots, strict=True):
            there = slot >= 0
            mine, slot = layer.vehicle[there], slot[there]
            since, until = layer.since_us[there], layer.until_us[there]
            at = newest.fix_us[slot]
            ours = (at != NEVER) & (at >= since) & (at < until) & (at >= fix[mine])
            to, of = mine[ours], slot[ours]
            fix[to], lon[to], lat[to] = at[ours], newest.lon_e6[of], newest.lat_e6[of]
            speed[to] = np.minimum((newest.speed_dkmh[of].astype(np.int64) + 5) // 10, UNKNOWN - 1)
            turned = newest.direction_deg[of]
            direction[to] = np.where(turned < 360, turned // 2, UNKNOWN)
            flags[to] = Flag.LOCATED
            said = newest.report_us[slot]
            heard = (said != NEVER) & (said >= since) & (said < until) & (said >= fix[mine])
            to, of = mine[heard], slot[heard]
            acc = newest.acc[of]
            flags[to] = (
                np.where(acc > 0, Flag.ACC_KNOWN, 0)
                | np.where(acc == 2, Flag.ACC_ON, 0)
                | np.where(newest.located[of], Flag.LOCATED, 0)
                | np.where(newest.alarm[of], Flag.ALARM, 0)
            )
        seconds = np.clip(fix // US_PER_S, 0, 0xFFFFFFFF)
        return View(fix != NEVER, lon, lat, seconds, speed, direction, flags)

    def _found(self, fixes: LastFixes) -> tuple[Ints, Ints, Ints]:
        if not len(fixes.vehicle):
            none = np.full(len(self), NEVER, np.int64)
            return none, np.zeros(len(self), np.int64), np.zeros(len(self), np.int64)
        place = np.searchsorted(fixes.vehicle, self.roster.numbers).clip(max=len(fixes.vehicle) - 1)
        there = fixes.vehicle[place] == self.roster.numbers
        return (
            np.where(there, fixes.fix_us[place], NEVER).astype(np.int64),
            fixes.lon_e6[place].astype(np.int64),
            fixes.lat_e6[place].astype(np.int64),
        )


def epoch_of(roster: Roster) -> int:
    """A number that changes when the ids, plates or units of the roster do; the same in every process."""
    text = "\n".join(
        "\t".join(row) for row in zip(roster.ids, roster.plates, roster.organisations, strict=True)
    )
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:_EPOCH_BYTES], "big")


def _layers(roster: Roster) -> list[_Layer]:
    """The bindings, divided so that no vehicle is in a layer twice."""
    order = np.argsort(roster.vehicle, kind="stable")
    vehicle = roster.vehicle[order]
    which = np.arange(len(vehicle)) - np.searchsorted(vehicle, vehicle)
    return [
        _Layer(roster.vehicle[at], roster.terminal[at], roster.since_us[at], roster.until_us[at])
        for at in (order[which == k] for k in range(int(which.max(initial=-1)) + 1))
    ]
