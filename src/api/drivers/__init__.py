"""Drivers as people who work: when they are on duty, leave, what they drove, overtime."""
