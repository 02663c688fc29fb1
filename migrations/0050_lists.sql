-- What the lists of the console ask for: which alerts somebody has not read yet, and other orders than the newest first.
-- SQL of it: src/rules/alerts/listing.py, src/office/subscriptions/reads.py, src/office/supervision/listing.py, src/registry/pages.py.

-- Which version of an alert somebody has read. A newer version makes it unread again; without a row it is unread. A row ends with its alert.
CREATE TABLE alert_reads (
    reader  text NOT NULL,               -- user:7, as the setting gongche.subject
    alert   text NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    version integer NOT NULL CHECK (version > 0),
    read_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (reader, alert)
);
COMMENT ON TABLE alert_reads IS 'Which version of an alert a person has read; of each person his own rows only.';
CREATE INDEX alert_reads_of ON alert_reads (alert);  -- an alert that goes takes its rows with it
-- One's own rows alone, whatever one reaches: the second policy holds beside all others. A row names no alert that its reader does not see.
SELECT scope_table('alert_reads', 'SELECT, INSERT, UPDATE, DELETE', 'reader = current_setting(''gongche.subject'', true)',
    'reader = current_setting(''gongche.subject'', true) AND EXISTS (SELECT FROM alerts a WHERE a.id = alert)');
CREATE POLICY own ON alert_reads AS RESTRICTIVE USING (reader = current_setting('gongche.subject', true))
    WITH CHECK (reader = current_setting('gongche.subject', true));

-- Alerts by the time of the event. Monthly rules give thousands of them one beginning: the id belongs to the order.
CREATE INDEX alerts_of_events ON alerts (occurred_from DESC, id);
DROP INDEX alerts_began;
-- Cases by the end of their term, those of a state as well.
CREATE INDEX cases_by_term ON cases (due_on DESC, id) WHERE due_on IS NOT NULL;
DROP INDEX cases_due;
-- Records by what people know them by.
CREATE INDEX vehicles_by_plate ON vehicles (plate, id);
DROP INDEX vehicles_any_plate;
CREATE INDEX drivers_by_name ON drivers (name, id);
CREATE INDEX fuel_stations_by_name ON fuel_stations (name, id);
CREATE INDEX dispatch_orders_planned ON dispatch_orders (planned_departure, id) WHERE is_newest AND part_of IS NULL;
CREATE INDEX fuel_transactions_by_time ON fuel_transactions (at, id);
DROP INDEX fuel_transactions_at;
CREATE INDEX violations_by_time ON violations (at, id);
DROP INDEX violations_at;

-- A page of the newest versions of alerts of hidden vehicles, masked, as masked_list (0048), in any order of the list: by the time of the
-- event or of the detection, behind (``place``, ``behind``). Where the times are equal the ids go the other way.
CREATE FUNCTION masked_page(
    rules text, units text[], standing text, how_severe text, since timestamptz, until timestamptz,
    began_since timestamptz, began_until timestamptz, detected_since timestamptz, detected_until timestamptz,
    by_event boolean, ascending boolean, place timestamptz, behind text, most integer
) RETURNS TABLE (created_at timestamptz, body jsonb) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    ids text[];
BEGIN
    IF cardinality(hidden_nos()) = 0 THEN RETURN; END IF;
    ids := hidden_ids();
    RETURN QUERY SELECT v.created_at, masked_alert(v.body, f.vehicle) FROM (
        SELECT a.id, a.version, a.vehicle, masked_id('alert', a.id) AS masked, CASE WHEN by_event THEN a.occurred_from ELSE a.detected_at END AS at
          FROM alerts a WHERE a.vehicle = ANY (ids) AND unit_in_reach(a.organisation)
           AND (rules IS NULL OR a.rule = rules) AND (units IS NULL OR a.organisation = ANY (units))
           AND (standing IS NULL OR a.status = standing) AND (how_severe IS NULL OR a.severity = how_severe)
           AND (since IS NULL OR a.occurred_to IS NULL OR a.occurred_to >= since) AND (until IS NULL OR a.occurred_from < until)
           AND (began_since IS NULL OR a.occurred_from >= began_since) AND (began_until IS NULL OR a.occurred_from < began_until)
           AND (detected_since IS NULL OR a.detected_at >= detected_since) AND (detected_until IS NULL OR a.detected_at < detected_until)) f
      JOIN alert_versions v ON v.alert_id = f.id AND v.version = f.version
     WHERE place IS NULL OR CASE WHEN ascending THEN f.at > place OR (f.at = place AND f.masked < behind)
        ELSE f.at < place OR (f.at = place AND f.masked > behind) END
     ORDER BY CASE WHEN ascending THEN f.at END, CASE WHEN ascending THEN f.masked END DESC, f.at DESC, f.masked LIMIT most;
END $$;

-- As counted_alerts of 0048; it also counts what the caller has not read.
CREATE OR REPLACE FUNCTION counted_alerts(what text, wanted jsonb, units text[], cars text[], states text[], unseen text[], most integer)
RETURNS TABLE (key text, rule text, organisation text, status text, severity text, case_state text, finding text, n bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    nos integer[] := hidden_nos();
    ids text[] := '{}';
    plates text[] := '{}';
    cards text[] := '{}';
    orders text[] := '{}';
    own_rule text := wanted ->> 'rule';
    own_unit text := wanted ->> 'organisation';
    own_car text := wanted ->> 'vehicle';
    own_driver text := wanted ->> 'driver';
    own_status text := wanted ->> 'status';
    own_severity text := wanted ->> 'severity';
    own_finding text := wanted ->> 'finding';
    since timestamptz := wanted ->> 'from';
    until timestamptz := wanted ->> 'to';
    began_since timestamptz := wanted ->> 'began_from';
    began_until timestamptz := wanted ->> 'began_to';
    detected_since timestamptz := wanted ->> 'detected_from';
    detected_until timestamptz := wanted ->> 'detected_to';
    not_read boolean := COALESCE((wanted ->> 'unread')::boolean, false);
    who text := current_setting('gongche.subject', true);
    form text := CASE what WHEN 'month' THEN 'YYYY-MM' ELSE 'YYYY-MM-DD' END;
BEGIN
    IF EXISTS (SELECT FROM jsonb_object_keys(wanted) k WHERE k <> ALL ('{rule,organisation,vehicle,driver,status,severity,finding,from,to,'
            'began_from,began_to,detected_from,detected_to,unread}'::text[])) THEN
        RAISE EXCEPTION 'no such filter of alerts: %', wanted USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT unit_in_reach(NULL) THEN
        units := CASE WHEN units IS NULL THEN reach_units()
            ELSE ARRAY(SELECT u FROM unnest(units) u WHERE u = ANY (reach_units())) END;
    END IF;
    IF cardinality(nos) > 0 THEN
        ids := hidden_ids();
        plates := hidden_plates();
        cards := hidden_cards();
        -- Those of which order_hidden says so, all at once.
        SELECT COALESCE(array_agg(DISTINCT k.id), '{}') INTO orders FROM (
            SELECT o.id, o.part_of FROM dispatch_orders o WHERE o.vehicle = ANY (ids)
            UNION ALL SELECT o.id, o.part_of FROM dispatch_orders o WHERE o.exchanges <> '[]'::jsonb
               AND EXISTS (SELECT FROM jsonb_array_elements(o.exchanges) e WHERE e ->> 'vehicle' = ANY (ids))) f
         CROSS JOIN LATERAL (VALUES (f.id), (f.part_of)) k (id) WHERE k.id IS NOT NULL;
    END IF;
    -- Planned anew each time (plan_cache_mode below): what is not asked for is no part of the plan.
    RETURN QUERY
    SELECT COALESCE(f.k, to_char(f.at, form)), f.rule, f.organisation, f.status, f.severity, f.case_state, f.finding, f.n FROM (
        SELECT g.k, g.at, g.rule, g.organisation, g.status, g.severity, g.case_state, g.finding, count(*) AS n FROM (
            SELECT CASE what WHEN 'rule' THEN a.rule WHEN 'organisation' THEN a.organisation WHEN 'vehicle' THEN a.vehicle
                    WHEN 'driver' THEN a.driver WHEN 'severity' THEN a.severity WHEN 'status' THEN a.status WHEN 'finding' THEN a.finding
                    WHEN 'case_state' THEN CASE WHEN a.case_state = ANY (unseen) THEN 'none' ELSE a.case_state END END AS k,
                CASE WHEN what IN ('day', 'month') THEN date_trunc('day', a.occurred_from AT TIME ZONE interval '8 hours') END AS at,
                CASE WHEN what = 'list' THEN a.rule END AS rule, CASE WHEN what = 'list' THEN a.organisation END AS organisation,
                a.status, a.severity, CASE WHEN a.case_state = ANY (unseen) THEN 'none' ELSE a.case_state END AS case_state, a.finding
              FROM alerts a
             WHERE (own_rule IS NULL OR a.rule = own_rule) AND (own_unit IS NULL OR a.organisation = own_unit)
               AND (own_car IS NULL OR a.vehicle = own_car) AND (own_driver IS NULL OR a.driver = own_driver)
               AND (own_status IS NULL OR a.status = own_status) AND (own_severity IS NULL OR a.severity = own_severity)
               AND (own_finding IS NULL OR a.finding = own_finding)
               AND (since IS NULL OR a.occurred_to IS NULL OR a.occurred_to >= since) AND (until IS NULL OR a.occurred_from < until)
               AND (began_since IS NULL OR a.occurred_from >= began_since) AND (began_until IS NULL OR a.occurred_from < began_until)
               AND (detected_since IS NULL OR a.detected_at >= detected_since) AND (detected_until IS NULL OR a.detected_at < detected_until)
               AND (units IS NULL OR a.organisation = ANY (units)) AND (cars IS NULL OR a.vehicle = ANY (cars))
               AND (states IS NULL OR a.case_state = ANY (states))
               AND (NOT not_read OR NOT EXISTS (SELECT FROM alert_reads r WHERE r.reader = who AND r.alert = a.id AND r.version = a.version))
               AND (cardinality(nos) = 0 OR ((a.vehicle IS NULL OR a.vehicle <> ALL (ids))
                    AND (a.vehicle_no IS NULL OR a.vehicle_no <> ALL (nos)) AND a.plate <> ALL (plates)
                    AND (a.card IS NULL OR a.card <> ALL (cards)) AND (a.order_id IS NULL OR a.order_id <> ALL (orders))))
             ORDER BY a.occurred_from DESC LIMIT most) g
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) f;
END $$;

-- They look behind what the caller sees, as the owner of the tables (0036). (To replace a function takes its settings from it.)
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION masked_page SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION counted_alerts SECURITY DEFINER SET search_path = %I, pg_temp SET plan_cache_mode = force_custom_plan',
        current_schema());
END $$;
