-- Who reaches everywhere works as one of several roles since 0042; unit_in_reach knows them. Asked for no unit, it says whether the
-- transaction reaches everywhere. Before, the sheets that such a subject saw were without any line.
CREATE OR REPLACE FUNCTION assessed_units(units text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT COALESCE(array_agg(u), '{}') FROM unnest(units) AS n (u)
     WHERE (SELECT unit_in_reach(NULL)) OR current_setting('role') = 'none' OR u = ANY ((SELECT reach_units())::text[])
$$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION assessed_units(text[]) SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $$;
