"""Import of card statements and exports of violations, row by row: good rows are written, bad ones named.

A row that is there already, from this file or another, is found again: by its number, or by its content.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rules.fleet.changes import lock_registry
from rules.fleet.fuel import stations_by_name
from rules.fleet.imports import MAX_FLAWS
from rules.fleet.outcomes import Outcome
from rules.fleet.refusals import Flaw
from rules.fleet.repository import apply
from rules.fleet.statements_files import read_sheets
from rules.fleet.statements_layout import FileMapping, Kind
from rules.fleet.statements_rows import MADE, Draft, Parsed, parse_statement
from rules.fleet.texts import name_key

#: Rows of one transaction: others wait for the registry no longer than one takes.
CHUNK: Final = 2_000
_MAX_STATIONS: Final = 50

_STORED: Final = {
    "statement": "SELECT id, card, at, kind, product, energy, quantity, (unit_price * 10000)::bigint AS unit_price,"
    " amount_fen AS amount, balance_fen AS balance, station, station_name, reverses, source FROM fuel_transactions",
    "violations": "SELECT id, plate, at, place, act, fine_fen AS fine, points, status, driver, source FROM violations",
}
_OWNER: Final = {"statement": "card", "violations": "plate"}


@dataclass(frozen=True, slots=True)
class StatementReport:
    """What an import did, or with ``dry_run`` would do. rows = created + updated + unchanged + repeated +
    refused. ``columns``: field -> header used. ``errors``: the first of ``error_count``, {row, field, message}.
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
    unmatched_stations: list[dict[str, Any]]
    unmatched_station_count: int
    errors: list[dict[str, Any]]
    error_count: int


def read_statement(
    kind: Kind, data: bytes, mapping: FileMapping, now: datetime, charset: str | None = None
) -> Parsed:
    """The rows of a file (CSV or XLSX); ``now`` by the database's clock. Raises UnreadableError."""
    return parse_statement(kind, read_sheets(data, charset), mapping, now)


async def import_statement(
    connection: Any, parsed: Parsed, *, source: str = "", dry_run: bool = False
) -> AsyncIterator[int | StatementReport]:
    """Write the drafts of ``parsed``, CHUNK rows a transaction (with ``dry_run`` rolled back). Yields how many
    drafts are done after each, last the report. ``source`` is kept with rows that are new.
    """
    writer = _Writer(connection, parsed, source)
    for start in range(0, len(parsed.drafts), CHUNK):
        drafts = parsed.drafts[start : start + CHUNK]
        transaction = connection.transaction()
        await transaction.start()
        keep = False
        try:
            await lock_registry(connection)
            await writer.write(drafts)
            keep = not dry_run
        finally:
            await (transaction.commit() if keep else transaction.rollback())
        yield start + len(drafts)
    yield writer.report(dry_run)


class _Writer:
    def __init__(self, connection: Any, parsed: Parsed, source: str) -> None:
        self._connection = connection
        self._parsed = parsed
        self._source = source
        self._kind = parsed.kind
        self._owner = _OWNER[parsed.kind]
        self._outcomes: Counter[Outcome] = Counter()
        self._unmatched: Counter[str] = Counter()
        # Ids that rows of this file have: none of them is taken for another row.
        self._claimed = {draft.record.id for draft in parsed.drafts}

    async def write(self, drafts: Sequence[Draft]) -> None:
        drafts = await self._known(drafts)
        stored = await self._stored_of(drafts)
        stations = await stations_by_name(self._connection) if self._kind == "statement" else {}
        records = []
        for draft in drafts:
            old = stored.get(draft.record.id)
            if old is not None and (old[self._owner], old["at"]) != (
                getattr(draft.record, self._owner),
                draft.record.at,
            ):
                message = (
                    f"编号 {draft.record.id[:40]} 已有另一条记录；编号不唯一时请在对照中设 number 为 null"
                    " · this number is another record's; if numbers are not unique, map `number` to null"
                )
                self._parsed.refuse(draft.row, Flaw(("number",), message))
                continue
            records.append(self._complete(draft.record, old, stations))
        self._outcomes.update(await apply(self._connection, records))

    async def _known(self, drafts: Sequence[Draft]) -> list[Draft]:
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
                self._parsed.refuse(draft.row, Flaw((self._owner,), message.format(name[:40])))
        return kept

    async def _stored_of(self, drafts: Sequence[Draft]) -> dict[str, dict[str, Any]]:
        """The stored rows that the drafts are, by id. Drafts that are stored under another id get that one."""
        select = _STORED[self._kind]
        by_id = await self._connection.fetch(
            f"{select} WHERE id = ANY($1::text[])", [draft.record.id for draft in drafts]
        )
        stored = {row["id"]: dict(row) for row in by_id}
        missing = [draft for draft in drafts if draft.record.id not in stored]
        same_time = f"({self._owner}, at) IN (SELECT * FROM unnest($1::text[], $2::timestamptz[]))"  # noqa: S608 - a constant of _OWNER
        alike = await self._connection.fetch(
            f"{select} WHERE {same_time} ORDER BY id",
            [getattr(draft.record, self._owner) for draft in missing],
            [draft.record.at for draft in missing],
        )
        free: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
        for row in alike:
            if row["id"] not in self._claimed:
                free[self._content(row)].append(dict(row))
        for draft in missing:
            # Two numbers are two records; one that came without its number, from another file, may be this.
            fitting = free[draft.content]
            match = next((r for r in fitting if not draft.numbered or r["id"].startswith(MADE)), None)
            if match is not None:
                fitting.remove(match)
                self._claimed.add(match["id"])
                stored[match["id"]] = match
                draft.record = draft.record.model_copy(update={"id": match["id"]})
        return stored

    def _content(self, row: Any) -> tuple[Any, ...]:
        if self._kind == "statement":
            return row["card"], row["at"], row["kind"], row["quantity"], row["amount"]
        return row["plate"], row["at"], name_key(row["act"])

    def _complete(self, record: Any, old: dict[str, Any] | None, stations: dict[str, str]) -> Any:
        """The record with what the file does not say as it is stored: another file may say less."""
        fill: dict[str, Any] = {"source": self._source}
        if self._kind == "statement":
            station = stations.get(name_key(record.station_name))
            if record.station_name and station is None:
                self._unmatched[record.station_name] += 1
            fill["station"] = station
        if old is not None:
            fill["source"] = old["source"]
            fill |= {
                name: value
                for name, value in old.items()
                if (fill[name] if name in fill else getattr(record, name)) in (None, "")
            }
            if self._kind == "statement" and not record.product and record.energy == "fuel":
                fill["energy"] = old["energy"]
            # An older export must not undo what was decided since.
            if self._kind == "violations" and record.status == "open":
                fill["status"] = old["status"]
        return record.model_copy(update=fill)

    def report(self, dry_run: bool) -> StatementReport:
        parsed, outcomes = self._parsed, self._outcomes
        return StatementReport(
            rows=parsed.rows,
            created=outcomes["created"],
            updated=outcomes["updated"],
            unchanged=outcomes["unchanged"],
            repeated=parsed.repeated,
            refused=parsed.refused,
            skipped=parsed.skipped,
            dry_run=dry_run,
            columns=parsed.columns,
            ignored_columns=parsed.ignored,
            unmatched_stations=[
                {"name": name, "rows": rows} for name, rows in self._unmatched.most_common(_MAX_STATIONS)
            ],
            unmatched_station_count=len(self._unmatched),
            errors=_shown(parsed.flaws),
            error_count=parsed.flaw_count,
        )


def _shown(flaws: Iterable[Flaw]) -> list[dict[str, Any]]:
    first = sorted(flaws, key=lambda flaw: flaw.row)[:MAX_FLAWS]
    return [{"row": f.row, "field": f.field or None, "message": f.message} for f in first]
