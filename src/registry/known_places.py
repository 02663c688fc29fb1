"""Places that have a name in the registry: fences (the yards and sites of units) and stations. For who says where a trip goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import shapely

from runtime.connection import Connection

#: Words that are looked for at most: "南通 人民医院".
MOST_WORDS: Final = 5
_FENCES: Final = (
    "SELECT name, geometry FROM fences WHERE valid_from <= now() AND (valid_to IS NULL OR valid_to > now())"
    " AND name ILIKE ALL($1::text[]) ORDER BY length(name), name, id LIMIT $2"
)
_STATIONS: Final = (
    "SELECT name, geometry FROM fuel_stations WHERE geometry IS NOT NULL AND (name || ' ' || array_to_string(aliases, ' ')) ILIKE ALL($1::text[])"
    " ORDER BY length(name), name, id LIMIT $2"
)


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """``lat``, ``lon``: degrees, WGS-84; of an area a point that lies in it."""

    name: str
    kind: Literal["fence", "station"]
    lat: float
    lon: float


def _like(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def known_places(connection: Connection, search: str, most: int) -> list[KnownPlace]:
    """Those within reach whose names have all words of ``search``: fences first, the shortest names first, ``most`` of each kind. Nothing looked
    for finds nothing."""
    words = [_like(word) for word in search.split()[:MOST_WORDS]]
    if not words:
        return []
    found: list[KnownPlace] = []
    kinds: tuple[tuple[Literal["fence", "station"], str], ...] = (("fence", _FENCES), ("station", _STATIONS))
    for kind, query in kinds:
        for row in await connection.fetch(query, words, most):
            point = shapely.from_wkb(row["geometry"]).representative_point()
            found.append(KnownPlace(row["name"], kind, round(point.y, 6), round(point.x, 6)))
    return found
