"""Writers of tracks: each takes pages and gives bytes as they come, so a long track needs little memory."""

from __future__ import annotations

import csv
import io
from typing import Any, Final, Protocol
from xml.sax.saxutils import escape, quoteattr

import orjson
import pyarrow as pa

from api.tracks.pages import Page
from telemetry.arrow import arrow_type

_GPX_NAMESPACE: Final = "urn:gongche:gpx:1"
_COLUMNS: Final = (
    "time", "lat", "lon", "datum", "valid", "flags", "speed_kmh", "direction_deg", "altitude_m", "odometer_km",
    "fuel_l", "satellites", "source", "terminal",
)  # fmt: skip
_ARROW: Final = pa.schema(
    [
        pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("lat_e6", arrow_type("lat_e6"), nullable=False),
        pa.field("lon_e6", arrow_type("lon_e6"), nullable=False),
        pa.field("valid", pa.bool_(), nullable=False),
        pa.field("flags", arrow_type("quality"), nullable=False),
        pa.field("speed_dkmh", arrow_type("speed_dkmh"), nullable=False),
        pa.field("direction_deg", arrow_type("direction_deg"), nullable=False),
        pa.field("altitude_m", arrow_type("altitude_m"), nullable=False),
        pa.field("odometer_dkm", arrow_type("odometer_dkm")),
        pa.field("fuel_dl", arrow_type("fuel_dl")),
        pa.field("satellites", arrow_type("satellites")),
        pa.field("source", arrow_type("source"), nullable=False),
        pa.field("terminal", pa.string(), nullable=False),
    ]
)


class TrackWriter(Protocol):
    """``begin`` + ``page`` for each page + ``end`` make the document."""

    media_type: str
    extension: str

    def begin(self, about: dict[str, Any]) -> bytes:
        """The head. ``about``: vehicle, from, to."""

    def page(self, page: Page) -> bytes:
        """The rows of one page."""

    def end(self) -> bytes:
        """The foot."""


class GeoJsonWriter:
    """A FeatureCollection (RFC 7946) of points; each has its time, its validity and what else the terminal
    said.
    """

    media_type = "application/geo+json"
    extension = "geojson"

    def __init__(self) -> None:
        self._first = True

    def begin(self, about: dict[str, Any]) -> bytes:
        head = {"type": "FeatureCollection", "datum": "wgs84"} | about
        return orjson.dumps(head)[:-1] + b',"features":['

    def page(self, page: Page) -> bytes:
        features = []
        for row in page.rows():
            lat, lon = row.pop("lat"), row.pop("lon")
            features.append(
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [lon, lat]},
                    "properties": row,
                }
            )
        body = orjson.dumps(features)[1:-1]
        separator = b"" if self._first or not body else b","
        self._first = self._first and not body
        return separator + body

    def end(self) -> bytes:
        return b"]}"


class GpxWriter:
    """GPX 1.1. A segment holds valid fixes only, or invalid ones only, so that no line joins the two; a
    point that lies outside the world has no place in GPX and is left out.
    """

    media_type = "application/gpx+xml"
    extension = "gpx"

    def __init__(self) -> None:
        self._valid: bool | None = None

    def begin(self, about: dict[str, Any]) -> bytes:
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator="gongche"'
            f' xmlns="http://www.topografix.com/GPX/1/1" xmlns:gongche="{_GPX_NAMESPACE}">\n<trk>'
            f"<name>{escape(str(about['vehicle']))}</name><desc>{escape(about['from'])} - {escape(about['to'])}, WGS-84"
            "</desc>\n"
        ).encode()

    def page(self, page: Page) -> bytes:
        parts = []
        for row in page.rows():
            if not (-90 <= row["lat"] <= 90 and -180 <= row["lon"] <= 180):
                continue
            if row["valid"] != self._valid:
                parts.append("<trkseg>\n" if self._valid is None else "</trkseg>\n<trkseg>\n")
                self._valid = row["valid"]
            parts.append(
                f'<trkpt lat="{row["lat"]:.6f}" lon="{row["lon"]:.6f}"><ele>{row["altitude_m"]}</ele>'
                f"<time>{row['time']}</time><extensions><gongche:fix valid={quoteattr(str(row['valid']).lower())}"
                f' flags={quoteattr(" ".join(row["flags"]))} speed_kmh="{row["speed_kmh"]}"'
                f' direction_deg="{row["direction_deg"]}"/></extensions></trkpt>\n'
            )
        return "".join(parts).encode()

    def end(self) -> bytes:
        return b"</trk></gpx>\n" if self._valid is None else b"</trkseg></trk></gpx>\n"


class CsvWriter:
    """CSV, UTF-8, RFC 4180; flags are separated by spaces."""

    media_type = "text/csv"
    extension = "csv"

    def begin(self, about: dict[str, Any]) -> bytes:
        return (",".join(_COLUMNS) + "\r\n").encode()

    def page(self, page: Page) -> bytes:
        sink = io.StringIO(newline="")
        writer = csv.writer(sink)
        for row in page.rows():
            row |= {"flags": " ".join(row["flags"]), "valid": str(row["valid"]).lower()}
            row |= {"lat": f"{row['lat']:.6f}", "lon": f"{row['lon']:.6f}"}
            writer.writerow([row[name] for name in _COLUMNS])
        return sink.getvalue().encode()

    def end(self) -> bytes:
        return b""


class ArrowWriter:
    """An Arrow IPC stream; ``flags`` are the bits of telemetry.quality, coordinates 1e-6 degree WGS-84."""

    media_type = "application/vnd.apache.arrow.stream"
    extension = "arrows"

    def __init__(self) -> None:
        self._sink = io.BytesIO()
        self._stream: Any = None

    def begin(self, about: dict[str, Any]) -> bytes:
        metadata = {"datum": "wgs84"} | {key: str(value) for key, value in about.items()}
        self._schema = _ARROW.with_metadata(metadata)
        self._stream = pa.ipc.new_stream(self._sink, self._schema)
        return self._take()

    def page(self, page: Page) -> bytes:
        if not len(page):
            return b""
        batch = page.track.batch
        columns = {
            "time": pa.array(batch.device_us.astype("datetime64[us]")).cast(pa.timestamp("us", "UTC")),
            "lat_e6": batch.lat_e6,
            "lon_e6": batch.lon_e6,
            "valid": page.quality == 0,
            "flags": page.quality,
            "speed_dkmh": batch.speed_dkmh,
            "direction_deg": batch.direction_deg,
            "altitude_m": batch.altitude_m,
            "source": batch.source,
            "terminal": pa.array([page.phones[no] for no in batch.terminal.tolist()], pa.string()),
        }
        for name in ("odometer_dkm", "fuel_dl", "satellites"):
            columns[name] = pa.array(getattr(batch, name), mask=~batch.known(name))
        arrays = [pa.array(columns[field.name], field.type) for field in self._schema]
        self._stream.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        return self._take()

    def end(self) -> bytes:
        self._stream.close()
        return self._take()

    def _take(self) -> bytes:
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return data


#: In the order of preference when the client has none.
WRITERS: Final[tuple[type[TrackWriter], ...]] = (GeoJsonWriter, GpxWriter, CsvWriter, ArrowWriter)
_ALIASES: Final[dict[str, type[TrackWriter]]] = {
    "application/json": GeoJsonWriter,
    "application/xml": GpxWriter,
}


def choose(accept: str) -> type[TrackWriter] | None:
    """The writer for an Accept header (RFC 9110 section 12.5.1), or None when none of ours will do."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate((accept or "*/*").split(",")[:50]):
        kind, *parameters = part.strip().lower().split(";")
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.strip().partition("=")
            if name == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if quality > 0:
            wanted.append((-quality, place, kind.strip()))
    for _, _, kind in sorted(wanted):
        for writer in WRITERS:
            if kind in ("*/*", writer.media_type, writer.media_type.split("/")[0] + "/*"):
                return writer
        if kind in _ALIASES:
            return _ALIASES[kind]
    return None
