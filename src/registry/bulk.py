"""Bulk import: CSV, JSON array or NDJSON to validated records, all of them or none.

Every row is looked at before anything is written, and every flaw names its row: in CSV as a spreadsheet
counts (the header is row 1), in NDJSON the line, in a JSON array the element (from 1).
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson
from pydantic import ValidationError

from registry.decimals import exact_json
from registry.model import KINDS, Record
from registry.refusals import Flaw, RefusedError, explain
from registry.repository import apply
from runtime.connection import Connection

#: Bounds of one import.
MAX_ROWS: Final = 20_000
MAX_BYTES: Final = 32 << 20
#: Flaws handed back; the rest are counted.
MAX_FLAWS: Final = 100

#: Kinds with quantities or money, whose JSON numbers are read as decimals.
EXACT: Final = frozenset({"fuel-transactions", "violations"})

Format = Literal["csv", "json", "ndjson"]

_MAX_CELL: Final = 1 << 20
csv.field_size_limit(_MAX_CELL)  # a fence of MAX_VERTICES needs more than the default of 128 KiB

#: Cells that hold JSON, and cells that hold a list with semicolons.
_JSON_CELLS: Final = frozenset({"origin", "destinations", "return_point", "geometry", "bindings"})
_LIST_CELLS: Final = frozenset({"vehicles", "aliases"})
_FLOAT_CELLS: Final = frozenset({"lat", "lon"})
_YES_NO_CELLS: Final = frozenset({"enabled", "workday"})
_FLOAT: Final = re.compile(r"-?\d{1,3}(\.\d{1,20})?", re.ASCII)
_YES_NO: Final = {"是": "true", "否": "false"}

#: Headers as offices write them.
CHINESE_HEADERS: Final[dict[str, dict[str, str]]] = {
    "organisations": {"编号": "id", "名称": "name", "上级单位": "parent"},
    "vehicles": {
        "编号": "id", "车牌号": "plate", "单位": "organisation", "类别": "category", "能源": "energy",
        "登记日期": "registered_on", "处置日期": "disposed_on",
    },
    "terminals": {
        "终端手机号": "id", "制造商": "manufacturer", "型号": "model", "终端编号": "device_id", "启用": "enabled",
        "车辆": "vehicle", "起始时间": "valid_from",
    },
    "drivers": {"编号": "id", "姓名": "name", "单位": "organisation", "电话": "phone"},
    "fences": {
        "编号": "id", "名称": "name", "单位": "organisation", "车辆": "vehicles", "坐标系": "datum", "几何": "geometry",
        "生效时间": "valid_from", "失效时间": "valid_to",
    },
    "dispatch-orders": {
        "派车单号": "id", "单位": "organisation", "车辆": "vehicle", "驾驶员": "driver", "任务类型": "task_type",
        "事由": "purpose", "状态": "status", "出发地": "origin", "目的地": "destinations", "返回地": "return_point",
        "计划出车": "planned_departure", "计划返回": "planned_return", "延长至": "extended_return",
        "实际出车": "actual_departure", "实际返回": "actual_return",
    },
    "fuel-cards": {
        "卡号": "id", "单位": "organisation", "发卡单位": "issuer", "状态": "status", "开卡日期": "opened_on",
        "销卡日期": "closed_on", "车牌号": "plate", "起始时间": "valid_from", "绑定历史": "bindings",
    },
    "fuel-stations": {
        "编号": "id", "名称": "name", "别名": "aliases", "纬度": "lat", "经度": "lon", "几何": "geometry", "坐标系": "datum",
    },
    "fuel-transactions": {
        "流水号": "id", "卡号": "card", "交易时间": "at", "交易类型": "kind", "油品": "product", "能源": "energy",
        "数量": "quantity", "单价": "unit_price", "金额": "amount", "余额": "balance", "站点": "station",
        "网点": "station_name", "原流水号": "reverses", "来源": "source",
    },
    "violations": {
        "违法编号": "id", "号牌号码": "plate", "违法时间": "at", "违法地点": "place", "违法行为": "act", "罚款金额": "fine",
        "记分": "points", "处理状态": "status", "驾驶员": "driver", "来源": "source",
    },
    "calendar-days": {"日期": "id", "day": "id", "工作日": "workday", "名称": "name", "来源": "source"},
}  # fmt: skip


class UnreadableError(RefusedError):
    """The file as a whole cannot be read: encoding, format, columns or size. Nothing was looked at
    further.
    """

    def __init__(self, message: str, *, field: str = "", row: int = 0) -> None:
        super().__init__([Flaw((field,) if field else (), message, row)])


class ImportRefusedError(RefusedError):
    """Some rows are wrong, so none was written. ``flaws`` are the first MAX_FLAWS, ``row`` as people count;
    ``total`` counts all of them."""

    def __init__(self, flaws: Sequence[Flaw], *, conflict: bool = False) -> None:
        super().__init__(sorted(flaws, key=lambda f: f.row)[:MAX_FLAWS], conflict=conflict)
        self.total = len(flaws)


@dataclass(frozen=True, slots=True)
class Row:
    """One row as read: its number as people count, and its fields or what is wrong with it."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    flaws: tuple[Flaw, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, or with ``dry_run`` would do. rows = created + updated + unchanged."""

    rows: int
    created: int
    updated: int
    unchanged: int
    dry_run: bool


def decode_text(data: bytes, charset: str | None = None) -> str:
    """The text of a file: ``charset`` if given, else UTF-8 (with or without BOM), else GB 18030 (GBK).

    Raises UnreadableError that names the byte that fits none.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableError("文件为 UTF-16，请另存为 CSV UTF-8 · the file is UTF-16; save it as CSV UTF-8")
    names = {
        "utf-8": "utf-8-sig",
        "utf8": "utf-8-sig",
        "gbk": "gb18030",
        "gb2312": "gb18030",
        "gb18030": "gb18030",
    }
    if charset is not None and charset.lower() not in names:
        raise UnreadableError("编码应为 UTF-8 或 GBK · the charset must be UTF-8 or GBK")
    tried = [names[charset.lower()]] if charset else ["utf-8-sig", "gb18030"]
    for encoding in tried:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            place = error.start
        if charset is None:
            _refuse_damaged_utf8(data, place)
    raise UnreadableError(
        f"第 {place + 1} 个字节不是有效的文字编码 · byte {place + 1} is neither UTF-8 nor GBK"
    )


def _refuse_damaged_utf8(data: bytes, place: int) -> None:
    """UTF-8 with a bad byte (cut inside a character), or lines in UTF-8 and lines in GBK: as GBK all of it reads as
    something, and the names would be wrong. ``place``: of the first byte that is no UTF-8. Raises UnreadableError; text
    that is GBK throughout makes next to no Chinese when it is read as UTF-8."""
    start = data.rfind(b"\n", 0, place) + 1
    end = data.find(b"\n", place)
    row = data.count(b"\n", 0, place) + 1
    line = data[start : end if end >= 0 else len(data)].decode("utf-8", errors="replace")
    if _chinese(line) >= 2 and _chinese(line) >= line.count("\ufffd"):
        raise UnreadableError(
            f"第 {row} 行第 {place + 1} 个字节损坏：文件是 UTF-8，但有不完整的字 · byte {place + 1}, row {row}: UTF-8 with a"
            " damaged character",
            row=row,
        )
    for number, other in enumerate(data.split(b"\n"), start=1):
        if other.isascii():
            continue
        try:
            found = other.decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        if _chinese(found) >= 2:
            raise UnreadableError(
                f"编码混杂：第 {number} 行为 UTF-8，第 {row} 行第 {place + 1} 个字节不是 · mixed encodings: line {number} is UTF-8,"
                f" byte {place + 1} in line {row} is not",
                row=number,
            )


def _chinese(text: str) -> int:
    return sum("\u4e00" <= c <= "\u9fff" for c in text)


def read_rows(kind: str, data: bytes, form: Format, charset: str | None = None) -> list[Row]:
    """The rows of a file, at most MAX_ROWS, not yet validated. Raises UnreadableError."""
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"文件超过 {MAX_BYTES >> 20} MiB · larger than {MAX_BYTES >> 20} MiB")
    if form == "json":
        try:
            elements = loads(kind, data)
        except orjson.JSONDecodeError as error:
            raise UnreadableError(f"不是有效的 JSON · not JSON: {error}") from None
        if not isinstance(elements, list):
            raise UnreadableError("应为 JSON 数组 · must be a JSON array")
        rows: Iterable[Row] = (_object(number, value) for number, value in enumerate(elements, start=1))
    elif form == "ndjson":
        rows = (
            _line(kind, number, line)
            for number, line in enumerate(data.split(b"\n"), start=1)
            if line.strip()
        )
    else:
        rows = _csv_rows(kind, decode_text(data, charset))
    found: list[Row] = []
    for row in rows:
        if len(found) == MAX_ROWS:
            raise UnreadableError(
                f"超过 {MAX_ROWS} 行，请分批导入 · more than {MAX_ROWS} rows; import in parts"
            )
        found.append(row)
    return found


def loads(kind: str, data: bytes) -> Any:
    """JSON of records of ``kind``, with exact decimals where the kind has them. Raises
    orjson.JSONDecodeError.
    """
    return exact_json(data) if kind in EXACT else orjson.loads(data)


def _object(number: int, value: object) -> Row:
    if isinstance(value, dict):
        return Row(number, value)
    return Row(number, flaws=(Flaw((), "应为对象 · must be an object", number),))


def _line(kind: str, number: int, line: bytes) -> Row:
    try:
        return _object(number, loads(kind, line))
    except orjson.JSONDecodeError as error:
        return Row(number, flaws=(Flaw((), f"不是有效的 JSON · not JSON: {error}"[:200], number),))


def _csv_rows(kind: str, text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    try:
        header = next(reader, [])
        columns = _columns(kind, header)
        for cells in reader:
            number += 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                message = f"应有 {len(columns)} 列，实有 {len(cells)} 列 · {len(columns)} columns expected, {len(cells)} found"
                yield Row(number, flaws=(Flaw((), message, number),))
                continue
            yield _cells(number, columns, cells)
    except csv.Error as error:
        raise UnreadableError(
            f"第 {number} 行之后不是有效的 CSV · not CSV after row {number}: {error}", row=number
        ) from None


def _columns(kind: str, header: Sequence[str]) -> list[str]:
    """Field names of the header. Raises UnreadableError for a column that is unknown, missing or there
    twice.
    """
    known = KINDS[kind].model_fields
    aliases = CHINESE_HEADERS[kind]
    columns = [aliases.get(name.strip(), name.strip()) for name in header]
    wrong = [name for name in columns if name not in known]
    if wrong:
        shown = "、".join(name[:40] or "（空）" for name in wrong[:10])
        raise UnreadableError(
            f"未知列：{shown}；可用的列 · unknown column; the columns are: {', '.join(known)}",
            field=wrong[0][:40],
            row=1,
        )
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise UnreadableError(
            f"列 {twice[0]} 出现多次 · this column comes more than once: {twice[0]}", field=twice[0], row=1
        )
    missing = [name for name, info in known.items() if info.is_required() and name not in columns]
    if missing:
        raise UnreadableError(f"缺少列 · missing column: {', '.join(missing)}", field=missing[0], row=1)
    return columns


def _cells(number: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    """Cells to fields; an empty cell is a field that is not given."""
    values: dict[str, Any] = {}
    flaws: list[Flaw] = []
    for name, raw in zip(columns, cells, strict=True):
        cell = raw.strip()
        if not cell:
            continue
        if name in _JSON_CELLS:
            try:
                values[name] = orjson.loads(cell)
            except orjson.JSONDecodeError:
                flaws.append(Flaw((name,), "单元格应为 JSON · the cell must hold JSON", number))
        elif name in _LIST_CELLS:
            values[name] = [part.strip() for part in cell.replace("；", ";").split(";") if part.strip()]
        elif name in _FLOAT_CELLS:
            values[name] = float(cell) if _FLOAT.fullmatch(cell) else cell
        elif name in _YES_NO_CELLS:
            values[name] = _YES_NO.get(cell, cell)
        else:
            values[name] = cell
    return Row(number, values, tuple(flaws))


def validate_rows(kind: str, rows: Sequence[Row]) -> list[Record]:
    """The records of ``rows``. Raises ImportRefusedError with the flaws of every row, repeated ids among
    them.
    """
    model = KINDS[kind]
    records: list[Record] = []
    flaws: list[Flaw] = []
    first: dict[str, int] = {}
    for row in rows:
        if row.flaws:
            flaws += row.flaws
            continue
        try:
            record = model.model_validate(row.values)
        except ValidationError as error:
            flaws += explain(error, row.number)
            continue
        if record.id in first:
            message = (
                f"编号 {record.id} 与第 {first[record.id]} 行重复 · the same id as in row {first[record.id]}"
            )
            flaws.append(Flaw(("id",), message, row.number))
            continue
        first[record.id] = row.number
        records.append(record)
    if flaws:
        raise ImportRefusedError(flaws)
    return records


async def import_records(
    connection: Connection, rows: Sequence[Row], records: Sequence[Record], *, dry_run: bool = False
) -> ImportReport:
    """Write ``records`` (validated from ``rows``) in a transaction of its own; with ``dry_run`` it is
    rolled back.

    Raises ImportRefusedError (unknown references, taken plates); then nothing was written.
    """
    transaction = connection.transaction()
    await transaction.start()
    keep = False
    try:
        outcomes = await apply(connection, records)
        keep = not dry_run
    except RefusedError as error:
        flaws = [Flaw(flaw.path, flaw.message, rows[flaw.row].number) for flaw in error.flaws]
        raise ImportRefusedError(flaws, conflict=error.conflict) from None
    finally:
        if keep:
            await transaction.commit()
        else:
            await transaction.rollback()
    counts = Counter(outcomes)
    return ImportReport(len(records), counts["created"], counts["updated"], counts["unchanged"], dry_run)
