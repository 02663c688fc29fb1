-- What an order covers (registry/order_cover.py, registry/orders.py).
--
-- A version of an order has two times: when it was entered (entered_at) and from when on it holds (holds_from; NULL = from the
-- beginning). When it reached this program is a third one (received_at). Versions of before have no such times apart: they were
-- entered when they came, and hold from the beginning.
ALTER TABLE dispatch_orders
    ADD COLUMN received_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN entry_stated boolean NOT NULL DEFAULT false,
    ADD COLUMN holds_from timestamptz,
    ADD COLUMN applicant text,
    ADD COLUMN approver text,
    ADD COLUMN cancelled_at timestamptz,
    ADD COLUMN exchanges jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN part_of text,
    ADD COLUMN leg_from timestamptz,
    ADD COLUMN leg_to timestamptz,
    ADD COLUMN covers_to timestamptz,
    ADD COLUMN backfill boolean NOT NULL DEFAULT false,
    ADD COLUMN counts boolean NOT NULL DEFAULT true,
    ADD COLUMN is_newest boolean NOT NULL DEFAULT false;
UPDATE dispatch_orders o SET received_at = o.entered_at, is_newest = o.is_current,
       cancelled_at = CASE WHEN o.status = 'cancelled' THEN
           (SELECT min(c.entered_at) FROM dispatch_orders c WHERE c.id = o.id AND c.status = 'cancelled') END;
COMMENT ON COLUMN dispatch_orders.entered_at IS 'when the version was entered, as the office says, else when it came';
COMMENT ON COLUMN dispatch_orders.received_at IS 'when the version reached this program';
COMMENT ON COLUMN dispatch_orders.entry_stated IS 'the office says when it was entered';
COMMENT ON COLUMN dispatch_orders.holds_from IS 'from when on the version holds; NULL = from the beginning';
COMMENT ON COLUMN dispatch_orders.exchanges IS 'further vehicles that took over: [{vehicle, since, driver}], by time';
COMMENT ON COLUMN dispatch_orders.part_of IS
    'a row that the program makes: the stretch of this order that a further vehicle drove, or that an earlier version holds for';
COMMENT ON COLUMN dispatch_orders.leg_from IS 'the row covers nothing before; NULL = no such limit';
COMMENT ON COLUMN dispatch_orders.leg_to IS 'the row covers nothing from then on: another one goes on; NULL = no such limit';
COMMENT ON COLUMN dispatch_orders.covers_to IS
    'the row covers nothing from then on: a late return that nobody approved; NULL = no such limit';
COMMENT ON COLUMN dispatch_orders.backfill IS 'entered after the vehicle returned, or after an alert was published (补单)';
COMMENT ON COLUMN dispatch_orders.counts IS 'false: a backfill that nobody approved; what was judged stays';
COMMENT ON COLUMN dispatch_orders.is_current IS 'the newest version of those that count: what the rules use';
COMMENT ON COLUMN dispatch_orders.is_newest IS 'the newest version, whether it counts or not: what people see';

CREATE OR REPLACE FUNCTION supersede_dispatch_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dispatch_orders SET is_newest = false, is_current = is_current AND NOT NEW.counts
     WHERE id = NEW.id AND version < NEW.version AND (is_newest OR is_current AND NEW.counts);
    NEW.is_newest := NOT EXISTS (SELECT FROM dispatch_orders WHERE id = NEW.id AND version > NEW.version);
    NEW.is_current := NEW.counts
        AND NOT EXISTS (SELECT FROM dispatch_orders WHERE id = NEW.id AND version > NEW.version AND counts);
    RETURN NEW;
END $$;
CREATE UNIQUE INDEX one_newest_version_of_order ON dispatch_orders (id) WHERE is_newest;
DROP INDEX dispatch_orders_organisation;
CREATE INDEX dispatch_orders_organisation ON dispatch_orders (organisation, id);
CREATE INDEX dispatch_orders_parts ON dispatch_orders (part_of) WHERE part_of IS NOT NULL;
-- Orders that somebody has to see to are few: those that are out, and backfills that wait for an approver.
CREATE INDEX dispatch_orders_out ON dispatch_orders ((GREATEST(planned_return, extended_return)))
    WHERE is_current AND status IN ('approved', 'departed');
CREATE INDEX dispatch_orders_waiting ON dispatch_orders (vehicle) WHERE is_newest AND NOT counts;
-- Lists show the newest versions, the rules use those that count: both are found by their driver.
DROP INDEX dispatch_orders_driver;
CREATE INDEX dispatch_orders_driver ON dispatch_orders (driver, planned_departure);
CREATE OR REPLACE VIEW current_dispatch_orders AS SELECT * FROM dispatch_orders WHERE is_current;

-- What a new version says differs from the two before (the newest one, and the newest one that counts), from the earliest
-- departure of them on, for the vehicles of all. Rows of parts come with numbers that leave some out.
CREATE OR REPLACE FUNCTION note_order_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)
    SELECT change_commit(), 'order', found.id, found.no, found.since FROM (
        WITH versions AS (
            SELECT id, vehicle, LEAST(planned_departure, actual_departure) AS since FROM new_rows
            UNION ALL
            SELECT o.id, o.vehicle, LEAST(o.planned_departure, o.actual_departure) FROM new_rows n CROSS JOIN LATERAL
                ((SELECT id, vehicle, planned_departure, actual_departure FROM dispatch_orders p
                   WHERE p.id = n.id AND p.version < n.version ORDER BY p.version DESC LIMIT 1)
                 UNION ALL
                 (SELECT id, vehicle, planned_departure, actual_departure FROM dispatch_orders p
                   WHERE p.id = n.id AND p.version < n.version AND p.counts ORDER BY p.version DESC LIMIT 1)) o)
        SELECT DISTINCT versions.id, v.no, earliest.since FROM versions
          JOIN (SELECT id, min(since) AS since FROM versions GROUP BY id) AS earliest ON earliest.id = versions.id
          JOIN vehicles v ON v.id = versions.vehicle
         ORDER BY versions.id, v.no) AS found;
    RETURN NULL;
END $$;

-- What the track shows of a version of an order: when its vehicle left the fence for it and came back from it, where that
-- is within paper_grace_min of the paper (or, of a cancelled order, within cancel_return_min of its cancellation). NULL = it
-- does not. Written by the worker as soon as the track has passed the time in question; until then there is no row.
CREATE TABLE order_track_times (
    order_id text NOT NULL,
    version integer NOT NULL,
    left_known boolean NOT NULL,
    left_at timestamptz,
    back_known boolean NOT NULL,
    back_at timestamptz,
    PRIMARY KEY (order_id, version)
);
COMMENT ON TABLE order_track_times IS 'When vehicles left for orders and came back, as their tracks show (registry/order_cover.py).';
