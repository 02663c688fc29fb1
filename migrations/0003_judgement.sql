-- What the rules found, and on what. SQL of these tables lives in src/rules/store.

-- Running state of each vehicle's track kernels (rules.tracks), as of its last processed position.
CREATE TABLE vehicle_states (
    vehicle_no  integer PRIMARY KEY REFERENCES vehicles (no),
    state       bytea NOT NULL,        -- one row of rules.tracks.state.STATE_DTYPE
    state_version smallint NOT NULL,
    watermark   timestamptz NOT NULL,  -- device time of the last position in the state
    last_lat_e6 integer,               -- last valid fix, for people and maps
    last_lon_e6 integer,
    last_fix_at timestamptz,
    updated_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);  -- every row is rewritten every few seconds: room for that in its own page
-- The same state at the start of each natural day (Asia/Shanghai): where a recomputation for late facts starts.
CREATE TABLE vehicle_day_states (
    vehicle_no  integer NOT NULL REFERENCES vehicles (no),
    day         date NOT NULL,
    state       bytea NOT NULL,
    state_version smallint NOT NULL,
    PRIMARY KEY (vehicle_no, day)
);

-- What each order's trip comes to: while it runs, as of the vehicle's last processed position; settled when judged.
CREATE TABLE order_results (
    order_id      text PRIMARY KEY,
    order_version integer NOT NULL,
    vehicle_no    integer NOT NULL REFERENCES vehicles (no),
    state         text NOT NULL CHECK (state IN ('running', 'settled')),
    mileage_mm    bigint NOT NULL,       -- includes bridged_mm
    bridged_mm    bigint NOT NULL,       -- straight lines over gaps
    odometer_m    bigint,                -- the terminal's own; null = it has none, or it went backwards
    fixes         integer NOT NULL,      -- valid fixes while this order covered the vehicle
    first_fix_at  timestamptz,
    last_fix_at   timestamptz,
    destinations  jsonb NOT NULL,        -- [{index, name, nearest_m | null}], in the order of the order
    returned_at   timestamptz,           -- actual return of a returned order
    carried       bytea NOT NULL,        -- rules.progress.OrderProgress: what the next position needs
    computed_at   timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX order_results_unsettled ON order_results (returned_at) WHERE state = 'running' AND returned_at IS NOT NULL;

-- Records of the log that could not be read: why, and enough of each to see what it was.
CREATE TABLE rejected_records (
    topic         text NOT NULL,
    partition     integer NOT NULL,
    "offset"      bigint NOT NULL,
    reason        text NOT NULL,
    headers       jsonb NOT NULL,
    payload       bytea NOT NULL CHECK (octet_length(payload) <= 4096),  -- its beginning
    payload_bytes integer NOT NULL,      -- its whole length
    rejected_at   timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);
CREATE INDEX rejected_records_age ON rejected_records (rejected_at);

CREATE TABLE evidence (
    sha256     bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    body       bytea NOT NULL,         -- canonical JSON, UTF-8
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Every judgement ever made, with its outcome and reason; the newest of a subject is the one that holds.
CREATE TABLE evaluations (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule          text NOT NULL,
    rule_version  integer NOT NULL,
    subject       text NOT NULL,       -- e.g. order:<id>:<destination index>, episode:<vehicle>:<start>
    vehicle_no    integer,
    outcome       text NOT NULL CHECK (outcome IN ('normal', 'suspected', 'undetermined')),
    reason        text NOT NULL,
    measures      jsonb NOT NULL,
    parameters    jsonb NOT NULL,
    evidence_sha256 bytea REFERENCES evidence (sha256),
    evaluated_at  timestamptz NOT NULL
);
CREATE INDEX evaluations_subject ON evaluations (rule, subject, id DESC);

CREATE TABLE alerts (
    id            text PRIMARY KEY,
    rule          text NOT NULL,
    subject       text NOT NULL,
    vehicle_no    integer,
    version       integer NOT NULL,    -- newest version
    status        text NOT NULL CHECK (status IN ('suspected', 'withdrawn')),
    severity      text NOT NULL CHECK (severity IN ('low', 'medium', 'high')),
    organisation  text NOT NULL,
    vehicle       text,
    plate         text NOT NULL DEFAULT '',
    driver        text,
    order_id      text,
    occurred_from timestamptz NOT NULL,
    occurred_to   timestamptz,
    detected_at   timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    UNIQUE (rule, subject)
);
CREATE INDEX alerts_list ON alerts (detected_at DESC, id);
CREATE INDEX alerts_vehicle ON alerts (vehicle_no, occurred_from);

CREATE TABLE alert_versions (
    alert_id      text NOT NULL REFERENCES alerts (id),
    version       integer NOT NULL,
    body          jsonb NOT NULL,      -- the alert as published, see rules.store.Alert
    evidence_sha256 bytea NOT NULL REFERENCES evidence (sha256),
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (alert_id, version)
);

CREATE INDEX alert_versions_created ON alert_versions (created_at);

-- The feed. seq is given under an advisory lock that is held until commit, so seq order is commit order and a reader
-- that has seen seq n never misses one below n. The lock is taken last in a transaction: nothing waits behind it.
CREATE SEQUENCE alert_feed_seq;
CREATE TABLE alert_feed (
    seq        bigint PRIMARY KEY,
    alert_id   text NOT NULL,
    version    integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (alert_id, version),
    FOREIGN KEY (alert_id, version) REFERENCES alert_versions (alert_id, version)
);

-- Orders as they stand, without reading every version of every order: the newest version of an order is marked.
ALTER TABLE dispatch_orders ADD COLUMN is_current boolean NOT NULL DEFAULT true;
CREATE FUNCTION supersede_dispatch_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dispatch_orders SET is_current = false WHERE id = NEW.id AND version < NEW.version AND is_current;
    RETURN NULL;
END $$;
CREATE TRIGGER dispatch_orders_supersede AFTER INSERT ON dispatch_orders
    FOR EACH ROW EXECUTE FUNCTION supersede_dispatch_order();
CREATE OR REPLACE VIEW current_dispatch_orders AS SELECT * FROM dispatch_orders WHERE is_current;
CREATE INDEX dispatch_orders_open ON dispatch_orders (vehicle) WHERE is_current AND status IN ('approved', 'departed');
CREATE INDEX dispatch_orders_ended ON dispatch_orders ((GREATEST(planned_return, extended_return, actual_return)))
    WHERE is_current;
CREATE INDEX fences_vehicles ON fences USING gin (vehicles);
CREATE INDEX fences_organisation ON fences (organisation);
