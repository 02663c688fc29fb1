-- Secret vehicles (涉密). Who has no need to know sees nothing that is theirs: the database itself leaves these rows out (policies
-- "secret", restrictive, beside those of 0031), and gives masked rows through the functions masked_*, which have neither plate nor
-- id nor place. docs/decisions/0023-secret-vehicles.md says why.
ALTER TABLE vehicles ADD COLUMN secret boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN vehicles.secret IS '涉密: plate, person, place and track are shown only to subjects with secret:read in its unit.';
CREATE INDEX vehicles_secret ON vehicles (no) WHERE secret;

-- Who marked a vehicle, who asked to lift it, who agreed. It only grows.
CREATE TABLE vehicle_secrecy (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vehicle      text NOT NULL REFERENCES vehicles (id),
    organisation text NOT NULL,          -- of the vehicle then
    step         text NOT NULL CHECK (step IN ('marked', 'lift_asked', 'lifted')),
    actor        text NOT NULL,          -- user:7
    actor_name   text NOT NULL,
    persons      text[] NOT NULL,        -- whose act it is: the actor, and by whom the right was delegated
    reason       text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    at           timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX vehicle_secrecy_of ON vehicle_secrecy (vehicle, no DESC);
CREATE TRIGGER vehicle_secrecy_stays BEFORE UPDATE OR DELETE ON vehicle_secrecy FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The key of the pseudonyms of this installation, as HMAC (RFC 2104) needs it: both pads. No request can read it.
CREATE TABLE secrecy_key (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    inner_pad bytea NOT NULL CHECK (octet_length(inner_pad) = 64),
    outer_pad bytea NOT NULL CHECK (octet_length(outer_pad) = 64)
);
DO $$
DECLARE
    key bytea := sha256(decode(replace(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
    ipad bytea := decode(repeat('36', 64), 'hex');
    opad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    FOR i IN 0..31 LOOP
        ipad := set_byte(ipad, i, get_byte(key, i) # 54);
        opad := set_byte(opad, i, get_byte(key, i) # 92);
    END LOOP;
    INSERT INTO secrecy_key (inner_pad, outer_pad) VALUES (ipad, opad);
END $$;

-- HMAC-SHA-256 of a kind and an id, 64 hex digits: the same for every reader, and nobody finds it by trying all plates.
CREATE FUNCTION secrecy_mac(kind text, id text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(kind || E'\n' || id, 'UTF8'))), 'hex') FROM secrecy_key k
$$;
CREATE FUNCTION masked_id(kind text, id text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'masked-' || left(secrecy_mac(kind, id), 32)
$$;

-- The units in which the subject of the transaction may know (gongche.secrets: units as the text of an array; '*' = everywhere;
-- not set = nowhere), with those below them.
CREATE FUNCTION secret_units(roots text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE below AS (
        SELECT id FROM organisations WHERE id = ANY (roots)
        UNION SELECT o.id FROM below b JOIN organisations o ON o.parent = b.id)
    SELECT COALESCE(array_agg(id), '{}') FROM below
$$;
CREATE FUNCTION hidden_nos() RETURNS integer[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    told text := COALESCE(NULLIF(current_setting('gongche.secrets', true), ''), '{}');
BEGIN
    IF told = '*' OR NOT EXISTS (SELECT FROM vehicles v WHERE v.secret) THEN
        RETURN '{}';
    END IF;
    RETURN (SELECT COALESCE(array_agg(v.no), '{}') FROM vehicles v
             WHERE v.secret AND v.organisation <> ALL (secret_units(told::text[])));
END $$;
CREATE FUNCTION hidden_ids() RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT COALESCE(array_agg(v.id), '{}') FROM vehicles v WHERE v.no = ANY (hidden_nos())
$$;
-- Every plate that they have or had, every card that was ever bound to one of these, every terminal that ever sat in one.
CREATE FUNCTION hidden_plates() RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    nos integer[] := hidden_nos();
BEGIN
    IF cardinality(nos) = 0 THEN RETURN '{}'; END IF;
    RETURN (SELECT COALESCE(array_agg(f.plate), '{}') FROM (
        SELECT v.plate FROM vehicles v WHERE v.no = ANY (nos)
        UNION SELECT p.plate FROM vehicle_plates p WHERE p.vehicle_no = ANY (nos)) f WHERE f.plate <> '');
END $$;
CREATE FUNCTION hidden_cards() RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    plates text[] := hidden_plates();
BEGIN
    IF cardinality(plates) = 0 THEN RETURN '{}'; END IF;
    RETURN (SELECT COALESCE(array_agg(DISTINCT b.card), '{}') FROM card_bindings b WHERE b.plate = ANY (plates));
END $$;
CREATE FUNCTION hidden_terminals() RETURNS integer[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    nos integer[] := hidden_nos();
BEGIN
    IF cardinality(nos) = 0 THEN RETURN '{}'; END IF;
    RETURN (SELECT COALESCE(array_agg(DISTINCT b.terminal_no), '{}') FROM terminal_bindings b WHERE b.vehicle_no = ANY (nos));
END $$;
-- What finds one of them in a text: plates anywhere; ids of vehicles and cards, and phone numbers, where no letter or digit is
-- beside them. Null = nothing is hidden.
CREATE FUNCTION hidden_pattern() RETURNS text LANGUAGE plpgsql STABLE AS $$
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
         WHERE length(n.name) >= 4) f WHERE f.part IS NOT NULL);
END $$;

-- Whether an order, an alert, a case has to do with one of the given vehicles, plates, cards. Asked only where something is hidden
-- at all; the lists are made once a statement and handed over.
CREATE FUNCTION order_hidden(wanted text, ids text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM dispatch_orders o WHERE (o.id = wanted OR o.part_of = wanted) AND (o.vehicle = ANY (ids)
        OR EXISTS (SELECT FROM jsonb_array_elements(o.exchanges) e WHERE e ->> 'vehicle' = ANY (ids))))
$$;
CREATE FUNCTION alert_hidden(wanted text, ids text[], plates text[], cards text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM alerts a WHERE a.id = wanted
        AND (a.vehicle = ANY (ids) OR a.plate = ANY (plates) OR a.card = ANY (cards)))
$$;
CREATE FUNCTION case_hidden(wanted text, ids text[], plates text[], cards text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM cases c WHERE c.id = wanted AND c.vehicle = ANY (ids))
        OR EXISTS (SELECT FROM case_links l WHERE l.case_id = wanted
            AND CASE l.kind WHEN 'alert' THEN alert_hidden(l.ref, ids, plates, cards) WHEN 'order' THEN order_hidden(l.ref, ids)
                     ELSE EXISTS (SELECT FROM complaints p WHERE p.id = l.ref AND p.vehicle = ANY (ids)) END)
$$;
CREATE FUNCTION audit_hidden(kind text, id text, vehicle text, content text, ids text[], plates text[], cards text[], pattern text)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT COALESCE(audit_hidden.vehicle = ANY (ids) OR audit_hidden.id = ANY (ids) OR audit_hidden.id = ANY (cards) OR content ~ pattern, false)
        OR CASE kind
            WHEN 'fuel-transactions' THEN EXISTS (SELECT FROM fuel_transactions f WHERE f.id = audit_hidden.id AND f.card = ANY (cards))
            WHEN 'violations' THEN EXISTS (SELECT FROM violations v WHERE v.id = audit_hidden.id AND v.plate = ANY (plates))
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

-- Puts a table under secrecy. ``open``: SQL condition of the rows that everybody in reach may see; null = by the names of its
-- columns. scope_table does it for the tables of later migrations.
CREATE FUNCTION secret_table(place regclass, open text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
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
END $$;

CREATE OR REPLACE FUNCTION scope_table(
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
    PERFORM secret_table(place);
END $$;

-- Those of ``wanted`` (ids of vehicles) that a subject must not see who may know in ``roots`` and below (null = everywhere).
CREATE FUNCTION hidden_among(wanted text[], roots text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT COALESCE(array_agg(v.id), '{}') FROM vehicles v
     WHERE v.secret AND v.id = ANY (wanted) AND roots IS NOT NULL AND v.organisation <> ALL (secret_units(roots))
$$;

-- Whether a unit is within the reach of the transaction, asked from within functions of the owner.
CREATE FUNCTION unit_in_reach(unit text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT COALESCE(current_setting('role') = 'gongche_everywhere' OR unit = ANY (reach_units()), false)
$$;

-- An alert as it is shown to who has no need to know.
CREATE FUNCTION masked_alert(body jsonb, vehicle text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT body || jsonb_build_object(
        'id', masked_id('alert', body ->> 'id'), 'vehicle', masked_id('vehicle', vehicle), 'plate', '涉密车辆', 'driver', NULL,
        'order', NULL, 'summary', '涉密车辆的预警，内容不予显示', 'summary_en', 'alert of a secret vehicle; its content is not shown',
        'reason_code', NULL, 'measures', '{}'::jsonb, 'parameters', '{}'::jsonb,
        'evidence_hash', secrecy_mac('evidence', body ->> 'evidence_hash'), 'evidence_sm3', NULL, 'withdrawn_by', NULL)
        || CASE WHEN body ->> 'withdrawal_reason' IS NULL THEN '{}'::jsonb ELSE jsonb_build_object(
            'withdrawal_reason', '已撤回，原因不予显示', 'withdrawal_reason_en', 'withdrawn; the reason is not shown') END
$$;
-- Of the given versions those that are hidden, masked; within the reach.
CREATE FUNCTION masked_versions(ids text[], numbers integer[]) RETURNS TABLE (alert_id text, version integer, body jsonb)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    pattern text := hidden_pattern();
BEGIN
    IF cardinality(hidden_nos()) = 0 THEN RETURN; END IF;
    RETURN QUERY SELECT v.alert_id, v.version, masked_alert(v.body, COALESCE(a.vehicle, a.id))
      FROM unnest(ids, numbers) AS k (id, number) JOIN alert_versions v ON v.alert_id = k.id AND v.version = k.number
      JOIN alerts a ON a.id = v.alert_id
     WHERE unit_in_reach(a.organisation) AND (alert_hidden(a.id, hidden_ids(), hidden_plates(), hidden_cards()) OR COALESCE(v.body::text ~ pattern, false));
END $$;
-- A page of the newest versions of alerts of hidden vehicles, masked, as rules.alerts.feed lists the others. Null = any.
CREATE FUNCTION masked_alerts(
    rules text, unit text, standing text, since timestamptz, until timestamptz, before timestamptz, behind text, most integer
) RETURNS TABLE (id text, detected_at timestamptz, created_at timestamptz, body jsonb) LANGUAGE plpgsql STABLE AS $$
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
-- A page of hidden vehicles, masked: their pseudonyms, in their order, and their units.
CREATE FUNCTION masked_vehicles(unit text, after text, most integer) RETURNS TABLE (id text, organisation text, updated_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT f.masked, f.organisation, f.updated_at FROM (
        SELECT masked_id('vehicle', v.id) AS masked, v.organisation, v.updated_at FROM vehicles v
         WHERE v.no = ANY (hidden_nos()) AND unit_in_reach(v.organisation) AND (unit IS NULL OR v.organisation = unit)) f
     WHERE after IS NULL OR f.masked > after ORDER BY f.masked LIMIT most
$$;
-- Entries of the audit that are hidden, masked: that somebody did something with a secret vehicle, not what. Those between two places
-- (at, no) of a page, the newest first; null = any, no bound.
CREATE FUNCTION masked_audit(who text, done text, kind text, unit text, since timestamptz, until timestamptz,
    above timestamptz, above_no bigint, below timestamptz, below_no bigint, most integer) RETURNS SETOF audit LANGUAGE plpgsql STABLE AS $$
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
-- The secret vehicles that the transaction may know, with the pseudonyms that others see.
CREATE FUNCTION known_secrets() RETURNS TABLE (id text, plate text, organisation text, masked text) LANGUAGE sql STABLE AS $$
    SELECT v.id, v.plate, v.organisation, masked_id('vehicle', v.id) FROM vehicles v
     WHERE v.secret AND v.no <> ALL (hidden_nos()) AND unit_in_reach(v.organisation)
$$;
-- The cases that are hidden, for lists and counts: no title, no person, no vehicle.
CREATE FUNCTION masked_cases() RETURNS TABLE (id text, organisation text, number text, state text, version integer, source text, level text,
    vehicle text, finding text, reminders integer, announced boolean, created_at timestamptz, issued_at timestamptz, due_on date,
    yellow_from date, undetermined boolean) LANGUAGE plpgsql STABLE AS $$
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

-- They look behind what the caller sees, so they do it as the owner of the tables; pg_temp stands last (0031). The key, and what is
-- computed with it, no request can ask for by itself.
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN (
        'secret_units', 'hidden_nos', 'hidden_ids', 'hidden_plates', 'hidden_cards', 'hidden_terminals', 'hidden_pattern', 'order_hidden',
        'alert_hidden', 'case_hidden', 'audit_hidden', 'hidden_among', 'masked_versions', 'masked_alerts', 'masked_vehicles', 'masked_cases', 'masked_audit', 'known_secrets') LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
        AND p.proname IN ('secrecy_mac', 'masked_id', 'masked_alert', 'unit_in_reach') LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each);
    END LOOP;
END $$;

SELECT scope_table('vehicle_secrecy', 'SELECT, INSERT');
SELECT audit_table('vehicle_secrecy', 'vehicle-secrecy', 'no', 'r ->> ''vehicle''', vehicle => 'r ->> ''vehicle''');

-- What there is already.
SELECT secret_table('vehicles', 'id <> ALL ((SELECT hidden_ids())::text[])');
SELECT secret_table('fuel_cards', 'id <> ALL ((SELECT hidden_cards())::text[])');
SELECT secret_table('fences', 'NOT vehicles && (SELECT hidden_ids())::text[]');
SELECT secret_table('dispatch_orders', 'vehicle <> ALL ((SELECT hidden_ids())::text[]) AND'
    ' (cardinality((SELECT hidden_nos())::integer[]) = 0 OR NOT order_hidden(COALESCE(part_of, id), (SELECT hidden_ids())::text[]))');
SELECT secret_table(t) FROM unnest(ARRAY['order_track_times', 'order_results', 'card_bindings', 'fuel_transactions', 'violations',
    'vehicle_plates', 'terminal_bindings', 'alerts', 'alert_receipts', 'alert_dispositions', 'alert_labels', 'case_events', 'case_links',
    'case_attachments', 'tasks', 'messages', 'webhook_deliveries', 'alert_feed']::regclass[]) AS t;
-- A terminal that sat in one, unless it sits in another vehicle now; and one that says that it has such a plate.
SELECT secret_table('terminals', '(no <> ALL ((SELECT hidden_terminals())::integer[])'
    ' OR EXISTS (SELECT FROM terminal_bindings b WHERE b.terminal_no = no AND b.valid_to IS NULL))'
    ' AND plate <> ALL ((SELECT hidden_plates())::text[])'
    ' AND (waiting_device IS NULL OR NOT waiting_device && (SELECT hidden_plates())::text[])');
SELECT secret_table(t, 'terminal_no <> ALL ((SELECT hidden_terminals())::integer[])')
  FROM unnest(ARRAY['clock_corrections', 'clock_doubts', 'terminal_notices']::regclass[]) AS t;
-- Of a terminal that sat in one: what it sent while it sat in a vehicle that may be seen.
SELECT secret_table('positions', 'terminal_no <> ALL ((SELECT hidden_terminals())::integer[]) OR EXISTS (SELECT FROM terminal_bindings b'
    ' WHERE b.terminal_no = positions.terminal_no AND b.valid_from <= device_time AND (b.valid_to IS NULL OR device_time < b.valid_to))');
-- Also what is about another vehicle and names one of them.
SELECT secret_table('alert_versions', 'cardinality((SELECT hidden_nos())::integer[]) = 0'
    ' OR (NOT alert_hidden(alert_id, (SELECT hidden_ids())::text[], (SELECT hidden_plates())::text[], (SELECT hidden_cards())::text[])'
    ' AND COALESCE(body::text !~ (SELECT hidden_pattern()), true))');
SELECT secret_table('evidence_of_alerts', 'cardinality((SELECT hidden_nos())::integer[]) = 0'
    ' OR (EXISTS (SELECT FROM alert_versions v WHERE v.evidence_sha256 = sha256)'
    ' AND COALESCE(convert_from(body, ''UTF8'') !~ (SELECT hidden_pattern()), true))');
SELECT secret_table('evaluations', '(vehicle_no IS NULL OR vehicle_no <> ALL ((SELECT hidden_nos())::integer[])) AND'
    ' ((SELECT hidden_pattern()) IS NULL OR concat_ws('' '', subject, measures, reason_named, reason) !~ (SELECT hidden_pattern()))');
SELECT secret_table('judge_due', '(vehicle_no IS NULL OR vehicle_no <> ALL ((SELECT hidden_nos())::integer[])) AND'
    ' ((SELECT hidden_pattern()) IS NULL OR concat_ws('' '', key, waits_for) !~ (SELECT hidden_pattern()))');
SELECT secret_table('cases', '(vehicle IS NULL OR vehicle <> ALL ((SELECT hidden_ids())::text[])) AND'
    ' (cardinality((SELECT hidden_nos())::integer[]) = 0 OR NOT case_hidden(id, (SELECT hidden_ids())::text[], (SELECT hidden_plates())::text[], (SELECT hidden_cards())::text[]))');
-- What a citizen says stands as he said it; which vehicle it is stands in "vehicle".
SELECT secret_table('complaints', 'vehicle IS NULL OR vehicle <> ALL ((SELECT hidden_ids())::text[])');
SELECT secret_table('audit', 'cardinality((SELECT hidden_nos())::integer[]) = 0'
    ' OR NOT audit_hidden(subject_kind, subject_id, vehicle, concat_ws('' '', subject_id, purpose, before, after, detail),'
    ' (SELECT hidden_ids())::text[], (SELECT hidden_plates())::text[], (SELECT hidden_cards())::text[], (SELECT hidden_pattern()))');

-- What a foreign piece of SQL in one of our queries could do as the role of requests. It can read no table of people: the role has no
-- right on any. But set_config('role', ...) makes the owner of it in the middle of a statement, and then a function that runs a text
-- as SQL would run it as the owner. Who may call a function is asked before the statement begins: so none of these is for requests.
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
        AND p.proname IN ('scope_table', 'secret_table', 'audit_table', 'make_audit_month') LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each);
    END LOOP;
    -- Those of PostgreSQL itself: only an administrator of the server can take them away; docs/operations.md says how otherwise.
    FOR each IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND (
        p.proname ~ '^(query|cursor|table|schema|database)_to_xml' OR p.proname = 'ts_stat' OR (p.proname = 'ts_rewrite' AND p.pronargs = 2)) LOOP
        BEGIN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE '不能收回 / cannot be taken away: %', each;
        END;
    END LOOP;
END $$;
