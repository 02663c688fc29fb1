"""The base map: what comes out of an OSM file, tile by tile; what files that are none come to; and that the map before stays until a new one
is whole."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from api.basemap.held import DamagedMapError, HeldMap
from gongche.cli import main
from office.basemap import classes
from office.basemap.prepare import OSM_CREDIT, prepare
from office.basemap.reading import WORLD, to_degrees, to_units
from office.basemap.tile_file import DEMO, About, TileFile, path_of
from office.basemap.vector_tile import Kind, layer
from simulation.city.demo_map import prepare_demo_base_map
from tests.osm_files import LAT, LON, OsmFile, town
from tests.vector_tiles import Feature, layers
from tests.waiting import wait_until


def quiet(_line: str) -> None:
    """Nobody listens."""


def tile_at(path: Path, zoom: int, x: float, y: float) -> dict[str, list[Feature]]:
    """The tile of a zoom at a place, degrees from the middle of the town."""
    return layers(gzip.decompress(raw_at(path, zoom, x, y) or gzip.compress(b"")))


def raw_at(path: Path, zoom: int, x: float, y: float) -> bytes | None:
    column, row = number(zoom, x, y)
    file = TileFile(path)
    try:
        return file.tile(zoom, column, row)
    finally:
        file.close()


def number(zoom: int, x: float, y: float) -> tuple[int, int]:
    (place,) = to_units(np.array([[LON + x, LAT + y]])) // (WORLD >> zoom)
    return int(place[0]), int(place[1])


def classes_of(found: dict[str, list[Feature]], name: str) -> set[Any]:
    return {feature.tags["class"] for feature in found.get(name, [])}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, About]:
    folder = tmp_path_factory.mktemp("town")
    about = prepare(folder, town().write(folder / "town.osm.pbf"), quiet)
    return path_of(folder), about


def test_what_a_file_has_is_in_the_tiles(made: tuple[Path, About]) -> None:
    path, about = made
    assert (about.attribution, about.map_date, about.source) == (
        OSM_CREDIT,
        "2026-03-02T00:00:00Z",
        "town.osm.pbf",
    )
    assert about.bounds == pytest.approx((LON - 0.3, LAT - 0.02, LON + 0.3, LAT + 0.2), abs=1e-6)
    near = tile_at(path, 14, 0.001, 0.001)
    street = next(one for one in near["road"] if one.tags["class"] == "primary" and "link" not in one.tags)
    assert street.tags == {"class": "primary", "name": "人民路", "name_en": "Renmin Road", "ref": "G15"}
    # Both pieces are one line, with no vertex but its ends.
    assert [len(line) for line in street.paths] == [2]
    lane = next(one for one in near["road"] if one.tags["class"] == "minor")
    assert lane.tags["name"] == "<b>小巷</b>"  # text stays text, and what cannot be seen is left out
    assert {"primary", "minor", "path", "rail"} <= classes_of(near, "road")
    assert [one.tags["name"] for one in near["water"] if one.kind == 2] == ["通吕运河"]
    assert {one.tags["name"] for one in near["place"]} == {"南通市", "小村"}
    assert {one.tags["name"] for one in near["place"] if one.tags["rank"] < 30} == {"南通市"}
    assert classes_of(tile_at(path, 14, -0.008, -0.006), "land") == {"park"}
    assert classes_of(tile_at(path, 14, -0.008, -0.006), "label") == {"park"}
    buildings = tile_at(path, 14, 0.006, -0.004)["building"]
    assert len(buildings) == 1
    # From afar the motorway and the city are left.
    far = tile_at(path, 5, 0, 0)
    assert classes_of(far, "road") == {"motorway"}
    assert far["road"][0].tags == {"class": "motorway", "ref": "G40", "tunnel": 1}
    assert classes_of(far, "place") == {"city"}
    assert set(far) == {"road", "place"}
    assert classes_of(tile_at(path, 8, 0, 0), "road") == {"motorway", "primary", "rail"}


def test_borders_are_those_of_units_and_never_of_a_country(made: tuple[Path, About]) -> None:
    path, _ = made
    # One way bounds a city and a county: it is drawn once, as that of the city. What bounds a country is not drawn.
    found = tile_at(path, 12, -0.03, 0)["boundary"]
    assert [one.tags for one in found] == [{"class": "border", "level": 5}]
    xs = {x for line in found[0].paths for x, _ in line}
    assert len(xs) == 1
    assert "boundary" not in tile_at(path, 14, 0.02, 0.02)


def test_places_are_where_the_file_has_them(made: tuple[Path, About]) -> None:
    path, _ = made
    x, y = number(14, 0.008, 0.012)
    found = tile_at(path, 14, 0.008, 0.012)
    (lake,) = [one for one in found["water"] if one.kind == 3]
    assert lake.tags == {"class": "water", "name": "明湖"}
    outer, inner = lake.paths
    assert doubled(outer) > 0 > doubled(inner)  # as the format turns them
    unit = WORLD >> 14
    corners = {
        tuple(
            np.rint(
                to_units(np.array([[LON + 0.008 + dx, LAT + 0.012 + dy]]))[0] - (x * unit, y * unit)
            ).astype(int)
        )
        for dx in (-0.001, 0.001)
        for dy in (-0.001, 0.001)
    }
    assert set(inner) == corners


def doubled(ring: list[tuple[int, int]]) -> int:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1], strict=True))


def test_the_same_file_makes_the_same_map(made: tuple[Path, About], tmp_path: Path) -> None:
    path, about = made
    again = prepare(tmp_path, town().write(tmp_path / "town.osm.pbf"), quiet)
    assert again.version == about.version
    assert path_of(tmp_path).stat().st_size == path.stat().st_size
    other = town()
    other.way((0, 0), (0.001, 0.001), highway="service")
    assert prepare(tmp_path, other.write(tmp_path / "other.osm.pbf"), quiet).version != about.version


def test_other_programs_can_read_it(made: tuple[Path, About]) -> None:
    db = sqlite3.connect(made[0])
    told = dict(db.execute("SELECT name, value FROM metadata"))
    assert (told["format"], told["minzoom"], told["maxzoom"]) == ("pbf", "5", "14")
    zooms = {zoom for (zoom,) in db.execute("SELECT DISTINCT zoom_level FROM tiles")}
    assert zooms == set(range(5, 15))
    db.close()


def test_the_sea_lies_on_the_right_of_the_coast(tmp_path: Path) -> None:
    """Northwards in two ways, and an island off it; at every zoom, and nowhere inland."""
    source = town()
    source.way((0.025, -0.15), (0.025, 0), natural="coastline")
    source.way((0.025, 0), (0.025, 0.15), natural="coastline")
    corners = [(0.1, 0.05), (0.18, 0.05), (0.18, 0.13), (0.1, 0.13), (0.1, 0.05)]
    source.way(*corners, natural="coastline")
    prepare(tmp_path, source.write(tmp_path / "coast.osm.pbf"), quiet)

    def sea(zoom: int, x: float, y: float) -> list[Feature]:
        return [
            one for one in tile_at(path_of(tmp_path), zoom, x, y).get("water", []) if one.tags["class"] == "sea"
        ]  # fmt: skip

    for zoom in (5, 8, 11):
        assert sea(zoom, 0.05, 0.05), zoom
    assert sea(14, 0.23, 0.1)[0].kind == 3
    assert sea(14, 0.14, 0.09) == []  # the island
    assert sea(14, -0.2, 0.1) == []  # inland


def test_only_what_lies_within_bounds(tmp_path: Path) -> None:
    source = town().write(tmp_path / "town.osm.pbf")
    prepare(tmp_path, source, quiet, bounds=(LON - 0.01, LAT - 0.01, LON + 0.01, LAT + 0.01))
    assert raw_at(path_of(tmp_path), 14, 0, 0)
    assert raw_at(path_of(tmp_path), 14, 0.2, 0.2) is None


@pytest.mark.parametrize("zoom_units", [1, 7])
def test_coding_is_undone_by_reading(zoom_units: int) -> None:
    chance = np.random.default_rng(5)
    lines = [shapely.LineString(chance.uniform(-64, 4160, (n, 2)) * zoom_units) for n in (2, 3, 500, 2)]
    lines[3] = shapely.MultiLineString([[(0, 0), (300, 70_000)], [(5.4, 5.4), (5.3, 5.45), (9, 9)]])
    shrunk = shapely.LineString([(1, 1), (1.2, 1.1)])
    shapes = np.array([*lines[:2], shrunk, *lines[2:]], object)
    tags = [(("k", k), ("name", "路" * 200)) for k in range(len(shapes))]
    found = layers(layer("road", [(Kind.LINE, shapes, tags)]))["road"]
    assert [one.tags["k"] for one in found] == [0, 1, 3, 4]  # nothing is left of the short one
    for one, line in zip(found, lines, strict=True):
        parts = shapely.get_parts([line])
        wanted = [
            [tuple(p) for p in np.rint(shapely.get_coordinates(part)).astype(int).tolist()] for part in parts
        ]
        wanted = [[p for k, p in enumerate(path) if k == 0 or p != path[k - 1]] for path in wanted]
        assert one.paths == wanted
    areas = np.array(
        [shapely.box(0, 0, 0.3, 4000), shapely.box(10, 10, 20, 20), shapely.Point(3, 3).buffer(0.2)], object
    )
    (kept,) = layers(layer("land", [(Kind.AREA, shapely.orient_polygons(areas), [(), (), ()])]))["land"]
    assert (sorted(kept.paths[0]), kept.tags) == ([(10, 10), (10, 20), (20, 10), (20, 20)], {})
    assert layer("land", [(Kind.AREA, areas[:1], [()])]) == b""


def a_tile() -> bytes:
    """One of each kind of thing: an area with a hole, lines of two parts, names, numbers, edges that are crossed."""
    ring = shapely.orient_polygons(
        np.array([shapely.Polygon([(100, 100), (900, 100), (900, 800), (100, 800)], [[(300, 300), (300, 500), (500, 500), (500, 300)]])], object)
    )  # fmt: skip
    ways = np.array(
        [
            shapely.LineString([(3000, 2000), (200, 2100), (150, 2400)]),
            shapely.MultiLineString([[(-64, 5), (4160, 5)], [(7, 7), (7, 4000)]]),
        ],
        object,
    )
    spots = np.array([shapely.Point(2048, 1024), shapely.Point(4100, 4100)], object)
    return b"".join(
        (
            layer("land", [(Kind.AREA, ring, [(("class", "park"), ("name", "濠河公园"))])]),
            layer("road", [(Kind.LINE, ways, [(("class", "primary"), ("name", "人民路"), ("ref", "G204")), (("class", "minor"), ("tunnel", 1))])]),
            layer("place", [(Kind.POINT, spots, [
                (("class", "district"), ("rank", 57), ("name", "崇川区"), ("name_en", "Chongchuan")),
                (("class", "village"), ("rank", 300), ("name", "界外")),
            ])]),
        )
    )  # fmt: skip


def test_the_console_reads_what_is_written() -> None:
    """Its reader (console/src/components/map/vectorTile.ts) is tested with the same bytes."""
    kept = json.loads((Path(__file__).parents[1] / "vectors" / "base_map_tile.json").read_text("utf-8"))
    assert a_tile().hex() == kept["hex"]
    told = {
        name: [
            {
                "kind": one.kind,
                "tags": one.tags,
                "parts": [[n for at in path for n in at] for path in one.paths],
            }
            for one in features
        ]
        for name, features in layers(a_tile()).items()
    }
    assert told == kept["layers"]


def test_degrees_and_units_agree() -> None:
    for lon, lat in ((120.9, 32.0), (-73.5, -33.4), (179.9, 84.9)):
        ((x, y),) = to_units(np.array([[lon, lat]])).tolist()
        assert to_degrees(x, y) == pytest.approx((lon, lat), abs=1e-9)


def test_small_areas_come_late_and_large_ones_early() -> None:
    assert classes.first_zoom(5, (4096 * 4096) * 4**9) == 5
    assert classes.first_zoom(5, 64 * 16) == 14
    assert classes.first_zoom(5, 64 * 64) == 13
    assert classes.first_zoom(9, 1e12) == 9
    assert classes.first_zoom(5, 0) == 14


def hostile(folder: Path) -> dict[str, Path]:
    good = town().write(folder / "good.osm.pbf")
    body = good.read_bytes()
    lots = OsmFile()
    for k in range(3_000):
        lots.way((k * 1e-4, 0), (k * 1e-4, 0.01), highway="residential", name=f"{k}巷")
    cut = folder / "cut.osm.pbf"
    cut.write_bytes(lots.write(folder / "lots.osm.pbf").read_bytes()[:-2_000])
    files = {"cut": cut, "missing": folder / "missing.osm.pbf", "folder": folder}
    for name, content in (
        ("text", "这不是地图\n".encode() * 99),
        ("empty", b""),
        ("half", body[: len(body) // 2]),
        ("zeros", bytes(5_000)),
    ):
        files[name] = folder / f"{name}.osm.pbf"
        files[name].write_bytes(content)
    no_roads = OsmFile()
    no_roads.square(0, 0, 0.01, natural="water")
    files["no roads"] = no_roads.write(folder / "no-roads.osm.pbf")
    lost = OsmFile()
    lost.ways.append(([101, 102], {"highway": "primary"}))
    files["no nodes"] = lost.write(folder / "no-nodes.osm.pbf")
    files["a table"] = folder / "table.csv"
    files["a table"].write_text("id,name\n1,x\n")
    return files


def test_files_that_are_none_are_refused_and_the_map_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONGCHE_DATA_DIR", str(tmp_path / "data"))
    files = hostile(tmp_path)
    assert main(["basemap", "prepare", str(tmp_path / "good.osm.pbf")]) == 0
    said = capsys.readouterr()
    path = path_of(tmp_path / "data")
    assert said.out == f"{path}\n"
    assert "底图已就绪" in said.err
    before = path.read_bytes()
    words = {
        "missing": "没有这个文件",
        "folder": "没有这个文件",
        "no roads": "没有道路",
        "no nodes": "没有道路",
    }
    for name, file in files.items():
        assert main(["basemap", "prepare", str(file)]) == 78, name
        told = capsys.readouterr().err
        assert words.get(name, "无法作为 OpenStreetMap 文件读取") in told, (name, told)
        assert "Traceback" not in told
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir() if one.name != ".lock"] == ["map.mbtiles"]


def test_a_shape_as_large_as_a_continent_ends(tmp_path: Path) -> None:
    wide = town()
    wide.ring((-150, -60), (-20, -60), (-20, 40), (-150, 40), natural="water")
    about = prepare(tmp_path, wide.write(tmp_path / "wide.osm.pbf"), quiet)
    assert about.bounds[0] > LON - 1


def test_texts_that_are_none_cost_their_things_alone(tmp_path: Path) -> None:
    spoiled, said = town(), list[str]()
    spoiled.way((0, 0.001), (0.01, 0.001), highway="tertiary", name="SPOILED")
    spoiled.square(0.001, 0.001, 0.001, natural="water", name="SPOILED")
    spoiled.node(0.001, 0.001, place="town", name="SPOILED")
    spoiled.relation((1, "outer"), type="boundary", boundary="administrative", admin_level="SPOILED")
    prepare(tmp_path, spoiled.write(tmp_path / "spoiled.osm.pbf", spoil=b"SPOILED"), said.append)
    assert any("略去 3 个" in line for line in said)
    found = tile_at(path_of(tmp_path), 14, 0.001, 0.001)
    assert {"primary", "minor"} <= classes_of(found, "road")
    assert "tertiary" not in classes_of(found, "road")


def test_only_one_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONGCHE_DATA_DIR", str(tmp_path))
    source = town().write(tmp_path / "town.osm.pbf")
    home = path_of(tmp_path).parent
    home.mkdir()
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["basemap", "prepare", str(source)]) == 75
    assert "另一个 gongche basemap prepare 正在运行" in capsys.readouterr().err
    assert main(["basemap", "prepare", str(source)]) == 0


def test_killed_in_the_middle_the_map_before_goes_on(tmp_path: Path) -> None:
    prepare(tmp_path, town().write(tmp_path / "town.osm.pbf"), quiet)
    path, before = path_of(tmp_path), path_of(tmp_path).read_bytes()
    lots = OsmFile()
    for k in range(5_000):
        lots.way((k * 1e-4, 0), (k * 1e-4, 0.3), highway="residential")
    source = lots.write(tmp_path / "lots.osm.pbf")
    environment = os.environ | {"GONGCHE_DATA_DIR": str(tmp_path)}
    run = subprocess.Popen(
        [sys.executable, "-m", "gongche", "basemap", "prepare", str(source)],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: bool(list(path.parent.glob(".map-*/map.mbtiles"))), "it is at work")
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert path.read_bytes() == before
    assert list(path.parent.glob(".map-*"))
    held = HeldMap(path)
    found = held.about()
    assert found is not None
    assert held.tile(found.version, 14, *number(14, 0, 0), packed=False)
    prepare(tmp_path, tmp_path / "town.osm.pbf", quiet)
    assert not list(path.parent.glob(".map-*"))


def test_a_reader_takes_the_new_map_and_says_of_a_damaged_one(tmp_path: Path) -> None:
    path = path_of(tmp_path)
    held = HeldMap(path)
    assert held.about() is None
    first = prepare(tmp_path, town().write(tmp_path / "town.osm.pbf"), quiet)
    place = 14, *number(14, 0, 0)
    packed = held.tile(first.version, *place, packed=True)
    assert packed is not None
    assert gzip.decompress(packed) == held.tile(first.version, *place, packed=False)
    assert held.tile(first.version, 14, 0, 0, packed=False) == b""
    assert held.tile("0" * 16, *place, packed=True) is None
    other = town()
    other.way((0, 0), (0.001, 0.001), highway="service")
    second = prepare(tmp_path, other.write(tmp_path / "other.osm.pbf"), quiet)
    assert held.about() == second
    assert held.tile(first.version, *place, packed=True) is None
    for content in (b"", b"no map", path.read_bytes()[:5_000]):
        path.write_bytes(content)
        with pytest.raises(DamagedMapError):
            held.about() and held.tile(second.version, *place, packed=True)
    other_db = sqlite3.connect(tmp_path / "other.mbtiles")
    other_db.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
    other_db.close()
    with pytest.raises(DamagedMapError):
        HeldMap(tmp_path / "other.mbtiles").about()
    path.unlink()
    assert held.about() is None


def test_the_demo_draws_its_own_city_once(tmp_path: Path) -> None:
    said: list[str] = []
    prepare_demo_base_map(tmp_path, 3, said.append)
    path, before = path_of(tmp_path, DEMO), len(said)
    assert not path_of(tmp_path).exists()  # never taken for a real map
    found = tile_at(path, 12, 0, 0)
    assert {"land", "water", "road", "label"} <= set(found)
    assert {"primary", "trunk", "minor", "tertiary"} <= classes_of(found, "road")
    stat = path.stat()
    prepare_demo_base_map(tmp_path, 3, said.append)
    assert (path.stat(), len(said)) == (stat, before)
    file = TileFile(path)
    assert "模拟" in file.about.attribution
    file.close()
