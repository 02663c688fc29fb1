"""A base map of one's own: vector tiles made from an OpenStreetMap file, in one file that the API reads.

* ``classes``: what of OpenStreetMap is drawn, and from which zoom on
* ``reading``: an OSM file as features
* ``cutting``: features cut into the tiles of all zooms
* ``vector_tile``: the bytes of a tile
* ``tile_file``: the file with all tiles, written whole or not at all
* ``prepare``: all of it, from the file to the map in use
"""
