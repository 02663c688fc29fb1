"""What can be checked by anybody: the bundle of a case."""
