"""A file of complaints (CSV in UTF-8 or GBK, XLSX): good rows are written, each bad row is told with its number and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import asyncpg
from pydantic import ValidationError

from office.supervision.actors import Actor
from office.supervision.callers import CallerKey
from office.supervision.complaints import Complaint, RepeatedError, take_in
from office.supervision.problems import NotAllowedError
from registry.refusals import Flaw, UnreadableError, explain
from registry.statements.files import read_sheets
from registry.writing import in_transaction
from runtime.connection import Connection
from runtime.errors import InvalidError
from runtime.units import CHINA

#: Rows of a file, errors that are told.
MAX_ROWS: Final = 2_000
MAX_ERRORS: Final = 100
HEADERS: Final = {
    "工单号": "ticket", "工单编号": "ticket", "诉求编号": "ticket", "类别": "category", "诉求类别": "category",
    "受理时间": "received_at", "来电时间": "received_at", "诉求": "claim", "诉求内容": "claim", "投诉内容": "claim",
    "车牌": "plate", "车牌号": "plate", "号牌": "plate", "地点": "place", "发生地点": "place", "发生时间": "happened_at",
    "单位": "organisation", "来电人": "caller_name", "姓名": "caller_name", "来电号码": "caller_phone",
    "联系电话": "caller_phone", "电话": "caller_phone",
} | {name: name for name in Complaint.model_fields}  # fmt: skip
_TIMES: Final = ("received_at", "happened_at")
_FORMS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M")


async def import_complaints(
    connection: Connection, actor: Actor, data: bytes, charset: str | None, key: Callable[[], CallerKey]
) -> dict[str, Any]:
    """The report: rows, created, repeated, refused, and the first errors. ``key`` is asked for at the first caller.

    Raises UnreadableError for what is no table of complaints, NoKeyError when there are callers and no key."""
    read = [*_rows(data, charset)]
    forms: list[tuple[int, Complaint]] = []
    errors: list[dict[str, Any]] = []
    for number, values in read:
        try:
            forms.append((number, Complaint.model_validate(values)))
        except ValidationError as error:
            errors += [_shown(number, flaw) for flaw in explain(error)]
    held = key() if any(form.caller is not None for _, form in forms) else None
    created = repeated = 0
    for number, form in forms:

        async def write(form: Complaint = form) -> str:
            return await take_in(connection, actor, form, "file", held)

        try:
            await in_transaction(connection, write)
            created += 1
        except RepeatedError:
            repeated += 1
        except asyncpg.UniqueViolationError:
            # Its unit is not the caller's to see: whose it is, is not said.
            taken = f"工单号 {form.ticket} 已由其他单位登记 · ticket {form.ticket} is taken by another unit"
            errors.append({"row": number, "field": "ticket", "message": taken})
        except (InvalidError, NotAllowedError) as error:
            field = error.pointer.strip("/") if isinstance(error, InvalidError) else None
            errors.append({"row": number, "field": field, "message": str(error)})
    errors.sort(key=lambda error: error["row"])
    return {
        "rows": len(read),
        "created": created,
        "repeated": repeated,
        "refused": len(read) - created - repeated,
        "errors": errors[:MAX_ERRORS],
        "error_count": len(errors),
    }


def _shown(row: int, flaw: Flaw) -> dict[str, Any]:
    return {"row": row, "field": flaw.field or None, "message": flaw.message}


def _rows(data: bytes, charset: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row in the file, the values of its fields) of the first sheet with the headers."""
    names: dict[int, str] = {}
    count = 0
    for sheet in read_sheets(data, charset):
        for number, cells in sheet.lines():
            texts = ["" if cell is None else str(cell).strip() for cell in cells]
            if not names:
                found = {k: HEADERS[text] for k, text in enumerate(texts) if text in HEADERS}
                if {"ticket", "claim"} <= set(found.values()):
                    if len(set(found.values())) < len(found):
                        raise UnreadableError(
                            "有两列是同一内容，请留一列 · two columns mean the same", row=number
                        )
                    names = found
                continue
            count += 1
            if count > MAX_ROWS:
                raise UnreadableError(
                    f"超过 {MAX_ROWS} 行，请分次导入 · more than {MAX_ROWS} rows; import in parts"
                )
            values: dict[str, Any] = {
                name: texts[k] for k, name in names.items() if k < len(texts) and texts[k]
            }
            yield number, values | {name: _time(values[name]) for name in _TIMES if name in values}
        if names:
            return
    raise UnreadableError("没有找到表头，至少须有“工单号”和“诉求内容”两列 · no header: the columns 工单号 and 诉求内容 are needed")  # fmt: skip


def _time(text: str) -> Any:
    """A time as offices write it: in China, without an offset. What is another thing is left as it is, and refused."""
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=CHINA)
        except ValueError:
            continue
    return text
