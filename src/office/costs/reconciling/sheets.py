"""A reconciliation as XLSX: what went in and came out, and every line. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from office.costs.reconciling.outcome import OUTCOME_NAMES, Outcome
from office.costs.sheets import Value, Yuan, workbook

SIDE_NAMES: Final = {"finance": "财务", "platform": "平台"}
_HEADER: Final = (
    ("行号", 8), ("一方", 8), ("单位", 16), ("结果", 14), ("自动比对结果", 14), ("依据", 14), ("问题", 18), ("期间", 9), ("日期", 12), ("凭证号/编号", 34),
    ("分录号", 8), ("摘要", 44), ("科目", 14), ("部门经济分类", 14), ("金额（元）", 14), ("往来单位", 26), ("附件号", 16), ("对应行", 20),
)  # fmt: skip


def run_workbook(run: Mapping[str, Any], unit: str, lines: Iterable[Mapping[str, Any]], issuer: str) -> bytes:
    """The XLSX of a run (``runs.show_run``) and its lines (``runs.line_view``). ``unit``: the name of its unit."""
    target = io.BytesIO()
    with workbook(target, "公务用车费用与财务凭证对账结果", issuer, run["made_at"]) as book:
        book.about("概要", "公务用车费用与财务凭证对账结果", _about(run, unit))
        book.table("明细", _HEADER, (_cells(line) for line in lines))
        book.table(
            "人工办理",
            (("序号", 8), ("办理", 10), ("时间", 22), ("办理人", 16), ("行", 30), ("理由", 60)),
            map(_act, run["acts"]),
        )
    return target.getvalue()


def _about(run: Mapping[str, Any], unit: str) -> Sequence[tuple[str, Value]]:
    counts = run["counts"]["rows"]
    found: list[tuple[str, Value]] = [
        ("编号", run["id"]), ("单位", unit), ("期间", f"{run['since']}—{run['until']}"), ("对账时间", run["made_at"].isoformat(timespec="seconds")),
        ("对账人", run["made_by"]), ("凭证文件", run["source"]), ("文件摘要（SHA-256）", run["file_sha256"]),
        ("平台数据摘要", run["items_sha256"]), ("结果摘要", run["result_sha256"]), ("文件行数", counts["read"]), ("其中合计行，不比对", counts["totals"]),
        ("其中期末结转，不比对", counts["closings"]), ("其中其他期间，不比对", counts["other_periods"]), ("其中其他费用和科目，不比对", counts["other_costs"]),
    ]  # fmt: skip
    for each in run["standing"]:
        found += [
            (f"{SIDE_NAMES[each['side']]}：{each['name']}（行）", each["lines"]),
            (f"{SIDE_NAMES[each['side']]}：{each['name']}（元）", Yuan(each["amount_fen"])),
        ]
    return found


def _cells(line: Mapping[str, Any]) -> Sequence[Value]:
    more = line["more"]
    return (
        line["no"], SIDE_NAMES[line["side"]], line["organisation"], line["standing_name"], OUTCOME_NAMES[Outcome(line["outcome"])], line["step_name"],
        "、".join(OUTCOME_NAMES[Outcome(flaw)] for flaw in line["flaws"]), line["period"], line["day"], line["number"], more.get("line"),
        more.get("text"), more.get("account"), "、".join(line["budget_classes"]), Yuan(line["amount_fen"]), line["counterpart"], more.get("attachment"),
        "、".join(map(str, line["peers"])),
    )  # fmt: skip


def _act(act: Mapping[str, Any]) -> Sequence[Value]:
    body = act["body"]
    return (
        act["version"], "对应" if act["step"] == "match" else "解除", act["at"].isoformat(timespec="seconds"), act["by"],
        "、".join(map(str, body["lines"])), body["reason"],
    )  # fmt: skip
