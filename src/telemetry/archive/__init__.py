"""The history of positions: writing, reading, day partitions, export. All SQL of the table ``positions``."""
