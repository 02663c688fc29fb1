"""Files at vehicles, at papers and at maintenance: all SQL of ``vehicle_documents``. What a file is was found by its content before it comes here."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from office.supervision.actors import Actor
from office.vehicles.repair_threads import read_repair
from office.vehicles.repairs import enclose
from runtime.connection import Connection
from runtime.errors import DeclinedError, NotThereError

#: Files of a vehicle or a driver, and their bytes together.
MAX_FILES: Final = 500
MAX_TOTAL: Final = 1 << 30


class DocumentKind(StrEnum):
    """What a file is."""

    PAPER = "paper"  # scan of an inspection, a policy, a licence
    MAINTENANCE = "maintenance"  # picture, quote, invoice of a maintenance
    REGISTRATION = "registration"  # 登记证
    DRIVING_PERMIT = "driving_permit"  # 行驶证
    MARKING = "marking"  # 标识照片
    PURCHASE = "purchase"  # 批复、合同、发票、合格证
    DISPOSAL = "disposal"  # 评估、成交、票据、注销
    OTHER = "other"


DOCUMENT_NAMES: Final[Mapping[DocumentKind, str]] = {
    DocumentKind.PAPER: "证照", DocumentKind.MAINTENANCE: "维修", DocumentKind.REGISTRATION: "登记证", DocumentKind.DRIVING_PERMIT: "行驶证",
    DocumentKind.MARKING: "标识照片", DocumentKind.PURCHASE: "配备", DocumentKind.DISPOSAL: "处置", DocumentKind.OTHER: "其他",
}  # fmt: skip
_SHOWN: Final = (
    "id, vehicle, driver, paper, maintenance, kind, name, media_type, size, encode(sha256, 'hex') AS sha256, uploaded_at,"
    " uploaded_by_name AS uploaded_by"
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it is kept, and the bytes as they came."""

    name: str
    media_type: str
    body: bytes
    received: bytes


@dataclass(frozen=True, slots=True)
class Owner:
    """Where a file goes: at the vehicle or the driver ``of`` the unit."""

    unit: str
    vehicle: str | None = None
    driver: str | None = None
    paper: str | None = None
    maintenance: str | None = None


async def owner_of_vehicle(connection: Connection, vehicle: str) -> Owner:
    """Raises NotThereError."""
    unit = await connection.fetchval("SELECT organisation FROM vehicles WHERE id = $1", vehicle)
    if unit is None:
        raise NotThereError(f"没有这辆车 · no such vehicle: {vehicle}")
    return Owner(unit, vehicle)


async def keep(
    connection: Connection, actor: Actor, owner: Owner, kind: DocumentKind, file: Upload
) -> dict[str, Any]:
    """Keep a file. In the caller's transaction. Raises DeclinedError where there are too many."""
    column, id = ("vehicle", owner.vehicle) if owner.vehicle is not None else ("driver", owner.driver)
    count, total = await connection.fetchrow(
        f"SELECT count(*), COALESCE(sum(size), 0) FROM vehicle_documents WHERE {column} = $1",  # noqa: S608 - constants
        id,
    )
    if count >= MAX_FILES or total + len(file.body) > MAX_TOTAL:
        raise DeclinedError(
            "too-many-files",
            f"附件过多（至多 {MAX_FILES} 个、{MAX_TOTAL >> 20} MiB） · too many files: at most {MAX_FILES} and {MAX_TOTAL >> 20} MiB",
        )
    row = await connection.fetchrow(
        "INSERT INTO vehicle_documents (id, organisation, vehicle, driver, paper, maintenance, kind, name, media_type, size, sha256, received_sha256,"  # noqa: S608 - constants
        f" uploaded_by, uploaded_by_name, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING {_SHOWN}",
        f"FJ-{secrets.token_hex(8).upper()}", owner.unit, owner.vehicle, owner.driver, owner.paper, owner.maintenance, kind, file.name,
        file.media_type, len(file.body), hashlib.sha256(file.body).digest(), hashlib.sha256(file.received).digest(), actor.person,
        actor.subject.name, file.body,
    )  # fmt: skip
    return _shown(row)


async def keep_at_repair(connection: Connection, actor: Actor, id: str, file: Upload) -> dict[str, Any]:
    """Keep a file at a maintenance, with its event in the thread. Raises NotThereError, NotAllowedError, StepRefusedError, DeclinedError."""
    thread = await read_repair(connection, id, lock=True)
    owner = Owner(thread.unit, thread.paper.vehicle, maintenance=id)
    kept = await keep(connection, actor, owner, DocumentKind.MAINTENANCE, file)
    body = {name: kept[name] for name in ("name", "media_type", "size", "sha256")} | {"document": kept["id"]}
    await enclose(connection, actor, id, body)
    return kept


def _shown(row: Any) -> dict[str, Any]:
    return dict(row) | {"kind_name": DOCUMENT_NAMES[DocumentKind(row["kind"])]}


async def documents_of(
    connection: Connection, *, vehicle: str | None = None, paper: str | None = None, maintenance: str | None = None
) -> list[dict[str, Any]]:  # fmt: skip
    """The files of a vehicle, of a paper or of a maintenance without their content, oldest first."""
    for column, id in (("vehicle", vehicle), ("paper", paper), ("maintenance", maintenance)):
        if id is not None:
            rows = await connection.fetch(
                f"SELECT {_SHOWN} FROM vehicle_documents WHERE {column} = $1 ORDER BY uploaded_at, id LIMIT {MAX_FILES}",  # noqa: S608 - constants
                id,
            )
            return [_shown(row) for row in rows]
    return []


async def read_document(connection: Connection, id: str) -> dict[str, Any]:
    """{name, media_type, sha256, body, vehicle, organisation} of a file. Raises NotThereError."""
    row = await connection.fetchrow(
        "SELECT name, media_type, encode(sha256, 'hex') AS sha256, body, vehicle, organisation FROM vehicle_documents WHERE id = $1", id
    )  # fmt: skip
    if row is None:
        raise NotThereError(f"没有这个附件 · no such document: {id}")
    return dict(row)
