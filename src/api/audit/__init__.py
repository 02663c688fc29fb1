"""The audit: who did and who read what."""
