"""``gongche import``: registry files to the API's bulk import."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import httpx

from telemetry.errors import ConfigurationError, GongcheError, UnavailableError

RESOURCES = ("organisations", "vehicles", "terminals", "drivers", "fences", "dispatch-orders")
_TYPES = {".csv": "text/csv", ".json": "application/json", ".ndjson": "application/x-ndjson"}
#: Row errors shown; the rest are counted.
_SHOWN = 50


class ImportRefusedError(GongcheError):
    """The API refused the file; nothing was written."""

    exit_code = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("resource", choices=RESOURCES, help="登记对象 / what the file holds")
    parser.add_argument("file", type=Path, help="CSV (UTF-8, GBK), JSON, NDJSON")
    parser.add_argument(
        "--api", default="http://127.0.0.1:8000", help="接口地址 / where the API is (%(default)s)"
    )
    parser.add_argument(
        "--token-file", type=Path, help="令牌文件 / a file with the token, else GONGCHE_TOKEN"
    )
    parser.add_argument("--dry-run", action="store_true", help="只检查 / check only, write nothing")
    parser.epilog = """\
令牌需要权限 registry:write / the token needs the scope registry:write
全部成功或全部不写入；重复导入不产生变化 / all rows or none; importing a file again changes nothing
  GONGCHE_TOKEN=... gongche import vehicles vehicles.csv --dry-run"""


def run(args: argparse.Namespace) -> int:
    kind = _TYPES.get(args.file.suffix.lower())
    if kind is None:
        raise ConfigurationError(f"{args.file}: unknown kind of file", hint="name it .csv, .json or .ndjson")
    try:
        body = args.file.read_bytes()
        token = (
            args.token_file.read_text().strip() if args.token_file else os.environ.get("GONGCHE_TOKEN", "")
        )
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: {error.strerror}") from error
    if not token:
        raise ConfigurationError(
            "no token", hint="set GONGCHE_TOKEN or give --token-file; see `gongche token`"
        )
    print(f"导入 / importing {args.file} ({len(body):,} bytes)", file=sys.stderr)
    try:
        response = httpx.post(
            f"{args.api.rstrip('/')}/v1/{args.resource}:import",
            params={"dry_run": "true"} if args.dry_run else None,
            content=body,
            headers={"Authorization": f"Bearer {token}", "Content-Type": kind},
            timeout=300,
        )
    except httpx.HTTPError as error:
        raise UnavailableError(
            f"{args.api} does not answer: {error}", hint="is `gongche api` running?"
        ) from error
    if response.is_success:
        print(response.text)
        return 0
    raise ImportRefusedError(_refusal(response))


def _refusal(response: httpx.Response) -> str:
    try:
        problem = response.json()
        lines = [f"{response.status_code} {problem.get('title', '')} {problem.get('detail', '')}".rstrip()]
        errors = problem.get("errors") or []
        lines += ["  " + " ".join(f"{key}={value}" for key, value in row.items()) for row in errors[:_SHOWN]]
        if len(errors) > _SHOWN:
            lines.append(f"  ... {len(errors) - _SHOWN} more")
    except (ValueError, AttributeError):
        return f"{response.status_code} {response.text[:500]}"
    return "\n".join(lines)
