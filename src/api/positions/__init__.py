"""Positions of terminals that speak HTTP."""
