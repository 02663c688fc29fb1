-- A rental that is reported, taken or settled is a fact that changed: rule ``idle_rental`` (src/rules/judge/subjects/rentals.py).
CREATE TRIGGER note_rental_insert AFTER INSERT ON rental_reports REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('rental', 'r.id', 'r.period_from');
CREATE TRIGGER note_rental_update AFTER UPDATE ON rental_reports REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('rental', 'r.id', 'r.period_from', '', '',
        'jsonb_build_array(r.id, r.state IN (''taken'', ''settled''), r.vehicle, r.period_from, r.period_to)');
-- Rentals by the vehicles that their proofs looked at, and by their end.
CREATE INDEX rental_proof_vehicles_of ON rental_proof_vehicles (vehicle);
CREATE INDEX rental_reports_ends ON rental_reports (period_to) WHERE state IN ('taken', 'settled');
COMMENT ON COLUMN changes.kind IS
    'What changed (subject): order (id; of every vehicle that its versions name), fence (id; by vehicle or by unit),'
    ' vehicle (id), vehicle_status (id of a vehicle whose unit or dates of registration changed), plate (a plate that a'
    ' vehicle or a card binding has or had), terminal_binding (the terminal''s phone number), card (id), card_binding (the'
    ' card), transaction (id), fills (card of which a transaction was changed or deleted), station (id), violation (id),'
    ' offences (plate of which a violation was changed or deleted), calendar (day), parameter (rule.name; of a unit and the'
    ' units below it, or of all), result (id of an order that was settled), track (vehicle whose stored positions were taken'
    ' up again), unit (id), driver (id), case (id), disposition_code (code), notice (id), received (exchange_records.no),'
    ' seal (vehicle that was sealed or unsealed), maintenance (vehicle that went into the repair shop or came out),'
    ' rental (report of a rental that was taken, settled, or is none any more)';
