-- One vehicle, one file (一车一档): src/registry/particulars.py, src/registry/vehicle_papers.py, src/office/vehicles.
--
-- ``organisation`` of these tables is the unit that the vehicle (or the driver) belongs to now: a file goes with its vehicle.

-- What the register knows of a vehicle besides what rules judge by (table vehicles). The VIN is its identity; plates come and go (vehicle_plates).
CREATE TABLE vehicle_particulars (
    vehicle         text PRIMARY KEY REFERENCES vehicles (id),
    vin             text UNIQUE CHECK (vin ~ '^[0-9A-HJ-NPR-Z]{17}$'),
    vin_note        text NOT NULL,                  -- why its check digit is not that of the standard
    engine_no       text NOT NULL,
    make_model      text NOT NULL,
    body            text NOT NULL,                  -- '' = not known; registry.licences says which licences it needs
    automatic       boolean NOT NULL,
    colour          text NOT NULL,
    seats           integer CHECK (seats > 0),
    displacement_ml integer CHECK (displacement_ml > 0),
    power_w         integer CHECK (power_w > 0),
    price_fen       bigint CHECK (price_fen >= 0),
    bought_on       date,
    fund            text NOT NULL,
    asset_no        text NOT NULL,
    marking         text NOT NULL CHECK (marking IN ('', 'painted', 'missing', 'exempt')),
    marking_reason  text NOT NULL,
    written_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE vehicle_particulars IS '车辆登记信息: of each vehicle one row; who changed what is in the audit.';

-- Plates of two vehicles that were exchanged in one act: one row for each of the two.
CREATE TABLE plate_swaps (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vehicle      text NOT NULL REFERENCES vehicles (id),
    plate_before text NOT NULL,
    plate_after  text NOT NULL,
    act          text NOT NULL,                     -- the same for both rows
    reason       text NOT NULL,
    actor        text NOT NULL,
    actor_name   text NOT NULL,
    at           timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX plate_swaps_of ON plate_swaps (vehicle, no DESC);

-- Papers with an end (证照): inspection and insurance of a vehicle, the licence of a driver. Never changed: a wrong one is declared void.
CREATE TABLE vehicle_papers (
    id              text PRIMARY KEY,
    organisation    text NOT NULL,
    vehicle         text REFERENCES vehicles (id),
    driver          text REFERENCES drivers (id),
    kind            text NOT NULL CHECK (kind IN ('inspection', 'compulsory', 'commercial', 'licence')),
    number          text NOT NULL,
    issuer          text NOT NULL,
    classes         text[] NOT NULL,                -- of a licence: 准驾车型
    valid_from      date NOT NULL,
    valid_to        date NOT NULL CHECK (valid_to >= valid_from),   -- the last day, to its end in China; infinity = 长期
    amount_fen      bigint CHECK (amount_fen >= 0),
    note            text NOT NULL,
    entered_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    entered_by      text NOT NULL,
    entered_by_name text NOT NULL,
    voided_at       timestamptz,
    voided_by       text,
    voided_by_name  text,
    void_reason     text,
    told            smallint,                       -- of how many days ahead people were told last; null = not yet, 0 = that it has ended
    look_on         date,                           -- when the clock has something to tell; null: nothing
    CHECK ((vehicle IS NULL) <> (driver IS NULL)),
    CHECK ((driver IS NULL) = (kind <> 'licence')),
    CHECK ((kind = 'licence') = (cardinality(classes) > 0)),
    CHECK ((voided_at IS NULL) = (void_reason IS NULL) AND (voided_at IS NULL) = (voided_by IS NULL))
);
COMMENT ON TABLE vehicle_papers IS '年检、保险、驾驶证: with the days on which they hold.';
CREATE INDEX vehicle_papers_vehicle ON vehicle_papers (vehicle, kind, valid_to) WHERE vehicle IS NOT NULL;
CREATE INDEX vehicle_papers_driver ON vehicle_papers (driver, valid_to) WHERE driver IS NOT NULL;
-- One that is sent twice is there once.
CREATE UNIQUE INDEX vehicle_papers_once ON vehicle_papers (vehicle, kind, number, valid_from, valid_to) WHERE voided_at IS NULL;
CREATE UNIQUE INDEX vehicle_licences_once ON vehicle_papers (driver, number, valid_from, valid_to) WHERE voided_at IS NULL;
CREATE INDEX vehicle_papers_ending ON vehicle_papers (valid_to, id);
CREATE INDEX vehicle_papers_of_units ON vehicle_papers (organisation, valid_to, id);
CREATE INDEX vehicle_papers_look ON vehicle_papers (look_on, id) WHERE look_on IS NOT NULL;
CREATE FUNCTION vehicle_paper_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (to_jsonb(OLD) - '{organisation,voided_at,voided_by,voided_by_name,void_reason,told,look_on}'::text[])
       IS DISTINCT FROM (to_jsonb(NEW) - '{organisation,voided_at,voided_by,voided_by_name,void_reason,told,look_on}'::text[])
       OR (OLD.voided_at IS NOT NULL AND (OLD.voided_at, OLD.voided_by, OLD.void_reason) IS DISTINCT FROM (NEW.voided_at, NEW.voided_by, NEW.void_reason)) THEN
        RAISE EXCEPTION 'papers of vehicles are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER vehicle_papers_stand BEFORE UPDATE OR DELETE ON vehicle_papers FOR EACH ROW EXECUTE FUNCTION vehicle_paper_stands();

-- Maintenance (维修): the row is what its thread comes to.
CREATE TABLE maintenances (
    id             text PRIMARY KEY,
    organisation   text NOT NULL,
    vehicle        text NOT NULL REFERENCES vehicles (id),
    number         text NOT NULL UNIQUE,
    state          text NOT NULL,
    version        integer NOT NULL CHECK (version > 0),
    fault          text NOT NULL,
    shop           text,
    approved_fen   bigint CHECK (approved_fen >= 0),
    total_fen      bigint CHECK (total_fen >= 0),
    odometer_m     bigint NOT NULL CHECK (odometer_m >= 0),
    invoice        text,
    in_shop        boolean NOT NULL,                -- it cannot be sent
    reported_at    timestamptz NOT NULL,
    in_at          timestamptz,
    out_at         timestamptz,
    accepted_at    timestamptz
);
COMMENT ON TABLE maintenances IS '维修单: what its thread (maintenance_events) comes to.';
CREATE INDEX maintenances_listed ON maintenances (reported_at, id);
CREATE INDEX maintenances_of_units ON maintenances (organisation, reported_at, id);
CREATE INDEX maintenances_states ON maintenances (state, reported_at, id);
CREATE INDEX maintenances_vehicle ON maintenances (vehicle, reported_at, id);
CREATE INDEX maintenances_in_shop ON maintenances (vehicle) WHERE in_shop;
-- No invoice of a shop is paid twice.
CREATE UNIQUE INDEX maintenances_invoice ON maintenances (shop, invoice) WHERE invoice IS NOT NULL AND state <> 'cancelled';
CREATE TABLE maintenance_events (
    paper      text NOT NULL REFERENCES maintenances (id),
    version    integer NOT NULL CHECK (version > 0),
    step       text NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    persons    text[] NOT NULL,
    actor_name text NOT NULL,
    address    text NOT NULL,
    device     text NOT NULL,
    body       jsonb NOT NULL,
    PRIMARY KEY (paper, version)
);
CREATE TRIGGER maintenance_events_stay BEFORE UPDATE OR DELETE ON maintenance_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER maintenance_events_stay_all BEFORE TRUNCATE ON maintenance_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER maintenances_are_not_removed BEFORE DELETE ON maintenances FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TABLE maintenance_numbers (
    organisation text NOT NULL,
    year         integer NOT NULL,
    last         integer NOT NULL CHECK (last > 0),
    PRIMARY KEY (organisation, year)
);

-- Files of the file (档案附件): of a vehicle, of one of its papers, of a maintenance, of a driver's licence.
CREATE TABLE vehicle_documents (
    id               text PRIMARY KEY,
    organisation     text NOT NULL,
    vehicle          text REFERENCES vehicles (id),
    driver           text REFERENCES drivers (id),
    paper            text REFERENCES vehicle_papers (id),
    maintenance      text REFERENCES maintenances (id),
    kind             text NOT NULL,
    name             text NOT NULL,
    media_type       text NOT NULL,
    size             integer NOT NULL CHECK (size > 0),
    sha256           bytea NOT NULL CHECK (octet_length(sha256) = 32),
    received_sha256  bytea NOT NULL CHECK (octet_length(received_sha256) = 32),
    uploaded_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    uploaded_by      text NOT NULL,
    uploaded_by_name text NOT NULL,
    body             bytea NOT NULL,
    CHECK ((vehicle IS NULL) <> (driver IS NULL)),
    CHECK (paper IS NULL OR maintenance IS NULL)
);
COMMENT ON TABLE vehicle_documents IS 'Files at vehicles, with their SHA-256; kept for ever.';
CREATE INDEX vehicle_documents_vehicle ON vehicle_documents (vehicle, uploaded_at, id) WHERE vehicle IS NOT NULL;
CREATE INDEX vehicle_documents_driver ON vehicle_documents (driver, uploaded_at, id) WHERE driver IS NOT NULL;
CREATE INDEX vehicle_documents_paper ON vehicle_documents (paper, uploaded_at, id) WHERE paper IS NOT NULL;
CREATE INDEX vehicle_documents_maintenance ON vehicle_documents (maintenance, uploaded_at, id) WHERE maintenance IS NOT NULL;
CREATE FUNCTION vehicle_document_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (OLD.id, OLD.vehicle, OLD.driver, OLD.paper, OLD.maintenance, OLD.kind, OLD.name, OLD.media_type, OLD.size, OLD.sha256,
        OLD.received_sha256, OLD.uploaded_at, OLD.uploaded_by, OLD.uploaded_by_name, OLD.body) IS DISTINCT FROM
       (NEW.id, NEW.vehicle, NEW.driver, NEW.paper, NEW.maintenance, NEW.kind, NEW.name, NEW.media_type, NEW.size, NEW.sha256,
        NEW.received_sha256, NEW.uploaded_at, NEW.uploaded_by, NEW.uploaded_by_name, NEW.body) THEN
        RAISE EXCEPTION 'files of vehicles are never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER vehicle_documents_stand BEFORE UPDATE OR DELETE ON vehicle_documents FOR EACH ROW EXECUTE FUNCTION vehicle_document_stands();

CREATE TRIGGER plate_swaps_stay BEFORE UPDATE OR DELETE ON plate_swaps FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A file goes with its vehicle, a licence with its driver.
CREATE FUNCTION files_follow_vehicles() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    moved text[] := (SELECT array_agg(n.id) FROM new_rows n JOIN old_rows o USING (id) WHERE n.organisation <> o.organisation);
BEGIN
    IF moved IS NULL THEN RETURN NULL; END IF;
    UPDATE vehicle_papers p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.vehicle = n.id;
    UPDATE vehicle_documents p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.vehicle = n.id;
    UPDATE maintenances p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.vehicle = n.id;
    RETURN NULL;
END $$;
CREATE FUNCTION files_follow_drivers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    moved text[] := (SELECT array_agg(n.id) FROM new_rows n JOIN old_rows o USING (id) WHERE n.organisation <> o.organisation);
BEGIN
    IF moved IS NULL THEN RETURN NULL; END IF;
    UPDATE vehicle_papers p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.driver = n.id;
    UPDATE vehicle_documents p SET organisation = n.organisation FROM new_rows n WHERE n.id = ANY (moved) AND p.driver = n.id;
    RETURN NULL;
END $$;
CREATE TRIGGER vehicle_files_follow AFTER UPDATE ON vehicles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION files_follow_vehicles();
CREATE TRIGGER driver_files_follow AFTER UPDATE ON drivers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION files_follow_drivers();

-- Whether another vehicle has this VIN, in whatever unit: of it nothing more is told.
CREATE FUNCTION vin_is_taken(wanted text, but text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT EXISTS (SELECT FROM vehicle_particulars p WHERE p.vin = wanted AND p.vehicle <> but)
$$;
-- Whether another maintenance, of whatever unit, has this invoice of this shop.
CREATE FUNCTION invoice_is_used(of_shop text, wanted text, but text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT EXISTS (SELECT FROM maintenances m WHERE m.shop = of_shop AND m.invoice = wanted AND m.id <> but AND m.state <> 'cancelled')
$$;
-- The number of the maintenance for which a vehicle is in the shop; null: it is in none. Whoever may send the vehicle may know that it is not there.
CREATE FUNCTION vehicle_in_shop(wanted text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT min(m.number) FROM maintenances m WHERE m.vehicle = wanted AND m.in_shop
$$;
DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['vin_is_taken(text, text)', 'invoice_is_used(text, text, text)', 'files_follow_vehicles()', 'files_follow_drivers()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;

SELECT scope_table('vehicle_particulars', 'SELECT, INSERT, UPDATE', 'EXISTS (SELECT FROM vehicles v WHERE v.id = vehicle)');
SELECT scope_table('plate_swaps', 'SELECT, INSERT', 'EXISTS (SELECT FROM vehicles v WHERE v.id = vehicle)');
SELECT scope_table('vehicle_papers', 'SELECT, INSERT, UPDATE');
SELECT scope_table('vehicle_documents', 'SELECT, INSERT');
SELECT scope_table('maintenances', 'SELECT, INSERT, UPDATE');
SELECT scope_table('maintenance_events', 'SELECT, INSERT', 'EXISTS (SELECT FROM maintenances m WHERE m.id = paper)');
SELECT scope_table('maintenance_numbers', 'SELECT, INSERT, UPDATE');

SELECT audit_table('vehicle_particulars', 'vehicle-particulars', 'vehicle', 'r ->> ''vehicle''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', vehicle => 'r ->> ''vehicle''');
SELECT audit_table('plate_swaps', 'plate-swaps', 'no', 'r ->> ''act''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', vehicle => 'r ->> ''vehicle''');
SELECT audit_table('vehicle_papers', 'vehicle-papers', vehicle => 'r ->> ''vehicle''');
SELECT audit_table('maintenances', 'maintenance', vehicle => 'r ->> ''vehicle''');

-- Messages about papers and maintenance name them as those of trips do: vehicle-papers/<id>, maintenance/<id>.
COMMENT ON COLUMN messages.trip IS 'Path of what it is about: trip-requests/<id>, dispatches/<id>, vehicle-papers/<id>, maintenance/<id>.';
