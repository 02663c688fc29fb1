"""JT/T 808 terminals as clients: a simulated fleet, and recorded GPS tracks sent as terminals would send them."""
