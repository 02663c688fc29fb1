"""The registry's promises that the database keeps itself (migrations 0012 and 0013), and what a broken one is called.

The writers look before they write and refuse with the record and its field. A constraint refuses only what came in at the
same time, from somebody whose transaction the writer could not see yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from registry.writing import MeanwhileError

_MEANWHILE: Final = "刚被他人修改，请重试 · was changed by somebody else just now, try again"
#: Name of the constraint -> what a person is told.
SENTENCES: Final = {
    "terminal_in_one_vehicle": "该终端同一时间已装在另一辆车上 · the terminal is in another vehicle at that time",
    "terminal_bindings_pkey": f"终端安装记录{_MEANWHILE}",
    "card_bound_once": "该油卡同一时间已绑定另一车牌 · the card is bound to another plate at that time",
    "card_bindings_pkey": f"油卡绑定记录{_MEANWHILE}",
    "one_vehicle_of_plate": "该车牌已属于另一辆车 · this plate belongs to another vehicle",
    "one_plate_of_vehicle": f"车牌记录{_MEANWHILE}",
    "vehicle_plates_pkey": f"车牌记录{_MEANWHILE}",
    "one_version_of_fence": f"围栏{_MEANWHILE}",
    "clock_corrections_terminal_no_valid_from_key": "同一终端另有更正同时开始 · another correction of the terminal begins then",
    "fences_pkey": f"围栏{_MEANWHILE}",
    "one_current_version_of_order": f"派车单{_MEANWHILE}",
    "dispatch_orders_pkey": f"派车单{_MEANWHILE}",
}


@contextmanager
def constraints_refuse() -> Iterator[None]:
    """A constraint of SENTENCES that is violated within is a MeanwhileError (a conflict, if it stays so); another one passes
    as it is."""
    try:
        yield
    except (asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError) as error:
        sentence = SENTENCES.get(error.constraint_name)
        if sentence is None:
            raise
        raise MeanwhileError(sentence) from error
