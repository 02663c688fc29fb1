-- A vehicle that goes into the repair shop, or comes out, is a fact that changed: rule ``parking`` (src/rules/judge/subjects/nights.py).
CREATE TRIGGER note_maintenance_insert AFTER INSERT ON maintenances REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('maintenance', 'r.vehicle', 'COALESCE(r.in_at, r.reported_at)');
CREATE TRIGGER note_maintenance_update AFTER UPDATE ON maintenances REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changes('maintenance', 'r.vehicle', 'COALESCE(r.in_at, r.reported_at)', '', '',
        'jsonb_build_array(r.id, r.vehicle, r.in_at, r.out_at, r.state = ''cancelled'')');
COMMENT ON COLUMN changes.kind IS
    'What changed (subject): order (id; of every vehicle that its versions name), fence (id; by vehicle or by unit),'
    ' vehicle (id), vehicle_status (id of a vehicle whose unit or dates of registration changed), plate (a plate that a'
    ' vehicle or a card binding has or had), terminal_binding (the terminal''s phone number), card (id), card_binding (the'
    ' card), transaction (id), fills (card of which a transaction was changed or deleted), station (id), violation (id),'
    ' offences (plate of which a violation was changed or deleted), calendar (day), parameter (rule.name; of a unit and the'
    ' units below it, or of all), result (id of an order that was settled), track (vehicle whose stored positions were taken'
    ' up again), unit (id), driver (id), case (id), disposition_code (code), notice (id), received (exchange_records.no),'
    ' seal (vehicle that was sealed or unsealed), maintenance (vehicle that went into the repair shop or came out)';
