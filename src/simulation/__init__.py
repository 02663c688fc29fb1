"""Simulated terminals, recorded tracks, the demo's fleet and the labelled month. Reaches the product from outside."""
