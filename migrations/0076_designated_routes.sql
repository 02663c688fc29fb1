-- The way that an order designates (指定路线), as a line of places in the order of travel: rule ``route`` (src/rules/checks/route.py).

ALTER TABLE dispatch_orders ADD COLUMN route jsonb DEFAULT '[]'::jsonb NOT NULL;
COMMENT ON COLUMN dispatch_orders.route IS 'list of Place with coordinates, in the order of travel; empty = no route is designated';
CREATE OR REPLACE VIEW current_dispatch_orders AS SELECT * FROM dispatch_orders WHERE is_current;
