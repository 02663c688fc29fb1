"""The state of a simulated device that commands change, and what a command makes it do besides answering. Without IO and clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from simulation.terminal.factory import factory_parameters
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar import messages as m
from telemetry.jt808.scalar.header import Header, Version
from telemetry.jt808.tables.grammar import Row

OK, FAILED, BAD, UNSUPPORTED = 0, 1, 2, 3
#: Bits of the status in a position.
FUEL_CUT, CIRCUIT_CUT, LOCKED = 1 << 10, 1 << 11, 1 << 12
#: Id of the parameter that is the plate.
_PLATE: Final = 0x83
#: Bytes of a message in packages at most: a device has little memory.
_MOST_BYTES: Final = 1 << 20

#: (id, body) of a message.
Answer = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Say:
    """Send a message ``after_s`` seconds from now, again until it is confirmed."""

    message_id: int
    body: bytes
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Track:
    """Report every ``interval_s`` seconds for ``for_s``; 0 ends it."""

    interval_s: int
    for_s: int


@dataclass(frozen=True, slots=True)
class Restart:
    """Hang up, and come back after so many seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class PackagesAgain:
    """Send packages (numbers from 1) of the file ``media_id`` again."""

    media_id: int
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Arrived:
    """The file ``media_id`` has come to the platform whole."""

    media_id: int


Effect = Say | Track | Restart | PackagesAgain | Arrived


@dataclass(frozen=True, slots=True)
class Card:
    """The card of a driver. ``valid_until``: YYYYMMDD."""

    name: str
    certificate: str
    id_number: str
    issuer: str = "南通市交通运输局"
    valid_until: str = "20301231"


@dataclass(frozen=True, slots=True)
class MediaFile:
    """What a camera or the microphone took. ``kind``, ``form``, ``event``, ``channel`` as in 0x0801; ``position``: 28 bytes of where."""

    media_id: int
    kind: int
    form: int
    event: int
    channel: int
    position: bytes
    data: bytes


@dataclass(slots=True)
class Device:
    """``parameters``: by id, without the plate where nobody has set another; ``status``: bits that commands set in the status of positions; ``texts``: how many were shown, ``text``: the
    last; ``areas``: rows by kind (1 circles, 2 rectangles, 3 polygons, 4 routes) and id; ``contacts`` by name; ``events``, ``menu``: words by
    number; ``files`` by id, oldest first; ``card``: of the driver, None = none is in; ``effects``: what is to be done now, by whoever
    has asked for answers."""

    version: Version
    device_id: str
    parameters: Mapping[int, object]
    plate: str = ""
    status: int = 0
    texts: int = 0
    text: object = ""
    areas: dict[int, dict[int, Row]] = field(default_factory=dict)
    contacts: dict[str, Row] = field(default_factory=dict)
    events: dict[int, str] = field(default_factory=dict)
    menu: dict[int, str] = field(default_factory=dict)
    recorder: dict[int, bytes] = field(default_factory=dict)
    files: dict[int, MediaFile] = field(default_factory=dict)
    card: Card | None = None
    effects: list[Effect] = field(default_factory=list)
    next_media_id: int = 1
    _parts: bytearray = field(default_factory=bytearray)
    _first: int = -1
    _index: int = 0

    @property
    def every_parameter(self) -> Mapping[int, object]:
        """All that it has, by id."""
        return {_PLATE: self.plate, **self.parameters}

    @property
    def locked(self) -> bool:
        """Whether its doors are."""
        return bool(self.status & LOCKED)

    def mark(self, bits: int, on: bool) -> None:
        """Set or clear bits of the status."""
        self.status = self.status | bits if on else self.status & ~bits

    def marked(self, position: bytes) -> bytes:
        """A 0x0200 body with what commands have done to the vehicle in its status."""
        if not self.status:
            return position
        status = int.from_bytes(position[4:8], "big") | self.status
        return position[:4] + status.to_bytes(4, "big") + position[8:]

    def reset(self) -> None:
        """Back to how it came from its maker."""
        self.parameters = factory_parameters(self.version)

    def whole(self, header: Header, body: bytes) -> bytes | None:
        """The body of a message that came in packages, with its last one; None before that. They come in order over TCP; one that
        does not follow the one before, or is too much, is nothing."""
        if header.total <= 1:
            return body
        first = (header.serial - header.index + 1) & 0xFFFF
        if header.index == 1:
            self._parts, self._first = bytearray(), first
        elif first != self._first or header.index != self._index + 1:
            return None
        self._index = header.index
        self._parts += body
        if len(self._parts) > _MOST_BYTES:
            self._parts, self._first = bytearray(), -1
            return None
        if header.index < header.total:
            return None
        whole, self._parts, self._first = bytes(self._parts), bytearray(), -1
        return whole


def new_device(version: Version, device_id: str, plate: str = "") -> Device:
    """As it comes from its maker."""
    return Device(version, device_id, factory_parameters(version), plate)


def reply(header: Header, result: int) -> Answer:
    """0x0001 to a message."""
    body = m.encode_general_reply(m.GeneralReply(header.serial, header.id, result))
    return MessageId.TERMINAL_GENERAL_REPLY, body
