"""What a vehicle drove, as GeoJSON, GPX, CSV or Arrow."""
