"""Commands to terminals as durable records: asked by the office, sent by the gateway that holds the terminal."""
