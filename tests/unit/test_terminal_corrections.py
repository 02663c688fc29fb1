"""What makes of terminals do otherwise than JT/T 808 says: told by a table, put right by columns where positions are read, and never
where they are stored."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from shapely.geometry import box

from registry.clock_corrections import ClockCorrection
from registry.datum_check import find
from runtime.arrays import Ints
from runtime.errors import ConfigurationError
from telemetry.archive.clock_lags import proposed_shift_s
from telemetry.archive.clocks import EVER, Piece, Stated, derive, pieces_of
from telemetry.archive.put_right import BY_THE_STANDARD, DATUMS, put_right
from telemetry.geo import Datum, distance_m, from_wgs84
from telemetry.jt808.tables.dialects import DIALECTS, Deviation, Dialect
from telemetry.positions import PositionBatch, fingerprint
from telemetry.quality import assess
from telemetry.terminals.devices import Device, OtherDeviceError, same_card
from telemetry.terminals.dialect_file import read_dialects

NO_DATA = np.iinfo(np.uint32).max


def right(
    batch: PositionBatch, datum: Datum = Datum.WGS84, odometer: int = 100, fuel: int = 100
) -> PositionBatch:
    n = len(batch)
    columns = (np.full(n, value, np.int64) for value in (DATUMS.index(datum), odometer, fuel))
    return put_right(batch, np.arange(n), *columns)


# --- coordinates


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_coordinates_of_another_datum_come_back_to_less_than_a_metre(datum: Datum) -> None:
    """Anywhere in China, as a terminal sends them: in whole 1e-6 degree."""
    rng = np.random.default_rng(8)
    lat, lon = rng.uniform(18, 53, 5_000), rng.uniform(74, 134, 5_000)
    sent_lat, sent_lon = from_wgs84(datum, lat, lon)
    sent = PositionBatch.build(
        5_000, lat_e6=np.rint(sent_lat * 1e6), lon_e6=np.rint(sent_lon * 1e6), status=3
    )
    assert distance_m(sent.lat_e6 / 1e6, sent.lon_e6 / 1e6, lat, lon).mean() > 300
    made = right(sent, datum)
    assert distance_m(made.lat_e6 / 1e6, made.lon_e6 / 1e6, lat, lon).max() < 0.2
    assert made.lat_e6.dtype == sent.lat_e6.dtype
    assert np.array_equal(assess(made), assess(sent))


def test_where_there_is_no_such_datum_nothing_moves() -> None:
    abroad = PositionBatch.build(3, lat_e6=[0, 48_858_000, -33_857_000], lon_e6=[0, 2_294_000, 151_215_000])
    for datum in DATUMS:
        made = right(abroad, datum)
        assert made.lat_e6.tolist() == abroad.lat_e6.tolist()
        assert made.lon_e6.tolist() == abroad.lon_e6.tolist()


# --- units


def test_units_of_odometer_and_fuel() -> None:
    batch = PositionBatch.build(
        5,
        odometer_dkm=[12_345, 0, NO_DATA, 7, 4_000_000_000],
        fuel_dl=[40, 0, 65_535, 6_000, 1],
        present=[3, 3, 3, 2, 3],
    )
    whole = right(batch, odometer=1000, fuel=1000)  # kilometres, litres
    assert whole.odometer_dkm.tolist() == [123_450, 0, NO_DATA, 7, 0]
    assert whole.has("odometer_dkm").tolist() == [True, True, True, False, False]  # too far: it cannot be
    assert whole.fuel_dl.tolist() == [400, 0, 65_535, 60_000, 10]
    metres = right(batch, odometer=1)
    assert metres.odometer_dkm.tolist()[:2] == [123, 0]
    assert metres.fuel_dl.tolist() == batch.fuel_dl.tolist()
    other = right(batch, odometer=0, fuel=0)  # the items are something else
    assert other.known("odometer_dkm").any() == other.known("fuel_dl").any() == False  # noqa: E712 - numpy
    assert right(batch) is batch


def test_a_number_is_rounded_to_the_nearest() -> None:
    rng = np.random.default_rng(3)
    given = rng.integers(0, 1 << 31, 1_000)
    batch = PositionBatch.build(1_000, odometer_dkm=given, present=1)
    for unit in (1, 10, 49, 50, 51, 99):
        made = right(batch, odometer=unit)
        assert (
            np.abs(made.odometer_dkm.astype(np.int64) * BY_THE_STANDARD - given * unit).max()
            <= BY_THE_STANDARD // 2
        )


# --- which correction holds

ASPECTS = {"shift_us": 0, "datum": Datum.WGS84, "odometer_unit_m": 100, "fuel_unit_ml": 100}


def random_stated(rng: Random, k: int) -> Stated:
    start = rng.randrange(25)
    return Stated(
        start, start + rng.randrange(1, 12), rng.choice([None, 0, 5, -7]), rng.random() < 0.2, rng.choice([None, *DATUMS]),
        rng.choice([None, 100, 1000]), rng.choice([None, 0]), f"c{k}", rng.random() < 0.6,
    )  # fmt: skip


def test_of_each_aspect_the_office_holds_before_the_table_and_the_latest_before_the_others() -> None:
    """Against the definition, moment by moment."""
    rng = Random(5)
    for _ in range(2_000):
        given = [random_stated(rng, k) for k in range(rng.randrange(6))]
        if len({(one.from_us, one.office) for one in given}) < len(
            given
        ):  # the database refuses two that begin together
            continue
        made = pieces_of(given)
        assert [piece.to_us for piece in made[:-1]] == [piece.from_us for piece in made[1:]]
        assert (made[0].from_us, made[-1].to_us) == EVER if made else not given
        for moment in range(-1, 40):
            piece = next(p for p in made or [Piece(*EVER, 0, False)] if p.from_us <= moment < p.to_us)
            here = [one for one in given if one.from_us <= moment < one.to_us]
            assert piece.doubted == any(one.doubt for one in here)
            used = set()
            for aspect, plain in ASPECTS.items():
                says = [one for one in here if not one.doubt and getattr(one, aspect) is not None]
                holds = max(says, key=lambda one: (one.office, one.from_us), default=None)
                assert getattr(piece, aspect) == (plain if holds is None else getattr(holds, aspect))
                used |= {holds.id} if holds else set()
            if not piece.doubted:
                assert set(piece.ids) >= used
        for one, other in pairwise(made):
            assert one != other or one.ids != other.ids or one.said != other.said


def test_rows_are_read_by_the_piece_of_their_own_receipt_and_what_was_received_stays() -> None:
    s = 1_000_000
    t0 = 1_772_400_000 * s
    rows = PositionBatch.build(
        4, terminal=[7, 7, 7, 8], received_us=[t0, t0 + 10 * s, t0 + 20 * s, t0 + 10 * s], device_us=t0, lat_e6=32_000_000,
        lon_e6=120_900_000, odometer_dkm=50, present=1, status=3,
    )  # fmt: skip
    before = rows.columns() | {"fingerprint": fingerprint(rows)}
    stated = [
        Stated(t0 + 10 * s, t0 + 20 * s, None, False, Datum.GCJ02, id="a"),
        Stated(t0 + 10 * s, EVER[1], 5 * s, odometer_unit_m=1000, id="b", office=False),
    ]
    made, quality = derive(rows, assess(rows), {7: pieces_of(stated)})
    assert (made.lat_e6 != rows.lat_e6).tolist() == [False, True, False, False]
    assert made.odometer_dkm.tolist() == [50, 500, 500, 50]
    assert (made.device_us - rows.device_us).tolist() == [0, 5 * s, 5 * s, 0]
    assert not quality.any()
    assert all(np.array_equal(before[name], after) for name, after in rows.columns().items())
    assert np.array_equal(before["fingerprint"], fingerprint(rows))


def test_a_correction_says_something() -> None:
    given = {"id": "c", "terminal": "13800000001", "valid_from": "2026-03-02T00:00:00+08:00"}
    with pytest.raises(ValueError, match="须写明"):
        ClockCorrection.model_validate(given)
    row = ClockCorrection.model_validate(
        given | {"shift_s": "", "datum": " GCJ-02 ", "odometer_unit_m": "1000"}
    )
    assert (row.shift_s, row.datum, row.odometer_unit_m, row.fuel_unit_ml) == (None, "gcj02", 1000, None)
    for wrong in ({"datum": "mars"}, {"odometer_unit_m": -1}, {"fuel_unit_ml": 10**6}, {"shift_s": 10**10}):
        with pytest.raises(ValueError, match="validation error"):
            ClockCorrection.model_validate(given | wrong)


@pytest.mark.parametrize(
    ("lag_s", "shift_s", "proposed"),
    [(28_801, 0, 28_800), (-28_799, 28_800, 0), (1_234, 0, 1_234), (3_600, 28_800, 32_400), (1024 * 7 * 86_400 + 7, 0, 1024 * 7 * 86_400)],
)  # fmt: skip
def test_what_a_lag_proposes(lag_s: int, shift_s: int, proposed: int) -> None:
    assert proposed_shift_s(lag_s, shift_s) == proposed


# --- the table of dialects

FILE = """
[[dialect]]
label = "某厂 X1 早期固件"
manufacturers = ["70111"]
models = ["X1"]
shift_s = 28800
datum = "gcj02"

[[dialect]]
label = "70111 其他"
manufacturers = ["70111", "70112"]
odometer_unit_m = 1000
fuel_unit_ml = 0
"""


def test_the_office_has_a_table_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "dialects.toml"
    path.write_text(FILE, "utf-8")
    first, second, *rest = read_dialects(path)
    assert tuple(rest) == DIALECTS
    assert first.deviation == Deviation(28_800, "gcj02")
    assert second.deviation == Deviation(odometer_unit_m=1000, fuel_unit_ml=0)
    assert first.is_surely_of("70111", "X1-B")
    assert not first.is_surely_of("70111", "")  # nobody is corrected by a guess,
    assert not first.is_surely_of("", "X1")
    assert first.is_of("", "X1")  # though a frame may be explained by one
    assert second.is_surely_of("70112", "")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[[dialect]\n", "Expected"),
        ('[[dialect]]\nlabel = "a"\nshift_s = 1\n', "厂家或型号"),
        ('[[dialect]]\nlabel = "a"\nmodels = ["X"]\n', "没有写明"),
        ('[[dialect]]\nlabel = "a"\nmodels = ["X"]\ndatum = "mars"\n', "dialect.0.datum"),
        ('[[dialect]]\nlabel = "a"\nmodels = ["X"]\nshift_h = 8\n', "shift_h"),
        ('[[dialect]]\nlabel = "a"\nmodels = ["X"]\nshift_s = "8h"\n', "shift_s"),
        ('[[dialect]]\nlabel = ""\nmodels = ["X"]\nshift_s = 1\n', "label"),
        ('[[dialect]]\nlabel = "a"\nmodels = [""]\nshift_s = 1\n', "models"),
        ('[[dialect]]\nlabel = "a"\nmodels = ["X"]\nshift_s = 1\n' * 2, "名称重复"),
        ('[[dialects]]\nlabel = "a"\n', "dialects"),
        ("# " + "x" * (1 << 20), "MiB"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "dialects.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=word):
        read_dialects(path)


def test_a_table_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_dialects(tmp_path / "none.toml")
    (tmp_path / "gbk.toml").write_bytes(FILE.encode("gbk"))
    with pytest.raises(ConfigurationError, match="utf-8"):
        read_dialects(tmp_path / "gbk.toml")


def test_the_table_of_the_program_corrects_nobody() -> None:
    """It explains items; a deviation in it would judge vehicles anew at an update."""
    assert all(isinstance(one, Dialect) and one.deviation.nothing for one in DIALECTS)


# --- the allow list


@pytest.mark.parametrize(
    ("named", "device", "edition", "admitted"),
    [
        ("", Device("860000000000001", "", True), 2019, True),  # nothing is named: any
        ("860000000000001", Device("860000000000001", "", True), 2019, True),
        ("860000000000001", Device("86-000000-000000-1", "", True), None, True),
        ("860000000000001", Device("860000000000002", "", True), 2019, False),
        ("860000000000001", Device("", "", True), 2019, False),  # its edition has a field for it
        ("860000000000001", Device("", "", False), 2013, True),  # 2011 and 2013 have none
        ("860000000000001", Device("", "", False), None, True),
        ("860000000000001", Device("", "", False), 2019, False),  # it registered by 2019, and hides it now
    ],
)
def test_only_the_device_that_the_office_named(
    named: str, device: Device, edition: int | None, admitted: bool
) -> None:
    if admitted:
        device.check(named, edition)
        return
    with pytest.raises(OtherDeviceError):
        device.check(named, edition)


def test_cards() -> None:
    assert same_card("89860012345678901234", "8986 0012 3456 7890 1234")
    assert same_card("8986001234567890123", "89860012345678901234")  # without its check digit
    assert same_card("8986001234567890123", "8986001234567890123F")
    assert not same_card("89860012345678901234", "89860012345678901299")
    assert not same_card("89860012345678901234", "")


# --- whether a terminal sends GCJ-02, by where its car stands at night

AREA = box(120.899, 31.999, 120.901, 32.001)


def places(datum: Datum, count: int, *, east_m: float = 0, seed: int = 1) -> tuple[Ints, Ints]:
    """Where a car of the yard stands, some metres from night to night, as a terminal of ``datum`` says."""
    rng = np.random.default_rng(seed)
    lat = 32.0 + rng.uniform(-0.0003, 0.0003, count)
    lon = 120.9 + rng.uniform(-0.0003, 0.0003, count) + east_m / 94_400
    lat, lon = from_wgs84(datum, lat, lon)
    return np.rint(lat * 1e6).astype(np.int64), np.rint(lon * 1e6).astype(np.int64)


@pytest.mark.parametrize(
    ("sent", "nights", "east_m", "others", "verdict"),
    [
        (Datum.WGS84, 20, 0, 0, "right"),
        (Datum.GCJ02, 20, 0, 9, "gcj02"),
        (Datum.BD09, 20, 0, 9, "bd09"),
        (Datum.GCJ02, 20, 0, 2, "fence_unproved"),  # the fence may be the one that is wrong
        (Datum.GCJ02, 4, 0, 9, "few_nights"),
        (Datum.WGS84, 20, 450, 9, "unclear"),  # it stands in the street beside its yard
        (Datum.WGS84, 20, 5_000, 9, "unclear"),  # or at somebody's home
        (Datum.GCJ02, 20, 5_000, 9, "unclear"),
    ],
)
def test_what_the_nights_of_a_car_say(
    sent: Datum, nights: int, east_m: float, others: int, verdict: str
) -> None:
    assert find(AREA, *places(sent, nights, east_m=east_m), others).verdict == verdict


def test_a_car_that_is_in_its_yard_now_and_then_proves_nothing() -> None:
    gcj, right = places(Datum.GCJ02, 17), places(Datum.WGS84, 3)
    lat, lon = (np.concatenate(pair) for pair in zip(gcj, right, strict=True))
    assert find(AREA, lat, lon, 9).verdict == "unclear"
