-- From how long before its departure an order covers its vehicle (early_start_min) is said of orders and not of the rule
-- `location`: every rule that asks whether an order covered a time rests on it. What offices have set is carried over; the
-- same values hold, so nothing is judged again.
ALTER TABLE rule_parameters DISABLE TRIGGER USER;
UPDATE rule_parameters SET rule = 'order' WHERE rule = 'location' AND name = 'early_start_min';
ALTER TABLE rule_parameters ENABLE TRIGGER USER;
