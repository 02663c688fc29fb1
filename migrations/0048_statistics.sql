-- Counts of alerts, and what the work list of the console asks for. SQL of it: src/rules/alerts, src/office/statistics.

-- Counts read this index and no alert: all that they group by, and all that the list can be asked for.
CREATE INDEX alerts_counted ON alerts (occurred_from DESC, organisation, rule, severity, status, case_state, finding, vehicle, driver,
    detected_at, occurred_to, id);
-- Lists by severity and by driver, in the order in which they are shown.
CREATE INDEX alerts_of_severity ON alerts (severity, detected_at DESC, id);
CREATE INDEX alerts_of_driver ON alerts (driver, detected_at DESC, id) WHERE driver IS NOT NULL;

-- Orders by the time of their departure, and transactions whose station nobody knows.
CREATE INDEX dispatch_orders_left ON dispatch_orders (actual_departure) WHERE is_newest AND part_of IS NULL;
CREATE INDEX fuel_transactions_unmatched ON fuel_transactions (id) WHERE station IS NULL AND station_name <> '';

-- When each vehicle was last heard of. A vehicle that one may not see is not seen here either.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'vehicle_states'::regclass) THEN
        PERFORM scope_table('vehicle_states', 'SELECT', 'EXISTS (SELECT FROM vehicles v WHERE v.no = vehicle_no)', 'false');
    END IF;
END $$;

-- A page of the newest versions of alerts of hidden vehicles, masked, as masked_alerts (0036), for the filters of the list that came
-- later. Null = any.
CREATE FUNCTION masked_list(
    rules text, units text[], standing text, how_severe text, since timestamptz, until timestamptz,
    began_since timestamptz, began_until timestamptz, detected_since timestamptz, detected_until timestamptz,
    before timestamptz, behind text, most integer
) RETURNS TABLE (id text, rule text, organisation text, status text, severity text, occurred_from timestamptz, detected_at timestamptz,
    created_at timestamptz, body jsonb)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    nos integer[] := hidden_nos();
    ids text[];
BEGIN
    IF cardinality(nos) = 0 THEN RETURN; END IF;
    ids := hidden_ids();
    RETURN QUERY SELECT f.masked, f.rule, f.organisation, f.status, f.severity, f.occurred_from, f.detected_at, v.created_at,
        masked_alert(v.body, f.vehicle) FROM (
        SELECT a.*, masked_id('alert', a.id) AS masked FROM alerts a WHERE a.vehicle = ANY (ids) AND unit_in_reach(a.organisation)
           AND (rules IS NULL OR a.rule = rules) AND (units IS NULL OR a.organisation = ANY (units))
           AND (standing IS NULL OR a.status = standing) AND (how_severe IS NULL OR a.severity = how_severe)
           AND (since IS NULL OR a.occurred_to IS NULL OR a.occurred_to >= since) AND (until IS NULL OR a.occurred_from < until)
           AND (began_since IS NULL OR a.occurred_from >= began_since) AND (began_until IS NULL OR a.occurred_from < began_until)
           AND (detected_since IS NULL OR a.detected_at >= detected_since) AND (detected_until IS NULL OR a.detected_at < detected_until)
           AND (before IS NULL OR a.detected_at <= before)) f
      JOIN alert_versions v ON v.alert_id = f.id AND v.version = f.version
     WHERE before IS NULL OR f.detected_at < before OR f.masked > behind
     ORDER BY f.detected_at DESC, f.masked LIMIT most;
END $$;
-- It looks behind what the caller sees, as the owner of the tables (0036).
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION masked_list SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $$;
