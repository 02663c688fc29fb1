-- When drivers work: rosters (排班) and leave (请假): src/registry/duty.py, src/office/drivers.
--
-- ``organisation`` of these tables is the unit that the driver belongs to now.

-- Entries of the roster, only added: what a week looks like from a day on, and single days that are otherwise. Of several for the same day the newest holds.
CREATE TABLE driver_rosters (
    no              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation    text NOT NULL,
    driver          text NOT NULL REFERENCES drivers (id),
    kind            text NOT NULL CHECK (kind IN ('week', 'day')),
    first_day       date NOT NULL,
    shifts          jsonb,                          -- [from, to] in minutes of the day in China, of a week seven lists of them, Monday first; null = nothing is said any more
    note            text NOT NULL,
    entered_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    entered_by      text NOT NULL,
    entered_by_name text NOT NULL
);
COMMENT ON TABLE driver_rosters IS '排班: the week of a driver from first_day on, or the one day first_day.';
CREATE INDEX driver_rosters_of ON driver_rosters (driver, kind, first_day, no);
CREATE INDEX driver_rosters_newest ON driver_rosters (driver, no DESC);
CREATE FUNCTION driver_roster_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (to_jsonb(OLD) - 'organisation') IS DISTINCT FROM (to_jsonb(NEW) - 'organisation') THEN
        RAISE EXCEPTION 'entries of rosters are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER driver_rosters_stand BEFORE UPDATE OR DELETE ON driver_rosters FOR EACH ROW EXECUTE FUNCTION driver_roster_stands();

CREATE TABLE driver_leaves (
    id           text PRIMARY KEY,
    organisation text NOT NULL,
    driver       text NOT NULL REFERENCES drivers (id),
    kind         text NOT NULL,
    since        timestamptz NOT NULL,
    until        timestamptz NOT NULL CHECK (until > since),
    state        text NOT NULL CHECK (state IN ('asked', 'approved', 'rejected', 'cancelled', 'ended')),
    version      integer NOT NULL CHECK (version > 0),
    -- Nobody is away twice at one time.
    CONSTRAINT one_leave_of_driver EXCLUDE USING gist (int8range(hashtextextended(driver, 0), hashtextextended(driver, 0), '[]') WITH &&,
        text_range(driver, driver, '[]') WITH &&, tstzrange(since, until) WITH &&) WHERE (state IN ('asked', 'approved', 'ended'))
);
COMMENT ON TABLE driver_leaves IS '请假: what its thread (driver_leave_events) comes to.';
CREATE INDEX driver_leaves_listed ON driver_leaves (since DESC, id);
CREATE INDEX driver_leaves_of_units ON driver_leaves (organisation, since DESC, id);
CREATE INDEX driver_leaves_of ON driver_leaves (driver, since DESC, id);
CREATE INDEX driver_leaves_states ON driver_leaves (state, since DESC, id);
CREATE TABLE driver_leave_events (
    paper      text NOT NULL REFERENCES driver_leaves (id),
    version    integer NOT NULL CHECK (version > 0),
    step       text NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    persons    text[] NOT NULL,
    actor_name text NOT NULL,
    address    text NOT NULL,
    device     text NOT NULL,
    body       jsonb NOT NULL,
    PRIMARY KEY (paper, version)
);
CREATE TRIGGER driver_leave_events_stay BEFORE UPDATE OR DELETE ON driver_leave_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER driver_leave_events_stay_all BEFORE TRUNCATE ON driver_leave_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER driver_leaves_are_not_removed BEFORE DELETE ON driver_leaves FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What a driver has driven.
CREATE INDEX trip_dispatches_driven ON trip_dispatches (driver, actual_departure) WHERE driver IS NOT NULL;

-- They go with their driver.
CREATE FUNCTION duty_follows_drivers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    moved text[] := (SELECT array_agg(n.id) FROM new_rows n JOIN old_rows o USING (id) WHERE n.organisation <> o.organisation);
BEGIN
    IF moved IS NULL THEN RETURN NULL; END IF;
    UPDATE driver_rosters p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.driver = n.id;
    UPDATE driver_leaves p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.driver = n.id;
    RETURN NULL;
END $$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION duty_follows_drivers() SET search_path = %I, pg_temp', current_schema());
END $$;
CREATE TRIGGER driver_duty_follows AFTER UPDATE ON drivers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION duty_follows_drivers();

SELECT scope_table('driver_rosters', 'SELECT, INSERT');
SELECT scope_table('driver_leaves', 'SELECT, INSERT, UPDATE');
SELECT scope_table('driver_leave_events', 'SELECT, INSERT', 'EXISTS (SELECT FROM driver_leaves l WHERE l.id = paper)');

SELECT audit_table('driver_rosters', 'driver-rosters', 'no', 'r ->> ''driver''');
SELECT audit_table('driver_leaves', 'driver-leaves');

COMMENT ON COLUMN messages.trip IS 'Path of what it is about: trip-requests/<id>, dispatches/<id>, vehicle-papers/<id>, maintenance/<id>, driver-leaves/<id>.';
