-- Quotas of vehicles (编制): src/registry/quotas.py. Both tables only grow: what was approved is a fact with its day and its paper.

-- How many vehicles of a class a unit may have, from a day on. Of one day the row that was entered last counts.
CREATE TABLE quotas (
    no              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation    text NOT NULL REFERENCES organisations (id),
    quota_class     text NOT NULL CHECK (quota_class IN ('confidential', 'emergency', 'enforcement', 'special', 'guaranteed', 'other')),
    vehicles        integer NOT NULL CHECK (vehicles BETWEEN 0 AND 100000),
    valid_from      date NOT NULL,
    approved_by     text NOT NULL,          -- the organ that decided, as the paper names it
    paper_no        text NOT NULL,          -- 文号
    note            text NOT NULL,
    entered_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    entered_by      text NOT NULL,
    entered_by_name text NOT NULL
);
COMMENT ON TABLE quotas IS '编制: vehicles of a class that a unit may have, by the day from which it holds.';
CREATE INDEX quotas_of ON quotas (organisation, quota_class, valid_from DESC, no DESC);
CREATE TRIGGER quotas_stay BEFORE UPDATE OR DELETE ON quotas FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER quotas_stay_all BEFORE TRUNCATE ON quotas FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Of which class a vehicle is, and by which of the standards it was allowed, where its category does not say so.
CREATE TABLE vehicle_quota_places (
    no              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vehicle         text NOT NULL REFERENCES vehicles (id),
    quota_class     text NOT NULL CHECK (quota_class IN ('confidential', 'emergency', 'enforcement', 'special', 'guaranteed', 'other')),
    tier            text NOT NULL CHECK (tier IN ('base', 'need', 'special_case')),
    approved_by     text NOT NULL,
    paper_no        text NOT NULL,
    note            text NOT NULL,
    entered_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    entered_by      text NOT NULL,
    entered_by_name text NOT NULL
);
COMMENT ON TABLE vehicle_quota_places IS '车辆的编制类别: the newest row of a vehicle counts.';
CREATE INDEX vehicle_quota_places_of ON vehicle_quota_places (vehicle, no DESC);
CREATE TRIGGER vehicle_quota_places_stay BEFORE UPDATE OR DELETE ON vehicle_quota_places FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER vehicle_quota_places_stay_all BEFORE TRUNCATE ON vehicle_quota_places FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

SELECT scope_table('quotas', 'SELECT, INSERT');
SELECT scope_table('vehicle_quota_places', 'SELECT, INSERT', 'EXISTS (SELECT FROM vehicles v WHERE v.id = vehicle)');

SELECT audit_table('quotas', 'quotas', 'no', '(r ->> ''organisation'') || ''/'' || (r ->> ''quota_class'')');
SELECT audit_table('vehicle_quota_places', 'vehicle-quota-places', 'no', 'r ->> ''vehicle''', '(SELECT v.organisation FROM vehicles v WHERE v.id = r ->> ''vehicle'')', vehicle => 'r ->> ''vehicle''');
