"""A stretch of a track, ready to be written in any format: times, flags and numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from registry.parameters import TRACK, parameter
from rules.stored_tracks import fix_columns
from rules.tracks.advance import advance, row_matrix
from rules.tracks.cleaning import believable
from rules.tracks.kernel import plain
from rules.tracks.ops import VectorOps
from rules.tracks.state import TrackStates
from runtime.arrays import AnyInts
from runtime.units import CHINA_OFFSET_US
from telemetry.archive.read import Track
from telemetry.geo import distance_mm
from telemetry.quality import Quality

SOURCES: Final = ("live", "batch", "blind_zone", "http", "queried")
_ROW: Final = ("t_us", "fingerprint", "lat_e6", "lon_e6", "speed_dkmh", "odometer_dkm", "acc")
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
    """Adds Quality.JUMP to a track that comes in pages: the outliers by the reading that the rules use
    (``rules.tracks.cleaning``), with the default of ``max_speed_kmh``, from the start of the range on. A fix that still waits
    for what follows at the end of a page is none, if it can be true.
    """

    def __init__(self) -> None:
        self._max_kmh = parameter(TRACK, "max_speed_kmh").default
        self._states = TrackStates(1)
        self._last: AnyInts = np.zeros((len(_ROW), 0), np.int64)

    def flags(self, track: Track) -> AnyInts:
        """``track.quality`` with the jumps marked, int16, shape (n,). Pages must come in order."""
        quality = track.quality.copy()
        good = np.flatnonzero(quality == 0)
        if not good.size:
            return quality
        found = fix_columns(track, good)
        columns = np.stack([found[name] for name in _ROW])
        if not self._states.field("waiting")[0] and self._plain(np.hstack((self._last, columns))):
            # Usually no row needs a closer look.
            self._states = TrackStates(1)
            advance(self._states, np.zeros(1, np.int64), self._rows(columns[:, -1:]))
        else:
            done = advance(self._states, np.zeros(len(good), np.int64), self._rows(columns))
            waits = done.waits & believable(self._states.tip[:, 0].tolist(), self._max_kmh)
            quality[good[done.counted & ~done.valid & ~waits]] |= np.int16(Quality.JUMP)
        self._last = columns[:, -1:]
        return quality

    def _rows(self, columns: AnyInts) -> AnyInts:
        t, prints, lat, lon, speed, odometer, acc = columns
        return row_matrix(
            len(t), t=t, fp=prints, lat=lat, lon=lon, speed=speed, odo=odometer + 1, acc=acc, max_kmh=self._max_kmh
        )  # fmt: skip

    def _plain(self, columns: AnyInts) -> bool:
        """Whether each fix is plainly valid by the one before it."""
        t, _, lat, lon, speed, odometer, acc = columns
        far = distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:])
        one, other = (
            SimpleNamespace(speed=speed[part], odo=odometer[part] + 1, acc=acc[part])
            for part in (slice(None, -1), slice(1, None))
        )
        return bool(plain(VectorOps, one, other, far, np.diff(t), self._max_kmh).all())


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
