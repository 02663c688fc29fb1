"""KML 2.2: ``gx:Track`` (times and coordinates in two lists), and placemarks with a time stamp and a point."""

from __future__ import annotations

from pathlib import Path

from simulation.gps_files.markup import Handler, Refused, parse
from simulation.gps_files.tracks import MAX_POINTS, PointSink, ReadOptions, Reason


class _Kml(Handler):
    root = "kml"
    _track: tuple[list[str], list[tuple[int, str]]] | None = None
    _when = ""
    _coordinates = ""
    _in_point = False
    _line = 0
    _untimed = 0

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Track":
            self._track = ([], [])
        elif name == "Placemark":
            self._when = self._coordinates = ""
            self._line = self.line
        elif name == "Point":
            self._in_point = True

    def closed(self, name: str, text: str) -> None:
        if name == "when":
            if self._track is not None:
                self._bounded(self._track[0]).append(text)
            else:
                self._when = text
        elif name == "coord" and self._track is not None:
            self._track[1].append((self.line, text))
            self._bounded(self._track[0])
        elif name == "coordinates":
            if self._in_point:
                self._coordinates = text
            else:
                self._untimed += 1
        elif name == "Point":
            self._in_point = False
        elif name == "Track" and self._track is not None:
            self._finish_track(*self._track)
            self._track = None
        elif name == "Placemark" and self._coordinates:
            if self._when:
                self.point(self._line, {"time": self._when, **_place(self._coordinates.split(","))})
            else:
                self._untimed += 1

    def _bounded(self, times: list[str]) -> list[str]:
        if len(times) > MAX_POINTS:
            raise Refused(f"more than {MAX_POINTS} points in one track")
        return times

    def _finish_track(self, times: list[str], places: list[tuple[int, str]]) -> None:
        """The n-th time belongs to the n-th coordinate (KML reference, gx:Track). A rest without a partner is no point."""
        for time, (line, place) in zip(times, places, strict=False):
            self.point(line, {"time": time, **_place(place.split())})
        for line, _ in places[len(times) :]:
            self.sink.reject(f"line {line}", Reason.MISSING_FIELD, "time")
        for _ in times[len(places) :]:
            self.sink.reject(f"line {self.line}", Reason.MISSING_FIELD, "lat, lon")

    def finished(self, path: Path) -> None:
        if self._track is not None:  # the file broke off inside a track
            times, places = self._track
            pairs = min(len(times), len(places))
            self._finish_track(times[:pairs], places[:pairs])
        if self._untimed:
            self.sink.report.notes.append(
                f"{self._untimed} 个图形没有时间，未读取 / geometries without times, left out"
            )


def _place(parts: list[str]) -> dict[str, str]:
    """KML writes longitude, latitude, altitude."""
    return dict(zip(("lon", "lat", "ele"), (p.strip() for p in parts), strict=False))


def read_kml(path: Path, data: bytes, options: ReadOptions, sink: PointSink) -> None:
    """Every timed point. Lines and polygons have no times: they are left out and counted in the notes."""
    parse(path, data, options, sink, _Kml)
