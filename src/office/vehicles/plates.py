"""The swap of plates between two vehicles (互换号牌): one act, in one transaction. Between two writes nobody sees one plate at two vehicles, or none."""

from __future__ import annotations

import secrets
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from office.supervision.actors import Actor
from registry.particulars import note_swap
from registry.values import Identifier, Plate, Text
from registry.vehicles import exchange_plates
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError


class PlateSwap(BaseModel):
    """Two vehicles change plates. `plate`, `other_plate`: as the caller sees them now; sent twice, it is done once."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    other: Identifier
    plate: Plate
    other_plate: Plate
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
    await exchange_plates(connection, vehicle, given.other)
    act = f"HP-{secrets.token_hex(8).upper()}"
    for id, other in ((vehicle, given.other), (given.other, vehicle)):
        await note_swap(
            connection, act, id, now[id], now[other], given.reason, actor.person, actor.subject.name
        )
    return act
