"""Which terminal may connect, and as whom."""
