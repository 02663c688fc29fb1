"""CSV with a column mapping, and GeoLife PLT. Each line is parsed on its own: one bad line never swallows another."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from simulation.gps_files.columns import KMH_OF, REQUIRED, Layout, layout_of, number, split
from simulation.gps_files.times import DAY_FIRST, MONTH_FIRST, date_order, parse_time
from simulation.gps_files.tracks import MAX_LINE, PointSink, ReadOptions, Reason, TrackFileError, decode_text

#: A line is "north" or "south" by one letter, in a column of its own or beside the number.
_SIDES = {"lat": ("N", "S"), "lon": ("E", "W")}


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end); splits at LF and CRLF only, as CSV does."""
    start, at = 0, 1
    if "\n" not in text:  # of an old Mac
        text = text.replace("\r", "\n")
    while start < len(text):
        end = text.find("\n", start)
        if end < 0:
            end = len(text)
        yield at, text[start : end - 1 if end > start and text[end - 1] == "\r" else end]
        start, at = end + 1, at + 1


def _is_remark(line: str) -> bool:
    """``# Logger v1`` and Excel's ``sep=;`` are no rows; ``#time,lat,lon`` is a header."""
    begin = line[:MAX_LINE].strip().lower()
    return begin.startswith("sep=") or (begin.startswith("#") and not any(mark in begin for mark in ",;\t|"))


def read_csv(path: Path, data: bytes, options: ReadOptions, sink: PointSink) -> None:
    """All rows of a delimited text file. Blank lines and the header are no rows."""
    text = decode_text(path, data)
    lines = ((n, line) for n, line in _lines(text) if line.strip() and not _is_remark(line))
    first, second = next(lines, None), next(lines, None)
    if first is None:
        raise TrackFileError(f"{path}: line 1: the file is empty")
    if len(first[1]) > MAX_LINE:
        raise TrackFileError(f"{path}: line {first[0]}: longer than {MAX_LINE} characters")
    follows = second[1] if second is not None and len(second[1]) <= MAX_LINE else ""
    layout = layout_of(path, first[1], follows, options.mapping)
    rows = _Rows(path, layout, options, sink, _order_of_dates(path, text, layout, options))
    sink.report.notes += layout.notes
    if layout.header_lines == 0:
        rows.read(first)
    if second is not None:
        rows.read(second)
    for numbered in lines:
        rows.read(numbered)


def _order_of_dates(path: Path, text: str, layout: Layout, options: ReadOptions) -> str | None:
    """Whether ``20/03/2021`` begins with the day or the month, told by the whole file; None where no date is like that.
    Raises TrackFileError when no date of the file tells."""
    if options.date_order:
        return options.date_order
    column = layout.indexes.get("date", layout.indexes["time"])
    seen: set[str] = set()
    for _, line in _lines(text):
        if len(line) > MAX_LINE:
            continue
        try:
            fields = split(line, layout.delimiter)
        except csv.Error:
            continue
        if column < len(fields):
            seen.add(date_order(fields[column].strip()))
    seen.discard("")
    if not seen:
        return None
    told = seen & {DAY_FIRST, MONTH_FIRST}
    if len(told) != 1:
        raise TrackFileError(
            f"{path}: 03/04/2021 这类日期无法分辨日、月 · dates like 03/04/2021 do not say which part is the day",
            hint="--date-order dmy / mdy",
        )
    return told.pop()


class _Rows:
    """Reads the rows of one file into the sink."""

    def __init__(
        self, path: Path, layout: Layout, options: ReadOptions, sink: PointSink, order: str | None
    ) -> None:
        self._layout = layout
        self._assumes = layout.utc_offset_s is None
        self._offset_s = options.utc_offset_s if layout.utc_offset_s is None else layout.utc_offset_s
        self._device = options.device or path.stem
        self._sink = sink
        self._order = order
        at = layout.indexes
        self._needed = [at[name] for name in (*REQUIRED, *(n for n in ("date",) if n in at))]
        sink.device_named = "device" in at
        if layout.speed_unit is None and "speed" in at:
            sink.speed_unit_unknown = True

    def read(self, numbered: tuple[int, str]) -> None:
        """One line: a point, or a rejection."""
        line_number, line = numbered
        where, sink, at = f"line {line_number}", self._sink, self._layout.indexes
        if len(line) > MAX_LINE:
            sink.reject(where, Reason.BAD_ROW, f"longer than {MAX_LINE} characters")
            return
        try:
            fields = split(line, self._layout.delimiter)
        except csv.Error as error:
            sink.reject(where, Reason.BAD_ROW, str(error))
            return
        if max(self._needed) >= len(fields):
            sink.reject(where, Reason.MISSING_FIELD, f"{len(fields)} fields, {max(self._needed) + 1} needed")
            return
        empty = [name for name in REQUIRED if not fields[at[name]].strip()]
        if empty:
            sink.reject(where, Reason.MISSING_FIELD, ", ".join(empty))
            return
        moment = fields[at["time"]]
        if "date" in at:
            moment = f"{fields[at['date']].strip()} {fields[at['clock']].strip()}"
        try:
            time_us, assumed = parse_time(moment, self._offset_s, self._order)
        except (ValueError, OverflowError):
            sink.reject(where, Reason.BAD_TIME, moment)
            return
        try:
            lat, lon = self._degrees(fields, "lat"), self._degrees(fields, "lon")
        except ValueError:
            sink.reject(where, Reason.BAD_NUMBER, f"lat {fields[at['lat']]}, lon {fields[at['lon']]}")
            return
        before = sink.report.accepted
        sink.add(
            where,
            fields[at["device"]] if "device" in at and at["device"] < len(fields) else self._device,
            time_us,
            lat,
            lon,
            altitude_m=self._optional(fields, "altitude") or 0.0,
            speed_kmh=self._speed(fields),
            direction_deg=self._optional(fields, "direction"),
        )
        sink.report.assumed_offset += assumed and self._assumes and sink.report.accepted > before

    def _degrees(self, fields: list[str], axis: str) -> float:
        """A coordinate with its sign: by the number, by a letter beside it, or by a column of its own."""
        text = fields[self._layout.indexes[axis]].strip().upper()
        plus, minus = _SIDES[axis]
        side = ""
        if text and text[-1] in (plus, minus):
            side, text = text[-1], text[:-1]
        elif text and text[0] in (plus, minus):
            side, text = text[0], text[1:]
        column = self._layout.indexes.get(f"{axis}_side")
        if not side and column is not None and column < len(fields):
            side = fields[column].strip().upper()[:1]
            if side and side not in (plus, minus):
                raise ValueError(side)
        value = number(text.rstrip("°"), comma=True)
        return -abs(value) if side == minus else value

    def _speed(self, fields: list[str]) -> float | None:
        speed = self._optional(fields, "speed")
        if speed is not None:
            return speed * KMH_OF[self._layout.speed_unit or "km/h"]
        metres = self._optional(fields, "speed_ms")
        if metres is not None:
            return metres * KMH_OF["m/s"]
        knots = self._optional(fields, "speed_kn")
        return None if knots is None else knots * KMH_OF["knots"]

    def _optional(self, fields: list[str], name: str) -> float | None:
        """A number that may be missing or unreadable: neither costs the point."""
        return _optional(fields, self._layout.indexes.get(name))


def _optional(fields: list[str], index: int | None) -> float | None:
    if index is None or index >= len(fields):
        return None
    try:
        return number(fields[index], comma=True)
    except ValueError:
        return None


def read_plt(path: Path, data: bytes, options: ReadOptions, sink: PointSink) -> None:
    """GeoLife PLT (user guide 1.3): six header lines, then latitude, longitude, 0, altitude in feet (-777 = none),
    days since 1899-12-30, date, time; all in GMT. The device is the user's folder (``007/Trajectory/x.plt``)."""
    lines = list(_lines(decode_text(path, data)))
    if not lines or not lines[0][1].startswith("Geolife trajectory"):
        raise TrackFileError(f"{path}: line 1: not a GeoLife PLT file")
    user = path.absolute().parent
    named = user.name.lower() == "trajectory" and user.parent.name
    device = user.parent.name if named else options.device or path.stem
    for line_number, line in lines[6:]:
        if not line.strip():
            continue
        where = f"line {line_number}"
        fields = line.split(",")
        if len(fields) < 7:
            sink.reject(where, Reason.MISSING_FIELD, f"{len(fields)} fields, 7 needed")
            continue
        try:
            time_us, _assumed = parse_time(f"{fields[5].strip()} {fields[6].strip()}", 0)
        except (ValueError, OverflowError):
            sink.reject(where, Reason.BAD_TIME, f"{fields[5]} {fields[6]}")
            continue
        try:
            lat, lon = number(fields[0]), number(fields[1])
        except ValueError:
            sink.reject(where, Reason.BAD_NUMBER, f"lat {fields[0]}, lon {fields[1]}")
            continue
        feet = _optional(fields, 3)
        sink.add(
            where, device, time_us, lat, lon, altitude_m=0.0 if feet in (None, -777.0) else feet * 0.3048
        )
