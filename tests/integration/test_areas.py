"""Fences on their way into terminals: API, keeper, gateway and a terminal that keeps what it is sent, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from office.identity.subject import Role
from registry.areas.keeper import Keeper
from registry.fences import Fence, withdraw_fence
from registry.records import apply
from telemetry.jt808.scalar.header import Version
from tests.integration.command_site import Office, confirm, gateway, office, online, phone
from tests.integration.terminal_client import Terminal
from tests.waiting import until

SETS: Final = {0x8600: "circle", 0x8602: "rectangle", 0x8604: "polygon"}
DELETES: Final = {0x8601: "circle", 0x8603: "rectangle", 0x8605: "polygon"}
BOX: Final = [[120.899, 31.999], [120.901, 31.999], [120.901, 32.001], [120.899, 32.001], [120.899, 31.999]]
WIDE: Final = [[120.89, 31.99], [120.91, 31.99], [120.91, 32.01], [120.89, 32.01], [120.89, 31.99]]
TRIANGLE: Final = [[120.899, 31.999], [120.901, 31.999], [120.9, 32.001], [120.899, 31.999]]
HOLE: Final = [[120.8995, 31.9995], [120.8996, 31.9995], [120.8996, 31.9996], [120.8995, 31.9995]]


class Device:
    """A terminal that keeps areas, by (shape, id), as the bodies that set them, and confirms. ``deaf``: it does what it is told and does not
    say so; ``result``: what it says."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.areas: dict[tuple[str, int], bytes] = {}
        self.sent: list[int] = []
        self.deaf, self.result = False, 0

    async def run(self) -> None:
        with suppress(EOFError, ConnectionError):
            while True:
                header, body = await self.terminal.receive(3_600)
                if header.id in SETS:
                    # 2013: circles and rectangles behind kind and count.
                    at = 0 if header.id == 0x8604 else 2
                    if not self.result:
                        self.areas[SETS[header.id], int.from_bytes(body[at : at + 4], "big")] = body
                elif header.id in DELETES:
                    assert body[0] == 1
                    if not self.result:
                        self.areas.pop((DELETES[header.id], int.from_bytes(body[1:5], "big")), None)
                if header.id in (*SETS, *DELETES):
                    self.sent.append(header.id)
                    if not self.deaf:
                        confirm(self.terminal, header, self.result)


@asynccontextmanager
async def device(g: Any, n: int = 1) -> AsyncIterator[Device]:
    """The terminal of vehicle ``n``: it registers, logs in and keeps nothing yet."""
    made = Device(await online(g, n, Version.V2013))
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await made.terminal.close()


async def fence(pool: asyncpg.Pool, *rings: list[list[float]], id: str = "F1", **more: Any) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    given = {"id": id, "name": "院", "organisation": "unit", "datum": "wgs84", "valid_from": since, **more}
    async with pool.acquire() as connection, connection.transaction():
        await apply(connection, [Fence(geometry={"type": "Polygon", "coordinates": list(rings)}, **given)])


async def states(it: Office, id: str = "F1") -> dict[str, str]:
    """Vehicle -> how the fence stands in its terminal; whoever keeps has another turn first, as another process."""
    await Keeper().turn(it.pool)
    answer = await it.client.get(f"/v1/fences/{id}/terminals")
    assert answer.status_code == 200, answer.text
    return {row["vehicle"]: row["state"] for row in answer.json()["items"]}


async def becomes(it: Office, wanted: dict[str, str], id: str = "F1") -> None:
    async def there() -> bool:
        return await states(it, id) == wanted

    await until(there, f"the fence is {wanted}")


async def post(client: httpx.AsyncClient, path: str) -> httpx.Response:
    return await client.post(f"/v1/fences/{path}")


async def test_a_terminal_holds_exactly_what_the_office_has_chosen(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    async with (
        office(pool, db_url, 2) as it,
        gateway(pool, db_url, tmp_path / "log") as g,
        it.person("li", Role.VEHICLE_OFFICE) as li,
        it.person("wang", Role.UNIT_ADMINISTRATOR) as wang,
    ):
        await fence(pool, BOX)
        assert await Keeper().turn(pool) is False
        assert await states(it) == {}  # nobody has chosen it
        assert (await post(wang, "F1:send-down")).status_code == 403
        assert (await post(it.client, "F1:send-down")).status_code == 403  # no program configures terminals
        assert (await post(li, "F9:send-down")).status_code == 404
        sent = await post(li, "F1:send-down")
        assert (sent.status_code, sent.json()["sent"], sent.json()["shape"]) == (200, True, "rectangle")
        assert await states(it) == {"car-1": "waiting", "car-2": "waiting"}  # nobody is connected
        assert await pool.fetchval("SELECT count(*) FROM terminal_commands") == 0
        async with device(g) as car:
            await becomes(it, {"car-1": "confirmed", "car-2": "waiting"})
            ((key, first),) = car.areas.items()
            assert (key[0], car.sent) == ("rectangle", [0x8602])
            asked = await pool.fetchrow("SELECT asked_by, kind, state FROM terminal_commands")
            assert tuple(asked) == ("program:areas", "areas", "delivered")
            # Another version of it: in place of what is there. Then one that is no rectangle: that goes before this comes.
            await fence(pool, WIDE)
            await becomes(it, {"car-1": "confirmed", "car-2": "waiting"})
            assert (list(car.areas), car.sent[1:]) == ([key], [0x8602])
            assert (car.areas[key][0], car.areas[key] != first) == (2, True)
            await fence(pool, TRIANGLE)
            await becomes(it, {"car-1": "confirmed", "car-2": "waiting"})
            assert (list(car.areas), car.sent[2:]) == ([("polygon", key[1])], [0x8603, 0x8604])
            # What it has done and not said is not known: deleted and set again, when the office says so, else a minute later.
            car.deaf = True
            await fence(pool, WIDE)
            await becomes(it, {"car-1": "failed", "car-2": "waiting"})
            (row, _) = (await it.client.get("/v1/fences/F1/terminals")).json()["items"]
            assert (row["failure"], row["retry_at"] is not None, row["holds_version"]) == (
                "no_reply",
                True,
                None,
            )
            car.deaf = False
            assert (await post(li, "F1:send-down")).status_code == 200
            await becomes(it, {"car-1": "confirmed", "car-2": "waiting"})
            assert list(car.areas) == [("rectangle", key[1])]
        # It is another device, or the same one after a reset: it registers, and has nothing.
        async with device(g) as car, device(g, 2) as other:
            await becomes(it, {"car-1": "confirmed", "car-2": "confirmed"})
            assert (
                list(car.areas) == list(other.areas) == [("rectangle", key[1])]
            )  # one number, always the same
            # A fence of its own for one of them: the unit's is for the others only.
            await fence(pool, TRIANGLE, id="F2", vehicles=["car-2"])
            assert (await li.post("/v1/organisations/unit:send-fences-down")).json() == {
                "organisation": "unit",
                "sent": True,
            }
            await becomes(it, {"car-1": "confirmed"})
            await becomes(it, {"car-2": "confirmed"}, "F2")
            assert [shape for shape, _ in other.areas] == ["polygon"]
            # One that no terminal takes is told before anything is sent; what was there of it goes.
            await fence(pool, TRIANGLE, HOLE, id="F2", vehicles=["car-2"])
            await becomes(it, {"car-2": "refused"}, "F2")
            await until(lambda: other.areas == {}, "the version before is deleted")
            refused = await post(li, "F2:send-down")
            assert (refused.status_code, refused.json()["refusal"]) == (422, "holes")
            assert "空洞" in refused.json()["detail"]
            # A terminal that refuses is left alone until the office says so.
            car.result = 1
            await fence(pool, BOX)
            await becomes(it, {"car-1": "failed"})
            car.result, before = 0, len(car.sent)
            assert await states(it) == {"car-1": "failed"}
            assert len(car.sent) == before
            assert (await post(li, "F1:send-down")).status_code == 200
            await becomes(it, {"car-1": "confirmed"})
            # It ends, and nobody wants it any more.
            async with pool.acquire() as connection, connection.transaction():
                assert await withdraw_fence(connection, "F1", None)
            await becomes(it, {})
            assert car.areas == {}
            await fence(pool, BOX, id="F3")
            await becomes(it, {"car-1": "confirmed"}, "F3")
            assert (await li.post("/v1/organisations/unit:recall-fences")).json()["sent"] is False
            await becomes(it, {}, "F3")
            assert car.areas == {}
            # The terminal that was taken out of the vehicle cannot be asked; in another vehicle it gets that one's.
            assert (await post(li, "F3:send-down")).json()["by_unit"] is False
            await becomes(it, {"car-1": "confirmed"}, "F3")
            await pool.execute(
                "UPDATE terminal_bindings SET valid_to = clock_timestamp() WHERE terminal_no = (SELECT no FROM terminals WHERE phone = $1)",
                phone(1),
            )
            await becomes(it, {"car-1": "ending"}, "F3")
            assert len(car.areas) == 1
            assert (await post(li, "F3:recall")).json()["sent"] is False
        assert await pool.fetchval("SELECT count(*) FROM terminal_commands WHERE state = 'sent'") == 0
        audit = await pool.fetch(
            "SELECT DISTINCT who_id, subject_kind FROM audit WHERE subject_kind IN ('fences', 'commands')"
        )
        assert {tuple(row) for row in audit} >= {("li", "fences"), ("areas", "commands")}
