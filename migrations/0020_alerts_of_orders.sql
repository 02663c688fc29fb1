-- The judge looks for what is said of an order when the order changes (rules.alerts.feed.suspected_of_orders).
CREATE INDEX alerts_of_orders ON alerts (order_id) WHERE status = 'suspected' AND order_id IS NOT NULL;
