"""Dialects obeyed: a terminal whose make is in the table gets a dated correction, one row of ``clock_corrections`` with the source
``dialect``, which the office's own word overrides. The SQL that writes these rows is here; whatever reads positions reads them as it reads
those of the office, and the vehicles are judged again.

A row begins when the device that has the phone number now was accepted, or before everything where it was the first: what it sent before
the table knew it was no other. A device that is seen to change gets its row from then on, and the row of the one before ends.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

import asyncpg

from runtime.connection import Connection
from runtime.errors import UnavailableError
from runtime.postgres import DATABASE_ERRORS
from telemetry.jt808.tables.dialects import Deviation, Dialect
from telemetry.terminals.directory import Terminal

logger = logging.getLogger(__name__)

#: Terminals of one transaction.
_TOGETHER: Final = 1_000
_VALUES: Final = ("shift_s", "datum", "odometer_unit_m", "fuel_unit_ml")


class DialectCorrections:
    """``dialects``: in the order in which they count; those without a deviation are passed over. One object a gateway; several
    gateways need the same table."""

    def __init__(self, pool: asyncpg.Pool, dialects: Sequence[Dialect]) -> None:
        self._pool = pool
        self._dialects = [one for one in dialects if not one.deviation.nothing]
        #: What each terminal was when it was looked at: manufacturer and model.
        self._makes: dict[int, tuple[str, str]] = {}
        self._waiting: set[int] = set()
        #: Terminals that were another make when they were looked at before.
        self._exchanged: set[int] = set()

    def of(self, manufacturer: str, model: str) -> Dialect | None:
        """The first dialect that a terminal of this make speaks, and that says something."""
        make = manufacturer.strip(), model.strip()
        return next((one for one in self._dialects if one.is_surely_of(*make)), None)

    async def begin(self, terminals: Iterable[Terminal]) -> None:
        """Make the rows what the table says of all ``terminals`` there are: the table may be another than at the last start. Raises
        UnavailableError."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await _forget_labels(connection, {one.label: one.deviation for one in self._dialects})
        except DATABASE_ERRORS as error:
            raise _unavailable(error) from error
        await self.follow(terminals)

    async def follow(self, terminals: Iterable[Terminal]) -> None:
        """``terminals`` may have changed. Raises UnavailableError; they are looked at again the next time then."""
        for one in terminals:
            make = one.manufacturer, one.model
            before = self._makes.get(one.no)
            if before == make:
                continue
            if before is not None and any(before):
                self._exchanged.add(one.no)
            if before is not None or self.of(*make) is not None:
                self._waiting.add(one.no)
            self._makes[one.no] = make
        waiting = sorted(self._waiting)
        for start in range(0, len(waiting), _TOGETHER):
            part = waiting[start : start + _TOGETHER]
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    await self._write(connection, part)
            except DATABASE_ERRORS as error:
                raise _unavailable(error) from error
            self._waiting.difference_update(part)
            self._exchanged.difference_update(part)

    async def _write(self, connection: Connection, numbers: Sequence[int]) -> None:
        await connection.execute(
            "SELECT FROM terminals WHERE no = ANY($1::integer[]) ORDER BY phone FOR NO KEY UPDATE", numbers
        )
        rows = await connection.fetch(
            "SELECT t.no, t.phone, t.manufacturer, t.model, c.id, c.dialect, c.shift_s, c.datum, c.odometer_unit_m, c.fuel_unit_ml"
            " FROM terminals t LEFT JOIN clock_corrections c ON c.terminal_no = t.no AND c.source = 'dialect' AND c.valid_to IS NULL"
            " WHERE t.no = ANY($1::integer[]) ORDER BY t.phone",
            numbers,
        )
        ended: list[str] = []
        removed: list[str] = []
        made: list[tuple[Any, ...]] = []
        for row in rows:
            wanted = self.of(row["manufacturer"], row["model"])
            there = None if row["id"] is None else (row["dialect"], _deviation(row))
            if there == (None if wanted is None else (wanted.label, wanted.deviation)):
                continue
            if there is not None:  # another device has come, or the table speaks of other models now
                (ended if row["no"] in self._exchanged else removed).append(row["id"])
            if wanted is not None:
                values = tuple(getattr(wanted.deviation, name) for name in _VALUES)
                made.append((row["no"], row["phone"], *values, wanted.label, row["no"] in self._exchanged))
        if ended:
            await connection.execute(
                "UPDATE clock_corrections SET valid_to = GREATEST(clock_timestamp(), valid_from + interval '1 microsecond'),"
                " updated_at = clock_timestamp() WHERE id = ANY($1::text[])",
                sorted(ended),
            )
        if removed:
            await connection.execute(
                "DELETE FROM clock_corrections WHERE id = ANY($1::text[])", sorted(removed)
            )
        if made:
            await connection.execute(
                "INSERT INTO clock_corrections (id, terminal_no, valid_from, shift_s, datum, odometer_unit_m, fuel_unit_ml, source, dialect,"
                " note) SELECT 'dialect:' || u.phone || '@' || to_char(s.since AT TIME ZONE 'UTC', 'YYYYMMDD\"T\"HH24MISS.US'), u.no, s.since,"
                " u.shift_s, u.datum, u.odometer, u.fuel, 'dialect', u.label, '厂家方言表 · by the table of dialects: ' || u.label"
                " FROM unnest($1::integer[], $2::text[], $3::bigint[], $4::text[], $5::integer[], $6::integer[], $7::text[], $8::boolean[])"
                " AS u (no, phone, shift_s, datum, odometer, fuel, label, exchanged) CROSS JOIN LATERAL (SELECT GREATEST("
                " CASE WHEN u.exchanged THEN clock_timestamp() ELSE '2000-01-01Z' END,"
                " (SELECT max(n.last_at) FROM terminal_notices n WHERE n.terminal_no = u.no AND n.kind = 'device_accepted'),"
                " (SELECT max(c.valid_to) FROM clock_corrections c WHERE c.terminal_no = u.no AND c.source = 'dialect')) AS since) s"
                " ON CONFLICT DO NOTHING",
                *([one[k] for one in made] for k in range(8)),
            )
            logger.info("corrections by the table of dialects: %d terminals", len(made))


async def _forget_labels(connection: Connection, table: dict[str, Deviation]) -> None:
    """Rows of dialects that the table has no more go; those that say something else by now are changed where they stand."""
    await connection.execute(
        "DELETE FROM clock_corrections WHERE source = 'dialect' AND dialect <> ALL($1::text[])", sorted(table)
    )
    columns = [[getattr(one, name) for one in table.values()] for name in _VALUES]
    await connection.execute(
        "UPDATE clock_corrections c SET shift_s = u.shift_s, datum = u.datum, odometer_unit_m = u.odometer, fuel_unit_ml = u.fuel,"
        " updated_at = clock_timestamp() FROM unnest($1::text[], $2::bigint[], $3::text[], $4::integer[], $5::integer[])"
        " AS u (label, shift_s, datum, odometer, fuel) WHERE c.source = 'dialect' AND c.dialect = u.label"
        " AND (c.shift_s, c.datum, c.odometer_unit_m, c.fuel_unit_ml) IS DISTINCT FROM (u.shift_s, u.datum, u.odometer, u.fuel)",
        list(table),
        *columns,
    )


def _unavailable(error: BaseException) -> UnavailableError:
    return UnavailableError(f"corrections by dialects are not written: {error or type(error).__name__}")


def _deviation(row: Any) -> Deviation:
    return Deviation(*(row[name] for name in _VALUES))
