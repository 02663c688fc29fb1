"""Where every vehicle is now: the newest valid position of each terminal, read from the end of the log."""
