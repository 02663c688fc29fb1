"""The demo: a day of a fleet, planned, driven, and what it must lead to."""
