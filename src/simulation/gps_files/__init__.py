"""Recorded tracks from files (GPX, CSV, PLT, GeoJSON), and their replay."""
