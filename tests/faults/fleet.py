"""What a ``Crowd`` stands on: terminals that have registered already, their sockets, and the ledger of what they did."""

from __future__ import annotations

import socket
import struct
from array import array
from contextlib import suppress
from hashlib import sha256
from typing import Any

import numpy as np

from runtime.connection import Connection
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar import messages as m
from telemetry.jt808.scalar.framing import encode_frame
from telemetry.jt808.scalar.header import Version, build_message
from tests.faults.plan import Plan

_LINGER = struct.pack("ii", 1, 0)  # close means RST: a line that is gone, and no TIME_WAIT


def code_of(phone: str) -> bytes:
    """The authentication code of a terminal of ``FleetPlan``."""
    return f"faults-{phone}".encode()


class FleetPlan(Plan):
    """A plan whose terminals have registered already."""

    async def register(self, connection: Connection) -> None:
        """See Plan.register; then every terminal has the code ``code_of`` it."""
        await super().register(connection)
        phones = [self.phone(k) for k in range(self.terminals)]
        await connection.execute(
            "UPDATE terminals t SET code_sha256 = c.code, registered_at = now()"
            " FROM unnest($1::text[], $2::bytea[]) AS c (phone, code) WHERE c.phone = t.phone",
            phones, [sha256(code_of(phone)).digest() for phone in phones],
        )  # fmt: skip


def authentication(phone: str, version: Version, serial: int) -> bytes:
    """The frame with which a terminal of ``FleetPlan`` authenticates."""
    body = m.encode_authentication(m.Authentication(code_of(phone), "860000000000000", "faults"), version)
    return encode_frame(build_message(MessageId.AUTHENTICATE, body, phone, serial, version=version))


def version_of(number: int) -> Version:
    """The edition that terminal ``number`` speaks."""
    return Version.V2019 if number % 2 else Version.V2013


def open_socket(number: int, port: int) -> socket.socket:
    """A socket that connects to the gateway, from one of some hundred loopback addresses."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(
        OSError
    ):  # IP_BIND_ADDRESS_NO_PORT: the port is chosen at connect, by the pair of addresses
        sock.setsockopt(socket.IPPROTO_IP, 24, 1)
    sock.bind((f"127.0.1.{1 + number % 200}", 0))
    with suppress(BlockingIOError):
        sock.connect(("127.0.0.1", port))
    return sock


class Ledger:
    """What was sent and replied to. ``sent`` (times) and ``confirmed`` have shape (terminals, rows of the plan);
    ``first_sent``, ``replied`` (seconds of the loop's clock) and ``live`` (0x0200, not 0x0704) have a value for each
    confirmed message; ``heard`` (terminals,) is when each terminal got its last reply to a report."""

    def __init__(self, terminals: int, rows: int) -> None:
        self.sent = np.zeros((terminals, rows), np.uint16)
        self.confirmed = np.zeros((terminals, rows), np.bool_)
        self.first_sent, self.replied, self.live = array("d"), array("d"), array("b")
        self.heard = np.zeros(terminals)
        self.connects = self.reports = self.batches = self.authentications = 0
        self.wrong: list[str] = []

    def fault(self, text: str) -> None:
        """Something that must never happen (the first hundred are kept)."""
        if len(self.wrong) < 100:
            self.wrong.append(text)

    def latencies(self, since: float, until: float) -> Any:
        """Seconds from first sending to reply of the live reports first sent within [since, until)."""
        first, replied = np.array(self.first_sent), np.array(self.replied)
        chosen = (np.array(self.live) != 0) & (first >= since) & (first < until)
        return replied[chosen] - first[chosen]

    def silence_s(self, since: float, until: float) -> float:
        """The longest time within [since, until] without a reply to anybody."""
        replied = np.array(self.replied)
        inside = np.sort(replied[(replied >= since) & (replied <= until)])
        return float(np.diff(np.concatenate([[since], inside, [until]])).max())
