"""What people call that by which alerts are counted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from office.supervision.contents import FINDING_NAMES
from office.supervision.states import STATE_NAMES
from registry.organisations import names_of
from registry.vehicles import plates_of
from rules.alerts.counts import By
from rules.catalogue import RULE_NAMES
from runtime.connection import Connection

_NAMES: Final[dict[str, dict[str, str]]] = {
    "rule": dict(RULE_NAMES),
    "severity": {"low": "低", "medium": "中", "high": "高"},
    "status": {"suspected": "疑似", "withdrawn": "已撤回"},
    "case_state": {"none": "未立案", **{str(state): name for state, name in STATE_NAMES.items()}},
    "finding": {"none": "尚无结论", **{str(finding): name for finding, name in FINDING_NAMES.items()}},
}


async def names_of_keys(connection: Connection | None, by: By, keys: Collection[str]) -> dict[str, str]:
    """The Chinese names of ``keys``; those that have none are left out. Who a driver is stands in his own record, whose reading is
    noted. ``connection``: for units and vehicles."""
    if by in _NAMES:
        return _NAMES[by]
    if connection is None or not keys:
        return {}
    if by == "organisation":
        return await names_of(connection, keys)
    return await plates_of(connection, keys) if by == "vehicle" else {}
