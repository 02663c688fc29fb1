"""Exchanged devices, without the protocol: what the office decides about another device that asks for a phone number."""

from __future__ import annotations

from typing import Any, Final

from runtime.connection import Connection
from telemetry.terminals import notices

#: After so many days without authentication and without a position another device is taken for an exchange. The office
#: may set its own (parameter terminal.exchange_silence_days).
EXCHANGE_SILENCE_DAYS: Final = 30


async def accept(conn: Connection, phone: str, by: str) -> dict[str, Any] | None:
    """The office accepts the device that waits: it is the remembered one from now on and gets a code when it registers again.
    What it is, or None when none waits. In the caller's transaction."""
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
