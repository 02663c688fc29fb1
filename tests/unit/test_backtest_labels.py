"""What the office found, beside a backtest: precision by month and unit, right alerts lost and wrong ones spared."""

from __future__ import annotations

from rules.backtest.labels import Against, Findings, Label
from rules.backtest.model import Kind, Row, Side

FINDINGS = Findings(
    {"violation": "属实违规", "justified": "合理使用", "unverifiable": "无法核实"},
    frozenset({"violation"}),
    frozenset({"unverifiable"}),
)


def row(subject: str, kind: Kind) -> Row:
    return Row(kind, subject, None, Side("normal", None))


def test_precision_as_the_office_judged_it() -> None:
    labels = [
        Label("a", "jsj", "2026-03", "violation"), Label("b", "jsj", "2026-03", "justified"),
        Label("c", "jsj", "2026-03", "unverifiable"), Label("d", "wsj", "2026-03", "violation"),
        Label("e", "jsj", "2026-02", "unverifiable"),
    ]  # fmt: skip
    against = Against(FINDINGS, labels)
    against.add([row("a", Kind.UNCHANGED), row("b", Kind.WITHDRAWN), row("nobody judged it", Kind.WITHDRAWN)])
    against.add([row("d", Kind.WITHDRAWN)])
    assert list(against.lines())[1:] == [
        "  2026-02  jsj: 无法核实 1；准确率 / precision 0/0 = -",
        "  2026-03  jsj: 属实违规 1，合理使用 1，无法核实 1；准确率 / precision 1/2 = 50%",
        "  2026-03  wsj: 属实违规 1；准确率 / precision 1/1 = 100%",
        "  合计 / all: 属实违规 2，合理使用 1，无法核实 2；准确率 / precision 2/3 = 67%",
        "  将撤销的预警中 / of those that would be withdrawn: 属实违规 1，合理使用 1；漏掉属实 / right ones lost 1，免去误报 / wrong ones spared 1",
    ]


def test_where_nothing_was_found_nothing_is_said() -> None:
    assert list(Against(FINDINGS, []).lines()) == []
