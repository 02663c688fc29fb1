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
CREATE FUNCTION colour_of_case(undetermined boolean, due_on date, yellow_from date, today date) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN undetermined THEN 'grey' WHEN due_on IS NULL THEN 'none' WHEN due_on < today THEN 'red'
                WHEN yellow_from <= today THEN 'yellow' ELSE 'green' END
$$;
-- Numbers of cases by state and colour, past row-level security: its conditions are looked at row by row, which for a city's
-- 150,000 cases takes half a second. Only units in reach are counted. ``whole``: units of which every case counts, null = all that
-- are in reach; ``part``: further ones, of which those with a number count. Only for who has no secret vehicle hidden from him.
CREATE FUNCTION counted_cases(whole text[], part text[], origin text, today date)
RETURNS TABLE (state text, colour text, n bigint) LANGUAGE plpgsql STABLE SET plan_cache_mode = 'force_custom_plan' AS $$
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

-- The monthly report: what began and what was issued in a month, and how many in each of the months before.
CREATE INDEX alerts_began ON alerts (occurred_from);
CREATE INDEX alerts_of_units_began ON alerts (organisation, occurred_from);
CREATE INDEX cases_issued ON cases (issued_at, organisation) WHERE number IS NOT NULL;
-- Alerts that began and cases that were issued in each month (of China) from ``since`` on, before ``until``; of ``units``, null = all
-- that are in reach. From the indexes alone, so past row-level security, as ``counted_cases``.
CREATE FUNCTION counted_months(units text[], since timestamptz, until timestamptz)
RETURNS TABLE (month text, alerts bigint, cases bigint) LANGUAGE plpgsql STABLE SET plan_cache_mode = 'force_custom_plan' AS $$
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
