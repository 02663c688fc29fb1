"""The sockets of a gateway: what waits for terminals that do not read is counted and bounded, and they pay for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from telemetry.gateway.connection import Connection, ConnectionTable
from telemetry.gateway.limits import Limits
from telemetry.gateway.sockets import Sockets

_BUDGET = 4 << 20
_MOST = _BUDGET // 4
_PIECE = bytes(16 << 10)


class Served:
    """Sockets with ``clients``; ``connections`` are their other ends, in the same order."""

    def __init__(self, count: int, limits: Limits) -> None:
        self.closed: list[Connection] = []
        self.sockets = Sockets(limits, ConnectionTable(), self.closed.append)
        port = self.sockets.listen("127.0.0.1", 0)
        self.clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        while len(self.sockets.connections) < count:
            self.sockets.read(1.0)
        by_port = {int(c.peer.rpartition(":")[2]): c for c in self.sockets.connections.values()}
        self.connections = [by_port[client.getsockname()[1]] for client in self.clients]

    def fill(self, connection: Connection, waiting: int) -> None:
        """Send until ``waiting`` bytes at least wait here, which the system does not take."""
        while len(connection.unsent) < waiting and not connection.closed:
            self.sockets.send(connection, _PIECE)

    def counted_rightly(self) -> bool:
        return self.sockets.unsent_bytes == sum(len(c.unsent) for c in self.sockets.connections.values())


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served(12, Limits(memory_budget_bytes=_BUDGET, max_unsent_bytes=400_000))
    yield made
    made.sockets.close_all("drain")
    assert made.sockets.unsent_bytes == 0
    for client in made.clients:
        client.close()


def test_those_that_have_most_waiting_are_closed_when_all_have_too_much(served: Served) -> None:
    small, large = served.connections[:6], served.connections[6:]
    for connection in small:
        served.fill(connection, 1)
    for connection in large:
        served.fill(connection, 250_000)
        assert served.sockets.unsent_bytes <= _MOST
        assert served.counted_rightly()
    assert served.closed, "together they had too much"
    assert not any(c.closed for c in small), "those that read a little too slowly stay"
    assert set(served.closed) <= set(large)


def test_what_is_read_later_is_given_back(served: Served) -> None:
    connection, client = served.connections[0], served.clients[0]
    served.fill(connection, 100_000)
    assert served.sockets.unsent_bytes >= 100_000
    client.settimeout(5)
    while served.sockets.unsent_bytes:
        assert client.recv(1 << 20)
        served.sockets.read(2.0)
        assert served.counted_rightly()
    assert not connection.closed


def test_one_that_goes_takes_what_waited_with_it(served: Served) -> None:
    connection = served.connections[0]
    served.fill(connection, 500_000)  # more than one may have
    assert connection.closed
    assert served.sockets.unsent_bytes == 0
