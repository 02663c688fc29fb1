"""Which stored record a row of a statement or an export is: by its number, else by its content.

Exports of one record differ: one has seconds and the other not (Excel drops them), one has the amount, one the number of
the violation and the other that of the decision. None of that makes a second record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final

from registry import transactions, violations
from registry.spelling import name_key
from registry.statements.rows import MADE, Draft, Parsed
from runtime.connection import Connection

#: The column that says whose record it is.
OWNER: Final = {"statement": "card", "violations": "plate"}

_STORED: Final = {
    "statement": transactions.TABLE.select("", hidden=True),
    "violations": violations.TABLE.select("", hidden=True),
}


Row = dict[str, Any]
Content = tuple[Any, ...]


def without_seconds(at: datetime) -> bool:
    """Whether a time may be one whose seconds were left out."""
    return at.second == 0 and at.microsecond == 0


def same_time(one: datetime, two: datetime) -> bool:
    """Whether two exports can mean one moment: the same, or the same minute where one has no seconds."""
    return one == two or (_minute(one) == _minute(two) and (without_seconds(one) or without_seconds(two)))


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


class StoredRows:
    """Finds the stored records of one file's drafts, each for one draft at most, however many calls it takes."""

    def __init__(self, connection: Connection, parsed: Parsed) -> None:
        self._connection = connection
        self._statement = parsed.kind == "statement"
        self._select = _STORED[parsed.kind]
        self._owner = OWNER[parsed.kind]
        # Ids that rows of this file have: none of them is taken for another row.
        self._claimed = {draft.record.id for draft in parsed.drafts}
        self._contents = {draft.content for draft in parsed.drafts}

    async def of(self, drafts: Sequence[Draft]) -> dict[str, Row]:
        """The stored records that ``drafts`` are, by id. Drafts stored under another id get that one."""
        by_id = await self._connection.fetch(
            f"{self._select} WHERE id = ANY($1::text[])", [draft.record.id for draft in drafts]
        )
        stored = {row["id"]: dict(row) for row in by_id}
        missing: defaultdict[Content, list[Draft]] = defaultdict(list)
        for draft in drafts:
            if draft.record.id not in stored:
                missing[_key(draft.content)].append(draft)
        for key, rows in (await self._alike(chain.from_iterable(missing.values()))).items():
            pairs = (
                (likeness, place, at)
                for place, draft in enumerate(missing[key])
                for at, row in enumerate(rows)
                if (likeness := self._likeness(draft, row)) is not None
            )
            found: set[int] = set()
            for _, place, at in sorted(pairs):  # the most alike first, whatever the order of the rows
                draft, row = missing[key][place], rows[at]
                if place not in found and row["id"] not in self._claimed:
                    found.add(place)
                    self._claimed.add(row["id"])
                    stored[row["id"]] = row
                    draft.record = draft.record.model_copy(update={"id": row["id"]})
        return stored

    async def _alike(self, drafts: Iterable[Draft]) -> dict[Content, list[Row]]:
        """Stored records of the same owner and minute that no row of the file has by id, by ``_key``."""
        minutes = list({(getattr(d.record, self._owner), _minute(d.record.at)) for d in drafts})
        rows = await self._connection.fetch(
            f"{self._select} JOIN unnest($1::text[], $2::timestamptz[]) AS d (owner, minute) ON t.{self._owner} = d.owner"
            " AND t.at >= d.minute AND t.at < d.minute + interval '1 minute' ORDER BY t.at, t.id",
            [owner for owner, _ in minutes],
            [minute for _, minute in minutes],
        )
        free: defaultdict[Content, list[Row]] = defaultdict(list)
        for row in rows:
            if row["id"] not in self._claimed:
                free[_key(self._content(row))].append(dict(row))
        return free

    def _likeness(self, draft: Draft, row: Row) -> int | None:
        """0 for the same content, more for less like, None for another record."""
        here, there = draft.content, self._content(row)
        if not same_time(here[1], there[1]):
            return None
        both_numbered = draft.numbered and not row["id"].startswith(MADE)
        if both_numbered and self._statement:
            return None  # the numbers of a statement are of one kind: two of them are two records
        likeness = 4 * (here[1] != there[1]) + 2 * both_numbered
        if self._statement and here[4] != there[4]:
            if here[4] is not None and there[4] is not None:
                return None
            likeness += 1
        # What has a row of its own in this file, perhaps in a later call, is not taken for one that is only like it.
        return None if here != there and there in self._contents else likeness

    def _content(self, row: Row) -> Content:
        """As of a Draft."""
        if self._statement:
            return row["card"], row["at"], row["kind"], row["quantity"], row["amount"]
        return row["plate"], row["at"], name_key(row["act"])


def _key(content: Content) -> Content:
    """What of a content must be equal: all but the seconds and the amount."""
    owner, at, *rest = content
    return owner, _minute(at), *rest[:2]
