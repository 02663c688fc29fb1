"""Writes a scenario as files: records for ``gongche import``, reports as Parquet, the map, and the labels."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.bulk import MAX_ROWS
from registry.records import KINDS as RECORD_KINDS
from simulation.city.pbf import write_pbf
from simulation.month.delivery import KINDS, waves
from simulation.plants.world import Fact, World
from telemetry.positions import OPTIONAL, SPEC

#: What offices keep in sheets.
_SHEETS: Final = ("fuel-transactions", "violations")
_ROWS_AT_ONCE: Final = 200_000


def write_world(world: World, folder: Path) -> list[Path]:
    """Write everything into ``folder``, which is made; the files in the order in which they are to be imported, then
    the others. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for kind in KINDS:
        facts = [fact for fact in world.facts if fact.kind == kind]
        if kind == "dispatch-orders":
            facts = _as_first_entered(facts)
        # Terminals are written as they were bound; of everything else the newest version says it all.
        parts = list(waves(facts)) if kind == "terminals" else [list({f.key: f for f in facts}.values())]
        for part in parts:
            for start in range(0, len(part), MAX_ROWS):
                name = f"{len(made) + 1:02}-{kind}.{'csv' if kind in _SHEETS else 'json'}"
                made.append(folder / name)
                _write_records(made[-1], kind, part[start : start + MAX_ROWS])
    events, labels, map_, reports = (
        folder / name for name in ("events.ndjson", "labels.json", "city.osm.pbf", "positions.parquet")
    )
    with events.open("w", encoding="utf-8") as out:
        for fact in world.facts:
            out.write(json.dumps(asdict(fact), ensure_ascii=False) + "\n")
    about = {
        "seed": world.seed, "month": world.month.strftime("%Y-%m"), "vehicles": world.vehicles,
        "labels": [asdict(label) for label in world.labels],
    }  # fmt: skip
    labels.write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")
    write_pbf(world.network, map_)
    _write_reports(world, reports)
    return [*made, events, labels, map_, reports]


def _as_first_entered(facts: Sequence[Fact]) -> list[Fact]:
    """Orders whose newest version is all there is: each was entered when its first version was, not when it was closed."""
    first: dict[object, str] = {}
    for fact in facts:
        first.setdefault(fact.key, fact.body["entered_at"])
    return [replace(fact, body=fact.body | {"entered_at": first[fact.key]}) for fact in facts]


def _write_records(path: Path, kind: str, facts: Sequence[Fact]) -> None:
    bodies = [fact.body for fact in facts]
    if kind not in _SHEETS:
        path.write_text(json.dumps(bodies, ensure_ascii=False, indent=1), encoding="utf-8")
        return
    headers = {name: header for header, name in RECORD_KINDS[kind].headers.items()}
    names = [name for name in headers if any(name in body for body in bodies)]
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        sheet = csv.writer(out)
        sheet.writerow([headers[name] for name in names])
        sheet.writerows([[body.get(name, "") for name in names] for body in bodies])


def _write_reports(world: World, path: Path) -> None:
    """One row a report, in the order of arrival; columns as in ``telemetry.positions``, and the terminal's phone."""
    columns = [name for name in SPEC if name not in ("terminal", "present")]
    schema = pa.schema(
        [pa.field("phone", pa.string())]
        + [pa.field(name, pa.from_numpy_dtype(np.dtype(SPEC[name][0]))) for name in columns]
    )
    phones = np.array(world.phones, object)
    with pq.ParquetWriter(path, schema, compression="zstd") as out:
        for start in range(0, len(world.reports), _ROWS_AT_ONCE):
            part = world.reports.take(np.arange(start, min(start + _ROWS_AT_ONCE, len(world.reports))))
            arrays: list[Any] = [pa.array(phones[part.terminal])]
            for name in columns:
                absent = ~part.has(name) if name in OPTIONAL else None
                arrays.append(pa.array(getattr(part, name), mask=absent))
            out.write_table(pa.Table.from_arrays(arrays, schema=schema))
