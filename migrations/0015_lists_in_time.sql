-- Lists that stay quick when they are long. SQL of these tables: src/rules, src/registry.

CREATE INDEX alerts_of_vehicle ON alerts (vehicle, detected_at DESC, id);
CREATE INDEX alerts_of_organisation ON alerts (organisation, detected_at DESC, id);
CREATE INDEX alerts_of_rule ON alerts (rule, detected_at DESC, id);
CREATE INDEX alerts_suspected ON alerts (rule, subject) WHERE status = 'suspected';
-- What happened in a time: an alert without an end goes on. GREATEST, for no index may refuse what the table takes.
CREATE INDEX alerts_happened ON alerts
    USING gist (tstzrange(occurred_from, GREATEST(occurred_from, COALESCE(occurred_to, 'infinity')), '[]'));

-- The card that an alert is about, to find it by without taking subjects apart.
ALTER TABLE alerts ADD COLUMN card text;
COMMENT ON COLUMN alerts.card IS 'fuel_cards.id of alerts of card_binding and refuel_frequency; null = of no card.';
UPDATE alerts a SET card = c.id FROM fuel_cards c
 WHERE a.rule = 'refuel_frequency' AND split_part(a.subject, ':', 2) = replace(c.id, ':', '%3A');
UPDATE alerts a SET card = c.id FROM fuel_cards c
 WHERE a.rule = 'card_binding' AND regexp_replace(a.subject, '^(unbound:(.*)|binding:(.*):[^:]*)$', '\2\3') = c.id;
CREATE INDEX alerts_card ON alerts (card) WHERE card IS NOT NULL;

-- A route is kept for as long as somebody asks for it.
ALTER TABLE navigation_routes ADD COLUMN used_on date NOT NULL DEFAULT current_date;
COMMENT ON COLUMN navigation_routes.used_on IS 'Asked for at that day, or within the 30 days after it.';
CREATE INDEX navigation_routes_used ON navigation_routes (used_on);
CREATE INDEX navigation_routes_newest ON navigation_routes (engine, answered_at DESC);

-- Orders of an organisation by id, and those that a changed parameter concerns by their departure.
CREATE INDEX dispatch_orders_organisation ON dispatch_orders (organisation, id) WHERE is_current;
CREATE INDEX dispatch_orders_departure ON dispatch_orders (planned_departure) WHERE is_current;

-- Of the day states the oldest go, once an hour.
CREATE INDEX vehicle_day_states_day ON vehicle_day_states (day);
