"""The list of links: made by the operator on the machine, read by the process that keeps them."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from registry.organisations import organisation_exists
from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection, affected

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_WORD: Final = 0xFFFFFFFF
#: Bytes of a password, in the protocol.
MOST_PASSWORD: Final = 8
_COLUMNS: Final = (
    "name, direction, edition, access_code, user_id, platform_id, host, port, down_host, down_port, networks, organisation, units,"
    " encrypts, enabled"
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Sealer(Protocol):
    """Seals short secrets (``office.identity.keys.Sealer``)."""

    def seal(self, secret: str, belongs_to: str) -> bytes: ...

    def open(self, sealed: bytes, belongs_to: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Link:
    """Another platform. See platform_links of migrations/0059_platforms.sql."""

    name: str
    direction: str
    edition: int
    access_code: int
    user_id: int
    platform_id: str
    host: str | None
    port: int | None
    down_host: str
    down_port: int
    networks: tuple[Network, ...]
    organisation: str
    units: tuple[str, ...]
    encrypts: bool = False
    enabled: bool = True

    def admits(self, address: str) -> bool:
        """Whether ``address`` is in its networks."""
        try:
            given = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(given, ipaddress.IPv6Address) and given.ipv4_mapped is not None:
            given = given.ipv4_mapped
        return any(given in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Secret:
    """What only both ends know. ``keys``: M1, IA1, IC1; None = nothing is scrambled."""

    password: str = field(repr=False)
    keys: tuple[int, int, int] | None = field(default=None, repr=False)

    def text(self) -> str:
        return json.dumps({"password": self.password, "keys": self.keys})

    @staticmethod
    def of(text: str) -> Secret:
        read: dict[str, Any] = json.loads(text)
        keys = read["keys"]
        return Secret(
            str(read["password"]), None if keys is None else (int(keys[0]), int(keys[1]), int(keys[2]))
        )


def _link(row: Any) -> Link:
    fields = dict(row)
    networks = tuple(ipaddress.ip_network(str(one)) for one in row["networks"])
    return Link(**fields | {"networks": networks, "units": tuple(row["units"])})


async def read_links(connection: Connection) -> list[Link]:
    """All links, by name."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM platform_links ORDER BY name")  # noqa: S608 - constant
    return [_link(row) for row in rows]


async def read_secret(connection: Connection, sealer: Sealer, name: str) -> Secret:
    """The secret of a link. Raises ConfigurationError where the key is missing or another one."""
    sealed = await connection.fetchval("SELECT sealed FROM platform_secrets WHERE link = $1", name)
    return Secret.of(sealer.open(sealed, _belongs_to(name)))


def _belongs_to(name: str) -> str:
    return f"platform:{name}"


async def add(connection: Connection, link: Link, secret: Secret, sealer: Sealer) -> None:
    """A new link. In a transaction. Raises RefusedError with every flaw."""
    flaws = _flaws(link, secret)
    for unit in link.units:
        if not await organisation_exists(connection, unit):
            flaws.append(Flaw(("units",), f"单位未登记 {unit} · there is no such unit"))
    if await connection.fetchval("SELECT EXISTS (SELECT FROM platform_links WHERE name = $1)", link.name):
        flaws.append(Flaw(("name",), f"名称 {link.name} 已被使用 · the name is taken"))
    if link.direction == "below" and await connection.fetchval(
        "SELECT EXISTS (SELECT FROM platform_links WHERE direction = 'below' AND access_code = $1)",
        link.access_code,
    ):
        flaws.append(Flaw(("access_code",), "接入码已被使用 · the access code is taken"))
    if flaws:
        raise RefusedError(flaws)
    await connection.execute(
        f"INSERT INTO platform_links ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",  # noqa: S608 - constant
        link.name, link.direction, link.edition, link.access_code, link.user_id, link.platform_id, link.host, link.port,
        link.down_host, link.down_port, list(link.networks), link.organisation, list(link.units), link.encrypts, link.enabled,
    )  # fmt: skip
    sealed = sealer.seal(secret.text(), _belongs_to(link.name))
    await connection.execute("INSERT INTO platform_secrets (link, sealed) VALUES ($1, $2)", link.name, sealed)
    await connection.execute("INSERT INTO platform_states (link) VALUES ($1)", link.name)


def _flaws(link: Link, secret: Secret) -> list[Flaw]:
    found: list[Flaw] = []

    def unless(holds: bool, name: str, said: str) -> None:
        if not holds:
            found.append(Flaw((name,), said))

    unless(
        _NAME.fullmatch(link.name) is not None,
        "name",
        "名称用小写字母、数字和连字符 · small letters, digits, hyphens",
    )
    unless(0 <= link.access_code <= _WORD, "access_code", "接入码为 32 位数 · a number of 32 bits")
    unless(0 <= link.user_id <= _WORD, "user", "用户名为 32 位数 · a number of 32 bits")
    unless(link.platform_id.isascii() and len(link.platform_id) <= 11, "platform_id", "平台编码最多 11 个字符 · at most 11 characters")  # fmt: skip
    unless(bool(link.units), "units", "须指定单位 · name a unit")
    password = secret.password
    said = f"密码须为 1 至 {MOST_PASSWORD} 个 ASCII 字符，不含空格 · 1 to {MOST_PASSWORD} ASCII characters, no spaces"
    unless(
        password.isascii()
        and password.isprintable()
        and " " not in password
        and 1 <= len(password) <= MOST_PASSWORD,
        "password",
        said,
    )
    unless(
        secret.keys is not None or not link.encrypts,
        "keys",
        "加密须有 M1、IA1、IC1 · to encrypt, the keys are needed",
    )
    unless(
        all(0 <= key <= _WORD for key in secret.keys or ()),
        "keys",
        "M1、IA1、IC1 为 32 位数 · numbers of 32 bits",
    )
    if link.direction == "below":
        unless(bool(link.networks), "networks", "须指定下级平台的网段 · name the networks that it comes from")
    else:
        unless(link.host is not None and link.port is not None, "host", "须指定上级平台地址和端口 · its address and port are needed")  # fmt: skip
        unless(not link.down_port or bool(link.networks), "networks", "从链路须指定上级平台的网段 · for the subordinate link, name the networks that it comes from")  # fmt: skip
    return found


async def set_enabled(connection: Connection, name: str, enabled: bool) -> bool:
    """Whether there is such a link."""
    done = await connection.execute("UPDATE platform_links SET enabled = $2 WHERE name = $1", name, enabled)
    return affected(done) == 1


def networks_of(given: Sequence[str]) -> tuple[Network, ...]:
    """Networks as people write them. Raises RefusedError."""
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in given)
    except ValueError as error:
        raise RefusedError([Flaw(("networks",), f"不是网段 · no network: {error}")]) from None


async def set_colour(connection: Connection, vehicle: str, colour: int | None) -> None:
    """The colour of the plate of a vehicle; None: what the plate says. Raises RefusedError."""
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM vehicles WHERE id = $1)", vehicle):
        raise RefusedError([Flaw(("vehicle",), f"没有这辆车 {vehicle} · there is no such vehicle")])
    if colour is None:
        await connection.execute("DELETE FROM platform_colours WHERE vehicle = $1", vehicle)
        return
    await connection.execute(
        "INSERT INTO platform_colours (vehicle, colour) VALUES ($1, $2) ON CONFLICT (vehicle) DO UPDATE SET colour = EXCLUDED.colour",
        vehicle,
        colour,
    )


def of_direction(links: Collection[Link], direction: str) -> list[Link]:
    """The enabled links of a direction."""
    return [link for link in links if link.enabled and link.direction == direction]
