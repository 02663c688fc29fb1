"""Settlement km (结算里程), and the shares of a pooled trip (合乘分摊). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

#: The odometer counts while it differs from the track by no more than that.
TOLERANCE_PERMILLE: Final = 50
KmSource = Literal["odometer", "track", "odometer_alone", "entered"]
KM_SOURCES: Final[dict[KmSource, str]] = {
    "odometer": "里程表（与轨迹相差不超过 5%）", "track": "轨迹（里程表相差超过 5% 或没有读数）", "odometer_alone": "里程表（没有可用的轨迹）", "entered": "人工填写",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SettlementKm:
    """``metres`` count; both measures are shown. None = not known."""

    metres: int | None
    source: KmSource | None
    odometer_m: int | None
    track_m: int | None


def settlement_km(odometer_m: int | None, track_m: int | None, entered_m: int | None = None) -> SettlementKm:
    """The difference of the odometer if it is within 5 % of the track, else the track. ``entered_m``: by a person, with a reason."""
    if entered_m is not None:
        return SettlementKm(entered_m, "entered", odometer_m, track_m)
    if track_m is None:
        source: KmSource | None = None if odometer_m is None else "odometer_alone"
        return SettlementKm(odometer_m, source, odometer_m, None)
    if odometer_m is not None and abs(odometer_m - track_m) * 1000 <= TOLERANCE_PERMILLE * track_m:
        return SettlementKm(odometer_m, "odometer", odometer_m, track_m)
    return SettlementKm(track_m, "track", odometer_m, track_m)


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` split in proportion to ``weights`` (km × seats), which are not negative; the remainder goes to the first. Their sum is
    ``total``. Without any weight all are alike. Raises ValueError for nobody."""
    if not weights:
        raise ValueError("no shares")
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    sign = -1 if total < 0 else 1
    found = [sign * (abs(total) * weight // whole) for weight in weights]
    found[0] += total - sum(found)
    return found
