"""/v1/quotas, /v1/quota-vehicles: quotas of units, and vehicles by the standard of their class."""
