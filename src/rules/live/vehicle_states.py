"""The states of the vehicles in memory, and the rows of the kernels made from positions and the fleet
snapshot.

A vehicle's slot is its compact number. States are read from the database when a vehicle is first seen and
written back by the worker in the transaction that changed them; after a rollback ``forget`` drops everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from registry.parameters import TRACK, max_age_us, resolve_columns
from registry.snapshot.fleet import FleetSnapshot
from rules.checks.location import fenced_column, outside_columns
from rules.live.store.states import load_states, save_states
from rules.tracks.advance import row_matrix
from rules.tracks.state import STATE_DTYPE, STATE_VERSION, TrackStates
from runtime.arrays import AnyArray, Bools, Ints
from runtime.connection import Connection
from telemetry.archive.read import Track
from telemetry.geo import FenceSet
from telemetry.positions import PositionBatch, acc_column
from telemetry.quality import too_old


def order_key(order_id: str) -> int:
    """A positive 62-bit number of an order, the same in every process and version (row numbers are not)."""
    return (int.from_bytes(hashlib.sha256(order_id.encode()).digest()[:8]) >> 2) | 1


@dataclass(frozen=True, slots=True, eq=False)
class Fixes:
    """Positions of quality 0 that belong to a vehicle: int64 columns of shape (n,). ``vehicle`` > 0;
    ``odometer_dkm`` is -1 where absent; ``acc`` as ``telemetry.positions.acc_column`` has it,
    ``term`` as ``rules.stored_tracks.shared_terms``."""

    vehicle: Ints
    t_us: Ints
    fingerprint: Ints
    lat_e6: Ints
    lon_e6: Ints
    speed_dkmh: Ints
    direction_deg: Ints
    odometer_dkm: Ints
    acc: Ints
    term: Ints

    def __len__(self) -> int:
        return len(self.vehicle)

    def take(self, rows: AnyArray) -> Fixes:
        """The rows at ``rows`` (indices or mask)."""
        return Fixes(*(getattr(self, name)[rows] for name in self.__slots__))

    def columns(self) -> dict[str, Ints]:
        """All but the vehicle, named as in evidence."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "vehicle"}


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What the snapshot says about each fix: rows of the order and the fence, -1 = none, int64 columns; whether its
    vehicle was official then (where it was not, no fence holds for it)."""

    order: Ints
    fence: Ints
    official: Bools


class Tracker:
    """See the module docstring."""

    def __init__(self, snapshot: FleetSnapshot) -> None:
        self.snapshot = snapshot
        self.states = TrackStates(1024)
        self._loaded = np.zeros(1024, np.bool_)
        self._fences = FenceSet(np.zeros(0, object), fine=True)
        self._keys = np.zeros(0, np.int64)
        self._organisations: dict[int, str] = {}

    def forget(self) -> None:
        """Drop every state; they are read again when next seen."""
        self.states.tip[:] = 0
        self.states.base[:] = 0
        self._loaded[:] = False

    def holds(self, vehicles: Iterable[int]) -> bool:
        """Whether the state of any of ``vehicles`` is in memory."""
        return any(no < len(self._loaded) and bool(self._loaded[no]) for no in vehicles)

    async def load(self, conn: Connection, vehicles: Ints) -> None:
        """Have the states of ``vehicles`` (distinct numbers) in memory."""
        if not len(vehicles):
            return
        top = int(vehicles.max()) + 1
        if top > self.states.capacity:
            capacity = max(top, 2 * self.states.capacity)
            self.states.grow(capacity)
            self._loaded = np.concatenate((self._loaded, np.zeros(capacity - len(self._loaded), np.bool_)))
        missing = vehicles[~self._loaded[vehicles]]
        if len(missing):
            found, rows = await load_states(conn, missing, STATE_DTYPE, STATE_VERSION)
            self.states.clear(missing)
            self.states.unpack(missing[found], rows)
            self._loaded[missing] = True

    async def save(self, conn: Connection, vehicles: Ints) -> None:
        """Write the states of ``vehicles`` (distinct numbers)."""
        field = self.states.field
        await save_states(
            conn,
            vehicles,
            self.states.pack(vehicles),
            STATE_VERSION,
            watermark_us=field("t", vehicles),
            last_fix_us=field("prev_t", vehicles),
            last_lat_e6=field("prev_lat", vehicles),
            last_lon_e6=field("prev_lon", vehicles),
        )

    def fixes(
        self,
        batch: PositionBatch,
        fingerprint: Ints,
        quality: NDArray[np.int16],
        wanted: Bools | None = None,
    ) -> Fixes:
        """The rows of ``batch`` (of ``wanted`` ones) that are valid by themselves and whose terminal sat in a
        vehicle."""
        usable = quality == 0 if wanted is None else wanted & (quality == 0)
        usable = usable & ~too_old(batch, max_age_us(self.snapshot.parameters))
        rows = np.flatnonzero(usable)
        vehicle = self.snapshot.vehicles_at(batch.terminal[rows], batch.device_us[rows]).astype(np.int64)
        rows, vehicle = rows[vehicle > 0], vehicle[vehicle > 0]
        odometer = np.where(batch.known("odometer_dkm")[rows], batch.odometer_dkm[rows].astype(np.int64), -1)

        def column(values: AnyArray) -> Ints:
            return values[rows].astype(np.int64)

        return Fixes(
            vehicle, column(batch.device_us), column(fingerprint), column(batch.lat_e6), column(batch.lon_e6),
            column(batch.speed_dkmh), column(batch.direction_deg), odometer, acc_column(batch, rows),
            np.where(self.snapshot.shared_at(vehicle, batch.device_us[rows]), batch.terminal[rows].astype(np.int64), 0),
        )  # fmt: skip

    def fixes_of(self, track: Track) -> Fixes:
        """The usable rows of a stored track."""
        return self.fixes(track.batch, track.fingerprint, track.quality)

    def context(self, fixes: Fixes) -> Context:
        """The order and the fence of each fix."""
        official = self.snapshot.official_at(fixes.vehicle, fixes.t_us)
        fence = np.asarray(self.snapshot.fences_at(fixes.vehicle, fixes.t_us), np.int64)
        return Context(
            np.asarray(self.snapshot.order_at(fixes.vehicle, fixes.t_us), np.int64),
            np.where(official, fence, -1),
            official,
        )

    def matrix(self, fixes: Fixes, context: Context) -> Ints:
        """The row matrix of the kernel for ``fixes`` and their ``context``."""
        snapshot = self.snapshot
        orders = snapshot.orders.orders
        if len(self._keys) < len(orders):
            fresh = [order_key(order.id) for order in orders[len(self._keys) :]]
            self._keys = np.concatenate((self._keys, np.array(fresh, np.int64)))
        order = np.zeros(len(fixes), np.int64)
        covered = context.order >= 0
        order[covered] = self._keys[context.order[covered]]
        self._fences.update(snapshot.fences.geometries)
        outside, beyond = outside_columns(self._fences, context.fence, ~covered, fixes.lat_e6, fixes.lon_e6)
        organisation = self._organisation(fixes.vehicle)
        own = resolve_columns("location", organisation, fixes.t_us, snapshot.parameters)
        shared = resolve_columns(TRACK, organisation, fixes.t_us, snapshot.parameters)
        return row_matrix(
            len(fixes), t=fixes.t_us, fp=fixes.fingerprint, lat=fixes.lat_e6, lon=fixes.lon_e6,
            speed=fixes.speed_dkmh, dir=fixes.direction_deg, odo=fixes.odometer_dkm + 1, acc=fixes.acc, term=fixes.term, order=order,
            fenced=fenced_column(context.fence, context.official), outside=outside, beyond=beyond, max_kmh=shared["max_speed_kmh"],
            gap_us=shared["gap_s"] * 1_000_000, displaced_mm=own["min_displacement_m"] * 1000,
            idle_us=own["episode_idle_min"] * 60_000_000,
        )  # fmt: skip

    def _organisation(self, vehicle: Ints) -> NDArray[np.object_]:
        """Organisations are needed only where somebody has a value of his own; else one look-up per row is
        saved."""
        if not any(row.organisation is not None for row in self.snapshot.parameters):
            return np.full(len(vehicle), None, object)
        known, place = np.unique(vehicle, return_inverse=True)
        names = np.array([self.snapshot.vehicles[int(no)].organisation for no in known], object)
        result: NDArray[np.object_] = names[place] if len(known) else np.zeros(0, object)
        return result
