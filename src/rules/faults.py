"""What an error of worker and judge says: a fault of the program on what it had in hand, or something that passes by itself."""

from __future__ import annotations

from rules.alerts.model import OffsetConflictError
from runtime import faults


def is_fault(error: BaseException) -> bool:
    """``runtime.faults.is_fault``; another worker's partition is no fault either."""
    return not isinstance(error, OffsetConflictError) and faults.is_fault(error)
