"""What an office and an oil company know besides positions and orders: stations, cards, what was paid, violations.

Times are whole seconds since 1970 UTC, ``xy`` metres of the city's plane (``roads.Frame``).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Station:
    """A fuel station. Depends on the seed alone, so that a later run enters what is there already."""

    id: str
    name: str
    xy: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Binding:
    """A card is bound to ``plate`` in [from, to); ``to_s`` None = still."""

    plate: str
    from_s: int
    to_s: int | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A fuel card and its whole history of bindings."""

    id: str
    organisation: str
    opened_s: int
    bindings: tuple[Binding, ...] = ()
    closed_s: int | None = None


@dataclass(frozen=True, slots=True)
class PaperVehicle:
    """A vehicle of the register that does not drive in the plan: it has no terminal."""

    id: str
    plate: str
    organisation: str
    disposed_s: int | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """A line of a card's statement. ``quantity_ml`` of ``product``, ``amount_fen``; ``reverses``: the payment taken back;
    ``posted``: its time is that of the booking."""

    id: str
    card: str
    at_s: int
    kind: str
    station: Station | None
    quantity_ml: int | None
    amount_fen: int
    reverses: str | None = None
    product: str = "92号汽油"
    posted: bool = False


@dataclass(frozen=True, slots=True)
class Offence:
    """A record of the traffic police. Several records of one number are one violation; they come in different exports
    (``export``: 0, 1, ...)."""

    id: str
    plate: str
    at_s: int
    act: str
    status: str = "open"
    export: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter of a rule that every unit of the plan uses, from ``from_s`` on."""

    rule: str
    name: str
    value: int
    from_s: int


@dataclass(slots=True)
class Facts:
    """All of a plan. ``settings`` are entered last, when the plan has been driven: from then on its days are judged."""

    stations: list[Station] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    vehicles: list[PaperVehicle] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    offences: list[Offence] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
