"""The subject: who asks, what this somebody may do, and in which part of the tree of units.

Whatever comes in, with a password, a token or as another program, becomes a ``Subject`` (``api.auth.authentication``), and
nothing behind that asks again how it came in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: What may be allowed, in Chinese / in English. Tokens have some of them, roles bring some with them.
PERMISSIONS: Final[dict[str, str]] = {
    "alerts:read": "读取预警 / read alerts, the feed and evidence",
    "tracks:read": "读取轨迹 / read tracks",
    "registry:read": "读取登记信息 / read organisations, vehicles, terminals, drivers, fences, orders",
    "registry:write": "写入登记信息 / write and import them",
    "positions:write": "上报位置 / send positions over HTTP",
    "ops:read": "读取运行指标和运行情况 / read metrics, and how the processes run",
    "subscriptions:manage": "管理订阅和推送 / own subscriptions of the feed and webhooks",
    "dispositions:write": "回执和处置 / confirm alerts and say what became of them",
    "cases:read": "读取督办 / read supervision orders",
    "cases:draft": "拟办督办 / draft supervision orders, enter complaints",
    "cases:issue": "签发、重新办理督办 / issue them, decide on extensions and returns, reopen",
    "cases:close": "核销督办 / judge replies, close",
    "cases:reply": "签收和回复督办 / sign and answer for the unit, ask for more time",
    "cases:sign": "签批回复 / sign replies as the head of the unit",
    "assessments:read": "查看考核 / read scoring tables and assessment sheets",
    "assessments:manage": "拟定评分表 / draft scoring tables",
    "assessments:decide": "发布评分表、关闭考核表、决定异议 / publish tables, close sheets, decide objections",
    "assessments:dispute": "对考核提出异议 / object to lines of the own sheet",
    "complaints:write": "登记诉求 / hand in complaints of the hotline 12345, nothing else",
    "exchange:peer": "下级平台交换 / another instance: hand in its records, pull what is for it",
    "exchange:read": "读取汇聚数据 / read what other instances handed in, and how the exchange stands",
    "users:manage": "管理用户 / users, their roles, machines",
    "audit:read": "读取审计 / read who did and who read what",
    "commands:read": "查看下发指令 / read commands to terminals and what came of them",
    "commands:send": "下发文本和查询 / send texts to drivers, ask terminals; call back what waits",
    "commands:configure": "设置终端参数、下发围栏 / set parameters of terminals, send fences to them",
    "commands:control": "控制车辆（两人办理） / lock, cut, restart: one person asks, another agrees",
    "trips:read": "查看用车 / read requests and dispatches",
    "trips:apply": "申请用车 / ask for a vehicle, confirm the own trips",
    "trips:enter": "代录申请 / enter requests for others of the unit",
    "trips:approve": "审批用车 / decide on requests",
    "trips:dispatch": "派车 / assign vehicles, change and cancel dispatches",
    "trips:drive": "出车 / accept, depart, return: the own dispatches",
    "trips:rules": "维护审批规则 / approval tables, accounts of drivers",
    "drivers:decide": "审批请假、签发驾驶员考核 / decide on leave of drivers, issue their sheets, decide objections",
    "maintenance:approve": "审批维修 / decide on maintenance and what it may cost",
    "vehicles:agree": "同意调拨、处置 / agree for the unit that a vehicle is transferred or disposed of",
    "vehicles:approve": "批准调拨、处置 / approve transfers and disposals of vehicles",
    "rentals:approve": "批准社会车辆租赁 / decide for the unit on rentals of society's vehicles",
    "notices:publish": "发布通知、公示 / publish notices and records",
    "quotas:write": "核定编制 / set quotas of units, place vehicles in classes",
    "costs:read": "查看费用 / read costs, tariffs, statements",
    "costs:write": "登记费用 / enter, correct and reverse costs, import files of them",
    "costs:tariffs": "维护计价标准 / tariffs of platforms",
    "costs:settle": "出具结算单 / draw statements for the platform, answer objections, correct, declare void",
    "costs:confirm": "确认结算单 / confirm statements for the unit, or object",
    "costs:pay": "登记付款 / say that a statement was paid",
    "costs:reconcile": "对账 / compare the ledger with the vouchers of the finance system",
    "secret:read": "知悉涉密车辆 / see secret vehicles: plate, person, place, track",
    "secret:change": "标记和解除涉密 / mark a vehicle secret; two people lift the mark",
}


class Role(StrEnum):
    """What somebody is in a unit."""

    ADMINISTRATOR = "administrator"  # 系统管理员
    VEHICLE_OFFICE = "vehicle_office"  # 公车管理处经办人
    OFFICE_HEAD = "office_head"  # 公车管理处负责人
    UNIT_ADMINISTRATOR = "unit_administrator"  # 单位车管员
    UNIT_HEAD = "unit_head"  # 单位负责人
    APPROVER = "approver"  # 审批人
    DISPATCHER = "dispatcher"  # 调度员
    DRIVER = "driver"  # 驾驶员
    APPLICANT = "applicant"  # 用车人
    CONTRACTOR = "contractor"  # 社会化平台、租赁企业
    INSPECTOR = "inspector"  # 纪检监察
    FINANCE = "finance"  # 财政、财务
    AUDITOR = "auditor"  # 审计
    SECRET_READER = "secret_reader"  # noqa: S105 - no password; 涉密知悉人, besides another role


ROLE_NAMES: Final[dict[Role, str]] = {
    Role.ADMINISTRATOR: "系统管理员 / administrator",
    Role.VEHICLE_OFFICE: "公车管理处经办人 / vehicle office",
    Role.OFFICE_HEAD: "公车管理处负责人 / head of the vehicle office",
    Role.UNIT_ADMINISTRATOR: "单位车管员 / unit administrator",
    Role.UNIT_HEAD: "单位负责人 / head of the unit",
    Role.APPROVER: "审批人 / approver",
    Role.DISPATCHER: "调度员 / dispatcher",
    Role.DRIVER: "驾驶员 / driver",
    Role.APPLICANT: "用车人 / applicant",
    Role.CONTRACTOR: "社会化平台 / contractor",
    Role.INSPECTOR: "纪检监察 / inspector",
    Role.FINANCE: "财务 / finance",
    Role.AUDITOR: "审计 / auditor",
    Role.SECRET_READER: "涉密知悉人 / cleared for secret vehicles",
}

#: What a role brings with it, in the units below the one that it is held in. The rights follow the table of actors in
#: docs/people.md: who judges a reply cannot write one, finance sees no track, who keeps the users sees no case.
ROLE_PERMISSIONS: Final[dict[Role, frozenset[str]]] = {
    Role.ADMINISTRATOR: frozenset({"users:manage", "ops:read"}),
    Role.VEHICLE_OFFICE: frozenset(
        {
            "alerts:read",
            "tracks:read",
            "registry:read",
            "registry:write",
            "cases:read",
            "cases:draft",
            "cases:close",
            "subscriptions:manage",
            "assessments:read",
            "assessments:manage",
            "exchange:read",
            "secret:change",
            "commands:read",
            "commands:send",
            "commands:configure",
            "commands:control",
            "trips:read",
            "trips:rules",
            "costs:read",
            "costs:tariffs",
            "quotas:write",
        }
    ),
    Role.OFFICE_HEAD: frozenset(
        {
            "alerts:read",
            "tracks:read",
            "registry:read",
            "cases:read",
            "cases:draft",
            "cases:issue",
            "cases:close",
            "assessments:read",
            "assessments:manage",
            "assessments:decide",
            "exchange:read",
            "secret:change",
            "commands:read",
            "commands:send",
            "commands:control",
            "trips:read",
            "maintenance:approve",
            "drivers:decide",
            "vehicles:approve",
            "notices:publish",
            "costs:read",
            "costs:tariffs",
        }
    ),
    Role.UNIT_ADMINISTRATOR: frozenset(
        {
            "alerts:read",
            "tracks:read",
            "registry:read",
            "registry:write",
            "cases:read",
            "cases:reply",
            "assessments:read",
            "assessments:dispute",
            "secret:read",
            "secret:change",
            "commands:read",
            "commands:send",
            "trips:read",
            "trips:apply",
            "trips:enter",
            "trips:rules",
            "costs:read",
            "costs:write",
        }
    ),
    Role.UNIT_HEAD: frozenset(
        {
            "alerts:read",
            "tracks:read",
            "registry:read",
            "cases:read",
            "cases:reply",
            "cases:sign",
            "assessments:read",
            "assessments:dispute",
            "secret:read",
            "secret:change",
            "commands:read",
            "trips:read",
            "trips:apply",
            "trips:approve",
            "maintenance:approve",
            "drivers:decide",
            "vehicles:agree",
            "rentals:approve",
            "costs:read",
            "costs:confirm",
        }
    ),
    Role.APPROVER: frozenset({"registry:read", "secret:read", "trips:read", "trips:apply", "trips:approve"}),
    Role.DISPATCHER: frozenset(
        {
            "registry:read",
            "tracks:read",
            "secret:read",
            "commands:read",
            "commands:send",
            "trips:read",
            "trips:enter",
            "trips:dispatch",
            "costs:read",
            "costs:settle",
        }
    ),
    Role.DRIVER: frozenset({"trips:drive"}),
    Role.APPLICANT: frozenset({"trips:apply"}),
    Role.CONTRACTOR: frozenset({"registry:read", "costs:read"}),
    Role.INSPECTOR: frozenset(
        {
            "alerts:read",
            "tracks:read",
            "registry:read",
            "cases:read",
            "dispositions:write",
            "subscriptions:manage",
            "assessments:read",
            "exchange:read",
            "commands:read",
            "trips:read",
            "costs:read",
        }
    ),
    Role.FINANCE: frozenset({"registry:read", "costs:read", "costs:pay", "costs:reconcile"}),
    Role.AUDITOR: frozenset({"audit:read", "costs:read"}),
    Role.SECRET_READER: frozenset({"secret:read"}),
}


class Kind(StrEnum):
    """How a subject came in."""

    USER = "user"  # a person
    CLIENT = "client"  # a program, by OAuth2 client credentials
    TOKEN = "token"  # noqa: S105 - a program, by a token
    PROGRAM = "program"  # a command on the machine itself


@dataclass(frozen=True, slots=True)
class Grant:
    """``permissions`` in the unit ``organisation`` and all units below it (None = everywhere). ``role``: what they come
    from, None for those of a token. ``delegated_by``: the id of the user whose role it is, None = it is the subject's own."""

    permissions: frozenset[str]
    organisation: str | None
    role: Role | None = None
    delegated_by: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks. ``id`` is unique within ``kind``; ``grants`` are those that hold now."""

    kind: Kind
    id: str
    name: str
    grants: tuple[Grant, ...]

    @property
    def key(self) -> str:
        """``user:li``: unique among all who can ask."""
        return f"{self.kind}:{self.id}"

    def may(self, *permissions: str) -> bool:
        """Whether the subject has one of ``permissions`` in any unit."""
        return any(not grant.permissions.isdisjoint(permissions) for grant in self.grants)

    def reach(self, *permissions: str) -> frozenset[str] | None:
        """The units in which, and below which, the subject has one of ``permissions``; None = everywhere."""
        units = [grant.organisation for grant in self.grants if not grant.permissions.isdisjoint(permissions)]
        return None if None in units else frozenset(unit for unit in units if unit is not None)

    def hats(self, permissions: Collection[str], units: Collection[str]) -> list[frozenset[str]]:
        """Whose act it is (keys) when the subject uses one of ``permissions`` in one of ``units`` or everywhere: a set for each way in
        which it has it, own rights first. Empty: it has none."""
        found = []
        for grant in sorted(self.grants, key=lambda grant: grant.delegated_by or ""):
            held = not grant.permissions.isdisjoint(permissions)
            if held and (grant.organisation is None or grant.organisation in units):
                by = set() if grant.delegated_by is None else {f"{Kind.USER}:{grant.delegated_by}"}
                found.append(frozenset({self.key, *by}))
        return list(dict.fromkeys(found))

    def roles(self) -> frozenset[Role]:
        """The roles of the subject, in whatever unit."""
        return frozenset(grant.role for grant in self.grants if grant.role is not None)


def grants_of_role(role: Role, organisation: str | None, delegated_by: str | None = None) -> Grant:
    """What ``role`` in ``organisation`` brings with it."""
    return Grant(ROLE_PERMISSIONS[role], organisation, role, delegated_by)


def unknown_permissions(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are no permissions, sorted."""
    return sorted(set(names).difference(PERMISSIONS))
