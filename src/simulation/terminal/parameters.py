"""Parameters of a simulated device: set, and remembered; told (0x8103, 0x8104, 0x8106)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from simulation.terminal.device import FAILED, OK, Answer, Device, reply
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Header
from telemetry.jt808.tables import codec
from telemetry.jt808.tables.parameter_ids import PARAMETERS

#: Ids that a device remembers at most; those of makers are kept as bytes.
_MOST: Final = 512
_MAKERS: Final = range(0xF000, 0x1_0000)
#: Parameters of one 0x0104: its count is a byte.
_MOST_TOLD: Final = 255


def set_parameters(device: Device, header: Header, fields: Any) -> list[Answer]:
    """All or nothing: one that the device does not have, or whose value has another length, refuses the message."""
    known = PARAMETERS[device.version]
    given = {row["id"]: row["value"] for row in fields["parameters"]}
    for number, value in given.items():
        element = known.get(number)
        if element is None and number not in _MAKERS:
            return [reply(header, FAILED)]
        # A value of a wrong length is read as bytes.
        if element is not None and element.width and isinstance(value, bytes) and len(value) != element.width:
            return [reply(header, FAILED)]
    after = {**device.parameters, **given}
    if len(after) > _MOST:
        return [reply(header, FAILED)]
    device.parameters = after
    return [reply(header, OK)]


def told(device: Device, header: Header, ids: Iterable[int] | None = None) -> list[Answer]:
    """0x0104 with those of ``ids`` that the device has, or all."""
    values = device.every_parameter
    wanted = sorted(values) if ids is None else [each for each in ids if each in values]
    listed = [{"id": each, "value": values[each]} for each in wanted]
    fields = {"serial": header.serial, "parameters": listed[:_MOST_TOLD]}
    return [(MessageId.PARAMETERS_REPLY, codec.encode(MessageId.PARAMETERS_REPLY, device.version, fields))]
