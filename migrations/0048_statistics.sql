-- Counts of alerts, and what the work list of the console asks for. SQL of it: src/rules/alerts, src/office/statistics.

-- Counts read this index and no alert: all that they group by, and all that the list can be asked for.
CREATE INDEX alerts_counted ON alerts (occurred_from) INCLUDE (organisation, rule, severity, status, case_state, finding, vehicle, driver,
    detected_at, occurred_to, vehicle_no, plate, card, order_id);
-- Lists by severity and by driver, in the order in which they are shown.
CREATE INDEX alerts_of_severity ON alerts (severity, detected_at DESC, id);
CREATE INDEX alerts_of_driver ON alerts (driver, detected_at DESC, id) WHERE driver IS NOT NULL;

-- Orders by the time of their departure, and transactions whose station nobody knows.
CREATE INDEX dispatch_orders_left ON dispatch_orders (actual_departure) WHERE is_newest;
CREATE INDEX fuel_transactions_unmatched ON fuel_transactions (id) WHERE station IS NULL AND station_name <> '';

-- Orders in which a vehicle was exchanged for another: few.
CREATE INDEX dispatch_orders_exchanged ON dispatch_orders (id) WHERE exchanges <> '[]'::jsonb;

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
-- Numbers of alerts that are alike, past row-level security: its conditions are looked at row by row, which for a city of hundreds of units,
-- or where one vehicle is secret, takes seconds. It counts what the policies of alerts (0031, 0036) let through, and nothing else: units in
-- reach; nothing of a hidden vehicle, its plates, cards and orders. (What an alert says of another vehicle is not read: there would be too
-- much to read.) ``wanted``: the filters of rules.alerts.asked by their names; ``units``, ``cars``, ``states``: one of these, null = any;
-- ``unseen``: states of cases that are told as none; ``most``: only so many that began last, null = all.
-- ``what``: what a group has in common, "list": rule and unit beside each other.
CREATE FUNCTION counted_alerts(what text, wanted jsonb, units text[], cars text[], states text[], unseen text[], most integer)
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
    form text := CASE what WHEN 'month' THEN 'YYYY-MM' ELSE 'YYYY-MM-DD' END;
BEGIN
    IF EXISTS (SELECT FROM jsonb_object_keys(wanted) k WHERE k <> ALL ('{rule,organisation,vehicle,driver,status,severity,finding,from,to,'
            'began_from,began_to,detected_from,detected_to}'::text[])) THEN
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
               AND (cardinality(nos) = 0 OR ((a.vehicle IS NULL OR a.vehicle <> ALL (ids))
                    AND (a.vehicle_no IS NULL OR a.vehicle_no <> ALL (nos)) AND a.plate <> ALL (plates)
                    AND (a.card IS NULL OR a.card <> ALL (cards)) AND (a.order_id IS NULL OR a.order_id <> ALL (orders))))
             ORDER BY a.occurred_from DESC LIMIT most) g
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) f;
END $$;

-- They look behind what the caller sees, as the owner of the tables (0036).
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION masked_list SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION counted_alerts SECURITY DEFINER SET search_path = %I, pg_temp SET plan_cache_mode = force_custom_plan',
        current_schema());
END $$;
