"""Which publication stands: of a quarter each unit's fuel is published once, and another one of it replaces that. Reads ``notices``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from office.notices.contents import PublicationNew
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError

#: A publication that was corrected more often is a mistake of another kind.
_MOST_EDITIONS: Final = 20


async def take_place(
    connection: Connection, given: PublicationNew, units: Collection[str]
) -> tuple[int, str | None]:
    """The number of the edition that ``given`` is, for ``units``, and what it replaces; who publishes for one unit takes turns until the end of the transaction.
    Raises InvalidError, DeclinedError."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('publication:' || $1, 0))", given.organisation)  # fmt: skip
    edition = 1 if given.replaces is None else 1 + await _replaced(connection, given)
    if given.kind == "fuel":
        stands = await connection.fetchrow(
            "SELECT id, number FROM notices WHERE organisation = $1 AND kind = $2 AND withdrawn_at IS NULL AND terms ->> 'first' = $3 AND units && $4::text[]"
            " AND id IS DISTINCT FROM $5 ORDER BY published_at LIMIT 1",
            given.organisation, given.kind, given.first.isoformat(), sorted(units), given.replaces,
        )  # fmt: skip
        if stands is not None:
            raise DeclinedError(
                "published",
                f"其中有单位本季度油耗已在 {stands['number']} 公示；更正请写明 replaces（{stands['id']}）和理由"
                f" · published already by {stands['number']}: correct it with `replaces`, or withdraw it",
            )
    return edition, given.replaces


async def _replaced(connection: Connection, given: PublicationNew) -> int:
    row = await connection.fetchrow(
        "SELECT organisation, kind, terms ->> 'first' AS first, terms ->> 'last' AS last, edition, withdrawn_at FROM notices WHERE id = $1",
        given.replaces,
    )
    if row is None or row["organisation"] != given.organisation or row["kind"] != given.kind:
        raise InvalidError("/replaces", "没有这份公示，或不是同一单位、同一种公示，请核对 · no such publication of this unit and kind")  # fmt: skip
    if (row["first"], row["last"]) != (given.first.isoformat(), given.last.isoformat()):
        raise InvalidError("/replaces", "期间与所更正的公示不同，请核对起止日 · it is of other days than what it corrects")  # fmt: skip
    if row["withdrawn_at"] is not None:
        raise DeclinedError("withdrawn", "所更正的公示已撤回，请不写 replaces 重新发布 · it is withdrawn already: publish anew, without `replaces`")  # fmt: skip
    if row["edition"] >= _MOST_EDITIONS:
        raise DeclinedError("too-many-editions", "更正次数过多，请撤回后重新公示 · corrected too often: withdraw it and publish anew")  # fmt: skip
    return int(row["edition"])
