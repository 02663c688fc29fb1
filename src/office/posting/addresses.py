"""Where a webhook may be sent: addresses, names and ports that are let through. Pure; asked again at every send.

Whoever may make a webhook could otherwise have the server ask services that only the server can reach (SSRF).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from runtime.errors import ConfigurationError
from runtime.hosts import is_loopback
from runtime.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Ports that need no setting.
PORTS: Final = frozenset({443, 8443})
MAX_URL: Final = 2_000

# Written out instead of ``is_global``: that differs between releases of Python. (IANA's registries of special addresses.)
_REFUSED_4: Final = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "AMT"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved or broadcast"),
    )
)
_REFUSED_6: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::1/128", "loopback"),
        ("::/128", "unspecified"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::/96", "IPv4-compatible"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("100::/64", "discard only"),
        ("2001::/23", "protocol assignments, Teredo"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "AS112"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
_UNICAST_6: Final = IPv6Network("2000::/3")

_LABEL: Final = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)


class TargetRefusedError(ValueError):
    """A webhook may not be sent there. The text says why, Chinese first."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is let through besides public addresses on PORTS. ``networks``: those of the office's own receivers. ``loopback``:
    this machine itself, by http and https, on any port (tests and the demo only)."""

    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset()
    loopback: bool = False

    @classmethod
    def of(cls, networks: Sequence[str], ports: Sequence[int], loopback: bool) -> Policy:
        """From texts as they stand in settings. Raises ConfigurationError for what is no network."""
        try:
            return cls(tuple(ip_network(text.strip()) for text in networks), frozenset(ports), loopback)
        except ValueError as error:
            raise ConfigurationError(
                f"GONGCHE_WEBHOOK_ALLOWED_NETWORKS: {error}", hint="such as 10.20.0.0/16,fd00:12::/48"
            ) from error

    @classmethod
    def configured(cls, settings: Settings) -> Policy:
        """The operator's. Raises ConfigurationError."""
        return cls.of(settings.webhook_allowed_networks, settings.webhook_ports, settings.webhook_loopback)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, taken apart once: what was looked at is what is asked. ``path`` with its query."""

    scheme: str
    host: str
    port: int
    path: str


def target_of(url: str, policy: Policy) -> Target:
    """The target of a URL. Raises TargetRefusedError; names are not resolved here."""
    if len(url) > MAX_URL or not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise TargetRefusedError(
            "地址过长或含有不允许的字符（域名请用 punycode） · the URL is too long or has characters that it must not have"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise TargetRefusedError("不是有效的地址 · not a URL") from None
    if parts.scheme not in ("https", "http"):
        raise TargetRefusedError("须以 https:// 开头 · the URL must begin with https://")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise TargetRefusedError("地址中不得含有用户名或密码 · no user name or password in the URL")
    if parts.fragment or url.endswith("#"):
        raise TargetRefusedError("地址中不得含有 # 片段 · no fragment in the URL")
    literal = literal_of(host)
    if literal is None and not _NAME.fullmatch(host):
        raise TargetRefusedError("主机名无效 · the host is neither a name nor an address")
    if literal is not None and (why := refusal(literal, policy)) is not None:
        raise TargetRefusedError(why)
    on_loopback = policy.loopback and is_loopback(host)
    if parts.scheme == "http" and not on_loopback:
        raise TargetRefusedError("须使用 https · use https")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    if port == 0 or (port not in PORTS | policy.ports and not on_loopback):
        allowed = "、".join(map(str, sorted(PORTS | policy.ports)))
        raise TargetRefusedError(f"端口须为 {allowed} 之一 · the port is not one that is allowed")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def literal_of(host: str) -> Address | None:
    """The address that a host is written as; None = it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def checked(addresses: Sequence[str], policy: Policy) -> list[str]:
    """``addresses`` of a name, all of which must be let through: one that is not makes the name suspicious. Raises
    TargetRefusedError, also when there is none."""
    if not addresses:
        raise TargetRefusedError("域名没有地址 · the name has no address")
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError:
            raise TargetRefusedError(f"不是地址 · not an address: {text}") from None
        if (why := refusal(address, policy)) is not None:
            raise TargetRefusedError(why)
    return list(addresses)


def refusal(address: Address, policy: Policy) -> str | None:
    """Why nothing is sent to ``address``; None = it is let through."""
    scoped = isinstance(address, IPv6Address) and address.scope_id is not None
    if not scoped:
        if any(address.version == network.version and address in network for network in policy.networks):
            return None
        if policy.loopback and (address == IPv6Address("::1") or address in IPv4Network("127.0.0.0/8")):
            return None
    what = "scoped" if scoped else _special(address)
    if what is None:
        return None
    return f"不允许推送到地址 {address}（{what}） · nothing is sent to {address} ({what}); GONGCHE_WEBHOOK_ALLOWED_NETWORKS"


def _special(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((why for network, why in _REFUSED_4 if address in network), None)
    found = next((why for network, why in _REFUSED_6 if address in network), None)
    return found if found or address in _UNICAST_6 else "not global unicast"
