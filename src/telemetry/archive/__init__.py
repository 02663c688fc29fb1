"""The history of positions: storing, reading, partitions, export."""
