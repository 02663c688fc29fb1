"""traffic_violations 违章异常: 一个月内，公务车行驶过程中发生2次以上违章行为.

One vehicle (or, ``by_driver``, one driver) and one natural month (Asia/Shanghai). It fires when a violation of that month
ends a month, back from its time, that holds ``min_violations`` or more (以上). The month before a time is a calendar
month: the same day and time of the month before, its last day where there is no such day; a violation at that very
moment is still within the month (以内). ``natural_month``: only violations of the month itself count together.

A number counts once, whatever records there are of it; a violation that was revoked, or appealed against with success,
does not count. Parking is not driving (行驶过程中): acts of parking, known by their code or their words, are shown and not
counted, unless ``count_parking``. One act that two cameras saw counts once: the same act of the same plate, within
``same_act_min`` (以内) of one that counts, at a distance that can be driven meanwhile as far as both places are known; both
are shown. Pure.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NotRequired, TypedDict

from registry.spelling import name_key
from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import require
from rules.evidence_parts import Driver, OfficialVehicle
from runtime.units import CHINA, from_us, to_us
from telemetry import geo

RULE = "traffic_violations"
VERSION = 2

_MIN_US: Final = 60 * 1_000_000

#: Why a record does not count, or that it does. These words stand in evidence and are part of its bytes: they never change.
#: Another wording belongs to another version of the rule.
WHY: Final[Mapping[str, str]] = {
    "counts": "计入 · counts",
    "revoked": "已撤销 · revoked",
    "appealed": "申诉成功 · appealed against with success",
    "duplicate": "同一违章编号的重复记录 · another record of the same number",
    "parking": "停车类违法，不是行驶过程中 · parking, not while driving",
    "same_act": "同一行为，已按另一记录计入 · the same act, counted by another record",
    "other_vehicle": "当日该车牌不属于该公务用车 · the plate was not that of this official vehicle on that day",
}
_VOID: Final = ("revoked", "appealed")

#: Codes of acts of parking: 1039 违反规定停放 with its local digits, and 7003.
_PARKING_CODES: Final = re.compile(r"(1039|7003)\w*")
#: Words of acts of parking, and words that make a stop one of driving: for somebody who has the way, before a line or a
#: signal, in a queue, or on a motorway.
_PARKING: Final = re.compile(
    "违停|停放|泊车|临停|停靠|禁停|乱停|乱放|消防车?(通道|登高)|占用.*(车位|泊位)|(?<![未不])停车"
)
_DRIVING: Final = re.compile(
    "让行|停车线|停止线|信号|排队|等候|穿插|检查|瞭望|故障|高速公路|高速路|快速路|应急车道|行车道"
)
#: A code before the words: ``1352 机动车超速``, ``(1352)机动车超速``, ``违法代码:1039A 违反规定停放``. A year is none.
_CODE_FIRST: Final = re.compile(r"\W*(?:(?:违法)?(?:行为)?代码)?\W*(\d{4,6}[a-z]?)(?![\da-z年])\W*")
_MARKS: Final = re.compile(r"[\W_]+")


class Record(TypedDict):
    """A violation. ``belongs``: counts or other_vehicle; ``order``: by which the driver was found; ``code``: of the act, ""
    = not known; ``lat_e6``, ``lon_e6``: 1e-6 degree WGS-84, None = not known; ``why`` (see WHY) is for people."""

    id: str
    plate: str
    at_us: int
    place: str
    act: str
    fine_fen: int | None
    points: int | None
    status: str
    driver: str | None
    belongs: str
    order: str | None
    code: NotRequired[str]
    lat_e6: NotRequired[int | None]
    lon_e6: NotRequired[int | None]
    why: NotRequired[str]


class Evidence(TypedDict):
    """What a month of one vehicle or driver is judged on. ``unit``: vehicle or driver; ``violations``: of the month and
    the one before."""

    rule: str
    rule_version: int
    subject: str
    unit: str
    month: str
    vehicle: OfficialVehicle | None
    driver: Driver | None
    parameters: dict[str, int]
    violations: list[Record]


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


def code_of(row: Record) -> str:
    """The code of an act: as the record has it, else as its words begin with it (``1039 违反规定停放``); "" = not known."""
    found = _CODE_FIRST.match(name_key(row["act"]))
    return name_key(row.get("code", "")) or (found[1] if found else "")


def words_of(row: Record) -> str:
    """The words of an act for comparing: without the code before them, which one camera writes and another does not, and
    without punctuation. Where there is nothing but a code, that."""
    act = name_key(row["act"])
    found = _CODE_FIRST.match(act)
    return _MARKS.sub("", act[found.end() :] if found else act) or act


def is_parking(row: Record) -> bool:
    """Whether an act is one of parking, by its code or its words."""
    act = name_key(row["act"])
    if _PARKING_CODES.fullmatch(code_of(row)):
        return True
    return bool(_PARKING.search(act)) and not _DRIVING.search(act)


def _same_act(one: Record, two: Record, used: Mapping[str, int]) -> bool:
    """Whether ``two``, not before ``one``, may be the same act of the same car."""
    lasted = two["at_us"] - one["at_us"]
    if one["plate"] != two["plate"] or lasted > used["same_act_min"] * _MIN_US:
        return False
    codes = code_of(one), code_of(two)
    if (codes[0] != codes[1]) if all(codes) else (words_of(one) != words_of(two)):
        return False
    lat1, lon1, lat2, lon2 = one.get("lat_e6"), one.get("lon_e6"), two.get("lat_e6"), two.get("lon_e6")
    if lat1 is None or lon1 is None or lat2 is None or lon2 is None:
        return True
    # Times may be given to the minute. 1 km/h = 1e6 mm / 3600e6 us.
    return geo.distance_mm_scalar(lat1, lon1, lat2, lon2) * 3600 <= used["drive_speed_kmh"] * (
        lasted + _MIN_US
    )


def considered(violations: Sequence[Record], used: Mapping[str, int]) -> list[tuple[Record, str]]:
    """(record, why), by (time, number): see WHY. Of several records of one number the earliest counts; none, where one of
    them says that it was revoked. ``used``: the parameters."""
    rows = sorted(violations, key=_sort_key)
    void = {row["id"]: row["status"] for row in reversed(rows) if row["status"] in _VOID}
    seen: set[str] = set()
    counting: list[Record] = []
    found = []
    for row in rows:
        why = row["belongs"] if row["id"] not in void else str(void[row["id"]])
        if why == "counts":
            why = "duplicate" if row["id"] in seen else why
            seen.add(row["id"])
        if why == "counts" and not used["count_parking"] and is_parking(row):
            why = "parking"
        if why == "counts" and any(_same_act(one, row, used) for one in counting):
            why = "same_act"
        if why == "counts":
            counting.append(row)
        found.append((row, why))
    return found


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge one month of one vehicle or driver on its evidence. Parameters: min_violations, natural_month, by_driver,
    count_parking, same_act_min, drive_speed_kmh. Raises EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    used = evidence["parameters"]
    since, until = month_span(evidence["month"])
    rows = considered(evidence["violations"], used)
    counting = [row for row, why in rows if why == "counts" and row["at_us"] < until]
    if (evidence["unit"] == "driver") != bool(used["by_driver"]):
        return _result(evidence, Outcome.NORMAL, "other_unit", [], 0, [], since, until)
    left_out = [why for _, why in rows if why != "counts"]
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
    evidence: Evidence, outcome: Outcome, reason: str, listed: Sequence[Record], most: int, left_out: Sequence[str],
    from_us_: int, to_us_: int,
) -> Evaluation:  # fmt: skip
    measures = {"violations": measure(most, "1"), "not_counted": measure(len(left_out), "1")}
    for why in ("parking", "same_act"):
        if why in left_out:
            measures[why] = measure(left_out.count(why), "1")
    if listed:
        measures["listed"] = measure(len(listed), "1")
    vehicle, driver = evidence["vehicle"], evidence["driver"]
    told = {
        "plate": None if vehicle is None else vehicle["plate"],
        "driver": driver["name"] or driver["id"]
        if driver is not None and evidence["unit"] == "driver"
        else None,
        "month": evidence["month"],
        "acts": [{"at_us": row["at_us"], "place": row["place"], "act": row["act"]} for row in listed[:5]],
    }
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, evidence["parameters"], from_us_, to_us_, told
    )  # fmt: skip


def _sort_key(row: Record) -> tuple[Any, ...]:
    # Records of one number and time are told apart by their content, so that the order given never matters.
    return (
        row["at_us"], row["id"], row["status"], row["belongs"], row["plate"], row["place"], row["act"], code_of(row),
        *(-1 if (e6 := row.get(name)) is None else e6 for name in ("lat_e6", "lon_e6")),
    )  # fmt: skip


def _index(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _start(index: int) -> int:
    return to_us(datetime(index // 12, index % 12 + 1, 1, tzinfo=CHINA))
