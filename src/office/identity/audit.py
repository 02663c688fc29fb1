"""The audit: who did and who read what. All SQL of the table ``audit``; what it is for: docs/scope-and-audit.md.

What a request or a command writes is noted by triggers of the database (migrations/0032_audit.sql), which find in the
setting "gongche.actor" who it is; so no writer has to think of it. What is read is noted by who reads (``note``).
"""

from __future__ import annotations

import getpass
import json
import logging
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from prometheus_client import Counter

from office.identity.subject import Kind, Subject
from runtime.connection import Connection
from runtime.partitions import Partitioned, drop, partitions_of

_logger = logging.getLogger("gongche.audit")

#: The audit is kept for so many days at least (等级保护 asks for six months).
LEAST_DAYS: Final = 184
#: So many months after this one have their partition already.
AHEAD_MONTHS: Final = 12
#: Longest texts that a caller says of himself.
MOST_AGENT: Final = 200
MOST_PURPOSE: Final = 200

UNWRITTEN: Final = Counter(
    "gongche_audit_logged_only_total",
    "Readings noted in the log of the process alone, for the database took no writes",
)
_OF: Final = Partitioned("audit", "at", 0x676F6E67_61756474)  # "gongaudt"

Action = Literal["read", "write", "import", "command"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and how. ``roles``: those that it is allowed by; ``delegated_by``: ids of the users whose roles they
    are. ``operation``: method and path of a request, or the command."""

    kind: Kind
    id: str
    name: str
    operation: str
    roles: tuple[str, ...] = ()
    delegated_by: tuple[str, ...] = ()
    address: str = ""
    forwarded_for: str | None = None
    agent: str = ""
    purpose: str | None = None

    def json(self) -> str:
        """As the setting "gongche.actor" has it."""
        told = {
            "kind": self.kind, "id": self.id, "name": self.name, "operation": self.operation,
            "roles": ",".join(self.roles), "delegated_by": ",".join(self.delegated_by) or None,
            "address": self.address, "forwarded_for": self.forwarded_for, "agent": self.agent[:MOST_AGENT],
            "purpose": self.purpose,
        }  # fmt: skip
        # No text of the database has a NUL.
        plain = {key: None if value is None else str(value).replace("\0", "") for key, value in told.items()}
        return json.dumps(plain, ensure_ascii=False)


#: Who the request that is answered is by, as ``Actor.json``; "" = not known. For what is written before anybody knows what
#: the subject may see: people and programs themselves.
CURRENT: ContextVar[str] = ContextVar("gongche_actor", default="")


async def act(connection: Connection) -> None:
    """To the end of the transaction what is written is noted as that of CURRENT."""
    if actor := CURRENT.get():
        await connection.execute("SELECT set_config('gongche.actor', $1, true)", actor)


def actor_of(subject: Subject, operation: str, *permissions: str, **more: Any) -> Actor:
    """``subject`` as it is allowed by one of ``permissions``; ``more``: the other fields of Actor."""
    grants = [grant for grant in subject.grants if not grant.permissions.isdisjoint(permissions)]
    roles = sorted({grant.role.value for grant in grants if grant.role is not None})
    delegated = sorted({grant.delegated_by for grant in grants if grant.delegated_by is not None})
    return Actor(subject.kind, subject.id, subject.name, operation, tuple(roles), tuple(delegated), **more)


def actor_of_command(operation: str) -> Actor:
    """Who runs a command on the machine: the user of the operating system."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, in a container
        user = "unknown"
    return Actor(Kind.PROGRAM, user, user, operation)


async def note(
    connection: Connection,
    actor: Actor,
    action: Action,
    subject_kind: str,
    subject_id: str | None = None,
    *,
    organisation: str | None = None,
    vehicle: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Add an entry, in the caller's transaction: it is there when the transaction is, and an answer that goes out after it
    has been noted. While the database takes no writes reading goes on; then the entry goes to the log of the process.
    """
    written = await connection.fetchval(
        "SELECT audit_note($1::text::jsonb, $2, $3, $4, $5, $6, $7::text::jsonb)",
        actor.json(), action, subject_kind, subject_id, organisation, vehicle,
        None if detail is None else json.dumps(detail, ensure_ascii=False),
    )  # fmt: skip
    if not written:
        UNWRITTEN.inc()
        entry = json.loads(actor.json()) | {
            "action": action, "subject_kind": subject_kind, "subject_id": subject_id, "organisation": organisation,
            "vehicle": vehicle, "detail": detail,
        }  # fmt: skip
        _logger.warning("audit: the database takes no writes", extra={"fields": {"audit": entry}})


async def set_actor(connection: Connection, actor: Actor) -> None:
    """From now on, on a connection that nobody else uses: what is written is noted as that of ``actor``."""
    await connection.execute("SELECT set_config('gongche.actor', $1, false)", actor.json())


async def keep_months(connection: Connection, now: datetime, keep_days: int) -> None:
    """Make the months ahead, and drop those that ended more than ``keep_days`` (at least LEAST_DAYS) ago."""
    month = now.astimezone(UTC).date().replace(day=1)
    limit = (now - timedelta(days=max(keep_days, LEAST_DAYS))).astimezone(UTC).date().replace(day=1)
    for _ in range(AHEAD_MONTHS + 1):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _OF.lock)
            await connection.execute("SET LOCAL lock_timeout = '2s'")
            await connection.execute("SELECT make_audit_month($1)", month)
        month = (month + timedelta(days=32)).replace(day=1)
    for name in await partitions_of(connection, _OF.table):
        digits = name.removeprefix("audit_")
        if digits.isdecimal() and digits < f"{limit:%Y%m}" and await drop(connection, _OF, name):
            _logger.info("partition %s is older than the audit is kept: dropped", name)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """None = any. ``who``: id of a subject. ``kind`` and ``id``: of what was done or read; ``since``, ``until``: half open."""

    who: str | None = None
    action: str | None = None
    kind: str | None = None
    id: str | None = None
    vehicle: str | None = None
    organisation: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_COLUMNS: Final = (
    "no, at, who_kind, who_id, who_name, roles, delegated_by, address, forwarded_for, agent, operation, action, subject_kind,"
    " subject_id, organisation, vehicle, purpose, before, after, detail"
)
_WHERE: Final = {
    "who": "who_id = {}", "action": "action = {}", "kind": "subject_kind = {}", "id": "subject_id = {}",
    "vehicle": "vehicle = {}", "organisation": "organisation = {}", "since": "at >= {}", "until": "at < {}",
}  # fmt: skip


async def page(
    connection: Connection, wanted: AuditFilter, *, limit: int, before: tuple[datetime, int] | None = None
) -> list[dict[str, Any]]:
    """Entries, the newest first, those before ``before``: (at, no) of the last one of the page before. Those about secret
    vehicles that the caller must not see are masked (migrations/0036_secrecy.sql)."""
    conditions, arguments = [], list[Any]()
    for name, condition in _WHERE.items():
        if (value := getattr(wanted, name)) is not None:
            arguments.append(value)
            conditions.append(condition.format(f"${len(arguments)}"))
    if before is not None:
        arguments += before
        last = len(arguments)
        conditions.append(f"at <= ${last - 1} AND (at, no) < (${last - 1}, ${last})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT {_COLUMNS} FROM audit{where} ORDER BY at DESC, no DESC LIMIT ${len(arguments) + 1}"  # noqa: S608 - constants
    found = [dict(row) for row in await connection.fetch(query, *arguments, limit)]
    if wanted.id is not None or wanted.vehicle is not None:
        return found  # what is masked is not found by what is masked of it
    end = (found[-1]["at"], found[-1]["no"]) if len(found) == limit else (None, None)
    masked = await connection.fetch(
        f"SELECT {_COLUMNS} FROM masked_audit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",  # noqa: S608 - constants
        wanted.who, wanted.action, wanted.kind, wanted.organisation, wanted.since, wanted.until,
        *(before or (None, None)), *end, limit,
    )  # fmt: skip
    if not masked:
        return found
    both = sorted(
        found + [dict(row) for row in masked], key=lambda entry: (entry["at"], entry["no"]), reverse=True
    )
    return both[:limit]
