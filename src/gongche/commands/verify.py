"""``gongche verify``: judge frozen evidence again and compare with what is stored."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from dataclasses import dataclass, field

from gongche.commands.database import on_database
from gongche.progress import Progress
from rules.alerts.evaluations import with_evidence
from rules.catalogue import RULES, verify
from rules.evidence import UnknownVersionError
from runtime.connection import Connection

_AT_ONCE = 100
#: Nothing differs, but not everything could be judged again.
UNKNOWN_STATUS = 3
#: Differences shown; the rest are counted.
_SHOWN = 50


@dataclass(slots=True)
class Tally:
    """How many judgements were judged again, how many of them do not hold; ``unknown``: those of a version of a rule that
    this program does not have, by what it is."""

    checked: int = 0
    wrong: int = 0
    unknown: Counter[str] = field(default_factory=Counter)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rule", choices=[rule.code for rule in RULES], metavar="RULE", help="只核对一条规则 / one rule only: %(choices)s"
    )  # fmt: skip
    parser.epilog = """\
逐条用冻结的证据重判，核对结论、数字与 SHA-256、SM3；只读
Judges the frozen evidence of every judgement that has some, and compares outcome, numbers and both hashes. Reads only.
退出码 / exit status: 1 有不符 / something differs; 3 有本程序没有的规则版本 / something is of a version of a rule that this
program does not have: its hashes hold, it was not judged again"""


def run(args: argparse.Namespace) -> int:
    return on_database("verify", _verify, args)


async def _verify(args: argparse.Namespace, connection: Connection) -> int:
    tally = await _verified(connection, args.rule)
    print(f"已核对 / checked {tally.checked:,}，不符 / differ {tally.wrong:,}")
    for what, count in sorted(tally.unknown.items()):
        print(f"未知版本，未重判 / unknown version, not judged again: {what}: {count:,}")
    if tally.wrong:
        return 1
    return UNKNOWN_STATUS if tally.unknown else 0


async def _verified(connection: Connection, rule: str | None) -> Tally:
    tally, progress, after = Tally(), Progress(), 0
    try:
        while rows := await with_evidence(connection, rule, after, _AT_ONCE):
            for row in rows:
                try:
                    wrong = await asyncio.to_thread(
                        verify, row.body, outcome=row.outcome, measures=row.measures, sha256=row.sha256, sm3=row.sm3
                    )  # fmt: skip
                except UnknownVersionError as error:
                    tally.unknown[str(error)] += 1
                    continue
                tally.checked += 1
                if wrong:
                    tally.wrong += 1
                    if tally.wrong <= _SHOWN:
                        print(f"{row.rule} {row.subject} (evaluation {row.id}):", *wrong, sep="\n  ")
            after = rows[-1].id
            progress.tell(f"核对中 / checking: {tally.checked:,}")
    finally:
        progress.end()
    return tally
