"""Plants of ``card_binding``, ``card_use`` and ``refuel_frequency``. See docs/scenario.md."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rules.checks import card_binding, card_use, refuel_frequency
from runtime.units import US_PER_S
from simulation.plants.cars import Car
from simulation.plants.day import pair
from simulation.plants.geometry import OUTSIDE_M, at_distance
from simulation.plants.planner import DAY, HOUR, MIN, Planner, binding_rows
from simulation.plants.world import NONE, NORMAL, SUSPECTED, UNDETERMINED, stamp

# --- card_binding -----------------------------------------------------------------------------------------------------


def _bound(p: Planner, card: str, since: int, outcome: str, reason: str = "", severity: str = "") -> None:
    subject = card_binding.subject(card, since * US_PER_S)
    p.expect("card_binding", outcome, subject, reason=reason, severity=severity)


def _loose(p: Planner, card: str, outcome: str, reason: str = "") -> None:
    p.expect("card_binding", outcome, card_binding.subject(card, None), reason=reason)


def bindings(p: Planner) -> None:
    """Cards of vehicles that need not move: private plates, disposed vehicles, nothing at all, and what looks like it."""
    unit = p.organisations[0]
    since = p.earliest_s + HOUR
    day = p.workdays()

    def car(**fields: object) -> Car:
        return p.car(unit, terminal=False, **fields)  # type: ignore[arg-type]  # fields of the record

    def correct(at_s: int, of: Car, **fields: object) -> None:
        known = next(f for f in p.facts if f.key == ("vehicles", of.id))
        p.enter(at_s, "vehicles", known.body | fields)

    def bound(to: Car, *spans: tuple[str, int, int | None], **fields: object) -> str:
        return p.card(to, *spans, **fields)  # type: ignore[arg-type]

    p.kind = "official_plate"
    one = car()
    _bound(p, bound(one), since, NORMAL, "official")
    p.kind = "private_plate"
    card = bound(one, (f"苏FP{p.seed % 10}{len(p.cars):03d}", p.at(day[1], 9), None))
    _bound(p, card, p.at(day[1], 9), SUSPECTED, "not_official", "high")
    p.kind = "private_for_hours"  # bound to a private plate for four hours, and back
    private = f"苏FQ{p.seed % 10}{len(p.cars):03d}"
    a, b = p.at(day[2], 9), p.at(day[2], 13)
    card = bound(one, (one.plate, since, a), (private, a, b), (one.plate, b, None))
    _bound(p, card, a, SUSPECTED, "not_official", "high")
    _bound(p, card, b, NORMAL, "official")
    p.kind = "registered_late"  # the register is corrected afterwards: withdrawn
    card = bound(one, (f"苏FR{p.seed % 10}{len(p.cars):03d}", p.at(day[1], 9), None))
    _bound(p, card, p.at(day[1], 9), NORMAL, "official")
    plate = next(f for f in p.facts if f.key == ("fuel-cards", card)).body["bindings"][0]["plate"]
    p.enter(
        p.at(day[6], 10),
        "vehicles",
        {
            "id": f"V-{p.seed}-R{len(p.cars):03d}", "plate": plate, "organisation": unit.id,
            "registered_on": p.iso(1),
        },
    )  # fmt: skip
    p.kind = "before_registration"
    late = car(registered_on=p.iso(day[3]))
    _bound(p, bound(late, (late.plate, p.at(day[2], 9), None)), p.at(day[2], 9), SUSPECTED, "not_official", "high")  # fmt: skip
    p.kind = "disposed"
    old = car()
    _bound(p, bound(old), since, SUSPECTED, "disposed", "medium")
    correct(p.at(day[4], 10), old, disposed_on=p.iso(day[4]))
    p.kind = "unbound_in_time"
    old = car()
    card = bound(old, (old.plate, since, p.at(day[4])))
    p.enter(p.at(day[4], 9), "fuel-cards", _closed(p, card, day[4]))
    _bound(p, card, since, NORMAL, "official")
    correct(p.at(day[4], 10), old, disposed_on=p.iso(day[4]))
    p.kind = "closed_in_time"
    old = car()
    card = bound(old)
    p.enter(p.at(day[3], 9), "fuel-cards", _closed(p, card, day[3]))
    _bound(p, card, since, NORMAL, "official")
    _loose(p, card, NONE)
    correct(p.at(day[4], 10), old, disposed_on=p.iso(day[4]))
    p.kind = "plate_handed_on"  # from one vehicle to the next without a gap
    old = car()
    _bound(p, bound(old), since, NORMAL, "official")
    correct(p.at(day[4], 10), old, disposed_on=p.iso(day[5]))
    p.enter(
        p.at(day[4], 11),
        "vehicles",
        {
            "id": f"V-{p.seed}-H{len(p.cars):03d}", "plate": old.plate, "organisation": unit.id,
            "registered_on": p.iso(day[5]),
        },
    )  # fmt: skip
    p.kind = "bound_to_nothing"
    card = bound(one, (one.plate, since, p.at(day[7], 9)))
    _bound(p, card, since, NORMAL, "official")
    _loose(p, card, SUSPECTED, "not_bound")
    p.kind = "bound_again"  # withdrawn when it is bound again
    card = bound(one, (one.plate, since, p.at(day[4], 9)))
    later = ((one.plate, since, p.at(day[4], 9)), (one.plate, p.at(day[7], 9), None))
    body = next(f for f in p.facts if f.key == ("fuel-cards", card)).body
    p.enter(p.at(day[7], 9), "fuel-cards", body | {"bindings": binding_rows(later)})
    _loose(p, card, NONE)
    p.kind = "master_card"  # cannot fill, and needs no vehicle
    card = p.card(one, kind="master", bindings=[])
    _loose(p, card, NORMAL, "master")
    p.kind = "master_card_that_fills"
    card = p.card(one, kind="master", bindings=[])
    p.fill(card, p.at(day[3], 9), None, station_name="外省某加油站")
    _loose(p, card, SUSPECTED, "not_bound")
    p.kind = "rented"  # official for the dates of its report, and bound a day too long
    for kind, until, outcome, reason in (
        ("rented", p.at(day[6]), NORMAL, "official"),
        ("rented_too_long", p.at(day[6]) + 1, SUSPECTED, "report_ended"),
    ):
        p.kind = kind
        dates = {"registered_on": p.iso(day[2]), "disposed_on": p.iso(day[6])}
        hired = car(ownership="rented", report="报备〔2025〕9号", **dates)
        card = bound(hired, (hired.plate, p.at(day[2]), until), (one.plate, until, None))
        _bound(p, card, p.at(day[2]), outcome, reason, "medium" if outcome == SUSPECTED else "")
    p.kind = "grace_of_the_unit_above"  # 60 days of grace, set above: the unit below has them, too
    upper, lower = f"ORG-{p.seed}-UP", f"ORG-{p.seed}-LOW"
    p.enter(p.earliest_s, "organisations", {"id": upper, "name": "测试市机关事务管理局"})
    p.enter(p.earliest_s + 1, "organisations", {"id": lower, "name": "测试市机关车队", "parent": upper})
    for rule, name, value in (("card_binding", "grace_days", 60), ("traffic_violations", "by_driver", 1)):
        p.enter(
            p.earliest_s + 60,
            "parameters",
            {
                "rule": rule, "name": name, "organisation": upper, "value": value,
                "effective_from": stamp(p.earliest_s), "source": "测试市机关事务局〔2025〕2 号",
            },
        )  # fmt: skip
    card = bound(one, (one.plate, since, p.at(day[7], 9)), organisation=lower)
    _loose(p, card, NONE)
    p.kind = "in_future"
    future = p.at(1) + 90 * DAY
    card = bound(one, (one.plate, since, future), (f"苏FU{p.seed % 10}{len(p.cars):03d}", future, None))
    _bound(p, card, future, NONE)
    _bound(p, card, since, NORMAL, "official")


def _closed(p: Planner, card: str, day: int) -> dict[str, object]:
    known = next(f for f in p.facts if f.key == ("fuel-cards", card))
    return known.body | {"status": "closed", "closed_on": p.iso(day)}


# --- card_use ---------------------------------------------------------------------------------------------------------


def _used(p: Planner, kind: str, transaction: str, reason: str) -> None:
    p.kind = kind
    accuses = ("not_entered", "passed")
    outcome = SUSPECTED if reason in accuses else NORMAL if reason == "entered" else UNDETERMINED
    severity = "high" if outcome == SUSPECTED else ""
    p.expect("card_use", outcome, card_use.subject(transaction), reason=reason, severity=severity)


def card_uses(p: Planner) -> None:
    """One noiseless vehicle that stands at two places for an hour, and fills there and elsewhere."""
    car, day = p.car(p.organisations[0], exact=True), p.workdays()[2]
    centre = np.array(p.organisation(car).centre)
    out = (centre - p.network.nodes[p.organisation(car).gate]) / 105.0
    here, next_ = pair(centre + 5_000 * out), pair(centre + 9_000 * out)
    bearing = float(np.degrees(np.arctan2(out[0], out[1]))) + 90.0
    start = p.at(day, 9)
    marks = p.go_straight(car, start, [(here, 14.0), (None, 60 * MIN), (next_, 20.0), (None, 60 * MIN)])
    leave, back = start + MIN, marks[-2][0] + MIN
    car.awake.append((start - 80 * MIN, start))
    p.order(car, leave, back, [p.place(None, "加油、办事")])
    place, arrived, left = marks[1][1], marks[1][0], marks[2][0]
    middle = (arrived + left) // 2

    def near(metres: float, *, beyond: bool) -> str:
        return p.station(at_distance(place, metres, bearing, beyond=beyond))

    def box(low: float, high: float, half: float) -> list[list[float]]:
        side = np.array([-out[1], out[0]])
        corners = ((low, -half), (high, -half), (high, half), (low, half))
        return p.ring([pair(np.array(here) + a * side + b * out) for a, b in corners])

    def area(*rings: list[list[float]]) -> str:
        return p.station(datum="wgs84", geometry={"type": "Polygon", "coordinates": list(rings)})

    def use(kind: str, station: str | None, at_s: int, reason: str, **fields: object) -> None:
        _used(p, kind, p.fill(p.card(car), at_s, station, **fields), reason)  # type: ignore[arg-type]

    use("radius_within", near(200.0, beyond=False), middle, "entered")
    use("radius_beyond", near(200.0 + OUTSIDE_M, beyond=True), middle, "not_entered")
    use("margin_within", area(box(29.8, 90, 30)), middle, "entered")
    use("margin_beyond", area(box(30.2, 90, 30)), middle, "not_entered")
    use("in_the_hole", area(box(-90, 90, 90), box(-31, 31, 31)[::-1]), middle, "not_entered")
    at_place = p.station(place)
    use("window_at_its_end", at_place, left + 15 * MIN, "entered")
    use("window_passed", at_place, left + 15 * MIN + 11, "not_entered")
    use("window_not_yet", at_place, arrived - 15 * MIN - 15, "not_entered")
    # On its way to the next place it drives past at 72 km/h: no entry.
    use("drove_past", p.station(pair(np.array(here) + 2_000 * out)), left + 100, "passed")
    # Of some rows only the booking is known, hours later: the vehicle was there on that day, or not.
    use("booked_and_there", at_place, p.at(day, 22), "entered", posted=True)
    use(
        "booked_elsewhere",
        p.station(pair(np.array(here) + 3_500 * out)),
        p.at(day, 22),
        "posting_time",
        posted=True,
    )
    use("no_coordinates", p.station(), middle, "no_coordinates")
    use("station_unknown", None, middle, "station_unknown", station_name="外省某加油站")
    other = p.station(pair(np.array(here) + 3_000 * out))
    p.kind = "no_fill"
    for kind, amount in (("top_up", "1000.00"), ("fee", "2.00")):
        row = p.fill(p.card(car), middle, other, kind=kind, amount=amount)
        p.expect("card_use", NONE, card_use.subject(row))
    p.kind = "urea"
    row = p.fill(p.card(car), middle, other, 20_000, product="车用尿素")
    p.expect("card_use", NONE, card_use.subject(row))
    p.kind = "negative_quantity"  # takes back the fill of the same card, station and quantity
    card = p.card(car)
    row = p.fill(card, middle, other, 27_000)
    p.fill(card, middle + 6 * MIN, other, quantity="-27.000", amount="-202.00", entered_s=middle + 5 * DAY)
    p.expect("card_use", NONE, card_use.subject(row))
    p.kind = "reversal_alone"  # takes nothing back: shown
    row = p.fill(p.card(car), middle, other, quantity="-26.000", amount="-195.00")
    p.expect("card_use", UNDETERMINED, card_use.subject(row), reason="reversal_unmatched")
    p.kind = "taken_back"
    card = p.card(car)
    row = p.fill(card, middle, other, 31_000)
    p.fill(
        card, middle + 5 * MIN, other, 31_000, kind="reversal", amount="-232.00", entered_s=middle + 5 * DAY
    )
    p.expect("card_use", NONE, card_use.subject(row))
    p.kind = "not_bound"
    card = p.card(car, (car.plate, middle + DAY, None), at_s=middle + DAY)
    _used(p, "not_bound", p.fill(card, middle, at_place, entered_s=middle + 2 * DAY), "not_bound")
    private = f"苏FN{p.seed % 10}{len(p.cars):03d}"
    card = p.card(car, (private, p.earliest_s + HOUR, None))
    _used(p, "not_official", p.fill(card, middle, at_place), "not_official")
    _bound(p, card, p.earliest_s + HOUR, SUSPECTED, "not_official", "high")
    # The next working day: parked with a wakeful terminal; with one that sleeps; and out with no network.
    day = p.workdays()[3]
    noon = p.at(day, 12)
    car.awake.append((noon - 80 * MIN, noon + 80 * MIN))
    distant = p.station(pair(centre + 4_000 * out))
    use("parked_elsewhere", distant, noon, "not_entered")
    use("asleep_elsewhere", distant, p.at(day, 18), "gap")
    day = p.workdays()[5]
    start = p.at(day, 9)
    marks = p.go_straight(car, start, [(here, 14.0), (None, 40 * MIN)])
    p.order(car, start + MIN, marks[-2][0] + MIN, [p.place(None, "加油")])
    car.offline.append((start + 5 * MIN, start + 13 * HOUR))
    use("uploaded_late", at_place, marks[1][0] + 20 * MIN, "entered")
    day = p.workdays()[9]
    car.silent.append((p.at(day, 0), p.at(day, 24)))
    use("no_track", distant, p.at(day, 12), "no_track")


# --- refuel_frequency -------------------------------------------------------------------------------------------------


def refuels(p: Planner) -> None:
    """Cards of one vehicle, filled at its unit's own pump between two orders in every way."""
    car = p.car(p.organisations[0])
    other_car = p.car(p.organisations[0])
    pump = p.station(p.organisation(car).centre)
    elsewhere = p.station()
    days = p.workdays()
    first, second, third, last = days[1], days[6], days[8], days[-4]

    def quiet_order(day: int, **fields: object) -> tuple[str, int, int]:
        leave, back = p.at(day, 9), p.at(day, 10)
        return p.order(car, leave, back, [p.place(None, "市区")], **fields), leave, back  # type: ignore[arg-type]

    one, _, back = quiet_order(first)
    _, leave, _ = quiet_order(second)
    noon = p.at(first + 1, 12)

    def row(kind: str, fills: list[tuple[int, dict[str, object]]], reason: str, after: str = one) -> str:
        p.kind = kind
        card = p.card(car)
        _fills(p, card, pump, fills)
        _often(p, card, after, reason)
        return card

    row("two_fills", [(noon, {}), (noon + DAY, {})], "often")
    row("one_fill", [(noon, {})], "few")
    row("split_payment", [(noon, {}), (noon + 10 * MIN, {})], "few")
    row("not_split", [(noon, {}), (noon + 10 * MIN + 1, {})], "often")
    row("two_stations", [(noon, {}), (noon + 5 * MIN, {"station": elsewhere})], "often")
    row(
        "no_fills", [(noon, {}), (noon + HOUR, {"kind": "top_up"}), (noon + 2 * HOUR, {"kind": "fee"})], "few"
    )
    taken = {"kind": "reversal", "amount": "-300.00", "entered_s": noon + 6 * DAY}
    row("reversed", [(noon, {}), (noon + HOUR, {}), (noon + HOUR + MIN, taken)], "few")
    row("urea", [(noon, {}), (noon + DAY, {"product": "车用尿素"})], "few")
    row("booked", [(noon, {}), (noon + DAY, {"posted": True})], "posting_time")
    p.kind = "charging"
    card = p.card(car)
    charge: dict[str, object] = {"product": "充电", "energy": "electric"}
    _fills(p, card, pump, [(noon, charge), (noon + DAY, charge)])
    p.expect("refuel_frequency", NONE, refuel_frequency.subject(card, one))
    row("at_the_return", [(back, {}), (noon, {})], "few")
    row("after_the_return", [(back + 1, {}), (noon, {})], "often")
    row("at_the_departure", [(noon, {}), (leave, {})], "few")
    row("before_the_departure", [(noon, {}), (leave - 1, {})], "often")
    # An order that nobody closed: to its planned return and two hours more the vehicle is out.
    forgotten = p.car(p.organisations[0], terminal=False)
    left = p.number("D")
    planned = p.at(first, 17)
    p.enter(
        p.at(first, 8), "dispatch-orders",
        {
            "id": left, "organisation": forgotten.organisation, "vehicle": forgotten.id, "driver": forgotten.driver,
            "purpose": "公务出行", "destinations": [p.place(None, "市区")], "status": "departed",
            "planned_departure": stamp(p.at(first, 9)), "planned_return": stamp(planned),
            "actual_departure": stamp(p.at(first, 9)),
        },
    )  # fmt: skip
    for kind, begun, reason in (
        ("after_an_open_order", planned + 2 * HOUR + 1, "often"), ("within_an_open_order", planned + 2 * HOUR, "few"),
    ):  # fmt: skip
        p.kind = kind
        card = p.card(forgotten)
        _fills(p, card, elsewhere, [(begun, {}), (begun + DAY, {})])
        _often(p, card, left, reason)
    p.kind = "bound_elsewhere"
    change = noon + HOUR
    card = p.card(car, (car.plate, p.earliest_s + HOUR, change), (other_car.plate, change, None))
    _fills(p, card, pump, [(noon, {}), (change + HOUR, {})])
    _often(p, card, one, "few")
    third_order, _, _ = quiet_order(third)
    row("late_order", [(p.at(third + 1, 8), {}), (p.at(third + 2, 20), {})], "few", after=third_order)
    p.order(
        car,
        p.at(third + 2, 8),
        p.at(third + 2, 18),
        [p.place(None, "市区")],
        entered_s=p.at(third + 9, 9),
        approver="单位负责人",
    )
    final, _, _ = quiet_order(last)
    row("no_next_order", [(p.at(last, 12), {}), (p.at(last + 1, 12), {})], "often", after=final)
    p.kind = "order_cancelled"
    order, _, _ = quiet_order(last + 1)
    known = [f for f in p.facts if f.key == ("dispatch-orders", order)][-1]
    p.enter(
        known.at_s + 2 * DAY,
        "dispatch-orders",
        known.body | {"status": "cancelled", "approver": "单位负责人"},
    )
    row("order_cancelled", [(p.at(last, 20), {}), (p.at(last + 1, 20), {})], "often", after=final)


def _fills(p: Planner, card: str, pump: str, fills: list[tuple[int, dict[str, object]]]) -> None:
    for at_s, fields in fills:
        more = {"station": pump} | fields
        p.fill(card, at_s, str(more.pop("station")), **more)  # type: ignore[arg-type]


def _often(p: Planner, card: str, after: str, reason: str) -> None:
    outcome = {"often": SUSPECTED, "few": NORMAL}.get(reason, UNDETERMINED)
    severity = "medium" if outcome == SUSPECTED else ""
    subject = refuel_frequency.subject(card, after)
    p.expect("refuel_frequency", outcome, subject, reason=reason, severity=severity)


ONCE: tuple[Callable[[Planner], None], ...] = (bindings, card_uses, refuels)
