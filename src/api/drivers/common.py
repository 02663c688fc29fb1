"""What these operations share: drivers in an address, whose affairs somebody sees."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import Path, Query
from pydantic import BeforeValidator, WithJsonSchema

from api.errors import Problem, not_found
from api.http import DAY_PATTERN, MAX_ID, PLAIN
from office.drivers.leaves import own_driver
from office.supervision.actors import Actor, reach_of
from registry.values import parse_day
from runtime.connection import Connection

NO_DRIVER: Final = "没有这名驾驶员 · no such driver"
DriverId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
Id = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]
QueryDay = Annotated[
    date,
    BeforeValidator(parse_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY_PATTERN}),
]
#: Who sees when drivers work: all of a unit, or, with the other, himself.
READ: Final = "registry:read"
DRIVE: Final = "trips:drive"
WRITE: Final = "registry:write"


async def unit_for(connection: Connection, actor: Actor, driver: str, *permissions: str) -> str:
    """The unit of a driver whose affairs ``actor`` sees: he has one of ``permissions`` there, or is the driver. Raises Problem 404."""
    unit: str | None = await connection.fetchval("SELECT organisation FROM drivers WHERE id = $1", driver)
    if unit is not None:
        units = await reach_of(connection, actor.subject, *permissions)
        if units is None or unit in units or await own_driver(connection, actor) == driver:
            return unit
    raise not_found(NO_DRIVER, driver)


def span_of(first: date, last: date, most: int) -> None:
    """Raises Problem 422 for days out of order, or more of them than ``most``."""
    if last < first or (last - first).days >= most:
        raise Problem(422, "invalid-parameter", f"to 须不早于 from，且至多 {most} 天 · `to` must not be before `from`, {most} days at most")  # fmt: skip
