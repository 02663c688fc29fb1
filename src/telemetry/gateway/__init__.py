"""The gateway: sockets on one side, the log on the other. Only this room of telemetry does network IO."""
