"""The registry as arrays in memory, for judging live positions."""
