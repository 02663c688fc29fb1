"""/v1/vehicles/{id}/documents and /v1/vehicle-documents/{id}: files at a vehicle, with their SHA-256."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped, written
from api.cases.common import ItemId, actor_of
from api.documents.rendering import BINARY, Inline
from api.errors import known
from api.http import json_response
from api.uploads import UPLOAD, FileName, as_file
from api.vehicles.common import NO_VEHICLE, READ, WRITE, VehicleId, kept, unit_of_vehicle
from api.vehicles.schemas import VehicleDocument, VehicleDocuments
from office.supervision.papers import ENDINGS
from office.vehicles.documents import (
    DocumentKind,
    Upload,
    documents_of,
    keep,
    owner_of_vehicle,
    read_document,
)
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["vehicles"])
NO_DOCUMENT: Final = "没有这个附件 · no such document"
Given = Literal["registration", "driving_permit", "marking", "purchase", "disposal", "other"]


@router.get(
    "/vehicles/{id}/documents", summary="档案附件 / files at a vehicle", response_model=VehicleDocuments, dependencies=[require(READ)]
)  # fmt: skip
async def list_documents(request: Request, id: VehicleId) -> Response:
    """Those of its papers and of its maintenance as well, oldest first."""
    vehicle = known(NO_VEHICLE, id)
    async with scoped(request, READ, read_only=True) as connection:
        await unit_of_vehicle(connection, vehicle)
        return json_response({"items": await documents_of(connection, vehicle=vehicle)})


@router.post(
    "/vehicles/{id}/documents", summary="上传档案附件 / attach a file to a vehicle", status_code=201, response_model=VehicleDocument,
    dependencies=[require(WRITE)], openapi_extra=UPLOAD,
)  # fmt: skip
async def attach(
    request: Request, id: VehicleId, name: FileName, kind: Annotated[Given, Query(description="登记证、行驶证、标识照片、配备、处置、其他")] = "other"
) -> Response:  # fmt: skip
    """The body is the file itself, as at `POST /v1/vehicle-papers/{id}/documents`. What is kept is kept for ever."""
    actor, vehicle = actor_of(request), known(NO_VEHICLE, id)

    async def store(file: Upload) -> dict[str, Any]:
        async def work(connection: Connection) -> dict[str, Any]:
            owner = await owner_of_vehicle(connection, vehicle)
            return await keep(connection, actor, owner, DocumentKind(kind), file)

        return await written(request, WRITE, work)

    return json_response(await kept(request, name, store), 201)


@router.get(
    "/vehicle-documents/{id}", summary="下载档案附件 / a file", response_class=Response, dependencies=[require(READ)],
    responses={200: {"content": dict.fromkeys(ENDINGS, BINARY)}},
)  # fmt: skip
async def download(request: Request, id: ItemId, inline: Inline = False) -> Response:
    """The file, to be saved; who has read it is in the audit. `inline`: a PDF alone, to be shown in a page of ours. The ETag is its SHA-256."""
    document = known(NO_DOCUMENT, id)
    async with scoped(request, READ) as connection:
        found = await read_document(connection, document)
        await noted(
            request, connection, READ, "document", document,
            organisation=found["organisation"], vehicle=found["vehicle"], detail={"kind": "vehicle-document", "sha256": found["sha256"]},
        )  # fmt: skip
    return as_file(found["name"], found["media_type"], found["sha256"], found["body"], inline=inline)
