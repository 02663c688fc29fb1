"""One table of position columns: what the last release wrote is read, and everything that has columns has these."""

from __future__ import annotations

import json
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.tracks.formats import ArrowWriter
from telemetry.archive import columns, parquet
from telemetry.jt808.columns.location import ITEM_COLUMNS
from telemetry.log import codec
from telemetry.positions import ADDED, OPTIONAL, REPORTED, SPEC, PositionBatch, fingerprint
from telemetry.quality import assess

RELEASED = Path(__file__).parents[1] / "vectors" / "release-0.1.0-positions"


@pytest.fixture(scope="module")
def expected() -> list[dict[str, Any]]:
    """The rows that the release was given, with what it made of them."""
    found: list[dict[str, Any]] = json.loads((RELEASED / "expected.json").read_text())
    return [row | {"items": bytes.fromhex(row["items"])} for row in found]


def test_a_record_of_the_last_release_is_read(expected: list[dict[str, Any]]) -> None:
    batch = codec.decode((RELEASED / "record.arrows").read_bytes())
    for name, (dtype, _unit) in SPEC.items():
        assert getattr(batch, name).dtype == dtype
        assert getattr(batch, name).tolist() == [row[name] for row in expected], name
    items = [
        batch.items_data[a:b].tobytes()
        for a, b in zip(batch.items_offsets, batch.items_offsets[1:], strict=False)
    ]
    assert items == [row["items"] for row in expected]
    assert fingerprint(batch).tolist() == [row["fingerprint"] for row in expected]
    assert assess(batch).tolist() == [row["quality"] for row in expected]


def test_the_schema_of_the_log_is_the_last_release_s_to_the_byte() -> None:
    """Workers of either release read what gateways of the other wrote."""
    with pa.ipc.open_stream((RELEASED / "record.arrows").read_bytes()) as stream:
        assert stream.schema.equals(codec.SCHEMA, check_metadata=True)
        assert stream.schema.serialize() == codec.SCHEMA.serialize()
    assert codec.HEADERS == {"gongche-schema": "gongche.positions/1"}


def test_an_export_of_the_last_release_has_our_schema(expected: list[dict[str, Any]]) -> None:
    table = pq.read_table(RELEASED / "day.parquet")
    assert table.schema.equals(parquet.SCHEMA, check_metadata=True)
    for row, was in zip(table.to_pylist(), expected, strict=True):
        for name in (*(c.name for c in (*REPORTED, *ADDED)), "phone", "items"):
            if name in ("device_us", "received_us"):
                stored = row["device_time" if name == "device_us" else "received_at"]
                assert round(stored.timestamp() * 1e6) == was[name]
            elif name in OPTIONAL:
                assert row[name] == (was[name] if was["present"] >> OPTIONAL.index(name) & 1 else None)
            else:
                assert row[name] == (was[name] or (None if name == "items" else was[name]))


def test_what_we_export_now_is_what_it_exported() -> None:
    """The fields of a new file, one by one, with their metadata."""
    file = BytesIO()
    with pq.ParquetWriter(file, parquet.SCHEMA):
        pass
    new, old = pq.read_schema(BytesIO(file.getvalue())), pq.read_schema(RELEASED / "day.parquet")
    assert [(f.name, f.type, f.nullable, f.metadata) for f in new] == [
        (f.name, f.type, f.nullable, f.metadata) for f in old
    ]
    assert new.metadata[b"format"] == old.metadata[b"format"]


def test_a_batch_has_the_columns_of_the_table() -> None:
    assert [f.name for f in fields(PositionBatch)] == [*SPEC, "items_offsets", "items_data"]
    assert list(SPEC) == [*(column.name for column in REPORTED), "present"]
    assert len(OPTIONAL) <= 8, "present has a bit for each"


@pytest.mark.parametrize("column", [*REPORTED, *ADDED], ids=lambda column: column.name)
def test_the_type_in_the_database_holds_every_value(column: Any) -> None:
    bounds = np.iinfo(column.dtype)
    width = {"int2": 16, "int4": 32, "int8": 64, "timestamptz": 64}[column.sql_type]
    if (column.dtype, column.sql_type) != ("uint32", "int4"):  # stored as a signed number
        assert -(2 ** (width - 1)) <= bounds.min
        assert bounds.max < 2 ** (width - 1)
    assert (column.sql_type == "timestamptz") == column.name.endswith("_us")


def test_items_with_a_column_of_their_own_are_the_optional_columns() -> None:
    assert ITEM_COLUMNS == {
        0x01: ("odometer_dkm", 4),
        0x02: ("fuel_dl", 2),
        0x03: ("recorder_speed_dkmh", 2),
        0x30: ("radio", 1),
        0x31: ("satellites", 1),
    }
    assert {name for name, _ in ITEM_COLUMNS.values()} == set(OPTIONAL)


def test_the_arrow_track_of_the_api_is_what_it_was() -> None:
    """A published format: its columns do not follow ours by themselves."""
    writer = ArrowWriter()
    with pa.ipc.open_stream(writer.begin({"vehicle": "v"}) + writer.end()) as stream:
        found = [
            f"{field.name} {field.type}{'' if field.nullable else ' not null'}" for field in stream.schema
        ]
    assert found == [
        "time timestamp[us, tz=UTC] not null", "lat_e6 int32 not null", "lon_e6 int32 not null", "valid bool not null",
        "flags int16 not null", "speed_dkmh uint16 not null", "direction_deg uint16 not null", "altitude_m int16 not null",
        "odometer_dkm uint32", "fuel_dl uint16", "satellites uint8", "source uint8 not null", "terminal string not null",
    ]  # fmt: skip


def test_what_is_selected_has_the_fields_that_are_read() -> None:
    assert len(columns.FIELDS) == len(columns.NAMES)  # present stands where items do
    assert [name for name, _ in columns.FIELDS[-3:]] == ["fingerprint", "quality", "present"]
