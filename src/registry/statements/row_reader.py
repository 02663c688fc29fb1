"""One row of a statement or of an export of violations, read cell by cell into a record, with what is wrong with each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timezone
from fractions import Fraction
from typing import Any, Final

from pydantic import ValidationError

from registry.decimals import decimal_text
from registry.refusals import Flaw, explain
from registry.spelling import name_key, normal_plate, sheet_error
from registry.statements.cells import (
    Cell,
    Covered,
    Uncomputed,
    code_of,
    day_of,
    energy_of,
    kind_of,
    number_of,
    status_of,
    text_of,
    time_of,
)
from registry.statements.columns import (
    FileMapping,
)
from registry.statements.units import fine_questions, questions
from registry.transactions import FuelTransaction
from registry.values import parse_time
from registry.violations import Violation
from runtime.units import CHINA, midnight

_MERGED: Final = (
    "合并单元格覆盖了多行，分不清属于哪一行，请取消合并 · a merged cell covers several rows; split it"
)
_TWICE: Final = "此列出现两次而内容不同，分不清用哪一列，请删去一列 · this column comes twice, with another content; remove one of them"
#: What may stand once for several rows.
_MAY_BE_MERGED: Final = frozenset({"card", "plate", "date", "station_name", "product", "kind", "place"})

#: A reversal may come under the number of what it takes back: its id differs.
REVERSAL: Final = "~reversal"


class RowReader:
    """One row: reads fields, notes what is wrong with each."""

    def __init__(
        self,
        row: Mapping[str, Cell],
        mapping: FileMapping,
        unit: str,
        factors: Mapping[str, Fraction] | None = None,
        zone: timezone = CHINA,
    ) -> None:
        self.row = dict(row)
        self.mapping = mapping
        self.unit = unit
        self.factors = factors or {}
        self.zone = zone
        #: The file has no time of payment: ``at`` is that of the booking.
        self.booked = False
        self.flaws: list[Flaw] = []
        self._told: set[str] = set()
        for name, cell in row.items():
            if isinstance(cell, Uncomputed):
                self._refuse(name, cell.why)
            elif isinstance(cell, str) and (error := sheet_error(cell)) is not None:
                self._refuse(name, error)
            elif isinstance(cell, Covered) and name not in _MAY_BE_MERGED:
                self._refuse(name, _MERGED)

    def refuse_other_values(self, name: str, others: Sequence[Cell]) -> None:
        """Refuse a field whose column comes again with another content in this row."""
        if name not in self._told and any(text_of(other) != self.text(name) for other in others):
            self._refuse(name, _TWICE)

    def _refuse(self, name: str, message: str) -> None:
        """Say once what is wrong with a cell, and read it as empty."""
        self.flaws.append(Flaw((name,), message))
        self._told.add(name)
        self.row[name] = ""

    def text(self, name: str) -> str:
        return text_of(self.row.get(name, ""))

    def read(self, name: str, reader: Callable[[Cell], Any], *, required: bool = False) -> Any:
        cell = self.row.get(name, "")
        if name in self._told:
            return None
        if required and not text_of(cell):
            self.flaws.append(Flaw((name,), "缺少必填项 · required, but missing"))
            return None
        try:
            return reader(cell)
        except ValueError as error:
            self.flaws.append(Flaw((name,), str(error)))
            return None

    def time(self) -> datetime | None:
        day: date | None = self.read("date", day_of) if self.text("date") else None
        found: datetime | None = self.read("at", lambda cell: time_of(cell, day, self.zone), required=True)
        return found

    def paid(self) -> tuple[datetime | None, bool]:
        """When it was paid, and whether that is the time of its booking, or the start of a day, because nothing better is
        known."""
        if (self.text("at") and not self.booked) or not self.text("posted"):
            return self.time(), False
        name = "date" if self.text("date") else "posted"
        try:
            return time_of(self.row[name], None, self.zone), name == "posted"
        except ValueError:
            day: date | None = self.read(name, day_of)
        return None if day is None else parse_time(midnight(day)), True

    def decimal(self, name: str, digits: int) -> str | None:
        factor = self.factors.get(name, Fraction(1))
        number = self.read(name, lambda cell: number_of(cell, digits, name, factor))
        return None if number is None else decimal_text(number, digits)

    def make(self, model: type[Any], values: dict[str, Any]) -> Any:
        if self.flaws:
            return None
        try:
            return model.model_validate(values)
        except ValidationError as error:
            self.flaws += [
                Flaw(("number",) if flaw.path == ("id",) else flaw.path, flaw.message)
                for flaw in explain(error)
            ]
            return None


Built = tuple[Any, str, tuple[Any, ...]]


def transaction_of(row: RowReader) -> Built:
    product, word = row.text("product"), row.text("kind")
    words = row.mapping.words.get("kind", {})
    kind = row.read("kind", lambda _: kind_of(word, product, words), required=True)
    number = row.read("number", code_of) or ""
    quantity = row.decimal("quantity", 3)
    amount = row.decimal("amount", 2)
    if kind == "fill" and any((value or "").startswith("-") for value in (quantity, amount)):
        kind = "reversal"  # what goes back
    if quantity is not None and kind in ("reversal", "other"):
        quantity = quantity.removeprefix("-")
    at, posted = row.paid()
    if kind == "fill" and quantity is None and not any(f.path == ("quantity",) for f in row.flaws):
        row.flaws.append(Flaw(("quantity",), "加油须有数量 · a fill needs its quantity"))
    if kind == "fill" and quantity is not None and not quantity.strip("0."):
        kind = "other"  # nothing was taken
    values = {
        "id": (number + (REVERSAL if kind == "reversal" else "")) or "-",
        "card": row.read("card", code_of, required=True),
        "at": at,
        "posted": posted,
        "kind": kind,
        "product": product,
        "energy": energy_of(product, word, row.unit, row.text("quantity")),
        "quantity": quantity,
        "unit_price": row.decimal("unit_price", 4),
        "amount": amount,
        "balance": row.decimal("balance", 2),
        "station_name": row.text("station_name"),
        "reverses": row.read("reverses", code_of) or None,
    }
    if kind == "fill" and not row.flaws:
        sums = (Fraction(v) if (v := values[name]) else None for name in ("quantity", "unit_price", "amount"))
        row.flaws += [Flaw((name,), asked) for name, asked in questions(*sums)]
    made = row.make(FuelTransaction, values)
    if made is None:
        return None, number, ()
    return made, number, (made.card, made.at, made.kind, made.quantity, made.amount)


def violation_of(row: RowReader) -> Built:
    words = row.mapping.words.get("status", {})
    number = row.read("number", code_of) or ""
    values = {
        "id": number or "-",
        "plate": row.read("plate", lambda cell: normal_plate(text_of(cell)), required=True),
        "at": row.time(),
        "place": row.text("place"),
        "act": row.text("act") if row.read("act", text_of, required=True) else "",
        "code": row.read("code", code_of) or "",
        "fine": row.decimal("fine", 2),
        "points": row.read("points", lambda cell: number_of(cell, 0, "points")),
        "status": row.read("status", lambda cell: status_of(text_of(cell), words)),
    }
    if not row.flaws:
        fine = None if values["fine"] is None else Fraction(values["fine"])
        row.flaws += [Flaw((name,), asked) for name, asked in fine_questions(fine, values["points"])]
    made = row.make(Violation, values)
    return made, number, () if made is None else (made.plate, made.at, name_key(made.act))
