"""The records of the registry as they are read, as models for the OpenAPI description: what was written, with what the registry
adds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, create_model

from api.answers import ProblemError, page_of
from registry.records import KINDS, Kind


class TerminalBinding(BaseModel):
    """In which vehicle a terminal sat, from when to when."""

    vehicle: str
    valid_from: datetime
    valid_to: datetime | None


class CardBinding(BaseModel):
    """To which plate a card was bound, from when to when."""

    plate: str
    valid_from: datetime
    valid_to: datetime | None


class StoredPlace(BaseModel):
    """A place as it was given, and in WGS-84."""

    name: str
    lat: float | None
    lon: float | None
    datum: Literal["wgs84", "gcj02", "bd09"] | None
    wgs84: dict[str, int] | None


_CHANGED: Final = {"updated_at": datetime}
#: What the registry adds to what was written.
_ADDED: Final[dict[str, dict[str, Any]]] = {
    "vehicles": _CHANGED | {"secret": bool},
    "terminals": _CHANGED
    | {
        "office_said": list[str],
        "plate": str,
        "source": str,
        "registered_at": datetime | None,
        "waiting_device": list[str] | None,
        "waiting_since": datetime | None,
        "clock_lag_s": int | None,
        "reported_imei": str,
        "reported_iccid": str,
        "reported_software": str,
        "edition": int | None,
    },
    "clock-corrections": _CHANGED | {"source": Literal["office", "dialect"], "dialect": str},
    "fences": {"version": int, "created_at": datetime},
    "dispatch-orders": {"version": int, "entered_at": datetime, "entered_late": bool},
    "calendar-days": _CHANGED | {"day": date},
}
#: What is read in another form than it is written.
_OTHERWISE: Final[dict[str, dict[str, Any]]] = {
    # Null of a secret vehicle that is shown masked.
    "vehicles": {
        "energy": Literal["petrol", "diesel", "electric", "hybrid", "gas"] | None,
        "ownership": Literal["owned", "rented"] | None,
    },
    "terminals": {"vehicle": str | None, "valid_from": datetime | None},
    "fences": {"geometry": dict[str, Any], "valid_from": datetime},
    "dispatch-orders": {
        "origin": StoredPlace | None, "destinations": list[StoredPlace], "return_point": StoredPlace | None,
        "route": list[StoredPlace],
    },
    "fuel-cards": {"plate": str | None, "valid_from": datetime | None},
    "fuel-stations": {"geometry": dict[str, Any] | None, "datum": str | None},
}  # fmt: skip
#: What is written and not read: a station's point is read as its geometry, `beside` says how to bind; bindings are read of one record only.
_NOT_READ: Final = {"fuel-stations": {"lat", "lon"}, "fuel-cards": {"bindings"}, "terminals": {"beside"}}
_BINDINGS: Final[dict[str, type[BaseModel]]] = {"terminals": TerminalBinding, "fuel-cards": CardBinding}
_OUTCOME: Final[Any] = (Literal["created", "updated", "unchanged"], ...)


def _read_as(name: str, kind: Kind) -> dict[str, Any]:
    """The fields of a record as a list shows it."""
    fields: dict[str, Any] = {}
    for field, info in kind.model.model_fields.items():
        if field in _NOT_READ.get(name, ()):
            continue
        given = info.annotation
        if field in kind.listing.decimals:
            given = str | None if _may_be_null(info.annotation) else str
        fields[field] = (_OTHERWISE.get(name, {}).get(field, given), ...)
    return fields | {field: (annotation, ...) for field, annotation in _ADDED.get(name, _CHANGED).items()}


def _may_be_null(annotation: Any) -> bool:
    return type(None) in getattr(annotation, "__args__", ())


def _models(name: str, kind: Kind) -> tuple[type[BaseModel], type[BaseModel], type[BaseModel]]:
    title, fields = kind.model.__name__, _read_as(name, kind)
    listed = create_model(f"Listed{title}", __doc__=f"{kind.label}, as lists have it.", **fields)
    own: dict[str, Any] = {}
    if name in _BINDINGS:
        own["bindings"] = (list[_BINDINGS[name]], ...)  # type: ignore[valid-type] # made at run time
    one = (
        create_model(f"Stored{title}", __base__=listed, __doc__=f"{kind.label}, with its history.", **own)
        if own
        else listed
    )
    written = create_model(
        f"Written{title}",
        __base__=one,
        __doc__=f"{kind.label}, and what was done.",
        outcome=_OUTCOME,
        warnings=(list[ProblemError] | None, None),
    )
    return listed, one, written


_MADE: Final = {name: _models(name, kind) for name, kind in KINDS.items()}
#: By kind: a page of a list, one record, what writing it answers.
PAGES: Final = {name: page_of(listed) for name, (listed, _, _) in _MADE.items()}
ONE: Final = {name: one for name, (_, one, _) in _MADE.items()}
WRITTEN: Final = {name: written for name, (_, _, written) in _MADE.items()}
