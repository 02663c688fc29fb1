"""Which plate a fuel card is bound to when: the rule (``CardPlan``, pure) and the SQL of cards' records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from registry.business import FuelCard
from registry.outcome import Outcome
from registry.refusals import Flaw, RefusedError
from registry.upsert import apply_plain
from runtime.connection import Connection
from runtime.units import CHINA


@dataclass(frozen=True, slots=True)
class PlateBinding:
    """Bound to ``plate`` from ``since`` (included) to ``until`` (excluded; None = still)."""

    plate: str
    since: datetime
    until: datetime | None

    def covers(self, moment: datetime) -> bool:
        """Whether it holds at ``moment``."""
        return self.since <= moment and (self.until is None or self.until > moment)


class BoundTwiceError(ValueError):
    """The card is known to be bound to another plate at that time. The message is for people."""


class CardPlan:
    """The bindings of one card, which never overlap."""

    def __init__(self, bindings: Iterable[PlateBinding] = ()) -> None:
        self._bindings = sorted(bindings, key=lambda b: b.since)

    def all(self) -> list[PlateBinding]:
        """Every binding, by time."""
        return list(self._bindings)

    def bind(self, plate: str | None, since: datetime) -> None:
        """From ``since`` on the card is bound to ``plate`` (None: to none), up to what is known of later.

        Ends a binding that is still open and began before. Raises BoundTwiceError where that contradicts what
        is known: another plate from the same moment, or until a later one. The same again changes nothing.
        """
        here = next((b for b in self._bindings if b.covers(since)), None)
        if here is not None:
            if here.plate == plate:
                return
            if here.since == since or here.until is not None:
                raise BoundTwiceError(_contradiction(here, plate))
            self._bindings.remove(here)
            self._bindings.append(replace(here, until=since))
        if plate is not None:
            following = next((b for b in self._bindings if b.since > since), None)
            until = None if following is None else following.since
            if following is not None and following.plate == plate:  # known, but from too late a time
                self._bindings.remove(following)
                until = following.until
            self._bindings.append(PlateBinding(plate, since, until))
        self._bindings.sort(key=lambda b: b.since)


def _contradiction(known: PlateBinding, plate: str | None) -> str:
    since = known.since.astimezone(CHINA).isoformat()
    until = "至今" if known.until is None else "至 " + known.until.astimezone(CHINA).isoformat()
    return (
        f"油卡自 {since} {until} 已绑定 {known.plate}，与 {plate or '解绑'} 矛盾；更正请用 bindings 给出全部历史"
        f" · the card is bound to {known.plate} at that time; to correct that, give its whole history as `bindings`"
    )


async def apply_cards(connection: Connection, records: Sequence[FuelCard]) -> list[Outcome]:
    """Write cards and their bindings; references were checked. See ``repository.apply``.

    Raises RefusedError (a conflict) for a card that would be bound to two plates at once.
    """
    outcomes, _ = await apply_plain(connection, "fuel_cards", records)
    binding = [(row, record) for row, record in enumerate(records) if record.binds]
    if not binding:
        return outcomes
    known: defaultdict[str, list[PlateBinding]] = defaultdict(list)
    for card, *rest in await connection.fetch(
        "SELECT card, plate, valid_from, valid_to FROM card_bindings WHERE card = ANY($1) ORDER BY 1, 3",
        [record.id for _, record in binding],
    ):
        known[card].append(PlateBinding(*rest))
    gone: list[tuple[str, datetime]] = []
    new: list[tuple[str, str, datetime, datetime | None]] = []
    flaws: list[Flaw] = []
    for row, record in binding:
        before = known[record.id]
        try:
            after = _wanted(record, before)
        except BoundTwiceError as error:
            flaws.append(Flaw(("valid_from",), str(error), row))
            continue
        if after == before:
            continue
        if outcomes[row] == "unchanged":
            outcomes[row] = "updated"
        gone += [(record.id, b.since) for b in before if b not in after]
        new += [(record.id, b.plate, b.since, b.until) for b in after if b not in before]
    if flaws:
        raise RefusedError(flaws, conflict=True)
    await connection.executemany("DELETE FROM card_bindings WHERE card = $1 AND valid_from = $2", gone)
    await connection.executemany(
        "INSERT INTO card_bindings (card, plate, valid_from, valid_to) VALUES ($1, $2, $3, $4)", new
    )
    return outcomes


def _wanted(record: FuelCard, known: Sequence[PlateBinding]) -> list[PlateBinding]:
    if record.bindings is not None:
        return [PlateBinding(b.plate, b.valid_from, b.valid_to) for b in record.bindings]
    assert record.valid_from is not None  # noqa: S101 - what `binds` means
    plan = CardPlan(known)
    plan.bind(record.plate, record.valid_from)
    return plan.all()


async def bindings_of_card(connection: Connection, card: str) -> list[dict[str, Any]]:
    """The history of one card: {plate, valid_from, valid_to}, oldest first."""
    rows = await connection.fetch(
        "SELECT plate, valid_from, valid_to FROM card_bindings WHERE card = $1 ORDER BY valid_from LIMIT 1000",
        card,
    )
    return [dict(row) for row in rows]
