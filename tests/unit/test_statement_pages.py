"""Statements of several pages and titles: whose card a row is, or a refusal. No database."""

from __future__ import annotations

from typing import Any

import pytest

from registry.refusals import UnreadableError
from tests.unit.test_statements import parsed

HEADER = "交易时间,交易类型,数量(升),备注"
ONE, TWO = "1000113200000000001", "1000113200000000002"


def row(minute: int, remark: str = "") -> str:
    return f"2026-03-02 08:{minute:02}:09,加油,45.32,{remark}"


def cards(*lines: str, **options: Any) -> list[tuple[int, str]]:
    found = parsed("\n".join(lines), **options)
    assert not found.flaws, found.flaws
    return [(draft.row, draft.record.card) for draft in found.drafts]


@pytest.mark.parametrize(
    "title",
    [f"卡号：{TWO}", f"本页卡号：{TWO}", f"卡号：{TWO} 户名：某局 2026-03-01至2026-03-31", f"对账单,,卡号：,{TWO}", f"卡号：{TWO},车号：,苏F12345,,,共 3 笔",
     f"卡号：{TWO.translate(str.maketrans('0123456789', '０１２３４５６７８９'))}"],
)  # fmt: skip
@pytest.mark.parametrize("header", [[HEADER], []])
def test_pages_of_one_card_each(title: str, header: list[str]) -> None:
    lines = [f"卡号：{ONE}", HEADER, row(1), "小计,,45.32,", title, *header, row(2), "小计,,45.32,"]
    assert cards(*lines) == [(3, ONE), (6 + len(header), TWO)]
    assert parsed("\n".join(lines)).skipped == 3 + len(header)


def test_a_row_may_mention_another_card() -> None:
    lines = [
        f"卡号：{ONE}",
        HEADER,
        row(1, f"转自卡号：{TWO}"),
        row(2),
        f"卡号：{ONE}",
        row(3),
        "注：卡号遗失请挂失",
    ]
    found = parsed("\n".join(lines))
    assert {draft.record.card for draft in found.drafts} == {ONE}
    assert {flaw.row for flaw in found.flaws} == {7}  # no row, and no card that could be meant


@pytest.mark.parametrize(
    "title",
    ["卡号：1.00011E+18", "卡号：1000 1132 0000 0000 002", f"卡号：{ONE} 卡号：{TWO}", f"卡号：{TWO},消费,1,", "卡号：****0002"],
)  # fmt: skip
def test_a_title_that_is_not_clear_refuses_the_file(title: str) -> None:
    with pytest.raises(UnreadableError, match="分不清") as caught:
        parsed("\n".join([f"卡号：{ONE}", HEADER, row(1), title, row(2)]))
    assert (caught.value.flaws[0].field, caught.value.flaws[0].row) == ("card", 4)


def test_a_title_does_not_fill_a_column_of_cards() -> None:
    lines = [f"主卡号：{ONE}", f"卡号,{HEADER}", f"{TWO},{row(1)}", f",{row(2)}"]
    found = parsed("\n".join(lines))
    assert [draft.record.card for draft in found.drafts] == [TWO]
    assert [(flaw.row, flaw.field) for flaw in found.flaws] == [(4, "card")]
    with pytest.raises(UnreadableError, match="缺少列：卡号"):
        parsed("\n".join(["卡号：1.00011E+18", HEADER, row(1)]))
    # What the office itself says of every row holds, and no title changes it.
    lines = [HEADER, row(1), f"卡号：{TWO}", row(2)]
    said = parsed("\n".join(lines), mapping={"values": {"card": ONE}})
    assert [draft.record.card for draft in said.drafts] == [ONE, ONE]


def test_a_second_header_with_other_columns_refuses_the_file() -> None:
    for other in ("交易时间,数量(升),交易类型,备注", f"卡号,{HEADER}"):
        with pytest.raises(UnreadableError, match="另一个表头") as caught:
            parsed("\n".join([f"卡号：{ONE}", HEADER, row(1), other, row(2)]))
        assert caught.value.flaws[0].row == 4
