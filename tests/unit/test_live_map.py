"""The live map without HTTP: what is newest, what a reach sees of it, and the frames, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from api.live.frames import Flag, Kind, Rows, changed_part, frame, full_part
from api.live.groups import KEPT, MOST_BYTES, WIDE_STEP, Group, Window
from api.live.scopes import Sight, View
from registry.roster import Roster
from registry.snapshot.timelines import FOREVER
from telemetry.live.feed import LastFixes, LiveFeed
from telemetry.live.newest import NEVER, NewestFixes
from telemetry.log.base import Opened, StoredRecord
from telemetry.positions import PositionBatch, Source
from telemetry.quality import assess
from tests.live_frames import Map, split
from tests.waiting import until

VECTORS: Final = Path(__file__).parents[1] / "vectors" / "live_frames.json"
T0: Final = 1_780_000_000
US: Final = 1_000_000


def reports(*rows: dict[str, Any]) -> PositionBatch:
    """A batch of reports that are valid where nothing else is said; ``at``: seconds after T0."""
    whole = [
        {"terminal": 1, "at": 0, "lat_e6": 32_000_000, "lon_e6": 120_900_000, "status": 3} | row
        for row in rows
    ]
    columns: dict[str, Any] = {
        name: [row.get(name, 0) for row in whole] for name in set().union(*whole) - {"at"}
    }
    times = np.array([(T0 + row["at"]) * US for row in whole], np.int64)
    return PositionBatch.build(len(whole), device_us=times, **{"received_us": times} | columns)


def applied(newest: NewestFixes, *rows: dict[str, Any]) -> None:
    batch = reports(*rows)
    newest.apply(batch, assess(batch))


# --- what is newest ---------------------------------------------------------------------------------------------------


def test_the_newest_valid_position_counts_whatever_order_they_come_in() -> None:
    newest = NewestFixes()
    applied(
        newest,
        {"at": 5, "lat_e6": 32_000_005, "speed_dkmh": 50},
        {"at": 9, "lat_e6": 32_000_009, "speed_dkmh": 90, "direction_deg": 270},
        {"at": 7, "lat_e6": 32_000_007},
        {"terminal": 2, "at": 1},
    )
    one, two, none = newest.slots(np.array([1, 2, 3]))
    assert newest.fix_us[one] == (T0 + 9) * US
    assert (newest.lat_e6[one], newest.speed_dkmh[one], newest.direction_deg[one]) == (32_000_009, 90, 270)
    assert newest.fix_us[two] == (T0 + 1) * US
    assert newest.fix_us[none] == NEVER
    # What comes late is no news; what is not valid says so and moves nothing.
    applied(newest, {"at": 8, "lat_e6": 31_000_000, "source": Source.BLIND_ZONE, "alarm": 1})
    assert (newest.lat_e6[one], newest.located[one], newest.alarm[one]) == (32_000_009, True, False)
    applied(newest, {"at": 10, "lat_e6": 0, "lon_e6": 0, "status": 0, "alarm": 1})
    assert (newest.lat_e6[one], newest.located[one], newest.alarm[one]) == (32_000_009, False, True)
    assert newest.acc[one] == 1
    # A clock that is far ahead does not hold up what follows.
    applied(newest, {"at": 100_000, "received_us": (T0 + 11) * US, "lat_e6": 31_000_000})
    applied(newest, {"at": 12, "lat_e6": 32_000_012})
    assert (newest.lat_e6[one], newest.located[one], newest.acc[one]) == (32_000_012, True, 2)


def test_terminals_keep_their_slots_and_numbers_do_not_fill_the_memory() -> None:
    newest = NewestFixes()
    applied(newest, {"terminal": 2**31 - 1, "lat_e6": 31_500_000})
    (far,) = newest.slots(np.array([2**31 - 1]))
    many = np.arange(3_000) * 7
    slots = newest.slots(many)
    assert len(set(slots.tolist())) == 3_000
    assert newest.slots(np.array([2**31 - 1])) == far
    assert newest.lat_e6[far] == 31_500_000
    assert (newest.slots(many[::-1]) == slots[::-1]).all()
    assert len(newest.fix_us) < 10_000


class Hanging:
    """A log that can be read once, and then does not answer."""

    def __init__(self) -> None:
        self.reads = 0

    async def open(self) -> Opened:
        return Opened("hanging", {0: 0})

    async def seek(self, places: Mapping[int, int]) -> None:
        assert places == {0: 0}

    async def read(self, max_bytes: int) -> Sequence[StoredRecord]:
        self.reads += 1
        if self.reads > 1:
            await asyncio.Event().wait()
        return []

    async def check(self) -> None: ...

    async def close(self) -> None: ...


async def test_a_log_that_does_not_answer_is_stale_while_it_is_waited_for() -> None:
    tail = Hanging()
    feed = LiveFeed(tail, every_s=0.01, late_s=0.5)
    assert feed.stale
    task = asyncio.create_task(feed.run())
    await until(lambda: not feed.stale, "it is read")
    await until(lambda: tail.reads == 2, "it is read again")
    await until(lambda: feed.stale, "it does not come back")
    assert not feed.behind
    task.cancel()
    await asyncio.wait({task})
    assert feed.behind


# --- what a reach sees ------------------------------------------------------------------------------------------------


def roster(*bindings: tuple[int, int, int, int], vehicles: int = 3) -> Roster:
    """Vehicles 0, 1, ... with the numbers 10, 11, ...; bindings (vehicle, terminal, from, to in s after T0)."""
    columns = np.array(bindings, np.int64).reshape(-1, 4)
    until = np.where(columns[:, 3] < 0, FOREVER, (T0 + columns[:, 3]) * US)
    return Roster(
        np.arange(vehicles) + 10, [f"car-{k}" for k in range(vehicles)], [f"苏F{k:05d}" for k in range(vehicles)],
        ["city"] * vehicles, columns[:, 0], columns[:, 1], (T0 + columns[:, 2]) * US, until, "print",
    )  # fmt: skip


def test_a_position_is_the_vehicles_while_its_terminal_sits_in_it() -> None:
    feed = LiveFeed()
    # Terminal 1 went from vehicle 0 to vehicle 1 at 100; vehicle 2 has two of them.
    # In any order: the database has them by the numbers of vehicles, the roster has these by their ids.
    sight = Sight(roster((2, 2, 0, -1), (1, 1, 100, -1), (0, 1, 0, 100), (2, 3, 0, -1)))
    feed.fixes = LastFixes(
        np.array([10, 11]), np.array([(T0 + 20) * US, (T0 + 30) * US]), np.array([1, 2]), np.array([3, 4])
    )
    view = sight.view(feed)
    assert view.known.tolist() == [True, True, False]
    assert view.flags[:2].tolist() == [Flag.STORED, Flag.STORED]
    assert (view.lat_e6[:2].tolist(), view.fix_s[:2].tolist()) == ([1, 2], [T0 + 20, T0 + 30])
    applied(feed.newest, {"terminal": 1, "at": 99, "lat_e6": 32_000_099})
    view = sight.view(feed)
    assert (view.lat_e6[0], view.fix_s[0]) == (32_000_099, T0 + 99)
    assert (view.lat_e6[1], view.flags[1]) == (2, Flag.STORED)
    applied(
        feed.newest, {"terminal": 1, "at": 100, "lat_e6": 32_000_100, "speed_dkmh": 504, "direction_deg": 359}
    )
    applied(feed.newest, {"terminal": 3, "at": 50, "lat_e6": 32_000_003}, {"terminal": 2, "at": 40})
    view = sight.view(feed)
    assert (view.lat_e6[1], view.speed[1], view.direction[1]) == (32_000_100, 50, 179)
    assert view.flags[1] == Flag.ACC_KNOWN | Flag.ACC_ON | Flag.LOCATED
    assert (view.lat_e6[2], view.fix_s[2]) == (32_000_003, T0 + 50)


def test_an_epoch_is_that_of_what_is_seen() -> None:
    one = Sight(roster((0, 1, 0, -1)))
    assert one.epoch == Sight(roster((0, 2, 0, -1))).epoch
    assert one.epoch != Sight(roster(vehicles=4)).epoch
    assert 0 <= one.epoch < 2**48


# --- frames -----------------------------------------------------------------------------------------------------------


def seen(n: int, **columns: Any) -> View:
    base = {
        "known": np.ones(n, np.bool_), "lon_e6": np.full(n, 120_900_000), "lat_e6": np.full(n, 32_000_000), "fix_s": np.full(n, T0),
        "speed": np.full(n, 36, np.uint8), "direction": np.full(n, 45, np.uint8), "flags": np.full(n, 7, np.uint8),
    }  # fmt: skip
    return View(**base | columns)


def _told(group: Group, view: View, second: int, reader: Map, epoch: int = 5) -> None:
    group.advance(view, (T0 + second) * 1000, epoch, stale=False)
    frames, rest = split(b"".join(group.since(reader.seq)))
    assert rest == b""
    for each in frames:
        reader.take(each)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([None, Window(120_880_000, 31_980_000, 120_910_000, 32_010_000)]),
)
def test_a_reader_has_what_there_is_to_a_pixel(seed: int, window: Window | None) -> None:
    """Whatever moves, appears, disappears and jumps: a reader of all frames, and one who comes later, have the same, and it is where
    the vehicles are to a step, and as old as they are but for ``quiet_s``."""
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 40))
    group, reader = Group(window), Map()
    lon, lat = random.integers(120_850_000, 120_950_000, n), random.integers(31_950_000, 32_050_000, n)
    fix, known = np.full(n, T0), random.random(n) < 0.8
    for second in range(12):
        moves = random.random(n) < 0.5
        far = random.choice([20, 300, 50_000, 20_000_000], n) if second % 4 == 3 else 150
        lon = np.clip(lon + moves * random.integers(-far, np.asarray(far) + 1, n), -180_000_000, 180_000_000)
        lat = np.clip(lat + moves * random.integers(-far, np.asarray(far) + 1, n), -90_000_000, 90_000_000)
        fix = np.where(
            random.random(n) < 0.7, T0 + second - random.integers(0, 100_000 if second == 5 else 3, n), fix
        )
        known ^= random.random(n) < 0.05
        view = seen(
            n, known=known.copy(), lon_e6=lon, lat_e6=lat, fix_s=fix, speed=random.integers(0, 256, n).astype(np.uint8),
            direction=random.integers(0, 256, n).astype(np.uint8), flags=random.integers(0, 16, n).astype(np.uint8),
        )  # fmt: skip
        _told(group, view, second, reader)
        late = Map()
        for each in split(group.snapshot())[0]:
            late.take(each)
        assert late.table() == reader.table()
        shown = known if window is None else known & window.holds(view)
        assert sorted(reader.vehicles) == np.flatnonzero(shown).tolist()
        for k, vehicle in reader.vehicles.items():
            assert abs(vehicle.lon * reader.step - lon[k]) <= reader.step
            assert abs(vehicle.lat * reader.step - lat[k]) <= reader.step
            assert 0 <= fix[k] - vehicle.fix_s < 10
            assert vehicle.flags == view.flags[k]
    assert reader.snapshots == 1
    assert reader.step == (WIDE_STEP if window is None else 20)


def test_a_window_shows_each_fix_of_what_is_in_it() -> None:
    window = Window(120_899_000, 31_999_000, 120_901_000, 32_001_000)
    group, reader = Group(window), Map()
    assert window.step == 2
    for second in range(4):
        _told(
            group,
            seen(2, fix_s=np.array([T0 + second, T0]), lon_e6=np.array([120_900_000, 121_000_000])),
            second,
            reader,
        )
        assert {k: v.fix_s for k, v in reader.vehicles.items()} == {0: T0 + second}
    _told(group, seen(2, lon_e6=np.array([121_000_000, 120_900_000])), 5, reader)
    assert list(reader.vehicles) == [1]


def test_nothing_new_is_a_heartbeat_and_noise_is_nothing_new() -> None:
    group, reader = Group(), Map()
    _told(group, seen(3), 0, reader)
    for second in range(1, 9):
        at = 120_900_099 + (second % 2) * 3  # at the edge of a step
        made = group.advance(
            seen(3, lon_e6=np.full(3, at), fix_s=np.full(3, T0 + second)),
            (T0 + second) * 1000,
            5,
            stale=False,
        )
        (each,) = split(made)[0]
        assert (each.kind, each.seq, each.body) == (Kind.HEARTBEAT, reader.seq + second, b"")  # type: ignore[operator]
    # The age is told all the same.
    made = group.advance(seen(3, fix_s=np.full(3, T0 + 10)), (T0 + 10) * 1000, 5, stale=True)
    (each,) = split(made)[0]
    assert (each.kind, each.changed, each.stale) == (Kind.DELTA, 3, True)


def test_who_is_behind_gets_a_snapshot_and_so_does_everybody_when_the_roster_changes() -> None:
    group, slow, quick = Group(), Map(), Map()
    _told(group, seen(2), 0, slow)
    _told(group, seen(2), 1, quick)
    for second in range(2, 2 + KEPT):
        _told(group, seen(2, lat_e6=np.full(2, 32_000_000 + 300 * second)), second, quick)
    assert (quick.snapshots, slow.snapshots) == (1, 1)
    _told(group, seen(2), 60, slow)
    assert slow.snapshots == 2
    assert group.since(slow.seq) == []
    assert len(group.since(None)) == 1
    _told(group, seen(5), 61, slow, epoch=6)
    assert (slow.snapshots, slow.epoch, len(slow.vehicles)) == (3, 6, 5)


def test_a_frame_is_bounded_however_many_move() -> None:
    random = np.random.default_rng(1)
    n = 29_000
    group = Group()
    lon, lat = random.integers(120_000_000, 121_500_000, n), random.integers(31_500_000, 32_500_000, n)
    course = random.uniform(0, 2 * np.pi, n)
    sizes = []
    for second in range(24):
        lon = lon + (200 * np.sin(course) + random.normal(0, 20, n)).astype(np.int64)
        lat = lat + (180 * np.cos(course) + random.normal(0, 20, n)).astype(np.int64)
        view = seen(
            n, lon_e6=lon, lat_e6=lat, fix_s=np.full(n, T0 + second), speed=random.integers(40, 90, n).astype(np.uint8),
            direction=((course * 90 / np.pi).astype(np.int64) + random.integers(-3, 4, n)) .astype(np.uint8),
        )  # fmt: skip
        sizes.append(len(group.advance(view, (T0 + second) * 1000, 5, stale=False)))
    assert np.mean(sizes[-8:]) < MOST_BYTES


# --- byte for byte ----------------------------------------------------------------------------------------------------


def golden() -> list[tuple[str, bytes]]:
    """Frames of a short stream, by the functions that the program uses. Their bodies are too short to be deflated, so they are the
    same with every zlib; deflated ones are decoded only."""
    group, made = Group(), []

    def add(
        name: str,
        second: int,
        epoch: int = 281_474_976_710_655,
        *,
        stale: bool = False,
        n: int = 3,
        **columns: Any,
    ) -> None:
        made.append((name, group.advance(seen(n, **columns), (T0 + second) * 1000 + 250, epoch, stale=stale)))

    lon, lat = (
        np.array([120_900_000, -73_500_000, 120_900_400]),
        np.array([32_000_000, -33_400_000, 32_000_000]),
    )
    unknown: dict[str, Any] = {
        "speed": np.array([36, 255, 0], np.uint8),
        "direction": np.array([45, 255, 179], np.uint8),
    }
    flags = np.array([7, 16, 5], np.uint8)
    add(
        "snapshot: three vehicles, one of the database, west and south",
        0,
        lon_e6=lon,
        lat_e6=lat,
        flags=flags,
        **unknown,
    )
    lon, lat = lon + np.array([-400, 0, 60_000]), lat + np.array([200, 0, 0])
    moved: dict[str, Any] = {
        "fix_s": np.array([T0 + 1, T0, T0 + 2]),
        "speed": np.array([30, 255, 1], np.uint8),
    }
    moved["direction"] = np.array([46, 255, 0], np.uint8)
    add("delta: two have changed", 1, lon_e6=lon, lat_e6=lat, flags=flags, **moved)
    add("heartbeat", 2, lon_e6=lon, lat_e6=lat, flags=flags, **moved)
    flags = np.array([15, 16, 5], np.uint8)
    add("delta, stale: an alarm", 3, stale=True, lon_e6=lon, lat_e6=lat, flags=flags, **moved)
    moved["fix_s"] = np.array([T0 + 4, T0, T0 + 4])
    add(
        "delta: one is gone, one is far away (a full row)", 4, lon_e6=lon + np.array([20_000_000, 0, 0]), lat_e6=lat, flags=flags,
        known=np.array([True, True, False]), **moved,
    )  # fmt: skip
    add("snapshot: another roster", 5, 1, n=2)
    made.append(("end", frame(Kind.END, 0, now_ms=(T0 + 6) * 1000, epoch=0, body=b'{"reason": "stopping"}')))
    return made


def test_the_frames_are_those_of_the_vectors_byte_for_byte() -> None:
    """tests/vectors/live_frames.json: for other decoders as well. After each frame ``vehicles`` is what a reader knows."""
    stored = json.loads(VECTORS.read_text("utf-8"))
    made = golden()
    assert [(each["name"], each["hex"]) for each in stored["frames"]] == [
        (name, data.hex()) for name, data in made
    ]
    reader = Map()
    for each in stored["frames"] + stored["deflated"]:
        (read,), rest = split(bytes.fromhex(each["hex"]))
        assert rest == b""
        reader.take(read)
        assert reader.table() == each["vehicles"], each["name"]
        assert {name: getattr(read, name) for name in each["header"]} == each["header"]


def test_a_long_body_is_deflated_and_says_so() -> None:
    n = 100
    rows = Rows(
        np.arange(n), *(np.zeros(n, np.int64) for _ in range(3)), *(np.zeros(n, np.uint8) for _ in range(3))
    )
    data = frame(Kind.SNAPSHOT, 1, now_ms=1, epoch=1, vehicles=n, full=n, body=full_part(rows))
    assert len(data) < 48 + 19 * n
    (read,) = split(data)[0]
    assert len(read.body) == 19 * n
    assert changed_part(rows.take(np.zeros(0, np.int64)), rows, n, 0) == b""
