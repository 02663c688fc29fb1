"""What the demo's office has in its books besides orders: stations, fuel cards and their bindings, settings of the rules.

Violations of ``card_binding`` need no driving: they are planted here, with traps beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from runtime.units import US_PER_S
from simulation.city.facts import Binding, Card, PaperVehicle, Setting, Station
from simulation.city.fleet import Organisation, Plan, Trap
from simulation.city.roads import RoadNetwork
from simulation.expectations import ExpectedAlert
from simulation.plants.day import pair
from simulation.plants.records import SILENT_MIN
from simulation.plants.whole_days import DAY_S, midnight_s

#: Kinds of ``card_binding``, and what looks like one of them.
VIOLATIONS = ("card_private", "card_disposed", "card_unbound")
TRAPS = ("card_moved", "card_closed")
_RULE = "card_binding"
#: A paper vehicle's number follows those of the plan's own, of which there are fewer.
_PAPER = 90_000

#: The demo is compared within so long after its plan's end.
_COMPARED_S = 1_800

Identity = Callable[[int], tuple[str, str, str]]


def public_stations(seed: int, network: RoadNetwork) -> list[Station]:
    """Stations at crossings, in two circles about the centre: one is near, and one is far from wherever somebody is."""
    made: dict[int, Station] = {}
    for k in range(10):
        angle, radius = 2 * np.pi * k / 5 + k // 5, 3_000.0 if k < 5 else 7_500.0
        node = network.nearest(radius * np.array([np.cos(angle), np.sin(angle)]))
        number = f"{seed}-{k + 1:02d}"
        made.setdefault(node, Station(f"FS-{number}", f"演示加油站{number}", pair(network.nodes[node])))
    return list(made.values())


def own_pump(organisation: Organisation) -> Station:
    """The pump in the unit's yard."""
    return Station(
        f"FS-{organisation.id}", f"{organisation.name}内部加油点（{organisation.id}）", organisation.centre
    )


def card_mark(plan: Plan) -> str:
    """How the numbers of all cards of the plan begin."""
    return f"FC-{plan.seed}-{plan.run}-"


def vehicle_card(plan: Plan, number: int, plate: str, organisation: str) -> Card:
    """The card of a vehicle of the plan, bound to it long before."""
    opened = midnight_s(plan.start_s) - 200 * DAY_S
    return Card(f"{card_mark(plan)}{number:05d}", organisation, opened, (Binding(plate, opened),))


def plant_bindings(plan: Plan, identity: Identity) -> None:
    """Cards that are bound wrong, and some that only look so."""
    facts, units = plan.facts, plan.organisations
    opened = midnight_s(plan.start_s) - 120 * DAY_S
    disposed = midnight_s(plan.start_s) - 20 * DAY_S

    def card(k: int, bindings: Sequence[Binding], closed_s: int | None = None) -> str:
        number = f"{card_mark(plan)}{_PAPER + k}"
        facts.cards.append(Card(number, units[k % len(units)].id, opened, tuple(bindings), closed_s))
        return number

    def paper(k: int) -> PaperVehicle:
        vehicle_id, plate, _ = identity(_PAPER + k)
        facts.vehicles.append(PaperVehicle(vehicle_id, plate, units[k % len(units)].id, disposed))
        return facts.vehicles[-1]

    def expect(kind: str, vehicle: str, from_s: int, mention: str) -> None:
        plan.expected.append(
            ExpectedAlert(_RULE, vehicle, None, from_s * US_PER_S, plan.end_s * US_PER_S, kind, mention)
        )

    private = identity(_PAPER)[1]
    expect("card_private", "", opened, card(0, [Binding(private, opened)]))
    sold = paper(1)
    expect("card_disposed", sold.id, disposed, card(1, [Binding(sold.plate, opened)]))
    expect("card_unbound", "", opened, card(2, []))
    # Given to another vehicle when the old one was disposed of; and given back when it was no longer needed.
    old = paper(3)
    heir = plan.vehicles[0].plate
    card(3, [Binding(old.plate, opened, disposed), Binding(heir, disposed)])
    card(4, [Binding(heir, opened, disposed)], closed_s=disposed)
    for kind, vehicle in (("card_moved", old.id), ("card_closed", "")):
        plan.traps.append(Trap(kind, vehicle, plan.start_s * US_PER_S, plan.end_s * US_PER_S))


def settings(plan: Plan) -> list[Setting]:
    """So that days are judged as soon as they are over and all is entered, and silences shorter than an activity count.
    They hold from before the plan's first day; a time of the plan's own, so that another run sets them anew. A day that
    ends while the plan is being compared is not part of it: then days wait an hour."""
    since = plan.start_s - DAY_S
    wait_h = int(midnight_s(plan.end_s + _COMPARED_S) > plan.end_s)
    return [
        Setting("terminal_silent", "min_silence_min", SILENT_MIN, since),
        Setting("terminal_silent", "settle_after_h", wait_h, since),
        Setting("off_hours", "settle_after_h", wait_h, since),
    ]


def settle_facts(plan: Plan) -> None:
    """Sort what came from many vehicles, and add the settings."""
    plan.facts.payments.sort(key=lambda p: (p.at_s, p.id))
    plan.facts.offences.sort(key=lambda o: (o.export, o.at_s, o.id))
    plan.facts.settings = settings(plan)
