"""Recorded GPS tracks from files: GPX, TCX, KML, NMEA, CSV, GeoLife PLT, GeoJSON. ``read_tracks`` finds the format and reads.

A file that cannot be read at all (too large, not the format it says, a DOCTYPE in XML) raises ``TrackFileError``
with the file and the place.
"""

from __future__ import annotations

from pathlib import Path

from simulation.gps_files import csv, geojson, gpx, kml, nmea, tcx
from simulation.gps_files.tracks import (
    MAX_FILE_BYTES,
    PointSink,
    ReadOptions,
    ReadReport,
    ReadResult,
    TrackFileError,
)


def detect_format(path: Path, head: bytes) -> str:
    """``gpx``, ``tcx``, ``kml``, ``nmea``, ``csv``, ``plt`` or ``geojson``, from the file's name, else its first bytes."""
    suffix = path.suffix.lower()
    known = {".gpx": "gpx", ".csv": "csv", ".txt": "csv", ".tsv": "csv", ".plt": "plt", ".geojson": "geojson"}
    known |= {".json": "geojson", ".tcx": "tcx", ".kml": "kml", ".nmea": "nmea"}
    if suffix in ("", ".txt", ".csv", ".log", ".nmea", ".nma", ".dat", ".gps") and nmea.is_nmea(head):
        return "nmea"
    if suffix in known:
        return known[suffix]
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        return "tcx" if b"TrainingCenterDatabase" in head else "kml" if b"<kml" in head else "gpx"
    if start.startswith(b"{"):
        return "geojson"
    return "plt" if start.startswith(b"Geolife trajectory") else "csv"


def read_tracks(path: Path, options: ReadOptions | None = None) -> ReadResult:
    """All points of one file.

    Raises TrackFileError when the file cannot be read as a whole; single bad points are rejected and counted.
    """
    options = options or ReadOptions()
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise TrackFileError(
                f"{path}: {size} bytes, more than {MAX_FILE_BYTES}", hint="split the file and name the parts"
            )
        data = path.read_bytes()
    except OSError as error:
        raise TrackFileError(f"{path}: {error.strerror or error}") from error
    kind = options.format or detect_format(path, data[:1000])
    parsers = {
        "gpx": gpx.read_gpx,
        "tcx": tcx.read_tcx,
        "kml": kml.read_kml,
        "csv": csv.read_csv,
        "plt": csv.read_plt,
        "geojson": geojson.read_geojson,
        "nmea": nmea.read_nmea,
    }
    if kind not in parsers:
        raise TrackFileError(f"{path}: unknown format {kind!r}", hint="one of " + ", ".join(parsers))
    report = ReadReport(str(path), kind)
    sink = PointSink(report)
    parsers[kind](path, data, options, sink)
    return ReadResult(sink.tracks(), report)
