-- A subject that waits for positions is judged as soon as they are processed, not when its next look is due (up to a day
-- later). vehicle_no: the vehicle it waits for; seen: it is due when the newest position of that vehicle is later than this.
-- Written by the judge (src/rules/judge/queue.py). Rows of before have neither and are due as they were.
ALTER TABLE judge_due ADD COLUMN vehicle_no integer, ADD COLUMN seen timestamptz;
CREATE INDEX judge_due_vehicle ON judge_due (vehicle_no) WHERE vehicle_no IS NOT NULL;
