-- Which vehicle the register has under a plate, and since when. vehicles.plate is the plate as it stands; this is its
-- history, kept by triggers. SQL of this table lives here only.
--
-- Two vehicles never have one plate at once. The constraint is looked at at the end of a transaction (or at SET
-- CONSTRAINTS), so vehicles may exchange plates in one import. Before, a unique index looked at one row after the other,
-- and those that gave up a plate got an invented one first.

CREATE TABLE vehicle_plates (
    vehicle_no integer NOT NULL REFERENCES vehicles (no),
    plate      text NOT NULL,
    valid_from timestamptz NOT NULL,  -- when the register was told; -infinity = before this table was there
    valid_to   timestamptz,           -- null = the vehicle has it, and was not disposed of
    PRIMARY KEY (vehicle_no, valid_from),
    CHECK (valid_to > valid_from),
    CONSTRAINT one_vehicle_of_plate EXCLUDE USING gist
        (int8range(hashtextextended(plate, 0), hashtextextended(plate, 0), '[]') WITH &&,
         text_range(plate, plate, '[]') WITH &&, tstzrange(valid_from, valid_to) WITH &&)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX one_plate_of_vehicle ON vehicle_plates (vehicle_no) WHERE valid_to IS NULL;
CREATE INDEX vehicle_plates_plate ON vehicle_plates (plate, valid_from);
COMMENT ON TABLE vehicle_plates IS 'History of vehicles.plate, by the times at which the register was told.';

INSERT INTO vehicle_plates (vehicle_no, plate, valid_from)
    SELECT no, plate, '-infinity' FROM vehicles WHERE disposed_on IS NULL;
SET CONSTRAINTS ALL IMMEDIATE;
DROP INDEX vehicles_plate;

-- All rows of a statement together: first what ends, then what begins. now() is one moment for the whole transaction; a
-- transaction that began earlier and comes later begins where the one before it ended.
CREATE FUNCTION change_plates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH gone AS (
        SELECT n.no FROM vehicles_now n JOIN vehicles_before o USING (no)
         WHERE o.disposed_on IS NULL AND (n.disposed_on IS NOT NULL OR n.plate <> o.plate)),
    never AS (
        DELETE FROM vehicle_plates p USING gone
         WHERE p.vehicle_no = gone.no AND p.valid_to IS NULL AND p.valid_from >= now())
    UPDATE vehicle_plates p SET valid_to = now() FROM gone
     WHERE p.vehicle_no = gone.no AND p.valid_to IS NULL AND p.valid_from < now();
    INSERT INTO vehicle_plates (vehicle_no, plate, valid_from)
    SELECT n.no, n.plate, greatest(now(), (SELECT max(p.valid_to) FROM vehicle_plates p WHERE p.plate = n.plate),
                                   (SELECT max(p.valid_to) FROM vehicle_plates p WHERE p.vehicle_no = n.no))
      FROM vehicles_now n JOIN vehicles_before o USING (no)
     WHERE n.disposed_on IS NULL AND (o.disposed_on IS NOT NULL OR n.plate <> o.plate);
    RETURN NULL;
END $$;
CREATE FUNCTION begin_plates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO vehicle_plates (vehicle_no, plate, valid_from)
    SELECT n.no, n.plate, greatest(now(), (SELECT max(p.valid_to) FROM vehicle_plates p WHERE p.plate = n.plate))
      FROM vehicles_now n WHERE n.disposed_on IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER vehicle_plates_change AFTER UPDATE ON vehicles
    REFERENCING OLD TABLE AS vehicles_before NEW TABLE AS vehicles_now
    FOR EACH STATEMENT EXECUTE FUNCTION change_plates();
CREATE TRIGGER vehicle_plates_begin AFTER INSERT ON vehicles
    REFERENCING NEW TABLE AS vehicles_now
    FOR EACH STATEMENT EXECUTE FUNCTION begin_plates();
