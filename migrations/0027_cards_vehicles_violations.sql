-- What the second edition of the rules on cards, fuel and violations asks of the registry.

-- A master card (主卡) keeps the money of the others and cannot fill: it needs no vehicle.
ALTER TABLE fuel_cards ADD COLUMN kind text NOT NULL DEFAULT 'vehicle' CHECK (kind IN ('vehicle', 'master'));

-- A rented vehicle that was reported (报备) is official from registered_on to disposed_on, as any other. Fuel bought is not
-- fuel burnt: how much of it may still be in the vehicle.
ALTER TABLE vehicles
    ADD COLUMN ownership text NOT NULL DEFAULT 'owned' CHECK (ownership IN ('owned', 'rented')),
    ADD COLUMN report text NOT NULL DEFAULT '',
    ADD COLUMN tank_ml bigint CHECK (tank_ml > 0),
    ADD COLUMN battery_wh bigint CHECK (battery_wh > 0);
COMMENT ON COLUMN vehicles.report IS 'number of the report (报备文号) of a rented vehicle';

-- Some statements have only the time at which the payment was booked (入账时间).
ALTER TABLE fuel_transactions ADD COLUMN posted boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN fuel_transactions.posted IS 'at is not the time of payment: it is that of the booking, or a day alone';

-- The code of the act tells parking from driving; the place, whether two cameras may have seen one act.
ALTER TABLE violations
    ADD COLUMN code text NOT NULL DEFAULT '',
    ADD COLUMN lat double precision,
    ADD COLUMN lon double precision,
    ADD COLUMN datum text,
    ADD COLUMN lat_e6 integer,
    ADD COLUMN lon_e6 integer;
COMMENT ON COLUMN violations.lat_e6 IS '1e-6 degree WGS-84, of lat and lon in their datum';

CREATE INDEX organisations_parent ON organisations (parent);
-- A unit that comes under another one inherits other parameters. All that any unit has set may be among them.
CREATE FUNCTION note_unit_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (commit_id, kind, subject, organisation, from_time)
    SELECT change_commit(), 'parameter', p.rule || '.' || p.name, n.id, min(p.effective_from)
      FROM new_rows n JOIN old_rows o ON o.id = n.id AND o.parent IS DISTINCT FROM n.parent
      JOIN rule_parameters p ON p.organisation IS NOT NULL AND p.organisation <> n.id
     GROUP BY n.id, p.rule, p.name ORDER BY n.id, p.rule, p.name;
    RETURN NULL;
END $$;
CREATE TRIGGER note_unit_update AFTER UPDATE ON organisations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_unit_changes();
COMMENT ON COLUMN changes.kind IS
    'What changed (subject): order (id; of every vehicle that its versions name), fence (id; by vehicle or by unit),'
    ' vehicle (id), vehicle_status (id of a vehicle whose unit or dates of registration changed), plate (a plate that a'
    ' vehicle or a card binding has or had), terminal_binding (the terminal''s phone number), card (id), card_binding (the'
    ' card), transaction (id), fills (card of which a transaction was changed or deleted), station (id), violation (id),'
    ' offences (plate of which a violation was changed or deleted), calendar (day), parameter (rule.name; of a unit and the'
    ' units below it, or of all), result (id of an order that was settled), track (vehicle whose stored positions were taken'
    ' up again)';
