"""How the inspection system gets alerts and answers them: named subscriptions, webhooks, receipts, dispositions."""
