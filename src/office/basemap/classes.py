"""What of OpenStreetMap the base map has: the layer, the class and the first zoom of each thing. Pure tables.

Keys and values are those of wiki.openstreetmap.org/wiki/Map_features. A zoom is one of tiles of 512 pixels.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from office.basemap.vector_tile import Tags

FIRST_ZOOM: Final = 5
#: Closer than this the browser enlarges the last tiles.
LAST_ZOOM: Final = 14
#: Layers of a tile in the order of drawing; features say which by their place in it.
LAYERS: Final = ("land", "water", "building", "boundary", "road", "label", "place")
LAND, WATER, BUILDING, BOUNDARY, ROAD, LABEL, PLACE = range(len(LAYERS))

#: What has one of these keys is looked at.
KEYS: Final = (
    "highway", "railway", "aeroway", "natural", "water", "waterway", "landuse", "leisure", "amenity", "building", "place",
)  # fmt: skip
_MOST_NAME: Final = 100

#: highway=* -> class, first zoom.
_HIGHWAYS: Final = {
    "motorway": ("motorway", 5), "trunk": ("trunk", 6), "primary": ("primary", 8), "secondary": ("secondary", 10),
    "tertiary": ("tertiary", 11), "unclassified": ("minor", 12), "residential": ("minor", 12), "living_street": ("minor", 12),
    "road": ("minor", 12), "busway": ("minor", 13), "service": ("service", 14), "pedestrian": ("path", 13), "track": ("path", 13),
    "footway": ("path", 14), "cycleway": ("path", 14), "path": ("path", 14), "steps": ("path", 14), "bridleway": ("path", 14),
}  # fmt: skip
_LINK: Final = "_link"
_RAILWAYS: Final = {
    "rail": ("rail", 8), "narrow_gauge": ("rail", 10), "light_rail": ("metro", 12), "subway": ("metro", 12),
    "monorail": ("metro", 12), "tram": ("metro", 13),
}  # fmt: skip
_WATERWAYS: Final = {"river": 8, "canal": 10, "stream": 13, "drain": 14, "ditch": 14}
#: (key, value) -> class of land; the first that fits counts.
_LAND: Final = {
    "landuse": {
        "forest": "wood", "grass": "grass", "meadow": "grass", "village_green": "grass", "recreation_ground": "park",
        "cemetery": "grass", "farmland": "farm", "orchard": "farm", "vineyard": "farm", "allotments": "farm", "farmyard": "farm",
        "residential": "residential", "industrial": "industrial", "port": "industrial", "railway": "industrial",
        "commercial": "commercial", "retail": "commercial", "education": "school", "military": "industrial",
    },
    "leisure": {
        "park": "park", "garden": "park", "nature_reserve": "wood", "golf_course": "park", "pitch": "grass",
        "stadium": "commercial", "sports_centre": "commercial",
    },
    "natural": {
        "wood": "wood", "scrub": "grass", "heath": "grass", "grassland": "grass", "wetland": "wetland", "beach": "sand",
        "sand": "sand", "mud": "wetland",
    },
    "amenity": {
        "school": "school", "university": "school", "college": "school", "kindergarten": "school", "hospital": "hospital",
        "parking": "parking",
    },
    "aeroway": {"aerodrome": "airport", "apron": "airport"},
}  # fmt: skip
_LAND_FROM: Final = {"wood": 6, "residential": 8, "parking": 14}
#: place=* -> first zoom, how it ranks among others (0: before all).
_PLACES: Final = {
    "state": (5, 0), "province": (5, 0), "region": (6, 10), "city": (5, 20), "municipality": (6, 30), "county": (8, 40),
    "district": (9, 50), "borough": (9, 50), "town": (9, 60), "suburb": (11, 70), "village": (12, 80), "quarter": (13, 85),
    "neighbourhood": (13, 90), "hamlet": (13, 95), "isolated_dwelling": (14, 99),
}  # fmt: skip
#: The first zoom of a border by its admin_level. What is above a province is not drawn: a wrong national border does harm.
BORDERS: Final = {4: 5, 5: 7, 6: 9, 7: 11, 8: 12}
#: An area is drawn from the zoom on at which it has so many pixels.
_LEAST_PX: Final = 16.0
#: Units of the last zoom's tiles in a pixel.
_UNITS_IN_PX: Final = 4096 / 512


@dataclass(frozen=True, slots=True)
class Drawn:
    """How something is drawn: its layer, its first zoom (of an area: the first one that its size allows), what it says."""

    layer: int
    zoom: int
    tags: Tags


#: The line of the coast; and the sea that it bounds (``sea``).
COASTLINE: Final = Drawn(WATER, FIRST_ZOOM, (("class", "coastline"),))
SEA: Final = Drawn(WATER, FIRST_ZOOM, (("class", "sea"),))


def line(tags: Mapping[str, str]) -> Drawn | None:
    """What a way is as a line; None: nothing."""
    if (value := tags.get("highway")) is not None:
        return _road(value, tags)
    if (value := tags.get("railway")) is not None and value in _RAILWAYS:
        kind, zoom = _RAILWAYS[value]
        zoom = 14 if "service" in tags else zoom
        tunnel = (("tunnel", 1),) if value == "subway" or _is_tunnel(tags) else ()
        return Drawn(ROAD, zoom, (("class", kind), *tunnel))
    if (value := tags.get("waterway")) is not None and value in _WATERWAYS and not _is_tunnel(tags):
        return Drawn(WATER, _WATERWAYS[value], (("class", value), *names(tags)))
    if tags.get("natural") == "coastline":
        return COASTLINE
    return None


def _road(value: str, tags: Mapping[str, str]) -> Drawn | None:
    plain = value.removesuffix(_LINK)
    found = _HIGHWAYS.get(plain)
    if found is None or tags.get("area") == "yes":
        return None
    kind, zoom = found
    said: list[tuple[str, str | int]] = [("class", kind), *names(tags)]
    if reference := _cleaned(tags.get("ref", "").partition(";")[0], 12):
        said.append(("ref", reference))
    if plain != value:
        said.append(("link", 1))
        zoom = min(LAST_ZOOM, max(zoom + 4, 11))
    if _is_tunnel(tags):
        said.append(("tunnel", 1))
    return Drawn(ROAD, zoom, tuple(said))


def area(tags: Mapping[str, str]) -> Drawn | None:
    """What a closed way or a multipolygon is; None: nothing."""
    if (
        tags.get("natural") in ("water", "bay")
        or tags.get("waterway") in ("riverbank", "dock")
        or tags.get("landuse") in ("reservoir", "basin")
    ):
        return Drawn(WATER, FIRST_ZOOM, (("class", "water"), *names(tags)))
    if tags.get("building", "no") != "no":
        return (
            None if tags.get("location") == "underground" else Drawn(BUILDING, 13, (("class", "building"),))
        )
    for key, classes in _LAND.items():
        kind = classes.get(tags.get(key, ""))
        if kind is not None:
            return Drawn(LAND, _LAND_FROM.get(kind, 9), (("class", kind), *names(tags)))
    return None


def place(tags: Mapping[str, str]) -> Drawn | None:
    """What a node is as a place with a name; None: nothing."""
    found, named = _PLACES.get(tags.get("place", "")), names(tags)
    if found is None or not named:
        return None
    zoom, rank = found
    people = tags.get("population", "")
    size = math.log10(int(people[:12]) + 1) if people.isascii() and people.isdecimal() else 0
    return Drawn(PLACE, zoom, (("class", tags["place"]), ("rank", max(0, rank + 9 - round(size))), *named))


def label(drawn: Drawn) -> Drawn | None:
    """The name of an area, as a point in it; None: it has none."""
    kind = dict(drawn.tags).get("class")
    if (
        drawn.layer not in (WATER, LAND)
        or not any(key == "name" for key, _ in drawn.tags)
        or kind in ("farm", "residential")
    ):
        return None
    return Drawn(LABEL, drawn.zoom, drawn.tags)


def border(level: int) -> Drawn:
    """The border of units of an admin_level of ``BORDERS``."""
    return Drawn(BOUNDARY, BORDERS[level], (("class", "border"), ("level", level)))


def first_zoom(drawn_from: int, units: float) -> int:
    """The first zoom of an area of ``units`` square units of the last zoom's tiles."""
    pixels = max(units, 1e-9) / _UNITS_IN_PX**2
    return min(LAST_ZOOM, max(drawn_from, math.ceil(LAST_ZOOM - math.log(pixels / _LEAST_PX, 4))))


def names(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The Chinese name, and the English one where it is another."""
    chinese = _cleaned(tags.get("name:zh-Hans") or tags.get("name:zh") or tags.get("name") or "", _MOST_NAME)
    english = _cleaned(tags.get("name:en") or "", _MOST_NAME)
    if not chinese:
        return (("name", english),) if english else ()
    return (
        (("name", chinese), ("name_en", english)) if english and english != chinese else (("name", chinese),)
    )


def _cleaned(text: str, most: int) -> str:
    if text.isascii() and text.isprintable():
        return text.strip()[:most]
    return "".join(c for c in text if unicodedata.category(c)[0] != "C").strip()[:most]


def _is_tunnel(tags: Mapping[str, str]) -> bool:
    return tags.get("tunnel", "no") != "no"
