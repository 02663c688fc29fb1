"""Settings, logging, metrics, database, migrations: what every process needs to run."""
