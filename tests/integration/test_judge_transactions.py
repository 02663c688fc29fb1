"""Gatherer transactions: fills against the stored track of the bound vehicle, on a real database."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import asyncpg
import numpy as np
import pytest
import shapely

from api.alerts.evidence import feature_collection
from registry.changes import note_tracks
from rules import catalogue
from rules import evidence as frozen
from rules.checks import card_use
from rules.judge.context import Context, Later
from rules.judge.subjects.fills import Transactions
from rules.live.store.states import save_day_states
from rules.tracks.state import STATE_DTYPE, STATE_VERSION
from runtime.connection import Connection
from runtime.units import china_day, from_us
from telemetry import geo
from telemetry.archive.store import Archive, days_of
from telemetry.positions import PositionBatch
from tests import words
from tests.integration.fuel_world import DAY, HOUR, MIN, FuelWorld, S, china
from tests.words import said

NOW = china("2026-03-20 12:00")
AT = china("2026-03-18 09:00")
GATHERER = Transactions()
LAT, LON = 32.0, 120.9
RULE = card_use.RULE


class StationWorld(FuelWorld):
    """Vehicles V1.. with terminals 1..; the station S1 at the middle; card C1 bound to V1."""

    known_us: int | None = None

    async def build(self) -> None:
        await super().build()
        for k in (1, 2):
            await self.vehicle(f"V{k}", f"苏F0000{k}")
            await self.sql("INSERT INTO terminals (phone) VALUES ($1)", f"1380000000{k}")
            await self.sql(
                "INSERT INTO terminal_bindings SELECT t.no, v.no, $2 FROM terminals t, vehicles v"
                " WHERE t.phone = $1 AND v.id = $3",
                f"1380000000{k}", self.time(AT - 90 * DAY), f"V{k}",
            )  # fmt: skip
        await self.station("S1", shapely.Point(LON, LAT))
        await self.card("C1", ("苏F00001", AT - 90 * DAY, None))

    async def station(self, id: str, shape: Any) -> None:
        wkb = None if shape is None else shapely.to_wkb(shape)
        original = None if shape is None else {"type": "..."}
        await self.sql(
            "INSERT INTO fuel_stations (id, name, datum, original, geometry) VALUES ($1, '城东站', $2, $3, $4)"
            " ON CONFLICT (id) DO UPDATE SET datum = EXCLUDED.datum, original = EXCLUDED.original, geometry = EXCLUDED.geometry",
            id, None if shape is None else "wgs84", original, wkb,
        )  # fmt: skip

    async def fill_at(
        self, id: str, at: int = AT, *, card: str = "C1", station: str | None = "S1", **more: Any
    ) -> None:
        await self.fill(id, card, at, **more)
        await self.sql("UPDATE fuel_transactions SET station = $2 WHERE id = $1", id, station)

    async def drive(
        self,
        fixes: Sequence[tuple[float, float, float]],
        *,
        vehicle: int = 1,
        at: int = AT,
        mark: int | None = None,
    ) -> None:
        """Store fixes (seconds after ``at``, metres east, north); the watermark is the newest one, or ``mark``."""
        a = np.array(fixes, float).reshape(-1, 3)
        lat, lon = geo.from_local_plane(LAT, LON, a[:, 1], a[:, 2])
        t = at + np.rint(a[:, 0] * S).astype(np.int64)
        number = await self.pool.fetchval("SELECT no FROM terminals WHERE phone = $1", f"1380000000{vehicle}")
        batch = PositionBatch.build(
            len(t), terminal=number, device_us=t, received_us=t + S, lat_e6=np.rint(lat * 1e6), lon_e6=np.rint(lon * 1e6),
            speed_dkmh=0, status=2,
        )  # fmt: skip
        archive = Archive(now_us=lambda: self.now_us)
        async with self.pool.acquire() as conn:
            await archive.ensure_partitions(conn, days_of(batch))
            async with conn.transaction():
                await archive.store(conn, batch)
        await self.mark(int(t.max()) if mark is None else mark, vehicle)

    async def mark(self, us: int, vehicle: int = 1) -> None:
        await self.sql(
            "INSERT INTO vehicle_states (vehicle_no, state, state_version, watermark)"
            " SELECT no, '', 1, $2 FROM vehicles WHERE id = $1"
            " ON CONFLICT (vehicle_no) DO UPDATE SET watermark = GREATEST(vehicle_states.watermark, EXCLUDED.watermark)",
            f"V{vehicle}", self.time(us),
        )  # fmt: skip

    async def late(self, since: int, vehicle: int = 1) -> None:
        number = await self.pool.fetchval("SELECT no FROM vehicles WHERE id = $1", f"V{vehicle}")
        async with self.pool.acquire() as conn:
            await note_tracks(conn, [(number, from_us(since))])

    async def context(self, conn: Connection) -> Context:
        made = await super().context(conn)
        known = self.now_us if self.known_us is None else self.known_us
        return Context(conn, made.archive, made.navigator, made.calendar, made.parameters, made.now_us, known)

    async def reason(self, id: str = "T1") -> str | None:
        found = (await self.stored()).get((RULE, card_use.subject(id)))
        return None if found is None else str(found["reason_code"])


def parked(
    east: float, start: int = -3600, end: int = 3600, every: int = 60
) -> list[tuple[float, float, float]]:
    return [(t, east, 0) for t in range(start, end + 1, every)]


def means(reason: str) -> str:
    return words.means(RULE, reason)


@pytest.fixture
async def world(pool: asyncpg.Pool) -> StationWorld:
    made = StationWorld(pool, NOW)
    await made.build()
    return made


async def test_the_life_of_an_alert(world: StationWorld) -> None:
    await world.drive(parked(3000))
    await world.fill_at("T1")
    (raised,) = await world.work(GATHERER)
    assert (raised.status, raised.severity, raised.vehicle, raised.plate) == (
        "suspected",
        "high",
        "V1",
        "苏F00001",
    )
    assert raised.measures["nearest_m"].value == 3000
    assert await world.work(GATHERER) == []
    assert await world.judge(GATHERER, ["T1"]) == []
    body = await world.evidence(RULE, "transaction:T1")
    evidence = frozen.parse(body)
    assert said(card_use.evaluate(evidence)) == raised.summary
    held = (await world.stored())[RULE, "transaction:T1"]
    assert catalogue.verify(body, outcome=held["outcome"], measures=held["measures"], sha256=raised.evidence_hash,
                         sm3=raised.evidence_sm3) == []  # fmt: skip
    assert len(evidence["track"]["t_us"]) == 33  # of 121: those in the window, and a stop before and after it

    made = feature_collection("a", 1, "ff", evidence)
    assert [f["properties"]["role"] for f in made["features"]] == ["track", "station", "circle"]
    assert made["facts"]["transaction"]["at"] == "2026-03-18T09:00:00+08:00"

    # The station is elsewhere: withdrawn; and back again.
    lat, lon = geo.from_local_plane(LAT, LON, [2900], [0])
    await world.station("S1", shapely.Point(lon[0], lat[0]))
    (gone,) = await world.work(GATHERER)
    assert (gone.status, gone.withdrawal_reason) == ("withdrawn", means("entered"))
    await world.station("S1", shapely.Point(LON, LAT))
    (again,) = await world.work(GATHERER)
    assert (again.status, again.version) == ("suspected", 3)
    # A reversal that names it; deleted again; the fill itself deleted.
    await world.fill_at("R1", AT + HOUR, kind="reversal", reverses="T1")
    (gone,) = await world.work(GATHERER)
    assert gone.withdrawal_reason == means("no_fill")
    await world.sql("DELETE FROM fuel_transactions WHERE id = 'R1'")
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.sql("DELETE FROM fuel_transactions WHERE id = 'T1'")
    (gone,) = await world.work(GATHERER)
    assert (gone.status, gone.withdrawal_reason, gone.version) == ("withdrawn", means("gone"), 6)


async def test_a_reversal_without_a_number_and_what_is_no_fill(world: StationWorld) -> None:
    await world.drive(parked(3000))
    await world.fill_at("T1", amount=30_000)
    await world.fill_at("U1", AT, kind="top_up")
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.fill_at("R1", AT + HOUR, kind="reversal", amount=-30_000)
    assert [a.withdrawal_reason for a in await world.work(GATHERER)] == [means("no_fill")]
    await world.sql("UPDATE fuel_transactions SET kind = 'other' WHERE id = 'R1'")
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    assert {subject for _, subject in await world.stored()} == {
        "transaction:T1"
    }  # nothing for what never was a fill


async def test_bindings_plates_and_vehicles(world: StationWorld) -> None:
    await world.drive(parked(3000))
    await world.fill_at("T1")
    await world.work(GATHERER)
    await world.sql("UPDATE card_bindings SET valid_to = $1", world.time(AT))  # the very moment: not bound
    assert [a.withdrawal_reason for a in await world.work(GATHERER)] == [means("not_bound")]
    await world.sql("INSERT INTO card_bindings VALUES ('C1', '苏F00002', $1, NULL)", world.time(AT))
    await world.drive(parked(10), vehicle=2)
    assert await world.work(GATHERER) == []
    assert await world.reason() == "entered"
    await world.sql("UPDATE vehicles SET disposed_on = $1 WHERE id = 'V2'", date(2026, 3, 18))
    assert await world.work(GATHERER) == []
    assert await world.reason() == "not_official"
    await world.sql("UPDATE vehicles SET plate = '苏F00009' WHERE id = 'V1'")
    await world.sql("UPDATE card_bindings SET plate = '苏F00009' WHERE valid_to IS NULL")
    (again,) = await world.work(GATHERER)
    assert (again.status, again.plate, again.vehicle) == ("suspected", "苏F00009", "V1")
    await world.sql("UPDATE vehicles SET plate = '苏F00008' WHERE id = 'V1'")
    assert [a.withdrawal_reason for a in await world.work(GATHERER)] == [means("not_official")]


async def test_stations_without_a_place_and_polygons_with_holes(world: StationWorld) -> None:
    await world.drive(parked(0))
    await world.station("S2", None)
    await world.fill_at("T1", station=None)
    await world.fill_at("T2", station="S2")
    square = shapely.box(LON - 0.01, LAT - 0.01, LON + 0.01, LAT + 0.01)
    hole = shapely.box(LON - 0.005, LAT - 0.005, LON + 0.005, LAT + 0.005)
    await world.station("S3", square)
    await world.fill_at("T3", station="S3")
    assert await world.work(GATHERER) == []
    assert [await world.reason(f"T{k}") for k in (1, 2, 3)] == [
        "station_unknown", "no_coordinates", "entered",
    ]  # fmt: skip
    await world.station("S3", shapely.MultiPolygon([square.difference(hole), shapely.box(0, 0, 1, 1)]))
    (raised,) = await world.work(GATHERER)
    assert (raised.status, raised.measures["nearest_m"].value) == (
        "suspected",
        473,
    )  # to the edge of the hole
    evidence = frozen.parse(await world.evidence(RULE, "transaction:T3"))
    assert [len(rings) for rings in evidence["station"]["polygons"]] == [2, 1]
    assert feature_collection("a", 1, "f", evidence)["features"][1]["geometry"]["type"] == "MultiPolygon"


async def test_late_positions_withdraw(world: StationWorld) -> None:
    """A hole in which it could have been there; a shorter one in which it could not; and what really was in it."""
    track = parked(6000)
    await world.drive([p for p in track if not -300 < p[0] < 300])
    await world.fill_at("T1")
    assert await world.work(GATHERER) == []
    assert await world.reason() == "gap"
    # 360 s are left: there and back it would be 348, but not with a stop of 60.
    await world.drive([p for p in track if 180 <= abs(p[0]) < 300])
    await world.late(AT - 240 * S)
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.drive([(-90, 3000, 0), (-30, 100, 0), (30, 100, 0), (90, 3000, 0)])
    await world.late(AT - 90 * S, vehicle=2)
    assert await world.work(GATHERER) == []
    await world.late(AT - 90 * S)
    assert [a.withdrawal_reason for a in await world.work(GATHERER)] == [means("entered")]


async def test_waiting_for_the_track(world: StationWorld) -> None:
    world.now_us = AT
    await world.fill_at("T1")
    assert await world.changes(GATHERER) == []
    assert world.later["T1"].due_us == AT + 15 * MIN
    await world.drive(parked(3000, end=840))
    world.now_us = AT + 16 * MIN
    assert await world.judge(GATHERER, ["T1"]) == []
    assert world.later["T1"].due_us == world.now_us + HOUR
    assert await world.reason() is None
    # The clock of what is processed stands still: nobody is judged.
    world.now_us, world.known_us = AT + 10 * HOUR, AT + 6 * HOUR
    assert await world.judge(GATHERER, ["T1"]) == []
    assert await world.reason() is None
    assert world.later["T1"].due_us > world.now_us
    world.known_us = AT + 6 * HOUR + 15 * MIN  # 60 s without a fix at the end: no gap
    (raised,) = await world.judge(GATHERER, ["T1"])
    assert raised.status == "suspected"
    assert isinstance(world.later["T1"], Later)  # its terminal has not said the last word
    await world.drive([(900, 10, 0), (2000, 10, 0)])
    (gone,) = await world.judge(GATHERER, ["T1"])
    assert gone.status == "withdrawn"
    assert world.later == {}


async def test_a_terminal_that_stays_silent(world: StationWorld) -> None:
    world.now_us = AT + 7 * HOUR
    await world.fill_at("T1")
    assert await world.work(GATHERER) == []
    assert await world.reason() == "no_track"
    assert set(world.later) == {"T1"}
    world.now_us = AT + 62 * DAY
    assert await world.judge(GATHERER, ["T1"]) == []
    assert world.later == {}  # no longer
    await world.drive(parked(3000))
    await world.late(AT - HOUR)
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    # A year later its track is gone; what was found stands.
    world.now_us = AT + 367 * DAY
    await world.sql("DELETE FROM positions")
    await world.parameter(RULE, "station_radius_m", 300)
    assert await world.work(GATHERER) == []
    assert await world.judge(GATHERER, ["T1"]) == []


@pytest.mark.parametrize("back_s", [-76 * 60, -30 * 3600])
async def test_a_jump_that_comes_first_accuses_nobody(world: StationWorld, back_s: int) -> None:
    """The first fix that is read around a fill is on the other half of the earth; the vehicle fills where it says."""
    if back_s < -86_400:  # what the worker knew of it when the day began
        half = np.zeros(1, STATE_DTYPE)
        lat, lon = geo.from_local_plane(LAT, LON, [500], [0])
        half["tip"]["prev_t"] = AT + back_s * S
        half["tip"]["prev_lat"], half["tip"]["prev_lon"] = round(lat[0] * 1e6), round(lon[0] * 1e6)
        async with world.pool.acquire() as conn:
            number = await world.pool.fetchval("SELECT no FROM vehicles WHERE id = 'V1'")
            day = np.array([china_day(AT)])
            await save_day_states(conn, np.array([number]), day, half, STATE_VERSION)
    await world.drive([(back_s, 500, 0), (-4490, 0, -8_000_000), *parked(100, start=-4480)])
    await world.fill_at("T1")
    assert await world.work(GATHERER) == []
    assert await world.reason() == "entered"


async def test_parameters(world: StationWorld) -> None:
    await world.drive(parked(250))
    await world.fill_at("T1")
    (raised,) = await world.work(GATHERER)
    assert "settle_after_h" not in raised.parameters
    await world.parameter(RULE, "station_radius_m", 251, AT - DAY)
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    assert (await world.stored())[RULE, "transaction:T1"]["parameters"]["station_radius_m"] == 251
    await world.parameter("mileage", "short_trip_m", 1)
    assert await world.changes(GATHERER) == []


async def test_the_order_of_keys_and_their_cuts_do_not_matter(world: StationWorld) -> None:
    rng = random.Random(5)
    ids = []
    for k in range(40):
        at = AT + k * 37 * MIN
        ids.append(f"T{k}")
        await world.fill_at(f"T{k}", at, kind=rng.choice(["fill", "fill", "fill", "top_up"]))
        base, every = rng.choice([0, 3000, 6000]), rng.choice([50, 90, 400])
        fixes = [(t, base + rng.random() * 99, 0.0) for t in range(-1000, 1001, every)]
        await world.drive(fixes, at=at)

    async def judged(batches: Iterable[Sequence[str]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        async with world.pool.acquire() as conn:
            for keys in batches:
                async with conn.transaction():
                    verdicts = await GATHERER.judge(await world.context(conn), keys)
                found |= {
                    j.subject: (j.outcome, j.reason, j.measures, j.evidence) for j in verdicts.judgements
                }
        return found

    whole = await judged([ids])
    assert len({outcome for outcome, *_ in whole.values()}) == 3
    rng.shuffle(ids)
    assert await judged([ids[k : k + 7] for k in range(0, 40, 7)]) == whole
    assert await judged([[key] for key in ids]) == whole
    assert await world.everything(GATHERER) == sorted(await world.everything(GATHERER))
