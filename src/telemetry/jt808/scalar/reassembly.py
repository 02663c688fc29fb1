"""Putting sub-packaged messages together again (2019 clause 7.12; package item: 4.4.3 table 3), in
bounded memory.

Packages of one message have consecutive serials, so ``serial - (index - 1)`` is the first package's
serial whichever package comes: it identifies the message and is what 0x8003 must name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.header import Header
from telemetry.jt808.scalar.replies import MAX_RETRANSMIT

#: What a package costs beside its body (measured): its header, the objects around both, their places in the tables. So
#: packages of a byte, or of none, are neither free nor without an end.
PART_BYTES = 400


@dataclass(frozen=True, slots=True)
class Complete:
    """A whole message. ``headers``: of its packages, in order; ``unanswered``: those not replied to yet,
    which are to be answered once the message is safe; ``last``: the header of the package that completed
    it."""

    headers: tuple[Header, ...]
    body: bytes
    unanswered: tuple[Header, ...]
    last: Header


@dataclass(frozen=True, slots=True)
class Pending:
    """A package is held. ``answer``: it may be replied to now (see ``Reassembler.add``); ``duplicate``:
    it was here already."""

    answer: bool
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """Packages to ask for with 0x8003; ``header``: a package of the message, for the dialect. ``first``: the body of its first package,
    b"" where that is missing; ``upload``: of a message that numbers its packages itself, what they belong to."""

    header: Header
    first_serial: int
    indexes: tuple[int, ...]
    first: bytes = b""
    upload: int | None = None


@dataclass(frozen=True, slots=True)
class Numbering:
    """How a message numbers its packages itself, where the header does not (0x0801 of 2011). ``upload``: names what they belong to, and
    takes the place of the first serial."""

    upload: int
    total: int
    index: int


class Budget:
    """Bytes that may be held in all, by everybody who has this object."""

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0

    def take(self, size: int) -> bool:
        """Whether there is room for ``size`` bytes more; they are held then."""
        if self.held + size > self.most:
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        """``size`` bytes are held no more."""
        self.held -= size


@dataclass(slots=True)
class _Assembly:
    total: int
    started: float
    touched: float
    grown: float  # when a package came that was not here yet
    numbered: bool  # by the message itself
    asked: int = 0
    prefix: int = 0  # packages 1..prefix are all here
    parts: dict[int, tuple[Header, bytes]] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)


class Reassembler:
    """Packages of the messages of one connection.

    Holds at most ``max_bytes`` (bodies, and ``PART_BYTES`` a package), ``max_messages`` messages of at most
    ``max_parts`` packages; a message not complete ``timeout_s`` after its first package, or ``idle_s`` after the last one that was new,
    is given up. Missing packages are asked for ``retry_s`` after the last one came, at most ``max_requests`` times. ``budget``: what is
    held here counts in it as well. ``together``: messages are dear: one that would be too long as a whole, by the package that came, is
    refused at once, and what is given up is one rejection for a message, not one for each package.
    """

    def __init__(
        self,
        max_bytes: int = 131_072,
        max_parts: int = MAX_RETRANSMIT,
        timeout_s: float = 60.0,
        *,
        max_messages: int = 8,
        retry_s: float = 5.0,
        max_requests: int = 3,
        idle_s: float = float("inf"),
        budget: Budget | None = None,
        together: bool = False,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_parts = max_parts
        self._timeout_s = timeout_s
        self._max_messages = max_messages
        self._retry_s = retry_s
        self._max_requests = max_requests
        self._idle_s = idle_s
        self._budget = budget
        self._together = together
        self._assemblies: dict[tuple[int, int], _Assembly] = {}
        self._bytes = 0

    @property
    def bytes_held(self) -> int:
        """Memory of the packages held now: their bodies, exactly, and ``PART_BYTES`` each. 0 = none are held."""
        return self._bytes

    @property
    def parts_held(self) -> int:
        """Packages held now."""
        return sum(len(assembly.parts) for assembly in self._assemblies.values())

    def add(
        self, header: Header, body: bytes, now: float, numbering: Numbering | None = None
    ) -> Complete | Pending | Rejection:
        """Take a package (``header.fragmented``, or one that ``numbering`` tells). ``now``: seconds, any origin, not going back.

        A package is to be answered at once only when all packages before it are here and it is not the
        last: so a terminal that waits for each reply goes on, and yet the *message* is never wholly
        answered before it is safe, not even when packages were held by a process that died. Rejects
        BAD_FRAGMENT (numbers that contradict what is held) and REASSEMBLY_LIMIT; what is held stays.
        """
        total, index = (numbering.total, numbering.index) if numbering else (header.total, header.index)
        key = (header.id, numbering.upload if numbering else (header.serial - (index - 1)) & 0xFFFF)
        assembly = self._assemblies.get(key)
        if not 1 <= index <= total or (assembly and assembly.total != total):
            held = f", {assembly.total} before" if assembly else ""
            return Rejection(Reason.BAD_FRAGMENT, f"package {index} of {total}{held}", body)
        if total == 1:
            return Complete((header,), body, (header,), header)
        if assembly and index in assembly.parts:
            if assembly.parts[index][1] != body:
                return Rejection(Reason.BAD_FRAGMENT, f"package {index} came with other content", body)
            assembly.touched = now
            return Pending(self._answer(assembly, index), duplicate=True)
        size = len(body) + PART_BYTES
        if (
            total > self._max_parts
            or self._bytes + size > self._max_bytes
            or (self._together and index < total and (total - 1) * size > self._max_bytes)
            or (assembly is None and len(self._assemblies) >= self._max_messages)
            or not (self._budget is None or self._budget.take(size))
        ):
            detail = f"{total} packages, {self._bytes} bytes of {len(self._assemblies)} messages held"
            return Rejection(Reason.REASSEMBLY_LIMIT, detail, body)
        if assembly is None:
            assembly = self._assemblies[key] = _Assembly(total, now, now, now, numbering is not None)
        assembly.parts[index] = (header, body)
        assembly.touched = assembly.grown = now
        self._bytes += size
        while assembly.prefix + 1 in assembly.parts:
            assembly.prefix += 1
        if len(assembly.parts) < assembly.total:
            return Pending(self._answer(assembly, index), duplicate=False)
        del self._assemblies[key]
        parts = [assembly.parts[number] for number in range(1, assembly.total + 1)]
        whole = b"".join(part for _, part in parts)
        self._give(len(whole) + PART_BYTES * len(parts))
        headers = tuple(part_header for part_header, _ in parts)
        unanswered = tuple(h for k, h in enumerate(headers, 1) if k not in assembly.answered)
        return Complete(headers, whole, unanswered, header)

    def _give(self, size: int) -> None:
        self._bytes -= size
        if self._budget is not None:
            self._budget.give(size)

    @staticmethod
    def _answer(assembly: _Assembly, index: int) -> bool:
        if index > assembly.prefix or index == assembly.total:
            return False
        assembly.answered.add(index)
        return True

    def missing(self, now: float) -> list[Missing]:
        """What to ask the terminal for now; calling it counts as having asked."""
        due: list[Missing] = []
        for (_, first_serial), assembly in self._assemblies.items():
            if assembly.asked >= self._max_requests or now - assembly.touched < self._retry_s:
                continue
            assembly.asked += 1
            assembly.touched = now
            absent = [index for index in range(1, assembly.total + 1) if index not in assembly.parts]
            header = next(iter(assembly.parts.values()))[0]
            first = assembly.parts[1][1] if 1 in assembly.parts else b""
            upload = first_serial if assembly.numbered else None
            due.append(Missing(header, first_serial, tuple(absent[:MAX_RETRANSMIT]), first, upload))
        return due

    def expire(self, now: float) -> list[Rejection]:
        """Give up what is too old, or does not grow: one REASSEMBLY_TIMEOUT for each package that was held."""
        return self._drop(
            [
                key
                for key, one in self._assemblies.items()
                if now - one.started >= self._timeout_s or now - one.grown >= self._idle_s
            ]
        )

    def clear(self) -> list[Rejection]:
        """Give up everything (the connection ends): one REASSEMBLY_TIMEOUT for each package that was
        held.
        """
        return self._drop(list(self._assemblies))

    def _drop(self, keys: list[tuple[int, int]]) -> list[Rejection]:
        rejected: list[Rejection] = []
        for key in keys:
            assembly = self._assemblies.pop(key)
            detail = f"{len(assembly.parts)} of {assembly.total} packages of {key[0]:#06x} came"
            bodies = [body for _, body in assembly.parts.values()]
            self._give(sum(map(len, bodies)) + PART_BYTES * len(bodies))
            if self._together:
                rejected.append(Rejection(Reason.REASSEMBLY_TIMEOUT, detail, bodies[0], len(bodies)))
            else:
                rejected += [Rejection(Reason.REASSEMBLY_TIMEOUT, detail, body) for body in bodies]
        return rejected
