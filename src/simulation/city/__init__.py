"""A generated city: its roads, its fleet, its map file."""
