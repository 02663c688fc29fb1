"""Import of card statements and exports of violations, row by row: good rows are written, bad ones named.

A row that is there already, from this file or another, is found again: by its number, or by its content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from registry.bulk import MAX_FLAWS, DryRun
from registry.records import apply
from registry.refusals import Flaw
from registry.spelling import name_key
from registry.statements.columns import FileMapping, Kind
from registry.statements.files import read_sheets
from registry.statements.matching import OWNER, StoredRows, same_time, without_seconds
from registry.statements.rows import Draft, Parsed, parse_statement
from registry.stations import stations_by_name
from registry.values import WriteResult
from registry.writing import Lock, in_transaction, take
from runtime.connection import Connection

#: Rows of one transaction: other imports of statements wait no longer than one takes.
CHUNK: Final = 2_000
_MAX_STATIONS: Final = 50
_LOCK: Final = {"statement": Lock.STATEMENTS, "violations": Lock.VIOLATIONS}

# What an import takes back never: what is decided counts, whatever an older export says.
_RANK: Final = {"open": 0, "handled": 1, "revoked": 2, "appealed": 2}


@dataclass(frozen=True, slots=True)
class StatementReport:
    """What an import did, or with ``dry_run`` would do. rows = created + updated + unchanged + repeated +
    refused. ``columns``: field -> header used. ``notes``: what was converted or
    left out, for people. ``errors``: the first of ``error_count``, {row, field, column, message}.
    ``unmatched_stations``: {name, rows}, most rows first, of names that no station bears.
    """

    rows: int
    created: int
    updated: int
    unchanged: int
    repeated: int
    refused: int
    skipped: int
    dry_run: bool
    columns: dict[str, str]
    ignored_columns: list[str]
    notes: list[str]
    unmatched_stations: list[dict[str, Any]]
    unmatched_station_count: int
    errors: list[dict[str, Any]]
    error_count: int


def read_statement(
    kind: Kind,
    data: bytes,
    mapping: FileMapping,
    now: datetime,
    charset: str | None = None,
    most_refused: int = 0,
) -> Parsed:
    """The rows of a file (CSV or XLSX); ``now`` by the database's clock. ``most_refused``: of so many refused rows every flaw is
    kept. Raises UnreadableError."""
    return parse_statement(kind, read_sheets(data, charset), mapping, now, most_refused)


async def import_statement(
    connection: Connection, parsed: Parsed, *, source: str = "", dry_run: bool = False
) -> AsyncIterator[int | StatementReport]:
    """Write the drafts of ``parsed``, CHUNK rows a transaction (with ``dry_run`` rolled back). Yields how many
    drafts are done after each, last the report. ``source`` is kept with rows that are new.
    """
    writer = _Writer(connection, parsed, source)
    for start in range(0, len(parsed.drafts), CHUNK):
        drafts = parsed.drafts[start : start + CHUNK]
        await writer.write(drafts, dry_run)
        yield start + len(drafts)
    yield writer.report(dry_run)


@dataclass(slots=True)
class _Made:
    """What became of the drafts of one transaction."""

    results: Counter[WriteResult] = field(default_factory=Counter)
    unmatched: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[int, Flaw]] = field(default_factory=list)


class _Writer:
    def __init__(self, connection: Connection, parsed: Parsed, source: str) -> None:
        self._connection = connection
        self._parsed = parsed
        self._source = source
        self._kind = parsed.kind
        self._owner = OWNER[parsed.kind]
        self._results: Counter[WriteResult] = Counter()
        self._unmatched: Counter[str] = Counter()
        self._stored = StoredRows(connection, parsed)

    async def write(self, drafts: Sequence[Draft], dry_run: bool) -> None:
        """Write ``drafts`` in a transaction of their own; with ``dry_run`` it is rolled back. What becomes of them is counted
        when it is done: the transaction may be begun again."""
        made = _Made()

        async def write() -> None:
            nonlocal made
            made = _Made()
            await take(self._connection, _LOCK[self._kind])
            await self._write(drafts, made)
            if dry_run:
                raise DryRun([])

        with suppress(DryRun):
            await in_transaction(self._connection, write)
        self._results.update(made.results)
        self._unmatched.update(made.unmatched)
        for row, flaw in made.refused:
            self._parsed.refuse(row, flaw)

    async def _write(self, drafts: Sequence[Draft], made: _Made) -> None:
        drafts = await self._known(drafts, made)
        stored = await self._stored.of(drafts)
        stations = await stations_by_name(self._connection) if self._kind == "statement" else {}
        records = []
        for draft in drafts:
            old = stored.get(draft.record.id)
            owner, at = getattr(draft.record, self._owner), draft.record.at
            # One file has the time of payment, the other that of the booking alone: still one record, with the better time.
            booked = old is not None and (old.get("posted") or getattr(draft.record, "posted", False))
            if old is not None and (old[self._owner] != owner or not (booked or same_time(old["at"], at))):
                message = (
                    f"编号 {draft.record.id[:40]} 已有另一条记录；编号不唯一时请在对照中设 number 为 null"
                    " · this number is another record's; if numbers are not unique, map `number` to null"
                )
                made.refused.append((draft.row, Flaw(("number",), message)))
                continue
            records.append(self._complete(draft.record, old, stations, made))
        made.results.update(await apply(self._connection, records))

    async def _known(self, drafts: Sequence[Draft], made: _Made) -> list[Draft]:
        """Refuses the rows of cards that are not registered, and of plates that are not ours."""
        names = sorted({getattr(draft.record, self._owner) for draft in drafts})
        if self._kind == "statement":
            query = "SELECT id FROM fuel_cards WHERE id = ANY($1::text[])"
            message = "油卡 {} 未登记，请先登记 · this card is not registered; register it first"
        else:
            query = "SELECT DISTINCT plate FROM vehicles WHERE plate = ANY($1::text[])"
            message = "号牌 {} 不是登记的公务用车 · not our vehicle"
        known = {name for (name,) in await self._connection.fetch(query, names)}
        kept = []
        for draft in drafts:
            name = getattr(draft.record, self._owner)
            if name in known:
                kept.append(draft)
            else:
                made.refused.append((draft.row, Flaw((self._owner,), message.format(name[:40]))))
        return kept

    def _complete(
        self, record: Any, old: dict[str, Any] | None, stations: dict[str, str], made: _Made
    ) -> Any:
        """The record with what the file does not say as it is stored: another file may say less."""
        fill: dict[str, Any] = {"source": self._source}
        given = old is not None and old.get("station_given")
        if self._kind == "statement":
            fill["station"] = None  # its name says it, unless someone else did
            if record.station_name and not given and name_key(record.station_name) not in stations:
                made.unmatched[record.station_name] += 1
        if old is not None:
            fill["source"] = old["source"]
            fill |= {
                name: value
                for name, value in old.items()
                if (name != "station" or given)
                and (fill[name] if name in fill else getattr(record, name, value)) in (None, "")
            }
            if self._kind == "statement" and not record.product and record.energy == "fuel":
                fill["energy"] = old["energy"]
            if self._kind == "statement" and record.posted and not old["posted"]:
                fill |= {"at": old["at"], "posted": False}
            elif without_seconds(record.at) and same_time(old["at"], record.at):
                fill["at"] = old["at"]
            # An older export must not undo what was decided since; the office may, record by record.
            if self._kind == "violations" and _RANK[record.status] <= _RANK[old["status"]]:
                fill["status"] = old["status"]
        return record.model_copy(update=fill)

    def report(self, dry_run: bool) -> StatementReport:
        parsed, results = self._parsed, self._results
        return StatementReport(
            rows=parsed.rows,
            created=results["created"],
            updated=results["updated"],
            unchanged=results["unchanged"],
            repeated=parsed.repeated,
            refused=parsed.refused,
            skipped=parsed.skipped,
            dry_run=dry_run,
            columns=parsed.columns,
            ignored_columns=parsed.ignored,
            notes=parsed.notes,
            unmatched_stations=[
                {"name": name, "rows": rows} for name, rows in self._unmatched.most_common(_MAX_STATIONS)
            ],
            unmatched_station_count=len(self._unmatched),
            errors=_shown(parsed.flaws),
            error_count=parsed.flaw_count,
        )


def _shown(flaws: Iterable[Flaw]) -> list[dict[str, Any]]:
    first = sorted(flaws, key=lambda flaw: flaw.row)[:MAX_FLAWS]
    return [flaw.shown() for flaw in first]
