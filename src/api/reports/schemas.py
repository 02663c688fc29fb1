"""Answers of what terminals report."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.answers import Hash, page_of

ReportKind = Literal[
    "attributes", "upgrade", "event", "answer", "information", "areas", "recorder", "waybill", "driver_card", "media_event", "media",
    "media_search", "photo", "passthrough", "compressed", "rsa_key",
]  # fmt: skip


class ReportPlace(BaseModel):
    """Where the terminal says it was. WGS-84."""

    lat: float
    lon: float


class _Told(BaseModel):
    """What every report has. `terminal`: its phone number; null = not yours to know any more. `vehicle`: in which it sat then; null =
    in none that is known. `at`: when, as the device says where that can be believed, else when it was received."""

    no: int
    kind: ReportKind
    terminal: str | None
    vehicle: str | None
    organisation: str | None
    at: datetime
    device_time: datetime | None
    received_at: datetime
    place: ReportPlace | None


class TerminalReport(_Told):
    """A message that is no position. `message`: its id in JT/T 808; `detail`: its fields as the standard names them, long ones cut;
    `bytes`, `sha256`: of its body."""

    message: str = Field(pattern="^0x[0-9A-F]{4}$")
    detail: dict[str, Any]
    bytes: int
    sha256: Hash


class TerminalReportWithBody(TerminalReport):
    """A report and its body as it came, in hexadecimal digits. null: of a file, which is downloaded, and of a driver's card, which has the
    number of an identity card."""

    body: str | None


class DriverCardEvent(_Told):
    """A driver's card was put in (`in`) or pulled out (`out`); `told`: a terminal of JT/T 808-2011 says who drives. `read_result`: 0 the card
    was read, 1 its key was refused, 2 it is locked, 3 it was pulled out, 4 wrong checksum. `id_number`: masked."""

    action: Literal["in", "out", "told", "unknown"]
    read_result: int | None
    name: str
    certificate: str
    issuer: str
    valid_until: date | None
    id_number: str


class TerminalMedia(_Told):
    """A picture, a sound or a film. `content_type`: by its content; `as_claimed`: the terminal says the same. `state`: `stored`; `refused_full`,
    `refused_terminal_full`: there was no room; `expired`: kept as long as the setting says, and gone."""

    media_id: int
    media_type: int
    format: int
    event: int
    channel: int
    content_type: str
    as_claimed: bool
    bytes: int
    sha256: Hash
    state: Literal["stored", "refused_full", "refused_terminal_full", "expired"]


TerminalReportPage = page_of(TerminalReport)
DriverCardPage = page_of(DriverCardEvent)
TerminalMediaPage = page_of(TerminalMedia)
