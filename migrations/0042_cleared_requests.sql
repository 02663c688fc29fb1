-- Requests that reach everywhere are as fast as they were before there were secret vehicles (0036), while nothing is hidden from them.
--
-- A third role of requests: gongche_cleared sees all, as gongche_everywhere did, and none of the policies here is evaluated for it. It is
-- taken by who reaches everywhere while nothing is hidden from him (everywhere_role): his plans are what they were. Where the
-- user of the database may not make roles there is none, and everything works without it, more slowly.
DO $$
DECLARE
    tries integer := 0;
    lets text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    LOOP
        BEGIN
            IF to_regrole('gongche_cleared') IS NULL THEN
                CREATE ROLE gongche_cleared NOLOGIN;
            END IF;
            IF NOT pg_has_role(current_user, 'gongche_cleared', lets) THEN
                GRANT gongche_cleared TO CURRENT_USER;
            END IF;
            EXIT;
        EXCEPTION
            -- Another database of the server does the same at this moment.
            WHEN duplicate_object OR unique_violation OR internal_error THEN
                tries := tries + 1;
                IF tries >= 20 THEN RAISE; END IF;
                PERFORM pg_sleep(0.05);
            WHEN insufficient_privilege THEN
                RAISE NOTICE '% 不能建立角色 gongche_cleared / may not make the role gongche_cleared: see docs/operations.md', current_user;
                EXIT;
        END;
    END LOOP;
    IF to_regrole('gongche_cleared') IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO gongche_cleared', current_schema());
    END IF;
END $$;

-- What finds a hidden vehicle in a text: plates anywhere; ids of vehicles and cards, and phone numbers, where no letter or digit is
-- beside them; in rows as JSON the numbers of vehicles and terminals. Null = nothing is hidden.
CREATE OR REPLACE FUNCTION hidden_pattern() RETURNS text LANGUAGE plpgsql STABLE AS $$
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
END $$;

CREATE OR REPLACE FUNCTION audit_hidden(kind text, id text, vehicle text, content text, ids text[], plates text[], cards text[], pattern text)
RETURNS boolean LANGUAGE sql STABLE AS $$
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

-- Gives a table to gongche_cleared, with the rights that gongche_app has on it.
CREATE FUNCTION cleared_table(place regclass) RETURNS void LANGUAGE plpgsql AS $$
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

CREATE OR REPLACE FUNCTION scope_table(
    place regclass, privileges text,
    seen text DEFAULT 'organisation = ANY ((SELECT reach_units())::text[])', written text DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
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

-- Whether a unit is within the reach of the transaction, asked from within functions of the owner.
CREATE OR REPLACE FUNCTION unit_in_reach(unit text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT COALESCE(current_setting('role') IN ('gongche_everywhere', 'gongche_cleared') OR unit = ANY (reach_units()), false)
$$;
-- As which role a transaction works that reaches everywhere (office.identity.scope asks at its begin).
CREATE FUNCTION everywhere_role() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN to_regrole('gongche_cleared') IS NOT NULL AND cardinality(hidden_nos()) = 0 AND EXISTS (SELECT FROM pg_roles r
        WHERE r.rolname = 'gongche_cleared' AND pg_has_role(session_user, r.oid,
            CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END))
        THEN 'gongche_cleared' ELSE 'gongche_everywhere' END
$$;
CREATE OR REPLACE FUNCTION reach_home() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname IN ('gongche_everywhere', 'gongche_cleared')
        AND pg_has_role(current_user, r.oid, 'USAGE')) THEN NULL ELSE (reach_roots())[1] END
$$;

SELECT cleared_table(c.oid) FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
 WHERE p.polname = 'everywhere' AND c.relnamespace = current_schema()::regnamespace;

-- As those of 0036: what looks behind what the caller sees does it as the owner, and what runs a text as SQL is not for requests.
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
        AND p.proname IN ('hidden_pattern', 'audit_hidden', 'everywhere_role') LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN ('cleared_table', 'scope_table') LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each);
    END LOOP;
END $$;

-- The positions that evidence rests on (0038) are hidden with the evidence.
SELECT secret_table('evidence_positions', 'cardinality((SELECT hidden_nos())::integer[]) = 0'
    ' OR EXISTS (SELECT FROM evidence_of_alerts e WHERE e.sha256 = evidence_positions.sha256)');
