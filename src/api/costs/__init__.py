"""Costs over HTTP: the ledger, tariffs, statements."""
