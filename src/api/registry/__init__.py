"""The registry over HTTP: PUT, GET, list, bulk import, and the end of a fence."""
