-- Organisations and scope: what a request may see and write is limited by the database itself (row-level security), whatever
-- the SQL of the program says. docs/decisions/0020-row-level-security.md says why it is built so, and what it does not do.
--
-- Requests work as one of two roles, which own nothing. Workers, judges and migrations work as the owner of the tables, for
-- whom no policy is evaluated: their statements and plans are what they were.
--   gongche_app         sees the units that the setting gongche.reach names, and those below them
--   gongche_everywhere  sees all; its policies are the constant true, which the planner drops
-- Roles belong to the whole server: another database of it, or another migration at this moment, may make them as well.
DO $$
DECLARE
    wanted text;
    tries integer := 0;
    lets text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    LOOP
        BEGIN
            FOREACH wanted IN ARRAY ARRAY['gongche_app', 'gongche_everywhere'] LOOP
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                    EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
                END IF;
            END LOOP;
            IF NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = 'gongche_app'::regrole
                            AND m.member = 'gongche_everywhere'::regrole) THEN
                GRANT gongche_app TO gongche_everywhere;
            END IF;
            FOREACH wanted IN ARRAY ARRAY['gongche_app', 'gongche_everywhere'] LOOP
                IF NOT pg_has_role(current_user, wanted, lets) THEN
                    EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
                END IF;
            END LOOP;
            EXIT;
        EXCEPTION
            -- Another database of the server does the same at this moment: "tuple concurrently updated" among them.
            WHEN duplicate_object OR unique_violation OR internal_error THEN
                tries := tries + 1;
                IF tries >= 20 THEN RAISE; END IF;
                PERFORM pg_sleep(0.05);
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                    MESSAGE = format('数据库用户 %s 不能建立角色 / the database user %s may not make the roles', current_user, current_user),
                    HINT = format('请管理员执行 / have an administrator run: CREATE ROLE gongche_app NOLOGIN; CREATE ROLE'
                        ' gongche_everywhere NOLOGIN; GRANT gongche_app TO gongche_everywhere; GRANT gongche_app,'
                        ' gongche_everywhere TO %I;', current_user);
        END;
    END LOOP;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO gongche_app', current_schema());
END $$;

-- The reach. It is what gongche.reach names (units as the text of an array; nothing where it is not set) and what is below.
-- Evaluated once a statement, before its first row, and never for a row: policies take it as a subquery without a reference
-- to the row.
CREATE FUNCTION reach_roots() RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT COALESCE(NULLIF(current_setting('gongche.reach', true), ''), '{}')::text[]
$$;

CREATE FUNCTION reach_units() RETURNS text[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE below AS (
        SELECT id FROM organisations WHERE id = ANY (reach_roots())
        UNION SELECT o.id FROM below b JOIN organisations o ON o.parent = b.id)
    SELECT COALESCE(array_agg(id), '{}') FROM below
$$;

-- The units above the reach: their names are seen, and the parameters that hold for the units below them.
CREATE FUNCTION reach_above() RETURNS text[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE above AS (
        SELECT parent FROM organisations WHERE id = ANY (reach_roots())
        UNION SELECT o.parent FROM above a JOIN organisations o ON o.id = a.parent)
    SELECT COALESCE(array_agg(parent), '{}') FROM above WHERE parent IS NOT NULL
$$;

-- The unit that a new terminal belongs to until it sits in a vehicle; null = nobody's: only who reaches everywhere sees it.
CREATE FUNCTION reach_home() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN pg_has_role(current_user, 'gongche_everywhere', 'USAGE') THEN NULL ELSE (reach_roots())[1] END
$$;

ALTER TABLE terminals ADD COLUMN home text;
ALTER TABLE terminals ALTER COLUMN home SET DEFAULT reach_home();
COMMENT ON COLUMN terminals.home IS 'organisations.id of who registered it; counts only until it first sits in a vehicle. Null = whoever reaches everywhere.';

-- Whether a terminal is one of the reach: a terminal that sits in the car of another unit cannot be bound away from it.
CREATE FUNCTION terminal_in_reach(wanted integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM terminal_bindings b JOIN vehicles v ON v.no = b.vehicle_no
                    WHERE b.terminal_no = wanted AND v.organisation = ANY (reach_units()))
        OR EXISTS (SELECT FROM terminals t WHERE t.no = wanted AND t.home = ANY (reach_units())
                    AND NOT EXISTS (SELECT FROM terminal_bindings b WHERE b.terminal_no = wanted))
$$;

CREATE FUNCTION terminal_bound(wanted integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM terminal_bindings b WHERE b.terminal_no = wanted)
$$;

-- The vehicle that had a plate at a time; at a time when nobody had it, the one nearest to it.
CREATE FUNCTION vehicle_of_plate(wanted text, moment timestamptz) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT COALESCE(
        (SELECT vehicle_no FROM vehicle_plates WHERE plate = wanted
          ORDER BY valid_from <= moment AND (valid_to IS NULL OR moment < valid_to) DESC,
                   CASE WHEN moment < valid_from THEN valid_from - moment ELSE moment - COALESCE(valid_to, moment) END LIMIT 1),
        (SELECT no FROM vehicles WHERE plate = wanted ORDER BY id LIMIT 1))
$$;

-- Puts a table under the reach. ``seen``: SQL condition of the rows that are seen; ``written``: of those that may be written,
-- where it is another one (false = never). ``privileges``: what requests may do at all. For the tables of later migrations, too:
--   SELECT scope_table('cases', 'SELECT, INSERT, UPDATE');
CREATE FUNCTION scope_table(
    place regclass, privileges text,
    seen text DEFAULT 'organisation = ANY ((SELECT reach_units())::text[])', written text DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', place);
    EXECUTE format('GRANT %s ON %s TO gongche_app', privileges, place);
    EXECUTE format('CREATE POLICY everywhere ON %s TO gongche_everywhere USING (true) WITH CHECK (true)', place);
    IF written IS NULL THEN
        EXECUTE format('CREATE POLICY reach ON %s TO gongche_app USING (%s) WITH CHECK (%s)', place, seen, seen);
    ELSE
        EXECUTE format('CREATE POLICY reach ON %s FOR SELECT TO gongche_app USING (%s)', place, seen);
        EXECUTE format('CREATE POLICY reach_insert ON %s FOR INSERT TO gongche_app WITH CHECK (%s)', place, written);
        EXECUTE format('CREATE POLICY reach_update ON %s FOR UPDATE TO gongche_app USING (%s) WITH CHECK (%s)', place, written, written);
        EXECUTE format('CREATE POLICY reach_delete ON %s FOR DELETE TO gongche_app USING (%s)', place, written);
    END IF;
END $$;

-- What looks at the tree of units, or notes what a request changed, does so as the owner of the tables: what it finds and
-- notes must not depend on who asks. pg_temp stands last: nobody's temporary table is taken for one of ours.
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN (
        'reach_units', 'reach_above', 'terminal_in_reach', 'terminal_bound', 'vehicle_of_plate', 'begin_plates', 'change_plates',
        'note_changes', 'note_clock_changes', 'note_order_changes', 'note_result_changes', 'note_unit_changes', 'number_change_commit')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

-- Units. One's own unit is changed by those above it.
SELECT scope_table('organisations', 'SELECT, INSERT, UPDATE',
    'id = ANY ((SELECT reach_units())::text[]) OR parent = ANY ((SELECT reach_units())::text[]) OR id = ANY ((SELECT reach_above())::text[])',
    'parent = ANY ((SELECT reach_units())::text[])');
SELECT scope_table('vehicles', 'SELECT, INSERT, UPDATE');
SELECT scope_table('drivers', 'SELECT, INSERT, UPDATE');
SELECT scope_table('fuel_cards', 'SELECT, INSERT, UPDATE');
-- A fence or an order may not name the vehicle of a unit that one does not reach: it would explain that vehicle's drives.
SELECT scope_table('fences', 'SELECT, INSERT, UPDATE',
    'organisation = ANY ((SELECT reach_units())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[]) AND NOT EXISTS (SELECT FROM unnest(vehicles) AS n (id)'
    ' WHERE NOT EXISTS (SELECT FROM vehicles v WHERE v.id = n.id))');
SELECT scope_table('dispatch_orders', 'SELECT, INSERT, UPDATE',
    'organisation = ANY ((SELECT reach_units())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[]) AND EXISTS (SELECT FROM vehicles v WHERE v.id = vehicle)');
-- What is there already may still be ended, also when the vehicle has gone to another unit since.
ALTER POLICY reach_update ON fences USING (organisation = ANY ((SELECT reach_units())::text[]))
    WITH CHECK (organisation = ANY ((SELECT reach_units())::text[]));
ALTER POLICY reach_update ON dispatch_orders USING (organisation = ANY ((SELECT reach_units())::text[]))
    WITH CHECK (organisation = ANY ((SELECT reach_units())::text[]));
SELECT scope_table('order_track_times', 'SELECT', 'EXISTS (SELECT FROM dispatch_orders o WHERE o.id = order_id)', 'false');
SELECT scope_table('order_results', 'SELECT', 'EXISTS (SELECT FROM dispatch_orders o WHERE o.id = order_id)', 'false');

-- What belongs to a card belongs to the card's unit.
SELECT scope_table('card_bindings', 'SELECT, INSERT, UPDATE, DELETE', 'EXISTS (SELECT FROM fuel_cards c WHERE c.id = card)');
SELECT scope_table('fuel_transactions', 'SELECT, INSERT, UPDATE', 'EXISTS (SELECT FROM fuel_cards c WHERE c.id = card)');
-- A violation belongs to the unit of the vehicle that had the plate then.
SELECT scope_table('violations', 'SELECT, INSERT, UPDATE', 'EXISTS (SELECT FROM vehicles v WHERE v.no = vehicle_of_plate(violations.plate, violations.at))');

-- Without a unit: read by all, written by who reaches everywhere.
SELECT scope_table('fuel_stations', 'SELECT, INSERT, UPDATE', 'true', 'false');
SELECT scope_table('calendar_days', 'SELECT, INSERT, UPDATE, DELETE', 'true', 'false');
SELECT scope_table('rule_parameters', 'SELECT, INSERT, UPDATE, DELETE',
    'organisation IS NULL OR organisation = ANY ((SELECT reach_units())::text[]) OR organisation = ANY ((SELECT reach_above())::text[])',
    'organisation = ANY ((SELECT reach_units())::text[])');

-- What belongs to a vehicle belongs to the unit that has the vehicle now: its file goes with it.
SELECT scope_table('vehicle_plates', 'SELECT', 'EXISTS (SELECT FROM vehicles v WHERE v.no = vehicle_no)', 'false');
SELECT scope_table('terminal_bindings', 'SELECT, INSERT, UPDATE, DELETE', 'EXISTS (SELECT FROM vehicles v WHERE v.no = vehicle_no)',
    'EXISTS (SELECT FROM vehicles v WHERE v.no = vehicle_no) AND terminal_in_reach(terminal_no)');
SELECT scope_table('terminals', 'SELECT, INSERT, UPDATE',
    'EXISTS (SELECT FROM terminal_bindings b WHERE b.terminal_no = no)'
    ' OR (home = ANY ((SELECT reach_units())::text[]) AND NOT terminal_bound(no))');
SELECT scope_table('clock_corrections', 'SELECT, INSERT, UPDATE, DELETE', 'EXISTS (SELECT FROM terminals t WHERE t.no = terminal_no)');
SELECT scope_table('clock_doubts', 'SELECT, UPDATE, DELETE', 'EXISTS (SELECT FROM terminals t WHERE t.no = terminal_no)');
SELECT scope_table('terminal_notices', 'SELECT, INSERT, UPDATE', 'EXISTS (SELECT FROM terminals t WHERE t.no = terminal_no)');
-- By terminal alone: the time at which a device says it was may be wrong by years. Which stretch of a terminal's positions is
-- a vehicle's is said by its bindings (registry.terminals.spans_of_vehicle).
SELECT scope_table('positions', 'SELECT', 'EXISTS (SELECT FROM terminal_bindings b WHERE b.terminal_no = positions.terminal_no)', 'false');

-- An alert belongs to the unit that had the vehicle when it was judged, and so does everything that hangs on it.
SELECT scope_table('alerts', 'SELECT', 'organisation = ANY ((SELECT reach_units())::text[])', 'false');
SELECT scope_table('alert_versions', 'SELECT', 'EXISTS (SELECT FROM alerts a WHERE a.id = alert_id)', 'false');
SELECT scope_table('alert_feed', 'SELECT', 'EXISTS (SELECT FROM alerts a WHERE a.id = alert_id)', 'false');
CREATE INDEX alert_versions_evidence ON alert_versions (evidence_sha256);
SELECT scope_table('evidence_of_alerts', 'SELECT', 'EXISTS (SELECT FROM alert_versions v WHERE v.evidence_sha256 = sha256)', 'false');
SELECT scope_table('evaluations', 'SELECT',
    'EXISTS (SELECT FROM vehicles v WHERE v.no = vehicle_no)'
    ' OR EXISTS (SELECT FROM alerts a WHERE a.rule = evaluations.rule AND a.subject = evaluations.subject)', 'false');
SELECT scope_table('judge_due', 'SELECT', 'EXISTS (SELECT FROM vehicles v WHERE v.no = vehicle_no)', 'false');


-- A token holds in a unit and those below it. Null = everywhere, as every token did that there is.
ALTER TABLE api_tokens ADD COLUMN organisation text REFERENCES organisations (id);
COMMENT ON COLUMN api_tokens.organisation IS 'organisations.id: where the token holds, and below it; null = everywhere.';
