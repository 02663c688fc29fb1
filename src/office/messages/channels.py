"""Where people and units have their messages sent: channels, their confirmation, quiet hours. All SQL of ``message_channels``,
``message_addresses``, ``message_quiet_hours`` and ``message_code_counts``.

An address is what somebody typed: nothing but a code goes there until the code came back.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from office.identity.keys import Sealer
from office.messages import bots, outbox
from office.messages.mail import mail_address
from office.posting.addresses import Policy, TargetRefusedError, target_of
from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection

#: Channels of one person, and of one unit.
MOST_CHANNELS: Final = 5
#: How long a code is valid, how often it may be tried, and how many codes somebody may have sent in an hour.
CODE_LIFE: Final = timedelta(minutes=30)
CODE_TRIES: Final = 5
CODES_AN_HOUR: Final = 5
_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_CODE_LENGTH: Final = 8
_COLUMNS: Final = (
    "c.no, c.id, c.person, c.organisation, c.about, c.kind, c.shown, c.enabled, c.created_at, c.confirmed_at,"
    " l.failing_since, l.last_error, (SELECT count(*) FROM message_outbox o WHERE o.channel_no = c.no AND o.state = 'waiting')"
    " + l.skipped AS waiting, (SELECT count(*) FROM message_outbox o WHERE o.channel_no = c.no AND o.state = 'dead') AS dead"
)


class TooManyCodesError(Exception):
    """Somebody has had too many codes sent. ``wait_s``: how long to wait."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Rules:
    """What an address must be. ``mail``: there is a mail server; ``domains``: of people's mail, none = any; ``bot_hosts``: of
    bots of one's own."""

    policy: Policy
    mail: bool
    domains: Sequence[str]
    bot_hosts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Owner:
    """A person, or a unit and what of it (``about``)."""

    person: str | None = None
    organisation: str | None = None
    about: str | None = None


def check_address(kind: str, address: str, rules: Rules) -> str:
    """``address`` as it is stored. Raises RefusedError that says what is wrong, without the address itself."""
    if kind == "email":
        if not rules.mail:
            raise _flaw("邮件服务器未配置，请系统管理员设置 GONGCHE_SMTP_HOST · no mail server is set up")
        plain = mail_address(address)
        if plain is None:
            raise _flaw("不是可用的邮箱地址 · not an e-mail address")
        domain = plain.rpartition("@")[2].lower()
        if rules.domains and not any(
            domain == d.lower() or domain.endswith("." + d.lower()) for d in rules.domains
        ):
            raise _flaw(
                f"只能使用单位邮箱：{'、'.join(rules.domains)} · only addresses of these domains are allowed"
            )
        return plain
    try:
        target_of(address, rules.policy)
    except TargetRefusedError as error:
        raise _flaw(str(error)) from None
    if kind in bots.BOTS and not bots.is_address(kind, address, rules.bot_hosts):
        raise _flaw(
            f"不是{bots.BOTS[kind].name}群机器人的 Webhook 地址，请从群机器人设置中复制 · not the address of such a bot; copy it from"
            " the settings of the group's bot"
        )
    return address


def _flaw(message: str) -> RefusedError:
    return RefusedError([Flaw(("address",), message)])


def masked(kind: str, address: str) -> str:
    """What is shown of an address, in lists, logs and the audit: never what opens it. Of mail the first letter and the domain."""
    if kind == "email":
        name, _, domain = address.partition("@")
        return f"{name[0]}***@{domain}"
    return f"https://{urlsplit(address).hostname}/…"


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.upper().replace(" ", "").encode("utf-8", "replace")).digest()


async def add(
    connection: Connection, sealer: Sealer, by: str, owner: Owner, kind: str, address: str, secret: str | None
) -> int:
    """A new channel, which waits for its code; its number. ``address``: of ``check_address``. In the caller's transaction.

    Raises RefusedError (too many channels), TooManyCodesError, ConfigurationError without a usable key."""
    id = uuid.uuid4()
    # Two requests at once must not both find room.
    await connection.execute(
        "SELECT pg_advisory_xact_lock($1, hashtext($2))", _LOCK, str(owner.person or owner.organisation)
    )
    there = await connection.fetchval(
        "SELECT count(*) FROM message_channels WHERE person = $1 OR organisation = $2",
        owner.person,
        owner.organisation,
    )
    if there >= MOST_CHANNELS:
        raise RefusedError(
            [
                Flaw(
                    (),
                    f"最多 {MOST_CHANNELS} 个通道，请先删除不用的 · at most {MOST_CHANNELS}; delete one first",
                )
            ],
            conflict=True,
        )
    number: int = await connection.fetchval(
        "INSERT INTO message_channels (id, person, organisation, about, kind, shown, made_by)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING no",
        id, owner.person, owner.organisation, owner.about, kind, masked(kind, address), by,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO message_addresses (channel_no, address, secret) VALUES ($1, $2, $3)",
        number,
        sealer.seal(address, f"message channel {id}"),
        None if secret is None else sealer.seal(secret, f"message secret {id}"),
    )
    await outbox.open_lane(connection, number)
    await send_code(connection, sealer, by, number)
    return number


_LOCK: Final = 0x6D736763  # "msgc"


async def send_code(connection: Connection, sealer: Sealer, by: str, no: int) -> None:
    """Have a new code sent to a channel that is not confirmed; the one before is void. In the caller's transaction. Raises
    TooManyCodesError."""
    row = await connection.fetchrow(
        "INSERT INTO message_code_counts AS m (subject, codes) VALUES ($1, 1) ON CONFLICT (subject) DO UPDATE SET"
        " codes = CASE WHEN m.since < now() - interval '1 hour' THEN 1 ELSE m.codes + 1 END,"
        " since = CASE WHEN m.since < now() - interval '1 hour' THEN now() ELSE m.since END"
        " RETURNING codes, EXTRACT(epoch FROM since + interval '1 hour' - now())::integer AS wait_s",
        by,
    )
    if row["codes"] > CODES_AN_HOUR:
        raise TooManyCodesError(max(1, row["wait_s"]))
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    id = await connection.fetchval(
        "UPDATE message_channels SET code_sha256 = $2, code_ends_at = now() + $3::interval, code_tries = 0 WHERE no = $1"
        " RETURNING id",
        no,
        _digest(code),
        CODE_LIFE,
    )
    await outbox.add_code(connection, no, sealer.seal(code, f"message code {id}"))


async def confirm(connection: Connection, no: int, code: str) -> bool:
    """Whether ``code`` is the one that was sent there; then the channel is in use. A try counts before it is compared, in the
    caller's transaction, which he commits either way."""
    row = await connection.fetchrow(
        "UPDATE message_channels SET code_tries = code_tries + 1 WHERE no = $1 AND code_tries < $2 AND code_ends_at > now()"
        " AND confirmed_at IS NULL RETURNING code_sha256",
        no,
        CODE_TRIES,
    )
    if row is None or not secrets.compare_digest(bytes(row["code_sha256"]), _digest(code[:64])):
        return False
    await connection.execute(
        "UPDATE message_channels SET confirmed_at = now(), code_sha256 = NULL, code_ends_at = NULL, updated_at = now()"
        " WHERE no = $1",
        no,
    )
    return True


async def enable(connection: Connection, no: int, enabled: bool) -> None:
    """Whether messages go there. What waits for a channel that is switched off is forgotten: it is in the program itself."""
    await connection.execute(
        "UPDATE message_channels SET enabled = $2, updated_at = now() WHERE no = $1 AND enabled <> $2",
        no,
        enabled,
    )
    await outbox.reset_lane(connection, no, forget=not enabled)


async def remove(connection: Connection, no: int) -> None:
    """Delete it with all that belongs to it."""
    await connection.execute("DELETE FROM message_channels WHERE no = $1", no)


async def of_person(connection: Connection, person: str) -> list[dict[str, Any]]:
    """The channels of a person."""
    return await _list(connection, "c.person = $1", person)


async def of_units(connection: Connection, organisation: str | None) -> list[dict[str, Any]]:
    """The channels of units that the transaction reaches, of ``organisation`` alone where it is given; at most 1,000."""
    return await _list(
        connection,
        "c.organisation IS NOT NULL AND ($1::text IS NULL OR c.organisation = $1)",
        organisation,
    )


async def _list(connection: Connection, where: str, *values: Any) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM message_channels c JOIN message_lanes l ON l.channel_no = c.no WHERE {where}"  # noqa: S608 - constants
        " ORDER BY c.organisation, c.no LIMIT 1000",
        *values,
    )
    return [dict(row) for row in rows]


async def find(
    connection: Connection, id: str, *, person: str | None = None, lock: bool = False
) -> dict[str, Any] | None:
    """The channel ``id`` of ``person``, or (None) of a unit that the transaction reaches; None = there is none."""
    try:
        wanted = uuid.UUID(id)
    except ValueError:
        return None
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM message_channels c JOIN message_lanes l ON l.channel_no = c.no WHERE c.id = $1"  # noqa: S608 - constants
        f" AND c.person IS NOT DISTINCT FROM $2{' FOR UPDATE OF c' if lock else ''}",
        wanted,
        person,
    )
    return None if row is None else dict(row)


async def by_number(connection: Connection, no: int) -> dict[str, Any]:
    """A channel that is there."""
    (found,) = await _list(connection, "c.no = $1", no)
    return found


async def quiet_hours(connection: Connection, person: str) -> tuple[int, int] | None:
    """(from, to) in minutes of the day in China; None = messages come at any time."""
    row = await connection.fetchrow(
        "SELECT from_min, to_min FROM message_quiet_hours WHERE person = $1", person
    )
    return None if row is None else (row["from_min"], row["to_min"])


async def set_quiet_hours(connection: Connection, person: str, hours: tuple[int, int] | None) -> None:
    """Other quiet hours, or none."""
    if hours is None:
        await connection.execute("DELETE FROM message_quiet_hours WHERE person = $1", person)
        return
    await connection.execute(
        "INSERT INTO message_quiet_hours (person, from_min, to_min) VALUES ($1, $2, $3) ON CONFLICT (person)"
        " DO UPDATE SET from_min = $2, to_min = $3, updated_at = now()",
        person,
        *hours,
    )


def is_quiet(hours: tuple[int, int] | None, minute: int) -> bool:
    """Whether ``minute`` of the day is within ``hours``, which may go over midnight."""
    if hours is None:
        return False
    begin, end = hours
    return begin <= minute < end if begin < end else minute >= begin or minute < end


async def opened(connection: Connection, sealer: Sealer, no: int) -> tuple[str, str | None]:
    """(address, secret) of a channel. Raises ConfigurationError without the key, LookupError when it is gone."""
    row = await connection.fetchrow(
        "SELECT c.id, a.address, a.secret FROM message_channels c JOIN message_addresses a ON a.channel_no = c.no WHERE c.no = $1",
        no,
    )
    if row is None:
        raise LookupError(no)
    secret = None if row["secret"] is None else sealer.open(row["secret"], f"message secret {row['id']}")
    return sealer.open(row["address"], f"message channel {row['id']}"), secret
