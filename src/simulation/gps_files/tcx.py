"""TCX (Garmin TrainingCenterDatabase v2): every ``Trackpoint``. Times are UTC; the speed of the extension is in m/s."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from simulation.gps_files.markup import Handler, parse
from simulation.gps_files.tracks import PointSink, ReadOptions


class _Tcx(Handler):
    root = "TrainingCenterDatabase"
    _NAMES: ClassVar = {
        "Time": "time",
        "LatitudeDegrees": "lat",
        "LongitudeDegrees": "lon",
        "AltitudeMeters": "ele",
        "Speed": "speed",
    }
    _point: dict[str, str] | None = None
    _line = 0

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Trackpoint":
            self._point, self._line = {}, self.line

    def closed(self, name: str, text: str) -> None:
        if self._point is None:
            return
        if name == "Trackpoint":
            self.point(self._line, self._point)
            self._point = None
        elif name in self._NAMES:
            self._point[self._NAMES[name]] = text


def read_tcx(path: Path, data: bytes, options: ReadOptions, sink: PointSink) -> None:
    """Every trackpoint; one without a position (a pause, a heart rate alone) is rejected and counted."""
    parse(path, data, options, sink, _Tcx)
