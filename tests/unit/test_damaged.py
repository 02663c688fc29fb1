"""Names that were damaged on their way are refused with what was meant; real names, also in rare characters, never."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from registry import bulk
from registry.damaged import damaged, unprintable
from registry.records import KINDS
from registry.refusals import Flaw, UnreadableError, explain
from tests.examples import examples

#: The 3,755 most common characters, and all of GB 2312.
COMMON = [
    bytes((a, b)).decode("gb2312")
    for a in range(0xB0, 0xD8)
    for b in range(0xA1, 0xFF)
    if (a, b) < (0xD7, 0xFA)
]
KNOWN = COMMON + [bytes((a, b)).decode("gb2312") for a in range(0xD8, 0xF8) for b in range(0xA1, 0xFF)]

REAL = [
    "张𬭎", "李㛃", "阿卜杜拉·买买提", "买买提・艾力", "王䶮", "刘\u9fb4", "欧阳\U000241fe", "周\U00031350", "赵\U0002ebf0", "①号车",
    "联通", "O'Neill", "Müller", "財政局", "中国石化(南通)第一加油站", "A&B", "去哪?", "涓滴", "锟铻", "浒墅关", "洵洵", "ｶﾌｪ",
]  # fmt: skip


def flaws(kind: str, values: dict[str, Any]) -> list[Flaw]:
    try:
        KINDS[kind].model.model_validate(values)
    except ValidationError as error:
        return explain(error)
    return []


@pytest.mark.parametrize("text", REAL)
def test_real_texts_are_accepted(text: str) -> None:
    assert unprintable(text) is None
    assert damaged(text) is None
    if "?" not in text:
        assert flaws("drivers", {"id": "d", "name": text, "organisation": "o"}) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("财\ufffd局", "第 2 个字"), ("锟斤拷锟斤拷", "锟斤拷"), ("甯傝储鏀垮眬", "市财政局"), ("璐㈡斂灞€", "财政局"), ("璐㈡斂灞?", "丢失"),
        ("å¸\x82è´¢æ\x94¿å±\x80", "U+0082"), ("å¸‚è´¢æ”¿å±€", "市财政局"), ("ÊÐ²ÆÕþ¾Ö", "市财政局"), ("张?", "丢失"), ("??", "丢失"),
        ("张&#134349;", "丢失"), ("\\u5e02财政局", "丢失"), ("张□", "丢失"), ("王\ue863", "造字区"), ("财\u200b政", "不可见"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["drivers", "organisations", "fuel-stations", "fences"])
def test_damaged_names_are_refused_with_the_field(kind: str, text: str, says: str) -> None:
    given: dict[str, Any] = {"id": "d", "name": text}
    geometry = {"type": "Polygon", "coordinates": [[[120, 31], [121, 31], [121, 32], [120, 31]]]}
    if kind == "drivers":
        given["organisation"] = "o"
    elif kind == "fences":
        given |= {"organisation": "o", "datum": "wgs84", "geometry": geometry}
    (flaw,) = flaws(kind, given)
    assert flaw.pointer == "/name"
    assert says in flaw.message


def test_every_other_text_is_looked_at_too() -> None:
    order = {
        "id": "o1", "organisation": "o", "vehicle": "v", "purpose": "甯傝储鏀垮眬", "origin": {"name": "锟斤拷"},
        "planned_departure": "2026-03-02T08:30:00+08:00", "planned_return": "2026-03-02T17:30:00+08:00",
    }  # fmt: skip
    assert {f.pointer for f in flaws("dispatch-orders", order)} == {"/purpose", "/origin/name"}
    assert flaws("dispatch-orders", order | {"purpose": "接人?", "origin": {"name": "市区"}}) == []
    assert {f.pointer for f in flaws("vehicles", {"id": "v甯傝储", "plate": "鑻廎12345", "organisation": "??"})} == {
        "/id", "/plate", "/organisation",
    }  # fmt: skip


@given(st.lists(st.sampled_from(KNOWN), min_size=2, max_size=9).map("".join))
@settings(max_examples=examples(300))
def test_no_real_name_is_taken_for_damaged(name: str) -> None:
    assert damaged(name, name=True) is None


@given(st.lists(st.sampled_from(COMMON), min_size=2, max_size=9).map("".join))
@settings(max_examples=examples(300))
def test_names_in_the_wrong_encoding_are_found(name: str) -> None:
    as_gbk = name.encode().decode("gb18030", errors="replace")
    assert damaged(as_gbk, name=True) is not None
    as_latin = name.encode("gb2312").decode("latin-1")
    assert damaged(as_latin, name=True) is not None
    as_windows = name.encode().decode("cp1252", errors="replace")
    assert damaged(as_windows, name=True) is not None


def test_a_file_that_was_damaged_before_it_came_names_row_and_field() -> None:
    text = "编号,名称\nb,财政局\nc,甯傝储鏀垮眬\nd,张?\n"
    with pytest.raises(bulk.ImportRefusedError) as caught:
        bulk.validate_rows("organisations", bulk.read_rows("organisations", text.encode(), "csv"))
    assert [(f.row, f.field) for f in caught.value.flaws] == [(3, "name"), (4, "name")]
    header = text.encode().decode("gb18030", errors="replace").encode()
    with pytest.raises(UnreadableError, match="乱码，是否应为“编号"):
        bulk.read_rows("organisations", header, "csv")


def test_gb18030_puts_moved_characters_in_their_places() -> None:
    data = b"id,name\nb," + b"\xfe\x9f\xfe\x59\xa8\xbc\xfe\x91" + "局\n".encode("gb18030")
    (row,) = bulk.read_rows("organisations", data, "csv")
    assert row.values["name"] == "\u4dae\u9fb4\u1e3f\U000241fe局"
