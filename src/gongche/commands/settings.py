"""``gongche settings``: what is in force, where it came from, what it means. Passwords are masked."""

from __future__ import annotations

import argparse

import orjson

from runtime.logs import redact
from runtime.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="以 JSON 输出 / as JSON")


def run(args: argparse.Namespace) -> int:
    settings = load_settings()
    if args.json:
        values = {
            f"GONGCHE_{name.upper()}": _shown(getattr(settings, name)) for name in Settings.model_fields
        }
        print(orjson.dumps(values, option=orjson.OPT_INDENT_2).decode())
        return 0
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        origin = "设置 / set" if name in settings.model_fields_set else "默认 / default"
        print(f"GONGCHE_{name.upper()}={_shown(value) if value is not None else ''}  [{origin}]")
        if field.description:
            print(f"    {field.description}")
    print("GONGCHE_ENV_FILE    a file with lines NAME=value, read when the variable is set")
    print("GONGCHE_EVENT_LOOP  asyncio or uvloop; unset = uvloop where it is installed")
    return 0


def _shown(value: object) -> str | None:
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    return None if value is None else redact(str(value))
