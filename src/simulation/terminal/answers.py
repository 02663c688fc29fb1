"""What a simulated terminal answers to whatever the platform sends, in the edition that it speaks (JT/T 808-2011, -2013, -2019).

By the tables of the codec: a message that its edition does not have is "not supported" (0x0001 result 3), one whose body cannot be
read is "bad" (2). What it does besides answering stands in ``Device.effects``. Without IO and clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from simulation.terminal import areas, control, media, parameters, recorder, words
from simulation.terminal.device import BAD, OK, UNSUPPORTED, Answer, Device, new_device, reply
from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.header import Header
from telemetry.jt808.tables import codec

__all__ = ["Answer", "Device", "answers", "new_device"]

_Handler = Callable[[Device, Header, Any, bytes | None], list[Answer]]


def _confirms(_device: Device, header: Header, _fields: Any, _position: bytes | None) -> list[Answer]:
    return [reply(header, OK)]


def _without_position(handler: Callable[[Device, Header, Any], list[Answer]]) -> _Handler:
    return lambda device, header, fields, _position: handler(device, header, fields)


_HANDLERS: Final[dict[int, _Handler]] = {
    MessageId.SET_PARAMETERS: _without_position(parameters.set_parameters),
    MessageId.QUERY_PARAMETERS: lambda d, h, f, p: parameters.told(d, h),
    MessageId.QUERY_SOME_PARAMETERS: lambda d, h, f, p: parameters.told(d, h, f["ids"]),
    MessageId.TERMINAL_CONTROL: _without_position(control.control),
    MessageId.QUERY_ATTRIBUTES: lambda d, h, f, p: [(MessageId.ATTRIBUTES_REPLY, control.attributes(d))],
    MessageId.UPGRADE: _without_position(control.upgrade),
    MessageId.LOCATION_QUERY: lambda d, h, f, p: control.where(d, h, p),
    MessageId.TRACKING: _without_position(control.tracking),
    MessageId.CONFIRM_ALARM: _confirms,
    MessageId.LINK_TEST: _confirms,
    MessageId.TEXT: _without_position(words.text),
    MessageId.SET_EVENTS: _without_position(words.events),
    MessageId.QUESTION: _without_position(words.question),
    MessageId.SET_INFORMATION_MENU: _without_position(words.menu),
    MessageId.INFORMATION: _without_position(words.information),
    MessageId.CALL_BACK: _without_position(words.call_back),
    MessageId.SET_PHONE_BOOK: _without_position(words.phone_book),
    MessageId.VEHICLE_CONTROL: control.vehicle,
    **dict.fromkeys(
        (MessageId.SET_CIRCLES, MessageId.SET_RECTANGLES, MessageId.SET_POLYGON, MessageId.SET_ROUTE),
        _without_position(areas.set_areas),
    ),
    **dict.fromkeys(
        (
            MessageId.DELETE_CIRCLES,
            MessageId.DELETE_RECTANGLES,
            MessageId.DELETE_POLYGONS,
            MessageId.DELETE_ROUTES,
        ),
        _without_position(areas.delete_areas),
    ),
    MessageId.QUERY_AREAS: _without_position(areas.areas_told),
    MessageId.RECORDER_QUERY: recorder.recorder_told,
    MessageId.RECORDER_SET: _without_position(recorder.recorder_set),
    MessageId.QUERY_DRIVER_IDENTITY: lambda d, h, f, p: recorder.driver_told(d, h, p),
    MessageId.MEDIA_REPLY: lambda d, h, f, p: media.arrived(d, f),
    MessageId.SHOOT: media.shoot,
    MessageId.MEDIA_SEARCH: _without_position(media.search),
    MessageId.MEDIA_UPLOAD: _without_position(media.upload),
    MessageId.RECORD_SOUND: media.record,
    MessageId.MEDIA_UPLOAD_ONE: _without_position(media.upload_one),
    MessageId.PASSTHROUGH_DOWN: _without_position(control.passthrough),
    MessageId.PLATFORM_RSA_KEY: lambda d, h, f, p: control.rsa_key(d),
}


def answers(device: Device, header: Header, part: bytes, position: bytes | None) -> list[Answer]:
    """What the device sends when it receives a message, or a package of one: (id, body) each. ``position``: its newest 0x0200 body.
    What it does besides is appended to ``device.effects``."""
    handler = _HANDLERS.get(header.id)
    body = device.whole(header, part)
    if body is None:
        return [reply(header, OK)]
    if handler is None or header.encryption:
        return [reply(header, UNSUPPORTED)]
    read = codec.decode(header.id, device.version, body)
    if isinstance(read, Rejection):
        return [reply(header, UNSUPPORTED if read.reason is Reason.UNSUPPORTED else BAD)]
    return handler(device, header, read.fields, position)
