-- The figures of the last day (docs/operations.md, "The last day"): each process writes a row every ten seconds, and a worker
-- deletes what is older than 25 hours. No row names a vehicle, a terminal or a person.
CREATE TABLE process_samples (
    at         timestamptz NOT NULL,       -- by the clock of the database, on a grid of ten seconds
    process    text NOT NULL,              -- gateway, worker, judge, api, deliver, exchange
    instance   text NOT NULL,              -- host:port
    version    text NOT NULL,
    started_at timestamptz NOT NULL,
    seconds    real NOT NULL CHECK (seconds > 0),   -- since the sample before, or since the start: what the counts are of
    leaving    boolean NOT NULL DEFAULT false,      -- the last one of a process that was told to stop
    -- counts of these seconds
    decoded double precision, confirmed double precision, frames double precision, rejected double precision,
    append_failures double precision, pauses double precision, gateway_faults double precision,
    stored double precision, duplicate double precision, quarantined double precision, transactions_failed double precision,
    requests double precision, request_errors double precision, cpu_seconds double precision,
    -- how it stood at the end of them
    connections double precision, authenticated double precision, budget_used double precision, budget_size double precision,
    lag_seconds double precision, lag_records double precision, quarantine_entries double precision, put_off double precision,
    recomputing double precision, judge_leads double precision, pending_changes double precision, seal_oldest double precision,
    delivery_oldest double precision, dead_letters double precision, exchange_oldest double precision,
    memory_bytes double precision, open_files double precision, most_files double precision,
    disk_free_bytes double precision, disk_size_bytes double precision,
    -- observations of these seconds by bucket of the histogram; frames and points refused by reason
    reply integer[], append integer[], delay integer[],
    rejects jsonb,
    PRIMARY KEY (at, process, instance)
);
COMMENT ON TABLE process_samples IS 'Figures of each process, one row every ten seconds, of the last 25 hours.';
SELECT scope_table('process_samples', 'SELECT', 'true', 'false');

-- Backtests that people ask for over the API (docs/backtest.md, "As a job"). They publish nothing.
CREATE TABLE backtests (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation text REFERENCES organisations (id),   -- whose subjects; null = everyone's: seen by who reaches everywhere
    rule         text NOT NULL,
    parameters   jsonb NOT NULL DEFAULT '{}',          -- name -> value, as if it had always held
    fence        jsonb,                                -- a proposed version of a fence, as it was sent
    from_day     date NOT NULL,
    to_day       date NOT NULL,                        -- the last day, included
    examples     integer NOT NULL CHECK (examples BETWEEN 0 AND 500),
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'interrupted', 'cancelled')),
    cancel_asked boolean NOT NULL DEFAULT false,
    asked_by     text NOT NULL,                        -- user:7
    asked_by_name text NOT NULL,
    asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    queued_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at   timestamptz,
    ended_at     timestamptz,
    runs         integer NOT NULL DEFAULT 0,
    done         integer NOT NULL DEFAULT 0,           -- subjects
    total        integer NOT NULL DEFAULT 0,
    positions    bigint NOT NULL DEFAULT 0,
    pending      integer,                              -- changed facts that nobody had judged when it began
    problem      text,
    CHECK (from_day <= to_day)
);
COMMENT ON TABLE backtests IS 'Backtests that were asked for over the API, and how they stand.';
CREATE INDEX backtests_open ON backtests (queued_at, no) WHERE state IN ('queued', 'running');
CREATE INDEX backtests_ended ON backtests (ended_at) WHERE state NOT IN ('queued', 'running');
CREATE INDEX backtests_of_unit ON backtests (organisation, no DESC);
SELECT scope_table('backtests', 'SELECT, INSERT, UPDATE');
-- A fence of a secret vehicle says where it stands.
SELECT secret_table('backtests', $$fence IS NULL OR NOT ((fence -> 'vehicles') ?| (SELECT hidden_ids())::text[])$$);

-- How many wait or run, of everyone and of one who asks; and how many of them come before one. Whose they are is not told.
CREATE FUNCTION backtests_open(who text) RETURNS integer[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY[count(*), count(*) FILTER (WHERE asked_by = who)]::integer[] FROM backtests WHERE state IN ('queued', 'running')
$$;
CREATE FUNCTION backtests_before(since timestamptz, number bigint) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT count(*)::integer FROM backtests WHERE state IN ('queued', 'running') AND (queued_at, no) < (since, number)
$$;
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
        AND p.proname IN ('backtests_open', 'backtests_before') LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

-- Its counts. A subject whose unit is not known (never suspected, not now and not then) has none. Subjects of a vehicle that was
-- secret then are counted by themselves, in rows with its id: who has no need sees none of them. A sum would tell him by a few
-- fences that he tries where that vehicle was.
CREATE TABLE backtest_counts (
    backtest     bigint NOT NULL REFERENCES backtests (no) ON DELETE CASCADE,
    organisation text,
    vehicle      text,
    kind         text NOT NULL CHECK (kind IN ('raised', 'withdrawn', 'changed', 'unchanged', 'waiting')),
    finding      text NOT NULL DEFAULT '',      -- '' = all subjects; else those about whose alert the office found this
    subjects     integer NOT NULL
);
CREATE UNIQUE INDEX backtest_counts_once ON backtest_counts (backtest, kind, finding, COALESCE(organisation, ''), COALESCE(vehicle, ''));
SELECT scope_table('backtest_counts', 'SELECT', 'organisation = ANY ((SELECT reach_units())::text[])', 'false');

-- Its first examples of each kind.
CREATE TABLE backtest_examples (
    backtest     bigint NOT NULL REFERENCES backtests (no) ON DELETE CASCADE,
    kind         text NOT NULL CHECK (kind IN ('raised', 'withdrawn', 'changed')),
    place        integer NOT NULL,
    organisation text,
    subject      text NOT NULL,
    vehicle      text,
    plate        text,
    driver       text,
    order_id     text,
    alert_id     text,
    finding      text,
    occurred_from timestamptz,
    occurred_to  timestamptz,
    was          jsonb,          -- outcome, reason, severity, measures as they are published; null = not judged
    becomes      jsonb NOT NULL,
    PRIMARY KEY (backtest, kind, place)
);
SELECT scope_table('backtest_examples', 'SELECT', 'organisation = ANY ((SELECT reach_units())::text[])', 'false');
-- Of a row of this table the subject and the numbers name cards, transactions and plates as well.
SELECT secret_table('backtest_examples', $$(
    cardinality((SELECT hidden_nos())::integer[]) = 0 OR (
        (vehicle IS NULL OR vehicle <> ALL ((SELECT hidden_ids())::text[]))
        AND (plate IS NULL OR plate <> ALL ((SELECT hidden_plates())::text[]))
        AND (order_id IS NULL OR NOT order_hidden(order_id, (SELECT hidden_ids())::text[]))
        AND (alert_id IS NULL OR NOT alert_hidden(alert_id, (SELECT hidden_ids())::text[], (SELECT hidden_plates())::text[], (SELECT hidden_cards())::text[]))
        AND (subject NOT LIKE 'transaction:%' OR EXISTS (SELECT FROM fuel_transactions f WHERE f.id = substr(subject, 13)))
        AND COALESCE(concat_ws(' ', subject, was, becomes) !~ (SELECT hidden_pattern()), true)))$$);
