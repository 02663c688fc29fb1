"""A file of rosters (排班表; CSV in UTF-8 or GBK, XLSX), a row a driver and day: good rows are entered, each bad row is told with its number and why. The same file again
adds nothing."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

from pydantic import ValidationError

from registry.duty import MOST_DAYS, DutyShift, RosterDay, RosterDays, days_allowed, enter_days, too_far
from registry.refusals import explain
from registry.statements.cells import Cell, code_of, day_of, text_of
from registry.statements.named_rows import named_rows
from runtime.connection import Connection

#: Rows of a file, errors that are told.
MAX_ROWS: Final = 5_000
MAX_ERRORS: Final = 100
HEADERS: Final = {
    "驾驶员": "driver", "驾驶员编号": "driver", "编号": "driver", "日期": "day", "班次": "shifts", "时间": "shifts", "driver": "driver", "day": "day",
    "shifts": "shifts",
}  # fmt: skip
#: What people write for a day off, and for one that is as the week.
_OFF: Final = frozenset({"休", "休息", "公休", "off", "OFF"})
_AS_WEEK: Final = frozenset({"同周", "按周", "week"})
_SHIFT: Final = re.compile(r"(\d{1,2})[:：](\d\d)\s*[-~—–至到]+\s*(\d{1,2})[:：](\d\d)")


def shifts_of(text: str) -> list[DutyShift] | None:
    """`08:00-12:00 14:00-17:30`; 休 = off; 同周 = as the week (None). Raises ValueError."""
    if text in _AS_WEEK:
        return None
    if text in _OFF:
        return []
    found = [
        DutyShift.model_validate({"from": f"{int(h):02d}:{m}", "to": f"{int(to_h):02d}:{to_m}"})
        for h, m, to_h, to_m in _SHIFT.findall(text)
    ]
    if not found or _SHIFT.sub("", text).strip(" 、，,；;和"):
        raise ValueError("班次应如 08:00-12:00 14:00-17:30；休息写“休” · shifts such as 08:00-12:00 14:00-17:30, or 休")  # fmt: skip
    return found


async def import_roster(
    connection: Connection, actor: str, actor_name: str, data: bytes, charset: str | None, own: str | None
) -> dict[str, Any]:
    """The report: rows, entered, repeated, refused, and the first errors. ``own``: the driver who enters it, whose days another person enters. Raises UnreadableError for
    what is no table of days."""
    rows = refused = 0
    errors: list[dict[str, Any]] = []
    found: dict[str, dict[date, RosterDay]] = {}

    def refuse(number: int, field: str, message: str, count: int = 1) -> None:
        nonlocal refused
        refused += count
        if len(errors) < MAX_ERRORS:
            errors.append({"row": number, "field": field, "message": message})

    missing = "没有找到表头，须有“驾驶员编号”“日期”“班次”三列 · no header: the columns 驾驶员编号, 日期 and 班次 are needed"
    first_row: dict[str, int] = {}
    allowed = await days_allowed(connection)
    for number, cells, is_sum in named_rows(
        data, charset, HEADERS, ("driver", "day", "shifts"), MAX_ROWS, missing
    ):
        if is_sum or not any(text_of(cell) for cell in cells.values()):
            continue
        rows += 1
        try:
            driver, day = _read(cells)
        except ValidationError as error:
            refuse(number, "shifts", explain(error)[0].message)
            continue
        except ValueError as error:
            refuse(number, "shifts", str(error))
            continue
        if not allowed[0] <= day.day <= allowed[1]:
            refuse(number, "day", too_far(allowed))
            continue
        if day.day in found.setdefault(driver, {}):
            refuse(number, "day", "该驾驶员的这一天在文件中写了两次，以前一行为准 · the day of this driver stands in the file twice; the first counts")  # fmt: skip
            continue
        first_row.setdefault(driver, number)
        found[driver][day.day] = day
    entered = 0
    units = dict(await connection.fetch("SELECT id, organisation FROM drivers WHERE id = ANY($1::text[])", sorted(found)))  # fmt: skip
    for driver, days in found.items():
        if driver not in units:
            refuse(first_row[driver], "driver", f"驾驶员 {driver} 未登记，或不在您的范围内 · no such driver, or not yours", len(days))  # fmt: skip
            continue
        if driver == own:
            refuse(first_row[driver], "driver", OWN_ROSTER, len(days))
            continue
        ordered = [days[day] for day in sorted(days)]
        for start in range(0, len(ordered), MOST_DAYS):
            part = ordered[start : start + MOST_DAYS]
            entered += await enter_days(
                connection, units[driver], driver, RosterDays(days=part), actor, actor_name
            )
    return {"rows": rows, "entered": entered, "repeated": rows - entered - refused, "refused": refused, "errors": errors}  # fmt: skip


#: Overtime follows from it.
OWN_ROSTER: Final = (
    "本人的排班须由另一人登记 · another person enters the roster of a driver who keeps rosters"
)


def _read(cells: dict[str, Cell]) -> tuple[str, RosterDay]:
    driver, text = code_of(cells.get("driver", "")), text_of(cells.get("shifts", ""))
    return driver, RosterDay(day=day_of(cells.get("day", "")), shifts=shifts_of(text))
