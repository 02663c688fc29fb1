-- Positions whose date no day partition is for. SQL of these tables lives in src/telemetry/partitions.py.
--
-- A clock that was never set says 1970 or 2000, one that lost its GPS week something 19.6 years ago, for as long as the
-- terminal lives. Such rows had their place in positions_default, which every new day is attached against: PostgreSQL reads
-- all of it, under a lock that shuts out everybody. Now they have a partition of their own, which no new day concerns.

CREATE TABLE positions_before_2020 (LIKE positions INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES);
WITH moved AS (DELETE FROM positions_default WHERE device_time < '2020-01-01Z' RETURNING *)
    INSERT INTO positions_before_2020 SELECT * FROM moved;
ALTER TABLE positions ATTACH PARTITION positions_before_2020 FOR VALUES FROM (MINVALUE) TO ('2020-01-01Z');

-- Which rows wait for the partition of a day, and which were received longer ago than positions are kept.
CREATE INDEX positions_default_device_time ON positions_default (device_time);
CREATE INDEX positions_default_received_at ON positions_default (received_at);
CREATE INDEX positions_before_2020_received_at ON positions_before_2020 (received_at);

COMMENT ON TABLE positions IS 'One partition a UTC day, made by the worker; days before 2020 in positions_before_2020, others far from today in positions_default.';
