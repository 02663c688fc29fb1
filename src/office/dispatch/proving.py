"""The proof that no own vehicle can serve a request (查无车证明): the planner's judgement of every vehicle within reach, with what is in the way of each. Nobody types it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from office.dispatch.gathering import gather
from office.dispatch.planner import rank as ranking
from office.dispatch.planner.reasons import reasons_of
from office.dispatch.suggesting import UNKNOWN, known_ways, told_ways
from office.dispatch.threads import RequestThread, load_clocks, now_of
from registry.organisations import units_below
from rules.navigation import TravelTimes
from runtime.connection import Connection
from runtime.errors import DeclinedError


@dataclass(frozen=True, slots=True)
class Proof:
    """``vehicles``: {vehicle, plate, organisation, reasons} of each that was looked at, by id. ``units``: whose. ``sha256``: of all of it, as canonical JSON."""

    asked_at: datetime
    units: tuple[str, ...]
    looked_at: int
    travel: str
    unknown: tuple[Mapping[str, str], ...]
    vehicles: tuple[Mapping[str, Any], ...]

    @property
    def sha256(self) -> bytes:
        said = {
            "asked_at": self.asked_at.isoformat(), "units": list(self.units), "looked_at": self.looked_at, "travel": self.travel,
            "unknown": list(self.unknown), "vehicles": list(self.vehicles),
        }  # fmt: skip
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()


async def prove(connection: Connection, thread: RequestThread, ways: TravelTimes) -> Proof:
    """The proof for a request, of the vehicles of its unit and its pool within the caller's reach. Raises DeclinedError naming the vehicles that can serve."""
    clocks, now = await load_clocks(connection), await now_of(connection)
    units = await units_below(connection, [thread.paper.pool, thread.paper.organisation])
    gathered = await gather(connection, clocks, [thread], units, now)
    known = await known_ways(ways, gathered.facts, [thread.id])
    found = await asyncio.to_thread(ranking.rank, gathered.facts, gathered.weights, thread.id, known)
    if found.best:
        plates = "、".join(gathered.vehicles[each.car].plate for each in found.best)
        raise DeclinedError(
            "own-vehicle-can-serve",
            f"本单位或平台有可派的车辆：{plates}，不能租赁社会车辆，请派车 · own vehicles can serve ({plates}): send one of them",
            pointer="/request",
        )
    if len(found.failed) != len(gathered.facts.cars):
        raise DeclinedError(
            "too-many-vehicles", "车辆过多，不能逐一证明，请由各分平台分别报备 · too many vehicles to prove it of each: report by sub-pool"
        )  # fmt: skip
    vehicles = []
    for each in sorted(found.failed, key=lambda one: one.car):
        vehicle = gathered.vehicles[each.car]
        vehicles.append(
            {"vehicle": vehicle.id, "plate": vehicle.plate, "organisation": vehicle.organisation, "reasons": reasons_of(each.why)}
        )  # fmt: skip
    return Proof(
        now, tuple(sorted(units)), found.looked_at, told_ways(ways, known),
        tuple({"code": code, "text": UNKNOWN[code]} for code in found.unknown), tuple(vehicles),
    )  # fmt: skip
