"""``gongche migrate``: apply the migrations that the database does not have yet."""

from __future__ import annotations

import argparse
import asyncio
import sys

from runtime.embedded_postgres import open_database
from runtime.logs import configure_logging
from runtime.migrations import expected_schema_version, migrate
from runtime.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "不降级；可重复运行 / never downgrades; running it again changes nothing"


def run(args: argparse.Namespace) -> int:
    settings = load_settings()
    configure_logging("WARNING", "migrate")
    with open_database(settings, lambda line: print(line, file=sys.stderr)) as dsn:
        applied = asyncio.run(migrate(dsn))
    for name in applied:
        print(f"已应用 / applied {name}")
    print(f"数据库结构版本 / schema version {expected_schema_version()}")
    return 0
