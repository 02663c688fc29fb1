"""traffic_violations 违章异常: 一个月内，公务车行驶过程中发生2次以上违章行为.

One vehicle (or, ``by_driver``, one driver) and one natural month (Asia/Shanghai). It fires when a violation of that month
ends a month, back from its time, that holds ``min_violations`` or more (以上). The month before a time is a calendar
month: the same day and time of the month before, its last day where there is no such day; a violation at that very
moment is still within the month (以内). ``natural_month``: only violations of the month itself count together.

A number counts once, whatever records there are of it; a violation that was revoked, or appealed against with success,
does not count. Every act counts: whether it happened while driving, the record does not say reliably. Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import EvidenceError
from rules.wording import moment
from runtime.units import CHINA, from_us, to_us

RULE = "traffic_violations"
VERSION = 1

REASONS: Final[Mapping[str, str]] = {
    "repeated": "一个月内违章次数达到限值 · violations within a month reach the limit",
    "few": "一个月内违章次数未达到限值 · fewer violations within a month than the limit",
    "none": "本月没有计入的违章 · no violation of this month counts",
    "other_unit": "该单位的违章按另一口径（车辆或驾驶员）统计 · violations are counted by the other unit, vehicle or driver",
    "gone": "该车辆或驾驶员已不存在 · the vehicle or driver is no more",
}

#: Why a record does not count, or that it does.
WHY: Final[Mapping[str, str]] = {
    "counts": "计入 · counts",
    "revoked": "已撤销 · revoked",
    "appealed": "申诉成功 · appealed against with success",
    "duplicate": "同一违章编号的重复记录 · another record of the same number",
    "other_vehicle": "当日该车牌不属于该公务用车 · the plate was not that of this official vehicle on that day",
}
_VOID: Final = ("revoked", "appealed")


def subject(unit: str, id: str, month: str) -> str:
    """Name of the subject; ``unit``: vehicle or driver; ``month``: ``2026-03``."""
    return f"{unit}:{id}:{month}"


def month_of(us: int) -> str:
    """Natural month of a time, ``2026-03``."""
    return from_us(us).astimezone(CHINA).strftime("%Y-%m")


def month_span(month: str, months_before: int = 0) -> tuple[int, int]:
    """[from, to) of a natural month and so many months before it, us."""
    return _start(_index(month) - months_before), _start(_index(month) + 1)


def next_month(month: str) -> str:
    """The month after."""
    index = _index(month) + 1
    return f"{index // 12:04}-{index % 12 + 1:02}"


def month_before(us: int) -> int:
    """The same day and time of the calendar month before, or its last day; us."""
    at = from_us(us).astimezone(CHINA)
    first = at.replace(day=1) - timedelta(days=1)
    return to_us(first.replace(day=min(at.day, first.day)))


def considered(violations: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], str]]:
    """(record, why), by (time, number): see WHY. Of several records of one number the
    earliest counts; none, where one of them says that it was revoked."""
    rows = sorted(violations, key=_sort_key)
    void = {row["id"]: row["status"] for row in reversed(rows) if row["status"] in _VOID}
    seen: set[str] = set()
    found = []
    for row in rows:
        why = row["belongs"] if row["id"] not in void else str(void[row["id"]])
        if why == "counts":
            why = "duplicate" if row["id"] in seen else why
            seen.add(row["id"])
        found.append((row, why))
    return found


def evaluate(evidence: dict[str, Any]) -> Evaluation:
    """Judge one month of one vehicle or driver on its evidence.

    Evidence: rule, rule_version, subject, unit (vehicle | driver), month, vehicle {plate, ...} | null, driver {id, name,
    ...} | null, parameters {min_violations, natural_month, by_driver}, violations [{id, plate, at_us, place, act,
    fine_fen, points, status, driver, belongs (counts | other_vehicle), ...}] of the month and the one
    before. Raises EvidenceError for evidence of another rule or version.
    """
    if evidence.get("rule") != RULE or evidence.get("rule_version") != VERSION:
        raise EvidenceError(f"not evidence of {RULE} {VERSION}")
    used = evidence["parameters"]
    since, until = month_span(evidence["month"])
    rows = considered(evidence["violations"])
    counting = [row for row, why in rows if why == "counts" and row["at_us"] < until]
    if (evidence["unit"] == "driver") != bool(used["by_driver"]):
        return _result(evidence, Outcome.NORMAL, "other_unit", [], 0, 0, since, until)
    left_out = sum(why != "counts" for _, why in rows)
    times = [row["at_us"] for row in counting]
    ends = range(bisect_left(times, since), len(times))
    most = 0
    taken: set[int] = set()
    for k in ends:
        first = since if used["natural_month"] else month_before(times[k])
        held = range(bisect_left(times, first), bisect_right(times, times[k]))
        most = max(most, len(held))
        if len(held) >= used["min_violations"]:
            taken.update(held)
    if not taken:
        reason = "few" if ends else "none"
        return _result(evidence, Outcome.NORMAL, reason, [], most, left_out, since, until)
    told = [counting[k] for k in sorted(taken)]
    return _result(
        evidence, Outcome.SUSPECTED, "repeated", told, most, left_out, told[0]["at_us"], told[-1]["at_us"]
    )


def _result(
    evidence: Mapping[str, Any], outcome: Outcome, reason: str, told: Sequence[Mapping[str, Any]], most: int,
    left_out: int, from_us_: int, to_us_: int,
) -> Evaluation:  # fmt: skip
    measures = {"violations": measure(most, "1"), "not_counted": measure(left_out, "1")}
    if told:
        measures["listed"] = measure(len(told), "1")
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, evidence["parameters"], from_us_, to_us_,
        _summary(evidence, outcome, reason, told, most),
    )  # fmt: skip


def _summary(
    evidence: Mapping[str, Any], outcome: Outcome, reason: str, told: Sequence[Mapping[str, Any]], most: int
) -> str:
    vehicle, driver = evidence["vehicle"], evidence["driver"]
    who = f"驾驶员 {driver['name'] or driver['id']}" if evidence["unit"] == "driver" else vehicle["plate"]
    if outcome is Outcome.NORMAL:
        if reason == "few":
            return f"正常：{who} {evidence['month']} 一个月内违章 {most} 次，未达到限值。"
        return f"正常：{who} {evidence['month']}：{REASONS[reason].split(' · ')[0]}。"
    acts = "；".join(f"{moment(row['at_us'])} {row['place']}{row['act']}".rstrip() for row in told[:5])
    more = f"；等 {len(told)} 次" if len(told) > 5 else ""
    span = "自然月内" if evidence["parameters"]["natural_month"] else "一个月内"
    return f"疑似违章异常：{who} {span}发生违章 {most} 次（{acts}{more}）。"


def _sort_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    # Records of one number and time are told apart by their content, so that the order given never matters.
    return (row["at_us"], row["id"], row["status"], row["belongs"], row["plate"], row["place"], row["act"])


def _index(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _start(index: int) -> int:
    return to_us(datetime(index // 12, index % 12 + 1, 1, tzinfo=CHINA))
