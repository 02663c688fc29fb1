"""A JT/T 808 terminal as a client, and many of them."""
