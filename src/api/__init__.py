"""The HTTP API under /v1: registry, positions, alerts, tracks; and health, metrics, documentation."""
