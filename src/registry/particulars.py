"""What a vehicle is (车辆登记信息): VIN, engine, model, seats, price. All SQL of ``vehicle_particulars``; and of ``plate_swaps``.

The VIN is a vehicle's identity: it is entered once, and changed only as a correction. What rules judge by is the record ``registry.vehicles``.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from registry.licences import BODY_NAMES, Body
from registry.refusals import PlacedError
from registry.values import Day, Text
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError

#: GB 16735: what each character counts, and each place. The ninth is the check digit; X = 10.
_VALUES: Final = {
    **{str(n): n for n in range(10)},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    "P": 7, "R": 9,
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}  # fmt: skip
_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN: Final = re.compile(r"[0-9A-HJ-NPR-Z]{17}", re.ASCII)


def vin_check_digit(vin: str) -> str:
    """The ninth character that a VIN of 17 valid characters should have."""
    rest = sum(_VALUES[char] * weight for char, weight in zip(vin, _WEIGHTS, strict=True)) % 11
    return "X" if rest == 10 else str(rest)


def _vin(value: str) -> str:
    vin = value.strip().upper()
    if not _VIN.fullmatch(vin):
        raise ValueError(
            "车架号（VIN）应为 17 位字母和数字，不含 I、O、Q，请照行驶证核对 · a VIN has 17 letters and digits, none of I, O, Q; see the licence of the vehicle"
        )
    return vin


Vin = Annotated[str, StringConstraints(max_length=40), AfterValidator(_vin)]
Why = Annotated[Text, StringConstraints(min_length=5, max_length=200, strip_whitespace=True)]


class VehicleParticulars(BaseModel):
    """What a vehicle is. Money in 分, volume in ml, power in W. `correction`: why, where the VIN is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    vin: Vin | None = Field(None, description="车架号, 17 characters")
    vin_note: Why | None = Field(
        None, description="why its check digit is not that of GB 16735: imported, say"
    )
    engine_no: Text = ""
    make_model: Text = Field("", description="品牌型号")
    body: Body | None = Field(
        None, description="车辆类型; left out: not known, and no class of licence is asked for"
    )
    automatic: bool = Field(False, description="自动挡: a licence C2 will do")
    colour: Text = ""
    seats: int | None = Field(None, ge=1, le=200, description="核定载客")
    displacement_ml: int | None = Field(None, ge=1, le=30_000, description="排量")
    power_w: int | None = Field(None, ge=1, le=2_000_000, description="功率")
    price_fen: int | None = Field(None, ge=0, le=10**12, description="车价")
    bought_on: Day | None = Field(None, description="购置日期")
    fund: Text = Field("", description="资金来源")
    asset_no: Text = Field("", description="资产编号")
    marking: Literal["", "painted", "missing", "exempt"] = Field("", description="标识: 已喷、未喷、免")
    marking_reason: Text = Field("", description="why it is exempt")
    correction: Why | None = None

    @model_validator(mode="after")
    def _fits(self) -> VehicleParticulars:
        if self.vin is not None and self.vin_note is None and self.vin[8] != vin_check_digit(self.vin):
            raise PlacedError(
                f"车架号第 9 位校验码应为 {vin_check_digit(self.vin)}，请照行驶证核对；进口车辆等确无校验码的，在 vin_note 写明"
                f" · the ninth character should be {vin_check_digit(self.vin)}: check it, or say in vin_note why not",
                "vin",
            )
        if self.marking == "exempt" and not self.marking_reason:
            raise PlacedError("免喷标识须写明原因 · say why it bears no marking", "marking_reason")
        return self


_COLUMNS: Final = (
    "vin", "vin_note", "engine_no", "make_model", "body", "automatic", "colour", "seats", "displacement_ml", "power_w", "price_fen", "bought_on",
    "fund", "asset_no", "marking", "marking_reason",
)  # fmt: skip
#: Columns in which nothing is an empty text.
_TEXTS: Final = frozenset({"vin_note", "body"})


async def particulars_of(connection: Connection, vehicle: str) -> dict[str, Any]:
    """The fields of VehicleParticulars that are known of a vehicle, and ``body_name``; nothing known: as of an empty one."""
    row = await connection.fetchrow(
        f"SELECT {', '.join(_COLUMNS)} FROM vehicle_particulars WHERE vehicle = $1",  # noqa: S608 - constants
        vehicle,
    )
    found = (
        VehicleParticulars().model_dump(mode="python", exclude={"correction"}) if row is None else dict(row)
    )
    found |= {name: found[name] or None for name in _TEXTS}
    return found | {"body_name": None if found["body"] is None else BODY_NAMES[Body(found["body"])]}


async def write_particulars(connection: Connection, vehicle: str, given: VehicleParticulars) -> None:
    """Enter what a vehicle is; what is left out is not known any more. The caller has seen that there is such a vehicle.

    Raises InvalidError for another VIN without a reason, DeclinedError for the VIN of another vehicle."""
    before = await connection.fetchrow("SELECT vin FROM vehicle_particulars WHERE vehicle = $1 FOR UPDATE", vehicle)  # fmt: skip
    known = None if before is None else before["vin"]
    if known is not None and given.vin != known and given.correction is None:
        raise InvalidError(
            "/correction",
            f"车架号是车辆的身份，已登记为 {known}；确系录错的，请在 correction 写明更正原因；换牌请改车牌，换车请另行登记"
            " · the VIN is the vehicle's identity; say why it has to be corrected. Another vehicle is another record",
        )
    if given.vin is not None and await connection.fetchval("SELECT vin_is_taken($1, $2)", given.vin, vehicle):
        raise DeclinedError(
            "vin-taken",
            f"车架号 {given.vin} 已登记在另一辆车名下。同一辆车换牌、过户请修改原登记，不要另建 · another vehicle is registered with this VIN:"
            " a new plate or another unit is a change of that record, not a new one",
            pointer="/vin",
        )
    values = [getattr(given, name) or "" if name in _TEXTS else getattr(given, name) for name in _COLUMNS]
    marks = ", ".join(f"${k}" for k in range(2, len(_COLUMNS) + 2))
    sets = ", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS)
    await connection.execute(
        f"INSERT INTO vehicle_particulars (vehicle, {', '.join(_COLUMNS)}) VALUES ($1, {marks})"  # noqa: S608 - constants
        f" ON CONFLICT (vehicle) DO UPDATE SET {sets}, written_at = clock_timestamp()",
        vehicle,
        *values,
    )


@dataclass(frozen=True, slots=True)
class Carries:
    """What a vehicle is for who sends it. None = not known. ``seats``: with that of the driver."""

    body: Body | None
    automatic: bool
    seats: int | None


async def carries_of(connection: Connection, vehicles: Collection[str]) -> dict[str, Carries]:
    """Of many vehicles, by id; those of which nothing is known are left out."""
    rows = await connection.fetch(
        "SELECT vehicle, body, automatic, seats FROM vehicle_particulars WHERE vehicle = ANY($1::text[])", sorted(vehicles)
    )  # fmt: skip
    return {
        r["vehicle"]: Carries(Body(r["body"]) if r["body"] else None, r["automatic"], r["seats"])
        for r in rows
    }


async def described_vehicles(
    connection: Connection, units: Collection[str], first: date, last: date, *, open_only: bool = False, after: str = "", limit: int
) -> list[dict[str, Any]]:  # fmt: skip
    """{id, organisation, plate, energy, make_model, displacement_ml} of vehicles of ``units`` that are official on a day from ``first`` to ``last``, by id behind ``after``.
    ``open_only``: no secret one (涉密), whoever asks."""
    rows = await connection.fetch(
        "SELECT v.id, v.organisation, v.plate, v.energy, COALESCE(p.make_model, '') AS make_model, p.displacement_ml FROM vehicles v"
        " LEFT JOIN vehicle_particulars p ON p.vehicle = v.id WHERE v.organisation = ANY($1::text[]) AND (v.registered_on IS NULL OR v.registered_on <= $3)"
        " AND (v.disposed_on IS NULL OR v.disposed_on > $2) AND v.ownership = 'owned' AND v.id > $4 AND NOT ($5 AND v.secret) ORDER BY v.id LIMIT $6",
        sorted(units), first, last, after, open_only, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def secret_among(connection: Connection, units: Collection[str], first: date, last: date) -> int:
    """How many vehicles of ``units``, within reach, ``described_vehicles`` leaves out because they are secret."""
    found: int = await connection.fetchval("SELECT secret_among($1::text[], $2, $3)", sorted(units), first, last)  # fmt: skip
    return found


async def plates_held(connection: Connection, vehicle: str) -> list[dict[str, Any]]:
    """{plate, valid_from, valid_to} of a vehicle, the newest first. ``valid_from`` None: before the register kept it; ``valid_to`` None: it has it."""
    rows = await connection.fetch(
        "SELECT p.plate, NULLIF(p.valid_from, '-infinity') AS valid_from, p.valid_to FROM vehicles v"
        " JOIN vehicle_plates p ON p.vehicle_no = v.no WHERE v.id = $1 ORDER BY p.valid_from DESC LIMIT 200",
        vehicle,
    )
    return [dict(row) for row in rows]


async def note_swap(
    connection: Connection, act: str, vehicle: str, before: str, after: str, reason: str, actor: str, actor_name: str
) -> None:  # fmt: skip
    """One of the two rows of a swap of plates (互换号牌)."""
    await connection.execute(
        "INSERT INTO plate_swaps (vehicle, plate_before, plate_after, act, reason, actor, actor_name) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        vehicle, before, after, act, reason, actor, actor_name,
    )  # fmt: skip


async def swaps_of(connection: Connection, vehicle: str) -> list[dict[str, Any]]:
    """The swaps in which a vehicle changed its plate, the newest first."""
    rows = await connection.fetch(
        "SELECT act, plate_before, plate_after, reason, actor_name AS by, at FROM plate_swaps WHERE vehicle = $1 ORDER BY no DESC LIMIT 100", vehicle
    )  # fmt: skip
    return [dict(row) for row in rows]
