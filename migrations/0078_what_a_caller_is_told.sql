-- What people are told of papers that they see, where a part of it lies out of their reach.

-- The names of both parties of statements that the caller has read already (their ids): a platform does not reach the units that it serves, nor they it.
CREATE FUNCTION parties_of_statements(wanted text[]) RETURNS TABLE (id text, organisation_name text, platform_name text)
    LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT s.id, u.name, p.name FROM cost_statements s LEFT JOIN organisations u ON u.id = s.organisation LEFT JOIN organisations p ON p.id = s.platform
     WHERE s.id = ANY (wanted)
$$;

-- Whether a platform had a tariff on a day: a unit that may not read it is told so, and not that there is none.
CREATE FUNCTION tariff_holds(platform text, on_day date) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT EXISTS (SELECT FROM tariffs t WHERE t.organisation = platform AND t.valid_from <= on_day)
$$;

DO $$
DECLARE each text;
BEGIN
    -- Whatever the caller's search_path: the tables of this installation.
    FOREACH each IN ARRAY ARRAY['parties_of_statements(text[])', 'tariff_holds(text, date)'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END
$$;

-- What is booked about a driver: he reads his own.
CREATE INDEX cost_entries_driver ON cost_entries (driver, occurred_on DESC, id) WHERE driver IS NOT NULL;
