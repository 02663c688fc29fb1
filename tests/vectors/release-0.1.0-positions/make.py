"""Makes this folder with the code of release 0.1.0: ``git archive 0621ef2 src | tar x -C OLD`` and then
``PYTHONPATH=OLD/src python make.py``. Not for any later program: what is here is what that release wrote.

``record.arrows``: one record of its log; ``day.parquet``: those positions as its export writes them; ``expected.json``: the
same positions row by row, as they were given to it, with the fingerprint and the quality that it gave them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from telemetry import parquet  # type: ignore[attr-defined]  # of release 0.1.0
from telemetry.log.codec import encode
from telemetry.positions import OPTIONAL, SPEC, PositionBatch, fingerprint
from telemetry.quality import assess

HERE = Path(__file__).resolve().parent
START_US = 1_771_200_000_000_000  # 2026-02-16 00:00:00 UTC
PHONES = {1: "13900000001", 2: "13900000002"}  # terminal 3 has none


def rows() -> list[dict[str, Any]]:
    """Every column at both ends of its range; each optional column there and absent; items of several lengths."""
    found: list[dict[str, Any]] = []
    for k in range(12):
        row: dict[str, Any] = {"terminal": k // 4 + 1, "device_us": START_US + k * 1_000_000, "source": k % 5}
        row |= {
            "received_us": row["device_us"] + 250_000,
            "status": 3,
            "present": (0, 31, 1 << k % 5, 31 ^ 1 << k % 5)[k % 4],
        }
        row |= {
            "lat_e6": 31_980_000 + k,
            "lon_e6": 120_890_000 - k,
            "altitude_m": -5 + k,
            "speed_dkmh": 456,
            "direction_deg": 54,
        }
        row |= {
            "alarm": k,
            "odometer_dkm": 1_000_000 + k,
            "fuel_dl": 500,
            "recorder_speed_dkmh": 450,
            "radio": 22,
            "satellites": 11,
        }
        row["items"] = bytes((0xE1, k % 7)) * (k % 3) + bytes(range(k % 4))
        found.append(row)
    for row, end in ((found[4], 0), (found[5], 1)):
        for name, (dtype, _unit) in SPEC.items():
            if name not in ("terminal", "received_us", "device_us", "present"):
                row[name] = int((np.iinfo(dtype).min, np.iinfo(dtype).max)[end])
    found[6] |= {"device_us": 0, "status": 0, "lat_e6": 0, "lon_e6": 0}
    for row in found:
        for bit, name in enumerate(OPTIONAL):
            row[name] *= row["present"] >> bit & 1
    return found


def main() -> None:
    made = rows()
    offsets = np.cumsum([0, *(len(row["items"]) for row in made)]).astype(np.int32)
    data = b"".join(row["items"] for row in made)
    batch = PositionBatch.build(
        len(made),
        items_offsets=offsets,
        items_data=np.frombuffer(data, np.uint8),
        **{name: [row[name] for row in made] for name in SPEC},
    )
    prints, quality = fingerprint(batch), assess(batch)
    (HERE / "record.arrows").write_bytes(encode(batch))
    page = batch.columns() | {"fingerprint": prints, "quality": quality}
    page |= {"device_time": batch.device_us, "received_at": batch.received_us}
    page["items_bytes"] = np.array([len(row["items"]) or -1 for row in made], np.int32)
    table = parquet._table(page, data, PHONES)
    pq.write_table(table, HERE / "day.parquet", compression="zstd")
    for row, one, other in zip(made, prints.tolist(), quality.tolist(), strict=True):
        row |= {
            "items": row["items"].hex(),
            "fingerprint": one,
            "quality": other,
            "phone": PHONES.get(row["terminal"]),
        }
    (HERE / "expected.json").write_text(json.dumps(made, indent=1) + "\n")


main()
