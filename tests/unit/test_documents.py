"""Documents read back: layout, fonts, texts that are hostile or rare, the same bytes for the same data."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from pypdf import PdfReader

from office.documents.glyphs import FontError, characters_of, visible
from office.documents.monthly import MonthlyReport, UnitRow, render_monthly
from office.documents.numbers import figures
from office.documents.papers import Alarm, FormPaper, Letter, OrderPaper, Term, render_form, render_order
from office.documents.picture import Picture
from office.documents.typesetting import FONTS, own_characters, typesetter
from runtime.errors import ConfigurationError
from runtime.units import CHINA

WHEN = datetime(2026, 3, 2, 9, 30, tzinfo=CHINA)
LETTER = Letter("南通市公务用车管理处", "督〔2026〕jsj-0001号", "关于夜间用车的督办单", WHEN, ("紧急",))
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 40"><rect width="72" height="40" fill="#15803d"/><text x="4" y="20" font-family="Gongche Sans">围栏</text></svg>'
PAPER = OrderPaper(
    letter=LETTER,
    to="市机关事务管理局",
    facts="无派车任务，21:14 至 22:40 驶出围栏 3,412 米。",
    about=(("号牌", "苏F12345"),),
    alarms=(
        Alarm("定位异常", "苏F12345", "2026-03-01 21:14", (("行驶里程", "18,400 米"),), "ab" * 32, Picture(SVG, "示意图")),
    ),
    left_out=2,
    basis=("《党政机关公务用车管理办法》第十七条",),
    requirements="请核实情况，书面回复。",
    term=Term(date(2026, 3, 9), None, 5),
    issued_by="李四",
    issued_at=WHEN,
)  # fmt: skip
#: What people may write, and what a page must show of it.
HOSTILE = {
    "#set page(width: 1pt)": "#set page(width: 1pt)",
    "#import \"x\": *": "#import \"x\": *",
    "$ x^2 $ *粗* _斜_ `码`": "$ x^2 $ *粗* _斜_ `码`",
    "\\ <label> @ref ~ -- ---": "\\ <label> @ref ~ -- ---",
    "&amp; <b>]]></b> // /* */": "&amp; <b>]]></b> // /* */",
    "= 标题\n- 项\n+ 项": "= 标题",
    "\"引号\" 'x' ...": "\"引号\" 'x' ...",
    "表情😀": "表情[U+1F600]",
    "罕见𠮷": "罕见[U+20BB7]",
    "倒\u202e序": "倒[U+202E]序",
    "零\u200b宽": "零[U+200B]宽",
    "𬭎㑇堃喆": "𬭎㑇堃喆",
}  # fmt: skip


def text_of(pdf: bytes, page: int | None = None) -> str:
    document = pypdfium2.PdfDocument(pdf)
    pages = range(len(document)) if page is None else [page]
    found = "\n".join(document[k].get_textpage().get_text_range() for k in pages)
    return found.replace("\r\n", "\n").replace("\u200b", "")


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_an_order_says_what_it_was_given() -> None:
    pdf = render_order(typesetter(), PAPER)
    text = squeezed(text_of(pdf))
    for said in ("紧急", "南通市公务用车管理处", "督〔2026〕jsj-0001号", "市机关事务管理局：", "3,412米", "18,400米", "ab" * 32,
                 "另有2条预警", "第十七条", "2026年3月9日（自下达次日起第5个工作日）", "李四", "2026年3月2日09:30", "—1—", "围栏"):  # fmt: skip
        assert said in text, said
    assert pdf == render_order(typesetter(), PAPER)
    assert pdf != render_order(typesetter(), replace(PAPER, facts="x"))
    reader = PdfReader(io.BytesIO(pdf))
    assert reader.metadata is not None
    assert reader.metadata.title == "关于夜间用车的督办单 督〔2026〕jsj-0001号"
    assert str(reader.metadata.creation_date) == "2026-03-02 01:30:00+00:00"


def test_every_font_is_embedded_and_ours() -> None:
    reader = PdfReader(io.BytesIO(render_order(typesetter(), PAPER)))
    names = set()
    for page in reader.pages:
        fonts: Any = page["/Resources"]["/Font"]  # type: ignore[index]
        for font in fonts.values():
            below: Any = font.get_object()["/DescendantFonts"][0].get_object()
            descriptor = below["/FontDescriptor"].get_object()
            assert any(key.startswith("/FontFile") for key in descriptor)
            names.add(str(below["/BaseFont"]).partition("+")[2])
    assert names == {"NotoSerifCJKsc-Regular", "NotoSerifCJKsc-Black", "NotoSansCJKsc-Regular"}


def test_the_layout_is_that_of_the_standard() -> None:
    """A4; text from 28 mm on, 156 mm wide; 22 lines of 28 characters on a page without a head."""
    form = FormPaper(LETTER, "", ("国" * 28 * 60,), (), ())
    document = pypdfium2.PdfDocument(render_form(typesetter(), form))
    assert [round(v * 25.4 / 72) for v in document[0].get_size()] == [210, 297]
    lines = text_of(render_form(typesetter(), form), 1).splitlines()
    full = [line for line in lines if set(line) == {"国"}]
    assert (len(full), {len(line) for line in full}) == (22, {28})
    page = document[1].get_textpage()
    left, _bottom, right, top = page.get_rect(0) if page.count_rects() else (0, 0, 0, 0)
    assert abs(left * 25.4 / 72 - 28) < 1
    assert abs(right * 25.4 / 72 - (28 + 156)) < 1
    assert abs((297 - top * 25.4 / 72) - 37) < 2


@pytest.mark.parametrize("written", HOSTILE)
def test_what_people_write_is_no_code_and_is_seen(written: str) -> None:
    order = render_order(
        typesetter(), replace(PAPER, facts=written, requirements=written, to=written, issued_by=written)
    )
    form = render_form(
        typesetter(),
        FormPaper(
            replace(LETTER, title=written),
            written,
            (written,),
            ((written, written),),
            ((written, written, WHEN),),
        ),
    )
    for pdf in (order, form):
        assert text_of(pdf).replace("\n", "").count(HOSTILE[written]) >= 2, text_of(pdf)
        assert ("统一码" in text_of(pdf)) == ("[U+" in HOSTILE[written])


def test_very_long_words_stay_on_the_page() -> None:
    word = "A" * 500
    pdf = render_order(typesetter(), replace(PAPER, facts=word, about=((word, word),), to=word))
    assert squeezed(text_of(pdf)).count("A") >= 2_000
    document = pypdfium2.PdfDocument(pdf)
    for page in document:
        text = page.get_textpage()
        for k in range(text.count_rects()):
            assert text.get_rect(k)[2] * 25.4 / 72 <= 28 + 156 + 1


def test_a_cancelled_order_says_so_and_a_term_may_be_undetermined() -> None:
    paper = replace(
        PAPER,
        letter=replace(LETTER, cancelled="本督办单已于2026年3月5日撤销"),
        term=Term(None, date(2027, 1, 4)),
    )
    text = squeezed(text_of(render_order(typesetter(), paper)))
    assert "本督办单已于2026年3月5日撤销" in text
    assert "待定（2027年1月4日的工作日安排尚未公布）" in text


def test_a_month_of_text_is_set_in_time_and_bounded() -> None:
    pdf = render_form(
        typesetter(), FormPaper(LETTER, "某局", ("汉" * 10_000,), (("情况", "字" * 10_000),), ())
    )
    assert text_of(pdf).count("汉") == text_of(pdf).count("字") == 10_000


def test_the_fonts_have_the_characters_of_the_standards() -> None:
    known = own_characters()
    level = [bytes((high, low)).decode("gb2312") for high in range(0xB0, 0xF8) for low in range(0xA1, 0xFF) if (high, low) < (0xD7, 0xFA) or high > 0xD7]  # fmt: skip
    assert len(level) == 6_763
    assert all(ord(c) in known for c in level)
    assert len([c for c in known if c >= 0x3400]) > 8_105
    assert all(path.stat().st_size < 6_000_000 for path in FONTS.glob("*.otf"))
    assert "SIL OPEN FONT LICENSE" in (FONTS / "OFL.txt").read_text("utf-8")
    for path in FONTS.glob("*.otf"):
        assert characters_of(path) == frozenset(TTFont(path).getBestCmap())


@pytest.fixture
def fonts_of_the_office(tmp_path: Path) -> Path:
    """A folder with a small font that calls itself 仿宋_GB2312 and has characters that ours lack."""
    characters = "正文㐀𠮷"
    builder = FontBuilder(1000, isTTF=True)
    names = [".notdef", *(f"c{k}" for k in range(len(characters)))]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"c{k}" for k, c in enumerate(characters)})
    pen = TTGlyphPen(None)
    pen.moveTo((50, 0))
    for corner in ((950, 0), (950, 800), (50, 800)):
        pen.lineTo(corner)
    pen.closePath()
    box = pen.glyph()
    builder.setupGlyf(dict.fromkeys(names, box))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 50)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable(
        {"familyName": "FangSong_GB2312", "styleName": "Regular", "psName": "FangSong_GB2312"}
    )
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120, usWinAscent=880, usWinDescent=120)
    builder.setupPost()
    builder.save(tmp_path / "fang.ttf")
    return tmp_path


def test_the_office_s_own_fonts_come_first(fonts_of_the_office: Path) -> None:
    setter = typesetter(fonts_of_the_office)
    assert setter.families["body"] == ["FangSong_GB2312", "Gongche Serif"]
    assert setter.known - own_characters() == {ord("㐀"), ord("𠮷")}
    file = fonts_of_the_office / "fang.ttf"
    assert characters_of(file) == frozenset(TTFont(file).getBestCmap())
    pdf = render_order(setter, replace(PAPER, facts="正文㐀𠮷，其余用本系统的字体"))
    assert b"FangSong_GB2312" in pdf
    assert "正文㐀𠮷，其余" in text_of(pdf)


@pytest.mark.parametrize(
    "spoil", [lambda f: f.write_bytes(b"no font"), lambda f: f.write_bytes(f.read_bytes()[:300])]
)
def test_what_is_no_font_is_named(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    file = tmp_path / "x.otf"
    shutil.copy(FONTS / "gongche-sans-regular.otf", file)
    spoil(file)
    with pytest.raises(FontError):
        characters_of(file)
    with pytest.raises(ConfigurationError, match=r"x\.otf"):
        typesetter(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="字体目录"):
        typesetter(tmp_path / "none")


def test_numbers_have_names_and_units() -> None:
    measures: dict[str, dict[str, Any]] = {
        "distance_m": {"value": 18_400, "unit": "m"}, "ratio_permille": {"value": 1_500, "unit": "1/1000"},
        "unplugged": {"value": 1, "unit": "1 = yes"}, "fuel_quantity": {"value": 45_200, "unit": "ml"},
        "amount_fen": {"value": 35_050, "unit": "fen"}, "new_one": {"value": None, "unit": "m"},
    }  # fmt: skip
    assert figures(measures) == (
        ("行驶里程", "18,400 米"), ("倍数", "1.500"), ("终端断电", "是"), ("加油量", "45.20 升"), ("金额", "350.50 元"), ("new_one", "—"),
    )  # fmt: skip


def test_line_breaks_stay_and_tabs_become_spaces() -> None:
    assert visible("甲\r\n乙\t丙", own_characters()) == "甲\n乙 丙"


def boxes_of(pdf: bytes) -> list[tuple[int, str, float, float, float, float]]:
    """(page, character, left, bottom, right, top) in points, of all that can be seen."""
    found = []
    document = pypdfium2.PdfDocument(pdf)
    for number in range(len(document)):
        page = document[number].get_textpage()
        for k, character in enumerate(page.get_text_range()):
            if not character.isspace():
                found.append((number, character, *page.get_charbox(k)))
    return found


def test_a_month_of_large_numbers_leaves_room_for_the_names_of_units() -> None:
    units = (
        UnitRow(
            "u", "南通市海门区机关事务服务中心", 1_234_567, 99_999, 12_345, 1_000, 999, 500, 100, 10, 12_345
        ),
    )
    report = MonthlyReport("处", "全部", date(2026, 3, 1), date(2026, 3, 31), (), units, (), (), (), ())
    boxes = boxes_of(render_monthly(typesetter(), report))
    names = [box for box in boxes if box[1] in "海门区"]
    digits = [box for box in boxes if box[1] == "7" and box[3] >= min(n[3] for n in names)]
    assert len({round(box[5]) for box in names}) <= 2, "the name of a unit is broken into single characters"
    assert max(box[4] for box in names) < min(box[2] for box in digits), "numbers lie over the names"


def test_a_long_list_of_copies_goes_on_to_the_next_page() -> None:
    ids = tuple(f"unit-{k:02}-" + "x" * 55 for k in range(20))
    pdf = render_order(typesetter(), replace(PAPER, letter=replace(LETTER, copies=ids)))
    letters = [box for box in boxes_of(pdf) if box[1] == "x"]
    assert len(letters) == 20 * 55
    lowest = min(box[3] for box in letters)
    assert lowest > 35 * 72 / 25.4 - 4, "below the text area"
