"""The track kernel as it was while the rules were of version 1, for their frozen evidence. Nothing here is changed any more."""
