"""Who may connect, and whose PROXY header is believed: networks as the operator wrote them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from runtime.errors import ConfigurationError

Network = IPv4Network | IPv6Network


def networks(setting: str, words: Iterable[str]) -> tuple[Network, ...]:
    """The networks (or single addresses) of ``setting``. Raises ConfigurationError that names what is none."""
    found: list[Network] = []
    for word in words:
        try:
            found.append(ip_network(word))
        except ValueError as error:
            raise ConfigurationError(
                f"{setting}: 不是地址或网段 / not an address or a network: {word!r} ({error})",
                hint="such as 10.20.0.0/16,2001:db8::/32",
            ) from None
    return tuple(found)


def plain(address: str) -> str:
    """``address`` as people write it: an IPv4 address that a socket for both protocols shows as ``::ffff:1.2.3.4`` is ``1.2.3.4``."""
    return address[7:] if address.startswith("::ffff:") and "." in address else address


@dataclass(frozen=True, slots=True)
class Origins:
    """``allowed``: terminals connect from there; empty = from everywhere. ``balancers``: connections from there begin with a PROXY
    header, which says where the terminal is."""

    allowed: tuple[Network, ...] = ()
    balancers: tuple[Network, ...] = ()

    def admits(self, address: str) -> bool:
        """Whether a terminal may connect from ``address``. What is no address is nowhere."""
        return not self.allowed or _within(address, self.allowed)

    def is_balancer(self, address: str) -> bool:
        """Whether a connection from ``address`` must begin with a PROXY header."""
        return bool(self.balancers) and _within(address, self.balancers)


def _within(address: str, among: tuple[Network, ...]) -> bool:
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(parsed in network for network in among)
