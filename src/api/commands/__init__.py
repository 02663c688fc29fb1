"""/v1/commands: what is sent to terminals."""
