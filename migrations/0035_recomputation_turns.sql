-- A terminal whose late positions never end must not keep the worker from the other vehicles.
ALTER TABLE recomputations
    -- Late positions that came when their time was reached already: it goes on, and is done once more from here on.
    ADD COLUMN again_from timestamptz,
    -- Slices that it has had: those with few come first.
    ADD COLUMN slices integer NOT NULL DEFAULT 0,
    -- One that is done again at once rests as long as the last time took.
    ADD COLUMN rest_until timestamptz;

-- The order in which they are taken (src/rules/live/store/recomputations.py has the same expression).
DROP INDEX recomputations_order;
CREATE INDEX recomputations_order ON recomputations
    (urgency, (CASE WHEN urgency < 2 THEN slices / 16 ELSE 0 END), (begun IS NULL), seq);
CREATE INDEX recomputations_longest ON recomputations (seq);
