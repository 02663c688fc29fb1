"""The live map: where all vehicles that the caller may see are now, as one stream of binary frames."""
