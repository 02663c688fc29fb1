"""What the store takes and gives: judgements in, alerts, versions and feed entries out. No SQL here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from runtime.errors import GongcheError
from runtime.units import CHINA, from_us, to_us

Outcome = Literal["normal", "suspected", "undetermined"]
Status = Literal["suspected", "withdrawn"]
Severity = Literal["low", "medium", "high"]


class OffsetConflictError(GongcheError):
    """Another worker has moved the offset of a partition that this one believed to own: roll back and start
    again."""

    exit_code = 75


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a judgement. ``value`` is an integer where the rule compares it; ``unit`` as in ``m``,
    ``s``."""

    value: int | float | str | bool | None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What an alert says besides the judgement it rests on. Times in microseconds since 1970 UTC; ids are the
    office's own. ``occurred_to_us`` None = still going on."""

    severity: Severity
    organisation: str
    vehicle: str | None
    plate: str
    occurred_from_us: int
    occurred_to_us: int | None
    driver: str | None = None
    order: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of one evaluation of one subject, ready to be stored.

    ``evidence`` is canonical JSON (``rules.evidence``) or None; it must be given, like ``alert``, when
    ``outcome`` is ``suspected`` (ValueError otherwise). ``subject`` is stable: one (rule, subject) has one
    alert for ever. ``parameters`` are the values used, ``reason`` is the code that says why (its sentence becomes the
    reason of a withdrawal), ``named`` what that sentence names, ``told`` what the sentence of the alert needs besides the
    numbers (``rules.wording``): neither is compared with what was judged before. ``happened``: when, as in AlertFacts,
    whatever the outcome, None = not known; stored only as the end of an open alert that is withdrawn. ``card``: id of the
    fuel card that the subject is about, to find its alerts by. ``backfill``: it rests on an order that was entered afterwards (补单) and approved; what
    it withdraws says so.
    """

    rule: str
    rule_version: int
    subject: str
    vehicle_no: int | None
    outcome: Outcome
    reason: str
    evaluated_at_us: int
    measures: Mapping[str, Measure] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    evidence: bytes | None = None
    alert: AlertFacts | None = None
    happened: tuple[int, int | None] | None = None
    card: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)
    backfill: bool = False

    def __post_init__(self) -> None:
        if self.outcome == "suspected" and (self.alert is None or self.evidence is None):
            raise ValueError(
                f"{self.rule} {self.subject}: a suspected judgement needs its alert facts and its evidence"
            )


@dataclass(frozen=True, slots=True)
class Alert:
    """One version of an alert, as published (docs/pull-alerts.md).

    Times are aware datetimes. ``evidence_hash`` is the SHA-256 of the frozen evidence, ``evidence_sm3`` its SM3, hex
    (None: written before there was one). ``summary``, ``summary_en``: the sentence with the numbers, as it was published;
    it is no part of what makes a version. ``reason_code``: of the judgement that made this version. What was published
    before there were English sentences and codes has None there, and a withdrawal_reason in both languages.
    ``withdrawal_reason`` is set exactly when ``status`` is ``withdrawn``; the other fields then still say
    what was suspected, and ``evidence_hash`` names what that was judged on. Only where a withdrawal rests on evidence of
    its own (``location``: the complete track) it names that; what others found is in ``evaluations``. ``withdrawn_by``:
    ``backfill`` where an order that was entered afterwards, and approved, withdrew it.
    """

    id: str
    rule: str
    rule_version: int
    version: int
    status: Status
    severity: Severity
    organisation: str
    vehicle: str | None
    plate: str
    driver: str | None
    order: str | None
    occurred_from: datetime
    occurred_to: datetime | None
    detected_at: datetime
    summary: str
    measures: Mapping[str, Measure]
    parameters: Mapping[str, int]
    evidence_hash: str
    withdrawal_reason: str | None = None
    evidence_sm3: str | None = None
    summary_en: str | None = None
    withdrawal_reason_en: str | None = None
    reason_code: str | None = None
    withdrawn_by: str | None = None

    def body(self) -> dict[str, Any]:
        """The JSON object: the field names above, times RFC 3339 with the offset of China, measures as
        ``{name: {"value": ..., "unit": ...}}``."""
        return {
            "id": self.id,
            "rule": self.rule,
            "rule_version": self.rule_version,
            "version": self.version,
            "status": self.status,
            "severity": self.severity,
            "organisation": self.organisation,
            "vehicle": self.vehicle,
            "plate": self.plate,
            "driver": self.driver,
            "order": self.order,
            "occurred_from": _rfc3339(self.occurred_from),
            "occurred_to": None if self.occurred_to is None else _rfc3339(self.occurred_to),
            "detected_at": _rfc3339(self.detected_at),
            "summary": self.summary,
            "summary_en": self.summary_en,
            "reason_code": self.reason_code,
            "measures": measures_json(self.measures),
            "parameters": dict(self.parameters),
            "evidence_hash": self.evidence_hash,
            "evidence_sm3": self.evidence_sm3,
            "withdrawal_reason": self.withdrawal_reason,
            "withdrawal_reason_en": self.withdrawal_reason_en,
            "withdrawn_by": self.withdrawn_by,
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Alert:
        """The inverse of ``body``."""
        ended = body["occurred_to"]
        return cls(
            id=body["id"],
            rule=body["rule"],
            rule_version=body["rule_version"],
            version=body["version"],
            status=body["status"],
            severity=body["severity"],
            organisation=body["organisation"],
            vehicle=body["vehicle"],
            plate=body["plate"],
            driver=body["driver"],
            order=body["order"],
            occurred_from=datetime.fromisoformat(body["occurred_from"]),
            occurred_to=None if ended is None else datetime.fromisoformat(ended),
            detected_at=datetime.fromisoformat(body["detected_at"]),
            summary=body["summary"],
            measures={name: Measure(m["value"], m["unit"]) for name, m in body["measures"].items()},
            parameters=dict(body["parameters"]),
            evidence_hash=body["evidence_hash"],
            withdrawal_reason=body["withdrawal_reason"],
            evidence_sm3=body.get("evidence_sm3"),
            summary_en=body.get("summary_en"),
            withdrawal_reason_en=body.get("withdrawal_reason_en"),
            reason_code=body.get("reason_code"),
            withdrawn_by=body.get("withdrawn_by"),
        )


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One entry of the feed: ``seq`` is the cursor (strictly increasing in commit order)."""

    seq: int
    alert: Alert
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FeedFilter:
    """Which entries of the feed a reader gets; None = all. ``organisations`` are units, those below them named as well."""

    organisations: frozenset[str] | None = None
    rules: frozenset[str] | None = None
    severities: frozenset[str] | None = None
    statuses: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class FeedPart:
    """Entries for a reader, and the ``place`` up to which the feed was looked at: there the reader goes on. ``more``: it may go
    on at once."""

    entries: tuple[FeedEntry, ...]
    place: int
    more: bool


@dataclass(frozen=True, slots=True)
class VersionedAlert:
    """A version of an alert with what the office does not see: subject, compact vehicle number, when it was
    written."""

    alert: Alert
    subject: str
    vehicle_no: int | None
    written_at: datetime

    @property
    def occurred_from_us(self) -> int:
        return to_us(self.alert.occurred_from)

    @property
    def occurred_to_us(self) -> int | None:
        return None if self.alert.occurred_to is None else to_us(self.alert.occurred_to)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Filters of ``list_alerts``; None = any. ``from_us``/``to_us`` (half open) ask for alerts whose
    occurrence overlaps that time; an alert still going on has no end. ``began_from_us``/``began_to_us``: that began then;
    ``detected_from_us``/``detected_to_us``: that were detected then (both half open). ``units``, ``vehicles``: of one of
    these. ``finding`` and ``case_states`` are what supervision keeps beside an alert ("none" = nothing); judging knows
    neither. ``unread``: only those whose newest version the caller (the setting gongche.subject) has not read."""

    rule: str | None = None
    organisation: str | None = None
    vehicle: str | None = None
    status: Status | None = None
    from_us: int | None = None
    to_us: int | None = None
    finding: str | None = None
    case_states: tuple[str, ...] | None = None
    severity: str | None = None
    driver: str | None = None
    began_from_us: int | None = None
    began_to_us: int | None = None
    detected_from_us: int | None = None
    detected_to_us: int | None = None
    units: tuple[str, ...] | None = None
    vehicles: tuple[str, ...] | None = None
    unread: bool = False

    @property
    def finds_masked(self) -> bool:
        """Whether it asks for nothing that is masked of a secret vehicle: what is masked is not found by it. It cannot be opened either, so
        it is never unread."""
        hidden = (self.vehicle, self.vehicles, self.driver, self.finding, self.case_states)
        return not self.unread and all(value is None for value in hidden)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Frozen evidence: canonical JSON bytes, their SHA-256 and SM3 (hex; SM3 None: kept before there was one)."""

    sha256: str
    body: bytes
    created_at: datetime
    sm3: str | None = None


@dataclass(frozen=True, slots=True)
class StoredEvaluation:
    """The newest evaluation of a subject, as stored. ``evidence_hash`` is hex or None. ``reason``: the code; None: written
    before there were codes, and no code is known for its words. ``named``: what the sentence of the reason names.
    ``words``: the Chinese sentence as it was stored before there were codes."""

    id: int
    rule: str
    rule_version: int
    subject: str
    vehicle_no: int | None
    outcome: Outcome
    reason: str | None
    measures: Mapping[str, Measure]
    parameters: Mapping[str, int]
    evidence_hash: str | None
    evaluated_at: datetime
    named: Mapping[str, str] = field(default_factory=dict)
    words: str | None = None


@dataclass(frozen=True, slots=True)
class FactChange:
    """A fact that changed: results of ``vehicle_no`` that rest on facts from ``from_us`` on may change.
    ``kind``: order, fence, terminal_binding, vehicle_status, parameter, or rows (of another worker)."""

    seq: int
    kind: str
    subject: str
    vehicle_no: int
    from_us: int


def alert_id(rule: str, subject: str) -> str:
    """The stable id of the alert of (rule, subject): 32 hex digits, the same wherever and whenever it is
    found."""
    return hashlib.sha256(f"{rule}\n{subject}".encode()).hexdigest()[:32]


def measures_json(measures: Mapping[str, Measure]) -> dict[str, Any]:
    """``{name: {"value": ..., "unit": ...}}``."""
    return {name: {"value": m.value, "unit": m.unit} for name, m in measures.items()}


def china_time(us: int) -> datetime:
    """Aware datetime at the offset of China of microseconds since 1970 UTC."""
    return from_us(us).astimezone(CHINA)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(CHINA).isoformat()
