"""Writing judgements: evidence, evaluations, alerts and their versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime

from rules.alerts.corrections import with_corrections
from rules.alerts.feed import evidence_body
from rules.alerts.model import (
    Alert,
    AlertFacts,
    Judgement,
    Measure,
    StoredEvaluation,
    alert_id,
    china_time,
    measures_json,
)
from rules.alerts.months import KEPT, month_of
from rules.catalogue import CATALOGUE
from rules.evidence import digest, digests
from rules.wording.standard import STANDARD, Wording
from rules.wording.texts import Said, Text
from runtime.connection import Connection
from runtime.units import from_us

#: Added to the reason of a withdrawal that rests on an order that was entered afterwards.
BACKFILL = Text("据经审批的补单", "by an order that was entered afterwards and approved")


async def put_evidence(conn: Connection, bodies: Iterable[tuple[bytes, date]]) -> None:
    """Keep frozen evidence by its SHA-256, with its SM3, each body in its month (rules.alerts.months; ``KEPT`` = for
    ever). Idempotent: of one month the same bytes are kept once."""
    # Sorted: two transactions that keep the same bodies wait for each other in one order, and cannot
    # deadlock.
    rows = sorted({(*digests(body), body, month) for body, month in bodies})
    if rows:
        sha256, sm3, body, month = zip(*rows, strict=True)
        await conn.execute(
            "INSERT INTO evidence (sha256, sm3, body, month)"
            " SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::date[])"
            " ON CONFLICT (sha256, month) DO NOTHING",
            sha256, sm3, body, month,
        )  # fmt: skip


async def evaluations_of(conn: Connection, rule: str, subjects: Sequence[str]) -> dict[str, StoredEvaluation]:
    """The newest evaluation of each of ``subjects`` that has one."""
    rows = await conn.fetch(
        "SELECT e.* FROM unnest($2::text[]) AS s (subject) CROSS JOIN LATERAL"
        " (SELECT * FROM evaluations WHERE rule = $1 AND subject = s.subject ORDER BY id DESC LIMIT 1) e",
        rule,
        sorted(set(subjects)),
    )
    return {
        r["subject"]: StoredEvaluation(
            id=r["id"],
            rule=r["rule"],
            rule_version=r["rule_version"],
            subject=r["subject"],
            vehicle_no=r["vehicle_no"],
            outcome=r["outcome"],
            reason=r["reason_code"],
            measures={name: Measure(m["value"], m["unit"]) for name, m in r["measures"].items()},
            parameters=r["parameters"],
            evidence_hash=None if r["evidence_sha256"] is None else r["evidence_sha256"].hex(),
            evaluated_at=r["evaluated_at"],
            named=r["reason_named"] or {},
            words=r["reason"],
        )
        for r in rows
    }


async def publish(
    conn: Connection, judgements: Sequence[Judgement], wording: Wording = STANDARD
) -> list[Alert]:
    """Store ``judgements`` and bring the alerts of their subjects up to date; the alert versions written, if
    any: what ``publish_feed`` is to be given.

    One subject (rule, subject) has one alert. Suspected for the first time: version 1. Suspected with other
    facts (numbers, times, parameters, evidence, severity, reason), or again after a withdrawal: the next version. The same
    facts: nothing, whatever words ``wording`` has for them by now. No longer suspected:
    the alert is withdrawn with the judgement's reason, as a new version; one that was still open ends with what
    the judgement looked at (``happened``). An evaluation equal to the newest of
    its subject is not stored again. So publishing anything twice changes nothing.

    Several judgements of one subject take effect one after another, in the order given. Must run in a
    transaction that ends with ``publish_feed``. Raises RuntimeError outside one. Should two transactions raise
    the same new alert at once, the second gets asyncpg.UniqueViolationError: roll back and do it again.
    """
    if not conn.is_in_transaction():
        raise RuntimeError("publish needs a transaction that ends with publish_feed")
    written: list[Alert] = []
    for layer in _layers(await with_corrections(conn, judgements)):
        await put_evidence(conn, [(j.evidence, _month(j)) for j in layer if j.evidence is not None])
        await _store_evaluations(conn, layer)
        written += await _update_alerts(conn, layer, wording)
    return written


def _layers(judgements: Sequence[Judgement]) -> list[list[Judgement]]:
    """``judgements`` in groups without a repeated subject, in order; subjects sorted, so that locks are
    too."""
    layers: list[dict[tuple[str, str], Judgement]] = []
    depth: dict[tuple[str, str], int] = {}
    for judgement in judgements:
        key = (judgement.rule, judgement.subject)
        level = depth[key] = depth.get(key, -1) + 1
        if level == len(layers):
            layers.append({})
        layers[level][key] = judgement
    return [[layer[key] for key in sorted(layer)] for layer in layers]


async def _store_evaluations(conn: Connection, layer: list[Judgement]) -> None:
    newest: dict[tuple[str, str], StoredEvaluation] = {}
    for rule in {j.rule for j in layer}:
        found = await evaluations_of(conn, rule, [j.subject for j in layer if j.rule == rule])
        newest |= {(rule, subject): evaluation for subject, evaluation in found.items()}
    fresh = [j for j in layer if not _same_evaluation(newest.get((j.rule, j.subject)), j)]
    if not fresh:
        return
    await conn.executemany(
        "INSERT INTO evaluations (rule, rule_version, subject, vehicle_no, outcome, reason_code, reason_named, measures,"
        " parameters, evidence_sha256, evaluated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            (
                j.rule, j.rule_version, j.subject, j.vehicle_no, j.outcome, j.reason, dict(j.named) or None,
                measures_json(j.measures), dict(j.parameters), _digest(j), from_us(j.evaluated_at_us),
            )
            for j in fresh
        ],
    )  # fmt: skip


def _same_evaluation(stored: StoredEvaluation | None, judgement: Judgement) -> bool:
    if stored is None:
        return False
    digest = _digest(judgement)
    return (
        stored.rule_version == judgement.rule_version
        and stored.vehicle_no == judgement.vehicle_no
        and stored.outcome == judgement.outcome
        and stored.reason in (None, judgement.reason)  # None: of before there were codes
        and stored.measures == dict(judgement.measures)
        and stored.parameters == dict(judgement.parameters)
        and stored.evidence_hash == (None if digest is None else digest.hex())
    )


def _month(judgement: Judgement) -> date:
    """Where the evidence of a judgement is kept: what is suspected is an alert's."""
    return KEPT if judgement.outcome == "suspected" else month_of(judgement.evaluated_at_us)


def _digest(judgement: Judgement) -> bytes | None:
    return None if judgement.evidence is None else digest(judgement.evidence)


async def _update_alerts(conn: Connection, layer: list[Judgement], wording: Wording) -> list[Alert]:
    ids = [alert_id(j.rule, j.subject) for j in layer]
    # Locked one after another in the order of the ids: writers of the same alerts cannot deadlock.
    rows = await conn.fetch(
        "SELECT id, version FROM alerts WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE", sorted(ids)
    )
    bodies = await conn.fetch(
        "SELECT v.body FROM unnest($1::text[], $2::integer[]) AS k (id, version)"
        " JOIN alert_versions v ON v.alert_id = k.id AND v.version = k.version",
        [r["id"] for r in rows],
        [r["version"] for r in rows],
    )
    current = {r["body"]["id"]: Alert.from_body(r["body"]) for r in bodies}
    changed: list[tuple[Judgement, Alert]] = []
    for judgement, key in zip(layer, ids, strict=True):
        version = _next_version(judgement, key, current.get(key), wording)
        if version is not None and not await _only_other_bytes(conn, judgement, version, current.get(key)):
            changed.append((judgement, version))
    changed.sort(key=lambda pair: pair[1].id)
    # A withdrawal that rests on evidence of its own keeps that for ever, too.
    await put_evidence(conn, [(j.evidence, KEPT) for j, _ in changed if j.evidence is not None])
    await conn.executemany(
        "INSERT INTO alerts (id, rule, subject, vehicle_no, version, status, severity, organisation, vehicle, plate,"
        " driver, order_id, occurred_from, occurred_to, detected_at, card, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, now())"
        " ON CONFLICT (id) DO UPDATE SET vehicle_no = EXCLUDED.vehicle_no, version = EXCLUDED.version,"
        " status = EXCLUDED.status, severity = EXCLUDED.severity, organisation = EXCLUDED.organisation,"
        " vehicle = EXCLUDED.vehicle, plate = EXCLUDED.plate, driver = EXCLUDED.driver,"
        " order_id = EXCLUDED.order_id, occurred_from = EXCLUDED.occurred_from,"
        " occurred_to = EXCLUDED.occurred_to, card = EXCLUDED.card, updated_at = now()",
        [
            (
                a.id, a.rule, j.subject, j.vehicle_no, a.version, a.status, a.severity, a.organisation, a.vehicle,
                a.plate, a.driver, a.order, a.occurred_from, a.occurred_to, a.detected_at,
                j.card,
            )
            for j, a in changed
        ],
    )  # fmt: skip
    await conn.executemany(
        "INSERT INTO alert_versions (alert_id, version, body, evidence_sha256) VALUES ($1, $2, $3, $4)",
        [(a.id, a.version, a.body(), bytes.fromhex(a.evidence_hash)) for _j, a in changed],
    )
    return [alert for _judgement, alert in changed]


def _ended(current: Alert, judgement: Judgement) -> datetime | None:
    """When an alert that is withdrawn had ended: what is withdrawn goes on no more."""
    until = None if judgement.happened is None else judgement.happened[1]
    if current.occurred_to is not None or until is None:
        return current.occurred_to
    return max(current.occurred_from, china_time(until))


def _next_version(judgement: Judgement, key: str, current: Alert | None, wording: Wording) -> Alert | None:
    """The version that ``judgement`` makes of ``current``, or None when nothing changes."""
    if judgement.outcome != "suspected":
        if current is None or current.status == "withdrawn":
            return None
        why = wording.reason(judgement.rule, judgement.rule_version, judgement.reason, judgement.named)
        withdrawn = replace(
            current,
            version=current.version + 1,
            status="withdrawn",
            rule_version=judgement.rule_version,
            occurred_to=_ended(current, judgement),
            withdrawal_reason=f"{why.zh}（{BACKFILL.zh}）" if judgement.backfill else why.zh,
            withdrawal_reason_en=f"{why.en} ({BACKFILL.en})" if judgement.backfill else why.en,
            reason_code=judgement.reason,
            withdrawn_by="backfill" if judgement.backfill else None,
        )
        if judgement.evidence is None:
            return withdrawn
        sha256, sm3 = digests(judgement.evidence)
        return replace(withdrawn, evidence_hash=sha256.hex(), evidence_sm3=sm3.hex())
    facts = judgement.alert
    if facts is None or judgement.evidence is None:  # Judgement refuses to be made so
        raise ValueError(f"{judgement.rule} {judgement.subject}: suspected without alert facts or evidence")
    sha256, sm3 = digests(judgement.evidence)
    made = Alert(
        id=key,
        rule=judgement.rule,
        rule_version=judgement.rule_version,
        version=1 if current is None else current.version,
        status="suspected",
        severity=facts.severity,
        organisation=facts.organisation,
        vehicle=facts.vehicle,
        plate=facts.plate,
        driver=facts.driver,
        order=facts.order,
        occurred_from=china_time(facts.occurred_from_us),
        occurred_to=None if facts.occurred_to_us is None else china_time(facts.occurred_to_us),
        # An alert was detected when it was first raised, whatever is learned later.
        detected_at=china_time(judgement.evaluated_at_us) if current is None else current.detected_at,
        summary="",
        measures=dict(judgement.measures),
        parameters=dict(judgement.parameters),
        evidence_hash=sha256.hex(),
        evidence_sm3=sm3.hex(),
        reason_code=judgement.reason,
    )
    if current is not None:
        if _substance(made, current) == _substance(current, current):
            return None
        made = replace(made, version=current.version + 1)
    words = wording.summary(_said(judgement, facts))
    return replace(made, summary=words.zh, summary_en=words.en)


def _substance(alert: Alert, current: Alert) -> Alert:
    """``alert`` without its words, and without what the ``current`` version of it is too old to have: what makes a new
    version where it differs."""
    return replace(
        alert,
        summary="",
        summary_en=None,
        reason_code=None if current.reason_code is None else alert.reason_code,
        # It follows from the evidence, which is compared by its SHA-256.
        evidence_sm3=None,
    )


def _said(judgement: Judgement, facts: AlertFacts) -> Said:
    return Said(
        judgement.rule, judgement.rule_version, judgement.outcome, judgement.reason,
        {name: measure.value for name, measure in judgement.measures.items()}, judgement.parameters, judgement.told,
        facts.occurred_from_us, facts.occurred_to_us, judgement.named,
    )  # fmt: skip


async def _only_other_bytes(
    conn: Connection, judgement: Judgement, made: Alert, current: Alert | None
) -> bool:
    """Whether a version differs from the ``current`` one by its evidence alone, and that tells the same facts: an order was
    entered again as it was, or another report confirmed the end. What was published then rests on evidence that still
    holds, and stays; the other evidence is kept with its judgement."""
    if current is None or judgement.evidence is None or made.status != "suspected":
        return False
    other = replace(made, version=current.version, evidence_hash=current.evidence_hash)
    if _substance(other, current) != _substance(current, current):
        return False
    before = await evidence_body(conn, current.evidence_hash)
    return before is not None and CATALOGUE.same_substance(before, judgement.evidence)
