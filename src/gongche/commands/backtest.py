"""``gongche backtest``: stored history judged with other parameters; nothing is published."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from gongche.commands.arguments import day
from gongche.commands.database import on_database
from gongche.progress import FILE_S, in_place
from office.supervision.contents import FINDING_NAMES, Finding
from office.supervision.findings import labels_between
from registry import parameters
from registry.organisations import units_below
from rules.backtest import table
from rules.backtest.labels import Against, Findings, Label
from rules.backtest.model import Question, Row, Totals
from rules.backtest.run import Backtest, Progress
from rules.catalogue import RULES
from runtime.connection import Connection
from runtime.errors import GongcheError
from runtime.settings import load_settings
from runtime.units import midnight_us

_CODES = tuple(rule.code for rule in RULES)
#: How often progress is shown: on a terminal, and where it is no terminal.
_EVERY_S, _QUIET_S = 0.5, FILE_S
_FINDINGS = Findings(
    {code: f"{name} {code}" for code, name in FINDING_NAMES.items()},
    frozenset({Finding.VIOLATION, Finding.IRREGULAR}),
    frozenset({Finding.UNVERIFIABLE}),
)


class UsageError(GongcheError):
    """What was asked makes no sense."""

    exit_code = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rule",
        required=True,
        metavar="RULE",
        help=f"要回测的规则 / the rule to look at: {', '.join(_CODES)}",
    )
    parser.add_argument(
        "--from", dest="since", type=day, required=True, metavar="DATE", help="起始日 / the first day, YYYY-MM-DD"
    )  # fmt: skip
    parser.add_argument(
        "--to", dest="until", type=day, required=True, metavar="DATE", help="截止日（含） / the last day, included"
    )  # fmt: skip
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="NAME=VALUE",
        help="参数取值，可重复 / a parameter's value, may be repeated: ratio=1.3, ratio_permille=1300, ratio=130%%",
    )  # fmt: skip
    parser.add_argument(
        "--organisation",
        metavar="ID",
        help="只看一个单位，也只改它的参数 / one organisation: only its subjects, only its values",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="全部对象写入 CSV / every subject as CSV")
    parser.add_argument(
        "--show", type=int, default=20, metavar="N",
        help="每类列出的条数 / rows listed of each kind (%(default)s)",
    )  # fmt: skip
    parser.epilog = """\
用其他参数重新判定已存历史，不发布任何结果：哪些会新增疑似、撤销、数字不同、不变。
只读：在只读事务中进行，不影响入库与判定。日期为北京时间自然日。
--set 的值对所选范围内全部时间、全部单位生效（覆盖各单位自定值及生效日期）；给出 --organisation 时只对该单位。
不给 --set 即按现行参数重判，应当全部不变；不同之处多为尚未判定的新事实。
里程只用已冻结的导航路线；没有的计入“暂不能判”，不向导航引擎询问。

Judges stored history with other parameters and publishes nothing: what would be raised, withdrawn, different, unchanged.
Reads only, in a READ ONLY transaction; workers and judge go on. Days are natural days in Asia/Shanghai.
--set holds for all of the period and for every organisation, whatever it has set itself and from when on; with
--organisation for that one alone. Without --set the values in force are used and everything should be unchanged.
Only frozen routes are used for mileage; an order without one is counted apart, no engine is asked.
--csv is written whole or not at all: both judgements of every subject with their numbers, UTF-8 for spreadsheets.
See docs/backtest.md
退出码 / exit status: 0 已完成 / done, 2 用法 / usage

  gongche backtest --rule mileage --from 2026-03-01 --to 2026-03-31 --set ratio=1.3 --csv mileage.csv
  gongche backtest --rule refuel_frequency --from 2026-03-01 --to 2026-03-31 --set min_fills=3 --organisation jsj"""


def question_of(args: argparse.Namespace) -> Question:
    """What is asked. Raises UsageError with what there is to choose from."""
    if args.rule not in _CODES:
        raise UsageError(
            f"没有规则 {args.rule!r} / no such rule", hint=f"可用 / there are: {', '.join(_CODES)}"
        )
    if args.since > args.until:
        raise UsageError(
            f"--from {args.since} 晚于 / is after --to {args.until}",
            hint="--to 为最后一天，含当日 / is the last day, included",
        )
    if args.show < 0:
        raise UsageError(f"--show {args.show}: 应不小于 0 / must not be negative")
    values: dict[str, int] = {}
    for text in args.settings:
        if "=" not in text:
            raise UsageError(f"--set {text!r}: 应为 名称=值 / must be NAME=VALUE", hint=_choice(args.rule))
        try:
            name, value = parameters.parse(args.rule, text)
        except parameters.UnknownParameterError:
            raise UsageError(
                f"规则 {args.rule} 没有参数 / has no parameter {text.partition('=')[0]!r}",
                hint=_choice(args.rule),
            ) from None
        except parameters.ParameterRangeError as error:
            raise UsageError(f"--set 取值不可用 / cannot be used: {error}", hint=_choice(args.rule)) from None
        if name in values:
            raise UsageError(f"--set {name} 重复 / given twice")
        values[name] = value
    following = args.until + timedelta(days=1)
    return Question(args.rule, midnight_us(args.since), midnight_us(following), values, args.organisation)


def _choice(rule: str) -> str:
    return f"{rule} 的参数、默认值、单位 / its parameters, defaults, units:\n{table.describe(parameters.used_by(rule))}"


def run(args: argparse.Namespace) -> int:
    question_of(args)  # what makes no sense is said before the database is opened
    try:
        return on_database("backtest", _backtest, args)
    except KeyboardInterrupt:
        print("\n已中断，什么也没有改变 / interrupted, nothing was changed", file=sys.stderr)
        raise


async def _backtest(args: argparse.Namespace, connection: Connection) -> int:
    question, settings = question_of(args), load_settings()
    asked = settings.navigation_url or settings.navigation_engine == "amap"
    engine = settings.navigation_engine if asked else None
    totals = Totals(keep=args.show)
    async with Backtest.open(connection, question, engine=engine) as backtest:
        if not await backtest.organisation_exists():
            raise UsageError(f"单位 {question.organisation} 未登记 / unknown organisation")
        against = Against(_FINDINGS, await _labels(connection, question))
        with _csv(args.csv) as write, _shown(backtest.progress) as show:
            async for rows in backtest.rows():
                totals.add(rows)
                against.add(rows)
                write(rows)
                show()
        pending = backtest.pending
    _report(question, args, totals, pending)
    for line in against.lines():
        print(line)
    return 0


async def _labels(connection: Connection, question: Question) -> list[Label]:
    """What the office found about the alerts of the question, in the transaction of the backtest."""
    organisation = question.organisation
    units = None if organisation is None else await units_below(connection, [organisation])
    found = await labels_between(connection, question.rule, question.from_us, question.to_us, units)
    return [Label(one.subject, one.organisation, one.month, one.finding) for one in found]


def _report(question: Question, args: argparse.Namespace, totals: Totals, pending: int) -> None:
    name = next(rule.name for rule in RULES if rule.code == question.rule)
    of = "" if question.organisation is None else f"，单位 / organisation {question.organisation}"
    print(f"回测 / backtest: {name} {question.rule}，{args.since} 至 / to {args.until}{of}")
    for parameter in parameters.RULES[question.rule]:
        if parameter.name in question.values:
            print(
                f"  {parameter.name} = {question.values[parameter.name]} [{parameter.unit}]"
                f"（默认 / default {parameter.default}）"
            )
    if not question.values:
        print("  现行参数 / the values in force")
    print()
    if not totals.subjects:
        print("此期间没有可判的对象 / nothing to judge in this period")
    else:
        for line in table.summary(totals):
            print(line)
    if args.csv is not None:
        print(f"\n已写入 / written: {args.csv} ({totals.subjects:,} rows)")
    if pending:
        print(
            f"\n提示：还有 {pending:,} 项事实尚未判定，部分不同可能由此而来 / note: {pending:,} changed facts are not"
            " judged yet, some of what differs may be theirs",
            file=sys.stderr,
        )


@contextmanager
def _shown(progress: Progress) -> Iterator[Any]:
    """A function that shows the progress now and then; at the end what it took."""
    terminal, began, last = in_place(sys.stderr), time.monotonic(), time.monotonic()

    def show() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (_EVERY_S if terminal else _QUIET_S):
            return
        last = now
        share = 100 * progress.done // max(1, progress.total)
        line = (
            f"回测中 / judging: {progress.done:,} / {progress.total:,} ({share}%)，"
            f"定位 / positions {progress.positions:,}"
        )
        print(
            f"\r{line}\x1b[K" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True
        )

    yield show
    took = time.monotonic() - began
    clear = "\r\x1b[K" if terminal else ""
    print(
        f"{clear}用时 / took {took:.1f} s，定位 / positions {progress.positions:,}",
        file=sys.stderr,
        flush=True,
    )


@contextmanager
def _csv(target: Path | None) -> Iterator[Any]:
    """A function that takes rows; the file is there when all have been taken, and else not."""
    if target is None:
        yield lambda rows: None
        return
    rough, whole = target.with_name(target.name + ".rows"), target.with_name(target.name + ".part")
    names: dict[str, None] = {}
    try:
        with rough.open("w", encoding="utf-8") as file:

            def write(rows: list[Row]) -> None:
                for row in rows:
                    made = table.cells(row)
                    names.update(dict.fromkeys((*made[2], *made[1])))
                    file.write(json.dumps(made, ensure_ascii=False) + "\n")

            yield write
        with rough.open(encoding="utf-8") as file, whole.open("w", encoding="utf-8-sig", newline="") as out:
            _spread(file, out, sorted(names))
        os.replace(whole, target)
    except OSError as error:
        raise GongcheError(f"不能写入 / cannot write {target}: {error.strerror}") from error
    finally:
        for path in (rough, whole):
            path.unlink(missing_ok=True)


def _spread(rough: IO[str], out: IO[str], names: list[str]) -> None:
    """Rows as they came into columns, one for each measure."""
    writer = csv.writer(out)
    writer.writerow(table.header(names))
    for line in rough:
        text, now, then = json.loads(line)
        measures = [side.get(name) for name in names for side in (now, then)]
        writer.writerow([*text, *("" if value is None else value for value in measures)])
