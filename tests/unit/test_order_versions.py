"""Which change of an order is a backfill, who may approve it, and what counts of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from registry.order_versions import CONTENT, Late, is_approved, stretches, versions_of

OPEN: dict[str, Any] = dict.fromkeys(CONTENT) | {
    "organisation": "O", "vehicle": "V1", "driver": "D1", "task_type": "official", "purpose": "", "status": "departed",
    "destinations": [], "exchanges": [], "planned_departure": datetime(2026, 3, 2, 0, tzinfo=UTC),
    "planned_return": datetime(2026, 3, 2, 4, tzinfo=UTC),
}  # fmt: skip
KEPT: dict[str, Any] = {
    "id": "X", "version": 1, "holds_from": None, "entered_at": datetime(2026, 3, 1, tzinfo=UTC),
    "received_at": datetime(2026, 3, 1, tzinfo=UTC), "entry_stated": False, "part_of": None, "leg_from": None, "leg_to": None,
    "covers_to": None, "backfill": False, "counts": True,
}  # fmt: skip
CLOSED: dict[str, Any] = {"status": "returned", "actual_return": datetime(2026, 3, 2, 4, tzinfo=UTC)}
NAMES = {"D1": "张三", "D2": "李四"}


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, second, tzinfo=UTC)


def old(**more: Any) -> dict[str, Any]:
    return OPEN | KEPT | more


def become(before: dict[str, Any] | None, entered: datetime, *, stated: bool = True, alerted: bool = False, **more: Any) -> list[dict[str, Any]]:  # fmt: skip
    new = (before or OPEN) | KEPT | {"entered_at": entered, "entry_stated": stated} | more
    return versions_of(before, before, new, Late(entered, stated, alerted, 2, NAMES))


def test_to_close_an_order_is_no_backfill() -> None:
    (one,) = become(old(), at(5), **CLOSED)
    assert (one["counts"], one["backfill"]) == (True, False)


@pytest.mark.parametrize(("hour", "second", "late"), [(3, 59, False), (4, 0, False), (4, 1, True)])
def test_a_change_after_the_return_is_one(hour: int, second: int, late: bool) -> None:
    entered = at(hour, 59 if hour == 3 else 0, second)
    (one,) = become(old(**CLOSED), entered, purpose="会议", driver="D2")
    assert one["backfill"] is late
    assert one["counts"] is not late


@pytest.mark.parametrize(
    "change",
    [
        {"vehicle": "V2"}, {"driver": "D2"}, {"task_type": "emergency"}, {"destinations": [{"name": "B"}]},
        {"planned_departure": at(1)}, {"planned_return": at(6)}, {"extended_return": at(6)}, {"status": "cancelled"},
        {"status": "departed", "actual_return": None}, {"actual_return": at(5)},
        {"exchanges": [{"vehicle": "V2", "since": "2026-03-02T02:00:00+00:00", "driver": None}]},
    ],
)  # fmt: skip
def test_every_change_of_what_was_driven_is_one_after_the_return(change: dict[str, Any]) -> None:
    (one,) = become(old(**CLOSED), at(8), **change)
    assert (one["backfill"], one["counts"]) == (True, False)


def test_an_alert_makes_a_change_a_backfill_also_before_the_return() -> None:
    (one,) = become(old(), at(3), alerted=True, destinations=[{"name": "B"}])
    assert one["backfill"]
    assert one["holds_from"] == at(3)  # what is to come is as the order says now


def test_a_new_order_for_a_trip_that_is_over_does_not_count_without_an_approver() -> None:
    (one,) = become(None, at(8), status="returned", actual_return=at(4))
    assert (one["backfill"], one["counts"]) == (True, False)
    (one,) = become(None, at(8), status="returned", actual_return=at(4), approver="王五")
    assert (one["backfill"], one["counts"]) == (True, True)


def test_a_register_of_old_orders_accuses_nobody() -> None:
    """Nobody says when they were entered, and no alert was published."""
    (one,) = become(None, datetime(2026, 11, 1, tzinfo=UTC), stated=False, **CLOSED)
    assert (one["backfill"], one["counts"]) == (True, True)


@pytest.mark.parametrize(
    ("approver", "applicant", "approved"),
    [
        (None, "赵六", False), ("", "赵六", False), ("王五", "赵六", True), ("王五", None, True), ("赵六", "赵六", False),
        ("D1", "赵六", False), ("张三", "赵六", False), (" 张 三 ", None, False), ("d1", None, False), ("李四", None, True),
    ],
)  # fmt: skip
def test_an_approver_is_neither_driver_nor_applicant(
    approver: str | None, applicant: str | None, approved: bool
) -> None:
    assert is_approved([None], OPEN | {"approver": approver, "applicant": applicant}, NAMES) is approved


def test_who_drove_before_cannot_approve_a_change_of_the_driver() -> None:
    assert not is_approved([OPEN], OPEN | {"driver": "D2", "approver": "张三"}, NAMES)


def test_closing_an_order_with_other_destinations_closes_it_and_lets_them_wait() -> None:
    closed, waits = become(old(), at(5), destinations=[{"name": "B"}], **CLOSED)
    assert (closed["counts"], closed["status"], closed["destinations"]) == (True, "returned", [])
    assert (waits["counts"], waits["destinations"]) == (False, [{"name": "B"}])


@pytest.mark.parametrize(("minute", "second", "limited"), [(59, 59, False), (0, 0, False), (0, 1, True)])
def test_a_return_after_the_cover_had_ended_does_not_widen_it_unapproved(
    minute: int, second: int, limited: bool
) -> None:
    """It was overdue from 6:00 on, and an alert said so."""
    back = at(5 if minute else 6, minute, second)
    found = become(old(), at(7), alerted=True, status="returned", actual_return=back)
    assert found[0]["status"] == "returned"
    assert found[0]["covers_to"] == (at(6) if limited else None)
    assert len(found) == (2 if limited else 1)
    (approved,) = become(old(), at(7), alerted=True, status="returned", actual_return=back, approver="王五")
    assert approved["covers_to"] is None


def test_a_backfill_stays_one_while_nothing_is_changed_about_the_past() -> None:
    before = old(backfill=True, **CLOSED)
    (one,) = become(before, at(9), purpose="会议")
    assert (one["backfill"], one["counts"]) == (True, True)


def test_each_vehicle_has_its_stretch() -> None:
    exchanges = [
        {"vehicle": "V2", "since": "2026-03-02T02:00:00+00:00", "driver": None},
        {"vehicle": "V3", "since": "2026-03-02T03:00:00+00:00", "driver": "D2"},
    ]
    rows = stretches([], old(exchanges=exchanges))
    assert [(r["vehicle"], r["driver"], r["leg_from"], r["leg_to"]) for r in rows] == [
        ("V1", "D1", None, at(2)), ("V2", "D1", at(2), at(3)), ("V3", "D2", at(3), None),
    ]  # fmt: skip
    assert [r["part_of"] for r in rows] == [None, "X", "X"]


def test_a_version_that_holds_from_a_time_on_leaves_the_stretch_before_to_the_one_before() -> None:
    rows = stretches([old()], old(vehicle="V2", holds_from=at(2)))
    assert [(r["vehicle"], r["leg_from"], r["leg_to"]) for r in rows] == [
        ("V2", at(2), None),
        ("V1", None, at(2)),
    ]


def test_an_extension_in_time_is_one_stretch_and_one_that_comes_too_late_is_not() -> None:
    (one,) = stretches([old()], old(extended_return=at(8), holds_from=at(4)))
    assert (one["leg_from"], one["leg_to"]) == (None, None)
    later, before = stretches([old()], old(extended_return=at(9), holds_from=at(7)))
    assert (later["leg_from"], before["leg_to"]) == (at(7), at(7))
