"""The base map of the console: what there is, and its tiles."""
