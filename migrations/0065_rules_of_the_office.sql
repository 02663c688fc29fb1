-- What the rules on the office's own data need (src/rules/checks: sealed, tank).

-- A seal that is made, lifted or changed is a fact that changed: rule ``sealed`` (src/rules/judge/subjects/seals.py).
CREATE TRIGGER note_seal_insert AFTER INSERT ON vehicle_seals REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('seal', 'r.vehicle', 'r.sealed_from');
CREATE TRIGGER note_seal_update AFTER UPDATE ON vehicle_seals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('seal', 'r.vehicle', 'r.sealed_from');
CREATE INDEX vehicle_seals_of ON vehicle_seals (vehicle, sealed_from);
CREATE INDEX vehicle_seals_since ON vehicle_seals (sealed_from);
COMMENT ON COLUMN changes.kind IS
    'What changed (subject): order (id; of every vehicle that its versions name), fence (id; by vehicle or by unit),'
    ' vehicle (id), vehicle_status (id of a vehicle whose unit or dates of registration changed), plate (a plate that a'
    ' vehicle or a card binding has or had), terminal_binding (the terminal''s phone number), card (id), card_binding (the'
    ' card), transaction (id), fills (card of which a transaction was changed or deleted), station (id), violation (id),'
    ' offences (plate of which a violation was changed or deleted), calendar (day), parameter (rule.name; of a unit and the'
    ' units below it, or of all), result (id of an order that was settled), track (vehicle whose stored positions were taken'
    ' up again), unit (id), driver (id), case (id), disposition_code (code), notice (id), received (exchange_records.no),'
    ' seal (vehicle that was sealed or unsealed)';
