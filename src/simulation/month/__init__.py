"""The labelled month: planted violations and traps, and the comparison with what was judged."""
