"""Set reads: the facts that rules ask of the registry, for many keys at a time."""
