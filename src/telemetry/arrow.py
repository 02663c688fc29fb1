"""The Arrow types of position columns: those of their numpy dtypes. Apart, so that the codec needs no Arrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from telemetry.positions import ADDED, SPEC

_DTYPES = {name: dtype for name, (dtype, _unit) in SPEC.items()} | {
    column.name: column.dtype for column in ADDED
}


def arrow_type(name: str) -> Any:
    """The Arrow type of the column ``name`` of telemetry.positions (microseconds are plain integers here)."""
    return pa.from_numpy_dtype(np.dtype(_DTYPES[name]))
