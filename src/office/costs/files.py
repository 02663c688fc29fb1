"""A file of costs (CSV in UTF-8 or GBK, XLSX): good rows are written, each bad row is told with its number and why.

The same file again adds nothing: a row is known by its number (流水号), or else by its content and how often that stood in the file before.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
from pydantic import ValidationError

from office.costs.entry import CostContents, body_of
from office.costs.kinds import KIND_WORDS, PAYER_NAMES
from office.costs.ledger import Origin, enter
from office.supervision.actors import Actor
from registry.refusals import explain
from registry.spelling import normal_plate
from registry.statements.cells import Cell, code_of, day_of, number_of, text_of
from registry.statements.named_rows import named_rows
from registry.writing import in_transaction
from runtime.connection import Connection
from runtime.errors import DeclinedError

#: Rows of a file, errors that are told.
MAX_ROWS: Final = 5_000
MAX_ERRORS: Final = 100
HEADERS: Final = {
    "流水号": "entry_no", "凭单号": "entry_no", "单位编号": "organisation", "单位": "organisation", "车辆": "vehicle", "车辆编号": "vehicle", "车牌": "plate",
    "车牌号": "plate", "号牌": "plate", "费用种类": "kind", "费用类型": "kind", "种类": "kind", "发生日": "occurred_on", "发生日期": "occurred_on",
    "日期": "occurred_on", "会计期间": "period", "期间": "period", "金额": "amount_fen", "金额(元)": "amount_fen", "金额（元）": "amount_fen",
    "数量": "quantity", "单价": "unit_price_fen", "商户": "vendor", "供应商": "vendor", "加油站": "vendor", "发票代码": "invoice_code",
    "发票号码": "invoice_no", "发票号": "invoice_no", "无发票原因": "no_invoice", "承担人": "payer", "经济分类": "budget_class", "项目": "budget_class",
    "派车单": "dispatch", "派车单号": "dispatch", "驾驶员": "driver", "驾驶员编号": "driver", "附件摘要": "attachment_sha256", "备注": "note",
} | {name: name for name in CostContents.model_fields}  # fmt: skip
_PAYERS: Final[dict[str, str]] = {word: code for code, name in PAYER_NAMES.items() for word in (code, name)}
#: Sold by 升 or 千瓦时: files give these, we keep ml and Wh.
_MEASURED: Final = frozenset({"fuel", "charging"})


async def import_entries(
    connection: Connection, actor: Actor, data: bytes, charset: str | None, name: str
) -> dict[str, Any]:
    """The report: rows, created, repeated, sums left out, refused, and the first errors. ``name``: of the file, kept with its rows. Raises
    UnreadableError for what is no table of costs."""
    digest, seen = hashlib.sha256(data).hexdigest(), Counter[bytes]()
    rows = created = repeated = sums = error_count = 0
    errors: list[dict[str, Any]] = []

    def refuse(number: int, field: str | None, message: str) -> None:
        nonlocal error_count
        error_count += 1
        if len(errors) < MAX_ERRORS:
            errors.append({"row": number, "field": field, "message": message})

    for number, cells, is_sum in _rows(data, charset):
        if is_sum:
            sums += 1
            continue
        rows += 1
        values, flaws = _values(cells)
        for field, message in flaws:
            refuse(number, field, message)
        if flaws:
            continue
        if (why := await _find_vehicle(connection, values)) is not None:
            refuse(number, "vehicle", why)
            continue
        try:
            contents = CostContents.model_validate(values)
        except ValidationError as error:
            for flaw in explain(error):
                refuse(number, flaw.field or None, flaw.message)
            continue
        body = orjson.dumps(body_of(contents), option=orjson.OPT_SORT_KEYS)
        seen[body] += 1
        id = f"FY-{hashlib.sha256(body + b'#%d' % seen[body]).hexdigest()[:32].upper()}"
        if await _is_there(connection, id, contents):
            repeated += 1
            continue
        origin = Origin("file", id, {"file": {"name": name, "sha256": digest, "row": number}})
        try:
            await in_transaction(connection, _writing(connection, actor, contents, origin))
            created += 1
        except DeclinedError as error:
            refuse(number, error.pointer.strip("/") or None, str(error))
    return {
        "rows": rows,
        "created": created,
        "repeated": repeated,
        "sums": sums,
        "refused": rows - created - repeated,
        "errors": errors,
        "error_count": error_count,
        "sha256": digest,
    }


def _writing(connection: Connection, actor: Actor, contents: CostContents, origin: Origin) -> Callable[[], Any]:  # fmt: skip
    async def write() -> str:
        return await enter(connection, actor, contents, origin)

    return write


async def _is_there(connection: Connection, id: str, contents: CostContents) -> bool:
    """Whether a row is a line already, just as it says."""
    if await connection.fetchval("SELECT EXISTS (SELECT FROM cost_entries WHERE id = $1)", id):
        return True
    if contents.entry_no is None:
        return False
    body = await connection.fetchval(
        "SELECT v.body -> 'contents' FROM cost_entries e JOIN cost_entry_versions v ON v.entry = e.id AND v.version = e.version"
        " WHERE e.organisation = $1 AND e.entry_no = $2",
        contents.organisation,
        contents.entry_no,
    )
    return body is not None and body == body_of(contents)


async def _find_vehicle(connection: Connection, values: dict[str, Any]) -> str | None:
    """Put the vehicle of a plate, and its unit where the row names none, into ``values``; why that is not possible, None = it is."""
    plate = values.pop("plate", None)
    if plate is not None and "vehicle" not in values:
        found = await connection.fetch(
            "SELECT id FROM vehicles WHERE plate = $1 ORDER BY id LIMIT 2", normal_plate(plate)
        )
        if len(found) != 1:
            return f"号牌 {plate} 对应 {len(found)} 辆车，请核对，或填写车辆编号 · the plate is that of {len(found)} vehicles; give the vehicle's id"
        values["vehicle"] = found[0]["id"]
    if "organisation" not in values and "vehicle" in values:
        unit = await connection.fetchval("SELECT organisation FROM vehicles WHERE id = $1", values["vehicle"])
        if unit is None:
            return f"车辆 {values['vehicle']} 未登记，或不在您的范围内 · no such vehicle, or it is not yours"
        values["organisation"] = unit
    return None


def _values(cells: dict[str, Cell]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The fields of a row, and what is wrong with them: (field, sentence)."""
    values: dict[str, Any] = {}
    flaws = []
    kind = KIND_WORDS.get(text_of(cells.get("kind", "")))
    if kind is None:
        flaws.append(
            (
                "kind",
                f"不认识的费用种类“{text_of(cells.get('kind', ''))}”，请用台账的名称 · unknown kind of cost",
            )
        )
    for name, cell in cells.items():
        if not text_of(cell):
            continue
        try:
            values[name] = _value(name, cell, kind)
        except ValueError as error:
            flaws.append((name, str(error)))
    return values, flaws


def _value(name: str, cell: Cell, kind: str | None) -> Any:
    if name == "kind":
        return kind
    if name in ("amount_fen", "unit_price_fen"):
        return number_of(cell, 2, name.removesuffix("_fen"))
    if name == "quantity" and kind not in _MEASURED:
        return number_of(text_of(cell).removesuffix("次"), 0, name)
    if name == "quantity":
        return number_of(cell, 3, name)
    if name == "occurred_on":
        return day_of(cell).isoformat()
    if name == "period":
        return text_of(cell).replace("-", "").replace("年", "").removesuffix("月")
    if name in ("invoice_code", "invoice_no", "entry_no"):
        return code_of(cell)
    if name == "payer":
        payer = _PAYERS.get(text_of(cell))
        if payer is None:
            raise ValueError("承担人应为单位、驾驶员或保险 · the payer is 单位, 驾驶员 or 保险")
        return payer
    return text_of(cell)


def _rows(data: bytes, charset: str | None) -> Iterator[tuple[int, dict[str, Cell], bool]]:
    """(row in the file, its cells by field, whether it is a row of sums) of the first sheet with the headers."""
    return named_rows(
        data, charset, HEADERS, ("kind", "amount_fen", "occurred_on"), MAX_ROWS,
        "没有找到表头，至少须有“费用种类”“发生日”“金额”三列 · no header: the columns 费用种类, 发生日 and 金额 are needed",
    )  # fmt: skip
