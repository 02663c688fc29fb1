"""/v1/basemap: what lies under the drawings of the console's maps (docs/base-map.md)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from api.auth.access import require
from api.basemap.held import DamagedMapError, HeldMap
from api.basemap.schemas import BaseMapShown
from api.console.serving import accepted
from api.errors import Problem
from api.http import json_response
from office.basemap.classes import LAST_ZOOM
from runtime.settings import Settings

#: Whoever has one of these is shown maps (who asks for a car says where to), or runs the system. What is on the base map is nobody's secret.
READ: Final = ("tracks:read", "alerts:read", "registry:read", "trips:apply", "ops:read")
TILE: Final = "application/vnd.mapbox-vector-tile"
#: The address names the version, so an answer never changes; it is kept by the browser of who signed in, and by nobody between.
_FOR_EVER: Final = "private, max-age=31536000, immutable"
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_MOST_PLACE: Final = (1 << LAST_ZOOM) - 1

router = APIRouter(prefix="/v1/basemap", tags=["base map"])


@router.get(
    "",
    summary="底图 / the base map",
    response_model=BaseMapShown,
    # A page looks for it by itself, and a map that follows a vehicle asks for tiles: neither keeps a session alive.
    dependencies=[require(*READ, counts_as_use=False)],
)
async def get_base_map(request: Request) -> Response:
    """The map of one's own, as `gongche basemap prepare` made it, and those of others that the settings name (`layers`, none by
    default). Coordinates of the API stay WGS-84; where a layer is GCJ-02, whoever draws converts."""
    held: HeldMap = request.app.state.base_map
    settings: Settings = request.app.state.settings
    try:
        about = await asyncio.to_thread(held.about)
        state = "missing" if about is None else "ready"
    except DamagedMapError:
        about, state = None, "damaged"
    own = None if about is None else {
        "version": about.version, "bounds": list(about.bounds), "first_zoom": about.first_zoom, "last_zoom": about.last_zoom,
        "attribution": about.attribution, "map_date": about.map_date, "source": about.source,
    }  # fmt: skip
    layers: list[dict[str, Any]] = [
        {
            "name": layer.name, "urls": layer.tiles(), "attribution": layer.attribution, "datum": layer.datum,
            "max_zoom": layer.max_zoom,
        }
        for layer in settings.basemap_layers
    ]  # fmt: skip
    return json_response(
        {"state": state, "own": own, "layers": layers}, headers={"Cache-Control": "no-store"}
    )


@router.get(
    "/{version}/{z}/{x}/{y}",
    summary="底图瓦片 / a tile of the base map",
    dependencies=[require(*READ, counts_as_use=False)],
    response_class=Response,
    responses={
        200: {"content": {TILE: _BINARY}},
        204: {"description": "此处没有内容 · nothing is drawn there"},
        304: {"description": "未变 · as you have it"},
        410: {"description": "底图已更换 · the map in use is another one"},
    },
)
async def get_tile(
    request: Request,
    version: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="`version` of the map")],
    z: Annotated[int, Path(ge=0, le=LAST_ZOOM, description="zoom")],
    x: Annotated[int, Path(ge=0, le=_MOST_PLACE, description="from the west")],
    y: Annotated[int, Path(ge=0, le=_MOST_PLACE, description="from the north")],
) -> Response:
    """A vector tile, compressed by gzip where the request takes that. Another map is another version: of one that is no longer in
    use there are no tiles (410), and `GET /v1/basemap` says the new one."""
    held: HeldMap = request.app.state.base_map
    packed = "gzip" in accepted(request.headers.get("accept-encoding", ""))
    try:
        body = await asyncio.to_thread(held.tile, version, z, x, y, packed=packed)
    except DamagedMapError:
        raise Problem(
            503, "base-map-damaged", "底图文件无法读取，请通知运维重新生成（gongche basemap prepare）"
            " · the base map cannot be read; tell the operators to make it again",
            headers={"Retry-After": "300"},
        ) from None  # fmt: skip
    if body is None:
        raise Problem(
            410, "no-such-map", "没有这个版本的底图，请重新读取 /v1/basemap · no such version of the base map; ask /v1/basemap again"
        )  # fmt: skip
    headers = {
        "ETag": f'"{version}-{z}-{x}-{y}{"-gzip" if packed else ""}"',
        "Cache-Control": _FOR_EVER,
        "Vary": "Accept-Encoding",
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not body:
        return Response(status_code=204, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=TILE)
