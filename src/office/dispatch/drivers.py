"""Which driver may be sent: licence, leave, roster; and who else could, where he may not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from office.dispatch.fitness import fitness
from office.dispatch.planner.facts import Busy
from office.dispatch.vehicles import Sent, taken_within
from registry.drivers import drivers_of_units
from registry.duty import leaves_within, rosters_of
from registry.licences import BODY_NAMES, classes_for
from registry.particulars import carries_of
from registry.shifts import on_duty
from registry.vehicle_papers import classes_short, lapse_of_driver, trip_days
from registry.vehicles import VehicleInfo
from runtime.connection import Connection
from runtime.errors import InvalidError
from runtime.units import CHINA

#: So many are named who could drive.
_NAMED: Final = 3


async def refuse_unable(
    connection: Connection,
    sent: Sent,
    since: datetime,
    until: datetime,
    *,
    called: bool = False,
    out: bool = False,
) -> None:
    """Raises InvalidError, which names who else could drive, for a driver whose licence has ended within [since, until) or is none for such a vehicle, who is on
    leave, or who is not on duty; ``called``: for an emergency, which may call him in; ``out``: he is on this trip now, and goes on whatever his roster says. To be asked when vehicle and driver are held."""
    if sent.driver is None:
        return
    why = await _why_not(connection, sent.driver, sent.driver_name or sent.driver, sent.vehicle, since, until, called=called, out=out)  # fmt: skip
    if why is not None:
        others = await _others(connection, sent, since, until)
        raise InvalidError("/driver", f"{why[0]}。{others[0]} · {why[1]}; {others[1]}")


async def _why_not(
    connection: Connection, driver: str, name: str, vehicle: VehicleInfo, since: datetime, until: datetime, *, called: bool, out: bool
) -> tuple[str, str] | None:  # fmt: skip
    """Why a driver may not drive, in Chinese and in English; None: he may."""
    first, last = trip_days(since, until)
    lapse = await lapse_of_driver(connection, driver, first, last)
    if lapse is not None:
        day = lapse.last.isoformat()
        return (
            f"驾驶员 {name} 的驾驶证有效期至 {day}，届时已过期，不能派出；已换证的请登记新的驾驶证",
            f"the licence of {name} ends on {day}; enter the new one if there is one",
        )
    known = (await carries_of(connection, [vehicle.id])).get(vehicle.id)
    if known is not None and known.body is not None:
        held = await classes_short(connection, driver, known.body, known.automatic, first, last)
        if held is not None:
            wanted = "、".join(classes_for(known.body, automatic=known.automatic))
            return (
                f"驾驶员 {name} 的准驾车型为 {'、'.join(held)}，不能驾驶{BODY_NAMES[known.body]}（须 {wanted} 之一）",
                f"{name} holds {' '.join(held)}, and {vehicle.plate} needs one of {wanted}",
            )
    if out:
        return None
    for _, begins, ends in await leaves_within(connection, [driver], since, until):
        span = _span(begins, ends)
        return f"驾驶员 {name} 届时请假（{span}），不能派出", f"{name} is on leave then ({span})"
    roster = None if called else (await rosters_of(connection, [driver], first, last)).get(driver)
    if roster is not None and not on_duty(roster.spans(first, last), int(since.timestamp()), int(until.timestamp())):  # fmt: skip
        span = _span(since, until)
        return (
            f"驾驶员 {name} 届时（{span}）不当班，不能派出；确需加班的请先调整排班",
            f"{name} is not on duty then ({span}); change the roster first if he is to work",
        )
    return None


async def _others(connection: Connection, sent: Sent, since: datetime, until: datetime) -> tuple[str, str]:
    """Who else of the vehicle's unit could drive it then, in Chinese and in English."""
    people = {id: name for id, name, _ in await drivers_of_units(connection, [sent.vehicle.organisation]) if id != sent.driver}  # fmt: skip
    begin, end = int(since.timestamp()), int(until.timestamp())
    fit = await fitness(connection, [sent.vehicle.id], list(people), since, until, end)
    taken = {each.driver for each in await taken_within(connection, (), list(people), since, until)}
    wanted = fit.wanted.get(sent.vehicle.id)

    def able(id: str) -> bool:
        held = fit.held.get(id)
        return (
            id not in taken
            and (wanted is None or held is None or not wanted.isdisjoint(held))
            and not any(_overlaps(each, begin, end) for each in fit.drivers.get(id, ()))
            and on_duty(fit.duty.get(id), begin, end)
        )

    found = [f"{name}（{id}）" for id, name in people.items() if able(id)]
    if not found:
        return "该车单位届时没有其他可派的驾驶员，请改时间、改派其他单位的车辆，或请单位调整排班", "nobody else of the vehicle's unit can drive then"  # fmt: skip
    named = "、".join(found[:_NAMED]) + (f" 等 {len(found)} 名" if len(found) > _NAMED else "")
    return f"届时可派的驾驶员：{named}", f"who can: {', '.join(found[:_NAMED])}"


def _overlaps(busy: Busy, since_s: int, until_s: int) -> bool:
    return busy.since_s < until_s and busy.until_s > since_s


def _span(since: datetime, until: datetime) -> str:
    last = until - timedelta(microseconds=1) if until.astimezone(CHINA).strftime("%H%M") == "0000" else until
    return f"{since.astimezone(CHINA):%m-%d %H:%M} 至 {last.astimezone(CHINA):%m-%d %H:%M}"
