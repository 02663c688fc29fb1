-- Whether someone said which station a transaction was at. If not, its name on the statement (station_name) says it, and
-- what that name means may change: an alias given to the wrong station must be possible to take back.
ALTER TABLE fuel_transactions ADD COLUMN station_given boolean NOT NULL DEFAULT false;

-- Of what is there already: said, where the name does not mean that station now.
UPDATE fuel_transactions t SET station_given = true FROM fuel_stations s
    WHERE s.id = t.station AND NOT EXISTS (
        SELECT FROM unnest(s.name || s.aliases) AS n (name)
        WHERE lower(regexp_replace(n.name, '\s', '', 'g')) = lower(regexp_replace(t.station_name, '\s', '', 'g')));
