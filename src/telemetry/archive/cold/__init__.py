"""The cold tier: days of positions that are kept as files, not in PostgreSQL."""
