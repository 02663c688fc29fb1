"""All messages, by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from telemetry.jt808.tables import areas, data, general, media, parameters, position, records, talk, vehicle
from telemetry.jt808.tables.message import Message

_GROUPS = (general, parameters, position, talk, vehicle, areas, records, media, data)
CATALOGUE: Final[Mapping[int, Message]] = {
    int(message.id): message for group in _GROUPS for message in group.MESSAGES
}
