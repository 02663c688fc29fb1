-- Lists, counts and rankings of a city of hundreds of units at hundreds of thousands of cases (figures: docs/performance.md).

-- Cases of one state and one finding, in the order in which they are shown.
CREATE INDEX cases_of_findings ON cases (state, finding, created_at DESC, id) WHERE finding IS NOT NULL;
-- Cases that are over are most of all, and are counted from this index alone. It is small: equal keys are kept once.
DROP INDEX cases_states;
CREATE INDEX cases_states ON cases (state, organisation, source);
-- Those that are not over are few, whatever the years bring.
CREATE INDEX cases_in_work ON cases (organisation) WHERE state NOT IN ('closed', 'cancelled');

-- Of ``units`` those that the transaction reaches; null: all of them. (``assessed_units`` compares each with each.)
CREATE FUNCTION units_in_reach(units text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN units IS NULL THEN reach_units()
                ELSE (SELECT COALESCE(array_agg(u), '{}') FROM unnest(units) AS n (u) WHERE u IN (SELECT unnest(reach_units()))) END
$$;
-- Numbers of cases by state and colour, past row-level security: its conditions are looked at row by row, which for a city's
-- 150,000 cases takes half a second. Only units in reach are counted. ``whole``: units of which every case counts, null = all that
-- are in reach; ``part``: further ones, of which those with a number count. Only for who has no secret vehicle hidden from him.
CREATE FUNCTION counted_cases(whole text[], part text[], origin text, today date)
RETURNS TABLE (state text, colour text, n bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    everywhere boolean := unit_in_reach(NULL) OR current_setting('role') = 'none';
    own text := '';
    asked text := CASE WHEN origin IS NULL THEN '' ELSE ' AND c.source = $3' END;
    colours text := 'CASE WHEN c.undetermined THEN ''grey'' WHEN c.due_on IS NULL THEN ''none'' WHEN c.due_on < $4 THEN ''red'''
        ' WHEN c.yellow_from <= $4 THEN ''yellow'' ELSE ''green'' END';
BEGIN
    IF cardinality(hidden_nos()) > 0 THEN
        RAISE EXCEPTION 'what is hidden from the reader is not counted here' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT everywhere THEN
        whole := units_in_reach(whole);
        part := units_in_reach(part);
    END IF;
    IF whole IS NOT NULL THEN
        own := ' AND c.organisation = ANY ($1)';
    END IF;
    -- Built as text, so that each is planned for the units that are asked for. A closed case has a number.
    RETURN QUERY EXECUTE
        'SELECT ''closed'', ''none'', count(*) FROM cases c WHERE c.state = ''closed''' || own || asked
        || ' UNION ALL SELECT ''cancelled'', ''none'', count(*) FROM cases c WHERE c.state = ''cancelled''' || own || asked
        || ' UNION ALL (SELECT c.state, ' || colours || ', count(*) FROM cases c WHERE c.state NOT IN (''closed'', ''cancelled'')'
        || own || asked || ' GROUP BY 1, 2)' USING whole, part, origin, today;
    IF whole IS NOT NULL AND cardinality(part) > 0 THEN
        RETURN QUERY EXECUTE
            'SELECT ''closed'', ''none'', count(*) FROM cases c WHERE c.state = ''closed'' AND c.organisation = ANY ($2)' || asked
            || ' UNION ALL SELECT ''cancelled'', ''none'', count(*) FROM cases c WHERE c.state = ''cancelled'''
            || ' AND c.organisation = ANY ($2) AND c.number IS NOT NULL' || asked
            || ' UNION ALL (SELECT c.state, ' || colours || ', count(*) FROM cases c WHERE c.state NOT IN (''closed'', ''cancelled'')'
            || ' AND c.organisation = ANY ($2) AND c.number IS NOT NULL' || asked || ' GROUP BY 1, 2)' USING whole, part, origin, today;
    END IF;
END $$;

-- The monthly report: what began and what was issued in a month, and how many in each of the months before.
CREATE INDEX alerts_began ON alerts (occurred_from);
CREATE INDEX alerts_of_units_began ON alerts (organisation, occurred_from);
CREATE INDEX cases_issued ON cases (issued_at, organisation) WHERE number IS NOT NULL;
-- Alerts that began and cases that were issued in each month (of China) from ``since`` on, before ``until``; of ``units``, null = all
-- that are in reach. From the indexes alone, so past row-level security, as ``counted_cases``.
CREATE FUNCTION counted_months(units text[], since timestamptz, until timestamptz)
RETURNS TABLE (month text, alerts bigint, cases bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    own text := '';
BEGIN
    IF cardinality(hidden_nos()) > 0 THEN
        RAISE EXCEPTION 'what is hidden from the reader is not counted here' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT (unit_in_reach(NULL) OR current_setting('role') = 'none') THEN
        units := units_in_reach(units);
    END IF;
    IF units IS NOT NULL THEN
        own := ' AND organisation = ANY ($1)';
    END IF;
    RETURN QUERY EXECUTE
        'SELECT to_char(m.first, ''YYYY-MM''),'
        ' (SELECT count(*) FROM alerts WHERE occurred_from >= m.since AND occurred_from < m.until' || own || '),'
        ' (SELECT count(*) FROM cases WHERE number IS NOT NULL AND issued_at >= m.since AND issued_at < m.until' || own || ')'
        ' FROM (SELECT f AS first, greatest(f AT TIME ZONE ''Asia/Shanghai'', $2) AS since,'
        ' least((f + interval ''1 month'') AT TIME ZONE ''Asia/Shanghai'', $3) AS until'
        ' FROM generate_series(date_trunc(''month'', $2 AT TIME ZONE ''Asia/Shanghai''), $3 AT TIME ZONE ''Asia/Shanghai'', interval ''1 month'') f) m'
        ' WHERE m.since < m.until' USING units, since, until;
END $$;

-- The threads of ``assessed_threads`` (0037), one row a case: what happened by step and time, and of what was said only what an
-- assessment is computed from. ``nobody``: some step is nobody's act.
CREATE FUNCTION assessed_closings(units text[], since timestamptz, until timestamptz)
RETURNS TABLE (number text, versions integer[], steps text[], times timestamptz[], nobody boolean[], bodies jsonb[]) LANGUAGE sql STABLE AS $$
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
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT p.oid FROM pg_proc p
                 WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN (
                    'counted_cases', 'counted_months', 'assessed_closings') LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;
