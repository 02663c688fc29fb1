"""Links to other platforms by JT/T 809: sockets, the log, the archive and the office, joined. One process keeps them all (``process``)."""
