"""``gongche import``: registry files, card statements and exports of violations to the API."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from gongche.progress import Progress
from runtime.errors import ConfigurationError, GongcheError, UnavailableError
from runtime.logs import one_line

#: Files of records: all rows or none.
RESOURCES = (
    "organisations",
    "vehicles",
    "terminals",
    "drivers",
    "fences",
    "dispatch-orders",
    "fuel-cards",
    "fuel-stations",
    "fuel-transactions",
    "clock-corrections",
    "calendar-days",
)
#: Files as oil companies and the traffic police give them, row by row -> the operation of the API.
STATEMENTS = {
    "statement": "fuel-transactions:import-statement",
    "violations": "violations:import-export",
}
_STATEMENT_TYPES = {
    ".csv": "text/csv",
    ".txt": "text/csv",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xlsm": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xls": "application/vnd.ms-excel",  # mostly something else under this name; the API sees what
}
_TYPES = _STATEMENT_TYPES | {
    ".json": "application/json", ".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson",
}  # fmt: skip
#: Row errors shown; the rest are counted.
_SHOWN = 50
_BLOCK = 1 << 18
#: Nothing is wrong with the file: the same can be sent again later.
_NOT_NOW = (408, 429, 502, 503, 504)


class ImportRefusedError(GongcheError):
    """The API refused the file; nothing was written."""

    exit_code = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "resource", choices=(*RESOURCES, *STATEMENTS), metavar="resource",
        help="登记对象 / what the file holds: %(choices)s",
    )  # fmt: skip
    parser.add_argument("file", type=Path, help="CSV (UTF-8, GBK), XLSX, JSON, NDJSON; statements: CSV, XLSX")
    parser.add_argument(
        "--api", default="http://127.0.0.1:8000", help="接口地址 / where the API is (%(default)s)"
    )
    parser.add_argument(
        "--token-file", type=Path, help="令牌文件 / a file with the token, else GONGCHE_TOKEN"
    )
    parser.add_argument("--dry-run", action="store_true", help="只检查 / check only, write nothing")
    parser.add_argument(
        "--mapping", type=Path, metavar="FILE",
        help='列名对照 / statements: JSON, our field to their header, such as {"card": "卡片编码"}',
    )  # fmt: skip
    parser.epilog = """\
令牌需要权限 registry:write / the token needs the scope registry:write
登记数据全部成功或全部不写入；重复导入不产生变化 / records: all rows or none; importing a file again changes nothing
statement 油卡对账单、violations 交警违法数据：逐行导入，错误行列出 / row by row, bad rows are listed
退出码 / exit status: 0 全部成功 all good, 1 有行被拒绝 rows were refused, 75 暂时不可写，稍后再试 try again later
  GONGCHE_TOKEN=... gongche import vehicles vehicles.csv --dry-run
  GONGCHE_TOKEN=... gongche import statement 2026-03.xlsx --mapping columns.json"""


def run(args: argparse.Namespace) -> int:
    statement = args.resource in STATEMENTS
    types = _STATEMENT_TYPES if statement else _TYPES
    kind = types.get(args.file.suffix.lower())
    if kind is None:
        hint = f"文件名应以此结尾 / name it {', '.join(types)}"
        if args.file.suffix.lower() == ".geojson":
            hint = "围栏图形放入记录的 geometry 字段 / put it into the field `geometry` of a fence, in a .json file"
        raise ConfigurationError(f"{args.file}: 不认识的文件类型 / unknown kind of file", hint=hint)
    if args.mapping and not statement:
        raise ConfigurationError("--mapping is for statement and violations")
    try:
        body = args.file.read_bytes()
        mapping = args.mapping.read_text("utf-8-sig") if args.mapping else None
        token = (
            args.token_file.read_text().strip() if args.token_file else os.environ.get("GONGCHE_TOKEN", "")
        )
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{args.mapping or args.token_file}: not UTF-8") from error
    if not token:
        raise ConfigurationError(
            "no token", hint="set GONGCHE_TOKEN or give --token-file; see `gongche token`"
        )
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    print(f"导入 / importing {args.file} ({len(body):,} bytes)", file=sys.stderr)
    try:
        if statement:
            return _statement(args, body, _compact(args.mapping, mapping), headers)
        response = httpx.post(
            f"{args.api.rstrip('/')}/v1/{args.resource}:import",
            params={"dry_run": "true"} if args.dry_run else None,
            content=body,
            headers=headers,
            timeout=300,
        )
    except httpx.HTTPError as error:
        raise UnavailableError(
            f"{args.api} does not answer: {error}", hint="is `gongche api` running?"
        ) from error
    if response.is_success:
        print(response.text)
        _ask(response)
        return 0
    raise _refused(response)


def _compact(file: Path, text: str | None) -> str | None:
    try:
        return None if text is None else json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError as error:
        raise ConfigurationError(f"{file}: not JSON: {error}") from error


def _statement(args: argparse.Namespace, body: bytes, mapping: str | None, headers: dict[str, str]) -> int:
    params = {"source": args.file.name[:200]}
    if args.dry_run:
        params["dry_run"] = "true"
    if mapping is not None:
        params["mapping"] = mapping
    url = f"{args.api.rstrip('/')}/v1/{STATEMENTS[args.resource]}"
    progress = Progress()
    headers |= {"Accept": "application/x-ndjson", "Content-Length": str(len(body))}
    with httpx.stream(
        "POST", url, params=params, content=_uploaded(body, progress), headers=headers, timeout=300
    ) as response:
        if not response.is_success:
            response.read()
            raise _refused(response)
        report = _followed(response, progress)
    errors = report.pop("errors")
    print(json.dumps(report, ensure_ascii=False, indent=2))
    lines = [_line(row) for row in errors[:_SHOWN]]
    if report["error_count"] > len(lines):
        lines.append(f"  ... {report['error_count'] - len(lines)} more")
    for line in lines:
        print(line, file=sys.stderr)
    return 1 if report["refused"] else 0


def _uploaded(body: bytes, progress: Progress) -> Iterator[bytes]:
    for start in range(0, len(body), _BLOCK):
        yield body[start : start + _BLOCK]
        if len(body) > 4 * _BLOCK:
            progress.tell(f"上传 / sent {min(100, (start + _BLOCK) * 100 // len(body))} %")


def _followed(response: httpx.Response, progress: Progress) -> dict[str, Any]:
    """The report, the last line of the answer; the lines before it say how far the import is."""
    report: dict[str, Any] = {}
    for line in response.iter_lines():
        report = json.loads(line)
        if "done" in report:
            progress.tell(f"处理 / rows {report['done']:,} of {report['rows']:,}")
    progress.end()
    if "problem" in report:
        problem = report["problem"]
        raise UnavailableError(
            f"{problem.get('status')} {problem.get('detail')}",
            hint="rows written so far stay; import the file again",
        )
    if "refused" not in report:
        raise UnavailableError("the answer broke off", hint="rows written so far stay; import the file again")
    return report


def _refused(response: httpx.Response) -> GongcheError:
    if response.status_code in _NOT_NOW:
        hint = "rows written so far stay; import the file again later"
        return UnavailableError(_refusal(response), hint=hint)
    return ImportRefusedError(_refusal(response))


def _line(error: dict[str, Any]) -> str:
    """One error or question as people read it: the file's own row and header, then what is wrong."""
    row, column = error.get("row"), error.get("column") or error.get("pointer")
    where = "，".join(
        part for part in (f"第 {row} 行" if row else "", f"“{column}”" if column else "") if part
    )
    # What a file holds comes back here: its control characters must not reach the terminal.
    return one_line(f"  {where}：{error.get('message', '')}" if where else f"  {error.get('message', '')}")


def _ask(response: httpx.Response) -> None:
    """Print what was written and may still be wrong."""
    try:
        report = response.json()
        warnings, count = report.get("warnings") or [], report.get("warning_count", 0)
    except (ValueError, AttributeError):
        return
    if warnings:
        print(f"请核对 {count} 处 / please check {count}:", file=sys.stderr)
    for warning in warnings[:_SHOWN]:
        print(_line(warning), file=sys.stderr)
    if count > _SHOWN and warnings:
        print(f"  ... {count - _SHOWN} more", file=sys.stderr)


def _refusal(response: httpx.Response) -> str:
    try:
        problem = response.json()
        head = f"{response.status_code} {problem.get('title', '')} {problem.get('detail', '')}"
        lines = [one_line(head).rstrip()]
        errors = problem.get("errors") or []
        lines += [_line(row) for row in errors[:_SHOWN]]
        if len(errors) > _SHOWN:
            lines.append(f"  ... {len(errors) - _SHOWN} more")
    except (ValueError, AttributeError):
        return one_line(f"{response.status_code} {response.text[:500]}")
    return "\n".join(lines)
