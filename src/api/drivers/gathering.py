"""Where the sheet of a driver meets trips, tracks, violations and what people entered: the facts of a quarter."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from office.assessment.driver_records import found_by_hand, table_for
from office.assessment.driver_sheet import Added, Found, Open, sheet_of
from office.assessment.driver_table import DriverFact
from office.assessment.periods import Period
from office.dispatch.conduct import Conduct, conduct_of
from office.dispatch.drives import Drive, driven, drives_of
from office.dispatch.threads import load_clocks
from registry.drivers import drivers_of
from registry.violations import ViolationRow, violations_of_plates
from runtime.connection import Connection
from runtime.units import CHINA, from_us, midnight, to_us

#: Violations that do not count.
_NOT_COUNTED: Final = frozenset({"revoked", "appealed"})


async def gathered(connection: Connection, driver: str, unit: str, period: Period, added: Added | None = None) -> dict[str, Any]:  # fmt: skip
    """The sheet of a driver of ``unit`` as it is now."""
    name = (await drivers_of(connection, [driver]))[driver][0]
    table, terms = await table_for(connection, unit, period.first)
    since, until = midnight(period.first), midnight(period.following.first)
    drives = await drives_of(connection, driver, since, until)
    stretches, unseen = await driven(connection, drives, (await load_clocks(connection)).rows)
    conduct, unsaid = await conduct_of(connection, driver, since, until)
    facts = [*await found_by_hand(connection, driver, period), *map(_of_conduct, conduct)]
    for one in stretches:
        if one.too_long:
            at = from_us(one.since_s * 1_000_000)
            what = f"轨迹显示自 {at.astimezone(CHINA):%m-%d %H:%M} 起连续驾驶 {one.driven_s // 60} 分钟，其间停车休息不足 20 分钟"
            facts.append(Found(DriverFact.REST, f"{one.dispatches[0]}/{one.since_s}", "、".join(one.dispatches), at.astimezone(CHINA).date(), what))  # fmt: skip
    violations, doubtful = await _violations(connection, driver, drives)
    facts += violations
    undetermined = [
        Open(DriverFact.REST, unseen, "派车单没有可用轨迹 · no track of the dispatch"),
        Open(
            DriverFact.LATE_ENTRY,
            unsaid,
            "由调度员代登或断网登记 · entered by somebody else, or without a network",
        ),
        Open(DriverFact.VIOLATION, doubtful, "违法记录写明的驾驶员是别人 · the record names another driver"),
    ]
    return sheet_of(driver, name, str(period), table, terms, facts, [each for each in undetermined if each.count], added)  # fmt: skip


def _of_conduct(one: Conduct) -> Found:
    said = f"晚 {one.minutes} 分钟" if one.minutes else ""
    return Found(DriverFact(one.kind), one.source, one.number, _day(one.at), said)


async def _violations(connection: Connection, driver: str, drives: list[Drive]) -> tuple[list[Found], int]:
    """Violations of the vehicles while he had them, and of how many the record names another driver."""
    wanted = [(drive.plate, to_us(drive.departed), to_us(drive.returned) + 1) for drive in drives]
    found, doubtful = [], 0
    for row in await violations_of_plates(connection, wanted):
        if row.status in _NOT_COUNTED:
            continue
        if row.driver not in (None, driver):
            doubtful += 1
            continue
        found.append(Found(DriverFact.VIOLATION, row.id, row.id, _day(from_us(row.at_us)), _what(row)))
    return found, doubtful


def _what(row: ViolationRow) -> str:
    at = from_us(row.at_us).astimezone(CHINA)
    return f"{at:%m-%d %H:%M} {row.act or row.code}".strip()


def _day(at: datetime) -> Any:
    return at.astimezone(CHINA).date()
