"""/v1/cases/{id}/bundle: everything that a case rests on, in one file that is checked without a database."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from typing import IO, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from api.alerts.evidence import feature_collection
from api.auth.access import require
from api.auth.audited import noted, stated_purpose
from api.auth.scoped import scoped, subject_of
from api.cases.common import ItemId
from api.cases.endpoints import NO_CASE
from api.documents.rendering import setter_of
from api.documents.setting import papers_of_case
from api.errors import Problem, known
from api.places import take_place
from office.integrity import signing
from office.integrity.bundle import write_bundle
from office.supervision.actors import sight
from runtime.errors import ConfigurationError
from runtime.settings import Settings

router = APIRouter(prefix="/v1", tags=["cases"])
#: Bundles that are made at the same time: each reads much.
_AT_ONCE: Final = 2
_IN_MEMORY: Final = 8 << 20
_PIECE: Final = 1 << 18
_ZIP: Final = "application/zip"
_running = asyncio.Semaphore(_AT_ONCE)


@router.get(
    "/cases/{id}/bundle",
    summary="案卷包 / the bundle of a case",
    response_class=Response,
    dependencies=[require("cases:read"), stated_purpose("cases:read")],
    responses={200: {"content": {_ZIP: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_bundle(request: Request, id: ItemId) -> Response:
    """Thread, alerts, judgements, evidence, map data, papers and files of the case in one ZIP file, with the proof that they are in the
    chains. `gongche verify` checks it without a database. For the office and for inspectors, who say what it is for
    (`X-Purpose`); callers of the hotline are not in it. The same case gives the same bytes."""
    if request.state.purpose is None:
        detail = "请用 X-Purpose 说明用途 · say what you read it for: header X-Purpose, or purpose=..."
        raise Problem(422, "purpose-needed", detail)
    case = known(NO_CASE, id)
    await take_place(
        _running, 5, "正在生成的案卷包过多，请稍后重试 · too many bundles are being made; try again"
    )
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed when it was sent
    try:
        await _write(request, case, file)
    except BaseException:
        file.close()
        raise
    finally:
        _running.release()
    file.seek(0)
    return StreamingResponse(
        _pieces(file),
        media_type=_ZIP,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(f'case-{case}.zip', safe='')}"},
    )


async def _write(request: Request, case: str, file: Any) -> None:
    settings, setter = request.app.state.settings, await setter_of(request)
    async with scoped(request, "cases:read") as connection:
        row = await connection.fetchrow("SELECT organisation, vehicle FROM cases WHERE id = $1", case)
        if row is None or not (await sight(connection, subject_of(request))).office(row["organisation"]):
            raise Problem(404, "not-found", NO_CASE)
        await noted(
            request, connection, "cases:read", "cases", case,
            organisation=row["organisation"], vehicle=row["vehicle"], detail={"bundle": True},
        )  # fmt: skip
        papers = await papers_of_case(connection, case, settings.document_issuer, setter)
        await write_bundle(
            connection, case, file, draw=feature_collection, documents=papers, key=_key(settings)
        )


def _key(settings: Settings) -> signing.SigningKey | None:
    """The key, where this machine has it."""
    try:
        return signing.load_key(settings, make=False)
    except ConfigurationError:
        return None


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
