"""GPX 1.0 and 1.1: every ``trkpt``. The device is the file's name; times without a zone are UTC, as GPX says."""

from __future__ import annotations

from pathlib import Path

from simulation.gps_files.markup import Handler, parse
from simulation.gps_files.tracks import PointSink, ReadOptions


class _Gpx(Handler):
    """Collects one ``trkpt`` at a time: its attributes and the text of its direct and extension children."""

    root = "gpx"
    _point: dict[str, str] | None = None
    _line = 0
    _others = 0

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        if name == "trkpt":
            self._point = {"lat": attributes.get("lat", ""), "lon": attributes.get("lon", "")}
            self._line = self.line
        elif name in ("wpt", "rtept"):
            self._others += 1

    def closed(self, name: str, text: str) -> None:
        if self._point is None:
            return
        if name == "trkpt":
            self.point(self._line, self._point)
            self._point = None
        elif name in ("ele", "time", "speed", "course"):  # speed in m/s: GPX 1.0 and the usual extensions
            self._point[name] = text

    def finished(self, path: Path) -> None:
        if self._others:
            self.sink.report.notes.append(
                f"{self._others} 个航点/路线点不是轨迹，未读取 / waypoints and route points are no track, left out"
            )


def read_gpx(path: Path, data: bytes, options: ReadOptions, sink: PointSink) -> None:
    """Every track point; waypoints and routes have no driven time, they are left out and counted in the notes."""
    parse(path, data, options, sink, _Gpx)
