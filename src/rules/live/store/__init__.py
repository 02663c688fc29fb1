"""SQL of what the worker keeps: offsets of the log, states of vehicles, results of orders."""
