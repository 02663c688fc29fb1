"""What terminals report that is no position."""
