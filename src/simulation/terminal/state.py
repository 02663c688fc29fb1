"""Where a simulated terminal is in its life, how long it waits, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """Where a terminal is in its life."""

    OFFLINE = "offline"  # no network: told so
    WAITING = "waiting"  # for its time to connect
    CONNECTING = "connecting"
    REGISTERING = "registering"
    AUTHENTICATING = "authenticating"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. ``confirm_s``: how long a message waits for its 0x8001 before it is sent again."""

    connect_s: float = 10.0
    confirm_s: float = 10.0
    heartbeat_s: float = 60.0
    tick_s: float = 0.1


class Unconfirmed:
    """A position message on its way."""

    __slots__ = ("bodies", "frame", "message_id", "resends", "sent_at")

    def __init__(self, message_id: int, frame: bytes, bodies: list[bytes], sent_at: float) -> None:
        self.message_id = message_id
        self.frame = frame
        self.bodies = bodies
        self.sent_at = sent_at
        self.resends = 0
