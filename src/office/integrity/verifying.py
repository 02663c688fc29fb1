"""Compares what is chained with its chains, what stands beside with what is chained, and positions with what evidence rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from office.integrity import tracks
from office.integrity.comparing import Comparison, Finding, Kept, Report, Tell
from office.integrity.heads import Heads
from office.integrity.signing import NamedKey, PublicKey, key_flaws, named_keys, reached
from office.integrity.standing import compare_alerts, compare_cases
from office.integrity.streams import STREAMS, UNREADABLE
from runtime.connection import Connection
from runtime.partitions import partitions_of
from runtime.units import US_PER_DAY, from_us, to_us
from telemetry.archive.cold import catalogue
from telemetry.archive.cold.layout import ColdDamagedError
from telemetry.archive.partitions import hold_days
from telemetry.log.codec import MAX_ROWS


async def verify_chains(
    connection: Connection,
    kept: Kept,
    *,
    heads: Heads | None = None,
    trusted: str | None = None,
    tell: Tell = lambda _: None,
    only: Iterable[str] | None = None,
) -> Report:
    """Compare everything, or the streams ``only``, in one snapshot of the database. ``heads``: exported ones; ``trusted``: id of
    the key that must have begun the chains; who else signed must have it from that one, key by key. In the caller's transaction, or else in one of its own that reads only."""
    report = Report()
    async with AsyncExitStack() as stack:
        if not connection.is_in_transaction():
            await stack.enter_async_context(
                connection.transaction(isolation="repeatable_read", readonly=True)
            )
            await hold_days(connection)
        now = await connection.fetchval("SELECT now()")
        named = await named_keys(connection)
        keys = {key.id: PublicKey(key.public) for key in named}
        for id, what in key_flaws(named):
            report.findings.append(Finding("keys", "key", id, what))
        if trusted is not None and trusted not in keys:
            report.findings.append(
                Finding(
                    "keys", "key", trusted, "各链并非由该密钥签名 · the chains are not signed by this key"
                )
            )
        for stream in STREAMS:
            if only is None or stream.name in only:
                await Comparison(connection, stream, report, keys, kept, now, heads, tell).run()
        report.findings += _signers(report, named, heads, trusted)
        if only is None or "alerts" in only:
            await compare_alerts(connection, report, tell)
        if only is None or "case_events" in only:
            await compare_cases(connection, report, tell)
        if only is None or "positions" in only:
            await _positions(connection, report, kept, now, tell)
    return report


def _time(us: int) -> datetime | None:
    """A time; None for one that no calendar has: of a list that was changed."""
    try:
        return from_us(us)
    except OverflowError:
        return None


def _signers(
    report: Report, keys: Sequence[NamedKey], heads: Heads | None, trusted: str | None
) -> list[Finding]:
    """Keys that signed and may not have: neither the trusted one, nor reached from it by signed handovers."""
    allowed = reached(keys, trusted)
    found = [
        Finding(
            "keys",
            "key",
            id,
            f"签署了 {count:,} 个区块，却不是所信任的密钥，也未经其确认 · it signed {count:,} blocks, and is neither the trusted key"
            " nor named by it",
        )
        for id, count in sorted(report.signed.items())
        if id not in allowed
    ]
    if heads is not None and heads.key.id not in allowed:
        found.append(
            Finding(
                "keys",
                "key",
                heads.key.id,
                "签署了链头文件，却不是所信任的密钥，也未经其确认 · it signed the exported heads, and is neither the trusted key nor"
                " named by it",
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _Aside:
    """Something that was in the quarantine and left it. ``terminal`` None: its record could not be read when it was set aside."""

    id: int
    terminal: int | None
    since_us: int
    until_us: int

    def explains(self, terminal: int, received_us: int, made_us: int) -> bool:
        """Whether a position of ``terminal``, received at a time, can have been in it when a list was made: it was set aside before
        that list and ended after it, and holds only what was received before it was set aside. Clocks differ somewhat."""
        return (
            self.terminal in (None, terminal)
            and self.since_us - tracks.SLACK_US <= made_us <= self.until_us + tracks.SLACK_US
            and received_us <= self.since_us + tracks.SLACK_US
        )


async def _positions(connection: Connection, report: Report, kept: Kept, now: datetime, tell: Tell) -> None:
    """The positions that evidence rests on."""
    limit_us = int(now.timestamp()) * 1_000_000 - kept.positions * US_PER_DAY
    days = [name.removeprefix("positions_") for name in await partitions_of(connection, "positions")]
    cold = await catalogue.first_day(connection)
    days += [] if cold is None else [f"{catalogue.day_of(cold):%Y%m%d}"]
    first = min((day for day in days if day.isdecimal()), default="")
    aside = [
        _Aside(row["id"], row["terminal_no"], to_us(row["set_aside_at"]), to_us(row["ended_at"]))
        for row in await connection.fetch(
            "SELECT id, terminal_no, set_aside_at, ended_at FROM quarantine_ended"
        )
    ]
    unsure: dict[tuple[int, int, int], tuple[set[int], list[Finding]]] = {}
    after = b""
    while rows := await connection.fetch(
        "SELECT sha256, made_at, spans, rows, absent FROM evidence_positions WHERE sha256 > $1 ORDER BY sha256 LIMIT 100",
        after,
    ):
        after = rows[-1]["sha256"]
        for row in rows:
            report.evidences += 1
            report.absent += row["absent"]
            try:
                wrong = await tracks.compare(connection, row["spans"], row["rows"])
            except UNREADABLE:
                continue  # the list itself was changed: its chain says so
            except ColdDamagedError as error:
                report.findings.append(Finding("positions", "cold-file", error.file, error.message))
                continue
            made_us = to_us(row["made_at"])
            for one in wrong:
                terminal, t_us, fingerprint = one.position
                at = _time(t_us)
                if one.kind == "missing" and (t_us < limit_us or (at is not None and f"{at:%Y%m%d}" < first)):
                    report.past += 1
                    continue
                key = f"terminal {terminal}, {t_us if at is None else at.isoformat()}, {fingerprint}"
                finding = Finding(
                    "positions", f"position-{one.kind}", key, f"{_SAID[one.kind]} (evidence {row['sha256'].hex()[:16]})"
                )  # fmt: skip
                if one.kind == "inserted":
                    why = [each for each in aside if each.explains(terminal, one.received_us, made_us)]
                    if any(each.terminal is not None for each in why):
                        continue
                    if why:
                        entries, told = unsure.setdefault(one.position, (set(), []))
                        entries |= {each.id for each in why}
                        told.append(finding)
                        continue
                report.findings.append(finding)
        tell(f"证据所依据的定位 / positions of evidence: {report.evidences:,}")
    _unsure(report, unsure)


_SAID: Final = {
    "missing": "定位缺失 · the position is missing",
    "changed": "定位被改动 · the position was changed",
    "inserted": "插入的定位（或网关与日志中断半小时以上后补存） · the position was put in (or a gateway that was cut off from the log for more"
    " than half an hour handed it in afterwards)",
}


def _unsure(report: Report, found: Mapping[tuple[int, int, int], tuple[set[int], list[Finding]]]) -> None:
    """Positions that may have been in records which nobody could read when they were set aside: it is not known of which terminals
    those were. Where there are more positions than the records can have held, some were put in: then all are named."""
    entries = set[int]().union(*(ids for ids, _ in found.values()))
    if len(found) > MAX_ROWS * len(entries):
        report.findings += [finding for _, findings in found.values() for finding in findings]
        return
    for ids, findings in found.values():
        numbers = ", ".join(map(str, sorted(ids)[:5]))
        what = (
            f"无法核对：可能来自当时无法解码、后来离开隔离区的记录 {numbers} · cannot be checked: it may have been in a record that could"
            f" not be read then and left the quarantine later ({numbers})"
        )
        report.unsure.append(Finding("positions", "position-unsure", findings[0].key, what))
