"""People and programs over HTTP: signing in, sessions, users, clients."""
