"""Position columns in the table ``positions``: what ``telemetry.positions`` lists, as SQL and as COPY streams both ways."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from runtime import pgcopy
from runtime.arrays import AnyInts, Ints
from telemetry.positions import ADDED, OPTIONAL, REPORTED, PositionBatch

_STORED: Final = (*REPORTED, *ADDED)
#: Columns of the table, in the order in which ``copy_stream`` writes them.
NAMES: Final = (*(column.sql_name for column in _STORED), "items")
#: Identity of a position, and the order of an export.
KEY: Final = "terminal_no, device_time, fingerprint"

_PRESENT: Final = " | ".join(
    f"((p.{name} IS NOT NULL)::integer << {bit})" for bit, name in enumerate(OPTIONAL)
)
#: SELECT list, of the table as ``p``, of all columns but the items: every field has a fixed width and is not null, so
#: that numpy reads the rows as they come. What is null comes as 0, and ``present`` says so, as in a PositionBatch.
SELECTED: Final = ", ".join(
    [
        *(
            f"COALESCE(p.{column.sql_name}, 0)::{column.sql_type}"
            if column.optional
            else f"p.{column.sql_name}"
            for column in _STORED
        ),
        f"({_PRESENT})::int2",
    ]
)
#: The fields of ``SELECTED``, for ``pgcopy.decode_fixed``: names are those of the batch.
FIELDS: Final[tuple[tuple[str, pgcopy.Kind], ...]] = (
    *((column.name, column.sql_type) for column in _STORED),
    ("present", "int2"),
)


def copy_stream(batch: PositionBatch, prints: Ints, quality: NDArray[np.int16]) -> bytes:
    """The rows of ``batch`` as a binary COPY stream of ``NAMES``. ``prints`` and ``quality`` have shape (n,).

    Raises ValueError for a time that PostgreSQL does not know.
    """
    added: dict[str, AnyInts] = {"fingerprint": prints, "quality": quality}
    columns = []
    for column in _STORED:
        values: AnyInts = added[column.name] if column.name in added else getattr(batch, column.name)
        if (column.dtype, column.sql_type) == ("uint32", "int4"):
            values = values.view(np.int32)  # 32 bits, as a signed number
        columns.append(
            pgcopy.Column(column.sql_type, values, batch.has(column.name) if column.optional else None)
        )
    offsets = batch.items_offsets
    columns.append(pgcopy.Column("bytes", batch.items_data, np.diff(offsets) > 0, offsets))
    return pgcopy.encode(columns)
