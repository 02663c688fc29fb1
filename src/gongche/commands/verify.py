"""``gongche verify``: judge frozen evidence again, compare what is stored with its chains; or check the bundle of a case."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gongche.commands.database import on_database
from gongche.progress import Progress
from office.integrity import heads
from office.integrity.comparing import Kept, Report
from office.integrity.verifying import verify_chains
from rules.alerts.evaluations import with_evidence
from rules.catalogue import RULES, verify
from rules.evidence import UnknownVersionError
from runtime.connection import Connection
from runtime.errors import text_of
from runtime.faults import of_one_fact
from runtime.settings import load_settings

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
        "bundle", nargs="?", type=Path, metavar="BUNDLE.zip", help="只核对该案卷包，不用数据库 / check this bundle, offline"
    )  # fmt: skip
    parser.add_argument(
        "--rule", choices=[rule.code for rule in RULES], metavar="RULE", help="只核对一条规则 / one rule only: %(choices)s"
    )  # fmt: skip
    parser.add_argument(
        "--heads", type=Path, metavar="FILE", help="与导出的链头比对 / compare with exported heads of the chains"
    )  # fmt: skip
    parser.add_argument(
        "--key", metavar="ID", help="所信任的签名密钥编号 / id of the key that must have signed; see gongche seal --key"
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="以 JSON 逐行输出 / print JSON, an object a line")
    parser.epilog = """\
逐条用冻结的证据重判，核对结论、数字与 SHA-256、SM3；再核对全部哈希链与证据所依据的定位；只读
Judges the frozen evidence of every judgement that has some, and compares outcome, numbers and both hashes. Then compares every
row that is chained, and the positions that evidence rests on, with the chains (not with --rule). Reads only.
退出码 / exit status: 1 有不符 / something differs; 3 有本程序没有的规则版本，或有无法核对的定位 / something is of a version of a rule that
this program does not have (its hashes hold, it was not judged again), or a position could not be checked"""


def run(args: argparse.Namespace) -> int:
    if args.bundle is not None:
        return _verify_bundle(args)
    return on_database("verify", _verify, args)


def _verify_bundle(args: argparse.Namespace) -> int:
    """Without database and settings."""
    from office.integrity.bundle_check import check_bundle

    checked = check_bundle(args.bundle, args.key)
    if args.json:
        for flaw in checked.flaws:
            print(json.dumps({"name": flaw.name, "what": flaw.what}, ensure_ascii=False))
        print(json.dumps({"case": checked.case, "files": checked.files, "rows": checked.rows, "unsealed": checked.unsealed,
                          "signed": checked.signed, "unjudged": checked.unjudged, "keys": checked.keys, "flaws": len(checked.flaws)}, ensure_ascii=False))  # fmt: skip
    else:
        for flaw in checked.flaws[:_SHOWN]:
            print(f"{flaw.name}: {flaw.what}")
        print(
            f"督办单 / case {checked.case}：文件 / files {checked.files:,}，行 / rows {checked.rows:,}，尚未封存 / not sealed yet"
            f" {checked.unsealed:,}，不符 / differ {len(checked.flaws):,}"
        )
        print(f"签名密钥 / signed by: {', '.join(checked.keys) or '-'}")
        if not checked.signed:
            print(
                "文件清单未签名：仅各行、证据与附件有证明 / the list of files is not signed: only rows, evidence and attachments are proven"
            )
        if checked.unjudged:
            print(f"未知版本，未重判 / of an unknown version, not judged again: {checked.unjudged:,}")
        if args.key is None:
            print(
                "请与主管部门公布的密钥编号核对，或用 --key 指定 / compare the id with the one that was published, or give --key"
            )
    return 1 if checked.flaws else 0


async def _verify(args: argparse.Namespace, connection: Connection) -> int:
    known = None if args.heads is None else heads.load(args.heads)
    tally = await _verified(connection, args.rule, quiet=args.json)
    if args.json:
        unknown = dict(sorted(tally.unknown.items()))
        print(json.dumps({"judged": tally.checked, "differ": tally.wrong, "unknown": unknown}, ensure_ascii=False))  # fmt: skip
    else:
        print(f"已核对 / checked {tally.checked:,}，不符 / differ {tally.wrong:,}")
        for what, count in sorted(tally.unknown.items()):
            print(f"未知版本，未重判 / unknown version, not judged again: {what}: {count:,}")
    report = None if args.rule is not None else await _chains(args, connection, known)
    if tally.wrong or (report is not None and report.findings):
        return 1
    return UNKNOWN_STATUS if tally.unknown or (report is not None and report.unsure) else 0


async def _chains(args: argparse.Namespace, connection: Connection, known: heads.Heads | None) -> Report:
    """Compare with the chains, and say what differs."""
    settings, progress = load_settings(), Progress()
    kept = Kept(settings.evaluations_retention_days, settings.audit_retention_days, settings.retention_days)
    try:
        report = await verify_chains(connection, kept, heads=known, trusted=args.key, tell=progress.tell)
    finally:
        progress.end()
    late = [finding for finding in report.findings if finding.kind == "late"]
    if args.json:
        for finding in report.findings:
            print(json.dumps(asdict(finding), ensure_ascii=False))
        for finding in report.unsure:
            print(json.dumps({"not_checked": finding.key, "what": finding.what}, ensure_ascii=False))
        print(json.dumps({
            "rows": report.counts, "blocks": report.blocks, "waiting": report.waiting, "past_retention": report.past,
            "evidences": report.evidences, "absent_when_sealed": report.absent, "not_checked": len(report.unsure),
            "findings": len(report.findings),
        }, ensure_ascii=False))  # fmt: skip
        return report
    for finding in report.findings[:_SHOWN]:
        print(f"{finding.stream} {finding.kind} {finding.key}: {finding.what}")
    if len(report.findings) > _SHOWN:
        print(f"… 共 / in all {len(report.findings):,}; --json")
    print(
        f"哈希链 / chains: 行 / rows {report.rows:,}，区块 / blocks {report.blocks:,}，不符 / differ {len(report.findings):,}"
        f"，尚未封存 / not sealed yet {report.waiting:,}"
    )
    if late:
        print(f"其中迟到入链 / of these, late: {len(late):,}")
    if report.past:
        print(f"已过保存期限，无法核对 / past retention, cannot be checked: {report.past:,}")
    if report.absent:
        print(
            f"封存时定位已不在库 / positions that were gone already when their evidence was sealed: {report.absent:,}"
        )
    if report.unsure:
        print(f"无法核对 / could not be checked: {len(report.unsure):,}")
        for finding in report.unsure[:_SHOWN]:
            print(f"  {finding.key}: {finding.what}")
    return report


async def _verified(connection: Connection, rule: str | None, *, quiet: bool) -> Tally:
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
                except Exception as error:
                    if not of_one_fact(error):
                        raise
                    wrong = [
                        f"程序故障 · a fault of the program: {text_of(error)}"
                    ]  # the others are judged all the same
                tally.checked += 1
                if wrong:
                    tally.wrong += 1
                    if quiet:
                        named = {
                            "evaluation": row.id,
                            "rule": row.rule,
                            "subject": row.subject,
                            "what": wrong,
                        }
                        print(json.dumps(named, ensure_ascii=False))
                    elif tally.wrong <= _SHOWN:
                        print(f"{row.rule} {row.subject} (evaluation {row.id}):", *wrong, sep="\n  ")
            after = rows[-1].id
            progress.tell(f"核对中 / checking: {tally.checked:,}")
    finally:
        progress.end()
    return tally
