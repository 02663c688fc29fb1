"""/v1/notices, /v1/publications: what the office tells units, and what it publishes."""
