"""Named subscriptions of the feed, and the webhooks that deliver them."""
