"""A database with a million judgements, and what a fleet of 29,000 vehicles has beside them, made by PostgreSQL itself.

For tests that ask what is quick when tables are long. Triggers and foreign keys are off while it is filled, and indexes are
made afterwards: seconds instead of minutes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from rules.alerts.months import make_months
from runtime.connection import Connection
from runtime.units import US_PER_DAY, from_us
from telemetry.archive.partitions import Partitions

#: Tables of which no query may read everything. Each has at least BIG_ROWS rows here, and grows with time.
BIG: Final = frozenset({
    "positions", "evaluations", "evidence", "alerts", "alert_versions", "alert_feed", "dispatch_orders", "order_results",
    "fuel_transactions", "violations", "navigation_routes", "vehicle_day_states", "changes", "change_commits", "live_due",
    "recomputations", "quarantine", "alert_reads", "cold_files",
})  # fmt: skip
BIG_ROWS: Final = 100_000
#: One row a vehicle at most.
FEWER: Final = {"recomputations": 25_000}
MONTHS: Final = 6
DAYS: Final = 4

VEHICLES: Final = 29_000
RULES: Final = (
    "{mileage,location,destination,card_use,off_hours,fuel_consumption,card_binding,refuel_frequency,"
    "traffic_violations,terminal_silent}"
)

_REGISTRY: Final = f"""
INSERT INTO organisations (id, name) SELECT 'O' || i, '单位' || i FROM generate_series(0, 99) i;
INSERT INTO vehicles (id, plate, organisation) SELECT 'V' || i, '苏F' || i, 'O' || i % 100 FROM generate_series(1, {VEHICLES}) i;
INSERT INTO drivers (id, name, organisation) SELECT 'D' || i, '驾驶员', 'O' || i % 100 FROM generate_series(1, {VEHICLES}) i;
INSERT INTO terminals (phone) SELECT (13800000000 + i)::text FROM generate_series(1, {VEHICLES}) i;
INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) SELECT t.no, v.no, '2020-01-01Z'
    FROM terminals t JOIN vehicles v ON v.id = 'V' || (t.phone::bigint - 13800000000);
INSERT INTO fuel_cards (id, organisation, created_at) SELECT 'C' || i, 'O' || i % 100, '2020-01-01Z'
    FROM generate_series(1, {VEHICLES}) i;
INSERT INTO card_bindings (card, plate, valid_from) SELECT 'C' || i, '苏F' || i, '2020-01-01Z' FROM generate_series(1, {VEHICLES}) i;
INSERT INTO fuel_stations (id, name) SELECT 'S' || i, '加油站' || i FROM generate_series(1, 500) i;
INSERT INTO cold_terminals (terminal_no, first_day, last_day) SELECT no, '2020-01-01', '2020-01-01' FROM terminals;
INSERT INTO calendar_days (day, workday) SELECT '2020-01-01'::date + i, true FROM generate_series(1, 365) i;
"""
# Table -> what fills it. $1: now; $2: the time that a step of one of a million takes, so that all end now.
_FILL: Final = {
    "evaluations": f"""
        INSERT INTO evaluations (rule, rule_version, subject, vehicle_no, outcome, reason, measures, parameters, evidence_sha256,
            evaluated_at) SELECT ('{RULES}'::text[])[1 + i % 10], 1, 'order:P' || i, 1 + i % {VEHICLES},
            CASE WHEN i % 20 = 0 THEN 'suspected' ELSE 'normal' END, 'within', '{{}}', '{{}}',
            CASE WHEN i % 5 = 0 THEN int8send(i) || int8send(i) || int8send(i) || int8send(i) END,
            $1::timestamptz - (1000000 - i) * $2::interval FROM generate_series(1, 1000000) i""",
    "evidence": """
        INSERT INTO evidence (sha256, body, month) SELECT int8send(i) || int8send(i) || int8send(i) || int8send(i), '{}',
            CASE WHEN i % 20 = 0 THEN 'infinity' ELSE date_trunc('month', ($1::timestamptz - (1000000 - i) * $2::interval)
                AT TIME ZONE 'UTC')::date END FROM generate_series(5, 1000000, 5) i""",
    "alerts": f"""
        INSERT INTO alerts (id, rule, subject, vehicle_no, version, status, severity, organisation, vehicle, plate, order_id, card,
            occurred_from, occurred_to, detected_at, updated_at, case_state, finding)
        SELECT lpad(i::text, 32, '0'), ('{RULES}'::text[])[1 + i / 20 % 10],
            CASE WHEN i / 20 % 10 = 8 THEN 'vehicle:V' || i || ':2026-03' ELSE 'order:P' || i END, 1 + i % {VEHICLES}, 1,
            CASE WHEN i % 100 = 0 THEN 'withdrawn' ELSE 'suspected' END, 'low', 'O' || i % 101, 'V' || (1 + i % {VEHICLES}), '苏F',
            'P' || i, CASE WHEN i / 20 % 10 IN (6, 7) THEN 'C' || (1 + i % {VEHICLES}) END,
            at - interval '2 hours', CASE WHEN i % 40 = 0 THEN at - interval '1 hour' ELSE at END, at, at,
            CASE WHEN i % 1000 = 5 THEN 'none' WHEN i % 50 = 0 THEN 'working' ELSE 'closed' END,
            CASE WHEN i % 1000 = 5 OR i % 50 = 0 THEN 'none' WHEN i % 200 = 15 THEN 'violation' ELSE 'justified' END
        FROM (SELECT i, $1::timestamptz - (1000000 - i) * $2::interval AS at FROM generate_series(5, 1000000, 5) i) s""",
    "alert_versions": """
        INSERT INTO alert_versions (alert_id, version, body, evidence_sha256, created_at)
        SELECT id, 1, jsonb_build_object('id', id, 'rule', rule, 'rule_version', 1, 'version', 1, 'status', status, 'severity',
            severity, 'organisation', organisation, 'vehicle', vehicle, 'plate', plate, 'driver', null, 'order', order_id,
            'occurred_from', occurred_from, 'occurred_to', occurred_to, 'detected_at', detected_at, 'summary', '疑似', 'measures',
            '{}'::jsonb, 'parameters', '{}'::jsonb, 'evidence_hash', repeat('00', 32), 'withdrawal_reason', null),
            int8send(id::bigint / 20 * 20) || int8send(id::bigint / 20 * 20) || int8send(id::bigint / 20 * 20)
            || int8send(id::bigint / 20 * 20), detected_at FROM alerts WHERE $1::timestamptz > '-infinity' AND $2::interval > '0'""",
    "alert_feed": """
        INSERT INTO alert_feed (seq, alert_id, version, created_at) SELECT id::bigint, id, 1, detected_at FROM alerts
         WHERE $1::timestamptz > '-infinity' AND $2::interval > '0'""",
    "alert_reads": """
        INSERT INTO alert_reads (reader, alert, version) SELECT 'user:' || id::bigint % 50, id, 1 FROM alerts
         WHERE $1::timestamptz > '-infinity' AND $2::interval > '0'""",
    "dispatch_orders": f"""
        INSERT INTO dispatch_orders (id, version, organisation, vehicle, driver, task_type, status, destinations,
            planned_departure, planned_return, actual_departure, actual_return, is_current, is_newest)
        SELECT 'P' || i / 2, 1 + i % 2, 'O' || i % 100, 'V' || (1 + i / 2 % {VEHICLES}), 'D' || (1 + i / 2 % {VEHICLES}), 'official',
            CASE WHEN i % 2 = 0 THEN 'departed' ELSE 'returned' END, '[]', at - interval '5 hours', at, at - interval '5 hours',
            CASE WHEN i % 2 = 1 THEN at END, i % 2 = 1, i % 2 = 1
        FROM (SELECT i, $1::timestamptz - (200000 - i) * 5 * $2::interval AS at FROM generate_series(1, 200000) i) s""",
    "order_results": f"""
        INSERT INTO order_results (order_id, order_version, vehicle_no, state, mileage_mm, bridged_mm, fixes, destinations,
            returned_at, carried, computed_at)
        SELECT 'P' || i, 2, 1 + i % {VEHICLES}, 'settled', 1, 0, 1, '[]', at, '', at
        FROM (SELECT i, $1::timestamptz - (100000 - i) * 10 * $2::interval AS at FROM generate_series(1, 100000) i) s""",
    "fuel_transactions": f"""
        INSERT INTO fuel_transactions (id, card, at, kind, quantity, station)
        SELECT 'T' || i, 'C' || (1 + i % {VEHICLES}), $1::timestamptz - (200000 - i) * 5 * $2::interval,
            CASE WHEN i % 50 = 0 THEN 'top_up' ELSE 'fill' END, 30000, 'S' || (1 + i % 500) FROM generate_series(1, 200000) i""",
    "violations": f"""
        INSERT INTO violations (id, plate, at, status) SELECT 'X' || i, '苏F' || (1 + i % {VEHICLES}),
            $1::timestamptz - (100000 - i) * 10 * $2::interval, CASE WHEN i % 50 = 0 THEN 'revoked' ELSE 'open' END
        FROM generate_series(1, 100000) i""",
    "navigation_routes": """
        INSERT INTO navigation_routes (key, engine, map_date, places, distance_m, answered_at, used_on)
        SELECT int8send(i) || int8send(i) || int8send(i) || int8send(i), 'osrm', '1', '[]', 1, at, at::date
        FROM (SELECT i, $1::timestamptz - (100000 - i) * 10 * $2::interval AS at FROM generate_series(1, 100000) i) s""",
    "vehicle_day_states": f"""
        INSERT INTO vehicle_day_states (vehicle_no, day, state, state_version)
        SELECT no, $1::date - d, '', 1 FROM generate_series(1, {VEHICLES}) no, generate_series(0, 3) d
         WHERE $2::interval > '0'""",
    "change_commits": """
        WITH read AS (UPDATE change_readers SET number = 99990, seq = 0),
            numbered AS (SELECT setval('change_numbers', 100010), setval('change_commits_id_seq', 100010))
        INSERT INTO change_commits (id, number, noted_at) OVERRIDING SYSTEM VALUE
        SELECT 10 + i, 10 + i, $1::timestamptz - (100000 - i) * interval '1 s' FROM generate_series(1, 100000) i, numbered
         WHERE $2::interval > '0'""",
    "changes": f"""
        INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)
        SELECT 10 + (i + 1) / 2, 'order', 'P' || i, 1 + i % {VEHICLES}, $1::timestamptz FROM generate_series(1, 200000) i
         WHERE $2::interval > '0'""",
    "live_due": f"""
        INSERT INTO live_due (kind, subject, vehicle_no, from_time)
        SELECT 'order', 'P' || i, 1 + i % {VEHICLES}, $1::timestamptz FROM generate_series(1, 100000) i WHERE $2::interval > '0'""",
    "recomputations": """
        INSERT INTO recomputations (vehicle_no, urgency, from_time, anew, attempts, error, retry_at)
        SELECT i, i % 3, $1::timestamptz, false, i % 50 / 49, CASE WHEN i % 50 = 49 THEN 'x' END,
            CASE WHEN i % 50 = 49 THEN now() + interval '1 d' END
        FROM generate_series(1, 25000) i WHERE $2::interval > '0'""",
    "quarantine": f"""
        INSERT INTO quarantine (topic, partition, "offset", terminal_no, rows, stage, error, payload, program, set_aside_at, tried_at)
        SELECT 't', 0, i, 1 + i % {VEHICLES}, 1, 'tracks', 'x', sha256(int8send(i)), '1', $1::timestamptz, $1::timestamptz
        FROM generate_series(1, 100000) i WHERE $2::interval > '0'""",
    "cold_files": """
        INSERT INTO cold_files (file, folder, day, state, layout, rows, bytes, sha256, footer_sha256, first_terminal, last_terminal,
            group_firsts) SELECT 'f' || i, '/cold', ($1::timestamptz AT TIME ZONE 'UTC')::date - 62 - i / 300, 'cold', 1, 1048576, 8000000,
            sha256(int8send(i)), sha256(int8send(-i)), 1 + i % 300 * 97, 97 + i % 300 * 97, ARRAY[1 + i % 300 * 97]
        FROM generate_series(1, 100000) i WHERE $2::interval > '0'""",
    "positions": f"""
        INSERT INTO positions (terminal_no, device_time, fingerprint, received_at, lat_e6, lon_e6, altitude_m, speed_dkmh,
            direction_deg, alarm, status, quality, source)
        SELECT 1 + i % {VEHICLES}, at, i, at, 32000000, 120900000, 0, 0, 0, 0, 2, 0, 1
        FROM (SELECT i, $1::timestamptz - (200000 - i) * {DAYS} * interval '0.4 s' AS at FROM generate_series(1, 200000) i) s
         WHERE $2::interval > '0'""",
}  # fmt: skip


async def fill(conn: Connection, now_us: int) -> None:
    """Fill the migrated, empty database; the newest of everything is of ``now_us``. Needs a superuser."""
    for ago in range(MONTHS, -1, -1):  # as workers would have made them, month by month
        await make_months(conn, now_us - ago * 30 * US_PER_DAY, 400)
    today = now_us // US_PER_DAY
    await Partitions(400, lambda: now_us).ensure(conn, range(today - DAYS, today + 1))
    step_us = MONTHS * 30 * US_PER_DAY // 1_000_000
    async with conn.transaction():
        await conn.execute("SET LOCAL session_replication_role = replica; SET LOCAL work_mem = '64MB'")
        await conn.execute("SET LOCAL maintenance_work_mem = '256MB'")
        await conn.execute(_REGISTRY)
        for table, query in _FILL.items():
            async with _without_indexes(conn, table):
                await conn.execute(query, from_us(now_us), from_us(step_us) - from_us(0))
    await conn.execute("VACUUM ANALYZE")
    for table in BIG:
        assert await conn.fetchval(f"SELECT count(*) FROM {table}") >= FEWER.get(table, BIG_ROWS), table


@asynccontextmanager
async def _without_indexes(conn: Connection, table: str) -> AsyncIterator[None]:
    """Inside, ``table`` has no indexes but those of its keys; afterwards they are made again."""
    rows = await conn.fetch(
        "SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS made FROM pg_index i"
        " WHERE i.indrelid = $1::text::regclass AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
        table,
    )
    for row in rows:
        await conn.execute(f"DROP INDEX {row['name']}")
    yield
    for row in rows:
        await conn.execute(row["made"].replace(" ON ONLY ", " ON "))
