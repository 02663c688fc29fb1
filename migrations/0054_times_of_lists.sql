-- Lists of alerts, by what the million of the benchmark of the office showed: SQL of it in src/rules/alerts/asked.py, listing.py.

-- Few alerts are withdrawn: without an index of theirs a list reads fifty others for each of them, and a list of a city orders all alerts of
-- its units for one page.
CREATE INDEX alerts_withdrawn ON alerts (detected_at DESC, id) WHERE status = 'withdrawn';
CREATE INDEX alerts_withdrawn_of ON alerts (organisation, detected_at DESC, id) WHERE status = 'withdrawn';

-- What overlaps a time. Under row-level security PostgreSQL uses no index of ranges, so alerts_happened helped whoever sees everything alone.
-- What lasts more than a day, by its end; what was detected more than two days after it began, by its beginning.
CREATE INDEX alerts_long ON alerts (COALESCE(occurred_to, 'infinity'::timestamptz))
    WHERE occurred_to IS NULL OR occurred_to - occurred_from >= interval '24 hours';
CREATE INDEX alerts_late ON alerts (occurred_from) WHERE detected_at - occurred_from >= interval '48 hours';
