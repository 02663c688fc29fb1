"""People and their work: who they are and what they may, supervision, subscriptions. It knows the rules; no rule knows it."""
