"""Planted violations and traps: one set for the demo and the labelled month (``catalogue`` lists them)."""
