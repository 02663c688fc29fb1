"""Lock-out with back-off: after some failures the next try has to wait, each time longer, never for ever.

Counted per user name and per address. A try is counted *before* the password is looked at, and taken back when it was right: a
thousand tries at once are no more than one after the other. Names that nobody has are counted like others. All SQL of the table
``login_failures``, whose keys are hashes: a list of who mistyped is of no use to anybody.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from prometheus_client import Counter

from office.identity.errors import LockedError
from runtime.connection import Connection, affected

#: Failures that are so old are forgotten.
FORGOTTEN_AFTER: Final = timedelta(hours=24)

LOCKED: Final = Counter(
    "gongche_logins_locked_total", "Tries to come in that were not looked at, for too many had failed", ["by"]
)

for _by in ("user", "address"):  # seen at 0, so that the first ones are an increase
    LOCKED.labels(_by)


@dataclass(frozen=True, slots=True)
class Policy:
    """``free`` failures cost nothing; the next one ``first_s`` seconds, each further one twice as long, at most ``most_s``."""

    name: str
    free: int
    first_s: int
    most_s: int

    def wait_s(self, failures: int) -> int:
        """How long after so many failures nothing is tried, in seconds."""
        if failures < self.free:
            return 0
        return min(self.most_s, self.first_s << min(failures - self.free, 40))


#: A quarter of an hour between two guesses: under 100 a day, against 10 characters or a code of six digits.
USER: Final = Policy("user", 5, 2, 900)
#: An office has one address for many people.
ADDRESS: Final = Policy("address", 40, 2, 900)

Keys = Mapping[bytes, Policy]


def _key(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()


def network(address: str) -> str:
    """What is counted as one address: of IPv6 the /64, which one line has; of anything else than an address "?"."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "?"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def keys_of(login: str, address: str, *, at_home: bool = False) -> Keys:
    """What a try is counted under. ``at_home``: the user has come in from this address before, and is counted
    apart there: strangers elsewhere cannot lock him out."""
    near = network(address)
    who = {_key("home", login, near): USER} if at_home else {_key("user", login): USER}
    return who | {_key("address", near): ADDRESS}


async def charge(connection: Connection, keys: Keys) -> None:
    """Count a try as failed, in a transaction of its own. Raises LockedError when it has to wait; then it is not counted."""
    names = sorted(keys)
    async with connection.transaction():
        # The rows are locked in the order of the keys: two tries wait for each other, never both.
        rows = await connection.fetch(
            "INSERT INTO login_failures AS f (key) SELECT unnest($1::bytea[]) ON CONFLICT (key) DO UPDATE SET key = f.key"
            " RETURNING key, failures, last_at, locked_until, clock_timestamp() AS now",
            names,
        )
        counted: list[tuple[bytes, int, datetime | None]] = []
        for row in rows:
            now, until, policy = row["now"], row["locked_until"], keys[row["key"]]
            if until is not None and until > now:
                LOCKED.labels(policy.name).inc()
                raise LockedError(max(1, ceil((until - now).total_seconds())))
            failures = 1 if now - row["last_at"] > FORGOTTEN_AFTER else row["failures"] + 1
            wait_s = policy.wait_s(failures)
            counted.append((row["key"], failures, now + timedelta(seconds=wait_s) if wait_s else None))
        await connection.executemany(
            "UPDATE login_failures SET failures = $2, locked_until = $3, last_at = clock_timestamp() WHERE key = $1",
            counted,
        )


async def take_back(connection: Connection, keys: Keys) -> None:
    """The try was right as far as it went (the code is still missing): it does not count."""
    await connection.execute(
        "UPDATE login_failures SET failures = greatest(failures - 1, 0), locked_until = NULL WHERE key = ANY($1::bytea[])",
        sorted(keys),
    )


async def forgive(connection: Connection, keys: Keys) -> None:
    """Somebody came in: his own failures are forgotten. Those of the address are not, or one user of an address could guess
    for ever at the others."""
    # Locked in the order of ``charge``, or a try that is being counted and this one wait for each other.
    await connection.execute(
        "SELECT FROM login_failures WHERE key = ANY($1::bytea[]) ORDER BY key FOR UPDATE", sorted(keys)
    )
    await connection.execute(
        "DELETE FROM login_failures WHERE key = ANY($1::bytea[])",
        sorted(key for key, policy in keys.items() if policy is not ADDRESS),
    )
    await take_back(connection, {key: policy for key, policy in keys.items() if policy is ADDRESS})


async def forgive_user(connection: Connection, login: str) -> None:
    """An administrator has reset the user: the name is free again."""
    await connection.execute("DELETE FROM login_failures WHERE key = $1", _key("user", login))


async def drop_forgotten(connection: Connection, most: int) -> int:
    """Delete at most ``most`` rows that nobody asks for any more; how many it were."""
    done = await connection.execute(
        "DELETE FROM login_failures WHERE key IN (SELECT key FROM login_failures WHERE last_at < now() - $1::interval LIMIT $2)",
        FORGOTTEN_AFTER,
        most,
    )
    return affected(done)
