"""Requests for a vehicle, dispatches, approval tables."""
