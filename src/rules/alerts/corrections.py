"""Evidence says which corrections of terminals its positions were read by (clock, datum, units): what was received is otherwise.

Added where a judgement is stored, to the evidence of whatever rule: ``corrections``, a list of {vehicle, terminal, corrections (ids),
received_from_us, received_to_us, shift_s, datum, odometer_unit_m, fuel_unit_ml}, only where there is any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from registry.clock_corrections import any_correction, vehicles_corrected
from registry.terminals import spans_of_vehicle
from rules.alerts.model import Judgement
from rules.evidence import canonical, parse
from runtime.connection import Connection
from runtime.units import US_PER_S, from_us
from telemetry.archive.clocks import EVER, Piece, read_clocks
from telemetry.archive.cold.reading import Span
from telemetry.archive.read import PositionReader
from telemetry.quality import MAX_AHEAD_US

#: The member of evidence.
CORRECTIONS: Final = "corrections"
_LEGS: Final = b'"legs":'
#: Times beyond are no dates.
_LATEST_US: Final = 4_102_444_800_000_000


async def with_corrections(conn: Connection, judgements: Sequence[Judgement]) -> Sequence[Judgement]:
    """``judgements``, those whose evidence has positions that were corrected with the corrections in it. One short query where there
    are none."""
    judged = [one for one in judgements if one.evidence is not None]
    if not judged or not await any_correction(conn):
        return judgements
    # Of an order that several vehicles served each has its own track; of all others the vehicle is known without reading.
    ids = {
        vehicle
        for one in judged
        if one.evidence is not None and (one.vehicle_no is None or _LEGS in one.evidence)
        for vehicle, _ in tracks_of(parse(one.evidence), None)
    }
    corrected = await vehicles_corrected(
        conn, sorted({one.vehicle_no for one in judged if one.vehicle_no is not None}), sorted(ids)
    )
    if not corrected:
        return judgements
    numbers = set(corrected.values())
    clocks: dict[int, Sequence[Piece]] = {}

    async def told(judgement: Judgement, evidence: bytes) -> Judgement:
        body = parse(evidence)
        found: list[dict[str, Any]] = []
        for vehicle, track in tracks_of(body, None):
            if vehicle in corrected and track["t_us"] and max(track["t_us"]) < _LATEST_US:
                found += await _applied(conn, clocks, vehicle, track)
        return replace(judgement, evidence=canonical(body | {CORRECTIONS: found})) if found else judgement

    return [
        one
        if one.evidence is None
        or (one.vehicle_no is not None and one.vehicle_no not in numbers and _LEGS not in one.evidence)
        else await told(one, one.evidence)
        for one in judgements
    ]


async def _applied(
    conn: Connection, clocks: dict[int, Sequence[Piece]], vehicle: str, track: dict[str, list[int]]
) -> list[dict[str, Any]]:
    """The pieces that positions of ``track`` were read by, of the terminals that sat in the vehicle then. ``clocks``: what was read
    of them, kept for the next."""
    since, until = min(track["t_us"]), max(track["t_us"])
    sat = await spans_of_vehicle(conn, vehicle, from_us(since), from_us(until + 1))
    phones = {no: phone for no, phone, _, _ in sat or ()}
    if missing := sorted(phones.keys() - clocks.keys()):
        known = await read_clocks(conn, missing)
        clocks.update({no: known.get(no, ()) for no in missing})
    found: list[dict[str, Any]] = []
    for no, phone in sorted(phones.items()):
        for piece in clocks[no]:
            if not piece.ids:
                continue
            # A valid fix is not received before its time: where one piece holds since then all were read by it.
            all_of_it = len(phones) == 1 and piece.to_us == EVER[1] and piece.from_us <= since - MAX_AHEAD_US
            if all_of_it or await _read_by(conn, no, piece, since, until, track["fingerprint"]):
                found.append({"vehicle": vehicle, "terminal": phone} | _as_evidence(piece))
    return found


async def _read_by(
    conn: Connection, no: int, piece: Piece, since: int, until: int, prints: Sequence[int]
) -> bool:
    span = Span(
        no, max(since - piece.shift_us, 0), max(until - piece.shift_us, 0) + 1, piece.from_us, piece.to_us
    )
    return await PositionReader().holds_received(conn, span, prints)


def _as_evidence(piece: Piece) -> dict[str, Any]:
    return {
        "corrections": list(piece.ids),
        "received_from_us": None if piece.from_us == EVER[0] else piece.from_us,
        "received_to_us": None if piece.to_us == EVER[1] else piece.to_us,
        "shift_s": piece.shift_us // US_PER_S,
        "datum": piece.datum.value,
        "odometer_unit_m": piece.odometer_unit_m,
        "fuel_unit_ml": piece.fuel_unit_ml,
    }


def tracks_of(part: Any, vehicle: str | None) -> Iterator[tuple[str, dict[str, list[int]]]]:
    """The tracks in evidence, each with the id of its vehicle."""
    if isinstance(part, dict):
        own = part.get("vehicle")
        if isinstance(own, dict) and isinstance(own.get("id"), str):
            vehicle = own["id"]
        track = part.get("track")
        if isinstance(track, dict) and isinstance(track.get("fingerprint"), list) and vehicle is not None:
            yield vehicle, track
        for name, value in part.items():
            if name != "track":
                yield from tracks_of(value, vehicle)
    elif isinstance(part, list) and part and isinstance(part[0], dict):
        for value in part:
            yield from tracks_of(value, vehicle)
