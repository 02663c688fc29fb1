"""GPX 1.0 and 1.1: every ``trkpt``. A streaming expat parser; a DOCTYPE (and so any entity) is refused."""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat

from simulation.gps_files.times import parse_time
from simulation.gps_files.tracks import MAX_LINE, PointSink, ReadOptions, Reason, TrackFileError

_MAX_DEPTH = 64


class _Refused(Exception):
    pass


class _Handler:
    """Collects one ``trkpt`` at a time: its attributes and the text of its direct and extension children."""

    def __init__(
        self, path: Path, options: ReadOptions, sink: PointSink, parser: expat.XMLParserType
    ) -> None:
        self._device = path.stem
        self._offset = options.utc_offset_s
        self._sink = sink
        self._parser = parser
        self._depth = 0
        self._point: dict[str, str] | None = None
        self._line = 0
        self._text: list[str] = []
        self._text_length = 0
        self.root = ""

    def doctype(self, *_: object) -> None:
        raise _Refused("a DOCTYPE is not accepted")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _Refused(f"nested deeper than {_MAX_DEPTH}")
        local = name.rpartition(" ")[2]
        if self._depth == 1:
            self.root = local
            if local != "gpx":
                raise _Refused(f"the root element is {local[:40]!r}, not gpx")
        if local == "trkpt":
            self._point = {"lat": attributes.get("lat", ""), "lon": attributes.get("lon", "")}
            self._line = self._parser.CurrentLineNumber
        self._text.clear()
        self._text_length = 0

    def data(self, text: str) -> None:
        if self._point is not None:
            self._text_length += len(text)
            if self._text_length <= MAX_LINE:
                self._text.append(text)

    def end(self, name: str) -> None:
        self._depth -= 1
        local = name.rpartition(" ")[2]
        if self._point is None:
            return
        if local == "trkpt":
            self._finish(self._point)
            self._point = None
        elif local in ("ele", "time", "speed", "course"):
            self._point[local] = "".join(self._text).strip()
        self._text.clear()
        self._text_length = 0

    def _finish(self, point: dict[str, str]) -> None:
        where = f"line {self._line}"
        missing = [name for name in ("lat", "lon", "time") if not point.get(name)]
        if missing:
            self._sink.reject(where, Reason.MISSING_FIELD, ", ".join(missing))
            return
        try:
            time_us, assumed = parse_time(point["time"], self._offset)
        except (ValueError, OverflowError):
            self._sink.reject(where, Reason.BAD_TIME, point["time"])
            return
        try:
            lat, lon = float(point["lat"]), float(point["lon"])
        except ValueError:
            self._sink.reject(where, Reason.BAD_NUMBER, f"lat {point['lat']}, lon {point['lon']}")
            return
        speed = _number(point.get("speed"))
        before = self._sink.report.accepted
        self._sink.add(
            where,
            self._device,
            time_us,
            lat,
            lon,
            altitude_m=_number(point.get("ele")) or 0.0,
            speed_kmh=None if speed is None else speed * 3.6,  # m/s in GPX 1.0 and the usual extensions
            direction_deg=_number(point.get("course")),
        )
        self._sink.report.assumed_offset += assumed and self._sink.report.accepted > before


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and value - value == 0.0 else None


def read_gpx(path: Path, data: bytes, options: ReadOptions, sink: PointSink) -> None:
    """Every track point; waypoints and routes have no driven time and are left out. The device is the file's name."""
    parser = expat.ParserCreate(namespace_separator=" ")
    handler = _Handler(path, options, sink, parser)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = handler.doctype
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.data
    try:
        parser.Parse(data, True)
    except _Refused as error:
        raise TrackFileError(f"{path}: line {parser.CurrentLineNumber}: {error}") from None
    except (expat.ExpatError, ValueError) as error:
        line = getattr(error, "lineno", parser.CurrentLineNumber)
        raise TrackFileError(f"{path}: line {line}: not well-formed XML: {error}") from None
