"""/v1/session/message-*, /v1/unit-channels, /v1/message-failures: where messages go, and what became of them."""
