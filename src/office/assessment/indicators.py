"""What the database says of a unit besides its cases: each number with its exact definition, and what is not judged for want of data.

Numbers are pairs of whole numbers (so many of so many); the share is of those, in tenths of a percent, rounded half up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from office.assessment.periods import Period
from office.assessment.sheet import JUDGED, NO_DATA, Closing
from runtime.connection import Connection
from runtime.units import midnight

#: Indicators of the office's list that no table of this product can answer yet, and why.
_NOT_JUDGED: Final = (
    (
        "over_quota",
        "超编超标率 / vehicles over quota",
        "尚无编制和配备标准数据 / quotas and standards are not stored yet",
    ),
    (
        "no_order_km",
        "无单里程 / km without an order",
        "尚未按单位、期间汇总 / settled km are not summed by unit and period yet",
    ),
    (
        "terminal_availability",
        "终端可用率 / terminal availability",
        "尚无逐日可派状态 / which vehicles could be dispatched on a day is not stored yet",
    ),
    ("marked", "标识化率 / vehicles that are marked", "尚无标识数据 / marks are not stored yet"),
    (
        "gifts",
        "受赠车辆 / vehicles given by others",
        "尚无来源数据 / where a vehicle comes from is not stored yet",
    ),
    ("allowance", "既领补贴又用车 / allowance and vehicle", "尚无补贴数据 / allowances are not stored yet"),
    (
        "publication",
        "油耗与费用公示 / fuel and cost published",
        "尚无公示数据 / publications are not stored yet",
    ),
)


async def indicators(
    connection: Connection, unit: str, period: Period, closings: Iterable[Closing]
) -> list[dict[str, Any]]:
    """Of ``unit`` in ``period``; ``closings``: those of its cases."""
    since, until = midnight(period.first), midnight(period.following.first)
    closed = list(closings)
    row = await connection.fetchrow("SELECT * FROM assessed_orders($1, $2, $3)", unit, since, until)
    replies = sum(each.replies for each in closed)
    signings = sum(each.signings for each in closed)
    made = [
        _share("replies_in_time", "回复按时率 / replies in time", replies - sum(each.late_replies for each in closed), replies,
               "本期核销的督办单中，按期签批的回复 ÷ 有确定期限的回复 / of the cases closed in the period: replies signed within their term ÷"
               " replies whose term is known"),
        _share("signed_in_time", "签收按时率 / signed for in time", signings - sum(each.late_signings for each in closed), signings,
               "本期核销的督办单中，按期签收 ÷ 有确定期限的签收 / of the cases closed in the period: signed for within the term ÷ all with a"
               " known term"),
        _share("returned", "退回重办率 / sent back", sum(each.returned > 0 for each in closed), len(closed),
               "本期核销的督办单中，曾被退回重办的 ÷ 全部 / of the cases closed in the period: those sent back at least once ÷ all"),
        _share("backfilled", "补单率 / entered afterwards", row["backfilled"], row["departed"],
               "本期实际出车的派车单（不含作废）中，有任一版本为补单的 ÷ 全部 / of the orders with an actual departure in the period, not"
               " cancelled: those of which a version was a backfill ÷ all"),
        _share("tracked", "派车有轨迹率 / orders with a track", row["tracked"], row["settled"],
               "本期实际出车且里程已结算的派车单中，至少有一个有效定位点的 ÷ 全部 / of the orders that departed in the period and are settled:"
               " those with at least one valid fix ÷ all"),
    ]  # fmt: skip
    return made + [
        {
            "code": code,
            "name": name,
            "state": NO_DATA,
            "count": None,
            "of": None,
            "permille": None,
            "definition": why,
        }
        for code, name, why in _NOT_JUDGED
    ]


def _share(code: str, name: str, count: int, of: int, definition: str) -> dict[str, Any]:
    judged = of > 0
    return {
        "code": code,
        "name": name,
        "state": JUDGED if judged else NO_DATA,
        "count": count if judged else None,
        "of": of if judged else None,
        "permille": (2000 * count + of) // (2 * of) if judged else None,
        "definition": definition,
    }
