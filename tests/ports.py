"""Free TCP ports for programs that must be told their port."""

from __future__ import annotations

import random
import socket

#: Below what Linux and others give to outgoing connections: a port from there can be taken by anybody between now and the
#: program's start, or while a killed program is down. Test runs side by side meet only by chance in so many.
_FIRST, _LAST = 15_000, 32_000


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    chance = random.SystemRandom()  # a seeded generator would give every worker of a run the same ports
    while True:
        port = chance.randrange(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
