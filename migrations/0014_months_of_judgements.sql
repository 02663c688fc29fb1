-- Judgements and their evidence by month, so that old ones can go at once. SQL of these tables lives in src/rules/alerts.
--
-- Evidence of alerts is never dropped: it lives in a partition of its own, evidence_of_alerts, which has no month. All evidence
-- of earlier versions stays there, so no row of it is copied or lost here.

ALTER TABLE evaluations DROP CONSTRAINT evaluations_evidence_sha256_fkey;
ALTER TABLE alert_versions DROP CONSTRAINT alert_versions_evidence_sha256_fkey;

ALTER TABLE evidence RENAME TO evidence_of_alerts;
ALTER TABLE evidence_of_alerts DROP CONSTRAINT evidence_pkey;
ALTER TABLE evidence_of_alerts ADD COLUMN month date NOT NULL DEFAULT 'infinity';  -- a constant: no row is written anew
ALTER TABLE evidence_of_alerts ALTER COLUMN month DROP DEFAULT;

CREATE TABLE evidence (
    sha256     bytea NOT NULL CONSTRAINT evidence_sha256_check CHECK (octet_length(sha256) = 32),
    body       bytea NOT NULL,         -- canonical JSON, UTF-8
    created_at timestamptz NOT NULL DEFAULT now(),
    sm3        bytea CONSTRAINT evidence_sm3_check CHECK (octet_length(sm3) = 32),
    month      date NOT NULL,          -- first day (UTC) of the month of the judgement; infinity = of an alert, kept for ever
    PRIMARY KEY (sha256, month)
) PARTITION BY RANGE (month);
ALTER TABLE evidence ATTACH PARTITION evidence_of_alerts FOR VALUES FROM ('infinity') TO (MAXVALUE);
CREATE TABLE evidence_default PARTITION OF evidence DEFAULT;
CREATE INDEX evidence_default_month ON evidence_default (month);
COMMENT ON TABLE evidence IS 'One partition a month, made and dropped by the worker; of alerts: evidence_of_alerts, never dropped.';

ALTER TABLE evidence_of_alerts ADD CONSTRAINT evidence_of_alerts_sha256_key UNIQUE (sha256);
ALTER TABLE alert_versions ADD CONSTRAINT alert_versions_evidence_sha256_fkey
    FOREIGN KEY (evidence_sha256) REFERENCES evidence_of_alerts (sha256);

-- No foreign key from judgements to evidence: to drop a month PostgreSQL would look through all judgements and shut out
-- everybody meanwhile. The one place that writes them (rules.alerts.publish) puts both into the same month.
ALTER TABLE evaluations RENAME TO evaluations_before;
ALTER TABLE evaluations_before RENAME CONSTRAINT evaluations_pkey TO evaluations_before_id;
DROP INDEX evaluations_subject, evaluations_vehicle;

CREATE SEQUENCE evaluations_seq;
SELECT setval('evaluations_seq', last_value, is_called) FROM evaluations_id_seq;
ALTER TABLE evaluations_before ALTER COLUMN id DROP IDENTITY;
ALTER SEQUENCE evaluations_seq RENAME TO evaluations_id_seq;

CREATE TABLE evaluations (
    id            bigint NOT NULL DEFAULT nextval('evaluations_id_seq'),
    rule          text NOT NULL,
    rule_version  integer NOT NULL,
    subject       text NOT NULL,       -- e.g. order:<id>:<destination index>, episode:<vehicle>:<start>
    vehicle_no    integer,
    outcome       text NOT NULL CONSTRAINT evaluations_outcome_check CHECK (outcome IN ('normal', 'suspected', 'undetermined')),
    reason        text NOT NULL,
    measures      jsonb NOT NULL,
    parameters    jsonb NOT NULL,
    evidence_sha256 bytea,             -- evidence.sha256
    evaluated_at  timestamptz NOT NULL,
    PRIMARY KEY (id, evaluated_at)
) PARTITION BY RANGE (evaluated_at);
ALTER SEQUENCE evaluations_id_seq OWNED BY evaluations.id;
CREATE TABLE evaluations_default PARTITION OF evaluations DEFAULT;
COMMENT ON TABLE evaluations IS 'Judgements; of a subject the one with the greatest id holds. One partition a month (UTC), made and dropped by the worker.';

CREATE INDEX evaluations_subject ON evaluations (subject, rule, id DESC);
CREATE INDEX evaluations_time ON evaluations (evaluated_at DESC, id DESC);
CREATE INDEX evaluations_vehicle ON evaluations (vehicle_no, evaluated_at DESC, id DESC);
CREATE INDEX evaluations_rule ON evaluations (rule, evaluated_at DESC, id DESC);

-- What is there becomes one partition, to the end of this month, as it is; it goes when its last month is old enough. About
-- ten seconds a million rows, for the indexes. A database without judgements gets none.
DO $$
DECLARE
    ends date := (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month')::date;
    name text := 'evaluations_before_' || to_char(ends, 'YYYYMM');
BEGIN
    IF NOT EXISTS (SELECT FROM evaluations_before) THEN
        DROP TABLE evaluations_before;
        RETURN;
    END IF;
    ALTER TABLE evaluations_before DROP CONSTRAINT evaluations_before_id;
    -- Dates of a clock that went wrong: they have no month now.
    INSERT INTO evaluations_default
        SELECT id, rule, rule_version, subject, vehicle_no, outcome, reason, measures, parameters, evidence_sha256, evaluated_at
          FROM evaluations_before WHERE evaluated_at >= ends::timestamp AT TIME ZONE 'UTC';
    DELETE FROM evaluations_before WHERE evaluated_at >= ends::timestamp AT TIME ZONE 'UTC';
    EXECUTE format('ALTER TABLE evaluations_before RENAME TO %I', name);
    EXECUTE format('ALTER TABLE evaluations ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)', name,
                   to_char(ends, 'YYYY-MM-DD') || ' 00:00:00+00');
END $$;
