"""The kinds of reports: what people and programs call the messages of JT/T 808 that are no positions."""

from __future__ import annotations

from typing import Final

from telemetry.jt808.ids import REPORT_IDS, MessageId

#: Message -> the kind that its rows have.
KINDS: Final[dict[int, str]] = {
    MessageId.ATTRIBUTES_REPLY: "attributes",
    MessageId.UPGRADE_RESULT: "upgrade",
    MessageId.EVENT_REPORT: "event",
    MessageId.QUESTION_REPLY: "answer",
    MessageId.INFORMATION_REQUEST: "information",
    MessageId.AREAS_REPLY: "areas",
    MessageId.RECORDER_DATA: "recorder",
    MessageId.WAYBILL: "waybill",
    MessageId.DRIVER_IDENTITY: "driver_card",
    MessageId.MEDIA_EVENT: "media_event",
    MessageId.MEDIA_DATA: "media",
    MessageId.MEDIA_SEARCH_REPLY: "media_search",
    MessageId.SHOOT_REPLY: "photo",
    MessageId.PASSTHROUGH_UP: "passthrough",
    MessageId.COMPRESSED: "compressed",
    MessageId.TERMINAL_RSA_KEY: "rsa_key",
}
if frozenset(KINDS) != REPORT_IDS:
    raise RuntimeError("every message that is kept as a report has a kind, and no other has one")
