"""/v1/operations: how the processes run, and ran in the last day."""
