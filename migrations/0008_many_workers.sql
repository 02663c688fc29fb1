-- Many workers: each keeps the whole registry in memory and judges its share of the vehicles. SQL of log_offsets lives in
-- src/rules/store/progress.py, of registry_changes in src/rules/fleet/changes.py.

-- The worker that has the partition: written when it takes it over, compared in each of its transactions. One that was
-- stalled while its partition went to another is refused, also where it has no record in hand.
ALTER TABLE log_offsets ADD COLUMN claim text NOT NULL DEFAULT '';

-- Vehicles of which the registry says something else than before. fact_changes are for the one worker that owns the
-- vehicle, and gone when it has judged; these are for every worker, each reads on from where it was. The order of seq is
-- the order of commits (see the lock below), so none is missed. Dropped after a day; the newest of the dropped stays, and
-- a worker that is behind it reads all vehicles.
CREATE TABLE registry_changes (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vehicle_no integer NOT NULL,      -- 0 = no vehicle, but a rule's parameter
    noted_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO registry_changes (vehicle_no) VALUES (0);

-- Deferred: it comes with the commit, so that a long import holds the lock for a moment only. Workers hold it shared from
-- their last look at the registry to their commit (rules.fleet.changes.hold_registry).
CREATE FUNCTION note_registry_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7453297298901395299);  -- "gongregc"
    INSERT INTO registry_changes (vehicle_no) VALUES (COALESCE((to_jsonb(NEW) ->> TG_ARGV[0])::integer, 0));
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER registry_change AFTER INSERT ON fact_changes DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.kind NOT IN ('rows', 'parameter')) EXECUTE FUNCTION note_registry_change('vehicle_no');
CREATE CONSTRAINT TRIGGER registry_change AFTER INSERT OR UPDATE ON vehicles DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION note_registry_change('no');
-- A parameter has fact_changes for a whole fleet, and concerns no vehicle's own facts.
CREATE CONSTRAINT TRIGGER registry_change AFTER INSERT OR UPDATE OR DELETE ON rule_parameters DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION note_registry_change('');

COMMENT ON COLUMN fact_changes.kind IS
    'order, fence, binding, vehicle, parameter; rows = a worker stored positions of a vehicle that is not its own';
