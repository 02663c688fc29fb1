"""Exchanged devices, without the protocol: what the office decides about another device that asks for a phone number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from runtime.connection import Connection
from runtime.errors import GongcheError
from telemetry.terminals import notices

#: After so many days without authentication and without a position another device is taken for an exchange. The office
#: may set its own (parameter terminal.exchange_silence_days).
EXCHANGE_SILENCE_DAYS: Final = 30


class WhichDeviceError(GongcheError):
    """It is not clear which device the office means: anybody may ask for a phone number, also between the office's look and its
    word. ``asked``: terminal ids, the newest last."""

    exit_code = 1

    def __init__(self, asked: Sequence[str]) -> None:
        self.asked = list(asked)
        super().__init__(
            f"等待的设备有 {'、'.join(self.asked)}，请写明接受哪一台 · these devices ask; name the one that is accepted",
            hint="gongche terminal accept <phone> <device id>, or give the terminal its `device_id` in the registry",
        )


def plain_id(text: str) -> str:
    """What a device says of itself, to be compared: capitals and spaces around do not count."""
    return text.strip().lower()


async def accept(
    conn: Connection, phone: str, by: str, device_id: str | None = None
) -> dict[str, Any] | None:
    """The office accepts the device that waits: it is the remembered one from now on and gets a code when it registers again.
    What it is, or None when none waits. In the caller's transaction.

    ``device_id``: its terminal id, as the office has seen it. Raises WhichDeviceError when another one waits by now, and without
    it when several have asked.
    """
    waiting = await conn.fetchrow(
        "SELECT t.waiting_device[3] AS device, n.detail -> 'asked' AS asked FROM terminals t LEFT JOIN terminal_notices n"
        " ON n.terminal_no = t.no AND n.kind = 'device_refused' AND n.settled_at IS NULL"
        " WHERE t.phone = $1 AND t.waiting_device IS NOT NULL FOR UPDATE OF t",
        phone,
    )
    if waiting is None:
        return None
    asked = waiting["asked"] or [waiting["device"]]
    if device_id is None and len(asked) > 1:
        raise WhichDeviceError(asked)
    if device_id is not None and plain_id(device_id) != plain_id(waiting["device"]):
        raise WhichDeviceError(asked)
    row = await conn.fetchrow(
        "UPDATE terminals t SET manufacturer = CASE WHEN 'manufacturer' = ANY (office_said) THEN manufacturer"
        " ELSE waiting_device[1] END, model = CASE WHEN 'model' = ANY (office_said) THEN model ELSE waiting_device[2] END,"
        " device_id = waiting_device[3], plate = waiting_device[4], waiting_device = NULL, waiting_since = NULL,"
        " updated_at = clock_timestamp() WHERE phone = $1 AND waiting_device IS NOT NULL"
        " RETURNING no, phone, manufacturer, model, device_id, plate",
        phone,
    )
    if row is None:
        return None
    await notices.settle(conn, [row["no"]], "device_refused")
    device = {name: row[name] for name in ("manufacturer", "model", "device_id", "plate")}
    await notices.put(
        conn, [notices.Notice(row["no"], "device_accepted", "device", device | {"by": by})], settled=True
    )
    return {"id": row["phone"], **device}
