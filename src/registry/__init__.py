"""The office's records: vehicles, orders, fences, cards and so on; validated, written, read. Judges nothing."""
