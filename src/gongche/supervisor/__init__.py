"""``gongche up``: all processes of one machine, started, watched, shown."""
