"""The positions that frozen evidence rests on: what was stored of its terminals in its time when it was sealed, and what is
other now.

Everything that is stored in the stretch is listed, also what the evidence did not use. A position that comes later is no
tampering: terminals send what they recorded without a network. One that says it was received before others of the stretch,
and was not there, was put in: of one terminal what is received first is stored first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from office.integrity.blocks import sha256, sm3
from registry.terminals import spans_of_vehicle
from rules.alerts.corrections import tracks_of
from rules.evidence import parse
from runtime.connection import Connection
from runtime.units import from_us
from telemetry.archive.clocks import read_clocks
from telemetry.archive.cold.reading import Span, rows_in
from telemetry.archive.cold.rows import Rows, missing
from telemetry.archive.columns import NAMES
from telemetry.archive.put_right import BY_THE_STANDARD, DATUMS, put_right
from telemetry.geo import Datum
from telemetry.positions import ADDED, OPTIONAL, REPORTED, PositionBatch

#: A position in ``evidence_positions.rows``.
ROW: Final = np.dtype([("terminal", ">i4"), ("t_us", ">i8"), ("fingerprint", ">i8"), ("hash", "V12")])
#: Clocks of the gateways that a terminal changes between, and how long one of them waits for the log, may differ by so much.
SLACK_US: Final = 1_800_000_000
#: Device times further away are not looked for.
_FARTHEST_US: Final = 4_102_444_800_000_000

_COLUMNS: Final = [
    f"(extract(epoch FROM p.{name}) * 1000000)::bigint" if name in ("device_time", "received_at")
    else "pg_catalog.encode(p.items, 'hex')" if name == "items" else f"p.{name}"
    for name in NAMES
]  # fmt: skip
_SQL: Final = (
    "SELECT p.terminal_no, (extract(epoch FROM p.device_time) * 1000000)::bigint AS t_us, p.fingerprint,"  # noqa: S608 - our own names
    " (extract(epoch FROM p.received_at) * 1000000)::bigint AS received_us, p.lat_e6, p.lon_e6, p.speed_dkmh, p.direction_deg,"
    f" COALESCE(p.odometer_dkm, -1) AS odometer_dkm, json_build_array({', '.join(_COLUMNS)})::text AS text"
    " FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) AS s (no, since, until)"
    " CROSS JOIN LATERAL (SELECT * FROM positions p WHERE p.terminal_no = s.no AND p.device_time >= s.since"
    " AND p.device_time <= s.until ORDER BY p.terminal_no, p.device_time, p.fingerprint) p"
)
_FIX: Final = ("lat_e6", "lon_e6", "speed_dkmh", "direction_deg", "odometer_dkm")
#: How positions are read without any correction: shift of the time (us), datum, metres a unit of the odometer.
_AS_RECEIVED: Final = (0, Datum.WGS84, BY_THE_STANDARD)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A track in evidence: whose it is, and its fixes {(time, fingerprint): values of _FIX}."""

    vehicle: str
    fixes: dict[tuple[int, int], tuple[int, ...]]


def stretches(body: bytes) -> list[Stretch]:
    """The tracks of evidence that name a vehicle. Raises EvidenceError."""
    return [found for found in _stretches(parse(body)) if found.fixes]


def _stretches(evidence: Any) -> Iterator[Stretch]:
    for vehicle, track in tracks_of(evidence, None):
        columns = [track.get(name) or [] for name in ("t_us", "fingerprint", *_FIX)]
        yield Stretch(vehicle, {(row[0], row[1]): row[2:] for row in zip(*columns, strict=False)})


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of ``evidence_positions``; see there."""

    fixes: int
    absent: int
    spans: list[list[int]]
    rows: bytes
    sm3: bytes


async def positions_of(connection: Connection, found: Sequence[Stretch]) -> Listed:
    """What is stored now of the terminals of some tracks in their time."""
    fixes = sum(len(one.fixes) for one in found)
    spans: set[tuple[int, int, int]] = set()
    wanted: dict[tuple[int, int], tuple[int, ...]] = {}
    ways = {_AS_RECEIVED}
    for one in found:
        times = [t for t, _ in one.fixes]
        since, until = min(times), max(times)
        wanted |= one.fixes
        if until >= _FARTHEST_US:
            continue
        sat = await spans_of_vehicle(connection, one.vehicle, from_us(since), from_us(until + 1))
        terminals = sorted({span[0] for span in sat or ()})
        clocks = await read_clocks(connection, terminals)
        for no in terminals:
            of_terminal = {_AS_RECEIVED} | {
                (piece.shift_us, piece.datum, piece.odometer_unit_m) for piece in clocks.get(no, ())
            }
            ways |= of_terminal
            spans |= {(no, since - shift, until - shift) for shift, _, _ in of_terminal}
    stored = await read_spans(connection, sorted(spans))
    left = set(wanted)
    for way in ways if stored else ():
        for key, fix in _read_by(stored, *way):
            if wanted.get(key) == fix:
                left.discard(key)
    received: dict[int, int] = {}
    for row in stored:
        received[row["terminal_no"]] = max(received.get(row["terminal_no"], 0), row["received_us"])
    texts = [row["text"].encode() for row in stored]
    return Listed(
        fixes, len(left), [[*span, received.get(span[0], 0)] for span in sorted(spans)],
        _packed(stored, texts), sm3(b"\n".join(texts)),
    )  # fmt: skip


def _read_by(
    stored: Sequence[Any], shift_us: int, datum: Datum, odometer_unit_m: int
) -> Iterator[tuple[tuple[int, int], tuple[int, ...]]]:
    """What is stored as it is read by a correction of its terminal: (time, fingerprint) and the values of _FIX."""
    n = len(stored)
    columns = {name: np.array([row[name] for row in stored], np.int64) for name in _FIX}
    given = np.maximum(columns["odometer_dkm"], 0)
    batch = PositionBatch.build(
        n, lat_e6=columns["lat_e6"], lon_e6=columns["lon_e6"], odometer_dkm=given,
        present=np.where(columns["odometer_dkm"] >= 0, 1 << OPTIONAL.index("odometer_dkm"), 0),
    )  # fmt: skip
    standard = np.full(n, BY_THE_STANDARD, np.int64)
    batch = put_right(
        batch,
        np.arange(n),
        np.full(n, DATUMS.index(datum)),
        np.full(n, odometer_unit_m, np.int64),
        standard,
    )
    columns["lat_e6"], columns["lon_e6"] = batch.lat_e6, batch.lon_e6
    columns["odometer_dkm"] = np.where(batch.known("odometer_dkm"), batch.odometer_dkm.astype(np.int64), -1)
    fixes = zip(*(columns[name].tolist() for name in _FIX), strict=True)
    for row, fix in zip(stored, fixes, strict=True):
        yield (row["t_us"] + shift_us, row["fingerprint"]), fix


async def read_spans(connection: Connection, spans: Sequence[tuple[int, int, int]]) -> list[Any]:
    """What is stored in stretches (terminal, from, to; device times, both included), each position once, in order."""
    if not spans:
        return []
    rows = await connection.fetch(
        _SQL, [no for no, _, _ in spans], [from_us(a) for _, a, _ in spans], [from_us(b) for _, _, b in spans]
    )
    once = {(row["terminal_no"], row["t_us"], row["fingerprint"]): row for row in rows}
    # Of equal ones the first that was stored counts: that is in the file.
    for old in _old_rows(await rows_in(connection, [Span(no, a, b + 1) for no, a, b in spans])):
        once[(old["terminal_no"], old["t_us"], old["fingerprint"])] = old
    return [once[key] for key in sorted(once)]


def _old_rows(rows: Rows) -> Iterator[dict[str, Any]]:
    """Rows of files as _SQL gives those of the table; the text to the byte."""
    columns = {name: values.tolist() for name, values in rows.columns.items()}
    there = {name: (~missing(rows.columns, name)).tolist() for name in OPTIONAL}
    ends = np.cumsum(np.maximum(rows.sizes, 0)).tolist()
    sizes, items = rows.sizes.tolist(), rows.items.tobytes()
    for k in range(len(rows)):
        values: list[Any] = [
            columns[column.name][k] if not column.optional or there[column.name][k] else None
            for column in (*REPORTED, *ADDED)
        ]
        values.append(None if sizes[k] < 0 else items[ends[k] - sizes[k] : ends[k]].hex())
        fix = {name: columns[name][k] for name in _FIX}
        if not there["odometer_dkm"][k]:
            fix["odometer_dkm"] = -1
        yield fix | {
            "terminal_no": columns["terminal"][k], "t_us": columns["device_us"][k], "fingerprint": columns["fingerprint"][k],
            "received_us": columns["received_us"][k], "text": json.dumps(values),
        }  # fmt: skip


def _packed(rows: Sequence[Any], texts: Sequence[bytes]) -> bytes:
    packed = np.zeros(len(rows), ROW)
    packed["terminal"] = [row["terminal_no"] for row in rows]
    packed["t_us"] = [row["t_us"] for row in rows]
    packed["fingerprint"] = [row["fingerprint"] for row in rows]
    packed["hash"] = np.frombuffer(b"".join(sha256(text)[:12] for text in texts), "V12")
    return packed.tobytes()


@dataclass(frozen=True, slots=True)
class Other:
    """A position that is other than it was listed. ``kind``: changed, missing, inserted; ``position``: (terminal, device time,
    fingerprint); ``received_us``: when it says it was received, 0 where it is missing."""

    kind: str
    position: tuple[int, int, int]
    received_us: int = 0


async def compare(connection: Connection, spans: Sequence[Sequence[int]], rows: bytes) -> list[Other]:
    """What is other than it was listed. Whether one that is new was in the quarantine then is for the caller to say."""
    sealed = {
        (int(row["terminal"]), int(row["t_us"]), int(row["fingerprint"])): bytes(row["hash"])
        for row in np.frombuffer(rows, ROW)
    }
    until = {span[0]: span[3] for span in spans}
    wrong: list[Other] = []
    for row in await read_spans(connection, [(span[0], span[1], span[2]) for span in spans]):
        key = row["terminal_no"], row["t_us"], row["fingerprint"]
        said = sealed.pop(key, None)
        if said is None:
            if row["received_us"] < until[key[0]] - SLACK_US:
                wrong.append(Other("inserted", key, row["received_us"]))
        elif said != sha256(row["text"].encode())[:12]:
            wrong.append(Other("changed", key, row["received_us"]))
    return wrong + [Other("missing", key) for key in sealed]
