-- Statements of triggers and policies that are planned once a session and not at every request.
--
-- A function in SQL that is not taken into its query, and a text that a trigger executes, are parsed and planned each time. That
-- was a good part of what a small write costs. Functions in PL/pgSQL keep their plans; of a trigger function each trigger has
-- plans of its own.

CREATE OR REPLACE FUNCTION reach_units() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN (WITH RECURSIVE below AS (
        SELECT o.id FROM organisations o WHERE o.id = ANY (reach_roots())
        UNION SELECT o.id FROM below b JOIN organisations o ON o.parent = b.id)
    SELECT COALESCE(array_agg(b.id), '{}') FROM below b);
END $$;

CREATE OR REPLACE FUNCTION reach_above() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN (WITH RECURSIVE above AS (
        SELECT o.parent FROM organisations o WHERE o.id = ANY (reach_roots())
        UNION SELECT o.parent FROM above a JOIN organisations o ON o.id = a.parent)
    SELECT COALESCE(array_agg(a.parent), '{}') FROM above a WHERE a.parent IS NOT NULL);
END $$;

CREATE OR REPLACE FUNCTION hidden_ids() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    nos integer[] := hidden_nos();
BEGIN
    IF cardinality(nos) = 0 THEN RETURN '{}'; END IF;
    RETURN (SELECT COALESCE(array_agg(v.id), '{}') FROM vehicles v WHERE v.no = ANY (nos));
END $$;

CREATE OR REPLACE FUNCTION everywhere_role() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN CASE WHEN to_regrole('gongche_cleared') IS NOT NULL AND cardinality(hidden_nos()) = 0 AND EXISTS (SELECT FROM pg_roles r
        WHERE r.rolname = 'gongche_cleared' AND pg_has_role(session_user, r.oid,
            CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END))
        THEN 'gongche_cleared' ELSE 'gongche_everywhere' END;
END $$;

CREATE OR REPLACE FUNCTION audit_part(content jsonb, than jsonb) RETURNS jsonb
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

-- The field that an expression of ``audit_table`` names (r ->> 'id'); '' = it is NULL; NULL = it is something else.
CREATE FUNCTION audit_field(expression text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN expression = 'NULL::text' THEN '' ELSE substring(expression FROM '^r ->> ''(\w+)''$') END
$$;

CREATE OR REPLACE FUNCTION audit_changes() RETURNS trigger
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

-- The field of a row ``r`` that an expression of ``note_changes`` names (r.id); '' = it is not given; NULL = it is something else.
CREATE FUNCTION changed_field(expression text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN COALESCE(expression, '') = '' THEN '' ELSE substring(expression FROM '^r\.(\w+)$') END
$$;

CREATE OR REPLACE FUNCTION note_changes() RETURNS trigger
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
