"""Named subscriptions: the record, its place in the feed, and how far it is behind. All SQL of the table ``subscriptions``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from office.identity.subject import Kind, Subject
from office.subscriptions.reach import Wanted
from rules.alerts.feed import feed_end
from runtime.connection import Connection
from runtime.errors import GongcheError

#: One subject has at most so many.
MOST_OF_ONE: Final = 50


class TooManyError(GongcheError):
    """The subject has as many subscriptions as it may."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The subject that a subscription belongs to."""

    kind: Kind
    id: str

    @classmethod
    def of(cls, subject: Subject) -> Owner:
        return cls(subject.kind, subject.id)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as stored. ``committed``: everything up to this place of the feed is safe with the reader."""

    no: int
    owner: Owner
    name: str
    wanted: Wanted
    cloud_events: bool
    committed: int
    committed_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def put(
    connection: Connection, owner: Owner, name: str, wanted: Wanted, cloud_events: bool, from_now: bool
) -> tuple[Subscription, bool]:
    """Make a subscription, or give the one that is there other filters; whether it is new. A new one begins with the whole
    feed or, ``from_now``, behind what is there; the place of one that was there stays. Raises TooManyError."""
    known = await connection.fetchval(
        "SELECT count(*) FROM subscriptions WHERE owner_kind = $1 AND owner_id = $2 AND name <> $3",
        owner.kind.value,
        owner.id,
        name,
    )
    if known >= MOST_OF_ONE:
        raise TooManyError(f"{MOST_OF_ONE}")
    begin = await feed_end(connection) if from_now else 0
    row = await connection.fetchrow(
        f"INSERT INTO subscriptions ({_GIVEN}, committed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"  # noqa: S608 - constant
        " ON CONFLICT (owner_kind, owner_id, name) DO UPDATE SET organisations = EXCLUDED.organisations, rules ="
        " EXCLUDED.rules, severities = EXCLUDED.severities, statuses = EXCLUDED.statuses, envelope = EXCLUDED.envelope,"
        f" updated_at = now() RETURNING {_COLUMNS}, xmax = 0 AS is_new",
        owner.kind.value, owner.id, name, *map(_list, (wanted.organisations, wanted.rules, wanted.severities, wanted.statuses)),
        "cloudevents" if cloud_events else "plain", begin,
    )  # fmt: skip
    return _subscription(row), bool(row["is_new"])


async def find(connection: Connection, owner: Owner, name: str, *, lock: bool = False) -> Subscription | None:
    """The subscription ``name`` of ``owner``, or None. ``lock``: nobody else changes it until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM subscriptions WHERE owner_kind = $1 AND owner_id = $2 AND name = $3"  # noqa: S608 - constant
        + (" FOR UPDATE" if lock else ""),
        owner.kind.value,
        owner.id,
        name,
    )
    return None if row is None else _subscription(row)


async def by_number(connection: Connection, no: int) -> Subscription | None:
    """The subscription with this number, or None."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM subscriptions WHERE no = $1", no)  # noqa: S608 - constant
    return None if row is None else _subscription(row)


async def all_of(connection: Connection, owner: Owner) -> list[Subscription]:
    """The subscriptions of ``owner``, by name."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM subscriptions WHERE owner_kind = $1 AND owner_id = $2 ORDER BY name",  # noqa: S608 - constant
        owner.kind.value,
        owner.id,
    )
    return [_subscription(row) for row in rows]


async def remove(connection: Connection, owner: Owner, name: str) -> bool:
    """Delete a subscription with its webhook and deliveries; whether it was there."""
    done = await connection.execute(
        "DELETE FROM subscriptions WHERE owner_kind = $1 AND owner_id = $2 AND name = $3",
        owner.kind.value,
        owner.id,
        name,
    )
    return bool(done == "DELETE 1")


async def move(connection: Connection, no: int, place: int) -> None:
    """The place of a subscription is ``place``. The caller holds its lock (``find``) and has looked whether it may."""
    await connection.execute(
        "UPDATE subscriptions SET committed = $2, committed_at = now() WHERE no = $1", no, place
    )


_GIVEN: Final = "owner_kind, owner_id, name, organisations, rules, severities, statuses, envelope"
_COLUMNS: Final = f"no, {_GIVEN}, committed, committed_at, created_at, updated_at"


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _subscription(row: Any) -> Subscription:
    wanted = Wanted(*(_tuple(row[name]) for name in ("organisations", "rules", "severities", "statuses")))
    return Subscription(
        row["no"], Owner(Kind(row["owner_kind"]), row["owner_id"]), row["name"], wanted, row["envelope"] == "cloudevents",
        row["committed"], row["committed_at"], row["created_at"], row["updated_at"],
    )  # fmt: skip
