"""An order of a platform above to deal with an alarm (0x9401) becomes a draft of a supervision order (source 交办), which the office takes
from there. Its answer follows from the case (``office.platforms.urging``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gongche.exchange809 import metrics
from gongche.exchange809.wire import clean
from office.identity.subject import Grant, Kind, Subject
from office.platforms import urging
from office.platforms.fleet import Fitted, Fleet
from office.platforms.links import Link
from office.supervision.actors import Actor
from office.supervision.commanding import draft
from office.supervision.contents import CaseContents, Source
from runtime.errors import GongcheError
from runtime.units import CHINA
from telemetry.jt809.tables import WARN_SOURCES, WARN_TYPES

_logger = logging.getLogger(__name__)
_YEAR: Final = timedelta(days=365)


def _moment(seconds: Any) -> datetime:
    """Raises ValueError for what is no time of our centuries."""
    if not isinstance(seconds, int) or not 0 <= seconds < 1 << 33:
        raise ValueError(f"no time: {seconds}")
    return datetime.fromtimestamp(seconds, UTC)


def order_of(fields: Mapping[str, Any], vehicle: str | None) -> urging.Order:
    """The order as it came. Raises ValueError."""
    return urging.Order(
        supervision_id=fields["supervision_id"],
        plate=clean(fields["plate"]),
        colour=fields["colour"],
        warn_source=fields["warn_source"],
        warn_type=fields["warn_type"],
        warn_at=_moment(fields["warn_s"]),
        due_at=_moment(fields["due_s"]),
        level=fields["level"],
        supervisor=clean(fields["supervisor"]),
        phone=clean(fields["phone"]),
        email=clean(fields["email"]),
        vehicle=vehicle,
    )


async def take_order(pool: Any, link: Link, fleet: Fleet, fields: Mapping[str, Any]) -> urging.Answer | None:
    """Keep an order and draft a case for it, in one transaction. The same order again makes nothing new: what is to be said of it now, for
    it is asked for once more. A vehicle that is not in the link's
    units, or is secret, is none of ours: then the platform is told that nothing is done. Raises ValueError for a time that is none."""
    order = order_of(fields, None)
    now_us = int(datetime.now(UTC).timestamp() * 1_000_000)
    one = next((one for one in fleet.now(now_us) if one.plate == order.plate and not one.secret), None)
    order = order_of(fields, None if one is None else one.vehicle)
    async with pool.acquire(timeout=5) as connection, connection.transaction():
        if await urging.known(connection, link.name, order.supervision_id):
            return await urging.answer_of(connection, link.name, order.supervision_id)
        case = None
        if one is None or await urging.too_many(connection, link.name):
            reason = "unknown-vehicle" if one is None else "too-many-orders"
            metrics.REFUSED.labels(link.name, reason).inc()
        else:
            try:
                async with connection.transaction():
                    case = await draft(connection, _actor(link, one), _contents(link, order, one))
            except GongcheError as error:
                metrics.REFUSED.labels(link.name, "no-draft").inc()
                _logger.warning("link %s: no draft of order %d: %s", link.name, order.supervision_id, error)
        await urging.keep(connection, link.name, order, case)
    return None


def _actor(link: Link, one: Fitted) -> Actor:
    grant = Grant(frozenset({"cases:draft"}), one.organisation)
    return Actor(Subject(Kind.PROGRAM, f"exchange809:{link.name}", f"上级平台 {link.name}", (grant,)))


def _label(table: Mapping[int, str], code: int) -> str:
    return table.get(code, f"{code:#06x}|").split("|")[0]


def _said(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def _contents(link: Link, order: urging.Order, one: Fitted) -> CaseContents:
    """The draft: what the order says, in words."""
    kind, source = _label(WARN_TYPES, order.warn_type), _label(WARN_SOURCES, order.warn_source)
    lines = [
        f"上级平台 {link.name} 下发报警督办 {order.supervision_id}：{order.plate}，{_said(order.warn_at)}，{kind}（来源：{source}）。",
        f"督办截止时间：{_said(order.due_at)}；级别：{'紧急' if order.level == 0 else '一般'}。",
    ]
    asks = [
        f"{label}：{text}"
        for label, text in (
            ("督办人", order.supervisor),
            ("联系电话", order.phone),
            ("电子邮件", order.email),
        )
        if text
    ]
    if asks:
        lines.append("，".join(asks) + "。")
    now, due_on = datetime.now(UTC), None
    if now < order.due_at < now + _YEAR:
        day = order.due_at.astimezone(CHINA).date()
        due_on = day if day > now.astimezone(CHINA).date() else None
    return CaseContents(
        title=f"上级平台报警督办：{order.plate} {kind}"[:100],
        facts="\n".join(lines),
        level="urgent" if order.level == 0 else "general",
        source=Source.COMMISSION,
        external_no=f"{link.name}-{order.supervision_id}",
        organisation=one.organisation,
        vehicle=one.vehicle,
        due_on=due_on,
    )
