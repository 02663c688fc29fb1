"""What was in the tanks of vehicles, as their terminals say (JT/T 808 item 0x02)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from rules.checks import fuel_consumption as check
from rules.judge.context import Context
from rules.judge.tracks import terminal_spans
from rules.stored_tracks import Want
from runtime.units import US_PER_DAY

#: A terminal without a sensor sends nothing, 0, or all bits set.
_NO_READING: Final = frozenset({0, 0xFFFF})
_ML_PER_DL: Final = 100


async def add_levels(
    context: Context,
    evidences: Sequence[check.Evidence],
    numbers: Mapping[str, int],
    drivers: Mapping[str, AbstractSet[str | None]],
) -> None:
    """Add what the terminals say of the tanks to the evidence that would be suspected by what was bought: of the last valid
    fix in the day before each end. ``numbers``: of the vehicles; ``drivers``: everybody who drove a vehicle: one that
    others drove, too, tells nothing about this driver."""
    asked: dict[Want, None] = {}
    places: list[tuple[check.Vehicle, int, Want]] = []
    for evidence in evidences:
        if evidence["energy"] != "fuel" or check.evaluate(evidence).reason not in ("higher", "tank"):
            continue
        first, end = check.month_span(evidence["month"])
        before = check.shifted(evidence["month"], -evidence["parameters"]["baseline_months"])
        begin, _ = check.month_span(before)
        for vehicle in evidence["vehicles"]:
            if drivers.get(vehicle["id"], set()) <= {evidence["driver"]["id"]}:
                for k, us in enumerate((begin, first, end)):
                    want = (numbers[vehicle["id"]], us - US_PER_DAY, us)
                    asked[want] = None
                    places.append((vehicle, k, want))
    if not places:
        return
    levels = dict(zip(asked, await levels_of(context, list(asked)), strict=True))
    for vehicle, k, want in places:
        vehicle["levels"][k] = levels[want]


async def levels_of(context: Context, wants: Sequence[Want]) -> list[int | None]:
    """For each of ``wants`` (vehicle number, from, to; those of one vehicle do not overlap) the level of fuel at its last
    valid fix, ml; None: there is no fix, or it says nothing of it."""
    spans = await terminal_spans(context, wants)
    asked = sorted({span for pieces in spans for span in pieces})
    track = await context.archive.edges(context.conn, asked, 1, newest=True)
    batch, has = track.batch, track.batch.has("fuel_dl")
    rows = [
        (int(batch.terminal[k]), int(batch.device_us[k]), int(batch.fuel_dl[k]) if has[k] else 0)
        for k in range(len(batch))
    ]
    found: list[int | None] = []
    for pieces in spans:
        last = max(
            ((us, level) for no, us, level in rows for terminal, a, b in pieces if no == terminal and a <= us < b),
            default=None,
        )  # fmt: skip
        known = last is not None and last[1] not in _NO_READING
        found.append(last[1] * _ML_PER_DL if last is not None and known else None)
    return found
