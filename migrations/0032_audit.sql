-- The audit: who, when, from where, what; before and after of every write of a record, and every reading of a track, of
-- evidence and of a person's data, with its purpose. It is only added to. docs/scope-and-audit.md says it for people.
CREATE TABLE audit (
    no            bigint GENERATED ALWAYS AS IDENTITY,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    who_kind      text NOT NULL,   -- user, client, token; program: a command on the machine, whose id is the user of the system
    who_id        text NOT NULL,
    who_name      text NOT NULL DEFAULT '',
    roles         text NOT NULL DEFAULT '',
    delegated_by  text,
    address       text NOT NULL DEFAULT '',
    forwarded_for text,            -- what a proxy, or somebody who says he is one, says of where it came from
    agent         text NOT NULL DEFAULT '',
    operation     text NOT NULL,
    action        text NOT NULL CHECK (action IN ('read', 'write', 'import', 'command')),
    subject_kind  text NOT NULL,
    subject_id    text,            -- null = a list of them
    organisation  text,            -- whose it is; null = not of one unit
    vehicle       text,
    purpose       text,
    before        jsonb,
    after         jsonb,
    detail        jsonb,
    PRIMARY KEY (at, no)
) PARTITION BY RANGE (at);
-- Months are made ahead by housekeeping; what comes before the first of them, or when nobody has made one, is here.
CREATE TABLE audit_default PARTITION OF audit DEFAULT;
CREATE INDEX audit_who ON audit (who_id, at DESC, no DESC);
CREATE INDEX audit_subject ON audit (subject_kind, subject_id, at DESC, no DESC);
CREATE INDEX audit_vehicle ON audit (vehicle, at DESC, no DESC) WHERE vehicle IS NOT NULL;
CREATE INDEX audit_organisation ON audit (organisation, at DESC, no DESC);

-- Only added to, by whomever: a month as a whole is dropped when it is older than it must be kept.
CREATE FUNCTION audit_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '审计记录不得修改或删除 / the audit is never changed' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_stands BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stands();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stands();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit_default FOR EACH STATEMENT EXECUTE FUNCTION audit_stands();

SELECT scope_table('audit', 'SELECT', 'organisation = ANY ((SELECT reach_units())::text[])', 'false');

-- Makes the month of a day, unless rows of it are in the default partition already: those stay there.
CREATE FUNCTION make_audit_month(wanted date) RETURNS boolean LANGUAGE plpgsql AS $$
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

-- What of ``row`` is other than in ``than`` (null = all of it). Long values are their length and SHA-256. Never secrets.
CREATE FUNCTION audit_part(content jsonb, than jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(key, CASE WHEN length(value::text) <= 500 THEN value ELSE jsonb_build_object(
               'length', length(value::text), 'sha256', encode(sha256(convert_to(value::text, 'UTF8')), 'hex')) END)
      FROM jsonb_each(content)
     WHERE key NOT IN ('created_at', 'updated_at', 'received_at', 'is_newest', 'is_current', 'home', 'sha256', 'code_sha256',
           'previous_sha256', 'password_hash', 'totp_secret', 'totp_step', 'last_used_at')
       AND (than IS NULL OR value IS DISTINCT FROM than -> key)
$$;

-- Adds an entry; false = the database takes no writes now, and the caller has to log it elsewhere.
CREATE FUNCTION audit_note(
    actor jsonb, action text, subject_kind text, subject_id text, organisation text, vehicle text, detail jsonb
) RETURNS boolean LANGUAGE plpgsql AS $$
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

-- What a request, an import or a command changed: gongche.actor says who it is. What the program does by itself has no actor.
-- Arguments: kind; the columns that name a row; of the row r (jsonb) its id, unit and vehicle; of an inserted row n the row
-- that it takes the place of.
CREATE FUNCTION audit_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor jsonb := NULLIF(current_setting('gongche.actor', true), '')::jsonb;
    pairs text;
BEGIN
    IF actor IS NULL THEN
        RETURN NULL;
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
END $$;

-- Has the writes of a table noted. For the tables of later migrations, too.
CREATE FUNCTION audit_table(
    place regclass, kind text, key text DEFAULT 'id', id text DEFAULT 'r ->> ''id''', organisation text DEFAULT 'r ->> ''organisation''',
    vehicle text DEFAULT 'NULL::text', before text DEFAULT 'NULL::jsonb'
) RETURNS void LANGUAGE plpgsql AS $$
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

-- terminals.home is the unit that a terminal belongs to now: that of the vehicle in which it sits or sat last; of one that was
-- taken out of a vehicle, the unit that had it; of one that never sat in any, who registered it.
CREATE FUNCTION terminal_homes_of_bindings() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE FUNCTION terminal_homes_of_vehicles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE terminals t SET home = n.organisation
      FROM new_rows n JOIN old_rows o USING (no) JOIN terminal_bindings b ON b.vehicle_no = n.no
     WHERE n.organisation <> o.organisation AND t.no = b.terminal_no AND NOT EXISTS (
           SELECT FROM terminal_bindings l WHERE l.terminal_no = b.terminal_no AND l.valid_from > b.valid_from);
    RETURN NULL;
END $$;
CREATE TRIGGER terminal_homes_insert AFTER INSERT ON terminal_bindings REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION terminal_homes_of_bindings();
CREATE TRIGGER terminal_homes_delete AFTER DELETE ON terminal_bindings REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION terminal_homes_of_bindings();
CREATE TRIGGER terminal_homes_vehicle AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION terminal_homes_of_vehicles();
UPDATE terminals t SET home = v.organisation
  FROM (SELECT DISTINCT ON (terminal_no) terminal_no, vehicle_no FROM terminal_bindings ORDER BY terminal_no, valid_from DESC) b
  JOIN vehicles v ON v.no = b.vehicle_no WHERE t.no = b.terminal_no;
COMMENT ON COLUMN terminals.home IS 'organisations.id of the unit that it belongs to now; kept by triggers. Null = whoever reaches everywhere.';

-- A terminal is seen by the units that have or had it in a vehicle, and written by the one that it belongs to now.
CREATE OR REPLACE FUNCTION terminal_in_reach(wanted integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM terminals t WHERE t.no = wanted AND t.home = ANY (reach_units()))
$$;
DROP POLICY reach ON terminals;
DROP FUNCTION terminal_bound;
CREATE POLICY reach ON terminals FOR SELECT TO gongche_app
    USING (EXISTS (SELECT FROM terminal_bindings b WHERE b.terminal_no = no) OR home = ANY ((SELECT reach_units())::text[]));
CREATE POLICY reach_insert ON terminals FOR INSERT TO gongche_app WITH CHECK (home = ANY ((SELECT reach_units())::text[]));
CREATE POLICY reach_update ON terminals FOR UPDATE TO gongche_app USING (home = ANY ((SELECT reach_units())::text[]))
    WITH CHECK (home = ANY ((SELECT reach_units())::text[]));
ALTER POLICY reach_insert ON terminal_bindings
    WITH CHECK (EXISTS (SELECT FROM vehicles v WHERE v.no = vehicle_no) AND terminal_in_reach(terminal_no));

DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN (
        'audit_note', 'audit_changes', 'terminal_homes_of_bindings', 'terminal_homes_of_vehicles', 'terminal_in_reach') LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

SELECT audit_table('organisations', 'organisations', organisation => 'r ->> ''id''');
SELECT audit_table('vehicles', 'vehicles', vehicle => 'r ->> ''id''');
SELECT audit_table('drivers', 'drivers');
SELECT audit_table('fuel_cards', 'fuel-cards');
SELECT audit_table('fences', 'fences', 'id, version', before =>
    'SELECT to_jsonb(b) FROM fences b WHERE b.id = n.id AND b.version < n.version ORDER BY b.version DESC LIMIT 1');
SELECT audit_table('dispatch_orders', 'dispatch-orders', 'id, version', vehicle => 'r ->> ''vehicle''', before =>
    'SELECT to_jsonb(b) FROM dispatch_orders b WHERE b.id = n.id AND b.version < n.version ORDER BY b.version DESC LIMIT 1');
SELECT audit_table('card_bindings', 'fuel-cards', 'card, valid_from', 'r ->> ''card''',
    '(SELECT c.organisation FROM fuel_cards c WHERE c.id = r ->> ''card'')');
SELECT audit_table('fuel_transactions', 'fuel-transactions', organisation =>
    '(SELECT c.organisation FROM fuel_cards c WHERE c.id = r ->> ''card'')');
SELECT audit_table('violations', 'violations', organisation =>
    '(SELECT v.organisation FROM vehicles v WHERE v.no = vehicle_of_plate(r ->> ''plate'', (r ->> ''at'')::timestamptz))', vehicle =>
    '(SELECT v.id FROM vehicles v WHERE v.no = vehicle_of_plate(r ->> ''plate'', (r ->> ''at'')::timestamptz))');
SELECT audit_table('fuel_stations', 'fuel-stations', organisation => 'NULL::text');
SELECT audit_table('calendar_days', 'calendar-days', 'day', 'r ->> ''day''', 'NULL::text');
SELECT audit_table('rule_parameters', 'rule-parameters', 'rule, name, effective_from', 'r ->> ''rule'' || ''.'' || (r ->> ''name'')');
SELECT audit_table('terminals', 'terminals', 'no', 'r ->> ''phone''', 'r ->> ''home''');
SELECT audit_table('terminal_bindings', 'terminals', 'terminal_no, valid_from',
    '(SELECT t.phone FROM terminals t WHERE t.no = (r ->> ''terminal_no'')::integer)',
    '(SELECT v.organisation FROM vehicles v WHERE v.no = (r ->> ''vehicle_no'')::integer)',
    '(SELECT v.id FROM vehicles v WHERE v.no = (r ->> ''vehicle_no'')::integer)');
SELECT audit_table('clock_corrections', 'clock-corrections', organisation =>
    '(SELECT v.organisation FROM terminal_bindings b JOIN vehicles v ON v.no = b.vehicle_no'
    ' WHERE b.terminal_no = (r ->> ''terminal_no'')::integer ORDER BY b.valid_from DESC LIMIT 1)');
SELECT audit_table('api_tokens', 'tokens');
SELECT audit_table('users', 'users');
SELECT audit_table('role_grants', 'role-grants', id => 'r ->> ''user_id''');
SELECT audit_table('delegations', 'delegations', id => 'r ->> ''to_user''', organisation =>
    '(SELECT g.organisation FROM role_grants g WHERE g.id = (r ->> ''grant_id'')::bigint)');
SELECT audit_table('oidc_links', 'oidc-links', 'issuer, subject', 'r ->> ''user_id''', 'NULL::text');
SELECT audit_table('clients', 'clients');
SELECT audit_table('client_secrets', 'client-secrets', id => 'r ->> ''client_id''', organisation =>
    '(SELECT c.organisation FROM clients c WHERE c.id = r ->> ''client_id'')');

-- A judgement of a vehicle is seen by who has the vehicle; by its alert only where there is no vehicle. So the alerts are not
-- gone through for a page of judgements.
ALTER POLICY reach ON evaluations USING (
    EXISTS (SELECT FROM vehicles v WHERE v.no = evaluations.vehicle_no)
    OR (vehicle_no IS NULL AND EXISTS (SELECT FROM alerts a WHERE a.rule = evaluations.rule AND a.subject = evaluations.subject)));
