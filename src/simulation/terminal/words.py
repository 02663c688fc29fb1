"""Words to the driver and back: texts, events, questions, the menu of information, the telephone (0x8300 to 0x8401)."""

from __future__ import annotations

from typing import Any, Final

from simulation.terminal.device import FAILED, OK, Answer, Device, Say, reply
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Header
from telemetry.jt808.tables import codec

#: A driver takes so long to press a button, seconds.
_DRIVER_S: Final = 2.0
#: Rows of each list that a device has room for.
_MOST: Final = 100
_DELETE_ALL, _REPLACE, _ADD, _CHANGE, _DELETE_SOME = range(5)


def text(device: Device, header: Header, fields: Any) -> list[Answer]:
    device.texts += 1
    device.text = fields["text"]
    return [reply(header, OK)]


def events(device: Device, header: Header, fields: Any) -> list[Answer]:
    """The list of events; the driver reports the first of them."""
    rows = {row["id"]: row["text"] for row in fields.get("events", [])}
    answer = _changed(device.events, rows, fields["setting"], header)
    if device.events and fields["setting"] in (_REPLACE, _ADD, _CHANGE):
        _presses(device, MessageId.EVENT_REPORT, {"id": min(device.events)})
    return answer


def question(device: Device, header: Header, fields: Any) -> list[Answer]:
    """The driver takes the first answer that is offered; without one there is nothing to press."""
    if fields["answers"]:
        pressed = {"serial": header.serial, "answer": fields["answers"][0]["id"]}
        _presses(device, MessageId.QUESTION_REPLY, pressed)
    return [reply(header, OK)]


def menu(device: Device, header: Header, fields: Any) -> list[Answer]:
    """The menu of information; the driver asks for the first kind."""
    rows = {row["kind"]: row["name"] for row in fields.get("kinds", [])}
    answer = _changed(device.menu, rows, fields["setting"], header)
    if device.menu and fields["setting"] in (_REPLACE, _ADD, _CHANGE):
        _presses(device, MessageId.INFORMATION_REQUEST, {"kind": min(device.menu), "flag": 1})
    return answer


def information(device: Device, header: Header, fields: Any) -> list[Answer]:
    device.text = fields["text"]
    return [reply(header, OK)]


def call_back(device: Device, header: Header, fields: Any) -> list[Answer]:
    """It can call whoever has a number."""
    return [reply(header, OK if fields["phone"] else FAILED)]


def phone_book(device: Device, header: Header, fields: Any) -> list[Answer]:
    rows = {row["name"]: row for row in fields.get("contacts", [])}
    return _changed(device.contacts, rows, fields["setting"], header)


def _presses(device: Device, message_id: MessageId, fields: dict[str, Any]) -> None:
    device.effects.append(Say(message_id, codec.encode(message_id, device.version, fields), _DRIVER_S))


def _changed(kept: dict[Any, Any], rows: dict[Any, Any], setting: int, header: Header) -> list[Answer]:
    """``kept`` after a setting of ``rows``: 0 delete all, 1 replace all, 2 add, 3 change, 4 delete these."""
    match setting:
        case 0:
            after = {}
        case 1:
            after = rows
        case 4:
            after = {each: kept[each] for each in kept if each not in rows}
        case _:
            after = kept | rows
    if len(after) > _MOST:
        return [reply(header, FAILED)]
    kept.clear()
    kept.update(after)
    return [reply(header, OK)]
