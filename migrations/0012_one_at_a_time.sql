-- What the registry promises, kept by the database too: a terminal is in one vehicle at a time and a vehicle has one
-- terminal at a time, a card is bound to one plate at a time, one version of a fence holds at a time, one version of an
-- order is the current one. The writers (src/registry) look first and refuse with a sentence; these constraints stand
-- behind them, also where two write at once.

-- An exclusion constraint compares ranges without any extension (btree_gist is not part of the embedded server). So a key
-- is compared as the range of one value: text_range(id, id, '[]'). An index of such texts is slow; before it stands the
-- hash of the text, as the range of one number. The text itself is compared too: two of one hash are no conflict.
CREATE TYPE text_range AS RANGE (subtype = text, collation = "C");

-- Data of an older release may break a promise: under another default isolation than read committed two writers did not
-- see each other. It is mended by the rule that the writers follow (what begins later ends what began before), and each
-- row that is changed is kept here as it was. Nothing writes to this table later.
CREATE TABLE mended_rows (
    no         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration  integer NOT NULL,
    table_name text NOT NULL,
    was        jsonb NOT NULL,   -- the row before
    became     jsonb,            -- the row after; null = it was removed
    mended_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mended_rows IS 'Rows that broke a promise of the registry when a migration looked. For people.';

-- Two terminals that came into one vehicle at the same moment: the one that was registered last stays.
WITH gone AS (
    DELETE FROM terminal_bindings b USING terminal_bindings other
     WHERE other.vehicle_no = b.vehicle_no AND other.valid_from = b.valid_from AND other.terminal_no > b.terminal_no
    RETURNING b.*)
INSERT INTO mended_rows (migration, table_name, was) SELECT DISTINCT 12, 'terminal_bindings', to_jsonb(gone) FROM gone;

WITH cut AS (
    SELECT b.terminal_no, b.valid_from, min(later.valid_from) AS until
      FROM terminal_bindings b
      JOIN terminal_bindings later ON (later.terminal_no = b.terminal_no OR later.vehicle_no = b.vehicle_no)
           AND later.valid_from > b.valid_from AND (b.valid_to IS NULL OR later.valid_from < b.valid_to)
     GROUP BY 1, 2),
mended AS (
    UPDATE terminal_bindings b SET valid_to = cut.until
      FROM cut JOIN terminal_bindings was USING (terminal_no, valid_from)
     WHERE b.terminal_no = cut.terminal_no AND b.valid_from = cut.valid_from
    RETURNING to_jsonb(was) AS was, to_jsonb(b) AS became)
INSERT INTO mended_rows (migration, table_name, was, became) SELECT 12, 'terminal_bindings', was, became FROM mended;

-- The vehicles concerned are judged again, from where the binding ends now.
INSERT INTO fact_changes (kind, subject, vehicle_no, from_time)
SELECT 'binding', t.phone, (m.was ->> 'vehicle_no')::integer,
       COALESCE((m.became ->> 'valid_to')::timestamptz, (m.was ->> 'valid_from')::timestamptz)
  FROM mended_rows m JOIN terminals t ON t.no = (m.was ->> 'terminal_no')::integer
 WHERE m.migration = 12 AND m.table_name = 'terminal_bindings' ORDER BY m.no;

-- Cards: the judge hears of it by its trigger.
WITH cut AS (
    SELECT b.card, b.valid_from, min(later.valid_from) AS until
      FROM card_bindings b
      JOIN card_bindings later ON later.card = b.card AND later.valid_from > b.valid_from
           AND (b.valid_to IS NULL OR later.valid_from < b.valid_to)
     GROUP BY 1, 2),
mended AS (
    UPDATE card_bindings b SET valid_to = cut.until
      FROM cut JOIN card_bindings was USING (card, valid_from)
     WHERE b.card = cut.card AND b.valid_from = cut.valid_from
    RETURNING to_jsonb(was) AS was, to_jsonb(b) AS became)
INSERT INTO mended_rows (migration, table_name, was, became) SELECT 12, 'card_bindings', was, became FROM mended;

-- Fences: from its start on, a version holds instead of all versions before it.
WITH cut AS (
    SELECT f.id, f.version, min(greatest(f.valid_from, later.valid_from)) AS until
      FROM fences f
      JOIN fences later ON later.id = f.id AND later.version > f.version
     GROUP BY 1, 2),
mended AS (
    UPDATE fences f SET valid_to = cut.until
      FROM cut JOIN fences was USING (id, version)
     WHERE f.id = cut.id AND f.version = cut.version AND (f.valid_to IS NULL OR f.valid_to > cut.until)
    RETURNING to_jsonb(was) AS was, to_jsonb(f) AS became)
INSERT INTO mended_rows (migration, table_name, was, became) SELECT 12, 'fences', was, became FROM mended;

INSERT INTO fact_changes (kind, subject, vehicle_no, from_time)
SELECT 'fence', f.id, v.no, f.valid_to
  FROM mended_rows m
  JOIN fences f ON m.migration = 12 AND m.table_name = 'fences'
       AND f.id = m.was ->> 'id' AND f.version = (m.was ->> 'version')::integer
  JOIN vehicles v ON v.id = ANY (f.vehicles) OR (f.vehicles = '{}' AND v.organisation = f.organisation)
 ORDER BY m.no, v.no;

-- Orders: the highest version is the current one, and no other.
WITH mended AS (
    UPDATE dispatch_orders o SET is_current = NOT o.is_current
      FROM dispatch_orders was
     WHERE was.id = o.id AND was.version = o.version
       AND o.is_current = EXISTS (SELECT FROM dispatch_orders h WHERE h.id = o.id AND h.version > o.version)
    RETURNING to_jsonb(was) AS was, to_jsonb(o) AS became)
INSERT INTO mended_rows (migration, table_name, was, became) SELECT 12, 'dispatch_orders', was, became FROM mended;

DO $$
DECLARE
    mended record;
BEGIN
    FOR mended IN SELECT table_name, count(*) AS rows FROM mended_rows WHERE migration = 12 GROUP BY 1 ORDER BY 1 LOOP
        RAISE WARNING '已修正 % 中 % 行互相矛盾的记录，原值见表 mended_rows / % contradicting rows of % were mended, see the table mended_rows',
            mended.table_name, mended.rows, mended.rows, mended.table_name;
    END LOOP;
END $$;

-- A mended row leaves checks of its triggers behind until the commit; a table with such cannot be altered.
SET CONSTRAINTS ALL IMMEDIATE;

ALTER TABLE terminal_bindings
    ADD CONSTRAINT terminal_in_one_vehicle EXCLUDE USING gist
        (int8range(terminal_no, terminal_no, '[]') WITH &&, tstzrange(valid_from, valid_to) WITH &&),
    ADD CONSTRAINT one_terminal_in_vehicle EXCLUDE USING gist
        (int8range(vehicle_no, vehicle_no, '[]') WITH &&, tstzrange(valid_from, valid_to) WITH &&);
ALTER TABLE card_bindings
    ADD CONSTRAINT card_bound_once EXCLUDE USING gist
        (int8range(hashtextextended(card, 0), hashtextextended(card, 0), '[]') WITH &&,
         text_range(card, card, '[]') WITH &&, tstzrange(valid_from, valid_to) WITH &&);
ALTER TABLE fences
    ADD CONSTRAINT one_version_of_fence EXCLUDE USING gist
        (int8range(hashtextextended(id, 0), hashtextextended(id, 0), '[]') WITH &&,
         text_range(id, id, '[]') WITH &&, tstzrange(valid_from, valid_to) WITH &&);

-- The version before is marked before the new one is there: at no moment there are two current ones.
CREATE UNIQUE INDEX one_current_version_of_order ON dispatch_orders (id) WHERE is_current;
DROP TRIGGER dispatch_orders_supersede ON dispatch_orders;
CREATE OR REPLACE FUNCTION supersede_dispatch_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dispatch_orders SET is_current = false WHERE id = NEW.id AND version < NEW.version AND is_current;
    NEW.is_current := NOT EXISTS (SELECT FROM dispatch_orders WHERE id = NEW.id AND version > NEW.version);
    RETURN NEW;
END $$;
CREATE TRIGGER dispatch_orders_supersede BEFORE INSERT ON dispatch_orders
    FOR EACH ROW EXECUTE FUNCTION supersede_dispatch_order();
