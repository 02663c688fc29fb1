"""BeiDou terminals (终端): the record, written and read; and which terminal sits in which vehicle when
(``BindingPlan``, pure).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from registry.pages import Filter, Listing
from registry.snapshot.timelines import FOREVER
from registry.values import Identifier, Phone, Record, Text, Time, WriteResult
from registry.writing import Lock, take_each
from runtime.connection import Connection
from runtime.units import to_us
from telemetry.terminals import notices
from telemetry.terminals.devices import plain_number


def _plain(value: Any) -> Any:
    """A number as it is printed on a device or a card: with spaces and dashes."""
    return plain_number(value) if isinstance(value, str) else value


class Terminal(Record):
    """A BeiDou terminal. ``vehicle`` and ``valid_from`` say: from then on it sits in that vehicle (null: in
    none).

    Texts that are not given stay as they are (a terminal names its own maker, model and device when it registers).
    """

    id: Phone = Field(description="phone number of the terminal; leading zeros do not count")
    manufacturer: Text | None = None
    model: Text | None = None
    device_id: Text | None = Field(
        None,
        description="终端编号 (终端ID), as the terminal sends it when it registers. Where it is given, another device with"
        " this phone number is refused; an empty text takes it back: the next device that registers is the first",
    )
    imei: Annotated[str | None, BeforeValidator(_plain)] = Field(
        None,
        pattern=r"^([0-9A-F]{14,16})?$",
        description="IMEI of the device, as a 2019 terminal says it when it authenticates. Where it is given, a device with another one is"
        " refused; an empty text: any. Terminals of 2011 and 2013 do not say it, and are not checked",
    )
    iccid: Annotated[str | None, BeforeValidator(_plain)] = Field(
        None,
        pattern=r"^([0-9A-F]{18,20})?$",
        description="ICCID of its SIM card, as it answers 0x8107. Where it is given, another card is told (`other_card`); an empty text: any",
    )
    enabled: bool = True
    vehicle: Identifier | None = None
    valid_from: Time | None = Field(None, validate_default=True)
    beside: bool = Field(
        False,
        description="the vehicle has another terminal at that time, which stays: each is judged for itself. Without it the"
        " terminal takes the place of the other one",
    )

    @property
    def binds(self) -> bool:
        """Whether the record says anything about the vehicle."""
        return self.valid_from is not None

    @field_validator("valid_from")
    @classmethod
    def _with_vehicle(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if value is None and info.data.get("vehicle") is not None:
            raise ValueError("绑定车辆须写明起始时间 · a vehicle needs valid_from, the time since when")
        return value


HEADERS: Final = {
    "终端手机号": "id", "制造商": "manufacturer", "型号": "model", "终端编号": "device_id", "IMEI": "imei",
    "ICCID": "iccid", "启用": "enabled", "车辆": "vehicle", "起始时间": "valid_from", "并装": "beside",
}  # fmt: skip


# --- which terminal sits in which vehicle


@dataclass(frozen=True, slots=True)
class Binding:
    """Terminal number in vehicle number from ``since`` (included) to ``until`` (excluded; None = open)."""

    terminal: int
    vehicle: int
    since: datetime
    until: datetime | None

    def covers(self, moment: datetime) -> bool:
        """Whether the terminal sits in the vehicle at ``moment``."""
        return self.since <= moment and (self.until is None or self.until > moment)


class BindingPlan:
    """Bindings in memory that keep the invariant: those of one terminal never overlap; those of one vehicle only where one was
    put beside others.
    """

    def __init__(self, bindings: Iterable[Binding] = ()) -> None:
        self._terminal: defaultdict[int, set[Binding]] = defaultdict(set)
        self._vehicle: defaultdict[int, set[Binding]] = defaultdict(set)
        for binding in bindings:
            self._add(binding)

    def all(self) -> set[Binding]:
        """Every binding."""
        return {binding for group in self._terminal.values() for binding in group}

    def bind(
        self, terminal: int, vehicle: int | None, since: datetime, *, beside: bool = False
    ) -> dict[int, datetime]:
        """From ``since`` on ``terminal`` sits in ``vehicle`` (None: in none), up to what is already known
        of later.

        Closes what either was bound to; ``beside``: not what the vehicle was bound to. Returns the vehicles whose facts changed and from when; empty = it
        was so.
        """
        touched: dict[int, datetime] = {}
        before = next((b for b in self._terminal[terminal] if b.covers(since)), None)
        if before is not None and before.vehicle == vehicle:
            return touched
        if before is not None:
            self._cut(before, since)
            touched[before.vehicle] = since
        if vehicle is None:
            return touched
        others = set() if beside else set(self._vehicle[vehicle])
        for other in others:
            if other.covers(since):
                self._cut(other, since)
        later = [b for b in self._terminal[terminal] | others if b.since > since]
        until = None
        if later:
            following = min(later, key=lambda b: b.since)
            until = following.since
            if (
                following.terminal == terminal and following.vehicle == vehicle
            ):  # known, but from too late a time
                self._remove(following)
                until = following.until
        self._add(Binding(terminal, vehicle, since, until))
        touched[vehicle] = since
        return touched

    def _cut(self, binding: Binding, at: datetime) -> None:
        self._remove(binding)
        if binding.since < at:
            self._add(replace(binding, until=at))

    def _add(self, binding: Binding) -> None:
        self._terminal[binding.terminal].add(binding)
        self._vehicle[binding.vehicle].add(binding)

    def _remove(self, binding: Binding) -> None:
        self._terminal[binding.terminal].discard(binding)
        self._vehicle[binding.vehicle].discard(binding)


#: What the office may say about a terminal and the terminal about itself; in ``office_said`` in this order.
SAID_BY_BOTH: Final = ("manufacturer", "model", "device_id")
#: What the office names and the terminal has to show; what it shows stands in columns of its own.
NAMED: Final = ("imei", "iccid")


# --- written


async def write(connection: Connection, records: Sequence[Terminal]) -> list[WriteResult]:
    """Write terminals and their bindings; references were checked. See ``records.apply``."""
    existing = {
        row["phone"]: row
        for row in await connection.fetch(
            "SELECT phone, no, manufacturer, model, device_id, imei, iccid, office_said, enabled, source FROM terminals"
            " WHERE phone = ANY($1) ORDER BY phone FOR NO KEY UPDATE",
            [r.id for r in records],
        )
    }
    results: list[WriteResult] = []
    written: list[tuple[str, str, str, str, str, bool, str, str]] = []
    other: dict[str, list[int]] = {"other_imei": [], "other_card": []}
    for record in records:
        old = existing.get(record.id)
        texts = {
            name: given if (given := getattr(record, name)) is not None else (old[name] if old else "")
            for name in (*SAID_BY_BOTH, *NAMED)
        }
        said = _office_said(record, old["office_said"] if old else ())
        wanted = texts | {"office_said": said, "enabled": record.enabled, "source": "registry"}
        if old is not None and all(old[k] == v for k, v in wanted.items()):
            results.append("unchanged")
            continue
        results.append("updated" if old else "created")
        if old is not None:
            for name, kind in zip(NAMED, other, strict=True):
                if old[name] != texts[name]:
                    other[kind].append(old["no"])
        maker, model, device = (texts[name] for name in SAID_BY_BOTH)
        written.append(
            (
                record.id,
                maker,
                model,
                device,
                ",".join(said),
                record.enabled,
                texts["imei"],
                texts["iccid"],
            )
        )
    # A terminal may register itself at this very moment: then it is there, and the office's word comes over its own.
    if written:
        await connection.execute(
            "INSERT INTO terminals (phone, manufacturer, model, device_id, office_said, enabled, imei, iccid)"
            " SELECT n.phone, n.maker, n.model, n.device, string_to_array(n.said, ','), n.enabled, n.imei, n.iccid FROM unnest($1::text[],"
            " $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::text[])"
            " AS n (phone, maker, model, device, said, enabled, imei, iccid)"
            " ON CONFLICT (phone) DO UPDATE SET manufacturer = excluded.manufacturer, model = excluded.model,"
            " device_id = excluded.device_id, office_said = excluded.office_said, enabled = excluded.enabled,"
            " imei = excluded.imei, iccid = excluded.iccid,"
            # The office takes the device back: whichever registers next is the first.
            " registered_at = CASE WHEN excluded.device_id = '' AND terminals.device_id <> '' THEN NULL"
            " ELSE terminals.registered_at END,"
            " source = 'registry', updated_at = clock_timestamp()",
            *_columns(sorted(written), 8),
        )
    for kind, numbers in other.items():  # the office has said something else since
        if numbers:
            await notices.settle(connection, numbers, kind)
    for index in await _bind(connection, records):
        if results[index] == "unchanged":
            results[index] = "updated"
    return results


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> list[list[Any]]:
    """Rows of ``count`` columns as columns."""
    return [[row[k] for row in rows] for k in range(count)]


def _office_said(record: Terminal, before: Sequence[str]) -> list[str]:
    """Which texts are the office's word now: what it gives; what it does not mention stays; empty takes it back."""
    given = {name: getattr(record, name) for name in SAID_BY_BOTH}
    return [name for name in SAID_BY_BOTH if given[name] or (given[name] is None and name in before)]


async def _bind(connection: Connection, records: Sequence[Terminal]) -> list[int]:
    """Apply the bindings of ``records`` in order; returns the indices of those that changed something."""
    binding = [(index, record) for index, record in enumerate(records) if record.binds]
    if not binding:
        return []
    phones = [record.id for _, record in binding]
    names = sorted({record.vehicle for _, record in binding if record.vehicle is not None})
    numbers = dict(await connection.fetch("SELECT phone, no FROM terminals WHERE phone = ANY($1)", phones))
    vehicles = dict(await connection.fetch("SELECT id, no FROM vehicles WHERE id = ANY($1)", names))
    await take_each(connection, Lock.TERMINALS_OF, vehicles.values())
    rows = await connection.fetch(
        "SELECT terminal_no, vehicle_no, valid_from, valid_to FROM terminal_bindings"
        " WHERE terminal_no = ANY($1::int[]) OR vehicle_no = ANY($2::int[])"
        " ORDER BY terminal_no, valid_from FOR NO KEY UPDATE",
        list(numbers.values()), list(vehicles.values()),
    )  # fmt: skip
    plan = BindingPlan(Binding(*row) for row in rows)
    before = plan.all()
    changed: list[int] = []
    for index, record in binding:
        assert record.valid_from is not None  # noqa: S101 - what `binds` means
        vehicle = vehicles[record.vehicle] if record.vehicle is not None else None
        if plan.bind(numbers[record.id], vehicle, record.valid_from, beside=record.beside):
            changed.append(index)
    await _save(connection, before, plan.all())
    return changed


async def _save(connection: Connection, before: set[Binding], after: set[Binding]) -> None:
    """Make the bindings ``after`` of those ``before``, first what makes room. One that only ends earlier is changed and not
    written anew: up to its new end it is the same as before."""
    gone = {(b.terminal, b.vehicle, b.since): b for b in before - after}
    new: list[Binding] = []
    ends: list[Binding] = []
    for b in after - before:
        old = gone.get((b.terminal, b.vehicle, b.since))
        if old is not None and b.until is not None and (old.until is None or b.until < old.until):
            ends.append(b)
            del gone[b.terminal, b.vehicle, b.since]
        else:
            new.append(b)
    # A statement of no rows costs as much as one of a row: the triggers of its table run as well.
    if gone:
        await connection.execute(
            "DELETE FROM terminal_bindings b USING unnest($1::int[], $2::timestamptz[]) AS n (terminal, since)"
            " WHERE b.terminal_no = n.terminal AND b.valid_from = n.since",
            *_columns([(b.terminal, b.since) for b in gone.values()], 2),
        )
    if ends:
        await connection.execute(
            "UPDATE terminal_bindings b SET valid_to = n.until FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[])"
            " AS n (terminal, since, until) WHERE b.terminal_no = n.terminal AND b.valid_from = n.since",
            *_columns([(b.terminal, b.since, b.until) for b in ends], 3),
        )
    if new:
        await connection.execute(
            "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from, valid_to)"
            " SELECT * FROM unnest($1::int[], $2::int[], $3::timestamptz[], $4::timestamptz[])",
            *_columns([(b.terminal, b.vehicle, b.since, b.until) for b in new], 4),
        )


async def take_out(connection: Connection, vehicle: str) -> list[str]:
    """Take every terminal out of a vehicle, from now on; their phone numbers. What was to be put in later is not."""
    no = await connection.fetchval("SELECT no FROM vehicles WHERE id = $1", vehicle)
    await take_each(connection, Lock.TERMINALS_OF, [no])
    await connection.execute(
        "DELETE FROM terminal_bindings WHERE vehicle_no = $1 AND valid_from >= clock_timestamp()", no
    )
    rows = await connection.fetch(
        "UPDATE terminal_bindings b SET valid_to = clock_timestamp() FROM terminals t WHERE b.vehicle_no = $1 AND t.no = b.terminal_no"
        " AND (b.valid_to IS NULL OR b.valid_to > clock_timestamp()) RETURNING t.phone",
        no,
    )
    return sorted(row["phone"] for row in rows)


# --- read


async def bindings_of(connection: Connection, phone: str) -> list[dict[str, Any]]:
    """The history of one terminal: {vehicle, valid_from, valid_to}, oldest first."""
    rows = await connection.fetch(
        "SELECT v.id AS vehicle, b.valid_from, b.valid_to FROM terminal_bindings b JOIN terminals t ON t.no = b.terminal_no"
        " JOIN vehicles v ON v.no = b.vehicle_no WHERE t.phone = $1 ORDER BY b.valid_from LIMIT 1000",
        phone,
    )
    return [dict(row) for row in rows]


LISTING: Final = Listing(
    "SELECT t.phone AS id, t.manufacturer, t.model, t.device_id, t.imei, t.iccid, t.reported_imei, t.reported_iccid,"
    " t.reported_software, t.edition, t.office_said, t.plate, t.enabled,"
    # Another device that asks for this phone number: manufacturer, model, device id, plate. And how many seconds its clock
    # is behind by, where it is wrong by a constant and not corrected (below 0: ahead).
    " t.waiting_device, t.waiting_since, (SELECT d.lag_s FROM clock_doubts d WHERE d.terminal_no = t.no"
    " AND d.received_to IS NULL ORDER BY d.received_from DESC LIMIT 1) AS clock_lag_s,"
    " t.source, t.registered_at, v.id AS vehicle, b.valid_from, t.updated_at FROM terminals t LEFT JOIN terminal_bindings b"
    " ON b.terminal_no = t.no AND b.valid_from <= now() AND (b.valid_to IS NULL OR b.valid_to > now())"
    " LEFT JOIN vehicles v ON v.no = b.vehicle_no",
    {"vehicle": Filter("v.id = {}")},
    key="t.phone",
    bindings=bindings_of,
)


async def read_bindings(
    connection: Connection, where: str = "", *arguments: object
) -> list[tuple[int, int, int, int]]:
    """(terminal number, from, to, vehicle number), microseconds since 1970 UTC, FOREVER = no end. ``where``: what follows
    the SELECT."""
    rows = await connection.fetch(
        f"SELECT terminal_no, vehicle_no, valid_from, valid_to FROM terminal_bindings {where}",  # noqa: S608 - constant texts
        *arguments,
    )
    return [
        (no, to_us(since), FOREVER if until is None else to_us(until), vehicle)
        for no, vehicle, since, until in rows
    ]


async def spans_of_vehicle(
    connection: Connection, vehicle: str, since: datetime, until: datetime
) -> list[tuple[int, str, datetime, datetime]] | None:
    """(terminal number, phone, from, to) of the terminals that sat in a vehicle within [since, until),
    oldest first; None when there is no such vehicle.
    """
    rows = await connection.fetch(
        "SELECT b.terminal_no, t.phone, greatest(b.valid_from, $2) AS since, least(b.valid_to, $3) AS until"
        " FROM vehicles v LEFT JOIN terminal_bindings b ON b.vehicle_no = v.no AND b.valid_from < $3"
        " AND (b.valid_to IS NULL OR b.valid_to > $2) LEFT JOIN terminals t ON t.no = b.terminal_no"
        " WHERE v.id = $1 ORDER BY 3",
        vehicle,
        since,
        until,
    )
    if not rows:
        return None
    return [tuple(row) for row in rows if row["terminal_no"] is not None]


async def terminal_numbers(connection: Connection, phones: Sequence[str]) -> dict[str, int]:
    """Numbers of the enabled terminals among ``phones`` (without leading zeros)."""
    return dict(
        await connection.fetch("SELECT phone, no FROM terminals WHERE enabled AND phone = ANY($1)", phones)
    )
