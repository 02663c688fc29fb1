-- An answer that cannot be true is no word for ever: it is asked again, ever more seldom. SQL of this table lives in
-- src/rules/navigation.

ALTER TABLE navigation_routes
    ADD COLUMN doubts       integer NOT NULL DEFAULT 0 CHECK (doubts >= 0), -- answers in a row that could not be true
    ADD COLUMN ask_again_at timestamptz,                                    -- null = the answer is believed
    ADD CONSTRAINT doubted_without_distance CHECK ((doubts > 0) = (ask_again_at IS NOT NULL)
                                                   AND (doubts = 0 OR distance_m IS NULL));

-- What was kept before as if it were true: all without a distance but the engine's own word that there is no way.
UPDATE navigation_routes SET doubts = 1, ask_again_at = now()
 WHERE distance_m IS NULL AND problem NOT LIKE '导航引擎找不到路线%';

-- The orders that were undetermined by it are looked at again, once (the judge's keys: src/rules/store/requests.py).
INSERT INTO judge_due (gatherer, key, due_at)
SELECT 'orders', substr(subject, length('order:') + 1), now()
  FROM (SELECT DISTINCT ON (subject) subject, outcome, reason FROM evaluations WHERE rule = 'mileage'
         ORDER BY subject, id DESC) AS newest
 WHERE outcome = 'undetermined' AND reason LIKE '导航引擎给不出可信的路线%'
   AND EXISTS (SELECT FROM navigation_routes WHERE doubts > 0)
    ON CONFLICT (gatherer, key) DO NOTHING;
