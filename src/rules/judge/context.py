"""What the judge works with: changes, keys, gatherers.

A *gatherer* knows one kind of subject (an order, a transaction, a card, a vehicle's day). It says which of its keys a
changed fact touches and when they can be judged, gathers the facts of many keys at once, and has each judged by the
pure check of its rules. It keeps nothing between calls: everything is read in the transaction that writes the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from registry import parameters as params
from registry.parameters import ParameterRow
from registry.working_days import Calendar
from rules.alerts.conclude import judgement_of
from rules.alerts.model import AlertFacts, Judgement, StoredEvaluation
from rules.checks.base import Evaluation, Outcome
from rules.navigation.base import Navigator
from runtime.connection import Connection
from telemetry.archive.store import Archive

#: A key that waits for a track is looked at again so often at first, then ever more seldom, up to ``WAIT_MOST_US``.
WAIT_FIRST_US = 3600 * 1_000_000
WAIT_MOST_US = 24 * 3600 * 1_000_000
#: The reason of what is so old that its positions are not kept any more.
TRACK_NOT_KEPT: Final = "track_not_kept"


@dataclass(frozen=True, slots=True)
class Change:
    """A fact that changed. ``kind`` and ``subject`` are those of the outbox (migrations/0016_changes.sql), but that the
    subject of a parameter is its rule. ``from_us``: results that rest on facts from then on, microseconds since 1970 UTC.
    """

    seq: int
    kind: str
    subject: str
    from_us: int


@dataclass(frozen=True, slots=True)
class Context:
    """What judging needs. ``conn``: a connection, in the transaction that publishes (not in one in ``prepare``).
    ``now_us``: the clock. ``known_us``: positions received until then are processed; a backlog in the log is no silence
    of a terminal. ``kept_from_us``: positions of before are not kept any more. ``numbers_only``: nothing is published of what is found (a backtest): what is suspected by its numbers
    does not need its track in the evidence.
    """

    conn: Connection
    archive: Archive
    navigator: Navigator
    calendar: Calendar
    parameters: tuple[ParameterRow, ...]
    now_us: int
    known_us: int
    numbers_only: bool = False
    kept_from_us: int = 0

    def resolve(self, rule: str, organisation: str | None, at_us: int) -> dict[str, int]:
        """Values of a rule's parameters for an organisation at a time, by name."""
        return params.resolve(rule, organisation, at_us, self.parameters)

    def on(self, conn: Connection) -> Context:
        """The same context on another connection."""
        return replace(self, conn=conn)


@dataclass(frozen=True, slots=True)
class Later:
    """Judge this key again at ``due_us``; ``why`` for people. Before that, as soon as the newest position of ``vehicle_no``
    (None: of no vehicle) that is processed is later than ``seen_us``."""

    due_us: int
    why: str
    vehicle_no: int | None = None
    seen_us: int = 0


@dataclass(slots=True)
class Verdicts:
    """What ``Gatherer.judge`` found: judgements to publish, and keys that are to be judged (again) later. A key may
    be in both: undetermined now, again when the track is there. ``absent``: subjects that are undetermined only because a
    source of facts is away for a while: an alert of them that stands is left as it is (``standing``)."""

    judgements: list[Judgement] = field(default_factory=list)
    later: dict[str, Later] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)


class Gatherer(Protocol):
    """One kind of subject. Keys are strings of at most 200 characters, stable for ever."""

    @property
    def name(self) -> str:
        """Name in ``judge_due`` and metrics."""

    @property
    def rules(self) -> tuple[str, ...]:
        """Codes of the rules that it judges."""

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """Keys that ``changes`` touch -> when they can be judged at the earliest (us; at or before now = at once)."""

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """Keys that come up in (from, until] by the clock alone (a day, a month ended; nightly work)."""

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Before the transaction: what takes long and is kept apart (routes). May do nothing."""

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """Judge ``keys`` (distinct) on the facts as they are now. A key whose subject is no more withdraws its alert.
        The same facts give the same judgements, whatever the order of the keys and however they are cut."""

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        """All keys whose subject happened in [from, to): what a backtest evaluates. Sorted."""


def gone(context: Context, rule: str, version: int, judged: StoredEvaluation) -> Judgement:
    """The subject of ``judged`` is no more."""
    return Judgement(rule, version, judged.subject, judged.vehicle_no, "normal", "gone", context.now_us)


def judgement(
    context: Context,
    made: Evaluation,
    evidence: Mapping[str, object],
    alert: AlertFacts | None,
    vehicle_no: int | None,
    card: str | None = None,
    *,
    backfill: bool = False,
) -> Judgement:
    """The judgement of an evaluation, made now: see ``judgement_of``. ``card``: the fuel card that it is about, if any.
    ``backfill``: an order that it rests on was entered afterwards."""
    return judgement_of(made, evidence, alert, vehicle_no, context.now_us, card=card, backfill=backfill)


def on_kept_track(context: Context, made: Evaluation) -> Evaluation:
    """``made``, which rests on a track; where positions of its time are not kept any more, that it cannot be judged. What is
    left of a track there proves nothing, for nor against anybody."""
    if made.from_us >= context.kept_from_us:
        return made
    return replace(made, outcome=Outcome.UNDETERMINED, reason=TRACK_NOT_KEPT, measures={})


def of_kind(changes: Iterable[Change], *kinds: str) -> list[Change]:
    """The changes of these kinds."""
    return [c for c in changes if c.kind in kinds]


def wait(context: Context, since_us: int, why: str, vehicle_no: int | None = None, seen_us: int = 0) -> Later:
    """Look again: after as long as it has been waited already since ``since_us``, within the bounds above; or as soon as
    ``vehicle_no`` has a position later than ``seen_us``."""
    pause = min(max(context.now_us - since_us, WAIT_FIRST_US), WAIT_MOST_US)
    return Later(context.now_us + pause, why, vehicle_no, seen_us)
