"""Exchange between levels: what instances below hand in and pull, what came from others, how it stands."""
