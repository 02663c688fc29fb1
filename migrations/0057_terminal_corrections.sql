-- What terminals do otherwise than the standard says, and which device is meant; and frames of a terminal that somebody watches.

-- A correction of a terminal speaks of its clock as before, and now also of its coordinates and of the units of two items. Each is
-- null where it says nothing of that; of several that hold the latest that says something does, the office before the table of
-- dialects. What was received is never changed (src/telemetry/archive/clocks.py reads, src/registry/clock_corrections.py writes,
-- src/telemetry/terminals/dialect_corrections.py writes those of the table).
ALTER TABLE clock_corrections
    ALTER COLUMN shift_s DROP NOT NULL,
    ADD COLUMN datum text CHECK (datum IN ('wgs84', 'gcj02', 'bd09')),          -- in which the terminal gives its coordinates
    ADD COLUMN odometer_unit_m integer CHECK (odometer_unit_m BETWEEN 0 AND 100000),  -- item 0x01; the standard: 100; 0: it is no odometer
    ADD COLUMN fuel_unit_ml integer CHECK (fuel_unit_ml BETWEEN 0 AND 100000),        -- item 0x02; the standard: 100; 0: it is no fuel
    ADD COLUMN source text NOT NULL DEFAULT 'office' CHECK (source IN ('office', 'dialect')),
    ADD COLUMN dialect text NOT NULL DEFAULT '',                                -- of which dialect the table made it
    ADD CONSTRAINT clock_corrections_says_something CHECK (num_nonnulls(shift_s, datum, odometer_unit_m, fuel_unit_ml) > 0),
    DROP CONSTRAINT clock_corrections_terminal_no_valid_from_key;
ALTER TABLE clock_corrections
    ADD CONSTRAINT clock_corrections_terminal_no_valid_from_key UNIQUE (terminal_no, valid_from, source);
DROP TRIGGER note_correction_insert ON clock_corrections;
DROP TRIGGER note_correction_update ON clock_corrections;
DROP TRIGGER note_correction_delete ON clock_corrections;
CREATE TRIGGER note_correction_insert AFTER INSERT ON clock_corrections REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.valid_from', 'COALESCE(r.shift_s, 0)');
CREATE TRIGGER note_correction_update AFTER UPDATE ON clock_corrections
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.valid_from', 'COALESCE(r.shift_s, 0)');
CREATE TRIGGER note_correction_delete AFTER DELETE ON clock_corrections REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_clock_changes('r.valid_from', 'COALESCE(r.shift_s, 0)');

-- Which device and card the office means (empty: not checked), and what the terminal says of itself. The edition is that of its
-- registration: one that only authenticates, later and elsewhere, says it no more.
ALTER TABLE terminals
    ADD COLUMN edition smallint CHECK (edition IN (2011, 2013, 2019)),
    ADD COLUMN imei text NOT NULL DEFAULT '',
    ADD COLUMN iccid text NOT NULL DEFAULT '',
    ADD COLUMN reported_imei text NOT NULL DEFAULT '',
    ADD COLUMN reported_iccid text NOT NULL DEFAULT '',
    ADD COLUMN reported_software text NOT NULL DEFAULT '';
COMMENT ON COLUMN terminals.imei IS 'The office''s word: only a device with this IMEI may authenticate (2019); empty = not checked.';

ALTER TABLE terminal_notices DROP CONSTRAINT terminal_notices_kind_check;
ALTER TABLE terminal_notices ADD CONSTRAINT terminal_notices_kind_check CHECK (kind IN (
    'clock_wrong', 'device_refused', 'device_accepted', 'contradiction', 'other_imei', 'other_card', 'datum_wrong'));

-- Somebody at the machine watches the frames of a phone number (gongche frames watch): until then gateways tell them over NOTIFY, to
-- nobody else and nowhere kept. Written by src/telemetry/terminals/watches.py; no request of the API reaches it.
CREATE TABLE frame_watches (
    id         uuid PRIMARY KEY,
    phone      text NOT NULL CHECK (phone ~ '^[0-9A-F]{1,20}$'),
    asked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE frame_watches IS 'Phone numbers whose frames somebody watches now; ends by itself.';
