-- Reservations in series (系列预约): src/office/dispatch/series.py. A series is an act; what has become of each trip its request says.
CREATE TABLE trip_series (
    id              text PRIMARY KEY,
    organisation    text NOT NULL,
    units           text[] NOT NULL,       -- that of the requests, and their pool
    rule            jsonb NOT NULL,        -- the rhythm, and the days that were left out
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by      text NOT NULL,
    created_by_name text NOT NULL
);
COMMENT ON TABLE trip_series IS '系列预约: a rhythm as it was asked for; never changed.';
CREATE INDEX trip_series_units ON trip_series USING gin (units);
CREATE TABLE trip_series_members (
    series  text NOT NULL REFERENCES trip_series (id),
    no      integer NOT NULL CHECK (no > 0),
    request text NOT NULL UNIQUE REFERENCES trip_requests (id),
    PRIMARY KEY (series, no)
);
CREATE TRIGGER trip_series_stay BEFORE UPDATE OR DELETE ON trip_series FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trip_series_stay_all BEFORE TRUNCATE ON trip_series FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trip_series_members_stay BEFORE UPDATE OR DELETE ON trip_series_members FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trip_series_members_stay_all BEFORE TRUNCATE ON trip_series_members FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

SELECT scope_table('trip_series', 'SELECT, INSERT', 'units && (SELECT reach_units())::text[]');
SELECT scope_table('trip_series_members', 'SELECT, INSERT', 'EXISTS (SELECT FROM trip_series s WHERE s.id = series)');
SELECT audit_table('trip_series', 'trip-series');

ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_operation_check;
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_operation_check CHECK (operation IN ('trip-requests', 'trip-series', 'cases'));

-- Which requests of a unit somebody has at a time: what a new series meets.
CREATE INDEX trip_requests_planned ON trip_requests (organisation, planned_departure)
    WHERE state IN ('pending', 'approved', 'waiting', 'no_vehicle', 'assigned');
