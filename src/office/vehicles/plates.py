"""The swap of plates between two vehicles (互换号牌): one act, in one transaction. Between two writes nobody sees one plate at two vehicles, or none."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from office.supervision.actors import Actor
from registry.fuel_cards import cards_on_plates, follow_vehicles
from registry.particulars import note_swap
from registry.values import Identifier, Plate, Text
from registry.vehicles import exchange_plates
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError


class PlateSwap(BaseModel):
    """Two vehicles change plates. `plate`, `other_plate`: as the caller sees them now; sent twice, it is done once. `cards`: where a fuel card is bound
    to one of the plates, whether the cards go with the plates (they stay bound as they are, and change vehicles) or stay in their vehicles (they are
    bound to the other plate from now on)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    other: Identifier
    plate: Plate
    other_plate: Plate
    cards: Literal["with_plates", "with_vehicles"] | None = None
    reason: Annotated[Text, StringConstraints(min_length=5, max_length=200, strip_whitespace=True)]


async def swap(connection: Connection, actor: Actor, vehicle: str, given: PlateSwap) -> str:
    """Swap the plates of two vehicles; the id of the act. Raises NotThereError, InvalidError, DeclinedError where the plates are others by now."""
    if vehicle == given.other:
        raise InvalidError("/other", "须是另一辆车 · must be another vehicle")
    # Both are locked, always in the same order.
    rows = await connection.fetch(
        "SELECT id, plate, disposed_on FROM vehicles WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE", sorted((vehicle, given.other))
    )  # fmt: skip
    found = {row["id"]: row for row in rows}
    if vehicle not in found:
        raise NotThereError(f"没有这辆车 · no such vehicle: {vehicle}")
    if given.other not in found:
        raise InvalidError("/other", f"车辆 {given.other} 未登记，或不在您的范围内，请核对 · no such vehicle, or not yours: {given.other}")  # fmt: skip
    for id, pointer in ((vehicle, ""), (given.other, "/other")):
        if found[id]["disposed_on"] is not None:
            raise InvalidError(
                pointer,
                f"车辆 {found[id]['plate']} 已处置，不能换牌 · {found[id]['plate']} is disposed of: its plate stays",
            )
    seen = {vehicle: given.plate, given.other: given.other_plate}
    now = {id: found[id]["plate"] for id in seen}
    if now != seen:
        raise DeclinedError(
            "stale-plates",
            f"号牌已有变化：{vehicle} 现为 {now[vehicle]}，{given.other} 现为 {now[given.other]}，请核对后再办"
            f" · the plates are others by now: {now[vehicle]} and {now[given.other]}; look again",
        )
    bound = await cards_on_plates(connection, sorted(now.values()))
    if bound and given.cards is None:
        # A card whose vehicle is not said would be judged by the track of the wrong one.
        raise InvalidError(
            "/cards",
            f"号牌上绑有油卡（{'、'.join(bound)}），请注明油卡随号牌（with_plates）还是留在原车（with_vehicles）"
            f" · fuel cards are bound to these plates ({', '.join(bound)}): say whether they go with the plates or stay in their vehicles",
        )
    await exchange_plates(connection, vehicle, given.other)
    if given.cards == "with_vehicles":
        await follow_vehicles(connection, {now[vehicle]: now[given.other], now[given.other]: now[vehicle]})
    act = f"HP-{secrets.token_hex(8).upper()}"
    for id, other in ((vehicle, given.other), (given.other, vehicle)):
        await note_swap(
            connection, act, id, now[id], now[other], given.reason, actor.person, actor.subject.name
        )
    return act
