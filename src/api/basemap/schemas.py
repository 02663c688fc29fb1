"""What the base map's operations answer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class OwnMap(BaseModel):
    """Vector tiles (Mapbox Vector Tile 2.1), WGS-84 in Web Mercator: `/v1/basemap/{version}/{z}/{x}/{y}`. `bounds`: west, south, east,
    north in degrees. `map_date`: of the data. `source`: the file that it was made from."""

    version: str
    bounds: list[float] = Field(min_length=4, max_length=4)
    first_zoom: int
    last_zoom: int
    attribution: str
    map_date: str
    source: str


class MapLayer(BaseModel):
    """Pictures of others, above each other. `datum`: that of the pictures; what is drawn over them is converted to it."""

    name: str
    urls: list[str]
    attribution: str
    datum: Literal["wgs84", "gcj02"]
    max_zoom: int


class BaseMapShown(BaseModel):
    """What can lie under the drawings of a map. `own` is null while none is prepared (`missing`) or it cannot be read (`damaged`)."""

    state: Literal["ready", "missing", "damaged"]
    own: OwnMap | None
    layers: list[MapLayer]
