"""``gongche bundle``: the bundle of a case as a file, to be checked by ``gongche verify`` without a database."""

from __future__ import annotations

import argparse
import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import IO

from api.alerts.evidence import feature_collection
from api.documents.setting import papers_of_case
from gongche.commands.database import on_database
from office.documents.typesetting import typesetter
from office.identity.audit import MOST_PURPOSE, actor_of_command, note
from office.integrity import signing
from office.integrity.bundle import write_bundle
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.settings import load_settings
from telemetry.archive.partitions import hold_days


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="CASE", help="督办单编号或 id / the number of the case, or its id")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.zip")
    parser.add_argument(
        "--purpose", type=_purpose, metavar="TEXT", help="用途，记入审计 / what it is for; kept in the audit"
    )
    parser.epilog = """\
案卷包含经过、预警、判定、证据、地图数据、文书、附件及其哈希链证明；不含来电人信息
With the thread, alerts, judgements, evidence, map data, papers, files, and the proof that they are in the chains. Without callers.
核对 / to check it, anywhere, without a database: gongche verify FILE.zip --key ID"""


def _purpose(text: str) -> str:
    """What the audit takes as a purpose."""
    said = text.strip()
    if not said or not said.isprintable() or len(said) > MOST_PURPOSE:
        raise argparse.ArgumentTypeError(
            f"用途须为 1 至 {MOST_PURPOSE} 个可显示的字符 / 1 to {MOST_PURPOSE} characters that can be shown"
        )
    return said


def run(args: argparse.Namespace) -> int:
    return on_database("bundle", _bundle, args)


async def _bundle(args: argparse.Namespace, connection: Connection) -> int:
    output: Path = args.output
    scratch = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    settings = load_settings()
    key = signing.load_key(settings, make=False) if signing.has_key(settings) else None
    found = await connection.fetchrow(
        "SELECT id, organisation, vehicle FROM cases WHERE number = $1 OR id = $1", args.id
    )
    if found is None:
        raise ConfigurationError(
            f"没有这份督办单 / no such case: {args.id}", hint="the number is like 督〔2026〕jsj-0001号"
        )
    # Who asks who read a case finds this beside what was read over the API; it is there before anything is handed out.
    actor = replace(actor_of_command("gongche bundle"), purpose=args.purpose)
    case = found["id"]
    await note(
        connection, actor, "read", "cases", case,
        organisation=found["organisation"], vehicle=found["vehicle"], detail={"bundle": True},
    )  # fmt: skip
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await hold_days(connection)
        try:
            with _private(scratch) as file:
                papers = await papers_of_case(
                    connection, case, settings.document_issuer, typesetter(settings.document_fonts)
                )
                await write_bundle(connection, case, file, draw=feature_collection, documents=papers, key=key)
            scratch.replace(output)
        except OSError as error:
            raise ConfigurationError(f"{output}: {error.strerror or error}") from error
        finally:
            scratch.unlink(missing_ok=True)
    print(output)
    return 0


def _private(path: Path) -> IO[bytes]:
    """A new file that nobody else may read: it names people."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
