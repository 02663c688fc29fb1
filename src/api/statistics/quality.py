"""GET /v1/statistics/data-quality: what is wrong with the data, which list shows it, and who can put it right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped, subject_of
from api.cases.common import actor_of
from api.http import json_response, utc_now
from api.statistics.fleet import SILENT_DAYS, opens_fleet, standings_of
from api.statistics.recent import rights_of
from api.statistics.schemas import Quality
from office.identity.scope import units_reached
from office.identity.subject import ROLE_NAMES, ROLE_PERMISSIONS
from office.messages.letters import count_dead_of_people
from office.statistics import quality
from office.statistics.quality import MOST_COUNTED
from office.supervision.findings import count_open_tasks
from rules.alerts.evaluations import count_waiting
from rules.live.store import quarantine
from runtime.units import CHINA

#: With one of these somebody sees some of it.
PERMISSIONS: Final = ("registry:read", "alerts:read", "tracks:read", "cases:read", "users:manage", "ops:read")
router = APIRouter(prefix="/v1/statistics", tags=["statistics"])


@dataclass(frozen=True, slots=True)
class _Kind:
    """What may be wrong: its name, who puts it right (a permission; ``everywhere``: held for all units) and how, and the list that shows
    it."""

    kind: str
    zh: str
    en: str
    permission: str
    how_zh: str
    how_en: str
    path: str = ""
    query: tuple[tuple[str, str], ...] = ()
    everywhere: bool = False


_WRITE: Final = "registry:write"
_NOTICES: Final = "/v1/terminal-notices"
KINDS: Final = (
    _Kind("clock_wrong", "终端时钟错误", "terminals with wrong clocks", _WRITE,
          "接受建议的更正，或请安装单位校时", "accept the correction that is proposed, or have the clock set", _NOTICES,
          (("kind", "clock_wrong"),)),
    _Kind("datum_wrong", "终端坐标疑为 GCJ-02", "terminals that seem to send GCJ-02", _WRITE,
          "核对后接受建议的坐标系更正", "compare, then accept the correction that is proposed", _NOTICES, (("kind", "datum_wrong"),)),
    _Kind("other_imei", "IMEI 与登记不符的设备（已拒绝）", "devices refused for their IMEI", _WRITE,
          "核对设备，更换的请更正终端的 IMEI", "look at the device; where it was exchanged, enter its IMEI", _NOTICES,
          (("kind", "other_imei"),)),
    _Kind("other_card", "SIM 卡与登记不符的终端", "terminals with another SIM card", _WRITE,
          "核对 SIM 卡，更换的请更正终端的 ICCID", "look at the card; where it was exchanged, enter its ICCID", _NOTICES,
          (("kind", "other_card"),)),
    _Kind("contradiction", "位置与里程矛盾（跳点）", "positions that jump: they contradict the odometer", _WRITE,
          "检查终端天线和安装，必要时更换", "look at antenna and fitting; exchange the terminal", _NOTICES, (("kind", "contradiction"),)),
    _Kind("device_refused", "更换的设备待确认", "devices that wait to be accepted", _WRITE,
          "核对后接受更换的设备", "accept the device once it is checked", _NOTICES, (("kind", "device_refused"),)),
    _Kind("vehicles_silent", f"终端超过 {SILENT_DAYS} 天无上报", f"vehicles that were silent for {SILENT_DAYS} days", _WRITE,
          "检查终端和供电；停用的车辆登记处置日期", "look at terminal and power; enter the day of disposal"),
    _Kind("vehicles_never_seen", "终端从未上报的车辆", "vehicles whose terminal was never heard of", _WRITE,
          "核对终端手机号，检查安装", "compare the phone number; look at the fitting"),
    _Kind("vehicles_no_terminal", "未装终端的车辆", "vehicles without a terminal", _WRITE,
          "登记终端，或登记处置日期", "enter the terminal, or the day of disposal"),
    _Kind("orders_overdue", "逾期未归队的派车单", "orders without a return", _WRITE,
          "录入实际归队时间或延期", "enter the return or an extension", "/v1/dispatch-orders", (("overdue", "true"),)),
    _Kind("backfill_waits", "待批准的补单", "late orders that wait for an approver", _WRITE,
          "由驾驶员、申请人以外的人批准", "have somebody approve who is neither driver nor applicant", "/v1/dispatch-orders",
          (("backfill_waits", "true"),)),
    _Kind("stations_unlocated", "没有坐标的加油站", "stations without coordinates", _WRITE,
          "补登坐标（管辖全部单位的人员）", "enter the place (who reaches all units)", "/v1/fuel-stations", (("located", "false"),),
          everywhere=True),
    _Kind("transactions_unmatched", "站名未匹配的加油记录", "statements with stations that nobody knows", _WRITE,
          "把站名登记为加油站的别名", "enter the name as an alias of the station", "/v1/fuel-transactions", (("unmatched", "true"),)),
    _Kind("calendar_gap", "工作日安排未公布的日期", "days of which nobody knows whether they are worked", _WRITE,
          "按国务院通知补登日历（管辖全部单位的人员）", "enter the days of the yearly notice (who reaches all units)",
          everywhere=True),
    _Kind("judgements_waiting", "等待事实的判定", "judgements that wait for facts", _WRITE,
          "补齐所等的轨迹、派车单或路线", "bring what they wait for: tracks, orders, routes", "/v1/evaluations/waiting"),
    _Kind("tasks_open", "待整改的数据问题", "data problems that cases found", _WRITE,
          "改正后标记完成", "put it right and mark it done", "/v1/tasks", (("state", "open"),)),
    _Kind("set_aside", "隔离的定位数据", "positions that were set aside", "ops:read",
          "运行 gongche quarantine 查看并重试", "look and try again with gongche quarantine", everywhere=True),
    _Kind("messages_dead", "未送达的消息", "messages that did not reach people", "users:manage",
          "更正接收地址后重发", "put the address right and send again", "/v1/message-failures"),
)  # fmt: skip
_OF: Final = {kind.kind: kind for kind in KINDS}


@router.get(
    "/data-quality", summary="数据质量 / what is wrong with the data", response_model=Quality,
    dependencies=[require(*PERMISSIONS)],
)  # fmt: skip
async def data_quality(request: Request) -> Response:
    """Each with its number, the list that shows it, and who can put it right. What you lack the permission for is left out: terminals'
    notices, orders, stations, statements and the calendar need `registry:read`, vehicles that are not heard of `tracks:read`, judgements
    `alerts:read`, tasks `cases:read`, messages `users:manage`, and what was set aside `ops:read` everywhere. Answers are kept for a few
    seconds (`as_of`)."""
    found = await request.app.state.recent.get(
        ("quality", rights_of(subject_of(request))), lambda: _made(request)
    )
    return json_response(found)


async def _made(request: Request) -> dict[str, Any]:
    return {"as_of": utc_now(), "items": await quality_items(request)}


async def quality_items(request: Request) -> list[dict[str, Any]]:
    """All that the subject may see."""
    subject, found = subject_of(request), dict[str, int]()
    firsts: dict[str, str] = {}
    lists = {kind.kind: _opens(kind) for kind in KINDS}
    if subject.may("registry:read"):
        async with scoped(request, "registry:read", read_only=True) as connection:
            found |= await quality.of_records(connection)
            gap = await quality.calendar_gap(connection, _today())
            found["calendar_gap"] = len(gap)
            if gap:
                firsts["calendar_gap"] = gap[0].isoformat()
    if subject.may("tracks:read"):
        async with scoped(request, "tracks:read", read_only=True) as connection:
            fleet, _ = await standings_of(connection, SILENT_DAYS)
        for kind, standing in (
            ("vehicles_silent", "silent"),
            ("vehicles_never_seen", "never"),
            ("vehicles_no_terminal", "no_terminal"),
        ):
            found[kind] = fleet[standing]
            lists[kind] = opens_fleet(standing, SILENT_DAYS)
    if subject.may("alerts:read"):
        async with scoped(request, "alerts:read", read_only=True) as connection:
            found["judgements_waiting"] = await count_waiting(connection, MOST_COUNTED)
    if subject.may("cases:read"):
        async with scoped(request, "cases:read", read_only=True) as connection:
            found["tasks_open"] = await count_open_tasks(connection, actor_of(request), MOST_COUNTED)
    # What follows is of people and of the machine, not of units: it is read as these lists are (api.messages.failures).
    async with request.app.state.desk.connection() as connection:
        if subject.may("users:manage"):
            units = await units_reached(connection, subject, "users:manage")
            found["messages_dead"] = await count_dead_of_people(
                connection, None if units is None else sorted(units), MOST_COUNTED
            )
        if subject.may("ops:read") and subject.reach("ops:read") is None:
            found["set_aside"] = await quarantine.count(connection, MOST_COUNTED)
    return [
        _shown(request, kind, found[kind.kind], firsts.get(kind.kind), lists[kind.kind])
        for kind in KINDS
        if kind.kind in found
    ]


def _today() -> date:
    return utc_now().astimezone(CHINA).date()


def _opens(kind: _Kind) -> dict[str, Any] | None:
    return {"path": kind.path, "query": dict(kind.query)} if kind.path else None


def _shown(
    request: Request, kind: _Kind, count: int, first: str | None, opens: dict[str, Any] | None
) -> dict[str, Any]:
    roles = [role for role, has in ROLE_PERMISSIONS.items() if kind.permission in has]
    subject = subject_of(request)
    may = subject.may(kind.permission) and not (
        kind.everywhere and subject.reach(kind.permission) is not None
    )
    return {
        "kind": kind.kind,
        "zh": kind.zh,
        "en": kind.en,
        "count": min(count, MOST_COUNTED),
        "at_least": count > MOST_COUNTED,
        "first": first,
        "opens": opens,
        "mend": {
            "permission": kind.permission,
            "roles": roles,
            "role_names": _names(roles),
            "you": may,
            "zh": kind.how_zh,
            "en": kind.how_en,
        },
    }


def _names(roles: Iterable[Any]) -> list[str]:
    return [ROLE_NAMES[role].partition(" / ")[0] for role in roles]
