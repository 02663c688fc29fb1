"""Areas and routes that a simulated device keeps: set, deleted, told (0x8600 to 0x8608)."""

from __future__ import annotations

from typing import Any, Final

from simulation.terminal.device import FAILED, OK, Answer, Device, reply
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Header
from telemetry.jt808.tables import codec

CIRCLE, RECTANGLE, POLYGON, ROUTE = 1, 2, 3, 4
#: Areas of a kind that a device has room for.
MOST: Final = 100
_KINDS: Final[dict[int, int]] = {
    MessageId.SET_CIRCLES: CIRCLE, MessageId.DELETE_CIRCLES: CIRCLE,
    MessageId.SET_RECTANGLES: RECTANGLE, MessageId.DELETE_RECTANGLES: RECTANGLE,
    MessageId.SET_POLYGON: POLYGON, MessageId.DELETE_POLYGONS: POLYGON,
    MessageId.SET_ROUTE: ROUTE, MessageId.DELETE_ROUTES: ROUTE,
}  # fmt: skip
_REPLACE: Final = 0


def set_areas(device: Device, header: Header, fields: Any) -> list[Answer]:
    """Circles and rectangles come as lists that replace, add or change; a polygon or a route comes alone."""
    kind = _KINDS[header.id]
    kept = device.areas.get(kind, {})
    rows = fields.get("areas", [fields])
    before = {} if fields.get("setting") == _REPLACE else kept
    after = before | {row["id"]: row for row in rows}
    if len(after) > MOST:
        return [reply(header, FAILED)]
    device.areas[kind] = after
    return [reply(header, OK)]


def delete_areas(device: Device, header: Header, fields: Any) -> list[Answer]:
    """Those named, or all where none is."""
    kept = device.areas.get(_KINDS[header.id], {})
    for each in fields["ids"] or list(kept):
        kept.pop(each, None)
    return [reply(header, OK)]


def areas_told(device: Device, header: Header, fields: Any) -> list[Answer]:
    """0x0608 (2019): those named that are there, or all."""
    kind = fields["kind"]
    kept = device.areas.get(kind, {})
    rows = [kept[each] for each in fields["ids"] or kept if each in kept]
    # For circles and rectangles stands a whole body of 0x8600, 0x8602 for each (2019 tables 45, 49).
    found = [{"setting": 1, "areas": [row]} for row in rows] if kind in (CIRCLE, RECTANGLE) else rows
    if kind not in (CIRCLE, RECTANGLE, POLYGON, ROUTE):
        return [reply(header, FAILED)]
    body = codec.encode(MessageId.AREAS_REPLY, device.version, {"kind": kind, "found": found})
    return [(MessageId.AREAS_REPLY, body)]
