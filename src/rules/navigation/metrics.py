"""Metrics of navigation."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "gongche_navigation_requests_total", "Requests to the routing engine, each try", ["engine", "result"]
)
SECONDS = Histogram(
    "gongche_navigation_request_seconds",
    "Time of a try, whatever came of it",
    ["engine"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ROUTES = Counter(
    "gongche_navigation_routes_total", "Routes asked for and what came of it", ["engine", "result"]
)
BREAKER = Gauge(
    "gongche_navigation_breaker_open", "1 while the engine is left in peace after failures", ["engine"]
)
