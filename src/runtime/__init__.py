"""What every process stands on: settings, PostgreSQL, logs, metrics, its life. Knows nothing of vehicles."""
