-- What all migrations together make of an empty database. Written by `make schema`, never by hand: to read, to search, and to
-- see in a change what a migration comes to. Why things are as they are stands in the migrations.

SET check_function_bodies = false;

CREATE TYPE text_range AS RANGE (
    subtype = text,
    multirange_type_name = text_multirange,
    collation = pg_catalog."C"
);

CREATE FUNCTION alert_hidden(wanted text, ids text[], plates text[], cards text[]) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM alerts a WHERE a.id = wanted
        AND (a.vehicle = ANY (ids) OR a.plate = ANY (plates) OR a.card = ANY (cards)))
$$;

CREATE FUNCTION approval_table_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (OLD.organisation, OLD.version, OLD.body, OLD.made_by, OLD.made_at) IS DISTINCT FROM
       (NEW.organisation, NEW.version, NEW.body, NEW.made_by, NEW.made_at) OR OLD.active_to IS NOT NULL THEN
        RAISE EXCEPTION 'versions of approval tables are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION assessed_changes(units text[], since timestamp with time zone[]) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(array_agg(DISTINCT u.unit), '{}') FROM unnest(units, since) AS u (unit, since)
      JOIN case_events e ON e.step IN ('close', 'reopen', 'accept-rectification') AND e.at >= u.since
      JOIN cases c ON c.id = e.case_id AND c.organisation = u.unit
     WHERE u.unit = ANY ((SELECT assessed_units(units))::text[])
$$;

CREATE FUNCTION assessed_closings(units text[], since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(number text, versions integer[], steps text[], times timestamp with time zone[], nobody boolean[], bodies jsonb[])
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT c.number, t.* FROM (
        SELECT DISTINCT d.case_id FROM case_events d
         WHERE d.step = 'close' AND d.step IN ('close', 'reopen', 'accept-rectification') AND d.at >= since AND d.at < until) d
      JOIN cases c ON c.id = d.case_id AND c.state = 'closed' AND c.organisation IN (SELECT unnest(assessed_units(units)))
     CROSS JOIN LATERAL (SELECT array_agg(e.version), array_agg(e.step), array_agg(e.at), array_agg(cardinality(e.persons) = 0),
        array_agg(CASE
            WHEN e.step IN ('draft', 'edit') THEN jsonb_build_object(
                'organisation', e.body -> 'organisation', 'source', e.body -> 'source', 'level', e.body -> 'level', 'due_on', e.body -> 'due_on',
                'hotline', CASE WHEN jsonb_typeof(e.body -> 'hotline') = 'object' THEN jsonb_build_object(
                    'category', e.body -> 'hotline' -> 'category', 'received_on', e.body -> 'hotline' -> 'received_on') END,
                'figures', (SELECT jsonb_agg(jsonb_build_array(f -> 'rule', f -> 'severity') ORDER BY o) FROM jsonb_array_elements(
                    CASE WHEN jsonb_typeof(e.body -> 'figures') = 'array' THEN e.body -> 'figures' END) WITH ORDINALITY AS x (f, o)))
            WHEN e.step = 'close' THEN jsonb_build_object('finding', e.body -> 'finding', 'measures_due', e.body -> 'measures_due')
            WHEN e.step IN ('grant', 'reopen') THEN jsonb_build_object('organisation', e.body -> 'organisation', 'due_on', e.body -> 'due_on')
            END)
          FROM (SELECT * FROM case_events v WHERE v.case_id = c.id ORDER BY v.version) e) t
$$;

CREATE FUNCTION assessed_orders(unit text, since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(departed bigint, backfilled bigint, settled bigint, tracked bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM dispatch_orders v WHERE v.id = o.id AND v.backfill)),
        count(*) FILTER (WHERE r.state = 'settled'), count(*) FILTER (WHERE r.state = 'settled' AND r.fixes > 0)
      FROM dispatch_orders o LEFT JOIN order_results r ON r.order_id = o.id
     WHERE o.is_newest AND o.part_of IS NULL AND o.organisation = unit AND o.organisation = ANY ((SELECT assessed_units(ARRAY[unit]))::text[])
       AND o.status <> 'cancelled' AND o.actual_departure >= since AND o.actual_departure < until
$$;

CREATE FUNCTION assessed_threads(units text[], since timestamp with time zone, until timestamp with time zone, wanted text DEFAULT NULL::text) RETURNS TABLE(number text, version integer, step text, at timestamp with time zone, persons text[], body jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT c.number, e.version, e.step, e.at, e.persons, jsonb_strip_nulls(jsonb_build_object(
               'organisation', e.body -> 'organisation', 'source', e.body -> 'source', 'level', e.body -> 'level',
               'due_on', e.body -> 'due_on', 'number', e.body -> 'number', 'finding', e.body -> 'finding',
               'measures_due', e.body -> 'measures_due', 'alert', CASE WHEN e.step IN ('alert-withdrawn', 'alert-changed') THEN to_jsonb(''::text) END,
               'hotline', CASE WHEN jsonb_typeof(e.body -> 'hotline') = 'object' THEN jsonb_build_object(
                   'category', e.body -> 'hotline' -> 'category', 'received_on', e.body -> 'hotline' -> 'received_on') END,
               'figures', (SELECT jsonb_agg(jsonb_build_object('rule', f -> 'rule', 'severity', f -> 'severity') ORDER BY o) FROM jsonb_array_elements(
                   CASE WHEN jsonb_typeof(e.body -> 'figures') = 'array' THEN e.body -> 'figures' END) WITH ORDINALITY AS x (f, o))))
      FROM cases c JOIN case_events e ON e.case_id = c.id
     WHERE c.state = 'closed' AND c.organisation = ANY ((SELECT assessed_units(units))::text[])
       AND (CASE WHEN wanted IS NULL THEN c.id IN (SELECT d.case_id FROM case_events d
               WHERE d.step = 'close' AND d.step IN ('close', 'reopen', 'accept-rectification') AND d.at >= since AND d.at < until)
            ELSE c.number = wanted END)
     ORDER BY c.number, e.version
$$;

CREATE FUNCTION assessed_units(units text[]) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(array_agg(u), '{}') FROM unnest(units) AS n (u)
     WHERE (SELECT unit_in_reach(NULL)) OR current_setting('role') = 'none' OR u = ANY ((SELECT reach_units())::text[])
$$;

CREATE FUNCTION assessed_with_vehicles(units text[]) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(array_agg(DISTINCT v.organisation), '{}') FROM vehicles v WHERE v.organisation = ANY ((SELECT assessed_units(units))::text[])
$$;

CREATE FUNCTION audit_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $_$
DECLARE
    actor jsonb := NULLIF(current_setting('gongche.actor', true), '')::jsonb;
    id_field text;
    organisation_field text;
    vehicle_field text;
    pairs text;
BEGIN
    IF actor IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' AND COALESCE(TG_ARGV[5], 'NULL::jsonb') = 'NULL::jsonb' THEN
        id_field := audit_field(TG_ARGV[2]);
        organisation_field := audit_field(TG_ARGV[3]);
        vehicle_field := audit_field(TG_ARGV[4]);
        IF id_field IS NOT NULL AND organisation_field IS NOT NULL AND vehicle_field IS NOT NULL THEN
            INSERT INTO audit (who_kind, who_id, who_name, roles, delegated_by, address, forwarded_for, agent, operation, purpose,
                action, subject_kind, subject_id, organisation, vehicle, before, after)
            SELECT actor ->> 'kind', actor ->> 'id', COALESCE(actor ->> 'name', ''), COALESCE(actor ->> 'roles', ''),
                actor ->> 'delegated_by', COALESCE(actor ->> 'address', ''), actor ->> 'forwarded_for', COALESCE(actor ->> 'agent', ''),
                actor ->> 'operation', actor ->> 'purpose', 'write', TG_ARGV[0], p.r ->> id_field, p.r ->> organisation_field,
                p.r ->> vehicle_field, NULL, d.part
              FROM (SELECT to_jsonb(n) AS r FROM new_rows n) AS p CROSS JOIN LATERAL (SELECT audit_part(p.r, NULL) AS part OFFSET 0) AS d
             WHERE d.part IS NOT NULL;
            RETURN NULL;
        END IF;
    END IF;
    pairs := CASE TG_OP
        WHEN 'INSERT' THEN format('SELECT (%s) AS o, to_jsonb(n) AS n FROM new_rows n', COALESCE(TG_ARGV[5], 'NULL::jsonb'))
        WHEN 'DELETE' THEN 'SELECT to_jsonb(o) AS o, NULL::jsonb AS n FROM old_rows o'
        ELSE format('SELECT to_jsonb(o) AS o, to_jsonb(n) AS n FROM old_rows o JOIN new_rows n USING (%s)', TG_ARGV[1]) END;
    EXECUTE format(
        'INSERT INTO audit (who_kind, who_id, who_name, roles, delegated_by, address, forwarded_for, agent, operation, purpose,'
        ' action, subject_kind, subject_id, organisation, vehicle, before, after)'
        ' SELECT $1 ->> ''kind'', $1 ->> ''id'', COALESCE($1 ->> ''name'', ''''), COALESCE($1 ->> ''roles'', ''''),'
        ' $1 ->> ''delegated_by'', COALESCE($1 ->> ''address'', ''''), $1 ->> ''forwarded_for'', COALESCE($1 ->> ''agent'', ''''),'
        ' $1 ->> ''operation'', $1 ->> ''purpose'', ''write'', $2, %s, %s, %s, d.was, d.is FROM (%s) AS p'
        ' CROSS JOIN LATERAL (SELECT COALESCE(p.n, p.o) AS r, audit_part(p.o, p.n) AS was, audit_part(p.n, p.o) AS is) AS d'
        ' WHERE d.was IS NOT NULL OR d.is IS NOT NULL',
        TG_ARGV[2], TG_ARGV[3], TG_ARGV[4], pairs) USING actor, TG_ARGV[0];
    RETURN NULL;
END $_$;

CREATE FUNCTION audit_field(expression text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $_$
    SELECT CASE WHEN expression = 'NULL::text' THEN '' ELSE substring(expression FROM '^r ->> ''(\w+)''$') END
$_$;

CREATE FUNCTION audit_hidden(kind text, id text, vehicle text, content text, ids text[], plates text[], cards text[], pattern text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(audit_hidden.vehicle = ANY (ids) OR audit_hidden.id = ANY (ids) OR audit_hidden.id = ANY (cards) OR content ~ pattern, false)
        OR CASE kind
            WHEN 'fuel-transactions' THEN EXISTS (SELECT FROM fuel_transactions f WHERE f.id = audit_hidden.id AND f.card = ANY (cards))
            WHEN 'violations' THEN EXISTS (SELECT FROM violations v WHERE v.id = audit_hidden.id AND v.plate = ANY (plates))
            WHEN 'clock-corrections' THEN EXISTS (SELECT FROM clock_corrections c WHERE c.id = audit_hidden.id AND c.terminal_no = ANY (hidden_terminals()))
            WHEN 'dispatch-orders' THEN order_hidden(audit_hidden.id, ids)
            WHEN 'alert-receipts' THEN alert_hidden(audit_hidden.id, ids, plates, cards)
            WHEN 'alert-dispositions' THEN alert_hidden(audit_hidden.id, ids, plates, cards)
            WHEN 'evidence' THEN alert_hidden(audit_hidden.id, ids, plates, cards)
            WHEN 'alerts' THEN alert_hidden(audit_hidden.id, ids, plates, cards)
            WHEN 'cases' THEN case_hidden(audit_hidden.id, ids, plates, cards)
            WHEN 'tasks' THEN EXISTS (SELECT FROM tasks t WHERE t.id = audit_hidden.id AND case_hidden(t.case_id, ids, plates, cards))
            WHEN 'fences' THEN EXISTS (SELECT FROM fences f WHERE f.id = audit_hidden.id AND f.vehicles && ids)
            WHEN 'complaint-callers' THEN EXISTS (SELECT FROM complaints c WHERE c.id = audit_hidden.id AND c.vehicle = ANY (ids))
            ELSE false END
$$;

CREATE FUNCTION audit_note(actor jsonb, action text, subject_kind text, subject_id text, organisation text, vehicle text, detail jsonb) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF current_setting('transaction_read_only')::boolean THEN
        RETURN false;
    END IF;
    INSERT INTO audit (who_kind, who_id, who_name, roles, delegated_by, address, forwarded_for, agent, operation, purpose,
        action, subject_kind, subject_id, organisation, vehicle, detail)
    VALUES (actor ->> 'kind', actor ->> 'id', COALESCE(actor ->> 'name', ''), COALESCE(actor ->> 'roles', ''),
        actor ->> 'delegated_by', COALESCE(actor ->> 'address', ''), actor ->> 'forwarded_for', COALESCE(actor ->> 'agent', ''),
        actor ->> 'operation', actor ->> 'purpose', action, subject_kind, subject_id,
        COALESCE(organisation, (SELECT v.organisation FROM vehicles v WHERE v.id = audit_note.vehicle)), vehicle, detail);
    RETURN true;
END $$;

CREATE FUNCTION audit_part(content jsonb, than jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    AS $$
BEGIN
    RETURN (SELECT jsonb_object_agg(e.key, CASE WHEN length(e.value::text) <= 500 THEN e.value ELSE jsonb_build_object(
               'length', length(e.value::text), 'sha256', encode(sha256(convert_to(e.value::text, 'UTF8')), 'hex')) END)
      FROM jsonb_each(content) e
     WHERE e.key NOT IN ('created_at', 'updated_at', 'received_at', 'is_newest', 'is_current', 'home', 'sha256', 'code_sha256',
           'previous_sha256', 'password_hash', 'totp_secret', 'totp_step', 'last_used_at')
       AND (than IS NULL OR e.value IS DISTINCT FROM than -> e.key));
END $$;

CREATE FUNCTION audit_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '审计记录不得修改或删除 / the audit is never changed' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION audit_table(place regclass, kind text, key text DEFAULT 'id'::text, id text DEFAULT 'r ->> ''id'''::text, organisation text DEFAULT 'r ->> ''organisation'''::text, vehicle text DEFAULT 'NULL::text'::text, before text DEFAULT 'NULL::jsonb'::text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    op text;
BEGIN
    FOREACH op IN ARRAY ARRAY['INSERT', 'UPDATE', 'DELETE'] LOOP
        EXECUTE format('CREATE TRIGGER audit_%s AFTER %s ON %s REFERENCING %s FOR EACH STATEMENT'
            ' EXECUTE FUNCTION audit_changes(%L, %L, %L, %L, %L, %L)', lower(op), op, place,
            CASE op WHEN 'INSERT' THEN 'NEW TABLE AS new_rows' WHEN 'DELETE' THEN 'OLD TABLE AS old_rows'
                    ELSE 'OLD TABLE AS old_rows NEW TABLE AS new_rows' END,
            kind, key, id, organisation, vehicle, before);
    END LOOP;
END $$;

CREATE FUNCTION backtests_before(since timestamp with time zone, number bigint) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT count(*)::integer FROM backtests WHERE state IN ('queued', 'running') AND (queued_at, no) < (since, number)
$$;

CREATE FUNCTION backtests_open(who text) RETURNS integer[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT ARRAY[count(*), count(*) FILTER (WHERE asked_by = who)]::integer[] FROM backtests WHERE state IN ('queued', 'running')
$$;

CREATE FUNCTION begin_plates() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO vehicle_plates (vehicle_no, plate, valid_from)
    SELECT n.no, n.plate, greatest(now(), (SELECT max(p.valid_to) FROM vehicle_plates p WHERE p.plate = n.plate))
      FROM vehicles_now n WHERE n.disposed_on IS NULL;
    RETURN NULL;
END $$;

CREATE FUNCTION booked_elsewhere(wanted text, since text, until text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM reconciliation_lines l JOIN reconciliations r ON r.id = l.reconciliation
        WHERE l.item = wanted AND l.standing IN ('matched', 'amount', 'period', 'subject')
          AND (r.until < booked_elsewhere.since OR r.since > booked_elsewhere.until))
$$;

CREATE FUNCTION case_hidden(wanted text, ids text[], plates text[], cards text[]) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM cases c WHERE c.id = wanted AND c.vehicle = ANY (ids))
        OR EXISTS (SELECT FROM case_links l WHERE l.case_id = wanted
            AND CASE l.kind WHEN 'alert' THEN alert_hidden(l.ref, ids, plates, cards) WHEN 'order' THEN order_hidden(l.ref, ids)
                     ELSE EXISTS (SELECT FROM complaints p WHERE p.id = l.ref AND p.vehicle = ANY (ids)) END)
$$;

CREATE FUNCTION change_commit() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    known bigint := NULLIF(current_setting('gongche.change_commit', true), '')::bigint;
BEGIN
    IF known IS NULL THEN
        INSERT INTO change_commits DEFAULT VALUES RETURNING id INTO known;
        -- Forgotten at the end of the transaction, and where a savepoint is rolled back.
        PERFORM set_config('gongche.change_commit', known::text, true);
    END IF;
    RETURN known;
END $$;

CREATE FUNCTION change_plates() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    WITH gone AS (
        SELECT n.no FROM vehicles_now n JOIN vehicles_before o USING (no)
         WHERE o.disposed_on IS NULL AND (n.disposed_on IS NOT NULL OR n.plate <> o.plate)),
    never AS (
        DELETE FROM vehicle_plates p USING gone
         WHERE p.vehicle_no = gone.no AND p.valid_to IS NULL AND p.valid_from >= now())
    UPDATE vehicle_plates p SET valid_to = now() FROM gone
     WHERE p.vehicle_no = gone.no AND p.valid_to IS NULL AND p.valid_from < now();
    INSERT INTO vehicle_plates (vehicle_no, plate, valid_from)
    SELECT n.no, n.plate, greatest(now(), (SELECT max(p.valid_to) FROM vehicle_plates p WHERE p.plate = n.plate),
                                   (SELECT max(p.valid_to) FROM vehicle_plates p WHERE p.vehicle_no = n.no))
      FROM vehicles_now n JOIN vehicles_before o USING (no)
     WHERE n.disposed_on IS NULL AND (o.disposed_on IS NOT NULL OR n.plate <> o.plate);
    RETURN NULL;
END $$;

CREATE FUNCTION changed_field(expression text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $_$
    SELECT CASE WHEN COALESCE(expression, '') = '' THEN '' ELSE substring(expression FROM '^r\.(\w+)$') END
$_$;

CREATE FUNCTION cleared_table(place regclass) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    privilege text;
BEGIN
    IF to_regrole('gongche_cleared') IS NULL THEN RETURN; END IF;
    FOR privilege IN SELECT DISTINCT e.privilege_type FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) e
                      WHERE c.oid = place AND e.grantee = 'gongche_app'::regrole LOOP
        EXECUTE format('GRANT %s ON %s TO gongche_cleared', privilege, place);
    END LOOP;
    EXECUTE format('CREATE POLICY cleared ON %s TO gongche_cleared USING (true) WITH CHECK (true)', place);
END $$;

CREATE FUNCTION cold_touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$BEGIN INSERT INTO cold_touched (day) VALUES (TG_ARGV[0]::date); RETURN NULL; END$$;

COMMENT ON FUNCTION cold_touch() IS 'Trigger of a partition of positions whose rows are being copied to a file.';

CREATE FUNCTION colour_of_case(undetermined boolean, due_on date, yellow_from date, today date) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN undetermined THEN 'grey' WHEN due_on IS NULL THEN 'none' WHEN due_on < today THEN 'red'
                WHEN yellow_from <= today THEN 'yellow' ELSE 'green' END
$$;

CREATE FUNCTION counted_alerts(what text, wanted jsonb, units text[], cars text[], states text[], unseen text[], most integer) RETURNS TABLE(key text, rule text, organisation text, status text, severity text, case_state text, finding text, n bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
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

CREATE FUNCTION counted_cases(whole text[], part text[], origin text, today date) RETURNS TABLE(state text, colour text, n bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET plan_cache_mode TO 'force_custom_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF cardinality(hidden_nos()) > 0 THEN
        RAISE EXCEPTION 'what is hidden from the reader is not counted here' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT (unit_in_reach(NULL) OR current_setting('role') = 'none') THEN
        whole := units_in_reach(whole);
        part := units_in_reach(part);
    END IF;
    -- Planned anew for the units that are asked for. A closed case has a number.
    RETURN QUERY
        SELECT 'closed', 'none', count(*) FROM cases c
         WHERE c.state = 'closed' AND (whole IS NULL OR c.organisation = ANY (whole)) AND (origin IS NULL OR c.source = origin)
        UNION ALL SELECT 'cancelled', 'none', count(*) FROM cases c
         WHERE c.state = 'cancelled' AND (whole IS NULL OR c.organisation = ANY (whole)) AND (origin IS NULL OR c.source = origin)
        UNION ALL (SELECT c.state, colour_of_case(c.undetermined, c.due_on, c.yellow_from, today), count(*) FROM cases c
         WHERE c.state NOT IN ('closed', 'cancelled') AND (whole IS NULL OR c.organisation = ANY (whole))
           AND (origin IS NULL OR c.source = origin) GROUP BY 1, 2);
    IF whole IS NOT NULL AND cardinality(part) > 0 THEN
        RETURN QUERY
            SELECT 'closed', 'none', count(*) FROM cases c
             WHERE c.state = 'closed' AND c.organisation = ANY (part) AND (origin IS NULL OR c.source = origin)
            UNION ALL SELECT 'cancelled', 'none', count(*) FROM cases c
             WHERE c.state = 'cancelled' AND c.organisation = ANY (part) AND c.number IS NOT NULL AND (origin IS NULL OR c.source = origin)
            UNION ALL (SELECT c.state, colour_of_case(c.undetermined, c.due_on, c.yellow_from, today), count(*) FROM cases c
             WHERE c.state NOT IN ('closed', 'cancelled') AND c.organisation = ANY (part) AND c.number IS NOT NULL
               AND (origin IS NULL OR c.source = origin) GROUP BY 1, 2);
    END IF;
END $$;

CREATE FUNCTION counted_months(units text[], since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(month text, alerts bigint, cases bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET plan_cache_mode TO 'force_custom_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
BEGIN
    IF cardinality(hidden_nos()) > 0 THEN
        RAISE EXCEPTION 'what is hidden from the reader is not counted here' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT (unit_in_reach(NULL) OR current_setting('role') = 'none') THEN
        units := units_in_reach(units);
    END IF;
    RETURN QUERY
        SELECT to_char(m.first, 'YYYY-MM'),
            (SELECT count(*) FROM alerts a WHERE a.occurred_from >= m.since AND a.occurred_from < m.until
                AND (units IS NULL OR a.organisation = ANY (units))),
            (SELECT count(*) FROM cases c WHERE c.number IS NOT NULL AND c.issued_at >= m.since AND c.issued_at < m.until
                AND (units IS NULL OR c.organisation = ANY (units)))
          FROM (SELECT f AS first, greatest(f AT TIME ZONE 'Asia/Shanghai', counted_months.since) AS since,
                       least((f + interval '1 month') AT TIME ZONE 'Asia/Shanghai', counted_months.until) AS until
                  FROM generate_series(date_trunc('month', counted_months.since AT TIME ZONE 'Asia/Shanghai'),
                       counted_months.until AT TIME ZONE 'Asia/Shanghai', interval '1 month') f) m
         WHERE m.since < m.until;
END $$;

CREATE FUNCTION driven_facts(wanted text[]) RETURNS TABLE(id text, category text, waits boolean, track_mm bigint, charges jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT d.id, v.category, r.state IS NOT NULL AND NOT f.settled,
           CASE WHEN f.settled AND r.fixes > 0 AND 2 * r.bridged_mm <= r.mileage_mm THEN r.mileage_mm END,
           (SELECT jsonb_object_agg(c.kind, c.fen) FROM (
               SELECT e.kind, sum(e.amount_fen)::bigint AS fen FROM cost_entries e WHERE e.dispatch = d.id AND e.payer = 'unit' GROUP BY e.kind) c)
      FROM trip_dispatches d JOIN vehicles v ON v.id = d.vehicle
      LEFT JOIN current_dispatch_orders o ON o.id = d.id
      LEFT JOIN order_results r ON r.order_id = d.id AND r.vehicle_no = d.vehicle_no
      CROSS JOIN LATERAL (SELECT COALESCE(r.state = 'settled' AND r.order_version = o.version, false) AS settled) f
     WHERE d.id = ANY (wanted)
$$;

CREATE FUNCTION driver_fact_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.voided_at IS NOT NULL OR (to_jsonb(OLD) - '{voided_at,voided_by_name,void_reason}'::text[])
       IS DISTINCT FROM (to_jsonb(NEW) - '{voided_at,voided_by_name,void_reason}'::text[]) THEN
        RAISE EXCEPTION 'facts of drivers are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION driver_of_user(wanted text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT a.driver FROM driver_accounts a WHERE a.user_id = wanted
$$;

CREATE FUNCTION driver_roster_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (to_jsonb(OLD) - 'organisation') IS DISTINCT FROM (to_jsonb(NEW) - 'organisation') THEN
        RAISE EXCEPTION 'entries of rosters are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION duty_follows_drivers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    moved text[] := (SELECT array_agg(n.id) FROM new_rows n JOIN old_rows o USING (id) WHERE n.organisation <> o.organisation);
BEGIN
    IF moved IS NULL THEN RETURN NULL; END IF;
    UPDATE driver_rosters p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.driver = n.id;
    UPDATE driver_leaves p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.driver = n.id;
    RETURN NULL;
END $$;

CREATE FUNCTION end_alert_reads() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM alert_reads r USING old_rows o WHERE r.alert = o.id;
    RETURN NULL;
END $$;

CREATE FUNCTION everywhere_role() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN CASE WHEN to_regrole('gongche_cleared') IS NOT NULL AND cardinality(hidden_nos()) = 0 AND EXISTS (SELECT FROM pg_roles r
        WHERE r.rolname = 'gongche_cleared' AND pg_has_role(session_user, r.oid,
            CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END))
        THEN 'gongche_cleared' ELSE 'gongche_everywhere' END;
END $$;

CREATE FUNCTION exchange_claim(wanted text, through text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    owner text;
BEGIN
    IF EXISTS (SELECT FROM exchange_peers p WHERE p.name = wanted AND p.name <> through) THEN
        RETURN wanted;  -- it comes to us by itself
    END IF;
    IF (SELECT count(*) FROM exchange_origins o WHERE o.peer = through) < 500 THEN  -- a province has some hundred counties
        INSERT INTO exchange_origins (origin, peer) VALUES (wanted, through) ON CONFLICT (origin) DO NOTHING;
    END IF;
    SELECT o.peer INTO owner FROM exchange_origins o WHERE o.origin = wanted;
    RETURN owner;
END $$;

CREATE FUNCTION exchange_down(after_number bigint, after_seq bigint, most integer) RETURNS TABLE(number bigint, seq bigint, kind text, subject text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    WITH part AS MATERIALIZED (
        SELECT k.number, c.seq, c.kind, c.subject FROM change_commits k JOIN changes c ON c.commit_id = k.id
         WHERE k.number >= after_number AND (k.number > after_number OR c.seq > after_seq)
           AND (SELECT COALESCE(min(m.number) <= after_number, true) FROM change_commits m)
         ORDER BY k.number, c.seq LIMIT most)
    SELECT * FROM (
        SELECT p.number, p.seq, p.kind, p.subject FROM part p WHERE p.kind IN ('case', 'disposition_code', 'notice', 'received')
        UNION ALL
        SELECT COALESCE(l.number, after_number), COALESCE(l.seq, after_seq), NULL, (SELECT count(*) FROM part)::text
          FROM (SELECT 1) AS one
          LEFT JOIN (SELECT p.number, p.seq FROM part p ORDER BY p.number DESC, p.seq DESC LIMIT 1) l ON true
         WHERE (SELECT COALESCE(min(m.number) <= after_number, true) FROM change_commits m)) AS f (number, seq, kind, subject)
     ORDER BY f.kind IS NULL, f.number, f.seq
$$;

CREATE FUNCTION exchange_hidden(origins text[], kinds text[], ids text[]) RETURNS TABLE(origin text, kind text, id text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT r.origin, r.kind, r.id FROM unnest(origins, kinds, ids) AS u (o, k, i)
      JOIN exchange_records r ON r.origin = u.o AND r.kind = u.k AND r.id = u.i
     WHERE r.organisation <> ALL ((SELECT reach_units())::text[])
$$;

CREATE FUNCTION exchange_now() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(max(k.number), 0) FROM change_commits k
$$;

CREATE FUNCTION exchange_own_name() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$ SELECT name FROM exchange_self $$;

CREATE FUNCTION exchange_owned(kind text, ids text[]) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT o.id FROM organisations o WHERE exchange_owned.kind = 'unit' AND o.id = ANY (ids)
    UNION ALL SELECT v.id FROM vehicles v WHERE exchange_owned.kind = 'vehicle' AND v.id = ANY (ids)
    UNION ALL SELECT d.id FROM drivers d WHERE exchange_owned.kind = 'driver' AND d.id = ANY (ids)
    UNION ALL SELECT t.id FROM dispatch_orders t WHERE exchange_owned.kind = 'order' AND t.id = ANY (ids)
    UNION ALL SELECT a.id FROM alerts a WHERE exchange_owned.kind = 'alert' AND a.id = ANY (ids)
    UNION ALL SELECT c.id FROM cases c WHERE exchange_owned.kind = 'case' AND c.id = ANY (ids)
$$;

CREATE FUNCTION exchange_units(names text[], through text) RETURNS TABLE(unit text, place text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT n, CASE WHEN EXISTS (SELECT FROM organisations o WHERE o.id = n) THEN 'ours'
                   WHEN EXISTS (SELECT FROM exchange_records r WHERE r.kind = 'unit' AND r.id = n AND r.peer = through
                                   AND r.payload IS NOT NULL) THEN 'peer'
                   ELSE 'other' END
      FROM unnest(names) AS n
     WHERE EXISTS (SELECT FROM organisations o WHERE o.id = n) OR EXISTS (SELECT FROM exchange_records r WHERE r.kind = 'unit' AND r.id = n)
$$;

CREATE FUNCTION feed_end() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(max(f.seq), 0) FROM alert_feed f
$$;

CREATE FUNCTION feed_part(after bigint, most integer) RETURNS TABLE(seq bigint, alert_id text, version integer, created_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT f.seq, f.alert_id, f.version, f.created_at FROM alert_feed f WHERE f.seq > after ORDER BY f.seq LIMIT most
$$;

CREATE FUNCTION files_follow_drivers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    moved text[] := (SELECT array_agg(n.id) FROM new_rows n JOIN old_rows o USING (id) WHERE n.organisation <> o.organisation);
BEGIN
    IF moved IS NULL THEN RETURN NULL; END IF;
    UPDATE vehicle_papers p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.driver = n.id;
    UPDATE vehicle_documents p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.driver = n.id;
    RETURN NULL;
END $$;

CREATE FUNCTION files_follow_vehicles() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    moved text[] := (SELECT array_agg(n.id) FROM new_rows n JOIN old_rows o USING (id) WHERE n.organisation <> o.organisation);
BEGIN
    IF moved IS NULL THEN RETURN NULL; END IF;
    UPDATE vehicle_papers p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.vehicle = n.id;
    UPDATE vehicle_documents p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.vehicle = n.id;
    UPDATE maintenances p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.vehicle = n.id;
    RETURN NULL;
END $$;

CREATE FUNCTION hand_over_vehicle(of_act text) RETURNS text
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    UPDATE vehicles v SET organisation = a.to_organisation, updated_at = clock_timestamp() FROM vehicle_acts a
     WHERE a.id = of_act AND a.kind = 'transfer' AND a.state = 'approved' AND unit_in_reach(a.to_organisation) AND v.id = a.vehicle
       AND v.organisation = a.organisation AND v.disposed_on IS NULL AND a.effective_on <= (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date
    RETURNING v.id
$$;

CREATE FUNCTION helped_cases(units text[]) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(array_agg(c.id), '{}') FROM cases c
     WHERE c.number IS NOT NULL AND c.helpers <> '{}' AND c.helpers && units AND c.organisation <> ALL (units)
$$;

CREATE FUNCTION hidden_among(wanted text[], roots text[]) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(array_agg(v.id), '{}') FROM vehicles v
     WHERE v.secret AND v.id = ANY (wanted) AND roots IS NOT NULL AND v.organisation <> ALL (secret_units(roots))
$$;

CREATE FUNCTION hidden_cards() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    plates text[] := hidden_plates();
BEGIN
    IF cardinality(plates) = 0 THEN RETURN '{}'; END IF;
    RETURN (SELECT COALESCE(array_agg(DISTINCT b.card), '{}') FROM card_bindings b WHERE b.plate = ANY (plates));
END $$;

CREATE FUNCTION hidden_ids() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    nos integer[] := hidden_nos();
BEGIN
    IF cardinality(nos) = 0 THEN RETURN '{}'; END IF;
    RETURN (SELECT COALESCE(array_agg(v.id), '{}') FROM vehicles v WHERE v.no = ANY (nos));
END $$;

CREATE FUNCTION hidden_nos() RETURNS integer[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    told text := COALESCE(NULLIF(current_setting('gongche.secrets', true), ''), '{}');
BEGIN
    IF told = '*' OR NOT EXISTS (SELECT FROM vehicles v WHERE v.secret) THEN
        RETURN '{}';
    END IF;
    RETURN (SELECT COALESCE(array_agg(v.no), '{}') FROM vehicles v
             WHERE v.secret AND v.organisation <> ALL (secret_units(told::text[])));
END $$;

CREATE FUNCTION hidden_pattern() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $_$
DECLARE
    nos integer[] := hidden_nos();
BEGIN
    IF cardinality(nos) = 0 THEN RETURN NULL; END IF;
    RETURN (SELECT string_agg(f.part, '|') FROM (
        SELECT regexp_replace(plate, '([][(){}.*+?^$|\\])', '\\\1', 'g') AS part FROM unnest(hidden_plates()) AS p (plate)
        UNION ALL
        SELECT '(?:^|[^0-9A-Za-z_-])(?:' || string_agg(regexp_replace(n.name, '([][(){}.*+?^$|\\])', '\\\1', 'g'), '|') || ')(?:$|[^0-9A-Za-z_-])'
          FROM (SELECT unnest(hidden_ids()) UNION SELECT unnest(hidden_cards())
                UNION SELECT t.phone FROM terminals t WHERE t.no = ANY (hidden_terminals())) AS n (name)
         WHERE length(n.name) >= 4
        UNION ALL SELECT format('"vehicle_no": (?:%s)[,}]', array_to_string(nos, '|'))
        UNION ALL SELECT format('"terminal_no": (?:%s)[,}]', array_to_string(t.nos, '|'))
          FROM (SELECT hidden_terminals() AS nos) t WHERE cardinality(t.nos) > 0) f WHERE f.part IS NOT NULL);
END $_$;

CREATE FUNCTION hidden_plates() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    nos integer[] := hidden_nos();
BEGIN
    IF cardinality(nos) = 0 THEN RETURN '{}'; END IF;
    RETURN (SELECT COALESCE(array_agg(f.plate), '{}') FROM (
        SELECT v.plate FROM vehicles v WHERE v.no = ANY (nos)
        UNION SELECT p.plate FROM vehicle_plates p WHERE p.vehicle_no = ANY (nos)) f WHERE f.plate <> '');
END $$;

CREATE FUNCTION hidden_terminals() RETURNS integer[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    nos integer[] := hidden_nos();
BEGIN
    IF cardinality(nos) = 0 THEN RETURN '{}'; END IF;
    RETURN (SELECT COALESCE(array_agg(DISTINCT b.terminal_no), '{}') FROM terminal_bindings b WHERE b.vehicle_no = ANY (nos));
END $$;

CREATE FUNCTION invoice_is_booked(code text, number text, beside text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM cost_entries e WHERE e.invoice_no = number AND e.invoice_code = code AND number <> '' AND e.reversed_by IS NULL AND e.id <> beside)
$$;

CREATE FUNCTION invoice_is_used(of_shop text, wanted text, but text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM maintenances m WHERE m.shop = of_shop AND m.invoice = wanted AND m.id <> but AND m.state <> 'cancelled')
$$;

CREATE FUNCTION keep_helped_cases() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF (NEW.id, NEW.organisation, NEW.number, NEW.state, NEW.helpers, NEW.source, NEW.level, NEW.title, NEW.vehicle, NEW.external_no,
        NEW.finding, NEW.proposal, NEW.created_at)
       IS DISTINCT FROM (OLD.id, OLD.organisation, OLD.number, OLD.state, OLD.helpers, OLD.source, OLD.level, OLD.title, OLD.vehicle,
        OLD.external_no, OLD.finding, OLD.proposal, OLD.created_at)
       AND current_user = 'gongche_app' AND OLD.organisation <> ALL (reach_units()) THEN
        RAISE EXCEPTION 'a unit that helps does not change the case %', OLD.id USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION known_secrets() RETURNS TABLE(id text, plate text, organisation text, masked text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT v.id, v.plate, v.organisation, masked_id('vehicle', v.id) FROM vehicles v
     WHERE v.secret AND v.no <> ALL (hidden_nos()) AND unit_in_reach(v.organisation)
$$;

CREATE FUNCTION known_users(wanted text[]) RETURNS TABLE(id text, name text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT u.id, u.name FROM users u WHERE u.id = ANY (wanted) AND u.disabled_at IS NULL
$$;

CREATE FUNCTION last_order_unit(wanted text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT o.organisation FROM dispatch_orders o WHERE o.id = wanted AND o.is_newest
$$;

CREATE FUNCTION make_audit_month(wanted date) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    month date := date_trunc('month', wanted)::date;
    name text := 'audit_' || to_char(month, 'YYYYMM');
    starts timestamptz := month::timestamp AT TIME ZONE 'UTC';
    ends timestamptz := (month + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(name) IS NOT NULL OR EXISTS (SELECT FROM audit_default d WHERE d.at >= starts AND d.at < ends) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF audit FOR VALUES FROM (%L) TO (%L)', name, starts, ends);
    EXECUTE format('CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION audit_stands()', name);
    RETURN true;
END $$;

CREATE FUNCTION masked_alert(body jsonb, vehicle text) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
    SELECT body || jsonb_build_object(
        'id', masked_id('alert', body ->> 'id'), 'vehicle', masked_id('vehicle', vehicle), 'plate', '涉密车辆', 'driver', NULL,
        'order', NULL, 'summary', '涉密车辆的预警，内容不予显示', 'summary_en', 'alert of a secret vehicle; its content is not shown',
        'reason_code', NULL, 'measures', '{}'::jsonb, 'parameters', '{}'::jsonb,
        'evidence_hash', secrecy_mac('evidence', body ->> 'evidence_hash'), 'evidence_sm3', NULL, 'withdrawn_by', NULL)
        || CASE WHEN body ->> 'withdrawal_reason' IS NULL THEN '{}'::jsonb ELSE jsonb_build_object(
            'withdrawal_reason', '已撤回，原因不予显示', 'withdrawal_reason_en', 'withdrawn; the reason is not shown') END
$$;

CREATE FUNCTION masked_alerts(rules text, unit text, standing text, since timestamp with time zone, until timestamp with time zone, before timestamp with time zone, behind text, most integer) RETURNS TABLE(id text, detected_at timestamp with time zone, created_at timestamp with time zone, body jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    nos integer[] := hidden_nos();
    ids text[];
BEGIN
    IF cardinality(nos) = 0 THEN RETURN; END IF;
    ids := hidden_ids();
    RETURN QUERY SELECT f.masked, f.detected_at, v.created_at, masked_alert(v.body, f.vehicle) FROM (
        SELECT a.*, masked_id('alert', a.id) AS masked FROM alerts a WHERE a.vehicle = ANY (ids) AND unit_in_reach(a.organisation)
           AND (rules IS NULL OR a.rule = rules) AND (unit IS NULL OR a.organisation = unit) AND (standing IS NULL OR a.status = standing)
           AND (since IS NULL OR a.occurred_to IS NULL OR a.occurred_to >= since) AND (until IS NULL OR a.occurred_from < until)
           AND (before IS NULL OR a.detected_at <= before)) f
      JOIN alert_versions v ON v.alert_id = f.id AND v.version = f.version
     WHERE before IS NULL OR f.detected_at < before OR f.masked > behind
     ORDER BY f.detected_at DESC, f.masked LIMIT most;
END $$;

CREATE TABLE audit (
    no bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    who_kind text NOT NULL,
    who_id text NOT NULL,
    who_name text DEFAULT ''::text NOT NULL,
    roles text DEFAULT ''::text NOT NULL,
    delegated_by text,
    address text DEFAULT ''::text NOT NULL,
    forwarded_for text,
    agent text DEFAULT ''::text NOT NULL,
    operation text NOT NULL,
    action text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text,
    organisation text,
    vehicle text,
    purpose text,
    before jsonb,
    after jsonb,
    detail jsonb,
    CONSTRAINT audit_action_check CHECK ((action = ANY (ARRAY['read'::text, 'write'::text, 'import'::text, 'command'::text])))
)
PARTITION BY RANGE (at);

CREATE FUNCTION masked_audit(who text, done text, kind text, unit text, since timestamp with time zone, until timestamp with time zone, above timestamp with time zone, above_no bigint, below timestamp with time zone, below_no bigint, most integer) RETURNS SETOF audit
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    ids text[] := hidden_ids();
    plates text[] := hidden_plates();
    cards text[] := hidden_cards();
    pattern text := hidden_pattern();
BEGIN
    IF cardinality(ids) = 0 THEN RETURN; END IF;
    RETURN QUERY SELECT a.no, a.at, a.who_kind, a.who_id, a.who_name, a.roles, a.delegated_by, a.address, a.forwarded_for, a.agent,
        a.operation, a.action, a.subject_kind, CASE WHEN a.subject_id IS NOT NULL THEN masked_id(a.subject_kind, a.subject_id) END, a.organisation,
        CASE WHEN a.vehicle IS NOT NULL THEN masked_id('vehicle', a.vehicle) END, NULL::text, NULL::jsonb, NULL::jsonb, NULL::jsonb
      FROM audit a
     WHERE unit_in_reach(a.organisation) AND (who IS NULL OR a.who_id = who) AND (done IS NULL OR a.action = done)
       AND (kind IS NULL OR a.subject_kind = kind) AND (unit IS NULL OR a.organisation = unit)
       AND (since IS NULL OR a.at >= since) AND (until IS NULL OR a.at < until)
       AND (above IS NULL OR (a.at <= above AND (a.at, a.no) < (above, above_no)))
       AND (below IS NULL OR (a.at >= below AND (a.at, a.no) > (below, below_no)))
       AND audit_hidden(a.subject_kind, a.subject_id, a.vehicle,
           concat_ws(' ', a.subject_id, a.purpose, a.before, a.after, a.detail), ids, plates, cards, pattern)
     ORDER BY a.at DESC, a.no DESC LIMIT most;
END $$;

CREATE FUNCTION masked_cases() RETURNS TABLE(id text, organisation text, number text, state text, version integer, source text, level text, vehicle text, finding text, reminders integer, announced boolean, created_at timestamp with time zone, issued_at timestamp with time zone, due_on date, yellow_from date, undetermined boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF cardinality(hidden_nos()) = 0 THEN RETURN; END IF;
    RETURN QUERY SELECT masked_id('case', c.id), c.organisation, c.number, c.state, c.version, c.source, c.level,
        masked_id('vehicle', COALESCE(c.vehicle, c.id)), c.finding, c.reminders, c.announced, c.created_at, c.issued_at, c.due_on, c.yellow_from, c.undetermined
      FROM cases c WHERE unit_in_reach(c.organisation) AND c.id IN (
        SELECT d.id FROM cases d WHERE d.vehicle = ANY (hidden_ids())
        UNION SELECT l.case_id FROM case_links l JOIN alerts a ON a.id = l.ref AND l.kind = 'alert' WHERE a.vehicle = ANY (hidden_ids())
        UNION SELECT l.case_id FROM case_links l JOIN dispatch_orders o ON o.id = l.ref AND l.kind = 'order' WHERE o.vehicle = ANY (hidden_ids())
        UNION SELECT l.case_id FROM case_links l JOIN complaints p ON p.id = l.ref AND l.kind = 'complaint' WHERE p.vehicle = ANY (hidden_ids()));
END $$;

CREATE FUNCTION masked_id(kind text, id text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT 'masked-' || left(secrecy_mac(kind, id), 32)
$$;

CREATE FUNCTION masked_list(rules text, units text[], standing text, how_severe text, since timestamp with time zone, until timestamp with time zone, began_since timestamp with time zone, began_until timestamp with time zone, detected_since timestamp with time zone, detected_until timestamp with time zone, before timestamp with time zone, behind text, most integer) RETURNS TABLE(id text, rule text, organisation text, status text, severity text, occurred_from timestamp with time zone, detected_at timestamp with time zone, created_at timestamp with time zone, body jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION masked_page(rules text, units text[], standing text, how_severe text, since timestamp with time zone, until timestamp with time zone, began_since timestamp with time zone, began_until timestamp with time zone, detected_since timestamp with time zone, detected_until timestamp with time zone, by_event boolean, ascending boolean, place timestamp with time zone, behind text, most integer) RETURNS TABLE(created_at timestamp with time zone, body jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION masked_vehicles(unit text, after text, most integer) RETURNS TABLE(id text, organisation text, updated_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT f.masked, f.organisation, f.updated_at FROM (
        SELECT masked_id('vehicle', v.id) AS masked, v.organisation, v.updated_at FROM vehicles v
         WHERE v.no = ANY (hidden_nos()) AND unit_in_reach(v.organisation) AND (unit IS NULL OR v.organisation = unit)) f
     WHERE after IS NULL OR f.masked > after ORDER BY f.masked LIMIT most
$$;

CREATE FUNCTION masked_versions(ids text[], numbers integer[]) RETURNS TABLE(alert_id text, version integer, body jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    pattern text := hidden_pattern();
BEGIN
    IF cardinality(hidden_nos()) = 0 THEN RETURN; END IF;
    RETURN QUERY SELECT v.alert_id, v.version, masked_alert(v.body, COALESCE(a.vehicle, a.id))
      FROM unnest(ids, numbers) AS k (id, number) JOIN alert_versions v ON v.alert_id = k.id AND v.version = k.number
      JOIN alerts a ON a.id = v.alert_id
     WHERE unit_in_reach(a.organisation) AND (alert_hidden(a.id, hidden_ids(), hidden_plates(), hidden_cards()) OR COALESCE(v.body::text ~ pattern, false));
END $$;

CREATE FUNCTION names_a_secret(said text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $_$
    SELECT EXISTS (
        SELECT FROM vehicles v WHERE v.secret AND (
            said ~ ('(?:^|[^0-9A-Za-z_-])' || regexp_replace(v.id, '([][(){}.*+?^$|\\])', '\\\1', 'g') || '(?:$|[^0-9A-Za-z_-])')
            OR EXISTS (SELECT FROM (SELECT v.plate UNION SELECT p.plate FROM vehicle_plates p WHERE p.vehicle_no = v.no) h
                        WHERE h.plate <> '' AND strpos(upper(regexp_replace(said, '[[:space:]·•.．-]', '', 'g')), upper(h.plate)) > 0)))
$_$;

CREATE FUNCTION note_alert_news() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO case_alert_news (case_id) SELECT l.case_id FROM case_links l WHERE l.ref = NEW.id AND l.kind = 'alert';
    RETURN NULL;
END $$;

CREATE FUNCTION note_alert_version() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    NEW.alert_version := (SELECT a.version FROM alerts a WHERE a.id = NEW.ref);
    RETURN NEW;
END $$;

CREATE FUNCTION note_case_states() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM set_case_states((SELECT array_agg(DISTINCT l.ref) FROM new_rows n JOIN old_rows o USING (id)
        JOIN case_links l ON l.case_id = n.id AND l.kind = 'alert' WHERE n.state <> o.state));
    RETURN NULL;
END $$;

CREATE FUNCTION note_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $_$
DECLARE
    content text := COALESCE(TG_ARGV[5], 'to_jsonb(r) - ''updated_at''');
    other text := 'SELECT r.* FROM %I r WHERE NOT EXISTS'
        ' (SELECT FROM (SELECT %s AS content FROM %I r) AS b WHERE b.content = %s)';
    subject_field text;
    since_field text;
    vehicle_field text;
    organisation_field text;
    changed text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        subject_field := changed_field(TG_ARGV[1]);
        since_field := changed_field(TG_ARGV[2]);
        vehicle_field := changed_field(TG_ARGV[3]);
        organisation_field := changed_field(TG_ARGV[4]);
        IF subject_field IS NOT NULL AND since_field IS NOT NULL AND vehicle_field IS NOT NULL AND organisation_field IS NOT NULL THEN
            INSERT INTO changes (commit_id, kind, subject, vehicle_no, organisation, from_time)
            SELECT change_commit(), TG_ARGV[0], f.subject, f.vehicle_no, f.organisation, COALESCE(min(f.since), 'epoch')
              FROM (SELECT c.r ->> subject_field AS subject, (c.r ->> since_field)::timestamptz AS since,
                           (c.r ->> vehicle_field)::integer AS vehicle_no, c.r ->> organisation_field AS organisation
                      FROM (SELECT to_jsonb(n) AS r FROM new_rows n) AS c) AS f
             GROUP BY f.subject, f.vehicle_no, f.organisation ORDER BY f.subject, f.vehicle_no, f.organisation;
            RETURN NULL;
        END IF;
        changed := 'SELECT * FROM new_rows';
    ELSIF TG_OP = 'UPDATE' THEN
        changed := format(other, 'old_rows', content, 'new_rows', content) || ' UNION ALL '
            || format(other, 'new_rows', content, 'old_rows', content);
    ELSE
        changed := 'SELECT * FROM old_rows';
    END IF;
    EXECUTE format(
        'INSERT INTO changes (commit_id, kind, subject, vehicle_no, organisation, from_time)'
        ' SELECT change_commit(), $1, subject, vehicle_no, organisation, COALESCE(min(since), ''epoch'') FROM (SELECT'
        ' %s AS subject, %s AS since, %s AS vehicle_no, %s AS organisation FROM (%s) AS r) AS found'
        ' GROUP BY subject, vehicle_no, organisation ORDER BY subject, vehicle_no, organisation',
        TG_ARGV[1], COALESCE(NULLIF(TG_ARGV[2], ''), 'timestamptz ''epoch'''), COALESCE(NULLIF(TG_ARGV[3], ''), 'NULL::integer'),
        COALESCE(NULLIF(TG_ARGV[4], ''), 'NULL::text'), changed) USING TG_ARGV[0];
    RETURN NULL;
END $_$;

CREATE FUNCTION note_clock_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $_$
BEGIN
    EXECUTE format(
        'INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)'
        ' SELECT change_commit(), ''terminal_binding'', t.phone, b.vehicle_no,'
        ' min(GREATEST(%1$s - make_interval(secs => abs(%2$s)) - interval ''1 day'', ''epoch''))'
        ' FROM %3$s r JOIN terminals t ON t.no = r.terminal_no JOIN terminal_bindings b ON b.terminal_no = r.terminal_no'
        ' GROUP BY t.phone, b.vehicle_no ORDER BY t.phone, b.vehicle_no',
        TG_ARGV[0], TG_ARGV[1], CASE TG_OP WHEN 'DELETE' THEN 'old_rows' ELSE 'new_rows' END);
    IF TG_OP = 'UPDATE' THEN
        EXECUTE format(
            'INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)'
            ' SELECT change_commit(), ''terminal_binding'', t.phone, b.vehicle_no,'
            ' min(GREATEST(%1$s - make_interval(secs => abs(%2$s)) - interval ''1 day'', ''epoch''))'
            ' FROM old_rows r JOIN terminals t ON t.no = r.terminal_no JOIN terminal_bindings b ON b.terminal_no = r.terminal_no'
            ' GROUP BY t.phone, b.vehicle_no ORDER BY t.phone, b.vehicle_no', TG_ARGV[0], TG_ARGV[1]);
    END IF;
    RETURN NULL;
END $_$;

CREATE FUNCTION note_findings() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM set_case_states((SELECT array_agg(DISTINCT alert_id) FROM new_rows));
    RETURN NULL;
END $$;

CREATE FUNCTION note_linked_alerts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM set_case_states((SELECT array_agg(DISTINCT ref) FROM old_rows WHERE kind = 'alert'));
    ELSE
        PERFORM set_case_states((SELECT array_agg(DISTINCT ref) FROM new_rows WHERE kind = 'alert'));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION note_order_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)
    SELECT change_commit(), 'order', found.id, found.no, found.since FROM (
        WITH versions AS (
            SELECT id, vehicle, LEAST(planned_departure, actual_departure) AS since FROM new_rows
            UNION ALL
            SELECT o.id, o.vehicle, LEAST(o.planned_departure, o.actual_departure) FROM new_rows n CROSS JOIN LATERAL
                ((SELECT id, vehicle, planned_departure, actual_departure FROM dispatch_orders p
                   WHERE p.id = n.id AND p.version < n.version ORDER BY p.version DESC LIMIT 1)
                 UNION ALL
                 (SELECT id, vehicle, planned_departure, actual_departure FROM dispatch_orders p
                   WHERE p.id = n.id AND p.version < n.version AND p.counts ORDER BY p.version DESC LIMIT 1)) o)
        SELECT DISTINCT versions.id, v.no, earliest.since FROM versions
          JOIN (SELECT id, min(since) AS since FROM versions GROUP BY id) AS earliest ON earliest.id = versions.id
          JOIN vehicles v ON v.id = versions.vehicle
         ORDER BY versions.id, v.no) AS found;
    RETURN NULL;
END $$;

CREATE FUNCTION note_quarantine_ended() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO quarantine_ended SELECT o.id, o.terminal_no, o.set_aside_at, clock_timestamp() FROM old_rows o
        ON CONFLICT (id) DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION note_quarantine_parted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO quarantine_ended
        SELECT nextval(pg_get_serial_sequence('quarantine', 'id')), o.terminal_no, o.set_aside_at, clock_timestamp()
          FROM old_rows o JOIN new_rows n USING (id) WHERE o.terminal_no IS DISTINCT FROM n.terminal_no;
    RETURN NULL;
END $$;

CREATE FUNCTION note_result_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)
    SELECT change_commit(), 'result', order_id, vehicle_no, COALESCE(returned_at, 'epoch') FROM new_rows
     WHERE state = 'settled' ORDER BY order_id;
    RETURN NULL;
END $$;

CREATE FUNCTION note_unit_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO changes (commit_id, kind, subject, organisation, from_time)
    SELECT change_commit(), 'parameter', p.rule || '.' || p.name, n.id, min(p.effective_from)
      FROM new_rows n JOIN old_rows o ON o.id = n.id AND o.parent IS DISTINCT FROM n.parent
      JOIN rule_parameters p ON p.organisation IS NOT NULL AND p.organisation <> n.id
     GROUP BY n.id, p.rule, p.name ORDER BY n.id, p.rule, p.name;
    RETURN NULL;
END $$;

CREATE FUNCTION notice_receipt_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.confirmed_at IS NOT NULL OR (to_jsonb(OLD) - 'confirmed_at') IS DISTINCT FROM (to_jsonb(NEW) - 'confirmed_at') THEN
        RAISE EXCEPTION 'receipts are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION notice_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.withdrawn_at IS NOT NULL
       OR (to_jsonb(OLD) - '{withdrawn_at,withdrawn_by,withdrawn_by_name,withdraw_reason}'::text[])
          IS DISTINCT FROM (to_jsonb(NEW) - '{withdrawn_at,withdrawn_by,withdrawn_by_name,withdraw_reason}'::text[]) THEN
        RAISE EXCEPTION 'notices are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION number_change_commit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7453297298901395299);  -- "gongregc", registry.changes.hold_changes
    UPDATE change_commits SET number = nextval('change_numbers'), noted_at = clock_timestamp() WHERE id = NEW.id;
    RETURN NULL;
END $$;

CREATE FUNCTION order_hidden(wanted text, ids text[]) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM dispatch_orders o WHERE (o.id = wanted OR o.part_of = wanted) AND (o.vehicle = ANY (ids)
        OR EXISTS (SELECT FROM jsonb_array_elements(o.exchanges) e WHERE e ->> 'vehicle' = ANY (ids))))
$$;

CREATE FUNCTION parties_of_statements(wanted text[]) RETURNS TABLE(id text, organisation_name text, platform_name text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT s.id, u.name, p.name FROM cost_statements s LEFT JOIN organisations u ON u.id = s.organisation LEFT JOIN organisations p ON p.id = s.platform
     WHERE s.id = ANY (wanted)
$$;

CREATE FUNCTION queue_messages() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO message_fanout (message_id) SELECT id FROM new_rows;
    PERFORM pg_notify('gongche_messages', '');
    RETURN NULL;
END $$;

CREATE FUNCTION reach_above() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN (WITH RECURSIVE above AS (
        SELECT o.parent FROM organisations o WHERE o.id = ANY (reach_roots())
        UNION SELECT o.parent FROM above a JOIN organisations o ON o.id = a.parent)
    SELECT COALESCE(array_agg(a.parent), '{}') FROM above a WHERE a.parent IS NOT NULL);
END $$;

CREATE FUNCTION reach_home() RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname IN ('gongche_everywhere', 'gongche_cleared')
        AND pg_has_role(current_user, r.oid, 'USAGE')) THEN NULL ELSE (reach_roots())[1] END
$$;

CREATE FUNCTION reach_roots() RETURNS text[]
    LANGUAGE sql STABLE
    AS $$
    SELECT COALESCE(NULLIF(current_setting('gongche.reach', true), ''), '{}')::text[]
$$;

CREATE FUNCTION reach_units() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN (WITH RECURSIVE below AS (
        SELECT o.id FROM organisations o WHERE o.id = ANY (reach_roots())
        UNION SELECT o.id FROM below b JOIN organisations o ON o.parent = b.id)
    SELECT COALESCE(array_agg(b.id), '{}') FROM below b);
END $$;

CREATE FUNCTION rebind_terminal_reports() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO terminal_report_rebinds (terminal_no) SELECT DISTINCT c.terminal_no FROM changed_rows c;
    RETURN NULL;
END $$;

CREATE FUNCTION reconcilable_entries(units text[], since text, until text) RETURNS TABLE(id text, organisation text, entry_no text, invoice_no text, kind text, budget_class text, vendor text, amount_fen bigint, period text, occurred_on date, reverses text, secret boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT e.id, e.organisation, e.entry_no, e.invoice_no, e.kind, e.budget_class, e.vendor, e.amount_fen, e.period, e.occurred_on, e.reverses,
           COALESCE(v.secret, false)
      FROM cost_entries e LEFT JOIN vehicles v ON v.id = e.vehicle
     WHERE e.organisation IN (SELECT unnest(assessed_units(units))) AND e.payer = 'unit'
       AND e.period BETWEEN reconcilable_entries.since AND reconcilable_entries.until
$$;

CREATE FUNCTION reconcilable_statements(units text[], since text, until text) RETURNS TABLE(id text, number text, organisation text, platform text, platform_name text, period text, state text, total_fen bigint, settled_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT s.id, s.number, s.organisation, s.platform, COALESCE(o.name, s.platform), s.period, s.state, s.total_fen, COALESCE(s.confirmed_at, s.drawn_at)
      FROM cost_statements s LEFT JOIN organisations o ON o.id = s.platform
     WHERE s.organisation IN (SELECT unnest(assessed_units(units))) AND s.organisation <> s.platform AND s.state <> 'void' AND s.total_fen <> 0
       AND s.period BETWEEN reconcilable_statements.since AND reconcilable_statements.until
$$;

CREATE FUNCTION reconciliation_line_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(OLD) - '{standing,act}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{standing,act}'::text[] THEN
        RAISE EXCEPTION 'what a reconciliation found is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION refuse_change_of_answers() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME;
END $$;

CREATE FUNCTION refuse_change_of_published() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF OLD.valid_from IS NOT NULL THEN
        RAISE EXCEPTION 'a published scoring table is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE FUNCTION rental_report_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR EXISTS (
        SELECT FROM jsonb_each(to_jsonb(OLD)) o JOIN jsonb_each(to_jsonb(NEW)) n USING (key)
         WHERE o.value IS DISTINCT FROM n.value AND o.value <> 'null'::jsonb AND key NOT IN ('state', 'version')) THEN
        RAISE EXCEPTION 'rental reports are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION scope_table(place regclass, privileges text, seen text DEFAULT 'organisation = ANY ((SELECT reach_units())::text[])'::text, written text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', place);
    EXECUTE format('GRANT %s ON %s TO gongche_app', privileges, place);
    EXECUTE format('CREATE POLICY everywhere ON %s TO gongche_everywhere USING (true) WITH CHECK (true)', place);
    PERFORM cleared_table(place);
    IF written IS NULL THEN
        EXECUTE format('CREATE POLICY reach ON %s TO gongche_app USING (%s) WITH CHECK (%s)', place, seen, seen);
    ELSE
        EXECUTE format('CREATE POLICY reach ON %s FOR SELECT TO gongche_app USING (%s)', place, seen);
        EXECUTE format('CREATE POLICY reach_insert ON %s FOR INSERT TO gongche_app WITH CHECK (%s)', place, written);
        EXECUTE format('CREATE POLICY reach_update ON %s FOR UPDATE TO gongche_app USING (%s) WITH CHECK (%s)', place, written, written);
        EXECUTE format('CREATE POLICY reach_delete ON %s FOR DELETE TO gongche_app USING (%s)', place, written);
    END IF;
    PERFORM secret_table(place);
END $$;

CREATE FUNCTION seal_note_alerts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'alerts', json_build_array(n.alert_id, n.version)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_attachments() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'attachments', json_build_array(n.id)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_audit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'audit', json_build_array(n.no, (extract(epoch FROM n.at) * 1000000)::bigint)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_caller_reads() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'caller_reads', json_build_array(n.id)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_case_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'case_events', json_build_array(n.case_id, n.version)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_cost_entries() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'cost_entries', json_build_array(n.entry, n.version)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_dispositions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'dispositions', json_build_array(n.no)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_evaluations() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'evaluations', json_build_array(n.id, (extract(epoch FROM n.evaluated_at) * 1000000)::bigint)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_evidence() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'evidence', json_build_array(encode(n.sha256, 'hex'), n.month)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_feed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'feed', json_build_array(n.seq)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_labels() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'labels', json_build_array(n.id)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_positions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'positions', json_build_array(encode(n.sha256, 'hex'))::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_quarantine() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'quarantine', json_build_array(n.id)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_receipts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'receipts', json_build_array(n.alert_id, n.version, n.subject_kind, n.subject_id)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_reconciliation_acts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'reconciliation_acts', json_build_array(n.reconciliation, n.version)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_reconciliations() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'reconciliations', json_build_array(n.id)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_statements() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'statements', json_build_array(n.statement, n.version)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_trip_dispatches() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'trip_dispatches', json_build_array(n.paper, n.version)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_note_trip_requests() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$BEGIN INSERT INTO seal_pending (stream, key) SELECT 'trip_requests', json_build_array(n.paper, n.version)::text FROM new_rows n; RETURN NULL; END$$;

CREATE FUNCTION seal_proofs(wanted_stream text, wanted text[]) RETURNS TABLE(key text, number bigint, place bigint, header text, sha256s bytea, sm3s bytea, key_id text, signature bytea)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT k.key, b.number, k.place - 1, b.header, b.sha256s, b.sm3s, b.key_id, b.signature
      FROM seal_blocks b CROSS JOIN LATERAL unnest(b.keys) WITH ORDINALITY AS k (key, place)
     WHERE b.stream = wanted_stream AND b.keys && wanted AND k.key = ANY (wanted) ORDER BY b.number, k.place
$$;

CREATE FUNCTION seal_public_keys() RETURNS TABLE(id text, public bytea, previous text, signature bytea)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT k.id, k.public, k.previous, k.signature FROM seal_keys k ORDER BY k.created_at, k.id
$$;

CREATE FUNCTION seal_refuses() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION seal_table(place regclass, stream text, key text, ordered text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format(
        'CREATE FUNCTION seal_note_%s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = %I, pg_temp AS %L',
        stream, current_schema(), format(
        'BEGIN INSERT INTO seal_pending (stream, key) SELECT %L, json_build_array(%s)::text FROM new_rows n; RETURN NULL; END',
        stream, key));
    EXECUTE format('CREATE TRIGGER seal_note AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT'
        ' EXECUTE FUNCTION seal_note_%s()', place, stream);
    EXECUTE format('INSERT INTO seal_pending (stream, key) SELECT %L, json_build_array(%s)::text FROM %s n ORDER BY %s',
        stream, key, place, ordered);
END $$;

CREATE FUNCTION secrecy_mac(kind text, id text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(kind || E'\n' || id, 'UTF8'))), 'hex') FROM secrecy_key k
$$;

CREATE FUNCTION secret_among(asked text[], first date, last date) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT count(*) FROM vehicles v WHERE v.secret AND v.organisation = ANY (asked) AND unit_in_reach(v.organisation) AND v.ownership = 'owned'
       AND (v.registered_on IS NULL OR v.registered_on <= last) AND (v.disposed_on IS NULL OR v.disposed_on > first)
$$;

CREATE FUNCTION secret_table(place regclass, open text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    AS $_$
DECLARE
    conditions text[] := '{}';
    condition text;
    of_column text;
BEGIN
    IF open IS NULL THEN
        FOR of_column, condition IN SELECT * FROM (VALUES
            ('vehicle', '%1$s IS NULL OR %1$s <> ALL ((SELECT hidden_ids())::text[])'),
            ('vehicle_no', '%1$s IS NULL OR %1$s <> ALL ((SELECT hidden_nos())::integer[])'),
            ('plate', '%1$s IS NULL OR %1$s <> ALL ((SELECT hidden_plates())::text[])'),
            ('card', '%1$s IS NULL OR %1$s <> ALL ((SELECT hidden_cards())::text[])'),
            ('order_id', '%1$s IS NULL OR cardinality((SELECT hidden_nos())::integer[]) = 0 OR NOT order_hidden(%1$s, (SELECT hidden_ids())::text[])'),
            ('alert_id', '%1$s IS NULL OR cardinality((SELECT hidden_nos())::integer[]) = 0 OR NOT alert_hidden(%1$s, (SELECT hidden_ids())::text[], (SELECT hidden_plates())::text[], (SELECT hidden_cards())::text[])'),
            ('case_id', '%1$s IS NULL OR cardinality((SELECT hidden_nos())::integer[]) = 0 OR NOT case_hidden(%1$s, (SELECT hidden_ids())::text[], (SELECT hidden_plates())::text[], (SELECT hidden_cards())::text[])')) AS known
        LOOP
            IF EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = place AND a.attname = of_column AND NOT a.attisdropped) THEN
                conditions := conditions || ('(' || format(condition, of_column) || ')');
            END IF;
        END LOOP;
        IF cardinality(conditions) = 0 THEN RETURN; END IF;
        open := array_to_string(conditions, ' AND ');
    END IF;
    EXECUTE format('DROP POLICY IF EXISTS secret ON %s', place);
    EXECUTE format('CREATE POLICY secret ON %s AS RESTRICTIVE TO gongche_app USING (%s) WITH CHECK (%s)', place, open, open);
END $_$;

CREATE FUNCTION secret_units(roots text[]) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    WITH RECURSIVE below AS (
        SELECT id FROM organisations WHERE id = ANY (roots)
        UNION SELECT o.id FROM below b JOIN organisations o ON o.parent = b.id)
    SELECT COALESCE(array_agg(id), '{}') FROM below
$$;

CREATE FUNCTION set_case_states(wanted text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM FROM alerts WHERE id = ANY (wanted) ORDER BY id FOR NO KEY UPDATE;
    UPDATE alerts a SET case_state = n.state, finding = n.finding
      FROM (SELECT w.id,
                   COALESCE((SELECT c.state FROM case_links l JOIN cases c ON c.id = l.case_id
                              WHERE l.kind = 'alert' AND l.ref = w.id
                              ORDER BY l.open DESC, c.created_at DESC, c.id DESC LIMIT 1), 'none') AS state,
                   COALESCE((SELECT l.finding FROM alert_labels l JOIN cases c ON c.id = l.case_id AND c.state = 'closed'
                              WHERE l.alert_id = w.id AND NOT EXISTS (SELECT FROM case_links k
                                    WHERE k.case_id = l.case_id AND k.kind = 'alert' AND k.ref = l.alert_id AND k.doubted)
                              ORDER BY l.id DESC LIMIT 1), 'none') AS finding
              FROM unnest(wanted) AS w (id)) n
     WHERE a.id = n.id AND (a.case_state, a.finding) IS DISTINCT FROM (n.state, n.finding);
END $$;

CREATE FUNCTION statement_digest(wanted text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT encode(sha256(convert_to(COALESCE(string_agg(jsonb_build_array(l.no, l.kind, l.dispatch_id, l.request_id, l.corrects, l.amount_fen, l.cost_centre,
        l.body)::text, E'\n' ORDER BY l.no), ''), 'UTF8')), 'hex') FROM cost_statement_lines l WHERE l.statement = wanted
$$;

CREATE FUNCTION statement_line_stands() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.kind <> 'trip' AND to_jsonb(OLD) - 'statement' = to_jsonb(NEW) - 'statement'
       AND (OLD.statement IS NULL OR (NEW.statement IS NULL AND EXISTS (SELECT FROM cost_statements s WHERE s.id = OLD.statement AND s.state = 'void'))) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'lines of statements are never changed' USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION supersede_dispatch_order() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE dispatch_orders SET is_newest = false, is_current = is_current AND NOT NEW.counts
     WHERE id = NEW.id AND version < NEW.version AND (is_newest OR is_current AND NEW.counts);
    NEW.is_newest := NOT EXISTS (SELECT FROM dispatch_orders WHERE id = NEW.id AND version > NEW.version);
    NEW.is_current := NEW.counts
        AND NOT EXISTS (SELECT FROM dispatch_orders WHERE id = NEW.id AND version > NEW.version AND counts);
    RETURN NEW;
END $$;

CREATE FUNCTION tariff_holds(platform text, on_day date) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM tariffs t WHERE t.organisation = platform AND t.valid_from <= on_day)
$$;

CREATE FUNCTION tariff_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.valid_from IS NOT NULL OR (OLD.organisation, OLD.version, OLD.body, OLD.made_by, OLD.made_by_name, OLD.made_at)
       IS DISTINCT FROM (NEW.organisation, NEW.version, NEW.body, NEW.made_by, NEW.made_by_name, NEW.made_at) THEN
        RAISE EXCEPTION 'versions of tariffs are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION terminal_homes_of_bindings() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE terminals t SET home = v.organisation
          FROM (SELECT DISTINCT ON (terminal_no) terminal_no, vehicle_no FROM old_rows ORDER BY terminal_no, valid_from DESC) o
          JOIN vehicles v ON v.no = o.vehicle_no WHERE t.no = o.terminal_no AND t.home IS DISTINCT FROM v.organisation;
    ELSE
        UPDATE terminals t SET home = v.organisation
          FROM (SELECT DISTINCT ON (b.terminal_no) b.terminal_no, b.vehicle_no FROM terminal_bindings b
                 WHERE b.terminal_no IN (SELECT terminal_no FROM new_rows) ORDER BY b.terminal_no, b.valid_from DESC) o
          JOIN vehicles v ON v.no = o.vehicle_no WHERE t.no = o.terminal_no AND t.home IS DISTINCT FROM v.organisation;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION terminal_homes_of_vehicles() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    UPDATE terminals t SET home = n.organisation
      FROM new_rows n JOIN old_rows o USING (no) JOIN terminal_bindings b ON b.vehicle_no = n.no
     WHERE n.organisation <> o.organisation AND t.no = b.terminal_no AND NOT EXISTS (
           SELECT FROM terminal_bindings l WHERE l.terminal_no = b.terminal_no AND l.valid_from > b.valid_from);
    RETURN NULL;
END $$;

CREATE FUNCTION terminal_in_reach(wanted integer) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM terminals t WHERE t.no = wanted AND t.home = ANY (reach_units()))
$$;

CREATE FUNCTION unit_in_reach(unit text) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT COALESCE(current_setting('role') IN ('gongche_everywhere', 'gongche_cleared') OR unit = ANY (reach_units()), false)
$$;

CREATE FUNCTION unit_is_known(wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM organisations o WHERE o.id = wanted)
$$;

CREATE FUNCTION unit_is_reached(unit text) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT current_user <> 'gongche_app' OR unit = ANY (reach_units())
$$;

CREATE FUNCTION unit_is_registered(wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM organisations o WHERE o.id = wanted)
$$;

CREATE FUNCTION units_in_reach(units text[]) RETURNS text[]
    LANGUAGE sql STABLE
    AS $$
    SELECT CASE WHEN units IS NULL THEN reach_units()
                ELSE (SELECT COALESCE(array_agg(u), '{}') FROM unnest(units) AS n (u) WHERE u IN (SELECT unnest(reach_units()))) END
$$;

CREATE FUNCTION user_of_driver(wanted text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT a.user_id FROM driver_accounts a WHERE a.driver = wanted
$$;

CREATE FUNCTION vehicle_document_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (OLD.id, OLD.vehicle, OLD.driver, OLD.paper, OLD.maintenance, OLD.kind, OLD.name, OLD.media_type, OLD.size, OLD.sha256,
        OLD.received_sha256, OLD.uploaded_at, OLD.uploaded_by, OLD.uploaded_by_name, OLD.body) IS DISTINCT FROM
       (NEW.id, NEW.vehicle, NEW.driver, NEW.paper, NEW.maintenance, NEW.kind, NEW.name, NEW.media_type, NEW.size, NEW.sha256,
        NEW.received_sha256, NEW.uploaded_at, NEW.uploaded_by, NEW.uploaded_by_name, NEW.body) THEN
        RAISE EXCEPTION 'files of vehicles are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION vehicle_in_shop(wanted text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT min(m.number) FROM maintenances m WHERE m.vehicle = wanted AND m.in_shop
$$;

CREATE FUNCTION vehicle_is_known(wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM vehicles v WHERE v.id = wanted)
$$;

CREATE FUNCTION vehicle_is_sent(wanted text) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(array_agg(f.number ORDER BY f.number), '{}') FROM (
        SELECT d.number FROM trip_dispatches d WHERE d.vehicle = wanted AND d.holds
        UNION SELECT o.id FROM dispatch_orders o WHERE o.vehicle = wanted AND o.is_current AND (o.status = 'departed' OR o.status = 'approved'
            AND GREATEST(o.planned_return, o.extended_return) > clock_timestamp()) AND NOT EXISTS (SELECT FROM trip_dispatches d WHERE d.id = o.id)
        LIMIT 20) f
$$;

CREATE FUNCTION vehicle_of_plate(wanted text, moment timestamp with time zone) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(
        (SELECT vehicle_no FROM vehicle_plates WHERE plate = wanted
          ORDER BY valid_from <= moment AND (valid_to IS NULL OR moment < valid_to) DESC,
                   CASE WHEN moment < valid_from THEN valid_from - moment ELSE moment - COALESCE(valid_to, moment) END LIMIT 1),
        (SELECT no FROM vehicles WHERE plate = wanted ORDER BY id LIMIT 1))
$$;

CREATE FUNCTION vehicle_paper_stands() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (to_jsonb(OLD) - '{organisation,voided_at,voided_by,voided_by_name,void_reason,told,look_on}'::text[])
       IS DISTINCT FROM (to_jsonb(NEW) - '{organisation,voided_at,voided_by,voided_by_name,void_reason,told,look_on}'::text[])
       OR (OLD.voided_at IS NOT NULL AND (OLD.voided_at, OLD.voided_by, OLD.void_reason) IS DISTINCT FROM (NEW.voided_at, NEW.voided_by, NEW.void_reason)) THEN
        RAISE EXCEPTION 'papers of vehicles are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION vin_is_taken(wanted text, but text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM vehicle_particulars p WHERE p.vin = wanted AND p.vehicle <> but)
$$;

CREATE FUNCTION within_reach(asked text[]) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT COALESCE(array_agg(u.unit ORDER BY u.unit), '{}') FROM unnest(asked) AS u (unit) WHERE unit_in_reach(u.unit)
$$;

CREATE TABLE alert_dispositions (
    no bigint NOT NULL,
    alert_id text NOT NULL,
    id text NOT NULL,
    organisation text NOT NULL,
    version integer NOT NULL,
    code text NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    decided_by text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    subject_name text NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT alert_dispositions_decided_by_check CHECK (((length(decided_by) >= 1) AND (length(decided_by) <= 200))),
    CONSTRAINT alert_dispositions_id_check CHECK (((length(id) >= 1) AND (length(id) <= 64))),
    CONSTRAINT alert_dispositions_note_check CHECK ((length(note) <= 2000))
);

ALTER TABLE alert_dispositions ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME alert_dispositions_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE alert_feed (
    seq bigint NOT NULL,
    alert_id text NOT NULL,
    version integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE SEQUENCE alert_feed_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE alert_labels (
    id bigint NOT NULL,
    alert_id text NOT NULL,
    case_id text NOT NULL,
    organisation text NOT NULL,
    finding text NOT NULL,
    cause text,
    person text NOT NULL,
    at timestamp with time zone NOT NULL
);

ALTER TABLE alert_labels ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME alert_labels_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE alert_reads (
    reader text NOT NULL,
    alert text NOT NULL,
    version integer NOT NULL,
    read_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT alert_reads_version_check CHECK ((version > 0))
);

COMMENT ON TABLE alert_reads IS 'Which version of an alert a person has read; of each person his own rows only.';

CREATE TABLE alert_receipts (
    alert_id text NOT NULL,
    version integer NOT NULL,
    organisation text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    subject_name text NOT NULL,
    received_by text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT alert_receipts_received_by_check CHECK (((length(received_by) >= 1) AND (length(received_by) <= 200)))
);

CREATE TABLE alert_versions (
    alert_id text NOT NULL,
    version integer NOT NULL,
    body jsonb NOT NULL,
    evidence_sha256 bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE alerts (
    id text NOT NULL,
    rule text NOT NULL,
    subject text NOT NULL,
    vehicle_no integer,
    version integer NOT NULL,
    status text NOT NULL,
    severity text NOT NULL,
    organisation text NOT NULL,
    vehicle text,
    plate text DEFAULT ''::text NOT NULL,
    driver text,
    order_id text,
    occurred_from timestamp with time zone NOT NULL,
    occurred_to timestamp with time zone,
    detected_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    card text,
    case_state text DEFAULT 'none'::text NOT NULL,
    finding text DEFAULT 'none'::text NOT NULL,
    CONSTRAINT alerts_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text]))),
    CONSTRAINT alerts_status_check CHECK ((status = ANY (ARRAY['suspected'::text, 'withdrawn'::text])))
);

COMMENT ON COLUMN alerts.card IS 'fuel_cards.id of alerts of card_binding and refuel_frequency; null = of no card.';

COMMENT ON COLUMN alerts.case_state IS 'State of its open case, else of its newest one; none = it was never in a case. Kept by triggers of cases and case_links.';

COMMENT ON COLUMN alerts.finding IS 'Its newest label of a closed case; none = it has none. Kept by triggers of alert_labels and cases.';

CREATE TABLE api_tokens (
    id text NOT NULL,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    organisation text,
    CONSTRAINT api_tokens_sha256_check CHECK ((octet_length(sha256) = 32))
);

COMMENT ON COLUMN api_tokens.organisation IS 'organisations.id: where the token holds, and below it; null = everywhere.';

CREATE TABLE approval_tables (
    organisation text NOT NULL,
    version integer NOT NULL,
    body jsonb NOT NULL,
    made_by text NOT NULL,
    made_by_name text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    active_from timestamp with time zone,
    active_to timestamp with time zone,
    CONSTRAINT approval_tables_version_check CHECK ((version > 0))
);

CREATE TABLE assessment_decisions (
    dispute_id text NOT NULL,
    organisation text NOT NULL,
    upheld boolean NOT NULL,
    reason text NOT NULL,
    decided_by text[] NOT NULL,
    decided_name text NOT NULL,
    decided_at timestamp with time zone NOT NULL
);

CREATE TABLE assessment_disputes (
    id text NOT NULL,
    organisation text NOT NULL,
    period text NOT NULL,
    number text NOT NULL,
    case_version integer NOT NULL,
    item text NOT NULL,
    fact text NOT NULL,
    reason text NOT NULL,
    raised_by text[] NOT NULL,
    raised_name text NOT NULL,
    raised_at timestamp with time zone NOT NULL
);

CREATE TABLE assessment_sheets (
    organisation text NOT NULL,
    period text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    score integer NOT NULL,
    body jsonb NOT NULL,
    closed_by text[] NOT NULL,
    closed_name text NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    CONSTRAINT assessment_sheets_period_check CHECK ((period ~ '^20[2-9][0-9](Q[1-4])?$'::text))
);

CREATE TABLE assessment_tables (
    organisation text NOT NULL,
    year integer NOT NULL,
    version integer NOT NULL,
    revision integer NOT NULL,
    valid_from date,
    body jsonb NOT NULL,
    drafted_by text[] NOT NULL,
    drafted_at timestamp with time zone NOT NULL,
    published_by text[],
    published_at timestamp with time zone,
    CONSTRAINT assessment_tables_check CHECK ((((valid_from IS NULL) = (published_by IS NULL)) AND ((valid_from IS NULL) = (published_at IS NULL)))),
    CONSTRAINT assessment_tables_check1 CHECK (((valid_from IS NULL) OR (EXTRACT(year FROM valid_from) = (year)::numeric))),
    CONSTRAINT assessment_tables_revision_check CHECK ((revision > 0)),
    CONSTRAINT assessment_tables_version_check CHECK ((version > 0)),
    CONSTRAINT assessment_tables_year_check CHECK (((year >= 2020) AND (year <= 2099)))
);

CREATE TABLE audit_default (
    no bigint CONSTRAINT audit_no_not_null NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() CONSTRAINT audit_at_not_null NOT NULL,
    who_kind text CONSTRAINT audit_who_kind_not_null NOT NULL,
    who_id text CONSTRAINT audit_who_id_not_null NOT NULL,
    who_name text DEFAULT ''::text CONSTRAINT audit_who_name_not_null NOT NULL,
    roles text DEFAULT ''::text CONSTRAINT audit_roles_not_null NOT NULL,
    delegated_by text,
    address text DEFAULT ''::text CONSTRAINT audit_address_not_null NOT NULL,
    forwarded_for text,
    agent text DEFAULT ''::text CONSTRAINT audit_agent_not_null NOT NULL,
    operation text CONSTRAINT audit_operation_not_null NOT NULL,
    action text CONSTRAINT audit_action_not_null NOT NULL,
    subject_kind text CONSTRAINT audit_subject_kind_not_null NOT NULL,
    subject_id text,
    organisation text,
    vehicle text,
    purpose text,
    before jsonb,
    after jsonb,
    detail jsonb,
    CONSTRAINT audit_action_check CHECK ((action = ANY (ARRAY['read'::text, 'write'::text, 'import'::text, 'command'::text])))
);

ALTER TABLE audit ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME audit_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE backtest_counts (
    backtest bigint NOT NULL,
    organisation text,
    vehicle text,
    kind text NOT NULL,
    finding text DEFAULT ''::text NOT NULL,
    subjects integer NOT NULL,
    CONSTRAINT backtest_counts_kind_check CHECK ((kind = ANY (ARRAY['raised'::text, 'withdrawn'::text, 'changed'::text, 'unchanged'::text, 'waiting'::text])))
);

CREATE TABLE backtest_examples (
    backtest bigint NOT NULL,
    kind text NOT NULL,
    place integer NOT NULL,
    organisation text,
    subject text NOT NULL,
    vehicle text,
    plate text,
    driver text,
    order_id text,
    alert_id text,
    finding text,
    occurred_from timestamp with time zone,
    occurred_to timestamp with time zone,
    was jsonb,
    becomes jsonb NOT NULL,
    CONSTRAINT backtest_examples_kind_check CHECK ((kind = ANY (ARRAY['raised'::text, 'withdrawn'::text, 'changed'::text])))
);

CREATE TABLE backtests (
    no bigint NOT NULL,
    organisation text,
    rule text NOT NULL,
    parameters jsonb DEFAULT '{}'::jsonb NOT NULL,
    fence jsonb,
    from_day date NOT NULL,
    to_day date NOT NULL,
    examples integer NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    cancel_asked boolean DEFAULT false NOT NULL,
    asked_by text NOT NULL,
    asked_by_name text NOT NULL,
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    queued_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    runs integer DEFAULT 0 NOT NULL,
    done integer DEFAULT 0 NOT NULL,
    total integer DEFAULT 0 NOT NULL,
    positions bigint DEFAULT 0 NOT NULL,
    pending integer,
    problem text,
    CONSTRAINT backtests_check CHECK ((from_day <= to_day)),
    CONSTRAINT backtests_examples_check CHECK (((examples >= 0) AND (examples <= 500))),
    CONSTRAINT backtests_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'done'::text, 'failed'::text, 'interrupted'::text, 'cancelled'::text])))
);

COMMENT ON TABLE backtests IS 'Backtests that were asked for over the API, and how they stand.';

ALTER TABLE backtests ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME backtests_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE calendar_days (
    day date NOT NULL,
    workday boolean NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    source text DEFAULT ''::text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE call_back_draws (
    id text NOT NULL,
    organisation text NOT NULL,
    period text NOT NULL,
    seed text NOT NULL,
    permille integer NOT NULL,
    population integer NOT NULL,
    list_sha256 text NOT NULL,
    drawn_by text[] NOT NULL,
    drawn_name text NOT NULL,
    drawn_at timestamp with time zone NOT NULL,
    CONSTRAINT call_back_draws_period_check CHECK ((period ~ '^20[2-9][0-9](0[1-9]|1[0-2])$'::text)),
    CONSTRAINT call_back_draws_permille_check CHECK (((permille >= 1) AND (permille <= 1000))),
    CONSTRAINT call_back_draws_population_check CHECK ((population >= 0))
);

CREATE TABLE call_back_results (
    no bigint NOT NULL,
    call_back text NOT NULL,
    outcome text NOT NULL,
    note text NOT NULL,
    at timestamp with time zone NOT NULL,
    persons text[] NOT NULL,
    actor_name text NOT NULL,
    CONSTRAINT call_back_results_outcome_check CHECK ((outcome = ANY (ARRAY['satisfied'::text, 'unsatisfied'::text, 'not_reached'::text, 'refused'::text])))
);

ALTER TABLE call_back_results ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME call_back_results_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE call_backs (
    id text NOT NULL,
    draw text NOT NULL,
    organisation text NOT NULL,
    request text NOT NULL,
    number text NOT NULL,
    rank integer NOT NULL,
    CONSTRAINT call_backs_rank_check CHECK ((rank > 0))
);

CREATE TABLE card_bindings (
    card text NOT NULL,
    plate text NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone,
    CONSTRAINT card_bindings_check CHECK (((valid_to IS NULL) OR (valid_to > valid_from)))
);

CREATE TABLE case_alert_news (
    no bigint NOT NULL,
    case_id text NOT NULL
);

ALTER TABLE case_alert_news ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME case_alert_news_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE case_attachments (
    id text NOT NULL,
    case_id text NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    size integer NOT NULL,
    sha256 bytea NOT NULL,
    received_sha256 bytea NOT NULL,
    uploaded_by text NOT NULL,
    uploaded_at timestamp with time zone NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT case_attachments_received_sha256_check CHECK ((octet_length(received_sha256) = 32)),
    CONSTRAINT case_attachments_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT case_attachments_size_check CHECK ((size > 0))
);

CREATE TABLE case_events (
    case_id text NOT NULL,
    version integer NOT NULL,
    step text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    persons text[] NOT NULL,
    actor_name text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    device text DEFAULT ''::text NOT NULL,
    internal boolean DEFAULT false NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT case_events_version_check CHECK ((version > 0))
);

CREATE TABLE case_links (
    case_id text NOT NULL,
    kind text NOT NULL,
    ref text NOT NULL,
    open boolean NOT NULL,
    noted boolean DEFAULT false NOT NULL,
    alert_version integer,
    doubted boolean DEFAULT false NOT NULL,
    CONSTRAINT case_links_kind_check CHECK ((kind = ANY (ARRAY['alert'::text, 'order'::text, 'complaint'::text])))
);

COMMENT ON COLUMN case_links.alert_version IS 'Version of the alert at the last end of the case, or the one that its thread told of since; null = the case never ended.';

COMMENT ON COLUMN case_links.doubted IS 'The alert was withdrawn after the case was closed, and nobody has decided yet what follows: the label does not count.';

CREATE TABLE case_numbers (
    organisation text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL,
    CONSTRAINT case_numbers_last_check CHECK ((last > 0))
);

CREATE TABLE cases (
    id text NOT NULL,
    organisation text NOT NULL,
    number text,
    state text NOT NULL,
    version integer NOT NULL,
    source text NOT NULL,
    level text NOT NULL,
    title text NOT NULL,
    vehicle text,
    external_no text,
    finding text,
    reminders integer DEFAULT 0 NOT NULL,
    announced boolean DEFAULT false NOT NULL,
    proposal text,
    created_at timestamp with time zone NOT NULL,
    issued_at timestamp with time zone,
    due_on date,
    yellow_from date,
    undetermined boolean DEFAULT false NOT NULL,
    look_on date,
    helpers text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT cases_version_check CHECK ((version > 0))
);

CREATE TABLE change_commits (
    id bigint NOT NULL,
    number bigint,
    noted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE change_commits ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME change_commits_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE change_numbers
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE change_numbers OWNED BY change_commits.number;

CREATE TABLE change_readers (
    reader text NOT NULL,
    number bigint NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE changes (
    commit_id bigint NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    vehicle_no integer,
    organisation text,
    from_time timestamp with time zone NOT NULL
);

COMMENT ON COLUMN changes.kind IS 'What changed (subject): order (id; of every vehicle that its versions name), fence (id; by vehicle or by unit), vehicle (id), vehicle_status (id of a vehicle whose unit or dates of registration changed), plate (a plate that a vehicle or a card binding has or had), terminal_binding (the terminal''s phone number), card (id), card_binding (the card), transaction (id), fills (card of which a transaction was changed or deleted), station (id), violation (id), offences (plate of which a violation was changed or deleted), calendar (day), parameter (rule.name; of a unit and the units below it, or of all), result (id of an order that was settled), track (vehicle whose stored positions were taken up again), unit (id), driver (id), case (id), disposition_code (code), notice (id), received (exchange_records.no), seal (vehicle that was sealed or unsealed), maintenance (vehicle that went into the repair shop or came out), rental (report of a rental that was taken, settled, or is none any more)';

COMMENT ON COLUMN changes.from_time IS 'Facts are others than before from here on; 1970 = at all times.';

ALTER TABLE changes ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME changes_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE client_secrets (
    id text NOT NULL,
    client_id text NOT NULL,
    sha256 bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    CONSTRAINT client_secrets_sha256_check CHECK ((octet_length(sha256) = 32))
);

CREATE TABLE client_tokens (
    sha256 bytea NOT NULL,
    secret_id text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT client_tokens_sha256_check CHECK ((octet_length(sha256) = 32))
);

CREATE TABLE clients (
    id text NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    organisation text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    disabled_at timestamp with time zone
);

CREATE TABLE clock_corrections (
    id text NOT NULL,
    terminal_no integer NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone,
    shift_s bigint,
    note text DEFAULT ''::text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    datum text,
    odometer_unit_m integer,
    fuel_unit_ml integer,
    source text DEFAULT 'office'::text NOT NULL,
    dialect text DEFAULT ''::text NOT NULL,
    CONSTRAINT clock_corrections_check CHECK ((valid_to > valid_from)),
    CONSTRAINT clock_corrections_datum_check CHECK ((datum = ANY (ARRAY['wgs84'::text, 'gcj02'::text, 'bd09'::text]))),
    CONSTRAINT clock_corrections_fuel_unit_ml_check CHECK (((fuel_unit_ml >= 0) AND (fuel_unit_ml <= 100000))),
    CONSTRAINT clock_corrections_odometer_unit_m_check CHECK (((odometer_unit_m >= 0) AND (odometer_unit_m <= 100000))),
    CONSTRAINT clock_corrections_says_something CHECK ((num_nonnulls(shift_s, datum, odometer_unit_m, fuel_unit_ml) > 0)),
    CONSTRAINT clock_corrections_shift_s_check CHECK ((abs(shift_s) <= '3155760000'::bigint)),
    CONSTRAINT clock_corrections_source_check CHECK ((source = ANY (ARRAY['office'::text, 'dialect'::text])))
);

CREATE TABLE clock_doubts (
    terminal_no integer NOT NULL,
    received_from timestamp with time zone NOT NULL,
    received_to timestamp with time zone,
    lag_s bigint NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE cold_files (
    file text NOT NULL,
    folder text NOT NULL,
    day date NOT NULL,
    state text DEFAULT 'writing'::text NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    layout smallint,
    rows bigint,
    bytes bigint,
    sha256 bytea,
    footer_sha256 bytea,
    first_terminal integer,
    last_terminal integer,
    group_firsts integer[],
    CONSTRAINT cold_files_bytes_check CHECK ((bytes > 0)),
    CONSTRAINT cold_files_check CHECK (((state <> 'cold'::text) OR (num_nulls(layout, rows, bytes, sha256, footer_sha256, first_terminal, last_terminal, group_firsts) = 0))),
    CONSTRAINT cold_files_footer_sha256_check CHECK ((octet_length(footer_sha256) = 32)),
    CONSTRAINT cold_files_rows_check CHECK ((rows > 0)),
    CONSTRAINT cold_files_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT cold_files_state_check CHECK ((state = ANY (ARRAY['writing'::text, 'cold'::text, 'discarded'::text])))
);

COMMENT ON TABLE cold_files IS 'Files of positions that are in no partition any more: writing = not whole yet, to be removed when nobody writes it; cold = what it holds is read from it; discarded = replaced or past the retention, to be removed after a day.';

CREATE TABLE cold_terminals (
    terminal_no integer NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    CONSTRAINT cold_terminals_check CHECK ((last_day >= first_day))
);

COMMENT ON TABLE cold_terminals IS 'Between which days a terminal may have positions in files: nobody else is looked for there.';

CREATE TABLE cold_touched (
    no bigint NOT NULL,
    day date NOT NULL
);

COMMENT ON TABLE cold_touched IS 'A row was written to the partition of this day while it was being moved to files: the move begins again.';

ALTER TABLE cold_touched ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME cold_touched_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE complaint_reads (
    id bigint NOT NULL,
    complaint_id text NOT NULL,
    person text NOT NULL,
    reason text NOT NULL,
    address text NOT NULL,
    at timestamp with time zone NOT NULL
);

ALTER TABLE complaint_reads ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME complaint_reads_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE complaints (
    id text NOT NULL,
    organisation text NOT NULL,
    ticket text NOT NULL,
    category text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    claim text NOT NULL,
    plate text,
    place text,
    happened_at timestamp with time zone,
    vehicle text,
    caller bytea,
    caller_key text,
    channel text NOT NULL,
    entered_by text NOT NULL,
    entered_at timestamp with time zone NOT NULL,
    CONSTRAINT complaints_category_check CHECK ((category = ANY (ARRAY['emergency'::text, 'inquiry'::text, 'report'::text]))),
    CONSTRAINT complaints_channel_check CHECK ((channel = ANY (ARRAY['form'::text, 'file'::text, 'webhook'::text])))
);

CREATE TABLE cost_claims (
    dispatch_id text NOT NULL,
    request_id text NOT NULL,
    organisation text NOT NULL,
    platform text NOT NULL,
    units text[] NOT NULL,
    statement text,
    price_version integer NOT NULL
);

CREATE TABLE cost_entries (
    id text NOT NULL,
    organisation text NOT NULL,
    entry_no text,
    kind text NOT NULL,
    vehicle text NOT NULL,
    dispatch text,
    driver text,
    occurred_on date NOT NULL,
    period text NOT NULL,
    quantity bigint,
    unit_price_fen bigint,
    amount_fen bigint NOT NULL,
    vendor text DEFAULT ''::text NOT NULL,
    designated boolean,
    invoice_code text DEFAULT ''::text NOT NULL,
    invoice_no text DEFAULT ''::text NOT NULL,
    payer text NOT NULL,
    finding text,
    budget_class text DEFAULT ''::text NOT NULL,
    source text NOT NULL,
    reverses text,
    reversed_by text,
    version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT cost_entries_amount_fen_check CHECK ((amount_fen <> 0)),
    CONSTRAINT cost_entries_payer_check CHECK ((payer = ANY (ARRAY['unit'::text, 'driver'::text, 'insurer'::text]))),
    CONSTRAINT cost_entries_period_check CHECK ((period ~ '^20[0-9]{2}(0[1-9]|1[0-2])$'::text)),
    CONSTRAINT cost_entries_quantity_check CHECK ((quantity >= 0)),
    CONSTRAINT cost_entries_source_check CHECK ((source = ANY (ARRAY['entered'::text, 'file'::text, 'reversal'::text]))),
    CONSTRAINT cost_entries_unit_price_fen_check CHECK ((unit_price_fen >= 0)),
    CONSTRAINT cost_entries_version_check CHECK ((version > 0))
);

COMMENT ON TABLE cost_entries IS '费用台账: what the versions of each line (cost_entry_versions) come to.';

CREATE TABLE cost_entry_versions (
    entry text NOT NULL,
    version integer NOT NULL,
    step text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    actor_name text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT cost_entry_versions_step_check CHECK ((step = ANY (ARRAY['enter'::text, 'correct'::text, 'reverse'::text]))),
    CONSTRAINT cost_entry_versions_version_check CHECK ((version > 0))
);

CREATE TABLE cost_statement_events (
    statement text NOT NULL,
    version integer NOT NULL,
    step text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    persons text[] NOT NULL,
    actor_name text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    device text DEFAULT ''::text NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT cost_statement_events_version_check CHECK ((version > 0))
);

CREATE TABLE cost_statement_lines (
    no bigint NOT NULL,
    statement text,
    organisation text NOT NULL,
    platform text NOT NULL,
    units text[] NOT NULL,
    kind text NOT NULL,
    dispatch_id text NOT NULL,
    request_id text NOT NULL,
    vehicle text NOT NULL,
    price_version integer NOT NULL,
    corrects bigint,
    amount_fen bigint NOT NULL,
    cost_centre text NOT NULL,
    body jsonb NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT cost_statement_lines_check CHECK (((kind = 'trip'::text) = (corrects IS NULL))),
    CONSTRAINT cost_statement_lines_kind_check CHECK ((kind = ANY (ARRAY['trip'::text, 'reversal'::text, 'corrected'::text])))
);

ALTER TABLE cost_statement_lines ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME cost_statement_lines_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE cost_statements (
    id text NOT NULL,
    number text NOT NULL,
    organisation text NOT NULL,
    platform text NOT NULL,
    units text[] NOT NULL,
    period text NOT NULL,
    take integer NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    total_fen bigint NOT NULL,
    lines integer NOT NULL,
    by_cost_centre jsonb NOT NULL,
    tariff_versions integer[] NOT NULL,
    object_by timestamp with time zone NOT NULL,
    objected boolean DEFAULT false NOT NULL,
    made_by text[] NOT NULL,
    drawn_at timestamp with time zone NOT NULL,
    confirmed_at timestamp with time zone,
    silent boolean DEFAULT false NOT NULL,
    paid_at timestamp with time zone,
    payment_ref text,
    received_at timestamp with time zone,
    CONSTRAINT cost_statements_lines_check CHECK ((lines > 0)),
    CONSTRAINT cost_statements_period_check CHECK ((period ~ '^20[0-9]{2}(0[1-9]|1[0-2])$'::text)),
    CONSTRAINT cost_statements_take_check CHECK ((take > 0)),
    CONSTRAINT cost_statements_version_check CHECK ((version > 0))
);

COMMENT ON TABLE cost_statements IS '结算单, per unit, platform and month: what its thread (cost_statement_events) comes to.';

CREATE TABLE dispatch_orders (
    no integer NOT NULL,
    id text NOT NULL,
    version integer NOT NULL,
    organisation text NOT NULL,
    vehicle text NOT NULL,
    driver text,
    task_type text NOT NULL,
    purpose text DEFAULT ''::text NOT NULL,
    status text NOT NULL,
    origin jsonb,
    destinations jsonb NOT NULL,
    return_point jsonb,
    planned_departure timestamp with time zone NOT NULL,
    planned_return timestamp with time zone NOT NULL,
    extended_return timestamp with time zone,
    actual_departure timestamp with time zone,
    actual_return timestamp with time zone,
    entered_at timestamp with time zone DEFAULT now() NOT NULL,
    is_current boolean DEFAULT true NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    entry_stated boolean DEFAULT false NOT NULL,
    holds_from timestamp with time zone,
    applicant text,
    approver text,
    cancelled_at timestamp with time zone,
    exchanges jsonb DEFAULT '[]'::jsonb NOT NULL,
    part_of text,
    leg_from timestamp with time zone,
    leg_to timestamp with time zone,
    covers_to timestamp with time zone,
    backfill boolean DEFAULT false NOT NULL,
    counts boolean DEFAULT true NOT NULL,
    is_newest boolean DEFAULT false NOT NULL,
    route jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT dispatch_orders_check CHECK ((planned_return > planned_departure)),
    CONSTRAINT dispatch_orders_check1 CHECK (((actual_return IS NULL) OR (actual_return > COALESCE(actual_departure, '-infinity'::timestamp with time zone)))),
    CONSTRAINT dispatch_orders_status_check CHECK ((status = ANY (ARRAY['approved'::text, 'departed'::text, 'returned'::text, 'cancelled'::text]))),
    CONSTRAINT dispatch_orders_task_type_check CHECK ((task_type = ANY (ARRAY['official'::text, 'repair'::text, 'inspection'::text, 'car_wash'::text, 'emergency'::text, 'tow'::text])))
);

COMMENT ON COLUMN dispatch_orders.entered_at IS 'when the version was entered, as the office says, else when it came';

COMMENT ON COLUMN dispatch_orders.is_current IS 'the newest version of those that count: what the rules use';

COMMENT ON COLUMN dispatch_orders.received_at IS 'when the version reached this program';

COMMENT ON COLUMN dispatch_orders.entry_stated IS 'the office says when it was entered';

COMMENT ON COLUMN dispatch_orders.holds_from IS 'from when on the version holds; NULL = from the beginning';

COMMENT ON COLUMN dispatch_orders.exchanges IS 'further vehicles that took over: [{vehicle, since, driver}], by time';

COMMENT ON COLUMN dispatch_orders.part_of IS 'a row that the program makes: the stretch of this order that a further vehicle drove, or that an earlier version holds for';

COMMENT ON COLUMN dispatch_orders.leg_from IS 'the row covers nothing before; NULL = no such limit';

COMMENT ON COLUMN dispatch_orders.leg_to IS 'the row covers nothing from then on: another one goes on; NULL = no such limit';

COMMENT ON COLUMN dispatch_orders.covers_to IS 'the row covers nothing from then on: a late return that nobody approved; NULL = no such limit';

COMMENT ON COLUMN dispatch_orders.backfill IS 'entered after the vehicle returned, or after an alert was published (补单)';

COMMENT ON COLUMN dispatch_orders.counts IS 'false: a backfill that nobody approved; what was judged stays';

COMMENT ON COLUMN dispatch_orders.is_newest IS 'the newest version, whether it counts or not: what people see';

COMMENT ON COLUMN dispatch_orders.route IS 'list of Place with coordinates, in the order of travel; empty = no route is designated';

CREATE VIEW current_dispatch_orders AS
 SELECT no,
    id,
    version,
    organisation,
    vehicle,
    driver,
    task_type,
    purpose,
    status,
    origin,
    destinations,
    return_point,
    planned_departure,
    planned_return,
    extended_return,
    actual_departure,
    actual_return,
    entered_at,
    is_current,
    received_at,
    entry_stated,
    holds_from,
    applicant,
    approver,
    cancelled_at,
    exchanges,
    part_of,
    leg_from,
    leg_to,
    covers_to,
    backfill,
    counts,
    is_newest,
    route
   FROM dispatch_orders
  WHERE is_current;

CREATE TABLE delegations (
    id bigint NOT NULL,
    grant_id bigint NOT NULL,
    to_user text NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone NOT NULL,
    reason text NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    made_by text NOT NULL,
    ended_at timestamp with time zone,
    ended_by text,
    CONSTRAINT delegations_check CHECK ((valid_to > valid_from))
);

ALTER TABLE delegations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME delegations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE dispatch_orders ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME dispatch_orders_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE disposition_codes (
    code text NOT NULL,
    zh text NOT NULL,
    en text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    CONSTRAINT disposition_codes_code_check CHECK ((code ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT disposition_codes_en_check CHECK (((length(en) >= 1) AND (length(en) <= 200))),
    CONSTRAINT disposition_codes_zh_check CHECK (((length(zh) >= 1) AND (length(zh) <= 100)))
);

CREATE TABLE driver_accounts (
    driver text NOT NULL,
    user_id text NOT NULL,
    set_by text NOT NULL,
    set_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE driver_card_events (
    report bigint NOT NULL,
    action text NOT NULL,
    read_result smallint,
    name text DEFAULT ''::text NOT NULL,
    certificate text DEFAULT ''::text NOT NULL,
    issuer text DEFAULT ''::text NOT NULL,
    valid_until date,
    id_number text DEFAULT ''::text NOT NULL,
    CONSTRAINT driver_card_events_action_check CHECK ((action = ANY (ARRAY['in'::text, 'out'::text, 'told'::text, 'unknown'::text])))
);

COMMENT ON TABLE driver_card_events IS 'Driver cards put in and pulled out.';

CREATE TABLE driver_facts (
    id text NOT NULL,
    organisation text NOT NULL,
    driver text NOT NULL,
    kind text NOT NULL,
    day date NOT NULL,
    reference text NOT NULL,
    note text NOT NULL,
    entered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    entered_by text[] NOT NULL,
    entered_by_name text NOT NULL,
    voided_at timestamp with time zone,
    voided_by_name text,
    void_reason text,
    CONSTRAINT driver_facts_check CHECK ((((voided_at IS NULL) = (void_reason IS NULL)) AND ((voided_at IS NULL) = (voided_by_name IS NULL))))
);

CREATE TABLE driver_leave_events (
    paper text NOT NULL,
    version integer NOT NULL,
    step text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    persons text[] NOT NULL,
    actor_name text NOT NULL,
    address text NOT NULL,
    device text NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT driver_leave_events_version_check CHECK ((version > 0))
);

CREATE TABLE driver_leaves (
    id text NOT NULL,
    organisation text NOT NULL,
    driver text NOT NULL,
    kind text NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    CONSTRAINT driver_leaves_check CHECK ((until > since)),
    CONSTRAINT driver_leaves_state_check CHECK ((state = ANY (ARRAY['asked'::text, 'approved'::text, 'rejected'::text, 'cancelled'::text, 'ended'::text]))),
    CONSTRAINT driver_leaves_version_check CHECK ((version > 0))
);

COMMENT ON TABLE driver_leaves IS '请假: what its thread (driver_leave_events) comes to.';

CREATE TABLE driver_objection_decisions (
    objection text NOT NULL,
    upheld boolean NOT NULL,
    reason text NOT NULL,
    decided_by text[] NOT NULL,
    decided_name text NOT NULL,
    decided_at timestamp with time zone NOT NULL
);

CREATE TABLE driver_objections (
    id text NOT NULL,
    organisation text NOT NULL,
    driver text NOT NULL,
    period text NOT NULL,
    line text NOT NULL,
    reason text NOT NULL,
    raised_by text[] NOT NULL,
    raised_name text NOT NULL,
    raised_at timestamp with time zone NOT NULL
);

CREATE TABLE driver_rosters (
    no bigint NOT NULL,
    organisation text NOT NULL,
    driver text NOT NULL,
    kind text NOT NULL,
    first_day date NOT NULL,
    shifts jsonb,
    note text NOT NULL,
    entered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    entered_by text NOT NULL,
    entered_by_name text NOT NULL,
    CONSTRAINT driver_rosters_kind_check CHECK ((kind = ANY (ARRAY['week'::text, 'day'::text])))
);

COMMENT ON TABLE driver_rosters IS '排班: the week of a driver from first_day on, or the one day first_day.';

ALTER TABLE driver_rosters ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME driver_rosters_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE driver_score_tables (
    organisation text NOT NULL,
    version integer NOT NULL,
    valid_from date NOT NULL,
    body jsonb NOT NULL,
    made_by text[] NOT NULL,
    made_by_name text NOT NULL,
    made_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT driver_score_tables_version_check CHECK ((version > 0))
);

CREATE TABLE driver_sheets (
    driver text NOT NULL,
    period text NOT NULL,
    organisation text NOT NULL,
    score integer NOT NULL,
    body jsonb NOT NULL,
    issued_by text[] NOT NULL,
    issued_name text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    CONSTRAINT driver_sheets_period_check CHECK ((period ~ '^20[2-9][0-9]Q[1-4]$'::text))
);

CREATE TABLE drivers (
    id text NOT NULL,
    name text NOT NULL,
    organisation text NOT NULL,
    phone text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE evaluations (
    id bigint CONSTRAINT evaluations_id_not_null1 NOT NULL,
    rule text CONSTRAINT evaluations_rule_not_null1 NOT NULL,
    rule_version integer CONSTRAINT evaluations_rule_version_not_null1 NOT NULL,
    subject text CONSTRAINT evaluations_subject_not_null1 NOT NULL,
    vehicle_no integer,
    outcome text CONSTRAINT evaluations_outcome_not_null1 NOT NULL,
    reason text,
    measures jsonb CONSTRAINT evaluations_measures_not_null1 NOT NULL,
    parameters jsonb CONSTRAINT evaluations_parameters_not_null1 NOT NULL,
    evidence_sha256 bytea,
    evaluated_at timestamp with time zone CONSTRAINT evaluations_evaluated_at_not_null1 NOT NULL,
    reason_code text,
    reason_named jsonb,
    reason_en text,
    CONSTRAINT evaluations_outcome_check CHECK ((outcome = ANY (ARRAY['normal'::text, 'suspected'::text, 'undetermined'::text])))
)
PARTITION BY RANGE (evaluated_at);

COMMENT ON TABLE evaluations IS 'Judgements; of a subject the one with the greatest id holds. One partition a month (UTC), made and dropped by the worker.';

CREATE SEQUENCE evaluations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE evaluations_id_seq OWNED BY evaluations.id;

CREATE TABLE evaluations_default (
    id bigint DEFAULT nextval('evaluations_id_seq'::regclass) CONSTRAINT evaluations_id_not_null1 NOT NULL,
    rule text CONSTRAINT evaluations_rule_not_null1 NOT NULL,
    rule_version integer CONSTRAINT evaluations_rule_version_not_null1 NOT NULL,
    subject text CONSTRAINT evaluations_subject_not_null1 NOT NULL,
    vehicle_no integer,
    outcome text CONSTRAINT evaluations_outcome_not_null1 NOT NULL,
    reason text,
    measures jsonb CONSTRAINT evaluations_measures_not_null1 NOT NULL,
    parameters jsonb CONSTRAINT evaluations_parameters_not_null1 NOT NULL,
    evidence_sha256 bytea,
    evaluated_at timestamp with time zone CONSTRAINT evaluations_evaluated_at_not_null1 NOT NULL,
    reason_code text,
    reason_named jsonb,
    reason_en text,
    CONSTRAINT evaluations_outcome_check CHECK ((outcome = ANY (ARRAY['normal'::text, 'suspected'::text, 'undetermined'::text])))
);

CREATE TABLE evidence (
    sha256 bytea CONSTRAINT evidence_sha256_not_null1 NOT NULL,
    body bytea CONSTRAINT evidence_body_not_null1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT evidence_created_at_not_null1 NOT NULL,
    sm3 bytea,
    month date NOT NULL,
    CONSTRAINT evidence_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT evidence_sm3_check CHECK ((octet_length(sm3) = 32))
)
PARTITION BY RANGE (month);

COMMENT ON TABLE evidence IS 'One partition a month, made and dropped by the worker; of alerts: evidence_of_alerts, never dropped.';

CREATE TABLE evidence_default (
    sha256 bytea CONSTRAINT evidence_sha256_not_null1 NOT NULL,
    body bytea CONSTRAINT evidence_body_not_null1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT evidence_created_at_not_null1 NOT NULL,
    sm3 bytea,
    month date CONSTRAINT evidence_month_not_null NOT NULL,
    CONSTRAINT evidence_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT evidence_sm3_check CHECK ((octet_length(sm3) = 32))
);

CREATE TABLE evidence_of_alerts (
    sha256 bytea CONSTRAINT evidence_sha256_not_null NOT NULL,
    body bytea CONSTRAINT evidence_body_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT evidence_created_at_not_null NOT NULL,
    sm3 bytea,
    month date NOT NULL,
    CONSTRAINT evidence_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT evidence_sm3_check CHECK ((octet_length(sm3) = 32))
);

CREATE TABLE evidence_positions (
    sha256 bytea NOT NULL,
    made_at timestamp with time zone NOT NULL,
    fixes integer NOT NULL,
    absent integer NOT NULL,
    spans jsonb NOT NULL,
    rows bytea NOT NULL,
    sm3 bytea NOT NULL,
    CONSTRAINT evidence_positions_sha256_check CHECK ((octet_length(sha256) = 32))
);

CREATE TABLE exchange_arrivals (
    peer text NOT NULL,
    kind text NOT NULL,
    stored bigint DEFAULT 0 NOT NULL,
    unchanged bigint DEFAULT 0 NOT NULL,
    refused bigint DEFAULT 0 NOT NULL,
    last_refusal text,
    last_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    said_confirmed bigint,
    said_waiting bigint,
    said_at timestamp with time zone
);

CREATE TABLE exchange_notices (
    id text NOT NULL,
    organisation text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    published_by text NOT NULL,
    published_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE exchange_origins (
    origin text NOT NULL,
    peer text NOT NULL
);

CREATE TABLE exchange_peers (
    name text NOT NULL,
    direction text NOT NULL,
    organisation text NOT NULL,
    client_id text NOT NULL,
    url text,
    units text[] DEFAULT '{}'::text[] NOT NULL,
    kinds text[] DEFAULT '{}'::text[] NOT NULL,
    mapping text,
    enabled boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT exchange_peers_check CHECK (((direction = 'below'::text) OR ((url IS NOT NULL) AND (units <> '{}'::text[])))),
    CONSTRAINT exchange_peers_direction_check CHECK ((direction = ANY (ARRAY['above'::text, 'below'::text]))),
    CONSTRAINT exchange_peers_name_check CHECK ((name ~ '^[a-z][a-z0-9-]{0,31}$'::text))
);

CREATE TABLE exchange_queue (
    peer text NOT NULL,
    kind text NOT NULL,
    origin text DEFAULT ''::text NOT NULL,
    id text NOT NULL,
    urgency smallint NOT NULL,
    ticket bigint NOT NULL,
    noted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    refused_code text,
    refused_id text,
    refused_version bigint,
    refused_detail text,
    refused_at timestamp with time zone
);

CREATE TABLE exchange_records (
    no bigint NOT NULL,
    origin text NOT NULL,
    kind text NOT NULL,
    id text NOT NULL,
    peer text NOT NULL,
    organisation text NOT NULL,
    unit text NOT NULL,
    version bigint NOT NULL,
    sha256 bytea NOT NULL,
    payload jsonb,
    status text,
    happened_at timestamp with time zone NOT NULL,
    first_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    received_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT exchange_records_version_check CHECK ((version > 0))
);

ALTER TABLE exchange_records ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME exchange_records_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE exchange_secrets (
    peer text NOT NULL,
    sealed bytea NOT NULL
);

CREATE TABLE exchange_self (
    one boolean DEFAULT true NOT NULL,
    name text NOT NULL,
    CONSTRAINT exchange_self_name_check CHECK ((name ~ '^[a-z][a-z0-9-]{0,31}$'::text)),
    CONSTRAINT exchange_self_one_check CHECK (one)
);

CREATE TABLE exchange_sent (
    peer text NOT NULL,
    kind text NOT NULL,
    origin text NOT NULL,
    id text NOT NULL,
    version bigint NOT NULL,
    sha256 bytea NOT NULL,
    gone boolean DEFAULT false NOT NULL,
    confirmed boolean DEFAULT false NOT NULL,
    known boolean DEFAULT false NOT NULL,
    sent_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    confirmed_at timestamp with time zone
);

CREATE TABLE exchange_states (
    peer text NOT NULL,
    feed_seq bigint DEFAULT 0 NOT NULL,
    snapshot_kind text,
    snapshot_after text DEFAULT ''::text NOT NULL,
    pull_cursor text,
    pulled_at timestamp with time zone,
    last_ok_at timestamp with time zone,
    last_error text,
    last_error_at timestamp with time zone,
    retry_at timestamp with time zone,
    least_version bigint DEFAULT 0 NOT NULL
);

COMMENT ON COLUMN exchange_states.least_version IS 'The highest version of what was dropped from exchange_sent; new records begin above it.';

CREATE SEQUENCE exchange_tickets
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE fence_areas (
    area_id integer NOT NULL,
    fence text NOT NULL
);

COMMENT ON TABLE fence_areas IS 'The area id (JT/T 808, DWORD) of each fence that was ever sent to a terminal.';

ALTER TABLE fence_areas ALTER COLUMN area_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fence_areas_area_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE fences (
    id text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    organisation text NOT NULL,
    vehicles text[] DEFAULT '{}'::text[] NOT NULL,
    original jsonb NOT NULL,
    datum text NOT NULL,
    geometry bytea NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT fences_check CHECK (((valid_to IS NULL) OR (valid_to >= valid_from))),
    CONSTRAINT fences_datum_check CHECK ((datum = ANY (ARRAY['wgs84'::text, 'gcj02'::text, 'bd09'::text])))
);

CREATE TABLE fences_sent_down (
    organisation text NOT NULL,
    fence text DEFAULT ''::text NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE fences_sent_down IS 'Fences that the office wants in the terminals; an empty fence means all of the unit.';

CREATE TABLE frame_watches (
    id uuid NOT NULL,
    phone text NOT NULL,
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT frame_watches_phone_check CHECK ((phone ~ '^[0-9A-F]{1,20}$'::text))
);

COMMENT ON TABLE frame_watches IS 'Phone numbers whose frames somebody watches now; ends by itself.';

CREATE TABLE fuel_cards (
    id text NOT NULL,
    organisation text NOT NULL,
    issuer text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    opened_on date,
    closed_on date,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    kind text DEFAULT 'vehicle'::text NOT NULL,
    CONSTRAINT fuel_cards_kind_check CHECK ((kind = ANY (ARRAY['vehicle'::text, 'master'::text]))),
    CONSTRAINT fuel_cards_status_check CHECK ((status = ANY (ARRAY['active'::text, 'lost'::text, 'closed'::text])))
);

CREATE TABLE fuel_stations (
    id text NOT NULL,
    name text NOT NULL,
    aliases text[] DEFAULT '{}'::text[] NOT NULL,
    datum text,
    original jsonb,
    geometry bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT fuel_stations_check CHECK ((((original IS NULL) = (geometry IS NULL)) AND ((original IS NULL) = (datum IS NULL)))),
    CONSTRAINT fuel_stations_datum_check CHECK ((datum = ANY (ARRAY['wgs84'::text, 'gcj02'::text, 'bd09'::text])))
);

CREATE TABLE fuel_transactions (
    id text NOT NULL,
    card text NOT NULL,
    at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    product text DEFAULT ''::text NOT NULL,
    energy text DEFAULT 'fuel'::text NOT NULL,
    quantity bigint,
    unit_price numeric(12,4),
    amount_fen bigint,
    balance_fen bigint,
    station text,
    station_name text DEFAULT ''::text NOT NULL,
    reverses text,
    source text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    station_given boolean DEFAULT false NOT NULL,
    posted boolean DEFAULT false NOT NULL,
    CONSTRAINT fuel_transactions_energy_check CHECK ((energy = ANY (ARRAY['fuel'::text, 'electric'::text]))),
    CONSTRAINT fuel_transactions_kind_check CHECK ((kind = ANY (ARRAY['fill'::text, 'top_up'::text, 'reversal'::text, 'fee'::text, 'other'::text]))),
    CONSTRAINT fuel_transactions_quantity_check CHECK ((quantity >= 0))
);

COMMENT ON COLUMN fuel_transactions.posted IS 'at is not the time of payment: it is that of the booking, or a day alone';

CREATE TABLE idempotency_keys (
    person text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    made text,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT idempotency_keys_key_check CHECK (((key <> ''::text) AND (length(key) <= 128))),
    CONSTRAINT idempotency_keys_operation_check CHECK ((operation = ANY (ARRAY['trip-requests'::text, 'trip-series'::text, 'cases'::text])))
);

COMMENT ON TABLE idempotency_keys IS 'What was made under an Idempotency-Key; of each person his own rows only; kept for some days.';

CREATE TABLE judge_clock (
    gatherer text NOT NULL,
    through timestamp with time zone NOT NULL
);

CREATE TABLE judge_due (
    gatherer text NOT NULL,
    key text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    waits_for text DEFAULT ''::text NOT NULL,
    vehicle_no integer,
    seen timestamp with time zone
);

CREATE TABLE live_due (
    seq bigint CONSTRAINT fact_changes_seq_not_null NOT NULL,
    kind text CONSTRAINT fact_changes_kind_not_null NOT NULL,
    subject text CONSTRAINT fact_changes_subject_not_null NOT NULL,
    vehicle_no integer CONSTRAINT fact_changes_vehicle_no_not_null NOT NULL,
    from_time timestamp with time zone CONSTRAINT fact_changes_from_time_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT fact_changes_created_at_not_null NOT NULL
);

COMMENT ON TABLE live_due IS 'What the live workers have to do about changes: taken by the worker that owns the vehicle.';

COMMENT ON COLUMN live_due.kind IS 'as in changes; rows = a worker stored positions of a vehicle that is not its own';

ALTER TABLE live_due ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME live_due_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE log_offsets (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    known_until timestamp with time zone,
    claim text DEFAULT ''::text NOT NULL
);

CREATE TABLE login_failures (
    key bytea NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL,
    locked_until timestamp with time zone
);

CREATE TABLE maintenance_events (
    paper text NOT NULL,
    version integer NOT NULL,
    step text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    persons text[] NOT NULL,
    actor_name text NOT NULL,
    address text NOT NULL,
    device text NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT maintenance_events_version_check CHECK ((version > 0))
);

CREATE TABLE maintenance_numbers (
    organisation text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL,
    CONSTRAINT maintenance_numbers_last_check CHECK ((last > 0))
);

CREATE TABLE maintenances (
    id text NOT NULL,
    organisation text NOT NULL,
    vehicle text NOT NULL,
    number text NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    fault text NOT NULL,
    shop text,
    approved_fen bigint,
    total_fen bigint,
    odometer_m bigint NOT NULL,
    invoice text,
    in_shop boolean NOT NULL,
    reported_at timestamp with time zone NOT NULL,
    in_at timestamp with time zone,
    out_at timestamp with time zone,
    accepted_at timestamp with time zone,
    CONSTRAINT maintenances_approved_fen_check CHECK ((approved_fen >= 0)),
    CONSTRAINT maintenances_odometer_m_check CHECK ((odometer_m >= 0)),
    CONSTRAINT maintenances_total_fen_check CHECK ((total_fen >= 0)),
    CONSTRAINT maintenances_version_check CHECK ((version > 0))
);

COMMENT ON TABLE maintenances IS '维修单: what its thread (maintenance_events) comes to.';

CREATE TABLE mended_rows (
    no integer NOT NULL,
    migration integer NOT NULL,
    table_name text NOT NULL,
    was jsonb NOT NULL,
    became jsonb,
    mended_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE mended_rows IS 'Rows that broke a promise of the registry when a migration looked. For people.';

ALTER TABLE mended_rows ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mended_rows_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE message_addresses (
    channel_no bigint NOT NULL,
    address bytea NOT NULL,
    secret bytea
);

CREATE TABLE message_budgets (
    key bytea NOT NULL,
    tokens double precision NOT NULL,
    at timestamp with time zone NOT NULL
);

CREATE TABLE message_channels (
    no bigint NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    person text,
    organisation text,
    about text,
    kind text NOT NULL,
    shown text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    made_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    confirmed_at timestamp with time zone,
    code_sha256 bytea,
    code_ends_at timestamp with time zone,
    code_tries integer DEFAULT 0 NOT NULL,
    CONSTRAINT message_channels_about_check CHECK ((about = ANY (ARRAY['unit'::text, 'office'::text]))),
    CONSTRAINT message_channels_check CHECK ((((person IS NULL) = (organisation IS NOT NULL)) AND ((organisation IS NULL) = (about IS NULL)))),
    CONSTRAINT message_channels_kind_check CHECK ((kind = ANY (ARRAY['email'::text, 'webhook'::text, 'wecom'::text, 'dingtalk'::text, 'feishu'::text]))),
    CONSTRAINT message_channels_shown_check CHECK (((length(shown) >= 1) AND (length(shown) <= 200)))
);

ALTER TABLE message_channels ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME message_channels_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE message_code_counts (
    subject text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    codes integer NOT NULL
);

CREATE TABLE message_fanout (
    message_id bigint NOT NULL
);

CREATE TABLE message_lanes (
    channel_no bigint NOT NULL,
    waits_since timestamp with time zone,
    not_before timestamp with time zone DEFAULT now() NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    failing_since timestamp with time zone,
    last_error text,
    skipped integer DEFAULT 0 NOT NULL,
    lease uuid,
    leased_until timestamp with time zone
);

CREATE TABLE message_outbox (
    no bigint NOT NULL,
    channel_no bigint NOT NULL,
    message_id bigint,
    code bytea,
    urgent boolean DEFAULT false NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    batch bigint,
    attempts integer DEFAULT 0 NOT NULL,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT message_outbox_check CHECK ((((message_id IS NULL) = (code IS NOT NULL)) OR (state <> 'waiting'::text))),
    CONSTRAINT message_outbox_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'dead'::text])))
);

ALTER TABLE message_outbox ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME message_outbox_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE message_quiet_hours (
    person text NOT NULL,
    from_min smallint NOT NULL,
    to_min smallint NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT message_quiet_hours_from_min_check CHECK (((from_min >= 0) AND (from_min <= 1439))),
    CONSTRAINT message_quiet_hours_to_min_check CHECK (((to_min >= 0) AND (to_min <= 1439)))
);

CREATE TABLE message_reads (
    message_id bigint NOT NULL,
    person text NOT NULL,
    at timestamp with time zone NOT NULL
);

CREATE TABLE messages (
    id bigint NOT NULL,
    organisation text NOT NULL,
    permission text NOT NULL,
    case_id text,
    number text,
    step text NOT NULL,
    state text NOT NULL,
    at timestamp with time zone NOT NULL,
    trip text,
    person text,
    urgent boolean DEFAULT false NOT NULL,
    CONSTRAINT messages_about_one CHECK (((case_id IS NULL) <> (trip IS NULL)))
);

COMMENT ON COLUMN messages.trip IS 'Path of what it is about: trip-requests/<id>, dispatches/<id>, vehicle-papers/<id>, maintenance/<id>, driver-leaves/<id>.';

COMMENT ON COLUMN messages.person IS 'users.id: for him alone; permission is empty then.';

ALTER TABLE messages ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE navigation_routes (
    key bytea NOT NULL,
    engine text NOT NULL,
    map_date text NOT NULL,
    places jsonb NOT NULL,
    distance_m bigint,
    duration_s bigint,
    shape text DEFAULT ''::text NOT NULL,
    problem text DEFAULT ''::text NOT NULL,
    answered_at timestamp with time zone DEFAULT now() NOT NULL,
    doubts integer DEFAULT 0 NOT NULL,
    ask_again_at timestamp with time zone,
    used_on date DEFAULT CURRENT_DATE NOT NULL,
    problem_en text DEFAULT ''::text NOT NULL,
    CONSTRAINT doubted_without_distance CHECK ((((doubts > 0) = (ask_again_at IS NOT NULL)) AND ((doubts = 0) OR (distance_m IS NULL)))),
    CONSTRAINT navigation_routes_doubts_check CHECK ((doubts >= 0)),
    CONSTRAINT navigation_routes_key_check CHECK ((octet_length(key) = 32))
);

COMMENT ON COLUMN navigation_routes.used_on IS 'Asked for at that day, or within the 30 days after it.';

CREATE TABLE notice_numbers (
    organisation text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL,
    CONSTRAINT notice_numbers_last_check CHECK ((last > 0))
);

CREATE TABLE notice_receipts (
    notice text NOT NULL,
    person text NOT NULL,
    person_name text NOT NULL,
    organisation text NOT NULL,
    read_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    confirmed_at timestamp with time zone
);

CREATE TABLE notice_rows (
    notice text NOT NULL,
    no integer NOT NULL,
    vehicle text NOT NULL,
    cells text[] NOT NULL,
    basis jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT notice_rows_no_check CHECK ((no > 0))
);

CREATE TABLE notices (
    id text NOT NULL,
    number text NOT NULL,
    organisation text NOT NULL,
    units text[] NOT NULL,
    roles text[] NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    valid_to date,
    pinned boolean NOT NULL,
    receipt boolean NOT NULL,
    columns text[] NOT NULL,
    rows integer NOT NULL,
    sha256 bytea NOT NULL,
    published_at timestamp with time zone NOT NULL,
    published_by text NOT NULL,
    published_by_name text NOT NULL,
    withdrawn_at timestamp with time zone,
    withdrawn_by text,
    withdrawn_by_name text,
    withdraw_reason text,
    terms jsonb DEFAULT '{}'::jsonb NOT NULL,
    edition integer DEFAULT 1 NOT NULL,
    replaces text,
    CONSTRAINT notices_edition_check CHECK ((edition > 0)),
    CONSTRAINT notices_editions CHECK (((edition = 1) = (replaces IS NULL))),
    CONSTRAINT notices_kind_check CHECK ((kind = ANY (ARRAY['notice'::text, 'disposals'::text, 'rentals'::text, 'fuel'::text]))),
    CONSTRAINT notices_rows_check CHECK ((rows >= 0)),
    CONSTRAINT notices_sha256_check CHECK ((octet_length(sha256) = 32))
);

COMMENT ON TABLE notices IS '通知、公示: frozen when they are published; withdrawn, never removed.';

CREATE TABLE oidc_links (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id text NOT NULL,
    linked_at timestamp with time zone DEFAULT now() NOT NULL,
    linked_by text NOT NULL
);

CREATE TABLE oidc_logins (
    state_sha256 bytea NOT NULL,
    browser_sha256 bytea NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    address text NOT NULL,
    began_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE order_results (
    order_id text NOT NULL,
    order_version integer NOT NULL,
    vehicle_no integer NOT NULL,
    state text NOT NULL,
    mileage_mm bigint NOT NULL,
    bridged_mm bigint NOT NULL,
    odometer_m bigint,
    fixes integer NOT NULL,
    first_fix_at timestamp with time zone,
    last_fix_at timestamp with time zone,
    destinations jsonb NOT NULL,
    returned_at timestamp with time zone,
    carried bytea NOT NULL,
    computed_at timestamp with time zone NOT NULL,
    CONSTRAINT order_results_state_check CHECK ((state = ANY (ARRAY['running'::text, 'settled'::text])))
)
WITH (fillfactor='50');

CREATE TABLE order_track_times (
    order_id text NOT NULL,
    version integer NOT NULL,
    left_known boolean NOT NULL,
    left_at timestamp with time zone,
    back_known boolean NOT NULL,
    back_at timestamp with time zone
);

COMMENT ON TABLE order_track_times IS 'When vehicles left for orders and came back, as their tracks show (registry/order_cover.py).';

CREATE TABLE organisations (
    id text NOT NULL,
    name text NOT NULL,
    parent text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE plate_swaps (
    no bigint NOT NULL,
    vehicle text NOT NULL,
    plate_before text NOT NULL,
    plate_after text NOT NULL,
    act text NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    actor_name text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE plate_swaps ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME plate_swaps_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE platform_colours (
    vehicle text NOT NULL,
    colour smallint NOT NULL,
    CONSTRAINT platform_colours_colour_check CHECK (((colour >= 1) AND (colour <= 99)))
);

COMMENT ON TABLE platform_colours IS 'Colours of plates, for JT/T 809.';

CREATE TABLE platform_links (
    name text NOT NULL,
    direction text NOT NULL,
    edition smallint NOT NULL,
    access_code bigint NOT NULL,
    user_id bigint NOT NULL,
    platform_id text DEFAULT ''::text NOT NULL,
    host text,
    port integer,
    down_host text DEFAULT ''::text NOT NULL,
    down_port integer DEFAULT 0 NOT NULL,
    networks cidr[] DEFAULT '{}'::cidr[] NOT NULL,
    organisation text NOT NULL,
    units text[] NOT NULL,
    encrypts boolean DEFAULT false NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT platform_links_access_code_check CHECK (((access_code >= 0) AND (access_code <= '4294967295'::bigint))),
    CONSTRAINT platform_links_check CHECK (((direction = 'below'::text) OR ((host IS NOT NULL) AND (port IS NOT NULL)))),
    CONSTRAINT platform_links_check1 CHECK (((direction = 'above'::text) OR (networks <> '{}'::cidr[]))),
    CONSTRAINT platform_links_direction_check CHECK ((direction = ANY (ARRAY['above'::text, 'below'::text]))),
    CONSTRAINT platform_links_down_host_check CHECK ((length(down_host) <= 32)),
    CONSTRAINT platform_links_down_port_check CHECK (((down_port >= 0) AND (down_port <= 65535))),
    CONSTRAINT platform_links_edition_check CHECK ((edition = ANY (ARRAY[2011, 2019]))),
    CONSTRAINT platform_links_name_check CHECK ((name ~ '^[a-z][a-z0-9-]{0,31}$'::text)),
    CONSTRAINT platform_links_platform_id_check CHECK ((length(platform_id) <= 11)),
    CONSTRAINT platform_links_port_check CHECK (((port >= 1) AND (port <= 65535))),
    CONSTRAINT platform_links_units_check CHECK ((units <> '{}'::text[])),
    CONSTRAINT platform_links_user_id_check CHECK (((user_id >= 0) AND (user_id <= '4294967295'::bigint)))
);

COMMENT ON TABLE platform_links IS 'Other platforms, by JT/T 809.';

CREATE TABLE platform_secrets (
    link text NOT NULL,
    sealed bytea NOT NULL
);

CREATE TABLE platform_states (
    link text NOT NULL,
    main_since timestamp with time zone,
    main_ended_at timestamp with time zone,
    down_since timestamp with time zone,
    login_result smallint,
    login_at timestamp with time zone,
    last_error text,
    last_error_at timestamp with time zone,
    log_identity text DEFAULT ''::text NOT NULL,
    places jsonb DEFAULT '{}'::jsonb NOT NULL,
    confirmed_at timestamp with time zone,
    received_until timestamp with time zone,
    sent bigint DEFAULT 0 NOT NULL,
    resent bigint DEFAULT 0 NOT NULL,
    withheld bigint DEFAULT 0 NOT NULL,
    lost bigint DEFAULT 0 NOT NULL,
    said_taken bigint DEFAULT 0 NOT NULL,
    taken bigint DEFAULT 0 NOT NULL,
    refused jsonb DEFAULT '{}'::jsonb NOT NULL,
    last_refusal text
);

COMMENT ON TABLE platform_states IS 'How it goes with each link, and its place in the log.';

CREATE TABLE platform_supervisions (
    no bigint NOT NULL,
    link text NOT NULL,
    direction text NOT NULL,
    supervision_id bigint NOT NULL,
    plate text NOT NULL,
    colour smallint NOT NULL,
    vehicle text,
    case_id text,
    warn_source smallint NOT NULL,
    warn_type integer NOT NULL,
    warn_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    level smallint NOT NULL,
    supervisor text DEFAULT ''::text NOT NULL,
    phone text DEFAULT ''::text NOT NULL,
    email text DEFAULT ''::text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    told smallint,
    told_at timestamp with time zone,
    result smallint,
    result_at timestamp with time zone,
    CONSTRAINT platform_supervisions_check CHECK (((direction = 'received'::text) OR (case_id IS NOT NULL))),
    CONSTRAINT platform_supervisions_direction_check CHECK ((direction = ANY (ARRAY['received'::text, 'asked'::text]))),
    CONSTRAINT platform_supervisions_plate_check CHECK ((length(plate) <= 21)),
    CONSTRAINT platform_supervisions_supervision_id_check CHECK (((supervision_id >= 0) AND (supervision_id <= '4294967295'::bigint)))
);

COMMENT ON TABLE platform_supervisions IS 'Orders to deal with an alarm, from above and to below.';

ALTER TABLE platform_supervisions ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME platform_supervisions_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE platform_vehicles (
    link text NOT NULL,
    plate text NOT NULL,
    colour smallint NOT NULL,
    device jsonb,
    refused text,
    first_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT platform_vehicles_plate_check CHECK ((length(plate) <= 21))
);

COMMENT ON TABLE platform_vehicles IS 'Vehicles that platforms below have named.';

CREATE TABLE positions (
    terminal_no integer NOT NULL,
    device_time timestamp with time zone NOT NULL,
    fingerprint bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    lat_e6 integer NOT NULL,
    lon_e6 integer NOT NULL,
    altitude_m smallint NOT NULL,
    speed_dkmh integer NOT NULL,
    direction_deg integer NOT NULL,
    alarm integer NOT NULL,
    status integer NOT NULL,
    quality smallint NOT NULL,
    source smallint NOT NULL,
    odometer_dkm bigint,
    fuel_dl integer,
    recorder_speed_dkmh integer,
    radio smallint,
    satellites smallint,
    items bytea
)
PARTITION BY RANGE (device_time);

COMMENT ON TABLE positions IS 'One partition a UTC day, made by the worker; days before 2020 in positions_before_2020, others far from today in positions_default.';

CREATE TABLE positions_before_2020 (
    terminal_no integer CONSTRAINT positions_terminal_no_not_null NOT NULL,
    device_time timestamp with time zone CONSTRAINT positions_device_time_not_null NOT NULL,
    fingerprint bigint CONSTRAINT positions_fingerprint_not_null NOT NULL,
    received_at timestamp with time zone CONSTRAINT positions_received_at_not_null NOT NULL,
    lat_e6 integer CONSTRAINT positions_lat_e6_not_null NOT NULL,
    lon_e6 integer CONSTRAINT positions_lon_e6_not_null NOT NULL,
    altitude_m smallint CONSTRAINT positions_altitude_m_not_null NOT NULL,
    speed_dkmh integer CONSTRAINT positions_speed_dkmh_not_null NOT NULL,
    direction_deg integer CONSTRAINT positions_direction_deg_not_null NOT NULL,
    alarm integer CONSTRAINT positions_alarm_not_null NOT NULL,
    status integer CONSTRAINT positions_status_not_null NOT NULL,
    quality smallint CONSTRAINT positions_quality_not_null NOT NULL,
    source smallint CONSTRAINT positions_source_not_null NOT NULL,
    odometer_dkm bigint,
    fuel_dl integer,
    recorder_speed_dkmh integer,
    radio smallint,
    satellites smallint,
    items bytea
);

CREATE TABLE positions_default (
    terminal_no integer CONSTRAINT positions_terminal_no_not_null NOT NULL,
    device_time timestamp with time zone CONSTRAINT positions_device_time_not_null NOT NULL,
    fingerprint bigint CONSTRAINT positions_fingerprint_not_null NOT NULL,
    received_at timestamp with time zone CONSTRAINT positions_received_at_not_null NOT NULL,
    lat_e6 integer CONSTRAINT positions_lat_e6_not_null NOT NULL,
    lon_e6 integer CONSTRAINT positions_lon_e6_not_null NOT NULL,
    altitude_m smallint CONSTRAINT positions_altitude_m_not_null NOT NULL,
    speed_dkmh integer CONSTRAINT positions_speed_dkmh_not_null NOT NULL,
    direction_deg integer CONSTRAINT positions_direction_deg_not_null NOT NULL,
    alarm integer CONSTRAINT positions_alarm_not_null NOT NULL,
    status integer CONSTRAINT positions_status_not_null NOT NULL,
    quality smallint CONSTRAINT positions_quality_not_null NOT NULL,
    source smallint CONSTRAINT positions_source_not_null NOT NULL,
    odometer_dkm bigint,
    fuel_dl integer,
    recorder_speed_dkmh integer,
    radio smallint,
    satellites smallint,
    items bytea
);

CREATE TABLE process_samples (
    at timestamp with time zone NOT NULL,
    process text NOT NULL,
    instance text NOT NULL,
    version text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seconds real NOT NULL,
    leaving boolean DEFAULT false NOT NULL,
    decoded double precision,
    confirmed double precision,
    frames double precision,
    rejected double precision,
    append_failures double precision,
    pauses double precision,
    gateway_faults double precision,
    stored double precision,
    duplicate double precision,
    quarantined double precision,
    transactions_failed double precision,
    requests double precision,
    request_errors double precision,
    cpu_seconds double precision,
    connections double precision,
    authenticated double precision,
    budget_used double precision,
    budget_size double precision,
    lag_seconds double precision,
    lag_records double precision,
    quarantine_entries double precision,
    put_off double precision,
    recomputing double precision,
    judge_leads double precision,
    pending_changes double precision,
    seal_oldest double precision,
    delivery_oldest double precision,
    dead_letters double precision,
    exchange_oldest double precision,
    memory_bytes double precision,
    open_files double precision,
    most_files double precision,
    disk_free_bytes double precision,
    disk_size_bytes double precision,
    reply integer[],
    append integer[],
    delay integer[],
    rejects jsonb,
    CONSTRAINT process_samples_seconds_check CHECK ((seconds > (0)::double precision))
);

COMMENT ON TABLE process_samples IS 'Figures of each process, one row every ten seconds, of the last 25 hours.';

CREATE TABLE publication_answers (
    objection text NOT NULL,
    upheld boolean NOT NULL,
    reason text NOT NULL,
    answered_by text[] NOT NULL,
    answered_name text NOT NULL,
    answered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE publication_objections (
    id text NOT NULL,
    notice text NOT NULL,
    row_no integer,
    vehicle text,
    organisation text NOT NULL,
    person text NOT NULL,
    person_name text NOT NULL,
    reason text NOT NULL,
    raised_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT publication_objections_check CHECK (((row_no IS NULL) = (vehicle IS NULL))),
    CONSTRAINT publication_objections_row_no_check CHECK ((row_no > 0))
);

CREATE TABLE quarantine (
    id bigint NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    terminal_no integer,
    rows integer,
    stage text NOT NULL,
    error text NOT NULL,
    payload bytea NOT NULL,
    program text NOT NULL,
    set_aside_at timestamp with time zone NOT NULL,
    attempts integer DEFAULT 1 NOT NULL,
    tried_at timestamp with time zone NOT NULL,
    asked_at timestamp with time zone
);

CREATE TABLE quarantine_ended (
    id bigint NOT NULL,
    terminal_no integer,
    set_aside_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL
);

ALTER TABLE quarantine ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME quarantine_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE quotas (
    no bigint NOT NULL,
    organisation text NOT NULL,
    quota_class text NOT NULL,
    vehicles integer NOT NULL,
    valid_from date NOT NULL,
    approved_by text NOT NULL,
    paper_no text NOT NULL,
    note text NOT NULL,
    entered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    entered_by text NOT NULL,
    entered_by_name text NOT NULL,
    CONSTRAINT quotas_quota_class_check CHECK ((quota_class = ANY (ARRAY['confidential'::text, 'emergency'::text, 'enforcement'::text, 'special'::text, 'guaranteed'::text, 'other'::text]))),
    CONSTRAINT quotas_vehicles_check CHECK (((vehicles >= 0) AND (vehicles <= 100000)))
);

COMMENT ON TABLE quotas IS '编制: vehicles of a class that a unit may have, by the day from which it holds.';

ALTER TABLE quotas ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME quotas_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE recomputations (
    vehicle_no integer NOT NULL,
    seq bigint NOT NULL,
    urgency smallint NOT NULL,
    from_time timestamp with time zone NOT NULL,
    anew boolean NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL,
    begun timestamp with time zone,
    reached timestamp with time zone,
    state bytea,
    state_version smallint,
    found jsonb,
    attempts integer DEFAULT 0 NOT NULL,
    error text,
    retry_at timestamp with time zone,
    again_from timestamp with time zone,
    slices integer DEFAULT 0 NOT NULL,
    rest_until timestamp with time zone
);

ALTER TABLE recomputations ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME recomputations_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE reconciliation_acts (
    reconciliation text NOT NULL,
    version integer NOT NULL,
    step text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    persons text[] NOT NULL,
    actor_name text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    device text DEFAULT ''::text NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT reconciliation_acts_step_check CHECK ((step = ANY (ARRAY['match'::text, 'release'::text]))),
    CONSTRAINT reconciliation_acts_version_check CHECK ((version > 0))
);

CREATE TABLE reconciliation_lines (
    reconciliation text NOT NULL,
    no integer NOT NULL,
    side text NOT NULL,
    organisation text NOT NULL,
    item text,
    outcome text NOT NULL,
    flaws text[] NOT NULL,
    step text,
    peers integer[] NOT NULL,
    amount_fen bigint NOT NULL,
    body jsonb NOT NULL,
    standing text NOT NULL,
    act integer,
    CONSTRAINT reconciliation_lines_check CHECK (((side = 'platform'::text) = (item IS NOT NULL))),
    CONSTRAINT reconciliation_lines_no_check CHECK ((no > 0)),
    CONSTRAINT reconciliation_lines_side_check CHECK ((side = ANY (ARRAY['finance'::text, 'platform'::text])))
);

CREATE TABLE reconciliations (
    id text NOT NULL,
    organisation text NOT NULL,
    since text NOT NULL,
    until text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    made_by text NOT NULL,
    made_by_name text NOT NULL,
    source text NOT NULL,
    file_sha256 text NOT NULL,
    file_bytes bigint NOT NULL,
    items_sha256 text NOT NULL,
    result_sha256 text NOT NULL,
    parameters jsonb NOT NULL,
    counts jsonb NOT NULL,
    CONSTRAINT reconciliations_check CHECK (((until ~ '^20[0-9]{2}(0[1-9]|1[0-2])$'::text) AND (until >= since))),
    CONSTRAINT reconciliations_since_check CHECK ((since ~ '^20[0-9]{2}(0[1-9]|1[0-2])$'::text))
);

COMMENT ON TABLE reconciliations IS '对账: a file of vouchers against the ledger and the statements of a unit and those below it.';

CREATE TABLE recovery_codes (
    user_id text NOT NULL,
    sha256 bytea NOT NULL,
    used_at timestamp with time zone
);

CREATE TABLE rejected_records (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    reason text NOT NULL,
    headers jsonb NOT NULL,
    payload bytea NOT NULL,
    payload_bytes integer NOT NULL,
    rejected_at timestamp with time zone NOT NULL,
    CONSTRAINT rejected_records_payload_check CHECK ((octet_length(payload) <= 4096))
);

CREATE TABLE reminders (
    no bigint NOT NULL,
    key text NOT NULL,
    condition text NOT NULL,
    organisation text NOT NULL,
    vehicle text NOT NULL,
    vehicle_no integer NOT NULL,
    order_id text,
    about timestamp with time zone NOT NULL,
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    command bigint NOT NULL,
    CONSTRAINT reminders_condition_check CHECK ((condition = ANY (ARRAY['left_without_order'::text, 'order_overdue'::text, 'sealed_moved'::text, 'speed'::text])))
);

COMMENT ON TABLE reminders IS 'What drivers were reminded of by the program; how it went is in the command.';

ALTER TABLE reminders ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME reminders_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rental_numbers (
    pool text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL,
    CONSTRAINT rental_numbers_last_check CHECK ((last > 0))
);

CREATE TABLE rental_proof_vehicles (
    report text NOT NULL,
    number integer NOT NULL,
    vehicle text NOT NULL,
    plate text NOT NULL,
    organisation text NOT NULL,
    reasons jsonb NOT NULL
);

CREATE TABLE rental_proofs (
    report text NOT NULL,
    number integer NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    asked_by text NOT NULL,
    units text[] NOT NULL,
    looked_at integer NOT NULL,
    travel text NOT NULL,
    unknown jsonb NOT NULL,
    sha256 bytea NOT NULL,
    CONSTRAINT rental_proofs_looked_at_check CHECK ((looked_at >= 0)),
    CONSTRAINT rental_proofs_number_check CHECK ((number > 0)),
    CONSTRAINT rental_proofs_sha256_check CHECK ((octet_length(sha256) = 32))
);

CREATE TABLE rental_reports (
    id text NOT NULL,
    number text NOT NULL,
    organisation text NOT NULL,
    pool text NOT NULL,
    units text[] NOT NULL,
    request text NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    period_from timestamp with time zone NOT NULL,
    period_to timestamp with time zone NOT NULL,
    passengers integer NOT NULL,
    supplier text NOT NULL,
    contract text NOT NULL,
    vehicle_class text NOT NULL,
    seats integer NOT NULL,
    reason text NOT NULL,
    ceiling_fen bigint NOT NULL,
    reported_at timestamp with time zone NOT NULL,
    reported_by text NOT NULL,
    reporters text[] NOT NULL,
    reported_by_name text NOT NULL,
    decided_at timestamp with time zone,
    decided_by text,
    decided_by_name text,
    decision_reason text,
    plate text,
    vehicle text,
    taken_at timestamp with time zone,
    taken_by_name text,
    driver text,
    insured_fen bigint,
    driven_m bigint,
    amount_fen bigint,
    cost_entry text,
    settled_at timestamp with time zone,
    settled_by_name text,
    CONSTRAINT rental_reports_amount_fen_check CHECK ((amount_fen > 0)),
    CONSTRAINT rental_reports_ceiling_fen_check CHECK ((ceiling_fen > 0)),
    CONSTRAINT rental_reports_check CHECK ((period_to > period_from)),
    CONSTRAINT rental_reports_driven_m_check CHECK ((driven_m >= 0)),
    CONSTRAINT rental_reports_insured_fen_check CHECK ((insured_fen >= 0)),
    CONSTRAINT rental_reports_passengers_check CHECK ((passengers > 0)),
    CONSTRAINT rental_reports_seats_check CHECK ((seats > 0)),
    CONSTRAINT rental_reports_state_check CHECK ((state = ANY (ARRAY['reported'::text, 'approved'::text, 'refused'::text, 'withdrawn'::text, 'taken'::text, 'settled'::text]))),
    CONSTRAINT rental_reports_version_check CHECK ((version > 0))
);

COMMENT ON TABLE rental_reports IS '社会车辆租赁报备: what was asked, decided, taken and paid; who changed it when is in the audit.';

CREATE TABLE role_grants (
    id bigint NOT NULL,
    user_id text NOT NULL,
    role text NOT NULL,
    organisation text,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone,
    granted_at timestamp with time zone DEFAULT now() NOT NULL,
    granted_by text NOT NULL,
    taken_at timestamp with time zone,
    taken_by text,
    CONSTRAINT role_grants_check CHECK ((valid_to > valid_from))
);

ALTER TABLE role_grants ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME role_grants_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rule_parameters (
    rule text NOT NULL,
    name text NOT NULL,
    organisation text,
    value numeric NOT NULL,
    source text DEFAULT ''::text NOT NULL,
    effective_from timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE seal_blocks (
    stream text NOT NULL,
    number bigint NOT NULL,
    header text NOT NULL,
    keys text[] NOT NULL,
    sha256s bytea NOT NULL,
    sm3s bytea NOT NULL,
    sha256 bytea NOT NULL,
    sm3 bytea NOT NULL,
    key_id text NOT NULL,
    signature bytea NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    CONSTRAINT seal_blocks_number_check CHECK ((number > 0))
);

COMMENT ON TABLE seal_blocks IS 'Written by the sealer only. Who changes a row of it breaks the chain.';

CREATE TABLE seal_keys (
    id text NOT NULL,
    public bytea NOT NULL,
    previous text,
    signature bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT seal_keys_public_check CHECK ((octet_length(public) = 32))
);

CREATE TABLE seal_pending (
    no bigint NOT NULL,
    stream text NOT NULL,
    key text NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE seal_pending ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME seal_pending_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE secrecy_key (
    one boolean DEFAULT true NOT NULL,
    inner_pad bytea NOT NULL,
    outer_pad bytea NOT NULL,
    CONSTRAINT secrecy_key_inner_pad_check CHECK ((octet_length(inner_pad) = 64)),
    CONSTRAINT secrecy_key_one_check CHECK (one),
    CONSTRAINT secrecy_key_outer_pad_check CHECK ((octet_length(outer_pad) = 64))
);

CREATE TABLE sessions (
    id text NOT NULL,
    sha256 bytea NOT NULL,
    user_id text NOT NULL,
    method text NOT NULL,
    began_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    ended_why text,
    address text NOT NULL,
    agent text NOT NULL,
    CONSTRAINT sessions_method_check CHECK ((method = ANY (ARRAY['password'::text, 'password+code'::text, 'oidc'::text]))),
    CONSTRAINT sessions_sha256_check CHECK ((octet_length(sha256) = 32))
);

CREATE TABLE subscriptions (
    no bigint NOT NULL,
    owner_kind text NOT NULL,
    owner_id text NOT NULL,
    name text NOT NULL,
    organisations text[],
    rules text[],
    severities text[],
    statuses text[],
    envelope text DEFAULT 'plain'::text NOT NULL,
    committed bigint DEFAULT 0 NOT NULL,
    committed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT subscriptions_committed_check CHECK ((committed >= 0)),
    CONSTRAINT subscriptions_envelope_check CHECK ((envelope = ANY (ARRAY['plain'::text, 'cloudevents'::text]))),
    CONSTRAINT subscriptions_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'::text)),
    CONSTRAINT subscriptions_owner_kind_check CHECK ((owner_kind = ANY (ARRAY['user'::text, 'client'::text, 'token'::text, 'program'::text])))
);

ALTER TABLE subscriptions ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME subscriptions_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tariffs (
    organisation text NOT NULL,
    version integer NOT NULL,
    body jsonb NOT NULL,
    made_by text NOT NULL,
    made_by_name text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    valid_from date,
    activated_by_name text,
    activated_at timestamp with time zone,
    CONSTRAINT tariffs_check CHECK (((valid_from IS NULL) = (activated_at IS NULL))),
    CONSTRAINT tariffs_version_check CHECK ((version > 0))
);

CREATE TABLE tasks (
    id text NOT NULL,
    organisation text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    case_id text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone,
    done_by text,
    note text
);

CREATE TABLE terminal_areas (
    terminal_no integer NOT NULL,
    fence text NOT NULL,
    organisation text NOT NULL,
    vehicle text NOT NULL,
    area_id integer NOT NULL,
    wanted_version integer,
    wanted_shape text,
    holds_version integer,
    may_hold text[] DEFAULT '{}'::text[] NOT NULL,
    command bigint,
    command_sets integer,
    command_shape text,
    under_way boolean DEFAULT false NOT NULL,
    sure boolean DEFAULT true NOT NULL,
    refusal text,
    failure text,
    failures integer DEFAULT 0 NOT NULL,
    retry_at timestamp with time zone,
    settled_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE terminal_areas IS 'Which fence each terminal has to hold, and which it holds as far as it has confirmed.';

CREATE TABLE terminal_bindings (
    terminal_no integer NOT NULL,
    vehicle_no integer NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone,
    CONSTRAINT terminal_bindings_check CHECK (((valid_to IS NULL) OR (valid_to > valid_from)))
);

CREATE TABLE terminal_command_events (
    command bigint NOT NULL,
    number integer NOT NULL,
    step text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor text,
    actor_name text,
    reason text,
    detail jsonb,
    raw bytea,
    CONSTRAINT terminal_command_events_raw_check CHECK ((octet_length(raw) <= 65536))
);

COMMENT ON TABLE terminal_command_events IS 'The thread of each command: only added to.';

CREATE TABLE terminal_commands (
    no bigint NOT NULL,
    organisation text NOT NULL,
    vehicle text NOT NULL,
    terminal_no integer NOT NULL,
    kind text NOT NULL,
    fields jsonb DEFAULT '{}'::jsonb NOT NULL,
    reason text NOT NULL,
    asked_by text NOT NULL,
    asked_by_name text NOT NULL,
    persons text[] NOT NULL,
    key text NOT NULL,
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    events integer DEFAULT 0 NOT NULL,
    failure text,
    attempt integer DEFAULT 0 NOT NULL,
    gateway uuid,
    ended_at timestamp with time zone,
    CONSTRAINT terminal_commands_check CHECK (((state = 'failed'::text) = (failure IS NOT NULL))),
    CONSTRAINT terminal_commands_check1 CHECK (((state <> ALL (ARRAY['answered'::text, 'failed'::text, 'expired'::text, 'cancelled'::text])) OR (ended_at IS NOT NULL))),
    CONSTRAINT terminal_commands_key_check CHECK (((length(key) >= 1) AND (length(key) <= 64))),
    CONSTRAINT terminal_commands_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 500))),
    CONSTRAINT terminal_commands_state_check CHECK ((state = ANY (ARRAY['proposed'::text, 'queued'::text, 'sent'::text, 'delivered'::text, 'answered'::text, 'failed'::text, 'expired'::text, 'cancelled'::text])))
);

COMMENT ON TABLE terminal_commands IS 'Commands to terminals, each with what its thread comes to.';

ALTER TABLE terminal_commands ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME terminal_commands_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE terminal_gateways (
    id uuid NOT NULL,
    host text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    alive_until timestamp with time zone NOT NULL
);

COMMENT ON TABLE terminal_gateways IS 'Gateway processes; one that is late (alive_until) is gone.';

CREATE TABLE terminal_media (
    report bigint NOT NULL,
    terminal_no integer NOT NULL,
    media_id bigint NOT NULL,
    media_type smallint NOT NULL,
    format smallint NOT NULL,
    event smallint NOT NULL,
    channel smallint NOT NULL,
    content_type text NOT NULL,
    as_claimed boolean NOT NULL,
    bytes bigint NOT NULL,
    sha256 bytea NOT NULL,
    state text NOT NULL,
    CONSTRAINT terminal_media_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT terminal_media_state_check CHECK ((state = ANY (ARRAY['stored'::text, 'refused_full'::text, 'refused_terminal_full'::text, 'expired'::text])))
);

COMMENT ON TABLE terminal_media IS 'Pictures, sounds and films of terminals; refused_full and refused_terminal_full: there was no room, the file is not there.';

CREATE TABLE terminal_media_usage (
    terminal_no integer NOT NULL,
    bytes bigint NOT NULL,
    files bigint NOT NULL,
    CONSTRAINT terminal_media_usage_bytes_check CHECK ((bytes >= 0)),
    CONSTRAINT terminal_media_usage_files_check CHECK ((files >= 0))
);

CREATE TABLE terminal_notices (
    no bigint NOT NULL,
    terminal_no integer NOT NULL,
    kind text NOT NULL,
    about text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    times bigint DEFAULT 1 NOT NULL,
    first_at timestamp with time zone DEFAULT now() NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT terminal_notices_kind_check CHECK ((kind = ANY (ARRAY['clock_wrong'::text, 'device_refused'::text, 'device_accepted'::text, 'contradiction'::text, 'other_imei'::text, 'other_card'::text, 'datum_wrong'::text])))
);

ALTER TABLE terminal_notices ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME terminal_notices_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE terminal_presence (
    terminal_no integer NOT NULL,
    gateway uuid NOT NULL,
    since timestamp with time zone NOT NULL
)
WITH (fillfactor='70');

COMMENT ON TABLE terminal_presence IS 'Which gateway holds which terminal now.';

CREATE TABLE terminal_report_offsets (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    claim text DEFAULT ''::text NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE terminal_report_rebinds (
    no bigint NOT NULL,
    terminal_no integer NOT NULL
);

ALTER TABLE terminal_report_rebinds ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME terminal_report_rebinds_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE terminal_reports (
    no bigint NOT NULL,
    terminal_no integer NOT NULL,
    vehicle text,
    organisation text,
    kind text NOT NULL,
    message integer NOT NULL,
    edition smallint NOT NULL,
    serial integer NOT NULL,
    at timestamp with time zone NOT NULL,
    device_time timestamp with time zone,
    received_at timestamp with time zone NOT NULL,
    lat_e6 integer,
    lon_e6 integer,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    body bytea,
    body_bytes integer NOT NULL,
    fingerprint bytea NOT NULL,
    CONSTRAINT terminal_reports_check CHECK (((lat_e6 IS NULL) = (lon_e6 IS NULL))),
    CONSTRAINT terminal_reports_fingerprint_check CHECK ((octet_length(fingerprint) = 32))
);

COMMENT ON TABLE terminal_reports IS 'Messages of terminals that are no positions, each once.';

CREATE TABLE terminal_reports_aside (
    no bigint NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    number integer NOT NULL,
    terminal_no integer,
    message integer,
    why text NOT NULL,
    error text NOT NULL,
    body bytea NOT NULL,
    body_bytes integer NOT NULL,
    received_at timestamp with time zone,
    set_aside_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT terminal_reports_aside_why_check CHECK ((why = ANY (ARRAY['rejected'::text, 'fault'::text, 'record'::text])))
);

COMMENT ON TABLE terminal_reports_aside IS 'Reports that could not be stored, and why.';

ALTER TABLE terminal_reports_aside ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME terminal_reports_aside_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE terminal_reports ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME terminal_reports_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE terminals (
    no integer NOT NULL,
    phone text NOT NULL,
    manufacturer text DEFAULT ''::text NOT NULL,
    model text DEFAULT ''::text NOT NULL,
    device_id text DEFAULT ''::text NOT NULL,
    plate text DEFAULT ''::text NOT NULL,
    code_sha256 bytea,
    previous_sha256 bytea,
    registered_at timestamp with time zone,
    source text DEFAULT 'registry'::text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    office_said text[] DEFAULT '{}'::text[] NOT NULL,
    waiting_device text[],
    waiting_since timestamp with time zone,
    seen_at timestamp with time zone,
    home text DEFAULT reach_home(),
    edition smallint,
    imei text DEFAULT ''::text NOT NULL,
    iccid text DEFAULT ''::text NOT NULL,
    reported_imei text DEFAULT ''::text NOT NULL,
    reported_iccid text DEFAULT ''::text NOT NULL,
    reported_software text DEFAULT ''::text NOT NULL,
    CONSTRAINT terminals_code_sha256_check CHECK ((octet_length(code_sha256) = 32)),
    CONSTRAINT terminals_edition_check CHECK ((edition = ANY (ARRAY[2011, 2013, 2019]))),
    CONSTRAINT terminals_office_said_check CHECK ((office_said <@ '{manufacturer,model,device_id}'::text[])),
    CONSTRAINT terminals_phone_check CHECK ((phone ~ '^[0-9A-F]{1,20}$'::text)),
    CONSTRAINT terminals_previous_sha256_check CHECK ((octet_length(previous_sha256) = 32)),
    CONSTRAINT terminals_source_check CHECK ((source = ANY (ARRAY['registry'::text, 'auto'::text]))),
    CONSTRAINT terminals_waiting_device_check CHECK ((cardinality(waiting_device) = 4))
);

COMMENT ON TABLE terminals IS 'BeiDou terminals. no is the compact key that the log and positions carry.';

COMMENT ON COLUMN terminals.office_said IS 'Columns whose value is the office''s; the others say what registered last.';

COMMENT ON COLUMN terminals.waiting_device IS 'Manufacturer, model, device id and plate of another device that asks for this phone number.';

COMMENT ON COLUMN terminals.home IS 'organisations.id of the unit that it belongs to now; kept by triggers. Null = whoever reaches everywhere.';

COMMENT ON COLUMN terminals.imei IS 'The office''s word: only a device with this IMEI may authenticate (2019); empty = not checked.';

ALTER TABLE terminals ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME terminals_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE trip_cost_facts (
    dispatch_id text NOT NULL,
    version integer NOT NULL,
    units text[] NOT NULL,
    vehicle text NOT NULL,
    body jsonb NOT NULL,
    made_by text NOT NULL,
    made_by_name text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT trip_cost_facts_version_check CHECK ((version > 0))
);

CREATE TABLE trip_dispatch_events (
    paper text NOT NULL,
    version integer NOT NULL,
    step text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    persons text[] NOT NULL,
    actor_name text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    device text DEFAULT ''::text NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT trip_dispatch_events_version_check CHECK ((version > 0))
);

CREATE TABLE trip_dispatches (
    id text NOT NULL,
    organisation text NOT NULL,
    pool text NOT NULL,
    units text[] NOT NULL,
    number text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    vehicle text NOT NULL,
    vehicle_no integer NOT NULL,
    plate text NOT NULL,
    driver text,
    driver_name text,
    driver_phone text,
    driver_user text,
    planned_departure timestamp with time zone NOT NULL,
    planned_return timestamp with time zone NOT NULL,
    extended_return timestamp with time zone,
    actual_departure timestamp with time zone,
    actual_return timestamp with time zone,
    odometer_out_m bigint,
    odometer_in_m bigint,
    proposed_departure timestamp with time zone,
    proposed_return timestamp with time zone,
    overdue_at timestamp with time zone,
    listed boolean DEFAULT false NOT NULL,
    late_change boolean DEFAULT false NOT NULL,
    holds boolean NOT NULL,
    order_due boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    look_at timestamp with time zone,
    CONSTRAINT trip_dispatches_check CHECK ((planned_return > planned_departure)),
    CONSTRAINT trip_dispatches_check1 CHECK ((actual_return > actual_departure)),
    CONSTRAINT trip_dispatches_check2 CHECK ((odometer_in_m >= odometer_out_m)),
    CONSTRAINT trip_dispatches_kind_check CHECK ((kind = ANY (ARRAY['normal'::text, 'emergency'::text, 'backfill'::text]))),
    CONSTRAINT trip_dispatches_odometer_out_m_check CHECK ((odometer_out_m >= 0)),
    CONSTRAINT trip_dispatches_version_check CHECK ((version > 0))
);

COMMENT ON TABLE trip_dispatches IS '派车单: what its thread (trip_dispatch_events) comes to; each version of it that rules are to know is one of dispatch_orders.';

CREATE TABLE trip_links (
    dispatch_id text NOT NULL,
    request_id text NOT NULL
);

CREATE TABLE trip_numbers (
    paper text NOT NULL,
    organisation text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL,
    CONSTRAINT trip_numbers_last_check CHECK ((last > 0)),
    CONSTRAINT trip_numbers_paper_check CHECK ((paper = ANY (ARRAY['request'::text, 'dispatch'::text])))
);

CREATE TABLE trip_prices (
    dispatch_id text NOT NULL,
    version integer NOT NULL,
    units text[] NOT NULL,
    vehicle text NOT NULL,
    platform text NOT NULL,
    tariff_version integer NOT NULL,
    body jsonb NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT trip_prices_version_check CHECK ((version > 0))
);

CREATE TABLE trip_request_events (
    paper text NOT NULL,
    version integer NOT NULL,
    step text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    persons text[] NOT NULL,
    actor_name text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    device text DEFAULT ''::text NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT trip_request_events_version_check CHECK ((version > 0))
);

CREATE TABLE trip_requests (
    id text NOT NULL,
    organisation text NOT NULL,
    pool text NOT NULL,
    units text[] NOT NULL,
    number text,
    kind text NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    category text NOT NULL,
    purpose text NOT NULL,
    passengers integer NOT NULL,
    applicant_name text NOT NULL,
    persons text[] NOT NULL,
    deciders text[],
    approver_name text,
    planned_departure timestamp with time zone NOT NULL,
    planned_return timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    submitted_at timestamp with time zone,
    approved_at timestamp with time zone,
    paper_due timestamp with time zone,
    paper_late boolean DEFAULT false NOT NULL,
    against text,
    rating smallint,
    look_at timestamp with time zone,
    CONSTRAINT trip_requests_check CHECK ((planned_return > planned_departure)),
    CONSTRAINT trip_requests_kind_check CHECK ((kind = ANY (ARRAY['normal'::text, 'emergency'::text, 'backfill'::text]))),
    CONSTRAINT trip_requests_passengers_check CHECK ((passengers > 0)),
    CONSTRAINT trip_requests_rating_check CHECK (((rating >= 1) AND (rating <= 5))),
    CONSTRAINT trip_requests_version_check CHECK ((version > 0))
);

COMMENT ON TABLE trip_requests IS '用车申请单: what its thread (trip_request_events) comes to.';

CREATE TABLE trip_series (
    id text NOT NULL,
    organisation text NOT NULL,
    units text[] NOT NULL,
    rule jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_by text NOT NULL,
    created_by_name text NOT NULL
);

COMMENT ON TABLE trip_series IS '系列预约: a rhythm as it was asked for; never changed.';

CREATE TABLE trip_series_members (
    series text NOT NULL,
    no integer NOT NULL,
    request text NOT NULL,
    CONSTRAINT trip_series_members_no_check CHECK ((no > 0))
);

CREATE TABLE users (
    id text NOT NULL,
    name text NOT NULL,
    organisation text,
    phone text,
    email text,
    password_hash text,
    must_change_password boolean DEFAULT false NOT NULL,
    password_ends_at timestamp with time zone,
    password_changed_at timestamp with time zone,
    totp_secret bytea,
    totp_confirmed_at timestamp with time zone,
    totp_step bigint,
    disabled_at timestamp with time zone,
    disabled_by text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL
);

CREATE TABLE vehicle_act_events (
    act text NOT NULL,
    version integer NOT NULL,
    step text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    persons text[] NOT NULL,
    actor_name text NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT vehicle_act_events_version_check CHECK ((version > 0))
);

CREATE TABLE vehicle_act_numbers (
    organisation text NOT NULL,
    kind text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL,
    CONSTRAINT vehicle_act_numbers_last_check CHECK ((last > 0))
);

CREATE TABLE vehicle_acts (
    id text NOT NULL,
    kind text NOT NULL,
    organisation text NOT NULL,
    to_organisation text,
    units text[] NOT NULL,
    vehicle text NOT NULL,
    vehicle_no integer NOT NULL,
    plate text NOT NULL,
    number text NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    mode text,
    effective_on date,
    open boolean NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone,
    CONSTRAINT vehicle_acts_check CHECK ((((kind = 'transfer'::text) = (to_organisation IS NOT NULL)) AND ((kind = 'disposal'::text) = (mode IS NOT NULL)))),
    CONSTRAINT vehicle_acts_check1 CHECK ((to_organisation <> organisation)),
    CONSTRAINT vehicle_acts_kind_check CHECK ((kind = ANY (ARRAY['transfer'::text, 'disposal'::text]))),
    CONSTRAINT vehicle_acts_mode_check CHECK ((mode = ANY (ARRAY['scrap'::text, 'auction'::text, 'buy_back'::text, 'other'::text]))),
    CONSTRAINT vehicle_acts_version_check CHECK ((version > 0))
);

COMMENT ON TABLE vehicle_acts IS '调拨、处置: what its thread (vehicle_act_events) comes to.';

CREATE TABLE vehicle_day_states (
    vehicle_no integer NOT NULL,
    day date NOT NULL,
    state bytea NOT NULL,
    state_version smallint NOT NULL
);

CREATE TABLE vehicle_documents (
    id text NOT NULL,
    organisation text NOT NULL,
    vehicle text,
    driver text,
    paper text,
    maintenance text,
    kind text NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    size integer NOT NULL,
    sha256 bytea NOT NULL,
    received_sha256 bytea NOT NULL,
    uploaded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    uploaded_by text NOT NULL,
    uploaded_by_name text NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT vehicle_documents_check CHECK (((vehicle IS NULL) <> (driver IS NULL))),
    CONSTRAINT vehicle_documents_check1 CHECK (((paper IS NULL) OR (maintenance IS NULL))),
    CONSTRAINT vehicle_documents_received_sha256_check CHECK ((octet_length(received_sha256) = 32)),
    CONSTRAINT vehicle_documents_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT vehicle_documents_size_check CHECK ((size > 0))
);

COMMENT ON TABLE vehicle_documents IS 'Files at vehicles, with their SHA-256; kept for ever.';

CREATE TABLE vehicle_papers (
    id text NOT NULL,
    organisation text NOT NULL,
    vehicle text,
    driver text,
    kind text NOT NULL,
    number text NOT NULL,
    issuer text NOT NULL,
    classes text[] NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    amount_fen bigint,
    note text NOT NULL,
    entered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    entered_by text NOT NULL,
    entered_by_name text NOT NULL,
    voided_at timestamp with time zone,
    voided_by text,
    voided_by_name text,
    void_reason text,
    told smallint,
    look_on date,
    CONSTRAINT vehicle_papers_amount_fen_check CHECK ((amount_fen >= 0)),
    CONSTRAINT vehicle_papers_check CHECK ((valid_to >= valid_from)),
    CONSTRAINT vehicle_papers_check1 CHECK (((vehicle IS NULL) <> (driver IS NULL))),
    CONSTRAINT vehicle_papers_check2 CHECK (((driver IS NULL) = (kind <> 'licence'::text))),
    CONSTRAINT vehicle_papers_check3 CHECK (((kind = 'licence'::text) = (cardinality(classes) > 0))),
    CONSTRAINT vehicle_papers_check4 CHECK ((((voided_at IS NULL) = (void_reason IS NULL)) AND ((voided_at IS NULL) = (voided_by IS NULL)))),
    CONSTRAINT vehicle_papers_kind_check CHECK ((kind = ANY (ARRAY['inspection'::text, 'compulsory'::text, 'commercial'::text, 'licence'::text])))
);

COMMENT ON TABLE vehicle_papers IS '年检、保险、驾驶证: with the days on which they hold.';

CREATE TABLE vehicle_particulars (
    vehicle text NOT NULL,
    vin text,
    vin_note text NOT NULL,
    engine_no text NOT NULL,
    make_model text NOT NULL,
    body text NOT NULL,
    automatic boolean NOT NULL,
    colour text NOT NULL,
    seats integer,
    displacement_ml integer,
    power_w integer,
    price_fen bigint,
    bought_on date,
    fund text NOT NULL,
    asset_no text NOT NULL,
    marking text NOT NULL,
    marking_reason text NOT NULL,
    written_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT vehicle_particulars_displacement_ml_check CHECK ((displacement_ml > 0)),
    CONSTRAINT vehicle_particulars_marking_check CHECK ((marking = ANY (ARRAY[''::text, 'painted'::text, 'missing'::text, 'exempt'::text]))),
    CONSTRAINT vehicle_particulars_power_w_check CHECK ((power_w > 0)),
    CONSTRAINT vehicle_particulars_price_fen_check CHECK ((price_fen >= 0)),
    CONSTRAINT vehicle_particulars_seats_check CHECK ((seats > 0)),
    CONSTRAINT vehicle_particulars_vin_check CHECK ((vin ~ '^[0-9A-HJ-NPR-Z]{17}$'::text))
);

COMMENT ON TABLE vehicle_particulars IS '车辆登记信息: of each vehicle one row; who changed what is in the audit.';

CREATE TABLE vehicle_plates (
    vehicle_no integer NOT NULL,
    plate text NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone,
    CONSTRAINT vehicle_plates_check CHECK ((valid_to > valid_from))
);

COMMENT ON TABLE vehicle_plates IS 'History of vehicles.plate, by the times at which the register was told.';

CREATE TABLE vehicle_quota_places (
    no bigint NOT NULL,
    vehicle text NOT NULL,
    quota_class text NOT NULL,
    tier text NOT NULL,
    approved_by text NOT NULL,
    paper_no text NOT NULL,
    note text NOT NULL,
    entered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    entered_by text NOT NULL,
    entered_by_name text NOT NULL,
    CONSTRAINT vehicle_quota_places_quota_class_check CHECK ((quota_class = ANY (ARRAY['confidential'::text, 'emergency'::text, 'enforcement'::text, 'special'::text, 'guaranteed'::text, 'other'::text]))),
    CONSTRAINT vehicle_quota_places_tier_check CHECK ((tier = ANY (ARRAY['base'::text, 'need'::text, 'special_case'::text])))
);

COMMENT ON TABLE vehicle_quota_places IS '车辆的编制类别: the newest row of a vehicle counts.';

ALTER TABLE vehicle_quota_places ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vehicle_quota_places_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE vehicle_seals (
    no bigint NOT NULL,
    organisation text NOT NULL,
    vehicle text NOT NULL,
    sealed_from timestamp with time zone NOT NULL,
    sealed_to timestamp with time zone,
    reason text NOT NULL,
    written_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT vehicle_seals_check CHECK ((sealed_to >= sealed_from)),
    CONSTRAINT vehicle_seals_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 500)))
);

COMMENT ON TABLE vehicle_seals IS 'When vehicles are sealed (封存); of one vehicle one at a time.';

ALTER TABLE vehicle_seals ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vehicle_seals_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE vehicle_secrecy (
    no bigint NOT NULL,
    vehicle text NOT NULL,
    organisation text NOT NULL,
    step text NOT NULL,
    actor text NOT NULL,
    actor_name text NOT NULL,
    persons text[] NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT vehicle_secrecy_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 500))),
    CONSTRAINT vehicle_secrecy_step_check CHECK ((step = ANY (ARRAY['marked'::text, 'lift_asked'::text, 'lifted'::text])))
);

ALTER TABLE vehicle_secrecy ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vehicle_secrecy_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE vehicle_states (
    vehicle_no integer NOT NULL,
    state bytea NOT NULL,
    state_version smallint NOT NULL,
    watermark timestamp with time zone NOT NULL,
    last_lat_e6 integer,
    last_lon_e6 integer,
    last_fix_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE vehicles (
    no integer NOT NULL,
    id text NOT NULL,
    plate text NOT NULL,
    organisation text NOT NULL,
    category text DEFAULT ''::text NOT NULL,
    energy text DEFAULT 'petrol'::text NOT NULL,
    registered_on date,
    disposed_on date,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    ownership text DEFAULT 'owned'::text NOT NULL,
    report text DEFAULT ''::text NOT NULL,
    tank_ml bigint,
    battery_wh bigint,
    secret boolean DEFAULT false NOT NULL,
    CONSTRAINT vehicles_battery_wh_check CHECK ((battery_wh > 0)),
    CONSTRAINT vehicles_energy_check CHECK ((energy = ANY (ARRAY['petrol'::text, 'diesel'::text, 'electric'::text, 'hybrid'::text, 'gas'::text]))),
    CONSTRAINT vehicles_ownership_check CHECK ((ownership = ANY (ARRAY['owned'::text, 'rented'::text]))),
    CONSTRAINT vehicles_tank_ml_check CHECK ((tank_ml > 0))
);

COMMENT ON COLUMN vehicles.report IS 'number of the report (报备文号) of a rented vehicle';

COMMENT ON COLUMN vehicles.secret IS '涉密: plate, person, place and track are shown only to subjects with secret:read in its unit.';

ALTER TABLE vehicles ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vehicles_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE violations (
    id text NOT NULL,
    plate text NOT NULL,
    at timestamp with time zone NOT NULL,
    place text DEFAULT ''::text NOT NULL,
    act text DEFAULT ''::text NOT NULL,
    fine_fen bigint,
    points integer,
    status text DEFAULT 'open'::text NOT NULL,
    driver text,
    source text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    code text DEFAULT ''::text NOT NULL,
    lat double precision,
    lon double precision,
    datum text,
    lat_e6 integer,
    lon_e6 integer,
    CONSTRAINT violations_fine_fen_check CHECK ((fine_fen >= 0)),
    CONSTRAINT violations_points_check CHECK ((points >= 0)),
    CONSTRAINT violations_status_check CHECK ((status = ANY (ARRAY['open'::text, 'handled'::text, 'revoked'::text, 'appealed'::text])))
);

COMMENT ON COLUMN violations.lat_e6 IS '1e-6 degree WGS-84, of lat and lon in their datum';

CREATE TABLE voucher_mappings (
    organisation text NOT NULL,
    version integer NOT NULL,
    body jsonb NOT NULL,
    made_by text NOT NULL,
    made_by_name text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT voucher_mappings_version_check CHECK ((version > 0))
);

CREATE TABLE webhook_attempts (
    no bigint NOT NULL,
    delivery_no bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    took_ms integer NOT NULL,
    status integer,
    error text,
    answer text
);

ALTER TABLE webhook_attempts ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhook_attempts_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE webhook_deliveries (
    no bigint NOT NULL,
    subscription_no bigint NOT NULL,
    seq bigint NOT NULL,
    alert_id text NOT NULL,
    version integer NOT NULL,
    organisation text NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    lease uuid,
    leased_until timestamp with time zone,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT webhook_deliveries_seq_check CHECK ((seq > 0)),
    CONSTRAINT webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'delivered'::text, 'dead'::text, 'withheld'::text])))
);

COMMENT ON COLUMN webhook_deliveries.state IS 'withheld = the owner of the subscription may not see the unit of the alert any more.';

ALTER TABLE webhook_deliveries ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhook_deliveries_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE webhook_secrets (
    no bigint NOT NULL,
    subscription_no bigint NOT NULL,
    secret bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    sealed bytea,
    CONSTRAINT webhook_secrets_sealed CHECK (((secret IS NULL) <> (sealed IS NULL))),
    CONSTRAINT webhook_secrets_secret_check CHECK (((octet_length(secret) >= 24) AND (octet_length(secret) <= 64)))
);

COMMENT ON COLUMN webhook_secrets.secret IS 'As releases before migration 41 kept it; sealed and emptied by the first process that starts.';

ALTER TABLE webhook_secrets ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhook_secrets_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE webhook_tests (
    no bigint NOT NULL,
    subscription_no bigint NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    took_ms integer,
    status integer,
    error text,
    answer text
);

ALTER TABLE webhook_tests ALTER COLUMN no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhook_tests_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE webhooks (
    subscription_no bigint NOT NULL,
    url text NOT NULL,
    filled bigint NOT NULL,
    failing_since timestamp with time zone,
    disabled_at timestamp with time zone,
    disabled_reason text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhooks_check CHECK (((disabled_at IS NULL) = (disabled_reason IS NULL))),
    CONSTRAINT webhooks_filled_check CHECK ((filled >= 0)),
    CONSTRAINT webhooks_url_check CHECK ((length(url) <= 2000))
);

ALTER TABLE ONLY audit ATTACH PARTITION audit_default DEFAULT;

ALTER TABLE ONLY evaluations ATTACH PARTITION evaluations_default DEFAULT;

ALTER TABLE ONLY evidence ATTACH PARTITION evidence_default DEFAULT;

ALTER TABLE ONLY evidence ATTACH PARTITION evidence_of_alerts FOR VALUES FROM ('infinity') TO (MAXVALUE);

ALTER TABLE ONLY positions ATTACH PARTITION positions_before_2020 FOR VALUES FROM (MINVALUE) TO ('2020-01-01 00:00:00+00');

ALTER TABLE ONLY positions ATTACH PARTITION positions_default DEFAULT;

ALTER TABLE ONLY evaluations ALTER COLUMN id SET DEFAULT nextval('evaluations_id_seq'::regclass);

ALTER TABLE ONLY alert_dispositions
    ADD CONSTRAINT alert_dispositions_alert_id_id_key UNIQUE (alert_id, id);

ALTER TABLE ONLY alert_dispositions
    ADD CONSTRAINT alert_dispositions_pkey PRIMARY KEY (no);

ALTER TABLE ONLY alert_feed
    ADD CONSTRAINT alert_feed_alert_id_version_key UNIQUE (alert_id, version);

ALTER TABLE ONLY alert_feed
    ADD CONSTRAINT alert_feed_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY alert_labels
    ADD CONSTRAINT alert_labels_pkey PRIMARY KEY (id);

ALTER TABLE ONLY alert_reads
    ADD CONSTRAINT alert_reads_pkey PRIMARY KEY (reader, alert);

ALTER TABLE ONLY alert_receipts
    ADD CONSTRAINT alert_receipts_pkey PRIMARY KEY (alert_id, version, subject_kind, subject_id);

ALTER TABLE ONLY alert_versions
    ADD CONSTRAINT alert_versions_pkey PRIMARY KEY (alert_id, version);

ALTER TABLE ONLY alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY alerts
    ADD CONSTRAINT alerts_rule_subject_key UNIQUE (rule, subject);

ALTER TABLE ONLY api_tokens
    ADD CONSTRAINT api_tokens_pkey PRIMARY KEY (id);

ALTER TABLE ONLY api_tokens
    ADD CONSTRAINT api_tokens_sha256_key UNIQUE (sha256);

ALTER TABLE ONLY approval_tables
    ADD CONSTRAINT approval_tables_pkey PRIMARY KEY (organisation, version);

ALTER TABLE ONLY assessment_decisions
    ADD CONSTRAINT assessment_decisions_pkey PRIMARY KEY (dispute_id);

ALTER TABLE ONLY assessment_disputes
    ADD CONSTRAINT assessment_disputes_number_case_version_item_fact_key UNIQUE (number, case_version, item, fact);

ALTER TABLE ONLY assessment_disputes
    ADD CONSTRAINT assessment_disputes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY assessment_sheets
    ADD CONSTRAINT assessment_sheets_pkey PRIMARY KEY (organisation, period);

ALTER TABLE ONLY assessment_tables
    ADD CONSTRAINT assessment_tables_pkey PRIMARY KEY (organisation, year, version);

ALTER TABLE ONLY audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (at, no);

ALTER TABLE ONLY audit_default
    ADD CONSTRAINT audit_default_pkey PRIMARY KEY (at, no);

ALTER TABLE ONLY backtest_examples
    ADD CONSTRAINT backtest_examples_pkey PRIMARY KEY (backtest, kind, place);

ALTER TABLE ONLY backtests
    ADD CONSTRAINT backtests_pkey PRIMARY KEY (no);

ALTER TABLE ONLY calendar_days
    ADD CONSTRAINT calendar_days_pkey PRIMARY KEY (day);

ALTER TABLE ONLY call_back_draws
    ADD CONSTRAINT call_back_draws_organisation_period_key UNIQUE (organisation, period);

ALTER TABLE ONLY call_back_draws
    ADD CONSTRAINT call_back_draws_pkey PRIMARY KEY (id);

ALTER TABLE ONLY call_back_results
    ADD CONSTRAINT call_back_results_pkey PRIMARY KEY (no);

ALTER TABLE ONLY call_backs
    ADD CONSTRAINT call_backs_draw_rank_key UNIQUE (draw, rank);

ALTER TABLE ONLY call_backs
    ADD CONSTRAINT call_backs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY card_bindings
    ADD CONSTRAINT card_bindings_pkey PRIMARY KEY (card, valid_from);

ALTER TABLE ONLY card_bindings
    ADD CONSTRAINT card_bound_once EXCLUDE USING gist (int8range(hashtextextended(card, (0)::bigint), hashtextextended(card, (0)::bigint), '[]'::text) WITH &&, text_range(card, card, '[]'::text) WITH &&, tstzrange(valid_from, valid_to) WITH &&);

ALTER TABLE ONLY case_alert_news
    ADD CONSTRAINT case_alert_news_pkey PRIMARY KEY (no);

ALTER TABLE ONLY case_attachments
    ADD CONSTRAINT case_attachments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY case_events
    ADD CONSTRAINT case_events_pkey PRIMARY KEY (case_id, version);

ALTER TABLE ONLY case_links
    ADD CONSTRAINT case_links_pkey PRIMARY KEY (case_id, kind, ref);

ALTER TABLE ONLY case_numbers
    ADD CONSTRAINT case_numbers_pkey PRIMARY KEY (organisation, year);

ALTER TABLE ONLY cases
    ADD CONSTRAINT cases_number_key UNIQUE (number);

ALTER TABLE ONLY cases
    ADD CONSTRAINT cases_pkey PRIMARY KEY (id);

ALTER TABLE ONLY change_commits
    ADD CONSTRAINT change_commits_number_key UNIQUE (number);

ALTER TABLE ONLY change_commits
    ADD CONSTRAINT change_commits_pkey PRIMARY KEY (id);

ALTER TABLE ONLY change_readers
    ADD CONSTRAINT change_readers_pkey PRIMARY KEY (reader);

ALTER TABLE ONLY changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (commit_id, seq);

ALTER TABLE ONLY client_secrets
    ADD CONSTRAINT client_secrets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY client_secrets
    ADD CONSTRAINT client_secrets_sha256_key UNIQUE (sha256);

ALTER TABLE ONLY client_tokens
    ADD CONSTRAINT client_tokens_pkey PRIMARY KEY (sha256);

ALTER TABLE ONLY clients
    ADD CONSTRAINT clients_pkey PRIMARY KEY (id);

ALTER TABLE ONLY clock_corrections
    ADD CONSTRAINT clock_corrections_pkey PRIMARY KEY (id);

ALTER TABLE ONLY clock_corrections
    ADD CONSTRAINT clock_corrections_terminal_no_valid_from_key UNIQUE (terminal_no, valid_from, source);

ALTER TABLE ONLY clock_doubts
    ADD CONSTRAINT clock_doubts_pkey PRIMARY KEY (terminal_no, received_from);

ALTER TABLE ONLY cold_files
    ADD CONSTRAINT cold_files_pkey PRIMARY KEY (file);

ALTER TABLE ONLY cold_terminals
    ADD CONSTRAINT cold_terminals_pkey PRIMARY KEY (terminal_no);

ALTER TABLE ONLY cold_touched
    ADD CONSTRAINT cold_touched_pkey PRIMARY KEY (no);

ALTER TABLE ONLY complaint_reads
    ADD CONSTRAINT complaint_reads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY complaints
    ADD CONSTRAINT complaints_pkey PRIMARY KEY (id);

ALTER TABLE ONLY complaints
    ADD CONSTRAINT complaints_ticket_key UNIQUE (ticket);

ALTER TABLE ONLY cost_claims
    ADD CONSTRAINT cost_claims_pkey PRIMARY KEY (dispatch_id, request_id);

ALTER TABLE ONLY cost_entries
    ADD CONSTRAINT cost_entries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY cost_entries
    ADD CONSTRAINT cost_entries_reversed_by_key UNIQUE (reversed_by);

ALTER TABLE ONLY cost_entries
    ADD CONSTRAINT cost_entries_reverses_key UNIQUE (reverses);

ALTER TABLE ONLY cost_entry_versions
    ADD CONSTRAINT cost_entry_versions_pkey PRIMARY KEY (entry, version);

ALTER TABLE ONLY cost_statement_events
    ADD CONSTRAINT cost_statement_events_pkey PRIMARY KEY (statement, version);

ALTER TABLE ONLY cost_statement_lines
    ADD CONSTRAINT cost_statement_lines_pkey PRIMARY KEY (no);

ALTER TABLE ONLY cost_statements
    ADD CONSTRAINT cost_statements_number_key UNIQUE (number);

ALTER TABLE ONLY cost_statements
    ADD CONSTRAINT cost_statements_organisation_platform_period_take_key UNIQUE (organisation, platform, period, take);

ALTER TABLE ONLY cost_statements
    ADD CONSTRAINT cost_statements_pkey PRIMARY KEY (id);

ALTER TABLE ONLY delegations
    ADD CONSTRAINT delegations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY dispatch_orders
    ADD CONSTRAINT dispatch_orders_pkey PRIMARY KEY (id, version);

ALTER TABLE ONLY disposition_codes
    ADD CONSTRAINT disposition_codes_pkey PRIMARY KEY (code);

ALTER TABLE ONLY driver_accounts
    ADD CONSTRAINT driver_accounts_pkey PRIMARY KEY (driver);

ALTER TABLE ONLY driver_accounts
    ADD CONSTRAINT driver_accounts_user_id_key UNIQUE (user_id);

ALTER TABLE ONLY driver_card_events
    ADD CONSTRAINT driver_card_events_pkey PRIMARY KEY (report);

ALTER TABLE ONLY driver_facts
    ADD CONSTRAINT driver_facts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY driver_leave_events
    ADD CONSTRAINT driver_leave_events_pkey PRIMARY KEY (paper, version);

ALTER TABLE ONLY driver_leaves
    ADD CONSTRAINT driver_leaves_pkey PRIMARY KEY (id);

ALTER TABLE ONLY driver_objection_decisions
    ADD CONSTRAINT driver_objection_decisions_pkey PRIMARY KEY (objection);

ALTER TABLE ONLY driver_objections
    ADD CONSTRAINT driver_objections_driver_period_line_key UNIQUE (driver, period, line);

ALTER TABLE ONLY driver_objections
    ADD CONSTRAINT driver_objections_pkey PRIMARY KEY (id);

ALTER TABLE ONLY driver_rosters
    ADD CONSTRAINT driver_rosters_pkey PRIMARY KEY (no);

ALTER TABLE ONLY driver_score_tables
    ADD CONSTRAINT driver_score_tables_pkey PRIMARY KEY (organisation, version);

ALTER TABLE ONLY driver_sheets
    ADD CONSTRAINT driver_sheets_pkey PRIMARY KEY (driver, period);

ALTER TABLE ONLY drivers
    ADD CONSTRAINT drivers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY evaluations
    ADD CONSTRAINT evaluations_pkey PRIMARY KEY (id, evaluated_at);

ALTER TABLE ONLY evaluations_default
    ADD CONSTRAINT evaluations_default_pkey PRIMARY KEY (id, evaluated_at);

ALTER TABLE ONLY evidence
    ADD CONSTRAINT evidence_pkey PRIMARY KEY (sha256, month);

ALTER TABLE ONLY evidence_default
    ADD CONSTRAINT evidence_default_pkey PRIMARY KEY (sha256, month);

ALTER TABLE ONLY evidence_of_alerts
    ADD CONSTRAINT evidence_of_alerts_pkey PRIMARY KEY (sha256, month);

ALTER TABLE ONLY evidence_of_alerts
    ADD CONSTRAINT evidence_of_alerts_sha256_key UNIQUE (sha256);

ALTER TABLE ONLY evidence_positions
    ADD CONSTRAINT evidence_positions_pkey PRIMARY KEY (sha256);

ALTER TABLE ONLY exchange_arrivals
    ADD CONSTRAINT exchange_arrivals_pkey PRIMARY KEY (peer, kind);

ALTER TABLE ONLY exchange_notices
    ADD CONSTRAINT exchange_notices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY exchange_origins
    ADD CONSTRAINT exchange_origins_pkey PRIMARY KEY (origin);

ALTER TABLE ONLY exchange_peers
    ADD CONSTRAINT exchange_peers_pkey PRIMARY KEY (name);

ALTER TABLE ONLY exchange_queue
    ADD CONSTRAINT exchange_queue_pkey PRIMARY KEY (peer, kind, origin, id);

ALTER TABLE ONLY exchange_records
    ADD CONSTRAINT exchange_records_origin_kind_id_key UNIQUE (origin, kind, id);

ALTER TABLE ONLY exchange_records
    ADD CONSTRAINT exchange_records_pkey PRIMARY KEY (no);

ALTER TABLE ONLY exchange_secrets
    ADD CONSTRAINT exchange_secrets_pkey PRIMARY KEY (peer);

ALTER TABLE ONLY exchange_self
    ADD CONSTRAINT exchange_self_pkey PRIMARY KEY (one);

ALTER TABLE ONLY exchange_sent
    ADD CONSTRAINT exchange_sent_pkey PRIMARY KEY (peer, kind, origin, id);

ALTER TABLE ONLY exchange_states
    ADD CONSTRAINT exchange_states_pkey PRIMARY KEY (peer);

ALTER TABLE ONLY fence_areas
    ADD CONSTRAINT fence_areas_fence_key UNIQUE (fence);

ALTER TABLE ONLY fence_areas
    ADD CONSTRAINT fence_areas_pkey PRIMARY KEY (area_id);

ALTER TABLE ONLY fences
    ADD CONSTRAINT fences_pkey PRIMARY KEY (id, version);

ALTER TABLE ONLY fences_sent_down
    ADD CONSTRAINT fences_sent_down_pkey PRIMARY KEY (organisation, fence);

ALTER TABLE ONLY frame_watches
    ADD CONSTRAINT frame_watches_pkey PRIMARY KEY (id);

ALTER TABLE ONLY fuel_cards
    ADD CONSTRAINT fuel_cards_pkey PRIMARY KEY (id);

ALTER TABLE ONLY fuel_stations
    ADD CONSTRAINT fuel_stations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY fuel_transactions
    ADD CONSTRAINT fuel_transactions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (person, operation, key);

ALTER TABLE ONLY judge_clock
    ADD CONSTRAINT judge_clock_pkey PRIMARY KEY (gatherer);

ALTER TABLE ONLY judge_due
    ADD CONSTRAINT judge_due_pkey PRIMARY KEY (gatherer, key);

ALTER TABLE ONLY live_due
    ADD CONSTRAINT live_due_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY log_offsets
    ADD CONSTRAINT log_offsets_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY login_failures
    ADD CONSTRAINT login_failures_pkey PRIMARY KEY (key);

ALTER TABLE ONLY maintenance_events
    ADD CONSTRAINT maintenance_events_pkey PRIMARY KEY (paper, version);

ALTER TABLE ONLY maintenance_numbers
    ADD CONSTRAINT maintenance_numbers_pkey PRIMARY KEY (organisation, year);

ALTER TABLE ONLY maintenances
    ADD CONSTRAINT maintenances_number_key UNIQUE (number);

ALTER TABLE ONLY maintenances
    ADD CONSTRAINT maintenances_pkey PRIMARY KEY (id);

ALTER TABLE ONLY mended_rows
    ADD CONSTRAINT mended_rows_pkey PRIMARY KEY (no);

ALTER TABLE ONLY message_addresses
    ADD CONSTRAINT message_addresses_pkey PRIMARY KEY (channel_no);

ALTER TABLE ONLY message_budgets
    ADD CONSTRAINT message_budgets_pkey PRIMARY KEY (key);

ALTER TABLE ONLY message_channels
    ADD CONSTRAINT message_channels_id_key UNIQUE (id);

ALTER TABLE ONLY message_channels
    ADD CONSTRAINT message_channels_pkey PRIMARY KEY (no);

ALTER TABLE ONLY message_code_counts
    ADD CONSTRAINT message_code_counts_pkey PRIMARY KEY (subject);

ALTER TABLE ONLY message_fanout
    ADD CONSTRAINT message_fanout_pkey PRIMARY KEY (message_id);

ALTER TABLE ONLY message_lanes
    ADD CONSTRAINT message_lanes_pkey PRIMARY KEY (channel_no);

ALTER TABLE ONLY message_outbox
    ADD CONSTRAINT message_outbox_channel_no_message_id_key UNIQUE (channel_no, message_id);

ALTER TABLE ONLY message_outbox
    ADD CONSTRAINT message_outbox_pkey PRIMARY KEY (no);

ALTER TABLE ONLY message_quiet_hours
    ADD CONSTRAINT message_quiet_hours_pkey PRIMARY KEY (person);

ALTER TABLE ONLY message_reads
    ADD CONSTRAINT message_reads_pkey PRIMARY KEY (message_id, person);

ALTER TABLE ONLY messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY navigation_routes
    ADD CONSTRAINT navigation_routes_pkey PRIMARY KEY (key);

ALTER TABLE ONLY notice_numbers
    ADD CONSTRAINT notice_numbers_pkey PRIMARY KEY (organisation, year);

ALTER TABLE ONLY notice_receipts
    ADD CONSTRAINT notice_receipts_pkey PRIMARY KEY (notice, organisation, person);

ALTER TABLE ONLY notice_rows
    ADD CONSTRAINT notice_rows_pkey PRIMARY KEY (notice, no);

ALTER TABLE ONLY notices
    ADD CONSTRAINT notices_number_key UNIQUE (number);

ALTER TABLE ONLY notices
    ADD CONSTRAINT notices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY notices
    ADD CONSTRAINT notices_replaces_key UNIQUE (replaces);

ALTER TABLE ONLY oidc_links
    ADD CONSTRAINT oidc_links_pkey PRIMARY KEY (issuer, subject);

ALTER TABLE ONLY oidc_links
    ADD CONSTRAINT oidc_links_user_id_issuer_key UNIQUE (user_id, issuer);

ALTER TABLE ONLY oidc_logins
    ADD CONSTRAINT oidc_logins_pkey PRIMARY KEY (state_sha256);

ALTER TABLE ONLY driver_leaves
    ADD CONSTRAINT one_leave_of_driver EXCLUDE USING gist (int8range(hashtextextended(driver, (0)::bigint), hashtextextended(driver, (0)::bigint), '[]'::text) WITH &&, text_range(driver, driver, '[]'::text) WITH &&, tstzrange(since, until) WITH &&) WHERE ((state = ANY (ARRAY['asked'::text, 'approved'::text, 'ended'::text])));

ALTER TABLE ONLY trip_dispatches
    ADD CONSTRAINT one_trip_of_driver EXCLUDE USING gist (int8range(hashtextextended(driver, (0)::bigint), hashtextextended(driver, (0)::bigint), '[]'::text) WITH &&, text_range(driver, driver, '[]'::text) WITH &&, tstzrange(planned_departure, GREATEST(planned_return, extended_return)) WITH &&) WHERE ((holds AND (driver IS NOT NULL)));

ALTER TABLE ONLY trip_dispatches
    ADD CONSTRAINT one_trip_of_vehicle EXCLUDE USING gist (int8range((vehicle_no)::bigint, (vehicle_no)::bigint, '[]'::text) WITH &&, tstzrange(planned_departure, GREATEST(planned_return, extended_return)) WITH &&) WHERE (holds);

ALTER TABLE ONLY vehicle_plates
    ADD CONSTRAINT one_vehicle_of_plate EXCLUDE USING gist (int8range(hashtextextended(plate, (0)::bigint), hashtextextended(plate, (0)::bigint), '[]'::text) WITH &&, text_range(plate, plate, '[]'::text) WITH &&, tstzrange(valid_from, valid_to) WITH &&) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY fences
    ADD CONSTRAINT one_version_of_fence EXCLUDE USING gist (int8range(hashtextextended(id, (0)::bigint), hashtextextended(id, (0)::bigint), '[]'::text) WITH &&, text_range(id, id, '[]'::text) WITH &&, tstzrange(valid_from, valid_to) WITH &&);

ALTER TABLE ONLY order_results
    ADD CONSTRAINT order_results_pkey PRIMARY KEY (order_id);

ALTER TABLE ONLY order_track_times
    ADD CONSTRAINT order_track_times_pkey PRIMARY KEY (order_id, version);

ALTER TABLE ONLY organisations
    ADD CONSTRAINT organisations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY plate_swaps
    ADD CONSTRAINT plate_swaps_pkey PRIMARY KEY (no);

ALTER TABLE ONLY platform_colours
    ADD CONSTRAINT platform_colours_pkey PRIMARY KEY (vehicle);

ALTER TABLE ONLY platform_links
    ADD CONSTRAINT platform_links_pkey PRIMARY KEY (name);

ALTER TABLE ONLY platform_secrets
    ADD CONSTRAINT platform_secrets_pkey PRIMARY KEY (link);

ALTER TABLE ONLY platform_states
    ADD CONSTRAINT platform_states_pkey PRIMARY KEY (link);

ALTER TABLE ONLY platform_supervisions
    ADD CONSTRAINT platform_supervisions_link_direction_supervision_id_key UNIQUE (link, direction, supervision_id);

ALTER TABLE ONLY platform_supervisions
    ADD CONSTRAINT platform_supervisions_pkey PRIMARY KEY (no);

ALTER TABLE ONLY platform_vehicles
    ADD CONSTRAINT platform_vehicles_pkey PRIMARY KEY (link, plate, colour);

ALTER TABLE ONLY positions
    ADD CONSTRAINT positions_pkey PRIMARY KEY (terminal_no, device_time, fingerprint);

ALTER TABLE ONLY positions_before_2020
    ADD CONSTRAINT positions_before_2020_pkey PRIMARY KEY (terminal_no, device_time, fingerprint);

ALTER TABLE ONLY positions_default
    ADD CONSTRAINT positions_default_pkey PRIMARY KEY (terminal_no, device_time, fingerprint);

ALTER TABLE ONLY process_samples
    ADD CONSTRAINT process_samples_pkey PRIMARY KEY (at, process, instance);

ALTER TABLE ONLY publication_answers
    ADD CONSTRAINT publication_answers_pkey PRIMARY KEY (objection);

ALTER TABLE ONLY publication_objections
    ADD CONSTRAINT publication_objections_pkey PRIMARY KEY (id);

ALTER TABLE ONLY quarantine_ended
    ADD CONSTRAINT quarantine_ended_pkey PRIMARY KEY (id);

ALTER TABLE ONLY quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (id);

ALTER TABLE ONLY quotas
    ADD CONSTRAINT quotas_pkey PRIMARY KEY (no);

ALTER TABLE ONLY recomputations
    ADD CONSTRAINT recomputations_pkey PRIMARY KEY (vehicle_no);

ALTER TABLE ONLY reconciliation_acts
    ADD CONSTRAINT reconciliation_acts_pkey PRIMARY KEY (reconciliation, version);

ALTER TABLE ONLY reconciliation_lines
    ADD CONSTRAINT reconciliation_lines_pkey PRIMARY KEY (reconciliation, no);

ALTER TABLE ONLY reconciliations
    ADD CONSTRAINT reconciliations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, sha256);

ALTER TABLE ONLY rejected_records
    ADD CONSTRAINT rejected_records_pkey PRIMARY KEY (topic, partition, "offset");

ALTER TABLE ONLY reminders
    ADD CONSTRAINT reminders_command_key UNIQUE (command);

ALTER TABLE ONLY reminders
    ADD CONSTRAINT reminders_key_key UNIQUE (key);

ALTER TABLE ONLY reminders
    ADD CONSTRAINT reminders_pkey PRIMARY KEY (no);

ALTER TABLE ONLY rental_numbers
    ADD CONSTRAINT rental_numbers_pkey PRIMARY KEY (pool, year);

ALTER TABLE ONLY rental_proof_vehicles
    ADD CONSTRAINT rental_proof_vehicles_pkey PRIMARY KEY (report, number, vehicle);

ALTER TABLE ONLY rental_proofs
    ADD CONSTRAINT rental_proofs_pkey PRIMARY KEY (report, number);

ALTER TABLE ONLY rental_reports
    ADD CONSTRAINT rental_reports_number_key UNIQUE (number);

ALTER TABLE ONLY rental_reports
    ADD CONSTRAINT rental_reports_pkey PRIMARY KEY (id);

ALTER TABLE ONLY role_grants
    ADD CONSTRAINT role_grants_pkey PRIMARY KEY (id);

ALTER TABLE ONLY schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY seal_blocks
    ADD CONSTRAINT seal_blocks_pkey PRIMARY KEY (stream, number);

ALTER TABLE ONLY seal_keys
    ADD CONSTRAINT seal_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY seal_pending
    ADD CONSTRAINT seal_pending_pkey PRIMARY KEY (no);

ALTER TABLE ONLY secrecy_key
    ADD CONSTRAINT secrecy_key_pkey PRIMARY KEY (one);

ALTER TABLE ONLY sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY sessions
    ADD CONSTRAINT sessions_sha256_key UNIQUE (sha256);

ALTER TABLE ONLY subscriptions
    ADD CONSTRAINT subscriptions_owner_kind_owner_id_name_key UNIQUE (owner_kind, owner_id, name);

ALTER TABLE ONLY subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (no);

ALTER TABLE ONLY tariffs
    ADD CONSTRAINT tariffs_pkey PRIMARY KEY (organisation, version);

ALTER TABLE ONLY tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY terminal_areas
    ADD CONSTRAINT terminal_areas_pkey PRIMARY KEY (terminal_no, fence);

ALTER TABLE ONLY terminal_bindings
    ADD CONSTRAINT terminal_bindings_pkey PRIMARY KEY (terminal_no, valid_from);

ALTER TABLE ONLY terminal_command_events
    ADD CONSTRAINT terminal_command_events_pkey PRIMARY KEY (command, number);

ALTER TABLE ONLY terminal_commands
    ADD CONSTRAINT terminal_commands_asked_by_key_key UNIQUE (asked_by, key);

ALTER TABLE ONLY terminal_commands
    ADD CONSTRAINT terminal_commands_pkey PRIMARY KEY (no);

ALTER TABLE ONLY terminal_gateways
    ADD CONSTRAINT terminal_gateways_pkey PRIMARY KEY (id);

ALTER TABLE ONLY terminal_bindings
    ADD CONSTRAINT terminal_in_one_vehicle EXCLUDE USING gist (int8range((terminal_no)::bigint, (terminal_no)::bigint, '[]'::text) WITH &&, tstzrange(valid_from, valid_to) WITH &&);

ALTER TABLE ONLY terminal_media
    ADD CONSTRAINT terminal_media_pkey PRIMARY KEY (report);

ALTER TABLE ONLY terminal_media_usage
    ADD CONSTRAINT terminal_media_usage_pkey PRIMARY KEY (terminal_no);

ALTER TABLE ONLY terminal_notices
    ADD CONSTRAINT terminal_notices_pkey PRIMARY KEY (no);

ALTER TABLE ONLY terminal_notices
    ADD CONSTRAINT terminal_notices_terminal_no_kind_about_key UNIQUE (terminal_no, kind, about);

ALTER TABLE ONLY terminal_presence
    ADD CONSTRAINT terminal_presence_pkey PRIMARY KEY (terminal_no);

ALTER TABLE ONLY terminal_report_offsets
    ADD CONSTRAINT terminal_report_offsets_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY terminal_report_rebinds
    ADD CONSTRAINT terminal_report_rebinds_pkey PRIMARY KEY (no);

ALTER TABLE ONLY terminal_reports_aside
    ADD CONSTRAINT terminal_reports_aside_pkey PRIMARY KEY (no);

ALTER TABLE ONLY terminal_reports_aside
    ADD CONSTRAINT terminal_reports_aside_topic_partition_offset_number_key UNIQUE (topic, partition, "offset", number);

ALTER TABLE ONLY terminal_reports
    ADD CONSTRAINT terminal_reports_pkey PRIMARY KEY (no);

ALTER TABLE ONLY terminals
    ADD CONSTRAINT terminals_phone_key UNIQUE (phone);

ALTER TABLE ONLY terminals
    ADD CONSTRAINT terminals_pkey PRIMARY KEY (no);

ALTER TABLE ONLY trip_cost_facts
    ADD CONSTRAINT trip_cost_facts_pkey PRIMARY KEY (dispatch_id, version);

ALTER TABLE ONLY trip_dispatch_events
    ADD CONSTRAINT trip_dispatch_events_pkey PRIMARY KEY (paper, version);

ALTER TABLE ONLY trip_dispatches
    ADD CONSTRAINT trip_dispatches_number_key UNIQUE (number);

ALTER TABLE ONLY trip_dispatches
    ADD CONSTRAINT trip_dispatches_pkey PRIMARY KEY (id);

ALTER TABLE ONLY trip_links
    ADD CONSTRAINT trip_links_pkey PRIMARY KEY (dispatch_id, request_id);

ALTER TABLE ONLY trip_numbers
    ADD CONSTRAINT trip_numbers_pkey PRIMARY KEY (paper, organisation, year);

ALTER TABLE ONLY trip_prices
    ADD CONSTRAINT trip_prices_pkey PRIMARY KEY (dispatch_id, version);

ALTER TABLE ONLY trip_request_events
    ADD CONSTRAINT trip_request_events_pkey PRIMARY KEY (paper, version);

ALTER TABLE ONLY trip_requests
    ADD CONSTRAINT trip_requests_number_key UNIQUE (number);

ALTER TABLE ONLY trip_requests
    ADD CONSTRAINT trip_requests_pkey PRIMARY KEY (id);

ALTER TABLE ONLY trip_series_members
    ADD CONSTRAINT trip_series_members_pkey PRIMARY KEY (series, no);

ALTER TABLE ONLY trip_series_members
    ADD CONSTRAINT trip_series_members_request_key UNIQUE (request);

ALTER TABLE ONLY trip_series
    ADD CONSTRAINT trip_series_pkey PRIMARY KEY (id);

ALTER TABLE ONLY users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY vehicle_act_events
    ADD CONSTRAINT vehicle_act_events_pkey PRIMARY KEY (act, version);

ALTER TABLE ONLY vehicle_act_numbers
    ADD CONSTRAINT vehicle_act_numbers_pkey PRIMARY KEY (organisation, kind, year);

ALTER TABLE ONLY vehicle_acts
    ADD CONSTRAINT vehicle_acts_number_key UNIQUE (number);

ALTER TABLE ONLY vehicle_acts
    ADD CONSTRAINT vehicle_acts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY vehicle_day_states
    ADD CONSTRAINT vehicle_day_states_pkey PRIMARY KEY (vehicle_no, day);

ALTER TABLE ONLY vehicle_documents
    ADD CONSTRAINT vehicle_documents_pkey PRIMARY KEY (id);

ALTER TABLE ONLY vehicle_papers
    ADD CONSTRAINT vehicle_papers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY vehicle_particulars
    ADD CONSTRAINT vehicle_particulars_pkey PRIMARY KEY (vehicle);

ALTER TABLE ONLY vehicle_particulars
    ADD CONSTRAINT vehicle_particulars_vin_key UNIQUE (vin);

ALTER TABLE ONLY vehicle_plates
    ADD CONSTRAINT vehicle_plates_pkey PRIMARY KEY (vehicle_no, valid_from);

ALTER TABLE ONLY vehicle_quota_places
    ADD CONSTRAINT vehicle_quota_places_pkey PRIMARY KEY (no);

ALTER TABLE ONLY vehicle_seals
    ADD CONSTRAINT vehicle_seals_pkey PRIMARY KEY (no);

ALTER TABLE ONLY vehicle_secrecy
    ADD CONSTRAINT vehicle_secrecy_pkey PRIMARY KEY (no);

ALTER TABLE ONLY vehicle_states
    ADD CONSTRAINT vehicle_states_pkey PRIMARY KEY (vehicle_no);

ALTER TABLE ONLY vehicles
    ADD CONSTRAINT vehicles_no_key UNIQUE (no);

ALTER TABLE ONLY vehicles
    ADD CONSTRAINT vehicles_pkey PRIMARY KEY (id);

ALTER TABLE ONLY violations
    ADD CONSTRAINT violations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY voucher_mappings
    ADD CONSTRAINT voucher_mappings_pkey PRIMARY KEY (organisation, version);

ALTER TABLE ONLY webhook_attempts
    ADD CONSTRAINT webhook_attempts_pkey PRIMARY KEY (no);

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (no);

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_subscription_no_seq_key UNIQUE (subscription_no, seq);

ALTER TABLE ONLY webhook_secrets
    ADD CONSTRAINT webhook_secrets_pkey PRIMARY KEY (no);

ALTER TABLE ONLY webhook_tests
    ADD CONSTRAINT webhook_tests_pkey PRIMARY KEY (no);

ALTER TABLE ONLY webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (subscription_no);

CREATE INDEX alert_feed_created ON alert_feed USING btree (created_at, seq);

CREATE INDEX alert_labels_of ON alert_labels USING btree (alert_id, id DESC);

CREATE INDEX alert_reads_of ON alert_reads USING btree (alert);

CREATE INDEX alert_versions_evidence ON alert_versions USING btree (evidence_sha256);

CREATE INDEX alerts_by_case ON alerts USING btree (case_state, detected_at DESC, id);

CREATE INDEX alerts_by_finding ON alerts USING btree (finding, detected_at DESC, id);

CREATE INDEX alerts_card ON alerts USING btree (card) WHERE (card IS NOT NULL);

CREATE INDEX alerts_counted ON alerts USING btree (occurred_from) INCLUDE (organisation, rule, severity, status, case_state, finding, vehicle, driver, detected_at, occurred_to, vehicle_no, plate, card, order_id);

CREATE INDEX alerts_late ON alerts USING btree (occurred_from) WHERE ((detected_at - occurred_from) >= '48:00:00'::interval);

CREATE INDEX alerts_list ON alerts USING btree (detected_at DESC, id);

CREATE INDEX alerts_long ON alerts USING btree (COALESCE(occurred_to, 'infinity'::timestamp with time zone)) WHERE ((occurred_to IS NULL) OR ((occurred_to - occurred_from) >= '24:00:00'::interval));

CREATE INDEX alerts_of_driver ON alerts USING btree (driver, detected_at DESC, id) WHERE (driver IS NOT NULL);

CREATE INDEX alerts_of_events ON alerts USING btree (occurred_from DESC, id);

CREATE INDEX alerts_of_orders ON alerts USING btree (order_id) WHERE ((status = 'suspected'::text) AND (order_id IS NOT NULL));

CREATE INDEX alerts_of_organisation ON alerts USING btree (organisation, detected_at DESC, id);

CREATE INDEX alerts_of_rule ON alerts USING btree (rule, detected_at DESC, id);

CREATE INDEX alerts_of_severity ON alerts USING btree (severity, detected_at DESC, id);

CREATE INDEX alerts_of_units_began ON alerts USING btree (organisation, occurred_from);

CREATE INDEX alerts_of_vehicle ON alerts USING btree (vehicle, detected_at DESC, id);

CREATE INDEX alerts_suspected ON alerts USING btree (rule, subject) WHERE (status = 'suspected'::text);

CREATE INDEX alerts_updated ON alerts USING btree (updated_at, id);

CREATE INDEX alerts_vehicle ON alerts USING btree (vehicle_no, occurred_from);

CREATE INDEX alerts_withdrawn ON alerts USING btree (detected_at DESC, id) WHERE (status = 'withdrawn'::text);

CREATE INDEX alerts_withdrawn_of ON alerts USING btree (organisation, detected_at DESC, id) WHERE (status = 'withdrawn'::text);

CREATE UNIQUE INDEX approval_tables_one_active ON approval_tables USING btree (organisation) WHERE ((active_from IS NOT NULL) AND (active_to IS NULL));

CREATE INDEX assessment_disputes_listed ON assessment_disputes USING btree (raised_at DESC, id);

CREATE INDEX assessment_disputes_of_units ON assessment_disputes USING btree (organisation, raised_at DESC, id);

CREATE INDEX assessment_sheets_days ON assessment_sheets USING btree (last_day, organisation);

CREATE UNIQUE INDEX assessment_tables_one_draft ON assessment_tables USING btree (organisation, year) WHERE (valid_from IS NULL);

CREATE INDEX audit_organisation ON ONLY audit USING btree (organisation, at DESC, no DESC);

CREATE INDEX audit_default_organisation_at_no_idx ON audit_default USING btree (organisation, at DESC, no DESC);

CREATE INDEX audit_subject ON ONLY audit USING btree (subject_kind, subject_id, at DESC, no DESC);

CREATE INDEX audit_default_subject_kind_subject_id_at_no_idx ON audit_default USING btree (subject_kind, subject_id, at DESC, no DESC);

CREATE INDEX audit_vehicle ON ONLY audit USING btree (vehicle, at DESC, no DESC) WHERE (vehicle IS NOT NULL);

CREATE INDEX audit_default_vehicle_at_no_idx ON audit_default USING btree (vehicle, at DESC, no DESC) WHERE (vehicle IS NOT NULL);

CREATE INDEX audit_who ON ONLY audit USING btree (who_id, at DESC, no DESC);

CREATE INDEX audit_default_who_id_at_no_idx ON audit_default USING btree (who_id, at DESC, no DESC);

CREATE UNIQUE INDEX backtest_counts_once ON backtest_counts USING btree (backtest, kind, finding, COALESCE(organisation, ''::text), COALESCE(vehicle, ''::text));

CREATE INDEX backtests_ended ON backtests USING btree (ended_at) WHERE (state <> ALL (ARRAY['queued'::text, 'running'::text]));

CREATE INDEX backtests_of_unit ON backtests USING btree (organisation, no DESC);

CREATE INDEX backtests_open ON backtests USING btree (queued_at, no) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));

CREATE INDEX call_back_draws_listed ON call_back_draws USING btree (period DESC, id);

CREATE INDEX call_back_results_of ON call_back_results USING btree (call_back, no DESC);

CREATE INDEX card_bindings_plate ON card_bindings USING btree (plate, valid_from);

CREATE INDEX case_alert_news_of ON case_alert_news USING btree (case_id);

CREATE INDEX case_attachments_of ON case_attachments USING btree (case_id, uploaded_at, id);

CREATE INDEX case_events_closes ON case_events USING btree (at, case_id) WHERE (step = ANY (ARRAY['close'::text, 'reopen'::text, 'accept-rectification'::text]));

CREATE INDEX case_links_of_alerts ON case_links USING btree (ref, kind);

CREATE UNIQUE INDEX case_links_one_open ON case_links USING btree (ref) WHERE ((kind = 'alert'::text) AND open);

CREATE INDEX case_links_watched ON case_links USING btree (ref) WHERE ((kind = 'alert'::text) AND open AND (NOT noted));

CREATE INDEX cases_by_term ON cases USING btree (due_on DESC, id) WHERE (due_on IS NOT NULL);

CREATE INDEX cases_found ON cases USING btree (finding, created_at DESC, id) WHERE (finding IS NOT NULL);

CREATE INDEX cases_in_work ON cases USING btree (organisation) WHERE (state <> ALL (ARRAY['closed'::text, 'cancelled'::text]));

CREATE INDEX cases_issued ON cases USING btree (issued_at, organisation) WHERE (number IS NOT NULL);

CREATE INDEX cases_listed ON cases USING btree (created_at DESC, id);

CREATE INDEX cases_look ON cases USING btree (look_on, id) WHERE (look_on IS NOT NULL);

CREATE INDEX cases_of_findings ON cases USING btree (state, finding, created_at DESC, id) WHERE (finding IS NOT NULL);

CREATE INDEX cases_of_helpers ON cases USING gin (helpers) WHERE ((number IS NOT NULL) AND (helpers <> '{}'::text[]));

CREATE INDEX cases_of_sources ON cases USING btree (source, created_at DESC, id);

CREATE INDEX cases_of_states ON cases USING btree (state, created_at DESC, id);

CREATE INDEX cases_of_units ON cases USING btree (organisation, created_at DESC, id);

CREATE INDEX cases_proposed ON cases USING btree (proposal, created_at DESC, id) WHERE (proposal IS NOT NULL);

CREATE INDEX cases_states ON cases USING btree (state, organisation, source);

CREATE INDEX cases_undetermined ON cases USING btree (created_at DESC, id) WHERE undetermined;

CREATE INDEX cases_vehicle ON cases USING btree (vehicle, created_at DESC, id) WHERE (vehicle IS NOT NULL);

CREATE INDEX client_secrets_of_client ON client_secrets USING btree (client_id);

CREATE INDEX client_tokens_expire ON client_tokens USING btree (expires_at);

CREATE INDEX client_tokens_of_secret ON client_tokens USING btree (secret_id);

CREATE INDEX cold_files_left ON cold_files USING btree (changed_at) WHERE (state <> 'cold'::text);

CREATE INDEX cold_files_read ON cold_files USING btree (day, first_terminal, last_terminal) WHERE (state = 'cold'::text);

CREATE INDEX complaints_listed ON complaints USING btree (received_at DESC, id);

CREATE INDEX cost_claims_of ON cost_claims USING btree (statement);

CREATE INDEX cost_claims_released ON cost_claims USING btree (platform, organisation) WHERE (statement IS NULL);

CREATE INDEX cost_entries_booked ON cost_entries USING btree (organisation, period);

CREATE INDEX cost_entries_dispatch ON cost_entries USING btree (dispatch) WHERE (dispatch IS NOT NULL);

CREATE INDEX cost_entries_driver ON cost_entries USING btree (driver, occurred_on DESC, id) WHERE (driver IS NOT NULL);

CREATE INDEX cost_entries_finding ON cost_entries USING btree (occurred_on DESC, id) WHERE (finding IS NOT NULL);

CREATE UNIQUE INDEX cost_entries_invoice ON cost_entries USING btree (invoice_no, invoice_code) WHERE ((invoice_no <> ''::text) AND (reversed_by IS NULL));

CREATE INDEX cost_entries_kind ON cost_entries USING btree (kind, occurred_on DESC, id);

CREATE INDEX cost_entries_listed ON cost_entries USING btree (occurred_on DESC, id);

CREATE UNIQUE INDEX cost_entries_number ON cost_entries USING btree (organisation, entry_no) WHERE (entry_no IS NOT NULL);

CREATE INDEX cost_entries_of_units ON cost_entries USING btree (organisation, occurred_on DESC, id);

CREATE INDEX cost_entries_period ON cost_entries USING btree (period, occurred_on DESC, id);

CREATE INDEX cost_entries_vehicle ON cost_entries USING btree (vehicle, occurred_on DESC, id);

CREATE UNIQUE INDEX cost_statement_lines_corrected ON cost_statement_lines USING btree (corrects, kind) WHERE (corrects IS NOT NULL);

CREATE INDEX cost_statement_lines_of ON cost_statement_lines USING btree (statement, no);

CREATE INDEX cost_statement_lines_waiting ON cost_statement_lines USING btree (platform, organisation) WHERE (statement IS NULL);

CREATE INDEX cost_statements_listed ON cost_statements USING btree (period DESC, id);

CREATE INDEX cost_statements_of_platforms ON cost_statements USING btree (platform, period DESC, id);

CREATE INDEX cost_statements_of_units ON cost_statements USING btree (organisation, period DESC, id);

CREATE UNIQUE INDEX cost_statements_one ON cost_statements USING btree (organisation, platform, period) WHERE (state <> 'void'::text);

CREATE INDEX cost_statements_states ON cost_statements USING btree (state, period DESC, id);

CREATE INDEX delegations_of_grant ON delegations USING btree (grant_id);

CREATE INDEX delegations_to_user ON delegations USING btree (to_user);

CREATE INDEX dispatch_orders_departure ON dispatch_orders USING btree (planned_departure) WHERE is_current;

CREATE INDEX dispatch_orders_driver ON dispatch_orders USING btree (driver, planned_departure);

CREATE INDEX dispatch_orders_ended ON dispatch_orders USING btree (GREATEST(planned_return, extended_return, actual_return)) WHERE is_current;

CREATE INDEX dispatch_orders_exchanged ON dispatch_orders USING btree (id) WHERE (exchanges <> '[]'::jsonb);

CREATE INDEX dispatch_orders_left ON dispatch_orders USING btree (actual_departure) WHERE is_newest;

CREATE INDEX dispatch_orders_open ON dispatch_orders USING btree (vehicle) WHERE (is_current AND (status = ANY (ARRAY['approved'::text, 'departed'::text])));

CREATE INDEX dispatch_orders_organisation ON dispatch_orders USING btree (organisation, id);

CREATE INDEX dispatch_orders_out ON dispatch_orders USING btree (GREATEST(planned_return, extended_return)) WHERE (is_current AND (status = ANY (ARRAY['approved'::text, 'departed'::text])));

CREATE INDEX dispatch_orders_parts ON dispatch_orders USING btree (part_of) WHERE (part_of IS NOT NULL);

CREATE INDEX dispatch_orders_planned ON dispatch_orders USING btree (planned_departure, id) WHERE (is_newest AND (part_of IS NULL));

CREATE INDEX dispatch_orders_vehicle ON dispatch_orders USING btree (vehicle, planned_departure);

CREATE INDEX dispatch_orders_waiting ON dispatch_orders USING btree (vehicle) WHERE (is_newest AND (NOT counts));

CREATE INDEX driver_facts_of ON driver_facts USING btree (driver, day, id);

CREATE UNIQUE INDEX driver_facts_once ON driver_facts USING btree (driver, kind, day, reference) WHERE (voided_at IS NULL);

CREATE INDEX driver_leaves_listed ON driver_leaves USING btree (since DESC, id);

CREATE INDEX driver_leaves_of ON driver_leaves USING btree (driver, since DESC, id);

CREATE INDEX driver_leaves_of_units ON driver_leaves USING btree (organisation, since DESC, id);

CREATE INDEX driver_leaves_states ON driver_leaves USING btree (state, since DESC, id);

CREATE INDEX driver_rosters_newest ON driver_rosters USING btree (driver, no DESC);

CREATE INDEX driver_rosters_of ON driver_rosters USING btree (driver, kind, first_day, no);

CREATE INDEX driver_sheets_listed ON driver_sheets USING btree (period, driver);

CREATE INDEX drivers_by_name ON drivers USING btree (name, id);

CREATE INDEX evaluations_time ON ONLY evaluations USING btree (evaluated_at DESC, id DESC);

CREATE INDEX evaluations_default_evaluated_at_id_idx ON evaluations_default USING btree (evaluated_at DESC, id DESC);

CREATE INDEX evaluations_rule ON ONLY evaluations USING btree (rule, evaluated_at DESC, id DESC);

CREATE INDEX evaluations_default_rule_evaluated_at_id_idx ON evaluations_default USING btree (rule, evaluated_at DESC, id DESC);

CREATE INDEX evaluations_subject ON ONLY evaluations USING btree (subject, rule, id DESC);

CREATE INDEX evaluations_default_subject_rule_id_idx ON evaluations_default USING btree (subject, rule, id DESC);

CREATE INDEX evaluations_vehicle ON ONLY evaluations USING btree (vehicle_no, evaluated_at DESC, id DESC);

CREATE INDEX evaluations_default_vehicle_no_evaluated_at_id_idx ON evaluations_default USING btree (vehicle_no, evaluated_at DESC, id DESC);

CREATE INDEX evidence_default_month ON evidence_default USING btree (month);

CREATE INDEX exchange_notices_listed ON exchange_notices USING btree (published_at DESC, id);

CREATE UNIQUE INDEX exchange_peers_client ON exchange_peers USING btree (client_id) WHERE (direction = 'below'::text);

CREATE INDEX exchange_queue_next ON exchange_queue USING btree (peer, urgency, ticket) WHERE (refused_code IS NULL);

CREATE INDEX exchange_queue_oldest ON exchange_queue USING btree (peer, kind, noted_at) WHERE (refused_code IS NULL);

CREATE INDEX exchange_queue_refused ON exchange_queue USING btree (peer, refused_at, kind, origin, id) WHERE (refused_code IS NOT NULL);

CREATE INDEX exchange_records_gone ON exchange_records USING btree (received_at) WHERE (payload IS NULL);

CREATE INDEX exchange_records_listed ON exchange_records USING btree (kind, happened_at DESC, no DESC);

CREATE INDEX exchange_records_of_units ON exchange_records USING btree (organisation, kind, happened_at DESC, no DESC);

CREATE INDEX exchange_records_peer ON exchange_records USING btree (peer, kind);

CREATE INDEX exchange_records_units ON exchange_records USING btree (id) WHERE (kind = 'unit'::text);

CREATE INDEX exchange_sent_gone ON exchange_sent USING btree (confirmed_at) WHERE (gone AND confirmed);

CREATE INDEX fences_organisation ON fences USING btree (organisation);

CREATE INDEX fences_vehicles ON fences USING gin (vehicles);

CREATE INDEX fuel_stations_by_name ON fuel_stations USING btree (name, id);

CREATE INDEX fuel_transactions_by_time ON fuel_transactions USING btree (at, id);

CREATE INDEX fuel_transactions_card ON fuel_transactions USING btree (card, at);

CREATE INDEX fuel_transactions_reverses ON fuel_transactions USING btree (reverses) WHERE (reverses IS NOT NULL);

CREATE INDEX fuel_transactions_station ON fuel_transactions USING btree (station);

CREATE INDEX fuel_transactions_unmatched ON fuel_transactions USING btree (id) WHERE ((station IS NULL) AND (station_name <> ''::text));

CREATE INDEX idempotency_keys_old ON idempotency_keys USING btree (made_at);

CREATE INDEX judge_due_order ON judge_due USING btree (gatherer, due_at);

CREATE INDEX judge_due_vehicle ON judge_due USING btree (vehicle_no) WHERE (vehicle_no IS NOT NULL);

CREATE INDEX judge_due_waiting ON judge_due USING btree (gatherer, key) WHERE (waits_for <> ''::text);

CREATE INDEX live_due_vehicle ON live_due USING btree (vehicle_no, seq);

CREATE INDEX login_failures_last ON login_failures USING btree (last_at);

CREATE INDEX maintenances_in_shop ON maintenances USING btree (vehicle) WHERE in_shop;

CREATE UNIQUE INDEX maintenances_invoice ON maintenances USING btree (shop, invoice) WHERE ((invoice IS NOT NULL) AND (state <> 'cancelled'::text));

CREATE INDEX maintenances_listed ON maintenances USING btree (reported_at, id);

CREATE INDEX maintenances_of_units ON maintenances USING btree (organisation, reported_at, id);

CREATE INDEX maintenances_states ON maintenances USING btree (state, reported_at, id);

CREATE INDEX maintenances_vehicle ON maintenances USING btree (vehicle, reported_at, id);

CREATE INDEX message_channels_of_persons ON message_channels USING btree (person) WHERE (person IS NOT NULL);

CREATE INDEX message_channels_of_units ON message_channels USING btree (organisation) WHERE (organisation IS NOT NULL);

CREATE INDEX message_lanes_waiting ON message_lanes USING btree (not_before) WHERE (waits_since IS NOT NULL);

CREATE INDEX message_outbox_dead ON message_outbox USING btree (no DESC) WHERE (state = 'dead'::text);

CREATE INDEX message_outbox_ended ON message_outbox USING btree (ended_at) WHERE (ended_at IS NOT NULL);

CREATE INDEX message_outbox_listed ON message_outbox USING btree (channel_no, no DESC);

CREATE INDEX message_outbox_oldest ON message_outbox USING btree (since) WHERE (state = 'waiting'::text);

CREATE INDEX message_outbox_waiting ON message_outbox USING btree (channel_no, no) WHERE (state = 'waiting'::text);

CREATE INDEX messages_of ON messages USING btree (permission, organisation, id DESC);

CREATE INDEX messages_of_persons ON messages USING btree (person, id DESC) WHERE (person IS NOT NULL);

CREATE INDEX navigation_routes_newest ON navigation_routes USING btree (engine, answered_at DESC);

CREATE INDEX navigation_routes_used ON navigation_routes USING btree (used_on);

CREATE INDEX notice_receipts_listed ON notice_receipts USING btree (notice, read_at, person);

CREATE INDEX notices_kinds ON notices USING btree (kind, published_at, id);

CREATE INDEX notices_listed ON notices USING btree (published_at, id);

CREATE INDEX notices_standing ON notices USING btree (organisation, kind) WHERE ((withdrawn_at IS NULL) AND (kind <> 'notice'::text));

CREATE INDEX notices_units ON notices USING gin (units);

CREATE INDEX oidc_logins_began ON oidc_logins USING btree (began_at);

CREATE UNIQUE INDEX one_current_version_of_order ON dispatch_orders USING btree (id) WHERE is_current;

CREATE UNIQUE INDEX one_newest_version_of_order ON dispatch_orders USING btree (id) WHERE is_newest;

CREATE UNIQUE INDEX one_plate_of_vehicle ON vehicle_plates USING btree (vehicle_no) WHERE (valid_to IS NULL);

CREATE INDEX order_results_unsettled ON order_results USING btree (returned_at) WHERE ((state = 'running'::text) AND (returned_at IS NOT NULL));

CREATE INDEX organisations_parent ON organisations USING btree (parent);

CREATE INDEX plate_swaps_of ON plate_swaps USING btree (vehicle, no DESC);

CREATE UNIQUE INDEX platform_links_code ON platform_links USING btree (access_code) WHERE (direction = 'below'::text);

CREATE INDEX platform_supervisions_cases ON platform_supervisions USING btree (case_id) WHERE (case_id IS NOT NULL);

CREATE INDEX platform_supervisions_open ON platform_supervisions USING btree (link, no) WHERE ((told IS NULL) OR (told = ANY (ARRAY[0, 3])));

CREATE INDEX positions_before_2020_received_at ON positions_before_2020 USING btree (received_at);

CREATE INDEX positions_default_device_time ON positions_default USING btree (device_time);

CREATE INDEX positions_default_received_at ON positions_default USING btree (received_at);

CREATE INDEX publication_objections_listed ON publication_objections USING btree (raised_at, id);

CREATE INDEX publication_objections_notice ON publication_objections USING btree (notice, raised_at, id);

CREATE UNIQUE INDEX publication_objections_once ON publication_objections USING btree (notice, person, COALESCE(row_no, 0));

CREATE INDEX quarantine_age ON quarantine USING btree (set_aside_at);

CREATE INDEX quarantine_asked ON quarantine USING btree (asked_at, id) WHERE (asked_at IS NOT NULL);

CREATE INDEX quotas_of ON quotas USING btree (organisation, quota_class, valid_from DESC, no DESC);

CREATE INDEX recomputations_failed ON recomputations USING btree (retry_at) WHERE (retry_at IS NOT NULL);

CREATE INDEX recomputations_longest ON recomputations USING btree (seq);

CREATE INDEX recomputations_order ON recomputations USING btree (urgency, (
CASE
    WHEN (urgency < 2) THEN (slices / 16)
    ELSE 0
END), ((begun IS NULL)), seq);

CREATE INDEX reconciliation_lines_act ON reconciliation_lines USING btree (reconciliation, act) WHERE (act IS NOT NULL);

CREATE INDEX reconciliation_lines_item ON reconciliation_lines USING btree (item) WHERE (item IS NOT NULL);

CREATE INDEX reconciliation_lines_standing ON reconciliation_lines USING btree (reconciliation, standing, no);

CREATE INDEX reconciliations_listed ON reconciliations USING btree (made_at DESC, id);

CREATE INDEX reconciliations_of_units ON reconciliations USING btree (organisation, made_at DESC, id);

CREATE INDEX rejected_records_age ON rejected_records USING btree (rejected_at);

CREATE INDEX reminders_order ON reminders USING btree (order_id) WHERE (order_id IS NOT NULL);

CREATE INDEX reminders_organisation ON reminders USING btree (organisation, no DESC);

CREATE INDEX reminders_recent ON reminders USING btree (vehicle_no, condition, asked_at);

CREATE INDEX reminders_vehicle ON reminders USING btree (vehicle_no, about);

CREATE INDEX rental_proof_vehicles_of ON rental_proof_vehicles USING btree (vehicle);

CREATE INDEX rental_reports_ends ON rental_reports USING btree (period_to) WHERE (state = ANY (ARRAY['taken'::text, 'settled'::text]));

CREATE INDEX rental_reports_listed ON rental_reports USING btree (reported_at, id);

CREATE UNIQUE INDEX rental_reports_of_request ON rental_reports USING btree (request) WHERE (state <> ALL (ARRAY['refused'::text, 'withdrawn'::text]));

CREATE INDEX rental_reports_plates ON rental_reports USING btree (organisation, plate, period_from) WHERE (plate IS NOT NULL);

CREATE INDEX rental_reports_states ON rental_reports USING btree (state, reported_at, id);

CREATE INDEX rental_reports_units ON rental_reports USING gin (units);

CREATE INDEX role_grants_of_user ON role_grants USING btree (user_id);

CREATE UNIQUE INDEX rule_parameters_key ON rule_parameters USING btree (rule, name, COALESCE(organisation, ''::text), effective_from);

CREATE INDEX seal_blocks_keys ON seal_blocks USING gin (keys);

CREATE INDEX seal_pending_next ON seal_pending USING btree (stream, no);

CREATE INDEX sessions_of_user ON sessions USING btree (user_id, seen_at DESC);

CREATE INDEX sessions_seen ON sessions USING btree (seen_at);

CREATE UNIQUE INDEX tariffs_valid ON tariffs USING btree (organisation, valid_from) WHERE (valid_from IS NOT NULL);

CREATE INDEX tasks_listed ON tasks USING btree (opened_at DESC, id);

CREATE INDEX terminal_areas_fence ON terminal_areas USING btree (fence, terminal_no);

CREATE INDEX terminal_areas_under_way ON terminal_areas USING btree (command) WHERE under_way;

CREATE INDEX terminal_bindings_vehicle ON terminal_bindings USING btree (vehicle_no, valid_from);

CREATE INDEX terminal_commands_ends ON terminal_commands USING btree (expires_at) WHERE (state = ANY (ARRAY['proposed'::text, 'queued'::text]));

CREATE INDEX terminal_commands_kind ON terminal_commands USING btree (kind, no DESC);

CREATE UNIQUE INDEX terminal_commands_one_sent ON terminal_commands USING btree (terminal_no) WHERE (state = 'sent'::text);

CREATE INDEX terminal_commands_organisation ON terminal_commands USING btree (organisation, no DESC);

CREATE INDEX terminal_commands_queued ON terminal_commands USING btree (terminal_no, no) WHERE (state = 'queued'::text);

CREATE INDEX terminal_commands_state ON terminal_commands USING btree (state, no DESC);

CREATE INDEX terminal_commands_under_way ON terminal_commands USING btree (gateway) WHERE ((state = ANY (ARRAY['sent'::text, 'delivered'::text])) AND (ended_at IS NULL));

CREATE INDEX terminal_commands_vehicle ON terminal_commands USING btree (vehicle, no DESC);

CREATE INDEX terminal_media_stored ON terminal_media USING btree (sha256) WHERE (state = 'stored'::text);

CREATE INDEX terminal_notices_open ON terminal_notices USING btree (kind, terminal_no) WHERE (settled_at IS NULL);

CREATE INDEX terminal_presence_gateway ON terminal_presence USING btree (gateway);

CREATE INDEX terminal_reports_age ON terminal_reports USING btree (received_at);

CREATE INDEX terminal_reports_aside_age ON terminal_reports_aside USING btree (set_aside_at);

CREATE INDEX terminal_reports_kind ON terminal_reports USING btree (kind, no DESC);

CREATE INDEX terminal_reports_known ON terminal_reports USING btree (terminal_no, fingerprint);

CREATE INDEX terminal_reports_organisation ON terminal_reports USING btree (organisation, kind, no DESC);

CREATE INDEX terminal_reports_vehicle ON terminal_reports USING btree (vehicle, kind, no DESC);

CREATE INDEX terminals_updated ON terminals USING btree (updated_at);

CREATE INDEX trip_dispatches_driven ON trip_dispatches USING btree (driver, actual_departure) WHERE (driver IS NOT NULL);

CREATE INDEX trip_dispatches_driver_user ON trip_dispatches USING btree (driver_user, planned_departure DESC, id) WHERE (driver_user IS NOT NULL);

CREATE INDEX trip_dispatches_listed ON trip_dispatches USING btree (created_at DESC, id);

CREATE INDEX trip_dispatches_look ON trip_dispatches USING btree (look_at, id) WHERE (look_at IS NOT NULL);

CREATE INDEX trip_dispatches_of_units ON trip_dispatches USING btree (organisation, planned_departure DESC, id);

CREATE INDEX trip_dispatches_order_due ON trip_dispatches USING btree (id) WHERE order_due;

CREATE INDEX trip_dispatches_overdue ON trip_dispatches USING btree (planned_departure DESC, id) WHERE listed;

CREATE INDEX trip_dispatches_planned ON trip_dispatches USING btree (planned_departure DESC, id);

CREATE INDEX trip_dispatches_states ON trip_dispatches USING btree (state, planned_departure DESC, id);

CREATE INDEX trip_dispatches_vehicle ON trip_dispatches USING btree (vehicle, planned_departure DESC, id);

CREATE INDEX trip_links_requests ON trip_links USING btree (request_id);

CREATE INDEX trip_request_events_confirmed ON trip_request_events USING btree (at, paper) WHERE (step = ANY (ARRAY['confirm'::text, 'confirm-silent'::text]));

CREATE INDEX trip_requests_deciders ON trip_requests USING gin (deciders) WHERE (deciders IS NOT NULL);

CREATE INDEX trip_requests_driven ON trip_requests USING btree (created_at) WHERE (kind <> 'normal'::text);

CREATE INDEX trip_requests_late ON trip_requests USING btree (created_at DESC, id) WHERE paper_late;

CREATE INDEX trip_requests_listed ON trip_requests USING btree (created_at DESC, id);

CREATE INDEX trip_requests_look ON trip_requests USING btree (look_at, id) WHERE (look_at IS NOT NULL);

CREATE INDEX trip_requests_of_units ON trip_requests USING btree (organisation, created_at DESC, id);

CREATE INDEX trip_requests_persons ON trip_requests USING gin (persons);

CREATE INDEX trip_requests_planned ON trip_requests USING btree (organisation, planned_departure) WHERE (state = ANY (ARRAY['pending'::text, 'approved'::text, 'waiting'::text, 'no_vehicle'::text, 'assigned'::text]));

CREATE INDEX trip_requests_pools ON trip_requests USING btree (pool, state, planned_departure) WHERE (state = ANY (ARRAY['waiting'::text, 'no_vehicle'::text]));

CREATE INDEX trip_requests_states ON trip_requests USING btree (state, created_at DESC, id);

CREATE INDEX trip_requests_to_settle ON trip_requests USING btree (pool, organisation) WHERE (state = 'confirmed'::text);

CREATE INDEX trip_series_units ON trip_series USING gin (units);

CREATE INDEX users_by_organisation ON users USING btree (organisation, id);

CREATE INDEX vehicle_acts_listed ON vehicle_acts USING btree (asked_at, id);

CREATE UNIQUE INDEX vehicle_acts_open ON vehicle_acts USING btree (vehicle) WHERE open;

CREATE INDEX vehicle_acts_states ON vehicle_acts USING btree (state, asked_at, id);

CREATE INDEX vehicle_acts_units ON vehicle_acts USING gin (units);

CREATE INDEX vehicle_acts_vehicle ON vehicle_acts USING btree (vehicle, asked_at, id);

CREATE INDEX vehicle_day_states_day ON vehicle_day_states USING btree (day);

CREATE INDEX vehicle_documents_driver ON vehicle_documents USING btree (driver, uploaded_at, id) WHERE (driver IS NOT NULL);

CREATE INDEX vehicle_documents_maintenance ON vehicle_documents USING btree (maintenance, uploaded_at, id) WHERE (maintenance IS NOT NULL);

CREATE INDEX vehicle_documents_paper ON vehicle_documents USING btree (paper, uploaded_at, id) WHERE (paper IS NOT NULL);

CREATE INDEX vehicle_documents_vehicle ON vehicle_documents USING btree (vehicle, uploaded_at, id) WHERE (vehicle IS NOT NULL);

CREATE UNIQUE INDEX vehicle_licences_once ON vehicle_papers USING btree (driver, number, valid_from, valid_to) WHERE (voided_at IS NULL);

CREATE INDEX vehicle_papers_driver ON vehicle_papers USING btree (driver, valid_to) WHERE (driver IS NOT NULL);

CREATE INDEX vehicle_papers_ending ON vehicle_papers USING btree (valid_to, id);

CREATE INDEX vehicle_papers_look ON vehicle_papers USING btree (look_on, id) WHERE (look_on IS NOT NULL);

CREATE INDEX vehicle_papers_of_units ON vehicle_papers USING btree (organisation, valid_to, id);

CREATE UNIQUE INDEX vehicle_papers_once ON vehicle_papers USING btree (vehicle, kind, number, valid_from, valid_to) WHERE (voided_at IS NULL);

CREATE INDEX vehicle_papers_vehicle ON vehicle_papers USING btree (vehicle, kind, valid_to) WHERE (vehicle IS NOT NULL);

CREATE INDEX vehicle_plates_plate ON vehicle_plates USING btree (plate, valid_from);

CREATE INDEX vehicle_quota_places_of ON vehicle_quota_places USING btree (vehicle, no DESC);

CREATE INDEX vehicle_seals_of ON vehicle_seals USING btree (vehicle, sealed_from);

CREATE UNIQUE INDEX vehicle_seals_one ON vehicle_seals USING btree (vehicle) WHERE (sealed_to IS NULL);

CREATE INDEX vehicle_seals_since ON vehicle_seals USING btree (sealed_from);

CREATE INDEX vehicle_seals_until ON vehicle_seals USING btree (sealed_to);

CREATE INDEX vehicle_secrecy_of ON vehicle_secrecy USING btree (vehicle, no DESC);

CREATE INDEX vehicles_by_plate ON vehicles USING btree (plate, id);

CREATE INDEX vehicles_secret ON vehicles USING btree (no) WHERE secret;

CREATE INDEX violations_by_time ON violations USING btree (at, id);

CREATE INDEX violations_plate ON violations USING btree (plate, at);

CREATE INDEX webhook_attempts_of ON webhook_attempts USING btree (delivery_no, no);

CREATE INDEX webhook_deliveries_dead ON webhook_deliveries USING btree (subscription_no) WHERE (state = 'dead'::text);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries USING btree (subscription_no, seq) WHERE (state = 'waiting'::text);

CREATE INDEX webhook_deliveries_ended ON webhook_deliveries USING btree (ended_at) WHERE (ended_at IS NOT NULL);

CREATE INDEX webhook_deliveries_listed ON webhook_deliveries USING btree (subscription_no, state, no);

CREATE INDEX webhook_deliveries_order ON webhook_deliveries USING btree (subscription_no, alert_id, seq) WHERE (state = 'waiting'::text);

CREATE INDEX webhook_secrets_of ON webhook_secrets USING btree (subscription_no);

CREATE INDEX webhook_secrets_plain ON webhook_secrets USING btree (no) WHERE (secret IS NOT NULL);

CREATE UNIQUE INDEX webhook_secrets_present ON webhook_secrets USING btree (subscription_no) WHERE (expires_at IS NULL);

CREATE INDEX webhook_tests_of ON webhook_tests USING btree (subscription_no);

CREATE INDEX webhook_tests_open ON webhook_tests USING btree (no) WHERE (ended_at IS NULL);

ALTER INDEX audit_organisation ATTACH PARTITION audit_default_organisation_at_no_idx;

ALTER INDEX audit_pkey ATTACH PARTITION audit_default_pkey;

ALTER INDEX audit_subject ATTACH PARTITION audit_default_subject_kind_subject_id_at_no_idx;

ALTER INDEX audit_vehicle ATTACH PARTITION audit_default_vehicle_at_no_idx;

ALTER INDEX audit_who ATTACH PARTITION audit_default_who_id_at_no_idx;

ALTER INDEX evaluations_time ATTACH PARTITION evaluations_default_evaluated_at_id_idx;

ALTER INDEX evaluations_pkey ATTACH PARTITION evaluations_default_pkey;

ALTER INDEX evaluations_rule ATTACH PARTITION evaluations_default_rule_evaluated_at_id_idx;

ALTER INDEX evaluations_subject ATTACH PARTITION evaluations_default_subject_rule_id_idx;

ALTER INDEX evaluations_vehicle ATTACH PARTITION evaluations_default_vehicle_no_evaluated_at_id_idx;

ALTER INDEX evidence_pkey ATTACH PARTITION evidence_default_pkey;

ALTER INDEX evidence_pkey ATTACH PARTITION evidence_of_alerts_pkey;

ALTER INDEX positions_pkey ATTACH PARTITION positions_before_2020_pkey;

ALTER INDEX positions_pkey ATTACH PARTITION positions_default_pkey;

CREATE TRIGGER alert_dispositions_only_grow BEFORE DELETE OR UPDATE ON alert_dispositions FOR EACH ROW EXECUTE FUNCTION refuse_change_of_answers();

CREATE TRIGGER alert_labels_stay BEFORE DELETE OR UPDATE ON alert_labels FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER alert_reads_end AFTER DELETE ON alerts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION end_alert_reads();

CREATE TRIGGER alert_receipts_only_grow BEFORE DELETE OR UPDATE ON alert_receipts FOR EACH ROW EXECUTE FUNCTION refuse_change_of_answers();

CREATE TRIGGER alerts_are_news AFTER UPDATE OF version ON alerts FOR EACH ROW WHEN ((new.version <> old.version)) EXECUTE FUNCTION note_alert_news();

CREATE TRIGGER alerts_of_cases AFTER UPDATE ON cases REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_case_states();

CREATE TRIGGER alerts_of_changed_links AFTER UPDATE ON case_links REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_linked_alerts();

CREATE TRIGGER alerts_of_labels AFTER INSERT ON alert_labels REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_findings();

CREATE TRIGGER alerts_of_new_links AFTER INSERT ON case_links REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_linked_alerts();

CREATE TRIGGER alerts_of_old_links AFTER DELETE ON case_links REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_linked_alerts();

CREATE TRIGGER approval_tables_stand BEFORE DELETE OR UPDATE ON approval_tables FOR EACH ROW EXECUTE FUNCTION approval_table_stands();

CREATE TRIGGER assessment_decisions_stay BEFORE DELETE OR UPDATE ON assessment_decisions FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER assessment_decisions_stay_all BEFORE TRUNCATE ON assessment_decisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER assessment_disputes_stay BEFORE DELETE OR UPDATE ON assessment_disputes FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER assessment_disputes_stay_all BEFORE TRUNCATE ON assessment_disputes FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER assessment_sheets_stay BEFORE DELETE OR UPDATE ON assessment_sheets FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER assessment_sheets_stay_all BEFORE TRUNCATE ON assessment_sheets FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER assessment_tables_stay BEFORE DELETE OR UPDATE ON assessment_tables FOR EACH ROW EXECUTE FUNCTION refuse_change_of_published();

CREATE TRIGGER assessment_tables_stay_all BEFORE TRUNCATE ON assessment_tables FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER audit_delete AFTER DELETE ON alert_dispositions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('alert-dispositions', 'no', 'r ->> ''alert_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON alert_receipts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('alert-receipts', 'alert_id, version, subject_kind, subject_id', 'r ->> ''alert_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON api_tokens REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('tokens', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON approval_tables REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('approval-tables', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON assessment_decisions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-decisions', 'dispute_id', 'r ->> ''dispute_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON assessment_disputes REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-disputes', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON assessment_sheets REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-sheets', 'organisation, period', '(r ->> ''organisation'') || ''/'' || (r ->> ''period'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON assessment_tables REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-tables', 'organisation, year, version', '(r ->> ''organisation'') || ''/'' || (r ->> ''year'') || ''/'' || (r ->> ''version'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON calendar_days REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('calendar-days', 'day', 'r ->> ''day''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON call_back_draws REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('call-back-draws', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON call_back_results REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('call-backs', 'no', 'r ->> ''call_back''', '(SELECT c.organisation FROM call_backs c WHERE c.id = r ->> ''call_back'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON card_bindings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-cards', 'card, valid_from', 'r ->> ''card''', '(SELECT c.organisation FROM fuel_cards c WHERE c.id = r ->> ''card'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON cases REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('cases', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON client_secrets REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('client-secrets', 'id', 'r ->> ''client_id''', '(SELECT c.organisation FROM clients c WHERE c.id = r ->> ''client_id'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON clients REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('clients', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON clock_corrections REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('clock-corrections', 'id', 'r ->> ''id''', '(SELECT v.organisation FROM terminal_bindings b JOIN vehicles v ON v.no = b.vehicle_no WHERE b.terminal_no = (r ->> ''terminal_no'')::integer ORDER BY b.valid_from DESC LIMIT 1)', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON cost_entries REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('cost-entries', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON cost_statements REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('statements', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON delegations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('delegations', 'id', 'r ->> ''to_user''', '(SELECT g.organisation FROM role_grants g WHERE g.id = (r ->> ''grant_id'')::bigint)', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON dispatch_orders REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('dispatch-orders', 'id, version', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'SELECT to_jsonb(b) FROM dispatch_orders b WHERE b.id = n.id AND b.version < n.version ORDER BY b.version DESC LIMIT 1');

CREATE TRIGGER audit_delete AFTER DELETE ON disposition_codes REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('disposition-codes', 'code', 'r ->> ''code''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON driver_accounts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-accounts', 'driver', 'r ->> ''driver''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON driver_facts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-facts', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON driver_leaves REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-leaves', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON driver_objection_decisions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-objections', 'objection', 'r ->> ''objection''', '(SELECT o.organisation FROM driver_objections o WHERE o.id = r ->> ''objection'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON driver_objections REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-objections', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON driver_rosters REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-rosters', 'no', 'r ->> ''driver''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON driver_score_tables REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-score-tables', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON driver_sheets REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-sheets', 'driver, period', '(r ->> ''driver'') || ''/'' || (r ->> ''period'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON drivers REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('drivers', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON exchange_notices REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('exchange-notices', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON exchange_peers REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('exchange-peers', 'name', 'r ->> ''name''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON fences REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fences', 'id, version', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'SELECT to_jsonb(b) FROM fences b WHERE b.id = n.id AND b.version < n.version ORDER BY b.version DESC LIMIT 1');

CREATE TRIGGER audit_delete AFTER DELETE ON fences_sent_down REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fences', 'organisation, fence', 'r ->> ''fence''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON fuel_cards REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-cards', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON fuel_stations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-stations', 'id', 'r ->> ''id''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON fuel_transactions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-transactions', 'id', 'r ->> ''id''', '(SELECT c.organisation FROM fuel_cards c WHERE c.id = r ->> ''card'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON maintenances REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('maintenance', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON message_channels REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('message-channels', 'no', 'replace(r ->> ''id'', ''-'', '''')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON message_quiet_hours REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('message-quiet-hours', 'person', 'r ->> ''person''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON notices REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('notices', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON oidc_links REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('oidc-links', 'issuer, subject', 'r ->> ''user_id''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON organisations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('organisations', 'id', 'r ->> ''id''', 'r ->> ''id''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON plate_swaps REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('plate-swaps', 'no', 'r ->> ''act''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON platform_colours REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('platform-colours', 'vehicle', 'r ->> ''vehicle''', 'NULL::text', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON platform_links REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('platform-links', 'name', 'r ->> ''name''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON platform_supervisions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('platform-supervisions', 'no', 'r ->> ''no''', 'NULL::text', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON publication_answers REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('publication-objections', 'objection', 'r ->> ''objection''', '(SELECT o.organisation FROM publication_objections o WHERE o.id = r ->> ''objection'')', '(SELECT o.vehicle FROM publication_objections o WHERE o.id = r ->> ''objection'')', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON publication_objections REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('publication-objections', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON quotas REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('quotas', 'no', '(r ->> ''organisation'') || ''/'' || (r ->> ''quota_class'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON reconciliation_acts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('reconciliation-acts', 'reconciliation, version', 'r ->> ''reconciliation''', '(SELECT c.organisation FROM reconciliations c WHERE c.id = r ->> ''reconciliation'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON reconciliations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('reconciliations', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON rental_reports REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('rental-reports', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON role_grants REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('role-grants', 'id', 'r ->> ''user_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON rule_parameters REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('rule-parameters', 'rule, name, effective_from', 'r ->> ''rule'' || ''.'' || (r ->> ''name'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON subscriptions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('subscriptions', 'no', 'r ->> ''name''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON tariffs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('tariffs', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON tasks REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('tasks', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON terminal_bindings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('terminals', 'terminal_no, valid_from', '(SELECT t.phone FROM terminals t WHERE t.no = (r ->> ''terminal_no'')::integer)', '(SELECT v.organisation FROM vehicles v WHERE v.no = (r ->> ''vehicle_no'')::integer)', '(SELECT v.id FROM vehicles v WHERE v.no = (r ->> ''vehicle_no'')::integer)', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON terminal_commands REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('commands', 'no', 'r ->> ''no''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON terminals REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('terminals', 'no', 'r ->> ''phone''', 'r ->> ''home''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON trip_cost_facts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('trip-cost-facts', 'dispatch_id, version', 'r ->> ''dispatch_id''', 'NULL::text', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON trip_dispatches REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('dispatches', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON trip_requests REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('trip-requests', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON trip_series REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('trip-series', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON users REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('users', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON vehicle_acts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-acts', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON vehicle_papers REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-papers', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON vehicle_particulars REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-particulars', 'vehicle', 'r ->> ''vehicle''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON vehicle_quota_places REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-quota-places', 'no', 'r ->> ''vehicle''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON vehicle_seals REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('seals', 'no', 'r ->> ''vehicle''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON vehicle_secrecy REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-secrecy', 'no', 'r ->> ''vehicle''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON vehicles REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicles', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''id''', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON violations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('violations', 'id', 'r ->> ''id''', '(SELECT v.organisation FROM vehicles v WHERE v.no = vehicle_of_plate(r ->> ''plate'', (r ->> ''at'')::timestamptz))', '(SELECT v.id FROM vehicles v WHERE v.no = vehicle_of_plate(r ->> ''plate'', (r ->> ''at'')::timestamptz))', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON voucher_mappings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('voucher-mappings', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_delete AFTER DELETE ON webhooks REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('webhooks', 'subscription_no', 'r ->> ''subscription_no''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON alert_dispositions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('alert-dispositions', 'no', 'r ->> ''alert_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON alert_receipts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('alert-receipts', 'alert_id, version, subject_kind, subject_id', 'r ->> ''alert_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON api_tokens REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('tokens', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON approval_tables REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('approval-tables', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON assessment_decisions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-decisions', 'dispute_id', 'r ->> ''dispute_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON assessment_disputes REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-disputes', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON assessment_sheets REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-sheets', 'organisation, period', '(r ->> ''organisation'') || ''/'' || (r ->> ''period'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON assessment_tables REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-tables', 'organisation, year, version', '(r ->> ''organisation'') || ''/'' || (r ->> ''year'') || ''/'' || (r ->> ''version'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON calendar_days REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('calendar-days', 'day', 'r ->> ''day''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON call_back_draws REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('call-back-draws', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON call_back_results REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('call-backs', 'no', 'r ->> ''call_back''', '(SELECT c.organisation FROM call_backs c WHERE c.id = r ->> ''call_back'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON card_bindings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-cards', 'card, valid_from', 'r ->> ''card''', '(SELECT c.organisation FROM fuel_cards c WHERE c.id = r ->> ''card'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON cases REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('cases', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON client_secrets REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('client-secrets', 'id', 'r ->> ''client_id''', '(SELECT c.organisation FROM clients c WHERE c.id = r ->> ''client_id'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON clients REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('clients', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON clock_corrections REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('clock-corrections', 'id', 'r ->> ''id''', '(SELECT v.organisation FROM terminal_bindings b JOIN vehicles v ON v.no = b.vehicle_no WHERE b.terminal_no = (r ->> ''terminal_no'')::integer ORDER BY b.valid_from DESC LIMIT 1)', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON cost_entries REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('cost-entries', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON cost_statements REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('statements', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON delegations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('delegations', 'id', 'r ->> ''to_user''', '(SELECT g.organisation FROM role_grants g WHERE g.id = (r ->> ''grant_id'')::bigint)', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON dispatch_orders REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('dispatch-orders', 'id, version', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'SELECT to_jsonb(b) FROM dispatch_orders b WHERE b.id = n.id AND b.version < n.version ORDER BY b.version DESC LIMIT 1');

CREATE TRIGGER audit_insert AFTER INSERT ON disposition_codes REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('disposition-codes', 'code', 'r ->> ''code''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON driver_accounts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-accounts', 'driver', 'r ->> ''driver''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON driver_facts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-facts', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON driver_leaves REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-leaves', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON driver_objection_decisions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-objections', 'objection', 'r ->> ''objection''', '(SELECT o.organisation FROM driver_objections o WHERE o.id = r ->> ''objection'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON driver_objections REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-objections', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON driver_rosters REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-rosters', 'no', 'r ->> ''driver''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON driver_score_tables REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-score-tables', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON driver_sheets REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-sheets', 'driver, period', '(r ->> ''driver'') || ''/'' || (r ->> ''period'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON drivers REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('drivers', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON exchange_notices REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('exchange-notices', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON exchange_peers REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('exchange-peers', 'name', 'r ->> ''name''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON fences REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fences', 'id, version', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'SELECT to_jsonb(b) FROM fences b WHERE b.id = n.id AND b.version < n.version ORDER BY b.version DESC LIMIT 1');

CREATE TRIGGER audit_insert AFTER INSERT ON fences_sent_down REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fences', 'organisation, fence', 'r ->> ''fence''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON fuel_cards REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-cards', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON fuel_stations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-stations', 'id', 'r ->> ''id''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON fuel_transactions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-transactions', 'id', 'r ->> ''id''', '(SELECT c.organisation FROM fuel_cards c WHERE c.id = r ->> ''card'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON maintenances REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('maintenance', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON message_channels REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('message-channels', 'no', 'replace(r ->> ''id'', ''-'', '''')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON message_quiet_hours REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('message-quiet-hours', 'person', 'r ->> ''person''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON notices REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('notices', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON oidc_links REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('oidc-links', 'issuer, subject', 'r ->> ''user_id''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON organisations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('organisations', 'id', 'r ->> ''id''', 'r ->> ''id''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON plate_swaps REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('plate-swaps', 'no', 'r ->> ''act''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON platform_colours REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('platform-colours', 'vehicle', 'r ->> ''vehicle''', 'NULL::text', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON platform_links REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('platform-links', 'name', 'r ->> ''name''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON platform_supervisions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('platform-supervisions', 'no', 'r ->> ''no''', 'NULL::text', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON publication_answers REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('publication-objections', 'objection', 'r ->> ''objection''', '(SELECT o.organisation FROM publication_objections o WHERE o.id = r ->> ''objection'')', '(SELECT o.vehicle FROM publication_objections o WHERE o.id = r ->> ''objection'')', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON publication_objections REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('publication-objections', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON quotas REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('quotas', 'no', '(r ->> ''organisation'') || ''/'' || (r ->> ''quota_class'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON reconciliation_acts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('reconciliation-acts', 'reconciliation, version', 'r ->> ''reconciliation''', '(SELECT c.organisation FROM reconciliations c WHERE c.id = r ->> ''reconciliation'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON reconciliations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('reconciliations', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON rental_reports REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('rental-reports', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON role_grants REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('role-grants', 'id', 'r ->> ''user_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON rule_parameters REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('rule-parameters', 'rule, name, effective_from', 'r ->> ''rule'' || ''.'' || (r ->> ''name'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON subscriptions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('subscriptions', 'no', 'r ->> ''name''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON tariffs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('tariffs', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON tasks REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('tasks', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON terminal_bindings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('terminals', 'terminal_no, valid_from', '(SELECT t.phone FROM terminals t WHERE t.no = (r ->> ''terminal_no'')::integer)', '(SELECT v.organisation FROM vehicles v WHERE v.no = (r ->> ''vehicle_no'')::integer)', '(SELECT v.id FROM vehicles v WHERE v.no = (r ->> ''vehicle_no'')::integer)', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON terminal_commands REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('commands', 'no', 'r ->> ''no''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON terminals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('terminals', 'no', 'r ->> ''phone''', 'r ->> ''home''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON trip_cost_facts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('trip-cost-facts', 'dispatch_id, version', 'r ->> ''dispatch_id''', 'NULL::text', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON trip_dispatches REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('dispatches', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON trip_requests REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('trip-requests', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON trip_series REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('trip-series', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON users REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('users', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON vehicle_acts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-acts', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON vehicle_papers REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-papers', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON vehicle_particulars REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-particulars', 'vehicle', 'r ->> ''vehicle''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON vehicle_quota_places REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-quota-places', 'no', 'r ->> ''vehicle''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON vehicle_seals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('seals', 'no', 'r ->> ''vehicle''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON vehicle_secrecy REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-secrecy', 'no', 'r ->> ''vehicle''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON vehicles REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicles', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''id''', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON violations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('violations', 'id', 'r ->> ''id''', '(SELECT v.organisation FROM vehicles v WHERE v.no = vehicle_of_plate(r ->> ''plate'', (r ->> ''at'')::timestamptz))', '(SELECT v.id FROM vehicles v WHERE v.no = vehicle_of_plate(r ->> ''plate'', (r ->> ''at'')::timestamptz))', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON voucher_mappings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('voucher-mappings', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_insert AFTER INSERT ON webhooks REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('webhooks', 'subscription_no', 'r ->> ''subscription_no''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stands();

CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit_default FOR EACH STATEMENT EXECUTE FUNCTION audit_stands();

CREATE TRIGGER audit_stands BEFORE DELETE OR UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stands();

CREATE TRIGGER audit_update AFTER UPDATE ON alert_dispositions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('alert-dispositions', 'no', 'r ->> ''alert_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON alert_receipts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('alert-receipts', 'alert_id, version, subject_kind, subject_id', 'r ->> ''alert_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON api_tokens REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('tokens', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON approval_tables REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('approval-tables', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON assessment_decisions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-decisions', 'dispute_id', 'r ->> ''dispute_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON assessment_disputes REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-disputes', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON assessment_sheets REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-sheets', 'organisation, period', '(r ->> ''organisation'') || ''/'' || (r ->> ''period'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON assessment_tables REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('assessment-tables', 'organisation, year, version', '(r ->> ''organisation'') || ''/'' || (r ->> ''year'') || ''/'' || (r ->> ''version'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON calendar_days REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('calendar-days', 'day', 'r ->> ''day''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON call_back_draws REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('call-back-draws', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON call_back_results REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('call-backs', 'no', 'r ->> ''call_back''', '(SELECT c.organisation FROM call_backs c WHERE c.id = r ->> ''call_back'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON card_bindings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-cards', 'card, valid_from', 'r ->> ''card''', '(SELECT c.organisation FROM fuel_cards c WHERE c.id = r ->> ''card'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON cases REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('cases', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON client_secrets REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('client-secrets', 'id', 'r ->> ''client_id''', '(SELECT c.organisation FROM clients c WHERE c.id = r ->> ''client_id'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON clients REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('clients', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON clock_corrections REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('clock-corrections', 'id', 'r ->> ''id''', '(SELECT v.organisation FROM terminal_bindings b JOIN vehicles v ON v.no = b.vehicle_no WHERE b.terminal_no = (r ->> ''terminal_no'')::integer ORDER BY b.valid_from DESC LIMIT 1)', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON cost_entries REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('cost-entries', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON cost_statements REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('statements', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON delegations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('delegations', 'id', 'r ->> ''to_user''', '(SELECT g.organisation FROM role_grants g WHERE g.id = (r ->> ''grant_id'')::bigint)', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON dispatch_orders REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('dispatch-orders', 'id, version', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'SELECT to_jsonb(b) FROM dispatch_orders b WHERE b.id = n.id AND b.version < n.version ORDER BY b.version DESC LIMIT 1');

CREATE TRIGGER audit_update AFTER UPDATE ON disposition_codes REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('disposition-codes', 'code', 'r ->> ''code''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON driver_accounts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-accounts', 'driver', 'r ->> ''driver''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON driver_facts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-facts', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON driver_leaves REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-leaves', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON driver_objection_decisions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-objections', 'objection', 'r ->> ''objection''', '(SELECT o.organisation FROM driver_objections o WHERE o.id = r ->> ''objection'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON driver_objections REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-objections', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON driver_rosters REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-rosters', 'no', 'r ->> ''driver''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON driver_score_tables REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-score-tables', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON driver_sheets REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('driver-sheets', 'driver, period', '(r ->> ''driver'') || ''/'' || (r ->> ''period'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON drivers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('drivers', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON exchange_notices REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('exchange-notices', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON exchange_peers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('exchange-peers', 'name', 'r ->> ''name''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON fences REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fences', 'id, version', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'SELECT to_jsonb(b) FROM fences b WHERE b.id = n.id AND b.version < n.version ORDER BY b.version DESC LIMIT 1');

CREATE TRIGGER audit_update AFTER UPDATE ON fences_sent_down REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fences', 'organisation, fence', 'r ->> ''fence''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON fuel_cards REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-cards', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON fuel_stations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-stations', 'id', 'r ->> ''id''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON fuel_transactions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('fuel-transactions', 'id', 'r ->> ''id''', '(SELECT c.organisation FROM fuel_cards c WHERE c.id = r ->> ''card'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON maintenances REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('maintenance', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON message_channels REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('message-channels', 'no', 'replace(r ->> ''id'', ''-'', '''')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON message_quiet_hours REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('message-quiet-hours', 'person', 'r ->> ''person''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON notices REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('notices', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON oidc_links REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('oidc-links', 'issuer, subject', 'r ->> ''user_id''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON organisations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('organisations', 'id', 'r ->> ''id''', 'r ->> ''id''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON plate_swaps REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('plate-swaps', 'no', 'r ->> ''act''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON platform_colours REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('platform-colours', 'vehicle', 'r ->> ''vehicle''', 'NULL::text', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON platform_links REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('platform-links', 'name', 'r ->> ''name''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON platform_supervisions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('platform-supervisions', 'no', 'r ->> ''no''', 'NULL::text', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON publication_answers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('publication-objections', 'objection', 'r ->> ''objection''', '(SELECT o.organisation FROM publication_objections o WHERE o.id = r ->> ''objection'')', '(SELECT o.vehicle FROM publication_objections o WHERE o.id = r ->> ''objection'')', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON publication_objections REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('publication-objections', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON quotas REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('quotas', 'no', '(r ->> ''organisation'') || ''/'' || (r ->> ''quota_class'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON reconciliation_acts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('reconciliation-acts', 'reconciliation, version', 'r ->> ''reconciliation''', '(SELECT c.organisation FROM reconciliations c WHERE c.id = r ->> ''reconciliation'')', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON reconciliations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('reconciliations', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON rental_reports REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('rental-reports', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON role_grants REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('role-grants', 'id', 'r ->> ''user_id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON rule_parameters REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('rule-parameters', 'rule, name, effective_from', 'r ->> ''rule'' || ''.'' || (r ->> ''name'')', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON tariffs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('tariffs', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON tasks REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('tasks', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON terminal_bindings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('terminals', 'terminal_no, valid_from', '(SELECT t.phone FROM terminals t WHERE t.no = (r ->> ''terminal_no'')::integer)', '(SELECT v.organisation FROM vehicles v WHERE v.no = (r ->> ''vehicle_no'')::integer)', '(SELECT v.id FROM vehicles v WHERE v.no = (r ->> ''vehicle_no'')::integer)', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON terminal_commands REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('commands', 'no', 'r ->> ''no''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON terminals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('terminals', 'no', 'r ->> ''phone''', 'r ->> ''home''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON trip_cost_facts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('trip-cost-facts', 'dispatch_id, version', 'r ->> ''dispatch_id''', 'NULL::text', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON trip_dispatches REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('dispatches', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON trip_requests REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('trip-requests', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON trip_series REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('trip-series', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON users REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('users', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON vehicle_acts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-acts', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON vehicle_papers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-papers', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON vehicle_particulars REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-particulars', 'vehicle', 'r ->> ''vehicle''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON vehicle_quota_places REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-quota-places', 'no', 'r ->> ''vehicle''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON vehicle_seals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('seals', 'no', 'r ->> ''vehicle''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON vehicle_secrecy REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicle-secrecy', 'no', 'r ->> ''vehicle''', 'r ->> ''organisation''', 'r ->> ''vehicle''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('vehicles', 'id', 'r ->> ''id''', 'r ->> ''organisation''', 'r ->> ''id''', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON violations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('violations', 'id', 'r ->> ''id''', '(SELECT v.organisation FROM vehicles v WHERE v.no = vehicle_of_plate(r ->> ''plate'', (r ->> ''at'')::timestamptz))', '(SELECT v.id FROM vehicles v WHERE v.no = vehicle_of_plate(r ->> ''plate'', (r ->> ''at'')::timestamptz))', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON voucher_mappings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('voucher-mappings', 'organisation, version', 'r ->> ''organisation''', 'r ->> ''organisation''', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER audit_update AFTER UPDATE ON webhooks REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_changes('webhooks', 'subscription_no', 'r ->> ''subscription_no''', 'NULL::text', 'NULL::text', 'NULL::jsonb');

CREATE TRIGGER call_back_draws_stay BEFORE DELETE OR UPDATE ON call_back_draws FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER call_back_results_stay BEFORE DELETE OR UPDATE ON call_back_results FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER call_backs_stay BEFORE DELETE OR UPDATE ON call_backs FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER case_attachments_stay BEFORE DELETE OR UPDATE ON case_attachments FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER case_events_stay BEFORE DELETE OR UPDATE ON case_events FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER case_events_stay_all BEFORE TRUNCATE ON case_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER case_links_end BEFORE UPDATE ON case_links FOR EACH ROW WHEN (((new.kind = 'alert'::text) AND old.open AND (NOT new.open))) EXECUTE FUNCTION note_alert_version();

CREATE TRIGGER cases_of_others_stay BEFORE UPDATE ON cases FOR EACH ROW WHEN ((old.helpers <> '{}'::text[])) EXECUTE FUNCTION keep_helped_cases();

CREATE TRIGGER complaint_reads_stay BEFORE DELETE OR UPDATE ON complaint_reads FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER cost_entries_are_not_removed BEFORE DELETE ON cost_entries FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER cost_entry_versions_stay BEFORE DELETE OR UPDATE ON cost_entry_versions FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER cost_entry_versions_stay_all BEFORE TRUNCATE ON cost_entry_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER cost_statement_events_stay BEFORE DELETE OR UPDATE ON cost_statement_events FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER cost_statement_events_stay_all BEFORE TRUNCATE ON cost_statement_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER cost_statement_lines_stand BEFORE DELETE OR UPDATE ON cost_statement_lines FOR EACH ROW EXECUTE FUNCTION statement_line_stands();

CREATE TRIGGER cost_statements_are_not_removed BEFORE DELETE ON cost_statements FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER dispatch_orders_supersede BEFORE INSERT ON dispatch_orders FOR EACH ROW EXECUTE FUNCTION supersede_dispatch_order();

CREATE TRIGGER driver_duty_follows AFTER UPDATE ON drivers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION duty_follows_drivers();

CREATE TRIGGER driver_facts_stand BEFORE DELETE OR UPDATE ON driver_facts FOR EACH ROW EXECUTE FUNCTION driver_fact_stands();

CREATE TRIGGER driver_files_follow AFTER UPDATE ON drivers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION files_follow_drivers();

CREATE TRIGGER driver_leave_events_stay BEFORE DELETE OR UPDATE ON driver_leave_events FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER driver_leave_events_stay_all BEFORE TRUNCATE ON driver_leave_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER driver_leaves_are_not_removed BEFORE DELETE ON driver_leaves FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER driver_objection_decisions_stay BEFORE DELETE OR UPDATE ON driver_objection_decisions FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER driver_objections_stay BEFORE DELETE OR UPDATE ON driver_objections FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER driver_rosters_stand BEFORE DELETE OR UPDATE ON driver_rosters FOR EACH ROW EXECUTE FUNCTION driver_roster_stands();

CREATE TRIGGER driver_score_tables_stay BEFORE DELETE OR UPDATE ON driver_score_tables FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER driver_sheets_stay BEFORE DELETE OR UPDATE ON driver_sheets FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER driver_sheets_stay_all BEFORE TRUNCATE ON driver_sheets FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER evidence_positions_stay BEFORE DELETE OR UPDATE ON evidence_positions FOR EACH ROW EXECUTE FUNCTION seal_refuses();

CREATE TRIGGER maintenance_events_stay BEFORE DELETE OR UPDATE ON maintenance_events FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER maintenance_events_stay_all BEFORE TRUNCATE ON maintenance_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER maintenances_are_not_removed BEFORE DELETE ON maintenances FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER messages_are_sent AFTER INSERT ON messages REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION queue_messages();

CREATE TRIGGER note_calendar_delete AFTER DELETE ON calendar_days REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('calendar', 'to_char(r.day, ''YYYY-MM-DD'')', 'r.day::timestamp AT TIME ZONE ''Asia/Shanghai''');

CREATE TRIGGER note_calendar_insert AFTER INSERT ON calendar_days REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('calendar', 'to_char(r.day, ''YYYY-MM-DD'')', 'r.day::timestamp AT TIME ZONE ''Asia/Shanghai''');

CREATE TRIGGER note_calendar_update AFTER UPDATE ON calendar_days REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('calendar', 'to_char(r.day, ''YYYY-MM-DD'')', 'r.day::timestamp AT TIME ZONE ''Asia/Shanghai''');

CREATE TRIGGER note_card_binding_delete AFTER DELETE ON card_bindings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('card_binding', 'r.card', 'r.valid_from');

CREATE TRIGGER note_card_binding_insert AFTER INSERT ON card_bindings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('card_binding', 'r.card', 'r.valid_from');

CREATE TRIGGER note_card_binding_plate_delete AFTER DELETE ON card_bindings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('plate', 'r.plate', 'r.valid_from');

CREATE TRIGGER note_card_binding_plate_update AFTER UPDATE ON card_bindings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('plate', 'r.plate', 'r.valid_from');

CREATE TRIGGER note_card_binding_update AFTER UPDATE ON card_bindings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('card_binding', 'r.card', 'r.valid_from');

CREATE TRIGGER note_card_insert AFTER INSERT ON fuel_cards REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('card', 'r.id', '');

CREATE TRIGGER note_card_update AFTER UPDATE ON fuel_cards REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('card', 'r.id', '');

CREATE TRIGGER note_case_insert AFTER INSERT ON cases REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('case', 'r.id', '');

CREATE TRIGGER note_case_update AFTER UPDATE ON cases REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('case', 'r.id', '', '', '', 'jsonb_build_array(r.id, r.version, r.organisation, r.number, r.state, r.due_on, r.reminders, r.finding)');

CREATE TRIGGER note_correction_delete AFTER DELETE ON clock_corrections REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.valid_from', 'COALESCE(r.shift_s, 0)');

CREATE TRIGGER note_correction_insert AFTER INSERT ON clock_corrections REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.valid_from', 'COALESCE(r.shift_s, 0)');

CREATE TRIGGER note_correction_update AFTER UPDATE ON clock_corrections REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.valid_from', 'COALESCE(r.shift_s, 0)');

CREATE TRIGGER note_disposition_code_insert AFTER INSERT ON disposition_codes REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('disposition_code', 'r.code', '');

CREATE TRIGGER note_disposition_code_update AFTER UPDATE ON disposition_codes REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('disposition_code', 'r.code', '');

CREATE TRIGGER note_doubt_delete AFTER DELETE ON clock_doubts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.received_from', 'r.lag_s');

CREATE TRIGGER note_doubt_insert AFTER INSERT ON clock_doubts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.received_from', 'r.lag_s');

CREATE TRIGGER note_driver_insert AFTER INSERT ON drivers REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('driver', 'r.id', '');

CREATE TRIGGER note_driver_update AFTER UPDATE ON drivers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('driver', 'r.id', '');

CREATE TRIGGER note_ended AFTER DELETE ON quarantine REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_quarantine_ended();

CREATE TRIGGER note_fence_insert AFTER INSERT ON fences REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('fence', 'r.id', 'r.valid_from', 'unnest(CASE WHEN r.vehicles = ''{}'' THEN ARRAY[NULL::integer]
                      ELSE ARRAY(SELECT v.no FROM vehicles v WHERE v.id = ANY (r.vehicles)) END)', 'CASE WHEN r.vehicles = ''{}'' THEN r.organisation END');

CREATE TRIGGER note_fence_update AFTER UPDATE ON fences REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('fence', 'r.id', 'r.valid_to', 'unnest(CASE WHEN r.vehicles = ''{}'' THEN ARRAY[NULL::integer]
                      ELSE ARRAY(SELECT v.no FROM vehicles v WHERE v.id = ANY (r.vehicles)) END)', 'CASE WHEN r.vehicles = ''{}'' THEN r.organisation END', 'jsonb_build_array(r.id, r.version, r.valid_to)');

CREATE TRIGGER note_fills_delete AFTER DELETE ON fuel_transactions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('fills', 'r.card', 'r.at');

CREATE TRIGGER note_fills_update AFTER UPDATE ON fuel_transactions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('fills', 'r.card', 'r.at');

CREATE TRIGGER note_maintenance_insert AFTER INSERT ON maintenances REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('maintenance', 'r.vehicle', 'COALESCE(r.in_at, r.reported_at)');

CREATE TRIGGER note_maintenance_update AFTER UPDATE ON maintenances REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('maintenance', 'r.vehicle', 'COALESCE(r.in_at, r.reported_at)', '', '', 'jsonb_build_array(r.id, r.vehicle, r.in_at, r.out_at, r.state = ''cancelled'')');

CREATE TRIGGER note_notice_insert AFTER INSERT ON exchange_notices REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('notice', 'r.id', '');

CREATE TRIGGER note_offences_delete AFTER DELETE ON violations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('offences', 'r.plate', 'r.at');

CREATE TRIGGER note_offences_update AFTER UPDATE ON violations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('offences', 'r.plate', 'r.at');

CREATE TRIGGER note_order_insert AFTER INSERT ON dispatch_orders REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_order_changes();

CREATE TRIGGER note_parameter_delete AFTER DELETE ON rule_parameters REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('parameter', 'r.rule || ''.'' || r.name', 'r.effective_from', '', 'r.organisation');

CREATE TRIGGER note_parameter_insert AFTER INSERT ON rule_parameters REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('parameter', 'r.rule || ''.'' || r.name', 'r.effective_from', '', 'r.organisation');

CREATE TRIGGER note_parameter_update AFTER UPDATE ON rule_parameters REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('parameter', 'r.rule || ''.'' || r.name', 'r.effective_from', '', 'r.organisation');

CREATE TRIGGER note_parted AFTER UPDATE ON quarantine REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_quarantine_parted();

CREATE TRIGGER note_received_insert AFTER INSERT ON exchange_records REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('received', 'r.no::text', '');

CREATE TRIGGER note_received_update AFTER UPDATE ON exchange_records REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('received', 'r.no::text', '', '', '', 'jsonb_build_array(r.no, r.version, r.sha256::text, r.organisation)');

CREATE TRIGGER note_rental_insert AFTER INSERT ON rental_reports REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('rental', 'r.id', 'r.period_from');

CREATE TRIGGER note_rental_update AFTER UPDATE ON rental_reports REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('rental', 'r.id', 'r.period_from', '', '', 'jsonb_build_array(r.id, r.state IN (''taken'', ''settled''), r.vehicle, r.period_from, r.period_to)');

CREATE TRIGGER note_result_insert AFTER INSERT ON order_results REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_result_changes();

CREATE TRIGGER note_result_update AFTER UPDATE ON order_results REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_result_changes();

CREATE TRIGGER note_seal_insert AFTER INSERT ON vehicle_seals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('seal', 'r.vehicle', 'r.sealed_from');

CREATE TRIGGER note_seal_update AFTER UPDATE ON vehicle_seals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('seal', 'r.vehicle', 'r.sealed_from');

CREATE TRIGGER note_station_insert AFTER INSERT ON fuel_stations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('station', 'r.id', '');

CREATE TRIGGER note_station_update AFTER UPDATE ON fuel_stations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('station', 'r.id', '');

CREATE TRIGGER note_terminal_binding_delete AFTER DELETE ON terminal_bindings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('terminal_binding', '(SELECT t.phone FROM terminals t WHERE t.no = r.terminal_no)', 'r.valid_from', 'r.vehicle_no');

CREATE TRIGGER note_terminal_binding_end AFTER UPDATE ON terminal_bindings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('terminal_binding', '(SELECT t.phone FROM terminals t WHERE t.no = r.terminal_no)', 'r.valid_to', 'r.vehicle_no', '', 'jsonb_build_array(r.terminal_no, r.valid_from, r.valid_to)');

CREATE TRIGGER note_terminal_binding_insert AFTER INSERT ON terminal_bindings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('terminal_binding', '(SELECT t.phone FROM terminals t WHERE t.no = r.terminal_no)', 'r.valid_from', 'r.vehicle_no');

CREATE TRIGGER note_terminal_binding_update AFTER UPDATE ON terminal_bindings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('terminal_binding', '(SELECT t.phone FROM terminals t WHERE t.no = r.terminal_no)', 'r.valid_from', 'r.vehicle_no', '', 'jsonb_build_array(r.terminal_no, r.valid_from, r.vehicle_no)');

CREATE TRIGGER note_transaction_delete AFTER DELETE ON fuel_transactions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('transaction', 'r.id', 'r.at');

CREATE TRIGGER note_transaction_insert AFTER INSERT ON fuel_transactions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('transaction', 'r.id', 'r.at');

CREATE TRIGGER note_transaction_update AFTER UPDATE ON fuel_transactions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('transaction', 'r.id', 'r.at');

CREATE TRIGGER note_unit_record_insert AFTER INSERT ON organisations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('unit', 'r.id', '');

CREATE TRIGGER note_unit_record_update AFTER UPDATE ON organisations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('unit', 'r.id', '');

CREATE TRIGGER note_unit_update AFTER UPDATE ON organisations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_unit_changes();

CREATE TRIGGER note_vehicle_insert AFTER INSERT ON vehicles REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('vehicle', 'r.id', '', 'r.no');

CREATE TRIGGER note_vehicle_plate_update AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('plate', 'r.plate', '', '', '', 'jsonb_build_array(r.id, r.plate)');

CREATE TRIGGER note_vehicle_status_update AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('vehicle_status', 'r.id', '', 'r.no', '', 'jsonb_build_array(r.id, r.organisation, r.registered_on, r.disposed_on)');

CREATE TRIGGER note_vehicle_update AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('vehicle', 'r.id', '', 'r.no');

CREATE TRIGGER note_violation_delete AFTER DELETE ON violations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('violation', 'r.id', 'r.at');

CREATE TRIGGER note_violation_insert AFTER INSERT ON violations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('violation', 'r.id', 'r.at');

CREATE TRIGGER note_violation_update AFTER UPDATE ON violations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_changes('violation', 'r.id', 'r.at');

CREATE TRIGGER notice_receipts_stand BEFORE DELETE OR UPDATE ON notice_receipts FOR EACH ROW EXECUTE FUNCTION notice_receipt_stands();

CREATE TRIGGER notice_rows_stay BEFORE DELETE OR UPDATE ON notice_rows FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER notice_rows_stay_all BEFORE TRUNCATE ON notice_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER notices_stand BEFORE DELETE OR UPDATE ON notices FOR EACH ROW EXECUTE FUNCTION notice_stands();

CREATE CONSTRAINT TRIGGER number_change_commit AFTER INSERT ON change_commits DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION number_change_commit();

CREATE TRIGGER plate_swaps_stay BEFORE DELETE OR UPDATE ON plate_swaps FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER publication_answers_stay BEFORE DELETE OR UPDATE ON publication_answers FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER publication_answers_stay_all BEFORE TRUNCATE ON publication_answers FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER publication_objections_stay BEFORE DELETE OR UPDATE ON publication_objections FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER publication_objections_stay_all BEFORE TRUNCATE ON publication_objections FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER quarantine_ended_stay BEFORE DELETE OR UPDATE ON quarantine_ended FOR EACH ROW EXECUTE FUNCTION seal_refuses();

CREATE TRIGGER quotas_stay BEFORE DELETE OR UPDATE ON quotas FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER quotas_stay_all BEFORE TRUNCATE ON quotas FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER rebind_reports_delete AFTER DELETE ON terminal_bindings REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION rebind_terminal_reports();

CREATE TRIGGER rebind_reports_insert AFTER INSERT ON terminal_bindings REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION rebind_terminal_reports();

CREATE TRIGGER rebind_reports_update AFTER UPDATE ON terminal_bindings REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION rebind_terminal_reports();

CREATE TRIGGER reconciliation_acts_stay BEFORE DELETE OR UPDATE ON reconciliation_acts FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER reconciliation_acts_stay_all BEFORE TRUNCATE ON reconciliation_acts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER reconciliation_lines_stand BEFORE DELETE OR UPDATE ON reconciliation_lines FOR EACH ROW EXECUTE FUNCTION reconciliation_line_stands();

CREATE TRIGGER reconciliations_stay BEFORE DELETE OR UPDATE ON reconciliations FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER reconciliations_stay_all BEFORE TRUNCATE ON reconciliations FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER rental_proof_vehicles_stay BEFORE DELETE OR UPDATE ON rental_proof_vehicles FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER rental_proof_vehicles_stay_all BEFORE TRUNCATE ON rental_proof_vehicles FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER rental_proofs_stay BEFORE DELETE OR UPDATE ON rental_proofs FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER rental_proofs_stay_all BEFORE TRUNCATE ON rental_proofs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER rental_reports_stand BEFORE DELETE OR UPDATE ON rental_reports FOR EACH ROW EXECUTE FUNCTION rental_report_stands();

CREATE TRIGGER seal_blocks_stay BEFORE DELETE OR UPDATE ON seal_blocks FOR EACH ROW EXECUTE FUNCTION seal_refuses();

CREATE TRIGGER seal_keys_stay BEFORE DELETE OR UPDATE ON seal_keys FOR EACH ROW EXECUTE FUNCTION seal_refuses();

CREATE TRIGGER seal_note AFTER INSERT ON alert_dispositions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_dispositions();

CREATE TRIGGER seal_note AFTER INSERT ON alert_feed REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_feed();

CREATE TRIGGER seal_note AFTER INSERT ON alert_labels REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_labels();

CREATE TRIGGER seal_note AFTER INSERT ON alert_receipts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_receipts();

CREATE TRIGGER seal_note AFTER INSERT ON alert_versions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_alerts();

CREATE TRIGGER seal_note AFTER INSERT ON audit REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_audit();

CREATE TRIGGER seal_note AFTER INSERT ON case_attachments REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_attachments();

CREATE TRIGGER seal_note AFTER INSERT ON case_events REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_case_events();

CREATE TRIGGER seal_note AFTER INSERT ON complaint_reads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_caller_reads();

CREATE TRIGGER seal_note AFTER INSERT ON cost_entry_versions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_cost_entries();

CREATE TRIGGER seal_note AFTER INSERT ON cost_statement_events REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_statements();

CREATE TRIGGER seal_note AFTER INSERT ON evaluations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_evaluations();

CREATE TRIGGER seal_note AFTER INSERT ON evidence REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_evidence();

CREATE TRIGGER seal_note AFTER INSERT ON evidence_positions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_positions();

CREATE TRIGGER seal_note AFTER INSERT ON quarantine_ended REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_quarantine();

CREATE TRIGGER seal_note AFTER INSERT ON reconciliation_acts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_reconciliation_acts();

CREATE TRIGGER seal_note AFTER INSERT ON reconciliations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_reconciliations();

CREATE TRIGGER seal_note AFTER INSERT ON trip_dispatch_events REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_trip_dispatches();

CREATE TRIGGER seal_note AFTER INSERT ON trip_request_events REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seal_note_trip_requests();

CREATE TRIGGER tariffs_stand BEFORE DELETE OR UPDATE ON tariffs FOR EACH ROW EXECUTE FUNCTION tariff_stands();

CREATE TRIGGER terminal_command_events_stay BEFORE DELETE OR UPDATE ON terminal_command_events FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER terminal_command_events_stay_all BEFORE TRUNCATE ON terminal_command_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER terminal_commands_are_not_removed BEFORE DELETE ON terminal_commands FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER terminal_homes_delete AFTER DELETE ON terminal_bindings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION terminal_homes_of_bindings();

CREATE TRIGGER terminal_homes_insert AFTER INSERT ON terminal_bindings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION terminal_homes_of_bindings();

CREATE TRIGGER terminal_homes_vehicle AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION terminal_homes_of_vehicles();

CREATE TRIGGER trip_cost_facts_stay BEFORE DELETE OR UPDATE ON trip_cost_facts FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_cost_facts_stay_all BEFORE TRUNCATE ON trip_cost_facts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_dispatch_events_stay BEFORE DELETE OR UPDATE ON trip_dispatch_events FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_dispatch_events_stay_all BEFORE TRUNCATE ON trip_dispatch_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_dispatches_are_not_removed BEFORE DELETE ON trip_dispatches FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_prices_stay BEFORE DELETE OR UPDATE ON trip_prices FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_prices_stay_all BEFORE TRUNCATE ON trip_prices FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_request_events_stay BEFORE DELETE OR UPDATE ON trip_request_events FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_request_events_stay_all BEFORE TRUNCATE ON trip_request_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_requests_are_not_removed BEFORE DELETE ON trip_requests FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_series_members_stay BEFORE DELETE OR UPDATE ON trip_series_members FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_series_members_stay_all BEFORE TRUNCATE ON trip_series_members FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_series_stay BEFORE DELETE OR UPDATE ON trip_series FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trip_series_stay_all BEFORE TRUNCATE ON trip_series FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER vehicle_act_events_stay BEFORE DELETE OR UPDATE ON vehicle_act_events FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER vehicle_act_events_stay_all BEFORE TRUNCATE ON vehicle_act_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER vehicle_acts_are_not_removed BEFORE DELETE ON vehicle_acts FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER vehicle_documents_stand BEFORE DELETE OR UPDATE ON vehicle_documents FOR EACH ROW EXECUTE FUNCTION vehicle_document_stands();

CREATE TRIGGER vehicle_files_follow AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION files_follow_vehicles();

CREATE TRIGGER vehicle_papers_stand BEFORE DELETE OR UPDATE ON vehicle_papers FOR EACH ROW EXECUTE FUNCTION vehicle_paper_stands();

CREATE TRIGGER vehicle_plates_begin AFTER INSERT ON vehicles REFERENCING NEW TABLE AS vehicles_now FOR EACH STATEMENT EXECUTE FUNCTION begin_plates();

CREATE TRIGGER vehicle_plates_change AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS vehicles_before NEW TABLE AS vehicles_now FOR EACH STATEMENT EXECUTE FUNCTION change_plates();

CREATE TRIGGER vehicle_quota_places_stay BEFORE DELETE OR UPDATE ON vehicle_quota_places FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER vehicle_quota_places_stay_all BEFORE TRUNCATE ON vehicle_quota_places FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER vehicle_secrecy_stays BEFORE DELETE OR UPDATE ON vehicle_secrecy FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER voucher_mappings_stay BEFORE DELETE OR UPDATE ON voucher_mappings FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER voucher_mappings_stay_all BEFORE TRUNCATE ON voucher_mappings FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE ONLY alert_dispositions
    ADD CONSTRAINT alert_dispositions_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alerts(id);

ALTER TABLE ONLY alert_dispositions
    ADD CONSTRAINT alert_dispositions_alert_id_version_fkey FOREIGN KEY (alert_id, version) REFERENCES alert_versions(alert_id, version);

ALTER TABLE ONLY alert_dispositions
    ADD CONSTRAINT alert_dispositions_code_fkey FOREIGN KEY (code) REFERENCES disposition_codes(code);

ALTER TABLE ONLY alert_feed
    ADD CONSTRAINT alert_feed_alert_id_version_fkey FOREIGN KEY (alert_id, version) REFERENCES alert_versions(alert_id, version);

ALTER TABLE ONLY alert_labels
    ADD CONSTRAINT alert_labels_case_id_fkey FOREIGN KEY (case_id) REFERENCES cases(id);

ALTER TABLE ONLY alert_receipts
    ADD CONSTRAINT alert_receipts_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alerts(id);

ALTER TABLE ONLY alert_receipts
    ADD CONSTRAINT alert_receipts_alert_id_version_fkey FOREIGN KEY (alert_id, version) REFERENCES alert_versions(alert_id, version);

ALTER TABLE ONLY alert_versions
    ADD CONSTRAINT alert_versions_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alerts(id);

ALTER TABLE ONLY alert_versions
    ADD CONSTRAINT alert_versions_evidence_sha256_fkey FOREIGN KEY (evidence_sha256) REFERENCES evidence_of_alerts(sha256);

ALTER TABLE ONLY api_tokens
    ADD CONSTRAINT api_tokens_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY assessment_decisions
    ADD CONSTRAINT assessment_decisions_dispute_id_fkey FOREIGN KEY (dispute_id) REFERENCES assessment_disputes(id);

ALTER TABLE ONLY backtest_counts
    ADD CONSTRAINT backtest_counts_backtest_fkey FOREIGN KEY (backtest) REFERENCES backtests(no) ON DELETE CASCADE;

ALTER TABLE ONLY backtest_examples
    ADD CONSTRAINT backtest_examples_backtest_fkey FOREIGN KEY (backtest) REFERENCES backtests(no) ON DELETE CASCADE;

ALTER TABLE ONLY backtests
    ADD CONSTRAINT backtests_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY call_back_results
    ADD CONSTRAINT call_back_results_call_back_fkey FOREIGN KEY (call_back) REFERENCES call_backs(id);

ALTER TABLE ONLY call_backs
    ADD CONSTRAINT call_backs_draw_fkey FOREIGN KEY (draw) REFERENCES call_back_draws(id);

ALTER TABLE ONLY call_backs
    ADD CONSTRAINT call_backs_request_fkey FOREIGN KEY (request) REFERENCES trip_requests(id);

ALTER TABLE ONLY card_bindings
    ADD CONSTRAINT card_bindings_card_fkey FOREIGN KEY (card) REFERENCES fuel_cards(id);

ALTER TABLE ONLY case_attachments
    ADD CONSTRAINT case_attachments_case_id_fkey FOREIGN KEY (case_id) REFERENCES cases(id);

ALTER TABLE ONLY case_events
    ADD CONSTRAINT case_events_case_id_fkey FOREIGN KEY (case_id) REFERENCES cases(id);

ALTER TABLE ONLY case_links
    ADD CONSTRAINT case_links_case_id_fkey FOREIGN KEY (case_id) REFERENCES cases(id);

ALTER TABLE ONLY client_secrets
    ADD CONSTRAINT client_secrets_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id);

ALTER TABLE ONLY client_tokens
    ADD CONSTRAINT client_tokens_secret_id_fkey FOREIGN KEY (secret_id) REFERENCES client_secrets(id);

ALTER TABLE ONLY clients
    ADD CONSTRAINT clients_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY clock_corrections
    ADD CONSTRAINT clock_corrections_terminal_no_fkey FOREIGN KEY (terminal_no) REFERENCES terminals(no);

ALTER TABLE ONLY clock_doubts
    ADD CONSTRAINT clock_doubts_terminal_no_fkey FOREIGN KEY (terminal_no) REFERENCES terminals(no);

ALTER TABLE ONLY complaint_reads
    ADD CONSTRAINT complaint_reads_complaint_id_fkey FOREIGN KEY (complaint_id) REFERENCES complaints(id);

ALTER TABLE ONLY cost_claims
    ADD CONSTRAINT cost_claims_dispatch_id_fkey FOREIGN KEY (dispatch_id) REFERENCES trip_dispatches(id);

ALTER TABLE ONLY cost_claims
    ADD CONSTRAINT cost_claims_request_id_fkey FOREIGN KEY (request_id) REFERENCES trip_requests(id);

ALTER TABLE ONLY cost_claims
    ADD CONSTRAINT cost_claims_statement_fkey FOREIGN KEY (statement) REFERENCES cost_statements(id);

ALTER TABLE ONLY cost_entries
    ADD CONSTRAINT cost_entries_reverses_fkey FOREIGN KEY (reverses) REFERENCES cost_entries(id);

ALTER TABLE ONLY cost_entry_versions
    ADD CONSTRAINT cost_entry_versions_entry_fkey FOREIGN KEY (entry) REFERENCES cost_entries(id);

ALTER TABLE ONLY cost_statement_events
    ADD CONSTRAINT cost_statement_events_statement_fkey FOREIGN KEY (statement) REFERENCES cost_statements(id);

ALTER TABLE ONLY cost_statement_lines
    ADD CONSTRAINT cost_statement_lines_corrects_fkey FOREIGN KEY (corrects) REFERENCES cost_statement_lines(no);

ALTER TABLE ONLY cost_statement_lines
    ADD CONSTRAINT cost_statement_lines_statement_fkey FOREIGN KEY (statement) REFERENCES cost_statements(id);

ALTER TABLE ONLY delegations
    ADD CONSTRAINT delegations_grant_id_fkey FOREIGN KEY (grant_id) REFERENCES role_grants(id);

ALTER TABLE ONLY delegations
    ADD CONSTRAINT delegations_to_user_fkey FOREIGN KEY (to_user) REFERENCES users(id);

ALTER TABLE ONLY dispatch_orders
    ADD CONSTRAINT dispatch_orders_driver_fkey FOREIGN KEY (driver) REFERENCES drivers(id);

ALTER TABLE ONLY dispatch_orders
    ADD CONSTRAINT dispatch_orders_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY dispatch_orders
    ADD CONSTRAINT dispatch_orders_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY driver_accounts
    ADD CONSTRAINT driver_accounts_driver_fkey FOREIGN KEY (driver) REFERENCES drivers(id);

ALTER TABLE ONLY driver_accounts
    ADD CONSTRAINT driver_accounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY driver_card_events
    ADD CONSTRAINT driver_card_events_report_fkey FOREIGN KEY (report) REFERENCES terminal_reports(no) ON DELETE CASCADE;

ALTER TABLE ONLY driver_facts
    ADD CONSTRAINT driver_facts_driver_fkey FOREIGN KEY (driver) REFERENCES drivers(id);

ALTER TABLE ONLY driver_leave_events
    ADD CONSTRAINT driver_leave_events_paper_fkey FOREIGN KEY (paper) REFERENCES driver_leaves(id);

ALTER TABLE ONLY driver_leaves
    ADD CONSTRAINT driver_leaves_driver_fkey FOREIGN KEY (driver) REFERENCES drivers(id);

ALTER TABLE ONLY driver_objection_decisions
    ADD CONSTRAINT driver_objection_decisions_objection_fkey FOREIGN KEY (objection) REFERENCES driver_objections(id);

ALTER TABLE ONLY driver_objections
    ADD CONSTRAINT driver_objections_driver_period_fkey FOREIGN KEY (driver, period) REFERENCES driver_sheets(driver, period);

ALTER TABLE ONLY driver_rosters
    ADD CONSTRAINT driver_rosters_driver_fkey FOREIGN KEY (driver) REFERENCES drivers(id);

ALTER TABLE ONLY driver_sheets
    ADD CONSTRAINT driver_sheets_driver_fkey FOREIGN KEY (driver) REFERENCES drivers(id);

ALTER TABLE ONLY drivers
    ADD CONSTRAINT drivers_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY exchange_arrivals
    ADD CONSTRAINT exchange_arrivals_peer_fkey FOREIGN KEY (peer) REFERENCES exchange_peers(name) ON DELETE CASCADE;

ALTER TABLE ONLY exchange_origins
    ADD CONSTRAINT exchange_origins_peer_fkey FOREIGN KEY (peer) REFERENCES exchange_peers(name);

ALTER TABLE ONLY exchange_queue
    ADD CONSTRAINT exchange_queue_peer_fkey FOREIGN KEY (peer) REFERENCES exchange_peers(name) ON DELETE CASCADE;

ALTER TABLE ONLY exchange_records
    ADD CONSTRAINT exchange_records_peer_fkey FOREIGN KEY (peer) REFERENCES exchange_peers(name);

ALTER TABLE ONLY exchange_secrets
    ADD CONSTRAINT exchange_secrets_peer_fkey FOREIGN KEY (peer) REFERENCES exchange_peers(name) ON DELETE CASCADE;

ALTER TABLE ONLY exchange_sent
    ADD CONSTRAINT exchange_sent_peer_fkey FOREIGN KEY (peer) REFERENCES exchange_peers(name) ON DELETE CASCADE;

ALTER TABLE ONLY exchange_states
    ADD CONSTRAINT exchange_states_peer_fkey FOREIGN KEY (peer) REFERENCES exchange_peers(name) ON DELETE CASCADE;

ALTER TABLE ONLY fences
    ADD CONSTRAINT fences_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY fences_sent_down
    ADD CONSTRAINT fences_sent_down_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY fuel_cards
    ADD CONSTRAINT fuel_cards_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY fuel_transactions
    ADD CONSTRAINT fuel_transactions_card_fkey FOREIGN KEY (card) REFERENCES fuel_cards(id);

ALTER TABLE ONLY fuel_transactions
    ADD CONSTRAINT fuel_transactions_station_fkey FOREIGN KEY (station) REFERENCES fuel_stations(id);

ALTER TABLE ONLY maintenance_events
    ADD CONSTRAINT maintenance_events_paper_fkey FOREIGN KEY (paper) REFERENCES maintenances(id);

ALTER TABLE ONLY maintenances
    ADD CONSTRAINT maintenances_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY message_addresses
    ADD CONSTRAINT message_addresses_channel_no_fkey FOREIGN KEY (channel_no) REFERENCES message_channels(no) ON DELETE CASCADE;

ALTER TABLE ONLY message_channels
    ADD CONSTRAINT message_channels_person_fkey FOREIGN KEY (person) REFERENCES users(id);

ALTER TABLE ONLY message_fanout
    ADD CONSTRAINT message_fanout_message_id_fkey FOREIGN KEY (message_id) REFERENCES messages(id);

ALTER TABLE ONLY message_lanes
    ADD CONSTRAINT message_lanes_channel_no_fkey FOREIGN KEY (channel_no) REFERENCES message_channels(no) ON DELETE CASCADE;

ALTER TABLE ONLY message_outbox
    ADD CONSTRAINT message_outbox_channel_no_fkey FOREIGN KEY (channel_no) REFERENCES message_channels(no) ON DELETE CASCADE;

ALTER TABLE ONLY message_outbox
    ADD CONSTRAINT message_outbox_message_id_fkey FOREIGN KEY (message_id) REFERENCES messages(id);

ALTER TABLE ONLY message_quiet_hours
    ADD CONSTRAINT message_quiet_hours_person_fkey FOREIGN KEY (person) REFERENCES users(id);

ALTER TABLE ONLY message_reads
    ADD CONSTRAINT message_reads_message_id_fkey FOREIGN KEY (message_id) REFERENCES messages(id);

ALTER TABLE ONLY messages
    ADD CONSTRAINT messages_case_id_fkey FOREIGN KEY (case_id) REFERENCES cases(id);

ALTER TABLE ONLY notice_receipts
    ADD CONSTRAINT notice_receipts_notice_fkey FOREIGN KEY (notice) REFERENCES notices(id);

ALTER TABLE ONLY notice_rows
    ADD CONSTRAINT notice_rows_notice_fkey FOREIGN KEY (notice) REFERENCES notices(id);

ALTER TABLE ONLY notices
    ADD CONSTRAINT notices_replaces_fkey FOREIGN KEY (replaces) REFERENCES notices(id);

ALTER TABLE ONLY oidc_links
    ADD CONSTRAINT oidc_links_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY order_results
    ADD CONSTRAINT order_results_vehicle_no_fkey FOREIGN KEY (vehicle_no) REFERENCES vehicles(no);

ALTER TABLE ONLY organisations
    ADD CONSTRAINT organisations_parent_fkey FOREIGN KEY (parent) REFERENCES organisations(id);

ALTER TABLE ONLY plate_swaps
    ADD CONSTRAINT plate_swaps_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY platform_secrets
    ADD CONSTRAINT platform_secrets_link_fkey FOREIGN KEY (link) REFERENCES platform_links(name) ON DELETE CASCADE;

ALTER TABLE ONLY platform_states
    ADD CONSTRAINT platform_states_link_fkey FOREIGN KEY (link) REFERENCES platform_links(name) ON DELETE CASCADE;

ALTER TABLE ONLY platform_supervisions
    ADD CONSTRAINT platform_supervisions_case_id_fkey FOREIGN KEY (case_id) REFERENCES cases(id);

ALTER TABLE ONLY platform_supervisions
    ADD CONSTRAINT platform_supervisions_link_fkey FOREIGN KEY (link) REFERENCES platform_links(name);

ALTER TABLE ONLY platform_vehicles
    ADD CONSTRAINT platform_vehicles_link_fkey FOREIGN KEY (link) REFERENCES platform_links(name) ON DELETE CASCADE;

ALTER TABLE ONLY publication_answers
    ADD CONSTRAINT publication_answers_objection_fkey FOREIGN KEY (objection) REFERENCES publication_objections(id);

ALTER TABLE ONLY publication_objections
    ADD CONSTRAINT publication_objections_notice_fkey FOREIGN KEY (notice) REFERENCES notices(id);

ALTER TABLE ONLY quotas
    ADD CONSTRAINT quotas_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY recomputations
    ADD CONSTRAINT recomputations_vehicle_no_fkey FOREIGN KEY (vehicle_no) REFERENCES vehicles(no);

ALTER TABLE ONLY reconciliation_acts
    ADD CONSTRAINT reconciliation_acts_reconciliation_fkey FOREIGN KEY (reconciliation) REFERENCES reconciliations(id);

ALTER TABLE ONLY reconciliation_lines
    ADD CONSTRAINT reconciliation_lines_reconciliation_fkey FOREIGN KEY (reconciliation) REFERENCES reconciliations(id);

ALTER TABLE ONLY recovery_codes
    ADD CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY reminders
    ADD CONSTRAINT reminders_command_fkey FOREIGN KEY (command) REFERENCES terminal_commands(no);

ALTER TABLE ONLY rental_proof_vehicles
    ADD CONSTRAINT rental_proof_vehicles_report_number_fkey FOREIGN KEY (report, number) REFERENCES rental_proofs(report, number);

ALTER TABLE ONLY rental_proofs
    ADD CONSTRAINT rental_proofs_report_fkey FOREIGN KEY (report) REFERENCES rental_reports(id);

ALTER TABLE ONLY rental_reports
    ADD CONSTRAINT rental_reports_cost_entry_fkey FOREIGN KEY (cost_entry) REFERENCES cost_entries(id);

ALTER TABLE ONLY rental_reports
    ADD CONSTRAINT rental_reports_request_fkey FOREIGN KEY (request) REFERENCES trip_requests(id);

ALTER TABLE ONLY rental_reports
    ADD CONSTRAINT rental_reports_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY role_grants
    ADD CONSTRAINT role_grants_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY role_grants
    ADD CONSTRAINT role_grants_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY rule_parameters
    ADD CONSTRAINT rule_parameters_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY seal_blocks
    ADD CONSTRAINT seal_blocks_key_id_fkey FOREIGN KEY (key_id) REFERENCES seal_keys(id);

ALTER TABLE ONLY seal_keys
    ADD CONSTRAINT seal_keys_previous_fkey FOREIGN KEY (previous) REFERENCES seal_keys(id);

ALTER TABLE ONLY sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY tasks
    ADD CONSTRAINT tasks_case_id_fkey FOREIGN KEY (case_id) REFERENCES cases(id);

ALTER TABLE ONLY terminal_areas
    ADD CONSTRAINT terminal_areas_command_fkey FOREIGN KEY (command) REFERENCES terminal_commands(no);

ALTER TABLE ONLY terminal_areas
    ADD CONSTRAINT terminal_areas_terminal_no_fkey FOREIGN KEY (terminal_no) REFERENCES terminals(no);

ALTER TABLE ONLY terminal_bindings
    ADD CONSTRAINT terminal_bindings_terminal_no_fkey FOREIGN KEY (terminal_no) REFERENCES terminals(no);

ALTER TABLE ONLY terminal_bindings
    ADD CONSTRAINT terminal_bindings_vehicle_no_fkey FOREIGN KEY (vehicle_no) REFERENCES vehicles(no);

ALTER TABLE ONLY terminal_command_events
    ADD CONSTRAINT terminal_command_events_command_fkey FOREIGN KEY (command) REFERENCES terminal_commands(no);

ALTER TABLE ONLY terminal_commands
    ADD CONSTRAINT terminal_commands_terminal_no_fkey FOREIGN KEY (terminal_no) REFERENCES terminals(no);

ALTER TABLE ONLY terminal_media
    ADD CONSTRAINT terminal_media_report_fkey FOREIGN KEY (report) REFERENCES terminal_reports(no) ON DELETE CASCADE;

ALTER TABLE ONLY terminal_notices
    ADD CONSTRAINT terminal_notices_terminal_no_fkey FOREIGN KEY (terminal_no) REFERENCES terminals(no);

ALTER TABLE ONLY terminal_presence
    ADD CONSTRAINT terminal_presence_gateway_fkey FOREIGN KEY (gateway) REFERENCES terminal_gateways(id) ON DELETE CASCADE;

ALTER TABLE ONLY trip_cost_facts
    ADD CONSTRAINT trip_cost_facts_dispatch_id_fkey FOREIGN KEY (dispatch_id) REFERENCES trip_dispatches(id);

ALTER TABLE ONLY trip_dispatch_events
    ADD CONSTRAINT trip_dispatch_events_paper_fkey FOREIGN KEY (paper) REFERENCES trip_dispatches(id);

ALTER TABLE ONLY trip_links
    ADD CONSTRAINT trip_links_dispatch_id_fkey FOREIGN KEY (dispatch_id) REFERENCES trip_dispatches(id);

ALTER TABLE ONLY trip_links
    ADD CONSTRAINT trip_links_request_id_fkey FOREIGN KEY (request_id) REFERENCES trip_requests(id);

ALTER TABLE ONLY trip_prices
    ADD CONSTRAINT trip_prices_dispatch_id_fkey FOREIGN KEY (dispatch_id) REFERENCES trip_dispatches(id);

ALTER TABLE ONLY trip_prices
    ADD CONSTRAINT trip_prices_platform_tariff_version_fkey FOREIGN KEY (platform, tariff_version) REFERENCES tariffs(organisation, version);

ALTER TABLE ONLY trip_request_events
    ADD CONSTRAINT trip_request_events_paper_fkey FOREIGN KEY (paper) REFERENCES trip_requests(id);

ALTER TABLE ONLY trip_series_members
    ADD CONSTRAINT trip_series_members_request_fkey FOREIGN KEY (request) REFERENCES trip_requests(id);

ALTER TABLE ONLY trip_series_members
    ADD CONSTRAINT trip_series_members_series_fkey FOREIGN KEY (series) REFERENCES trip_series(id);

ALTER TABLE ONLY users
    ADD CONSTRAINT users_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY vehicle_act_events
    ADD CONSTRAINT vehicle_act_events_act_fkey FOREIGN KEY (act) REFERENCES vehicle_acts(id);

ALTER TABLE ONLY vehicle_acts
    ADD CONSTRAINT vehicle_acts_to_organisation_fkey FOREIGN KEY (to_organisation) REFERENCES organisations(id);

ALTER TABLE ONLY vehicle_acts
    ADD CONSTRAINT vehicle_acts_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY vehicle_day_states
    ADD CONSTRAINT vehicle_day_states_vehicle_no_fkey FOREIGN KEY (vehicle_no) REFERENCES vehicles(no);

ALTER TABLE ONLY vehicle_documents
    ADD CONSTRAINT vehicle_documents_driver_fkey FOREIGN KEY (driver) REFERENCES drivers(id);

ALTER TABLE ONLY vehicle_documents
    ADD CONSTRAINT vehicle_documents_maintenance_fkey FOREIGN KEY (maintenance) REFERENCES maintenances(id);

ALTER TABLE ONLY vehicle_documents
    ADD CONSTRAINT vehicle_documents_paper_fkey FOREIGN KEY (paper) REFERENCES vehicle_papers(id);

ALTER TABLE ONLY vehicle_documents
    ADD CONSTRAINT vehicle_documents_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY vehicle_papers
    ADD CONSTRAINT vehicle_papers_driver_fkey FOREIGN KEY (driver) REFERENCES drivers(id);

ALTER TABLE ONLY vehicle_papers
    ADD CONSTRAINT vehicle_papers_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY vehicle_particulars
    ADD CONSTRAINT vehicle_particulars_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY vehicle_plates
    ADD CONSTRAINT vehicle_plates_vehicle_no_fkey FOREIGN KEY (vehicle_no) REFERENCES vehicles(no);

ALTER TABLE ONLY vehicle_quota_places
    ADD CONSTRAINT vehicle_quota_places_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY vehicle_seals
    ADD CONSTRAINT vehicle_seals_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY vehicle_seals
    ADD CONSTRAINT vehicle_seals_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY vehicle_secrecy
    ADD CONSTRAINT vehicle_secrecy_vehicle_fkey FOREIGN KEY (vehicle) REFERENCES vehicles(id);

ALTER TABLE ONLY vehicle_states
    ADD CONSTRAINT vehicle_states_vehicle_no_fkey FOREIGN KEY (vehicle_no) REFERENCES vehicles(no);

ALTER TABLE ONLY vehicles
    ADD CONSTRAINT vehicles_organisation_fkey FOREIGN KEY (organisation) REFERENCES organisations(id);

ALTER TABLE ONLY violations
    ADD CONSTRAINT violations_driver_fkey FOREIGN KEY (driver) REFERENCES drivers(id);

ALTER TABLE ONLY webhook_attempts
    ADD CONSTRAINT webhook_attempts_delivery_no_fkey FOREIGN KEY (delivery_no) REFERENCES webhook_deliveries(no) ON DELETE CASCADE;

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_subscription_no_fkey FOREIGN KEY (subscription_no) REFERENCES webhooks(subscription_no) ON DELETE CASCADE;

ALTER TABLE ONLY webhook_secrets
    ADD CONSTRAINT webhook_secrets_subscription_no_fkey FOREIGN KEY (subscription_no) REFERENCES webhooks(subscription_no) ON DELETE CASCADE;

ALTER TABLE ONLY webhook_tests
    ADD CONSTRAINT webhook_tests_subscription_no_fkey FOREIGN KEY (subscription_no) REFERENCES webhooks(subscription_no) ON DELETE CASCADE;

ALTER TABLE ONLY webhooks
    ADD CONSTRAINT webhooks_subscription_no_fkey FOREIGN KEY (subscription_no) REFERENCES subscriptions(no) ON DELETE CASCADE;

ALTER TABLE alert_dispositions ENABLE ROW LEVEL SECURITY;

ALTER TABLE alert_feed ENABLE ROW LEVEL SECURITY;

ALTER TABLE alert_labels ENABLE ROW LEVEL SECURITY;

ALTER TABLE alert_reads ENABLE ROW LEVEL SECURITY;

ALTER TABLE alert_receipts ENABLE ROW LEVEL SECURITY;

ALTER TABLE alert_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE alerts ENABLE ROW LEVEL SECURITY;

ALTER TABLE approval_tables ENABLE ROW LEVEL SECURITY;

ALTER TABLE assessment_decisions ENABLE ROW LEVEL SECURITY;

ALTER TABLE assessment_disputes ENABLE ROW LEVEL SECURITY;

ALTER TABLE assessment_sheets ENABLE ROW LEVEL SECURITY;

ALTER TABLE assessment_tables ENABLE ROW LEVEL SECURITY;

ALTER TABLE audit ENABLE ROW LEVEL SECURITY;

ALTER TABLE backtest_counts ENABLE ROW LEVEL SECURITY;

ALTER TABLE backtest_examples ENABLE ROW LEVEL SECURITY;

ALTER TABLE backtests ENABLE ROW LEVEL SECURITY;

ALTER TABLE calendar_days ENABLE ROW LEVEL SECURITY;

ALTER TABLE call_back_draws ENABLE ROW LEVEL SECURITY;

ALTER TABLE call_back_results ENABLE ROW LEVEL SECURITY;

ALTER TABLE call_backs ENABLE ROW LEVEL SECURITY;

ALTER TABLE card_bindings ENABLE ROW LEVEL SECURITY;

ALTER TABLE case_attachments ENABLE ROW LEVEL SECURITY;

ALTER TABLE case_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE case_links ENABLE ROW LEVEL SECURITY;

ALTER TABLE case_numbers ENABLE ROW LEVEL SECURITY;

ALTER TABLE cases ENABLE ROW LEVEL SECURITY;

CREATE POLICY cleared ON alert_dispositions TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON alert_feed TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON alert_labels TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON alert_reads TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON alert_receipts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON alert_versions TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON alerts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON approval_tables TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON assessment_decisions TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON assessment_disputes TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON assessment_sheets TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON assessment_tables TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON audit TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON backtest_counts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON backtest_examples TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON backtests TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON calendar_days TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON call_back_draws TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON call_back_results TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON call_backs TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON card_bindings TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON case_attachments TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON case_events TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON case_links TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON case_numbers TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON cases TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON clock_corrections TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON clock_doubts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON cold_files TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON cold_terminals TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON complaint_reads TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON complaints TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON cost_claims TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON cost_entries TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON cost_entry_versions TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON cost_statement_events TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON cost_statement_lines TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON cost_statements TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON dispatch_orders TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON disposition_codes TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON driver_accounts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON driver_card_events TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON driver_facts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON driver_leave_events TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON driver_leaves TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON driver_objection_decisions TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON driver_objections TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON driver_rosters TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON driver_score_tables TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON driver_sheets TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON drivers TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON evaluations TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON evidence_of_alerts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON evidence_positions TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON exchange_arrivals TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON exchange_notices TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON exchange_peers TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON exchange_queue TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON exchange_records TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON exchange_sent TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON exchange_states TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON fences TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON fences_sent_down TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON fuel_cards TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON fuel_stations TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON fuel_transactions TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON idempotency_keys TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON judge_due TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON maintenance_events TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON maintenance_numbers TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON maintenances TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON message_addresses TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON message_channels TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON message_code_counts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON message_lanes TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON message_outbox TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON message_quiet_hours TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON message_reads TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON messages TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON notice_numbers TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON notice_receipts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON notice_rows TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON notices TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON order_results TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON order_track_times TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON organisations TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON plate_swaps TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON positions TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON process_samples TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON publication_answers TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON publication_objections TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON quotas TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON reconciliation_acts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON reconciliation_lines TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON reconciliations TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON reminders TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON rental_numbers TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON rental_proof_vehicles TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON rental_proofs TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON rental_reports TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON rule_parameters TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON subscriptions TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON tariffs TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON tasks TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON terminal_areas TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON terminal_bindings TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON terminal_command_events TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON terminal_commands TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON terminal_media TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON terminal_notices TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON terminal_reports TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON terminals TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON trip_cost_facts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON trip_dispatch_events TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON trip_dispatches TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON trip_links TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON trip_numbers TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON trip_prices TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON trip_request_events TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON trip_requests TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON trip_series TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON trip_series_members TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_act_events TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_act_numbers TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_acts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_documents TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_papers TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_particulars TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_plates TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_quota_places TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_seals TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_secrecy TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicle_states TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON vehicles TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON violations TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON voucher_mappings TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON webhook_attempts TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON webhook_deliveries TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON webhook_secrets TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON webhook_tests TO gongche_cleared USING (true) WITH CHECK (true);

CREATE POLICY cleared ON webhooks TO gongche_cleared USING (true) WITH CHECK (true);

ALTER TABLE clock_corrections ENABLE ROW LEVEL SECURITY;

ALTER TABLE clock_doubts ENABLE ROW LEVEL SECURITY;

ALTER TABLE cold_files ENABLE ROW LEVEL SECURITY;

ALTER TABLE cold_terminals ENABLE ROW LEVEL SECURITY;

ALTER TABLE complaint_reads ENABLE ROW LEVEL SECURITY;

ALTER TABLE complaints ENABLE ROW LEVEL SECURITY;

ALTER TABLE cost_claims ENABLE ROW LEVEL SECURITY;

ALTER TABLE cost_entries ENABLE ROW LEVEL SECURITY;

ALTER TABLE cost_entry_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE cost_statement_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE cost_statement_lines ENABLE ROW LEVEL SECURITY;

ALTER TABLE cost_statements ENABLE ROW LEVEL SECURITY;

ALTER TABLE dispatch_orders ENABLE ROW LEVEL SECURITY;

ALTER TABLE disposition_codes ENABLE ROW LEVEL SECURITY;

ALTER TABLE driver_accounts ENABLE ROW LEVEL SECURITY;

ALTER TABLE driver_card_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE driver_facts ENABLE ROW LEVEL SECURITY;

ALTER TABLE driver_leave_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE driver_leaves ENABLE ROW LEVEL SECURITY;

ALTER TABLE driver_objection_decisions ENABLE ROW LEVEL SECURITY;

ALTER TABLE driver_objections ENABLE ROW LEVEL SECURITY;

ALTER TABLE driver_rosters ENABLE ROW LEVEL SECURITY;

ALTER TABLE driver_score_tables ENABLE ROW LEVEL SECURITY;

ALTER TABLE driver_sheets ENABLE ROW LEVEL SECURITY;

ALTER TABLE drivers ENABLE ROW LEVEL SECURITY;

ALTER TABLE evaluations ENABLE ROW LEVEL SECURITY;

CREATE POLICY everywhere ON alert_dispositions TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON alert_feed TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON alert_labels TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON alert_reads TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON alert_receipts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON alert_versions TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON alerts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON approval_tables TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON assessment_decisions TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON assessment_disputes TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON assessment_sheets TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON assessment_tables TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON audit TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON backtest_counts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON backtest_examples TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON backtests TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON calendar_days TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON call_back_draws TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON call_back_results TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON call_backs TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON card_bindings TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON case_attachments TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON case_events TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON case_links TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON case_numbers TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON cases TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON clock_corrections TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON clock_doubts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON cold_files TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON cold_terminals TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON complaint_reads TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON complaints TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON cost_claims TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON cost_entries TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON cost_entry_versions TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON cost_statement_events TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON cost_statement_lines TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON cost_statements TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON dispatch_orders TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON disposition_codes TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON driver_accounts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON driver_card_events TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON driver_facts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON driver_leave_events TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON driver_leaves TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON driver_objection_decisions TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON driver_objections TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON driver_rosters TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON driver_score_tables TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON driver_sheets TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON drivers TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON evaluations TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON evidence_of_alerts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON evidence_positions TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON exchange_arrivals TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON exchange_notices TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON exchange_peers TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON exchange_queue TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON exchange_records TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON exchange_sent TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON exchange_states TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON fences TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON fences_sent_down TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON fuel_cards TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON fuel_stations TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON fuel_transactions TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON idempotency_keys TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON judge_due TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON maintenance_events TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON maintenance_numbers TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON maintenances TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON message_addresses TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON message_channels TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON message_code_counts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON message_lanes TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON message_outbox TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON message_quiet_hours TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON message_reads TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON messages TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON notice_numbers TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON notice_receipts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON notice_rows TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON notices TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON order_results TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON order_track_times TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON organisations TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON plate_swaps TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON positions TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON process_samples TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON publication_answers TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON publication_objections TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON quotas TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON reconciliation_acts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON reconciliation_lines TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON reconciliations TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON reminders TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON rental_numbers TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON rental_proof_vehicles TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON rental_proofs TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON rental_reports TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON rule_parameters TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON subscriptions TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON tariffs TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON tasks TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON terminal_areas TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON terminal_bindings TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON terminal_command_events TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON terminal_commands TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON terminal_media TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON terminal_notices TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON terminal_reports TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON terminals TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON trip_cost_facts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON trip_dispatch_events TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON trip_dispatches TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON trip_links TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON trip_numbers TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON trip_prices TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON trip_request_events TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON trip_requests TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON trip_series TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON trip_series_members TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_act_events TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_act_numbers TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_acts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_documents TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_papers TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_particulars TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_plates TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_quota_places TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_seals TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_secrecy TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicle_states TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON vehicles TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON violations TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON voucher_mappings TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON webhook_attempts TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON webhook_deliveries TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON webhook_secrets TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON webhook_tests TO gongche_everywhere USING (true) WITH CHECK (true);

CREATE POLICY everywhere ON webhooks TO gongche_everywhere USING (true) WITH CHECK (true);

ALTER TABLE evidence_of_alerts ENABLE ROW LEVEL SECURITY;

ALTER TABLE evidence_positions ENABLE ROW LEVEL SECURITY;

ALTER TABLE exchange_arrivals ENABLE ROW LEVEL SECURITY;

ALTER TABLE exchange_notices ENABLE ROW LEVEL SECURITY;

ALTER TABLE exchange_peers ENABLE ROW LEVEL SECURITY;

ALTER TABLE exchange_queue ENABLE ROW LEVEL SECURITY;

ALTER TABLE exchange_records ENABLE ROW LEVEL SECURITY;

ALTER TABLE exchange_sent ENABLE ROW LEVEL SECURITY;

ALTER TABLE exchange_states ENABLE ROW LEVEL SECURITY;

ALTER TABLE fences ENABLE ROW LEVEL SECURITY;

ALTER TABLE fences_sent_down ENABLE ROW LEVEL SECURITY;

ALTER TABLE fuel_cards ENABLE ROW LEVEL SECURITY;

ALTER TABLE fuel_stations ENABLE ROW LEVEL SECURITY;

ALTER TABLE fuel_transactions ENABLE ROW LEVEL SECURITY;

CREATE POLICY helping ON cases FOR SELECT TO gongche_app USING ((id = ANY (( SELECT helped_cases(reach_units()) AS helped_cases)::text[])));

CREATE POLICY helping_update ON cases FOR UPDATE TO gongche_app USING ((id = ANY (( SELECT helped_cases(reach_units()) AS helped_cases)::text[]))) WITH CHECK ((id = ANY (( SELECT helped_cases(reach_units()) AS helped_cases)::text[])));

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE judge_due ENABLE ROW LEVEL SECURITY;

ALTER TABLE maintenance_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE maintenance_numbers ENABLE ROW LEVEL SECURITY;

ALTER TABLE maintenances ENABLE ROW LEVEL SECURITY;

ALTER TABLE message_addresses ENABLE ROW LEVEL SECURITY;

ALTER TABLE message_channels ENABLE ROW LEVEL SECURITY;

ALTER TABLE message_code_counts ENABLE ROW LEVEL SECURITY;

ALTER TABLE message_lanes ENABLE ROW LEVEL SECURITY;

ALTER TABLE message_outbox ENABLE ROW LEVEL SECURITY;

ALTER TABLE message_quiet_hours ENABLE ROW LEVEL SECURITY;

ALTER TABLE message_reads ENABLE ROW LEVEL SECURITY;

ALTER TABLE messages ENABLE ROW LEVEL SECURITY;

ALTER TABLE notice_numbers ENABLE ROW LEVEL SECURITY;

ALTER TABLE notice_receipts ENABLE ROW LEVEL SECURITY;

ALTER TABLE notice_rows ENABLE ROW LEVEL SECURITY;

ALTER TABLE notices ENABLE ROW LEVEL SECURITY;

ALTER TABLE order_results ENABLE ROW LEVEL SECURITY;

ALTER TABLE order_track_times ENABLE ROW LEVEL SECURITY;

ALTER TABLE organisations ENABLE ROW LEVEL SECURITY;

CREATE POLICY own ON alert_reads AS RESTRICTIVE USING ((reader = current_setting('gongche.subject'::text, true))) WITH CHECK ((reader = current_setting('gongche.subject'::text, true)));

CREATE POLICY own ON idempotency_keys AS RESTRICTIVE USING ((person = current_setting('gongche.subject'::text, true))) WITH CHECK ((person = current_setting('gongche.subject'::text, true)));

ALTER TABLE plate_swaps ENABLE ROW LEVEL SECURITY;

ALTER TABLE positions ENABLE ROW LEVEL SECURITY;

ALTER TABLE process_samples ENABLE ROW LEVEL SECURITY;

ALTER TABLE publication_answers ENABLE ROW LEVEL SECURITY;

ALTER TABLE publication_objections ENABLE ROW LEVEL SECURITY;

ALTER TABLE quotas ENABLE ROW LEVEL SECURITY;

CREATE POLICY reach ON alert_dispositions TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON alert_feed FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM alerts a
  WHERE (a.id = alert_feed.alert_id))));

CREATE POLICY reach ON alert_labels TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON alert_reads FOR SELECT TO gongche_app USING ((reader = current_setting('gongche.subject'::text, true)));

CREATE POLICY reach ON alert_receipts TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON alert_versions FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM alerts a
  WHERE (a.id = alert_versions.alert_id))));

CREATE POLICY reach ON alerts FOR SELECT TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON approval_tables FOR SELECT TO gongche_app USING (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) OR (organisation = ANY (( SELECT reach_above() AS reach_above)::text[]))));

CREATE POLICY reach ON assessment_decisions TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON assessment_disputes TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON assessment_sheets TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON assessment_tables FOR SELECT TO gongche_app USING (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) OR (organisation = ANY (( SELECT reach_above() AS reach_above)::text[]))));

CREATE POLICY reach ON audit FOR SELECT TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON backtest_counts FOR SELECT TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON backtest_examples FOR SELECT TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON backtests TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON calendar_days FOR SELECT TO gongche_app USING (true);

CREATE POLICY reach ON call_back_draws TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON call_back_results TO gongche_app USING ((EXISTS ( SELECT
   FROM call_backs c
  WHERE (c.id = call_back_results.call_back)))) WITH CHECK ((EXISTS ( SELECT
   FROM call_backs c
  WHERE (c.id = call_back_results.call_back))));

CREATE POLICY reach ON call_backs TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON card_bindings TO gongche_app USING ((EXISTS ( SELECT
   FROM fuel_cards c
  WHERE (c.id = card_bindings.card)))) WITH CHECK ((EXISTS ( SELECT
   FROM fuel_cards c
  WHERE (c.id = card_bindings.card))));

CREATE POLICY reach ON case_attachments TO gongche_app USING ((EXISTS ( SELECT
   FROM cases c
  WHERE (c.id = case_attachments.case_id)))) WITH CHECK ((EXISTS ( SELECT
   FROM cases c
  WHERE (c.id = case_attachments.case_id))));

CREATE POLICY reach ON case_events TO gongche_app USING ((EXISTS ( SELECT
   FROM cases c
  WHERE (c.id = case_events.case_id)))) WITH CHECK ((EXISTS ( SELECT
   FROM cases c
  WHERE (c.id = case_events.case_id))));

CREATE POLICY reach ON case_links TO gongche_app USING ((EXISTS ( SELECT
   FROM cases c
  WHERE ((c.id = case_links.case_id) AND (c.organisation = ANY (( SELECT reach_units() AS reach_units)::text[])))))) WITH CHECK ((EXISTS ( SELECT
   FROM cases c
  WHERE ((c.id = case_links.case_id) AND (c.organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))))));

CREATE POLICY reach ON case_numbers TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON cases TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON clock_corrections TO gongche_app USING ((EXISTS ( SELECT
   FROM terminals t
  WHERE (t.no = clock_corrections.terminal_no)))) WITH CHECK ((EXISTS ( SELECT
   FROM terminals t
  WHERE (t.no = clock_corrections.terminal_no))));

CREATE POLICY reach ON clock_doubts TO gongche_app USING ((EXISTS ( SELECT
   FROM terminals t
  WHERE (t.no = clock_doubts.terminal_no)))) WITH CHECK ((EXISTS ( SELECT
   FROM terminals t
  WHERE (t.no = clock_doubts.terminal_no))));

CREATE POLICY reach ON cold_files FOR SELECT TO gongche_app USING (true);

CREATE POLICY reach ON cold_terminals FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM terminal_bindings b
  WHERE (b.terminal_no = cold_terminals.terminal_no))));

CREATE POLICY reach ON complaint_reads TO gongche_app USING ((EXISTS ( SELECT
   FROM complaints c
  WHERE (c.id = complaint_reads.complaint_id)))) WITH CHECK ((EXISTS ( SELECT
   FROM complaints c
  WHERE (c.id = complaint_reads.complaint_id))));

CREATE POLICY reach ON complaints TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON cost_claims TO gongche_app USING ((units && ( SELECT reach_units() AS reach_units))) WITH CHECK ((units && ( SELECT reach_units() AS reach_units)));

CREATE POLICY reach ON cost_entries TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON cost_entry_versions TO gongche_app USING ((EXISTS ( SELECT
   FROM cost_entries e
  WHERE (e.id = cost_entry_versions.entry)))) WITH CHECK ((EXISTS ( SELECT
   FROM cost_entries e
  WHERE (e.id = cost_entry_versions.entry))));

CREATE POLICY reach ON cost_statement_events TO gongche_app USING ((EXISTS ( SELECT
   FROM cost_statements s
  WHERE (s.id = cost_statement_events.statement)))) WITH CHECK ((EXISTS ( SELECT
   FROM cost_statements s
  WHERE (s.id = cost_statement_events.statement))));

CREATE POLICY reach ON cost_statement_lines TO gongche_app USING ((units && ( SELECT reach_units() AS reach_units))) WITH CHECK ((units && ( SELECT reach_units() AS reach_units)));

CREATE POLICY reach ON cost_statements TO gongche_app USING ((units && ( SELECT reach_units() AS reach_units))) WITH CHECK ((units && ( SELECT reach_units() AS reach_units)));

CREATE POLICY reach ON dispatch_orders FOR SELECT TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON disposition_codes FOR SELECT TO gongche_app USING (true);

CREATE POLICY reach ON driver_accounts TO gongche_app USING ((EXISTS ( SELECT
   FROM drivers d
  WHERE (d.id = driver_accounts.driver)))) WITH CHECK ((EXISTS ( SELECT
   FROM drivers d
  WHERE (d.id = driver_accounts.driver))));

CREATE POLICY reach ON driver_card_events FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM terminal_reports r
  WHERE (r.no = driver_card_events.report))));

CREATE POLICY reach ON driver_facts TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON driver_leave_events TO gongche_app USING ((EXISTS ( SELECT
   FROM driver_leaves l
  WHERE (l.id = driver_leave_events.paper)))) WITH CHECK ((EXISTS ( SELECT
   FROM driver_leaves l
  WHERE (l.id = driver_leave_events.paper))));

CREATE POLICY reach ON driver_leaves TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON driver_objection_decisions TO gongche_app USING ((EXISTS ( SELECT
   FROM driver_objections o
  WHERE (o.id = driver_objection_decisions.objection)))) WITH CHECK ((EXISTS ( SELECT
   FROM driver_objections o
  WHERE (o.id = driver_objection_decisions.objection))));

CREATE POLICY reach ON driver_objections TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON driver_rosters TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON driver_score_tables FOR SELECT TO gongche_app USING (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) OR (organisation = ANY (( SELECT reach_above() AS reach_above)::text[]))));

CREATE POLICY reach ON driver_sheets TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON drivers TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON evaluations FOR SELECT TO gongche_app USING (((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = evaluations.vehicle_no))) OR ((vehicle_no IS NULL) AND (EXISTS ( SELECT
   FROM alerts a
  WHERE ((a.rule = evaluations.rule) AND (a.subject = evaluations.subject)))))));

CREATE POLICY reach ON evidence_of_alerts FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM alert_versions v
  WHERE (v.evidence_sha256 = evidence_of_alerts.sha256))));

CREATE POLICY reach ON evidence_positions FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM evidence_of_alerts e
  WHERE (e.sha256 = evidence_positions.sha256))));

CREATE POLICY reach ON exchange_arrivals TO gongche_app USING ((EXISTS ( SELECT
   FROM exchange_peers p
  WHERE (p.name = exchange_arrivals.peer)))) WITH CHECK ((EXISTS ( SELECT
   FROM exchange_peers p
  WHERE (p.name = exchange_arrivals.peer))));

CREATE POLICY reach ON exchange_notices FOR SELECT TO gongche_app USING (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) OR (organisation = ANY (( SELECT reach_above() AS reach_above)::text[]))));

CREATE POLICY reach ON exchange_peers FOR SELECT TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON exchange_queue FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM exchange_peers p
  WHERE (p.name = exchange_queue.peer))));

CREATE POLICY reach ON exchange_records FOR SELECT TO gongche_app USING (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) OR ((kind = ANY (ARRAY['notice'::text, 'code'::text])) AND (organisation = ANY (( SELECT reach_above() AS reach_above)::text[])))));

CREATE POLICY reach ON exchange_sent FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM exchange_peers p
  WHERE (p.name = exchange_sent.peer))));

CREATE POLICY reach ON exchange_states FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM exchange_peers p
  WHERE (p.name = exchange_states.peer))));

CREATE POLICY reach ON fences FOR SELECT TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON fences_sent_down TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON fuel_cards TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON fuel_stations FOR SELECT TO gongche_app USING (true);

CREATE POLICY reach ON fuel_transactions TO gongche_app USING ((EXISTS ( SELECT
   FROM fuel_cards c
  WHERE (c.id = fuel_transactions.card)))) WITH CHECK ((EXISTS ( SELECT
   FROM fuel_cards c
  WHERE (c.id = fuel_transactions.card))));

CREATE POLICY reach ON idempotency_keys FOR SELECT TO gongche_app USING ((person = current_setting('gongche.subject'::text, true)));

CREATE POLICY reach ON judge_due FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = judge_due.vehicle_no))));

CREATE POLICY reach ON maintenance_events TO gongche_app USING ((EXISTS ( SELECT
   FROM maintenances m
  WHERE (m.id = maintenance_events.paper)))) WITH CHECK ((EXISTS ( SELECT
   FROM maintenances m
  WHERE (m.id = maintenance_events.paper))));

CREATE POLICY reach ON maintenance_numbers TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON maintenances TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON message_addresses TO gongche_app USING ((EXISTS ( SELECT
   FROM message_channels c
  WHERE (c.no = message_addresses.channel_no)))) WITH CHECK ((EXISTS ( SELECT
   FROM message_channels c
  WHERE (c.no = message_addresses.channel_no))));

CREATE POLICY reach ON message_channels TO gongche_app USING (((('user:'::text || person) = current_setting('gongche.subject'::text, true)) OR (organisation = ANY (( SELECT reach_units() AS reach_units)::text[])))) WITH CHECK (((('user:'::text || person) = current_setting('gongche.subject'::text, true)) OR (organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))));

CREATE POLICY reach ON message_code_counts TO gongche_app USING ((subject = current_setting('gongche.subject'::text, true))) WITH CHECK ((subject = current_setting('gongche.subject'::text, true)));

CREATE POLICY reach ON message_lanes TO gongche_app USING ((EXISTS ( SELECT
   FROM message_channels c
  WHERE (c.no = message_lanes.channel_no)))) WITH CHECK ((EXISTS ( SELECT
   FROM message_channels c
  WHERE (c.no = message_lanes.channel_no))));

CREATE POLICY reach ON message_outbox TO gongche_app USING ((EXISTS ( SELECT
   FROM message_channels c
  WHERE (c.no = message_outbox.channel_no)))) WITH CHECK ((EXISTS ( SELECT
   FROM message_channels c
  WHERE (c.no = message_outbox.channel_no))));

CREATE POLICY reach ON message_quiet_hours TO gongche_app USING ((('user:'::text || person) = current_setting('gongche.subject'::text, true))) WITH CHECK ((('user:'::text || person) = current_setting('gongche.subject'::text, true)));

CREATE POLICY reach ON message_reads TO gongche_app USING ((EXISTS ( SELECT
   FROM messages m
  WHERE (m.id = message_reads.message_id)))) WITH CHECK ((EXISTS ( SELECT
   FROM messages m
  WHERE (m.id = message_reads.message_id))));

CREATE POLICY reach ON messages TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) OR ((trip IS NOT NULL) AND ((EXISTS ( SELECT
   FROM trip_requests r
  WHERE ((('trip-requests/'::text || r.id) = messages.trip) AND (r.organisation = ANY (r.units))))) OR (EXISTS ( SELECT
   FROM trip_dispatches d
  WHERE ((('dispatches/'::text || d.id) = messages.trip) AND (d.organisation = ANY (d.units)))))))));

CREATE POLICY reach ON notice_numbers TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON notice_receipts TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON notice_rows TO gongche_app USING ((EXISTS ( SELECT
   FROM notices n
  WHERE (n.id = notice_rows.notice)))) WITH CHECK ((EXISTS ( SELECT
   FROM notices n
  WHERE (n.id = notice_rows.notice))));

CREATE POLICY reach ON notices FOR SELECT TO gongche_app USING (((units && ( SELECT reach_units() AS reach_units)) OR (organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))));

CREATE POLICY reach ON order_results FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM dispatch_orders o
  WHERE (o.id = order_results.order_id))));

CREATE POLICY reach ON order_track_times FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM dispatch_orders o
  WHERE (o.id = order_track_times.order_id))));

CREATE POLICY reach ON organisations FOR SELECT TO gongche_app USING (((id = ANY (( SELECT reach_units() AS reach_units)::text[])) OR (parent = ANY (( SELECT reach_units() AS reach_units)::text[])) OR (id = ANY (( SELECT reach_above() AS reach_above)::text[]))));

CREATE POLICY reach ON plate_swaps TO gongche_app USING ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.id = plate_swaps.vehicle)))) WITH CHECK ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.id = plate_swaps.vehicle))));

CREATE POLICY reach ON positions FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM terminal_bindings b
  WHERE (b.terminal_no = positions.terminal_no))));

CREATE POLICY reach ON process_samples FOR SELECT TO gongche_app USING (true);

CREATE POLICY reach ON publication_answers TO gongche_app USING ((EXISTS ( SELECT
   FROM publication_objections o
  WHERE (o.id = publication_answers.objection)))) WITH CHECK ((EXISTS ( SELECT
   FROM publication_objections o
  WHERE (o.id = publication_answers.objection))));

CREATE POLICY reach ON publication_objections TO gongche_app USING ((EXISTS ( SELECT
   FROM notices n
  WHERE (n.id = publication_objections.notice)))) WITH CHECK ((EXISTS ( SELECT
   FROM notices n
  WHERE (n.id = publication_objections.notice))));

CREATE POLICY reach ON quotas TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON reconciliation_acts TO gongche_app USING ((EXISTS ( SELECT
   FROM reconciliations r
  WHERE (r.id = reconciliation_acts.reconciliation)))) WITH CHECK ((EXISTS ( SELECT
   FROM reconciliations r
  WHERE (r.id = reconciliation_acts.reconciliation))));

CREATE POLICY reach ON reconciliation_lines TO gongche_app USING ((EXISTS ( SELECT
   FROM reconciliations r
  WHERE (r.id = reconciliation_lines.reconciliation)))) WITH CHECK ((EXISTS ( SELECT
   FROM reconciliations r
  WHERE (r.id = reconciliation_lines.reconciliation))));

CREATE POLICY reach ON reconciliations TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON reminders FOR SELECT TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON rental_numbers TO gongche_app USING ((pool = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((pool = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON rental_proof_vehicles TO gongche_app USING ((EXISTS ( SELECT
   FROM rental_reports r
  WHERE (r.id = rental_proof_vehicles.report)))) WITH CHECK ((EXISTS ( SELECT
   FROM rental_reports r
  WHERE (r.id = rental_proof_vehicles.report))));

CREATE POLICY reach ON rental_proofs TO gongche_app USING ((EXISTS ( SELECT
   FROM rental_reports r
  WHERE (r.id = rental_proofs.report)))) WITH CHECK ((EXISTS ( SELECT
   FROM rental_reports r
  WHERE (r.id = rental_proofs.report))));

CREATE POLICY reach ON rental_reports TO gongche_app USING ((units && ( SELECT reach_units() AS reach_units))) WITH CHECK ((units && ( SELECT reach_units() AS reach_units)));

CREATE POLICY reach ON rule_parameters FOR SELECT TO gongche_app USING (((organisation IS NULL) OR (organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) OR (organisation = ANY (( SELECT reach_above() AS reach_above)::text[]))));

CREATE POLICY reach ON subscriptions TO gongche_app USING ((((owner_kind || ':'::text) || owner_id) = current_setting('gongche.subject'::text, true))) WITH CHECK ((((owner_kind || ':'::text) || owner_id) = current_setting('gongche.subject'::text, true)));

CREATE POLICY reach ON tariffs FOR SELECT TO gongche_app USING (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) OR (organisation = ANY (( SELECT reach_above() AS reach_above)::text[]))));

CREATE POLICY reach ON tasks TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON terminal_areas TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON terminal_bindings FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = terminal_bindings.vehicle_no))));

CREATE POLICY reach ON terminal_command_events TO gongche_app USING ((EXISTS ( SELECT
   FROM terminal_commands c
  WHERE (c.no = terminal_command_events.command)))) WITH CHECK ((EXISTS ( SELECT
   FROM terminal_commands c
  WHERE (c.no = terminal_command_events.command))));

CREATE POLICY reach ON terminal_commands TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON terminal_media FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM terminal_reports r
  WHERE (r.no = terminal_media.report))));

CREATE POLICY reach ON terminal_notices TO gongche_app USING ((EXISTS ( SELECT
   FROM terminals t
  WHERE (t.no = terminal_notices.terminal_no)))) WITH CHECK ((EXISTS ( SELECT
   FROM terminals t
  WHERE (t.no = terminal_notices.terminal_no))));

CREATE POLICY reach ON terminal_reports FOR SELECT TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON terminals FOR SELECT TO gongche_app USING (((EXISTS ( SELECT
   FROM terminal_bindings b
  WHERE (b.terminal_no = terminals.no))) OR (home = ANY (( SELECT reach_units() AS reach_units)::text[]))));

CREATE POLICY reach ON trip_cost_facts TO gongche_app USING ((units && ( SELECT reach_units() AS reach_units))) WITH CHECK ((units && ( SELECT reach_units() AS reach_units)));

CREATE POLICY reach ON trip_dispatch_events TO gongche_app USING ((EXISTS ( SELECT
   FROM trip_dispatches d
  WHERE (d.id = trip_dispatch_events.paper)))) WITH CHECK ((EXISTS ( SELECT
   FROM trip_dispatches d
  WHERE (d.id = trip_dispatch_events.paper))));

CREATE POLICY reach ON trip_dispatches TO gongche_app USING ((units && ( SELECT reach_units() AS reach_units))) WITH CHECK ((units && ( SELECT reach_units() AS reach_units)));

CREATE POLICY reach ON trip_links TO gongche_app USING (((EXISTS ( SELECT
   FROM trip_requests r
  WHERE (r.id = trip_links.request_id))) OR (EXISTS ( SELECT
   FROM trip_dispatches d
  WHERE (d.id = trip_links.dispatch_id))))) WITH CHECK (((EXISTS ( SELECT
   FROM trip_requests r
  WHERE (r.id = trip_links.request_id))) OR (EXISTS ( SELECT
   FROM trip_dispatches d
  WHERE (d.id = trip_links.dispatch_id)))));

CREATE POLICY reach ON trip_numbers TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON trip_prices TO gongche_app USING ((units && ( SELECT reach_units() AS reach_units))) WITH CHECK ((units && ( SELECT reach_units() AS reach_units)));

CREATE POLICY reach ON trip_request_events TO gongche_app USING ((EXISTS ( SELECT
   FROM trip_requests r
  WHERE (r.id = trip_request_events.paper)))) WITH CHECK ((EXISTS ( SELECT
   FROM trip_requests r
  WHERE (r.id = trip_request_events.paper))));

CREATE POLICY reach ON trip_requests TO gongche_app USING ((units && ( SELECT reach_units() AS reach_units))) WITH CHECK ((units && ( SELECT reach_units() AS reach_units)));

CREATE POLICY reach ON trip_series TO gongche_app USING ((units && ( SELECT reach_units() AS reach_units))) WITH CHECK ((units && ( SELECT reach_units() AS reach_units)));

CREATE POLICY reach ON trip_series_members TO gongche_app USING ((EXISTS ( SELECT
   FROM trip_series s
  WHERE (s.id = trip_series_members.series)))) WITH CHECK ((EXISTS ( SELECT
   FROM trip_series s
  WHERE (s.id = trip_series_members.series))));

CREATE POLICY reach ON vehicle_act_events TO gongche_app USING ((EXISTS ( SELECT
   FROM vehicle_acts a
  WHERE (a.id = vehicle_act_events.act)))) WITH CHECK ((EXISTS ( SELECT
   FROM vehicle_acts a
  WHERE (a.id = vehicle_act_events.act))));

CREATE POLICY reach ON vehicle_act_numbers TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON vehicle_acts TO gongche_app USING ((units && ( SELECT reach_units() AS reach_units))) WITH CHECK ((units && ( SELECT reach_units() AS reach_units)));

CREATE POLICY reach ON vehicle_documents TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON vehicle_papers TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON vehicle_particulars TO gongche_app USING ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.id = vehicle_particulars.vehicle)))) WITH CHECK ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.id = vehicle_particulars.vehicle))));

CREATE POLICY reach ON vehicle_plates FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = vehicle_plates.vehicle_no))));

CREATE POLICY reach ON vehicle_quota_places TO gongche_app USING ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.id = vehicle_quota_places.vehicle)))) WITH CHECK ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.id = vehicle_quota_places.vehicle))));

CREATE POLICY reach ON vehicle_seals TO gongche_app USING ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.id = vehicle_seals.vehicle)))) WITH CHECK ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.id = vehicle_seals.vehicle))));

CREATE POLICY reach ON vehicle_secrecy TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON vehicle_states FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = vehicle_states.vehicle_no))));

CREATE POLICY reach ON vehicles TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach ON violations TO gongche_app USING ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = vehicle_of_plate(violations.plate, violations.at))))) WITH CHECK ((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = vehicle_of_plate(violations.plate, violations.at)))));

CREATE POLICY reach ON voucher_mappings FOR SELECT TO gongche_app USING (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) OR (organisation = ANY (( SELECT reach_above() AS reach_above)::text[]))));

CREATE POLICY reach ON webhook_attempts FOR SELECT TO gongche_app USING ((EXISTS ( SELECT
   FROM webhook_deliveries d
  WHERE (d.no = webhook_attempts.delivery_no))));

CREATE POLICY reach ON webhook_deliveries TO gongche_app USING ((EXISTS ( SELECT
   FROM subscriptions s
  WHERE (s.no = webhook_deliveries.subscription_no)))) WITH CHECK ((EXISTS ( SELECT
   FROM subscriptions s
  WHERE (s.no = webhook_deliveries.subscription_no))));

CREATE POLICY reach ON webhook_secrets TO gongche_app USING ((EXISTS ( SELECT
   FROM subscriptions s
  WHERE (s.no = webhook_secrets.subscription_no)))) WITH CHECK ((EXISTS ( SELECT
   FROM subscriptions s
  WHERE (s.no = webhook_secrets.subscription_no))));

CREATE POLICY reach ON webhook_tests TO gongche_app USING ((EXISTS ( SELECT
   FROM subscriptions s
  WHERE (s.no = webhook_tests.subscription_no)))) WITH CHECK ((EXISTS ( SELECT
   FROM subscriptions s
  WHERE (s.no = webhook_tests.subscription_no))));

CREATE POLICY reach ON webhooks TO gongche_app USING ((EXISTS ( SELECT
   FROM subscriptions s
  WHERE (s.no = webhooks.subscription_no)))) WITH CHECK ((EXISTS ( SELECT
   FROM subscriptions s
  WHERE (s.no = webhooks.subscription_no))));

CREATE POLICY reach_delete ON alert_feed FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON alert_reads FOR DELETE TO gongche_app USING (((reader = current_setting('gongche.subject'::text, true)) AND (EXISTS ( SELECT
   FROM alerts a
  WHERE (a.id = alert_reads.alert)))));

CREATE POLICY reach_delete ON alert_versions FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON alerts FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON approval_tables FOR DELETE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_delete ON assessment_tables FOR DELETE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_delete ON audit FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON backtest_counts FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON backtest_examples FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON calendar_days FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON cold_files FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON cold_terminals FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON dispatch_orders FOR DELETE TO gongche_app USING (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) AND (EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.id = dispatch_orders.vehicle)))));

CREATE POLICY reach_delete ON disposition_codes FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON driver_card_events FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON driver_score_tables FOR DELETE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_delete ON evaluations FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON evidence_of_alerts FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON evidence_positions FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON exchange_notices FOR DELETE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_delete ON exchange_peers FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON exchange_queue FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON exchange_records FOR DELETE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_delete ON exchange_sent FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON exchange_states FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON fences FOR DELETE TO gongche_app USING (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) AND (NOT (EXISTS ( SELECT
   FROM unnest(fences.vehicles) n(id)
  WHERE (NOT (EXISTS ( SELECT
           FROM vehicles v
          WHERE (v.id = n.id)))))))));

CREATE POLICY reach_delete ON fuel_stations FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON idempotency_keys FOR DELETE TO gongche_app USING ((person = current_setting('gongche.subject'::text, true)));

CREATE POLICY reach_delete ON judge_due FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON notices FOR DELETE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_delete ON order_results FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON order_track_times FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON organisations FOR DELETE TO gongche_app USING ((parent = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_delete ON positions FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON process_samples FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON reminders FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON rule_parameters FOR DELETE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_delete ON tariffs FOR DELETE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_delete ON terminal_bindings FOR DELETE TO gongche_app USING (((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = terminal_bindings.vehicle_no))) AND terminal_in_reach(terminal_no)));

CREATE POLICY reach_delete ON terminal_media FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON terminal_reports FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON vehicle_plates FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON vehicle_states FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_delete ON voucher_mappings FOR DELETE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_delete ON webhook_attempts FOR DELETE TO gongche_app USING (false);

CREATE POLICY reach_insert ON alert_feed FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON alert_reads FOR INSERT TO gongche_app WITH CHECK (((reader = current_setting('gongche.subject'::text, true)) AND (EXISTS ( SELECT
   FROM alerts a
  WHERE (a.id = alert_reads.alert)))));

CREATE POLICY reach_insert ON alert_versions FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON alerts FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON approval_tables FOR INSERT TO gongche_app WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON assessment_tables FOR INSERT TO gongche_app WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON audit FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON backtest_counts FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON backtest_examples FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON calendar_days FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON cold_files FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON cold_terminals FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON dispatch_orders FOR INSERT TO gongche_app WITH CHECK (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) AND (EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.id = dispatch_orders.vehicle)))));

CREATE POLICY reach_insert ON disposition_codes FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON driver_card_events FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON driver_score_tables FOR INSERT TO gongche_app WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON evaluations FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON evidence_of_alerts FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON evidence_positions FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON exchange_notices FOR INSERT TO gongche_app WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON exchange_peers FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON exchange_queue FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON exchange_records FOR INSERT TO gongche_app WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON exchange_sent FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON exchange_states FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON fences FOR INSERT TO gongche_app WITH CHECK (((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])) AND (NOT (EXISTS ( SELECT
   FROM unnest(fences.vehicles) n(id)
  WHERE (NOT (EXISTS ( SELECT
           FROM vehicles v
          WHERE (v.id = n.id)))))))));

CREATE POLICY reach_insert ON fuel_stations FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON idempotency_keys FOR INSERT TO gongche_app WITH CHECK ((person = current_setting('gongche.subject'::text, true)));

CREATE POLICY reach_insert ON judge_due FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON notices FOR INSERT TO gongche_app WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON order_results FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON order_track_times FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON organisations FOR INSERT TO gongche_app WITH CHECK ((parent = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON positions FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON process_samples FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON reminders FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON rule_parameters FOR INSERT TO gongche_app WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON tariffs FOR INSERT TO gongche_app WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON terminal_bindings FOR INSERT TO gongche_app WITH CHECK (((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = terminal_bindings.vehicle_no))) AND terminal_in_reach(terminal_no)));

CREATE POLICY reach_insert ON terminal_media FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON terminal_reports FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON terminals FOR INSERT TO gongche_app WITH CHECK ((home = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON vehicle_plates FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON vehicle_states FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_insert ON voucher_mappings FOR INSERT TO gongche_app WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_insert ON webhook_attempts FOR INSERT TO gongche_app WITH CHECK (false);

CREATE POLICY reach_update ON alert_feed FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON alert_reads FOR UPDATE TO gongche_app USING (((reader = current_setting('gongche.subject'::text, true)) AND (EXISTS ( SELECT
   FROM alerts a
  WHERE (a.id = alert_reads.alert))))) WITH CHECK (((reader = current_setting('gongche.subject'::text, true)) AND (EXISTS ( SELECT
   FROM alerts a
  WHERE (a.id = alert_reads.alert)))));

CREATE POLICY reach_update ON alert_versions FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON alerts FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON approval_tables FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON assessment_tables FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON audit FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON backtest_counts FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON backtest_examples FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON calendar_days FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON cold_files FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON cold_terminals FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON dispatch_orders FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON disposition_codes FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON driver_card_events FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON driver_score_tables FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON evaluations FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON evidence_of_alerts FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON evidence_positions FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON exchange_notices FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON exchange_peers FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON exchange_queue FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON exchange_records FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON exchange_sent FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON exchange_states FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON fences FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON fuel_stations FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON idempotency_keys FOR UPDATE TO gongche_app USING ((person = current_setting('gongche.subject'::text, true))) WITH CHECK ((person = current_setting('gongche.subject'::text, true)));

CREATE POLICY reach_update ON judge_due FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON notices FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON order_results FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON order_track_times FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON organisations FOR UPDATE TO gongche_app USING ((parent = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((parent = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON positions FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON process_samples FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON reminders FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON rule_parameters FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON tariffs FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON terminal_bindings FOR UPDATE TO gongche_app USING (((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = terminal_bindings.vehicle_no))) AND terminal_in_reach(terminal_no))) WITH CHECK (((EXISTS ( SELECT
   FROM vehicles v
  WHERE (v.no = terminal_bindings.vehicle_no))) AND terminal_in_reach(terminal_no)));

CREATE POLICY reach_update ON terminal_media FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON terminal_reports FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON terminals FOR UPDATE TO gongche_app USING ((home = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((home = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON vehicle_plates FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON vehicle_states FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

CREATE POLICY reach_update ON voucher_mappings FOR UPDATE TO gongche_app USING ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[]))) WITH CHECK ((organisation = ANY (( SELECT reach_units() AS reach_units)::text[])));

CREATE POLICY reach_update ON webhook_attempts FOR UPDATE TO gongche_app USING (false) WITH CHECK (false);

ALTER TABLE reconciliation_acts ENABLE ROW LEVEL SECURITY;

ALTER TABLE reconciliation_lines ENABLE ROW LEVEL SECURITY;

ALTER TABLE reconciliations ENABLE ROW LEVEL SECURITY;

ALTER TABLE reminders ENABLE ROW LEVEL SECURITY;

ALTER TABLE rental_numbers ENABLE ROW LEVEL SECURITY;

ALTER TABLE rental_proof_vehicles ENABLE ROW LEVEL SECURITY;

ALTER TABLE rental_proofs ENABLE ROW LEVEL SECURITY;

ALTER TABLE rental_reports ENABLE ROW LEVEL SECURITY;

ALTER TABLE rule_parameters ENABLE ROW LEVEL SECURITY;

CREATE POLICY secret ON alert_dispositions AS RESTRICTIVE TO gongche_app USING (((alert_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))) WITH CHECK (((alert_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))));

CREATE POLICY secret ON alert_feed AS RESTRICTIVE TO gongche_app USING (((alert_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))) WITH CHECK (((alert_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))));

CREATE POLICY secret ON alert_labels AS RESTRICTIVE TO gongche_app USING ((((alert_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))) AND ((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))))) WITH CHECK ((((alert_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))) AND ((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))));

CREATE POLICY secret ON alert_receipts AS RESTRICTIVE TO gongche_app USING (((alert_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))) WITH CHECK (((alert_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))));

CREATE POLICY secret ON alert_versions AS RESTRICTIVE TO gongche_app USING (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR ((NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))) AND COALESCE(((body)::text !~ ( SELECT hidden_pattern() AS hidden_pattern)), true)))) WITH CHECK (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR ((NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))) AND COALESCE(((body)::text !~ ( SELECT hidden_pattern() AS hidden_pattern)), true))));

CREATE POLICY secret ON alerts AS RESTRICTIVE TO gongche_app USING ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))) AND ((card IS NULL) OR (card <> ALL (( SELECT hidden_cards() AS hidden_cards)::text[]))) AND ((order_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT order_hidden(order_id, ( SELECT hidden_ids() AS hidden_ids)))))) WITH CHECK ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))) AND ((card IS NULL) OR (card <> ALL (( SELECT hidden_cards() AS hidden_cards)::text[]))) AND ((order_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT order_hidden(order_id, ( SELECT hidden_ids() AS hidden_ids))))));

CREATE POLICY secret ON audit AS RESTRICTIVE TO gongche_app USING (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT audit_hidden(subject_kind, subject_id, vehicle, concat_ws(' '::text, subject_id, purpose, before, after, detail), ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards), ( SELECT hidden_pattern() AS hidden_pattern))))) WITH CHECK (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT audit_hidden(subject_kind, subject_id, vehicle, concat_ws(' '::text, subject_id, purpose, before, after, detail), ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards), ( SELECT hidden_pattern() AS hidden_pattern)))));

CREATE POLICY secret ON backtest_counts AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON backtest_examples AS RESTRICTIVE TO gongche_app USING (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))) AND ((order_id IS NULL) OR (NOT order_hidden(order_id, ( SELECT hidden_ids() AS hidden_ids)))) AND ((alert_id IS NULL) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))) AND ((subject !~~ 'transaction:%'::text) OR (EXISTS ( SELECT
   FROM fuel_transactions f
  WHERE (f.id = substr(backtest_examples.subject, 13))))) AND COALESCE((concat_ws(' '::text, subject, was, becomes) !~ ( SELECT hidden_pattern() AS hidden_pattern)), true)))) WITH CHECK (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))) AND ((order_id IS NULL) OR (NOT order_hidden(order_id, ( SELECT hidden_ids() AS hidden_ids)))) AND ((alert_id IS NULL) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))) AND ((subject !~~ 'transaction:%'::text) OR (EXISTS ( SELECT
   FROM fuel_transactions f
  WHERE (f.id = substr(backtest_examples.subject, 13))))) AND COALESCE((concat_ws(' '::text, subject, was, becomes) !~ ( SELECT hidden_pattern() AS hidden_pattern)), true))));

CREATE POLICY secret ON backtests AS RESTRICTIVE TO gongche_app USING (((fence IS NULL) OR (NOT ((fence -> 'vehicles'::text) ?| ( SELECT hidden_ids() AS hidden_ids))))) WITH CHECK (((fence IS NULL) OR (NOT ((fence -> 'vehicles'::text) ?| ( SELECT hidden_ids() AS hidden_ids)))));

CREATE POLICY secret ON card_bindings AS RESTRICTIVE TO gongche_app USING ((((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))) AND ((card IS NULL) OR (card <> ALL (( SELECT hidden_cards() AS hidden_cards)::text[]))))) WITH CHECK ((((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))) AND ((card IS NULL) OR (card <> ALL (( SELECT hidden_cards() AS hidden_cards)::text[])))));

CREATE POLICY secret ON case_attachments AS RESTRICTIVE TO gongche_app USING (((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))) WITH CHECK (((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))));

CREATE POLICY secret ON case_events AS RESTRICTIVE TO gongche_app USING (((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))) WITH CHECK (((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))));

CREATE POLICY secret ON case_links AS RESTRICTIVE TO gongche_app USING (((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))) WITH CHECK (((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))));

CREATE POLICY secret ON cases AS RESTRICTIVE TO gongche_app USING ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))))) WITH CHECK ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))));

CREATE POLICY secret ON clock_corrections AS RESTRICTIVE TO gongche_app USING ((terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[]))) WITH CHECK ((terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[])));

CREATE POLICY secret ON clock_doubts AS RESTRICTIVE TO gongche_app USING ((terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[]))) WITH CHECK ((terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[])));

CREATE POLICY secret ON cold_terminals AS RESTRICTIVE TO gongche_app USING (((terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[])) OR (EXISTS ( SELECT
   FROM terminal_bindings b
  WHERE (b.terminal_no = cold_terminals.terminal_no))))) WITH CHECK (((terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[])) OR (EXISTS ( SELECT
   FROM terminal_bindings b
  WHERE (b.terminal_no = cold_terminals.terminal_no)))));

CREATE POLICY secret ON complaints AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON cost_entries AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON cost_statement_lines AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON dispatch_orders AS RESTRICTIVE TO gongche_app USING (((vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])) AND ((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT order_hidden(COALESCE(part_of, id), ( SELECT hidden_ids() AS hidden_ids)))))) WITH CHECK (((vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])) AND ((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT order_hidden(COALESCE(part_of, id), ( SELECT hidden_ids() AS hidden_ids))))));

CREATE POLICY secret ON driver_card_events AS RESTRICTIVE TO gongche_app USING ((EXISTS ( SELECT
   FROM terminal_reports r
  WHERE (r.no = driver_card_events.report)))) WITH CHECK ((EXISTS ( SELECT
   FROM terminal_reports r
  WHERE (r.no = driver_card_events.report))));

CREATE POLICY secret ON evaluations AS RESTRICTIVE TO gongche_app USING ((((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((( SELECT hidden_pattern() AS hidden_pattern) IS NULL) OR (concat_ws(' '::text, subject, measures, reason_named, reason) !~ ( SELECT hidden_pattern() AS hidden_pattern))))) WITH CHECK ((((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((( SELECT hidden_pattern() AS hidden_pattern) IS NULL) OR (concat_ws(' '::text, subject, measures, reason_named, reason) !~ ( SELECT hidden_pattern() AS hidden_pattern)))));

CREATE POLICY secret ON evidence_of_alerts AS RESTRICTIVE TO gongche_app USING (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR ((EXISTS ( SELECT
   FROM alert_versions v
  WHERE (v.evidence_sha256 = evidence_of_alerts.sha256))) AND COALESCE((convert_from(body, 'UTF8'::name) !~ ( SELECT hidden_pattern() AS hidden_pattern)), true)))) WITH CHECK (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR ((EXISTS ( SELECT
   FROM alert_versions v
  WHERE (v.evidence_sha256 = evidence_of_alerts.sha256))) AND COALESCE((convert_from(body, 'UTF8'::name) !~ ( SELECT hidden_pattern() AS hidden_pattern)), true))));

CREATE POLICY secret ON evidence_positions AS RESTRICTIVE TO gongche_app USING (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (EXISTS ( SELECT
   FROM evidence_of_alerts e
  WHERE (e.sha256 = evidence_positions.sha256))))) WITH CHECK (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (EXISTS ( SELECT
   FROM evidence_of_alerts e
  WHERE (e.sha256 = evidence_positions.sha256)))));

CREATE POLICY secret ON exchange_queue AS RESTRICTIVE TO gongche_app USING (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT
CASE kind
    WHEN 'vehicle'::text THEN (id = ANY (( SELECT hidden_ids() AS hidden_ids)::text[]))
    WHEN 'order'::text THEN order_hidden(id, ( SELECT hidden_ids() AS hidden_ids))
    WHEN 'alert'::text THEN alert_hidden(id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))
    WHEN 'case'::text THEN case_hidden(id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))
    ELSE false
END))) WITH CHECK (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT
CASE kind
    WHEN 'vehicle'::text THEN (id = ANY (( SELECT hidden_ids() AS hidden_ids)::text[]))
    WHEN 'order'::text THEN order_hidden(id, ( SELECT hidden_ids() AS hidden_ids))
    WHEN 'alert'::text THEN alert_hidden(id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))
    WHEN 'case'::text THEN case_hidden(id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))
    ELSE false
END)));

CREATE POLICY secret ON exchange_sent AS RESTRICTIVE TO gongche_app USING (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT
CASE kind
    WHEN 'vehicle'::text THEN (id = ANY (( SELECT hidden_ids() AS hidden_ids)::text[]))
    WHEN 'order'::text THEN order_hidden(id, ( SELECT hidden_ids() AS hidden_ids))
    WHEN 'alert'::text THEN alert_hidden(id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))
    WHEN 'case'::text THEN case_hidden(id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))
    ELSE false
END))) WITH CHECK (((cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT
CASE kind
    WHEN 'vehicle'::text THEN (id = ANY (( SELECT hidden_ids() AS hidden_ids)::text[]))
    WHEN 'order'::text THEN order_hidden(id, ( SELECT hidden_ids() AS hidden_ids))
    WHEN 'alert'::text THEN alert_hidden(id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))
    WHEN 'case'::text THEN case_hidden(id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))
    ELSE false
END)));

CREATE POLICY secret ON fences AS RESTRICTIVE TO gongche_app USING ((NOT (vehicles && ( SELECT hidden_ids() AS hidden_ids)))) WITH CHECK ((NOT (vehicles && ( SELECT hidden_ids() AS hidden_ids))));

CREATE POLICY secret ON fuel_cards AS RESTRICTIVE TO gongche_app USING ((id <> ALL (( SELECT hidden_cards() AS hidden_cards)::text[]))) WITH CHECK ((id <> ALL (( SELECT hidden_cards() AS hidden_cards)::text[])));

CREATE POLICY secret ON fuel_transactions AS RESTRICTIVE TO gongche_app USING (((card IS NULL) OR (card <> ALL (( SELECT hidden_cards() AS hidden_cards)::text[])))) WITH CHECK (((card IS NULL) OR (card <> ALL (( SELECT hidden_cards() AS hidden_cards)::text[]))));

CREATE POLICY secret ON judge_due AS RESTRICTIVE TO gongche_app USING ((((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((( SELECT hidden_pattern() AS hidden_pattern) IS NULL) OR (concat_ws(' '::text, key, waits_for) !~ ( SELECT hidden_pattern() AS hidden_pattern))))) WITH CHECK ((((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((( SELECT hidden_pattern() AS hidden_pattern) IS NULL) OR (concat_ws(' '::text, key, waits_for) !~ ( SELECT hidden_pattern() AS hidden_pattern)))));

CREATE POLICY secret ON maintenances AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON messages AS RESTRICTIVE TO gongche_app USING (((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))) WITH CHECK (((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))));

CREATE POLICY secret ON notice_rows AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON order_results AS RESTRICTIVE TO gongche_app USING ((((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((order_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT order_hidden(order_id, ( SELECT hidden_ids() AS hidden_ids)))))) WITH CHECK ((((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((order_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT order_hidden(order_id, ( SELECT hidden_ids() AS hidden_ids))))));

CREATE POLICY secret ON order_track_times AS RESTRICTIVE TO gongche_app USING (((order_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT order_hidden(order_id, ( SELECT hidden_ids() AS hidden_ids))))) WITH CHECK (((order_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT order_hidden(order_id, ( SELECT hidden_ids() AS hidden_ids)))));

CREATE POLICY secret ON plate_swaps AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON positions AS RESTRICTIVE TO gongche_app USING (((terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[])) OR (EXISTS ( SELECT
   FROM terminal_bindings b
  WHERE ((b.terminal_no = positions.terminal_no) AND (b.valid_from <= positions.device_time) AND ((b.valid_to IS NULL) OR (positions.device_time < b.valid_to))))))) WITH CHECK (((terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[])) OR (EXISTS ( SELECT
   FROM terminal_bindings b
  WHERE ((b.terminal_no = positions.terminal_no) AND (b.valid_from <= positions.device_time) AND ((b.valid_to IS NULL) OR (positions.device_time < b.valid_to)))))));

CREATE POLICY secret ON publication_objections AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON reminders AS RESTRICTIVE TO gongche_app USING ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((order_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT order_hidden(order_id, ( SELECT hidden_ids() AS hidden_ids)))))) WITH CHECK ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((order_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT order_hidden(order_id, ( SELECT hidden_ids() AS hidden_ids))))));

CREATE POLICY secret ON rental_proof_vehicles AS RESTRICTIVE TO gongche_app USING ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))))) WITH CHECK ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[])))));

CREATE POLICY secret ON rental_reports AS RESTRICTIVE TO gongche_app USING ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))))) WITH CHECK ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[])))));

CREATE POLICY secret ON tasks AS RESTRICTIVE TO gongche_app USING (((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))) WITH CHECK (((case_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT case_hidden(case_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))));

CREATE POLICY secret ON terminal_areas AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON terminal_bindings AS RESTRICTIVE TO gongche_app USING (((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[])))) WITH CHECK (((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))));

CREATE POLICY secret ON terminal_commands AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON terminal_media AS RESTRICTIVE TO gongche_app USING ((EXISTS ( SELECT
   FROM terminal_reports r
  WHERE (r.no = terminal_media.report)))) WITH CHECK ((EXISTS ( SELECT
   FROM terminal_reports r
  WHERE (r.no = terminal_media.report))));

CREATE POLICY secret ON terminal_notices AS RESTRICTIVE TO gongche_app USING ((terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[]))) WITH CHECK ((terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[])));

CREATE POLICY secret ON terminal_reports AS RESTRICTIVE TO gongche_app USING (
CASE
    WHEN (vehicle IS NULL) THEN (terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[]))
    ELSE (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))
END) WITH CHECK (
CASE
    WHEN (vehicle IS NULL) THEN (terminal_no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[]))
    ELSE (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))
END);

CREATE POLICY secret ON terminals AS RESTRICTIVE TO gongche_app USING ((((no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[])) OR (EXISTS ( SELECT
   FROM terminal_bindings b
  WHERE ((b.terminal_no = terminals.no) AND (b.valid_to IS NULL))))) AND (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[])) AND ((waiting_device IS NULL) OR (NOT (waiting_device && ( SELECT hidden_plates() AS hidden_plates)))))) WITH CHECK ((((no <> ALL (( SELECT hidden_terminals() AS hidden_terminals)::integer[])) OR (EXISTS ( SELECT
   FROM terminal_bindings b
  WHERE ((b.terminal_no = terminals.no) AND (b.valid_to IS NULL))))) AND (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[])) AND ((waiting_device IS NULL) OR (NOT (waiting_device && ( SELECT hidden_plates() AS hidden_plates))))));

CREATE POLICY secret ON trip_cost_facts AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON trip_dispatches AS RESTRICTIVE TO gongche_app USING ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))))) WITH CHECK ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[])))));

CREATE POLICY secret ON trip_prices AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON vehicle_acts AS RESTRICTIVE TO gongche_app USING ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))))) WITH CHECK ((((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) AND ((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[])))));

CREATE POLICY secret ON vehicle_documents AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON vehicle_papers AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON vehicle_particulars AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON vehicle_plates AS RESTRICTIVE TO gongche_app USING ((((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))))) WITH CHECK ((((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))) AND ((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[])))));

CREATE POLICY secret ON vehicle_quota_places AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON vehicle_seals AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON vehicle_secrecy AS RESTRICTIVE TO gongche_app USING (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])))) WITH CHECK (((vehicle IS NULL) OR (vehicle <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))));

CREATE POLICY secret ON vehicle_states AS RESTRICTIVE TO gongche_app USING (((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[])))) WITH CHECK (((vehicle_no IS NULL) OR (vehicle_no <> ALL (( SELECT hidden_nos() AS hidden_nos)::integer[]))));

CREATE POLICY secret ON vehicles AS RESTRICTIVE TO gongche_app USING ((id <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[]))) WITH CHECK ((id <> ALL (( SELECT hidden_ids() AS hidden_ids)::text[])));

CREATE POLICY secret ON violations AS RESTRICTIVE TO gongche_app USING (((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[])))) WITH CHECK (((plate IS NULL) OR (plate <> ALL (( SELECT hidden_plates() AS hidden_plates)::text[]))));

CREATE POLICY secret ON webhook_deliveries AS RESTRICTIVE TO gongche_app USING (((alert_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards))))) WITH CHECK (((alert_id IS NULL) OR (cardinality(( SELECT hidden_nos() AS hidden_nos)) = 0) OR (NOT alert_hidden(alert_id, ( SELECT hidden_ids() AS hidden_ids), ( SELECT hidden_plates() AS hidden_plates), ( SELECT hidden_cards() AS hidden_cards)))));

ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY;

ALTER TABLE tariffs ENABLE ROW LEVEL SECURITY;

ALTER TABLE tasks ENABLE ROW LEVEL SECURITY;

ALTER TABLE terminal_areas ENABLE ROW LEVEL SECURITY;

ALTER TABLE terminal_bindings ENABLE ROW LEVEL SECURITY;

ALTER TABLE terminal_command_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE terminal_commands ENABLE ROW LEVEL SECURITY;

ALTER TABLE terminal_media ENABLE ROW LEVEL SECURITY;

ALTER TABLE terminal_notices ENABLE ROW LEVEL SECURITY;

ALTER TABLE terminal_reports ENABLE ROW LEVEL SECURITY;

ALTER TABLE terminals ENABLE ROW LEVEL SECURITY;

ALTER TABLE trip_cost_facts ENABLE ROW LEVEL SECURITY;

ALTER TABLE trip_dispatch_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE trip_dispatches ENABLE ROW LEVEL SECURITY;

ALTER TABLE trip_links ENABLE ROW LEVEL SECURITY;

ALTER TABLE trip_numbers ENABLE ROW LEVEL SECURITY;

ALTER TABLE trip_prices ENABLE ROW LEVEL SECURITY;

ALTER TABLE trip_request_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE trip_requests ENABLE ROW LEVEL SECURITY;

ALTER TABLE trip_series ENABLE ROW LEVEL SECURITY;

ALTER TABLE trip_series_members ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_act_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_act_numbers ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_acts ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_documents ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_papers ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_particulars ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_plates ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_quota_places ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_seals ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_secrecy ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicle_states ENABLE ROW LEVEL SECURITY;

ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY;

ALTER TABLE violations ENABLE ROW LEVEL SECURITY;

ALTER TABLE voucher_mappings ENABLE ROW LEVEL SECURITY;

ALTER TABLE webhook_attempts ENABLE ROW LEVEL SECURITY;

ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;

ALTER TABLE webhook_secrets ENABLE ROW LEVEL SECURITY;

ALTER TABLE webhook_tests ENABLE ROW LEVEL SECURITY;

ALTER TABLE webhooks ENABLE ROW LEVEL SECURITY;
