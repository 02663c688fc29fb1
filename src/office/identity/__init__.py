"""Who somebody is, and what this somebody may do where."""
