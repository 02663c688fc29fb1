"""The picture of evidence: every kind of evidence, hostile names, gaps, invalid fixes, tracks of a month, fences of a province."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.alerts.evidence import feature_collection
from office.documents.picture import HEIGHT, MOST_POINTS, WIDTH, Picture, draw
from tests.examples import examples
from tests.unit import test_check_card_use as card_use
from tests.unit import test_check_destination as destination
from tests.unit import test_check_location as location
from tests.unit.evidences import EVIDENCE

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert(1)</script>&\"'<image href='http://x/'/>\u0007😀\u202e"
#: What a picture may consist of.
ALLOWED = {"svg", "title", "rect", "defs", "clipPath", "g", "path", "circle", "text"}


def drawn(evidence: Any) -> Picture | None:
    return draw(feature_collection("ab" * 16, 3, "cd" * 32, evidence))


def parsed(picture: Picture | None) -> ElementTree.Element:
    assert picture is not None
    root = ElementTree.fromstring(picture.svg)  # noqa: S314 - our own
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= ALLOWED
    for element in root.iter():
        assert not [name for name in element.attrib if name.lower().startswith("on") or "href" in name]
    return root


def texts(picture: Picture | None) -> str:
    return "|".join(text for text in parsed(picture).itertext() if text.strip())


@pytest.mark.parametrize("rule", sorted(EVIDENCE))
@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_all_evidence_is_drawn_or_has_no_track(rule: str, data: st.DataObject) -> None:
    evidence = data.draw(EVIDENCE[rule])
    picture = drawn(evidence)
    if picture is None:
        tracks = [part.get("track", {}).get("t_us") for part in (evidence, *evidence.get("legs", ()))]
        assert not any(tracks)
        return
    parsed(picture)
    assert picture == drawn(evidence)
    for number in re.findall(r'c?[xy]="(-?[\d.]+)"', picture.svg):
        assert abs(float(number)) < 1e7


def test_names_are_text() -> None:
    evidence = destination.make(
        [(k * 60, k * 300 - 6000, 0) for k in range(20)], departed=-100, returned=3000
    )
    evidence["destination"]["name"] = HOSTILE
    picture = drawn(evidence)
    assert "[U+0007]" in texts(picture) or "…" in texts(picture)
    assert picture is not None
    assert "<script" not in picture.svg
    assert "&lt;/text&gt;" in picture.svg


def test_it_shows_what_the_sentence_speaks_of() -> None:
    evidence = card_use.make([(k * 20 - 600, 2000 - k * 60, 100) for k in range(60)], station=card_use.POINT)
    assert "加油站：城东站" in texts(drawn(evidence))
    assert "半径 200 米" in texts(drawn(evidence))
    evidence = location.make(location.drive(-50, 3000, -50))
    for said in ("围栏", "5–60 km/h", "起 02-25 14:13:20", "止 ", "500 米", "北"):
        assert said in texts(drawn(evidence)), said


def test_a_gap_is_no_line() -> None:
    whole = [(k * 10.0, k * 40.0 - 200, 300) for k in range(60)]
    assert "中断" not in texts(drawn(location.make(whole)))
    split = [
        (t + (600 if k >= 30 else 0), x + (500 if k >= 30 else 0), v) for k, (t, x, v) in enumerate(whole)
    ]
    picture = drawn(location.make(split))
    assert "中断超过 120 秒" in texts(picture)
    assert 'stroke-dasharray="3 4"' in (picture.svg if picture else "")


def test_invalid_fixes_are_no_part_of_the_line() -> None:
    evidence = location.make([(k * 10.0, k * 40.0 - 200, 300) for k in range(60)])
    evidence["track"]["lat_e6"][30] = 0
    evidence["track"]["valid"] = [int(k != 30) for k in range(60)]
    assert "无效定位 1 个" in texts(drawn(evidence))
    assert "500 米" in texts(drawn(evidence))  # as large as without it


def test_a_month_of_fixes_is_bounded() -> None:
    n = 40_000
    evidence = location.make([(k * 60.0, float(k * 7919 % 30_000), k * 37 % 1200) for k in range(n)])
    picture = drawn(evidence)
    assert picture is not None
    assert len(re.findall("[ML]", picture.svg)) < 4 * MOST_POINTS
    assert len(picture.svg) < 500_000


def test_a_large_fence_does_not_hide_the_drive() -> None:
    province = shapely.box(116.0, 30.0, 120.9, 35.0)
    points = [(k * 10.0, k * 40.0 + 500, 300) for k in range(60)]
    picture = drawn(location.make(points, fences=[location.FENCE | {"wkb": province.wkb_hex}]))
    x = [float(v) for v in re.findall(r'<circle cx="([\d.]+)"', picture.svg if picture else "")]
    assert picture is not None
    assert 0 < x[0] < WIDTH
    assert "500 米" in texts(picture) or "1 公里" in texts(picture)


def test_one_place_is_a_picture() -> None:
    picture = drawn(location.make([(0, 0, 0), (10, 0, 0)]))
    assert "米" in texts(picture)
    assert HEIGHT == 400


def test_many_places_and_long_names_stay_within() -> None:
    evidence = location.make(location.drive(0, 500))
    evidence["places"] = [
        {"name": f"很长的地点名称{'某' * 60}{k}", "lat_e6": 32_000_000 + k, "lon_e6": 120_900_000}
        for k in range(40)
    ]
    assert "另有 25 处未标" in texts(drawn(evidence))
