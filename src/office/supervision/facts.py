"""What a draft is made of: the alerts with their numbers, and whether the records that it names are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from office.supervision.contents import CaseContents, plain
from registry.organisations import organisation_exists
from rules.alerts.model import Alert
from rules.catalogue import RULE_NAMES
from runtime.connection import Connection
from runtime.errors import InvalidError, NotThereError
from runtime.units import CHINA

#: Kind of record -> (its name, the SQL that says which ids are there).
_RECORDS: Final[Mapping[str, tuple[str, str]]] = {
    "vehicle": (
        "没有这辆车 · no such vehicle",
        "SELECT id FROM vehicles WHERE id = ANY($1::text[])",
    ),
    "driver": ("没有这名驾驶员 · no such driver", "SELECT id FROM drivers WHERE id = ANY($1::text[])"),
    "orders": (
        "没有这张派车单 · no such order",
        "SELECT DISTINCT id FROM dispatch_orders WHERE id = ANY($1::text[])",
    ),
    "helpers": ("没有这个单位 · no such unit", "SELECT id FROM organisations WHERE id = ANY($1::text[])"),
}


async def alerts_by_id(connection: Connection, ids: Collection[str]) -> list[Alert]:
    """The newest versions of those of ``ids`` that are there, by time."""
    rows = await connection.fetch(
        "SELECT v.body FROM alerts a JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version"
        " WHERE a.id = ANY($1::text[])",
        sorted(ids),
    )
    found = [Alert.from_body(row["body"]) for row in rows]
    return sorted(found, key=lambda alert: (alert.occurred_from, alert.id))


async def complete(connection: Connection, given: CaseContents) -> dict[str, Any]:
    """The body of a draft: ``given`` with unit, vehicle, driver, orders, facts and figures filled in from its alerts.

    Raises NotThereError and InvalidError for what is not there or does not fit together."""
    body = plain(given)
    alerts = await alerts_by_id(connection, given.alerts)
    _fitting(given, alerts)
    if alerts:
        body.setdefault("organisation", alerts[0].organisation)
        for name in ("vehicle", "driver"):
            values = {getattr(alert, name) for alert in alerts}
            if len(values) == 1 and (value := values.pop()) is not None:
                body.setdefault(name, value)
        named = [alert.order for alert in alerts if alert.order is not None]
        body["orders"] = list(dict.fromkeys((*given.orders, *named)))
        body["figures"] = [_figures(alert) for alert in alerts]
        body["facts_original"] = facts_of(alerts)
        body.setdefault("facts", body["facts_original"])
    await _refuse_unknown(connection, given, body)
    return body


def _fitting(given: CaseContents, alerts: Sequence[Alert]) -> None:
    missing = set(given.alerts) - {alert.id for alert in alerts}
    if missing:
        raise NotThereError(f"没有这条预警 · no such alert: {min(missing)}")
    for alert in alerts:
        if alert.status == "withdrawn":
            raise InvalidError(
                "/alerts", f"预警 {alert.id} 已撤销，不能督办 · alert {alert.id} was withdrawn"
            )
    units = {alert.organisation for alert in alerts}
    if len(units) > 1 and given.organisation is None:
        raise InvalidError(
            "/organisation",
            f"预警分属 {'、'.join(sorted(units))}，请分单位立单或指定责任单位 · the alerts are of several units: name the one"
            " that answers, or draft an order for each",
        )


async def _refuse_unknown(connection: Connection, given: CaseContents, body: Mapping[str, Any]) -> None:
    if not await organisation_exists(connection, body["organisation"]):
        raise InvalidError(
            "/organisation", f"单位 {body['organisation']} 未登记 · no such unit: {body['organisation']}"
        )
    for name, (said, sql) in _RECORDS.items():
        value = getattr(given, name)
        wanted = [value] if isinstance(value, str) else list(value or ())
        if not wanted:
            continue
        known = {row["id"] for row in await connection.fetch(sql, wanted)}
        if unknown := sorted(set(wanted) - known):
            raise InvalidError(f"/{name}", f"{said}: {unknown[0]}")


def facts_of(alerts: Sequence[Alert]) -> str:
    """The facts in words: a sentence for each alert, with its numbers."""
    lines = []
    for number, alert in enumerate(alerts, 1):
        when = alert.occurred_from.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
        name = RULE_NAMES.get(alert.rule, alert.rule)
        lines.append(f"{number}. {alert.plate or '-'}，{when}，{name}：{alert.summary}")
    return "\n".join(lines)


def _figures(alert: Alert) -> dict[str, Any]:
    """The numbers of an alert as they were when the draft was made."""
    told = alert.body()
    names = (
        "id",
        "version",
        "rule",
        "severity",
        "vehicle",
        "plate",
        "order",
        "occurred_from",
        "occurred_to",
        "summary",
    )
    return {name: told[name] for name in (*names, "measures", "parameters", "evidence_hash")}
