"""What the XML formats share: a streaming expat parser that is bounded, refuses a DOCTYPE (and so any entity), and keeps
the good points of a file that breaks off."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar
from xml.parsers import expat

from simulation.gps_files.times import parse_time
from simulation.gps_files.tracks import MAX_LINE, PointSink, ReadOptions, Reason, TrackFileError

_MAX_DEPTH = 64
_ENCODING = re.compile(
    rb"""(<\?xml[^>]{0,100}encoding\s*=\s*["'])(gb2312|gbk|gb18030|gb_2312-80|big5)(?=["'])""", re.I
)


class Refused(Exception):
    """The document is refused as a whole."""


class Handler:
    """Elements of one format become points. A format says what its root is and handles ``opened`` and ``closed``."""

    root: ClassVar[str]

    def __init__(
        self, path: Path, options: ReadOptions, sink: PointSink, parser: expat.XMLParserType
    ) -> None:
        self.device = options.device or path.stem
        self.sink = sink
        self._parser = parser
        self._depth = 0
        self._text: list[str] = []
        self._text_length = 0

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def closed(self, name: str, text: str) -> None:
        """An element ends; ``text`` is what stood in it since its last child."""

    def finished(self, path: Path) -> None:
        """The document is over, whole or broken off."""

    @property
    def line(self) -> int:
        """Where the parser is, from 1."""
        return self._parser.CurrentLineNumber

    def doctype(self, *_: object) -> None:
        raise Refused("a DOCTYPE is not accepted")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Refused(f"nested deeper than {_MAX_DEPTH}")
        local = name.rpartition(" ")[2]
        if self._depth == 1 and local != self.root:
            raise Refused(f"the root element is {local[:40]!r}, not {self.root}")
        self._text.clear()
        self._text_length = 0
        self.opened(local, attributes)

    def data(self, text: str) -> None:
        self._text_length += len(text)
        if self._text_length <= MAX_LINE:
            self._text.append(text)

    def end(self, name: str) -> None:
        self._depth -= 1
        text = "".join(self._text).strip()
        self._text.clear()
        self._text_length = 0
        self.closed(name.rpartition(" ")[2], text)

    def point(self, line: int, values: dict[str, str], *, device: str = "") -> None:
        """Take a point: ``lat``, ``lon``, ``time`` as text, and ``ele``, ``speed`` (m/s), ``course`` where there are any."""
        where = f"line {line}"
        missing = [name for name in ("lat", "lon", "time") if not values.get(name)]
        if missing:
            self.sink.reject(where, Reason.MISSING_FIELD, ", ".join(missing))
            return
        try:
            # GPX, TCX and KML say that times are UTC: a time without a zone is UTC as well.
            time_us, assumed = parse_time(values["time"], 0)
        except (ValueError, OverflowError):
            self.sink.reject(where, Reason.BAD_TIME, values["time"])
            return
        try:
            lat, lon = float(values["lat"]), float(values["lon"])
        except ValueError:
            self.sink.reject(where, Reason.BAD_NUMBER, f"lat {values['lat']}, lon {values['lon']}")
            return
        speed = _number(values.get("speed"))
        before = self.sink.report.accepted
        self.sink.add(
            where,
            device or self.device,
            time_us,
            lat,
            lon,
            altitude_m=_number(values.get("ele")) or 0.0,
            speed_kmh=None if speed is None else speed * 3.6,
            direction_deg=_number(values.get("course")),
        )
        self.sink.report.assumed_utc += assumed and self.sink.report.accepted > before


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and value - value == 0.0 else None


def _as_utf8(path: Path, data: bytes) -> bytes:
    """Expat knows no encoding of Chinese, and no blank line before the declaration."""
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip() if data[:1] not in (b"\xff", b"\xfe") else data
    said = _ENCODING.match(data)
    if said is None:
        return data
    try:
        text = data.decode("gb18030" if said[2].lower().startswith(b"gb") else "big5")
    except UnicodeDecodeError as error:
        raise TrackFileError(f"{path}: byte {error.start + 1}: not {said[2].decode()}") from None
    return (said[1].decode() + "UTF-8" + text[said.end(2) :]).encode()


def parse(path: Path, data: bytes, options: ReadOptions, sink: PointSink, make: type[Handler]) -> None:
    """Run ``data`` through a handler. A document that breaks off keeps the points before the break, and the break is
    counted as one bad row. Raises TrackFileError when it is refused, or broken before its first point."""
    data = _as_utf8(path, data)
    parser = expat.ParserCreate(namespace_separator=" ")
    handler = make(path, options, sink, parser)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = handler.doctype
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.data
    try:
        parser.Parse(data, True)
    except Refused as error:
        raise TrackFileError(f"{path}: line {parser.CurrentLineNumber}: {error}") from None
    except (expat.ExpatError, ValueError) as error:
        line = getattr(error, "lineno", parser.CurrentLineNumber)
        if not sink.report.accepted:
            raise TrackFileError(f"{path}: line {line}: not well-formed XML: {error}") from None
        sink.reject(f"line {line}", Reason.BROKEN_OFF, f"not well-formed XML: {error}")
    handler.finished(path)
