"""A database in which every chain has rows, all sealed: what release 0.1.0 left behind, and a few rows of what came later."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from office.integrity.sealer import Sealer
from runtime.connection import Connection
from runtime.migrations import migrate
from runtime.postgres import connect
from runtime.settings import Settings
from tests.released import load_database

_ROWS = """
INSERT INTO cases (id, organisation, number, state, version, source, level, title, created_at, issued_at)
  SELECT 'case-' || k, o.id, 'T-' || k, 'issued', 8, 'joint', 'general', '夜间用车', now(), now()
    FROM (SELECT id FROM organisations ORDER BY id LIMIT 1) o, generate_series(1, 5) k;
INSERT INTO case_events (case_id, version, step, at, actor, persons, actor_name, body)
  SELECT 'case-' || k, v, CASE v WHEN 1 THEN 'draft' WHEN 2 THEN 'submit' WHEN 3 THEN 'issue' ELSE 'note' END, now(), 'user:' || k,
         ARRAY['user:' || k], '张三',
         CASE v WHEN 1 THEN jsonb_build_object('organisation', c.organisation, 'title', c.title, 'facts', '夜间外出', 'source', c.source,
                                               'level', 'general')
                WHEN 2 THEN '{}' WHEN 3 THEN jsonb_build_object('number', 'T-' || k)
                ELSE jsonb_build_object('text', '说明 ' || v, 'side', 'office') END
    FROM generate_series(1, 5) k JOIN cases c ON c.id = 'case-' || k, generate_series(1, 8) v;
INSERT INTO case_attachments (id, case_id, name, media_type, size, sha256, received_sha256, uploaded_by, uploaded_at, body)
  SELECT 'file-' || k, 'case-' || k, '票据.txt', 'text/plain', length(b), sha256(b), sha256(b), 'user:1', now(), b
    FROM generate_series(1, 5) k, LATERAL (SELECT convert_to('票据 ' || k, 'UTF8') AS b) c;
INSERT INTO alert_labels (alert_id, case_id, organisation, finding, person, at)
  SELECT a.id, 'case-1', a.organisation, 'justified', 'user:1', now() FROM alerts a;
INSERT INTO alert_receipts (alert_id, version, organisation, subject_kind, subject_id, subject_name, received_by)
  SELECT v.alert_id, v.version, 'o', 'token', '1', 'n', '李四' FROM alert_versions v;
INSERT INTO alert_dispositions (alert_id, id, organisation, version, code, decided_by, subject_kind, subject_id, subject_name)
  SELECT a.id, 'd-1', a.organisation, a.version, 'closed', '王五', 'token', '1', 'n' FROM alerts a;
INSERT INTO complaints (id, organisation, ticket, category, received_at, claim, channel, entered_by, entered_at)
  VALUES ('c-1', 'o', 'T1', 'report', now(), '占用公车', 'form', 'user:1', now());
INSERT INTO complaint_reads (complaint_id, person, reason, address, at)
  SELECT 'c-1', 'user:' || k, '回访', '10.0.0.1', now() FROM generate_series(1, 5) k;
INSERT INTO trip_requests (id, organisation, pool, units, kind, state, version, category, purpose, passengers, applicant_name, persons,
                           planned_departure, planned_return, created_at)
  SELECT 'YC-' || k, 'o', 'o', ARRAY['o'], 'normal', 'draft', 3, 'other', 'meeting', 1, '张三', ARRAY['user:1'], now(), now() + interval '1 hour', now()
    FROM generate_series(1, 3) k;
INSERT INTO trip_dispatches (id, organisation, pool, units, number, kind, state, version, vehicle, vehicle_no, plate, planned_departure, planned_return,
                             holds, created_at)
  SELECT 'PC-' || k, 'o', 'o', ARRAY['o'], 'P-' || k, 'normal', 'returned', 3, 'v', 1, '苏F', now(), now() + interval '1 hour', false, now()
    FROM generate_series(1, 3) k;
INSERT INTO trip_request_events (paper, version, step, at, actor, persons, actor_name, body)
  SELECT 'YC-' || k, v, 'note', now(), 'user:' || k, ARRAY['user:' || k], '张三', jsonb_build_object('text', '说明 ' || v)
    FROM generate_series(1, 3) k, generate_series(1, 3) v;
INSERT INTO trip_dispatch_events (paper, version, step, at, actor, persons, actor_name, body)
  SELECT 'PC-' || k, v, 'note', now(), 'user:' || k, ARRAY['user:' || k], '张三', jsonb_build_object('text', '说明 ' || v)
    FROM generate_series(1, 3) k, generate_series(1, 3) v;
INSERT INTO cost_entries (id, organisation, kind, vehicle, occurred_on, period, amount_fen, payer, source, version, created_at)
  SELECT 'FY-' || k, 'o', 'toll', 'v', '2026-03-02', '202603', 100 * k, 'unit', 'entered', 3, now() FROM generate_series(1, 3) k;
INSERT INTO cost_entry_versions (entry, version, step, at, actor, actor_name, body)
  SELECT 'FY-' || k, v, 'correct', now(), 'user:' || k, '张三', jsonb_build_object('reason', '说明 ' || v)
    FROM generate_series(1, 3) k, generate_series(1, 3) v;
INSERT INTO cost_statements (id, number, organisation, platform, units, period, take, state, version, total_fen, lines, by_cost_centre, tariff_versions,
                             object_by, made_by, drawn_at)
  SELECT 'JS-' || k, 'JS-' || k, 'o', 'o', ARRAY['o'], '20260' || k, 1, 'to_confirm', 3, 100, 1, '{"": 100}', '{1}', now(), ARRAY['user:1'], now()
    FROM generate_series(1, 3) k;
INSERT INTO cost_statement_events (statement, version, step, at, actor, persons, actor_name, body)
  SELECT 'JS-' || k, v, 'answer', now(), 'user:' || k, ARRAY['user:' || k], '张三', jsonb_build_object('reason', '说明 ' || v)
    FROM generate_series(1, 3) k, generate_series(1, 3) v;
INSERT INTO reconciliations (id, organisation, since, until, made_at, made_by, made_by_name, source, file_sha256, file_bytes, items_sha256, result_sha256,
                             parameters, counts)
  SELECT 'DZ-' || k, 'o', '202603', '202603', now(), 'user:1', '张三', 'a.xml', '00', 1, '00', '00', '{}', '{}' FROM generate_series(1, 3) k;
INSERT INTO reconciliation_acts (reconciliation, version, step, at, actor, persons, actor_name, body)
  SELECT 'DZ-' || k, v, 'match', now(), 'user:' || k, ARRAY['user:' || k], '张三', jsonb_build_object('lines', ARRAY[1, 2])
    FROM generate_series(1, 3) k, generate_series(1, 3) v;
INSERT INTO quarantine_ended SELECT 1000 + k, 1000 + k, now(), now() FROM generate_series(1, 4) k;
INSERT INTO audit (who_kind, who_id, operation, action, subject_kind, subject_id, purpose, detail)
  SELECT 'user', k::text, 'GET /v1/alerts', 'read', 'alerts', 'a-' || k, '核查', jsonb_build_object('k', k) FROM generate_series(1, 40) k;
"""


async def build(dsn: str, folder: Path) -> Sealer:
    """Fill an empty database, migrate it, and seal everything; the sealer."""
    await load_database(dsn)
    await migrate(dsn)
    connection = await connect(dsn)
    try:
        await connection.execute(_ROWS)
        sealer = Sealer(Settings(data_dir=folder))
        await sealer.seal_all(connection)
    finally:
        await connection.close()
    return sealer


async def counts(connection: Connection | asyncpg.Connection) -> dict[str, int]:
    """Sealed rows by stream."""
    rows = await connection.fetch(
        "SELECT stream, sum(cardinality(keys))::int AS n FROM seal_blocks GROUP BY 1"
    )
    return {row["stream"]: row["n"] for row in rows}
