"""The live worker: from the log to judged results, in one transaction."""
