"""Judgements, alerts with their versions, the feed: what they are and all their SQL."""
