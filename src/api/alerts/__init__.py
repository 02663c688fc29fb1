"""Alerts as an ordered feed, as a list, one by one, and their evidence."""
