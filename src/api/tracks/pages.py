"""A stretch of a track, ready to be written in any format: times, flags and numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from registry.parameters import TRACK, parameter
from rules.tracks.advance import advance, row_matrix
from rules.tracks.state import TrackStates
from runtime.arrays import AnyInts
from runtime.units import CHINA_OFFSET_US
from telemetry.archive.read import Track
from telemetry.geo import distance_mm
from telemetry.quality import Quality

SOURCES: Final = ("live", "batch", "blind_zone", "http", "queried")
_FLAG_NAMES: Final = tuple((int(flag), flag.name.lower()) for flag in Quality if flag.name)


def flag_names(quality: int) -> list[str]:
    """``["not_positioned", "null_island"]``; empty for a valid fix."""
    return [name for bit, name in _FLAG_NAMES if quality & bit]


def time_texts(us: AnyInts) -> list[str]:
    """RFC 3339 at the offset of China; fractions only where there are any. ``us`` int64, shape (n,)."""
    local = (us + CHINA_OFFSET_US).astype("datetime64[us]")
    unit: Any = "us" if (us % 1_000_000).any() else "s"
    return [text + "+08:00" for text in np.datetime_as_string(local, unit=unit).tolist()]


class JumpFinder:
    """Adds Quality.JUMP to a track that comes in pages: the reading that the rules use (``rules.tracks``),
    with the default of ``max_speed_kmh``, from the start of the range on.
    """

    def __init__(self) -> None:
        self._max_kmh = parameter(TRACK, "max_speed_kmh").default
        self._last: tuple[int, int, int, int] | None = None

    def flags(self, track: Track) -> AnyInts:
        """``track.quality`` with the jumps marked, int16, shape (n,). Pages must come in order."""
        quality = track.quality.copy()
        good = np.flatnonzero(quality == 0)
        if not good.size:
            return quality
        batch = track.batch
        columns = [batch.device_us[good], track.fingerprint[good], batch.lat_e6[good], batch.lon_e6[good]]
        kept = 0 if self._last is None else 1
        if self._last is not None:
            columns = [
                np.concatenate(([one], column)) for one, column in zip(self._last, columns, strict=True)
            ]
        t, prints, lat, lon = (np.asarray(column, np.int64) for column in columns)
        valid = np.ones(len(t), bool)
        # km/h * us against mm * 3600, in integers. Usually nothing is too fast, and no row needs a closer
        # look.
        dt = np.maximum(np.diff(t), 1_000_000)
        if (distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:]) * 3600 > self._max_kmh * dt).any():
            rows = row_matrix(len(t), t=t, fp=prints, lat=lat, lon=lon, max_kmh=self._max_kmh)
            done = advance(TrackStates(1), np.zeros(len(t), np.int64), rows)
            quality[good[(done.counted & ~done.valid)[kept:]]] |= np.int16(Quality.JUMP)
            valid = done.valid
        place = int(np.flatnonzero(valid)[-1]) if valid.any() else 0
        self._last = (int(t[place]), int(prints[place]), int(lat[place]), int(lon[place]))
        return quality


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Rows of a track. ``quality`` includes jumps; ``phones`` names the terminals by number."""

    track: Track
    quality: AnyInts
    phones: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.track)

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary a position: time, lat, lon (degrees, WGS-84), valid, flags and what the terminal
        said.
        """
        batch = self.track.batch
        names = {int(value): flag_names(int(value)) for value in np.unique(self.quality)}
        optional = {
            "odometer_km": self._optional("odometer_dkm", 10),
            "fuel_l": self._optional("fuel_dl", 10),
            "satellites": self._optional("satellites", 1),
        }
        found = []
        for i, (time, lat, lon, quality, speed, direction, altitude, source, terminal) in enumerate(
            zip(
                time_texts(batch.device_us),
                (batch.lat_e6 / 1e6).tolist(),
                (batch.lon_e6 / 1e6).tolist(),
                self.quality.tolist(),
                (batch.speed_dkmh / 10).tolist(),
                batch.direction_deg.tolist(),
                batch.altitude_m.tolist(),
                batch.source.tolist(),
                batch.terminal.tolist(),
                strict=True,
            )
        ):
            found.append(
                {
                    "time": time,
                    "lat": lat,
                    "lon": lon,
                    "datum": "wgs84",
                    "valid": quality == 0,
                    "flags": names[quality],
                    "speed_kmh": speed,
                    "direction_deg": direction,
                    "altitude_m": altitude,
                    **{name: values[i] for name, values in optional.items()},
                    "source": SOURCES[source] if source < len(SOURCES) else str(source),
                    "terminal": self.phones[terminal],
                }
            )
        return found

    def _optional(self, name: str, scale: int) -> list[Any]:
        batch = self.track.batch
        values = getattr(batch, name)
        shown = values / scale if scale != 1 else values
        return [
            v if there else None for v, there in zip(shown.tolist(), batch.known(name).tolist(), strict=True)
        ]
