"""Simulated terminals and a platform that asks things of them, over real sockets: what they do besides delivering positions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from simulation.terminal import media
from simulation.terminal.client import Terminal
from simulation.terminal.habits import Habits, arrives, card_of, departs, introduced, trips
from simulation.terminal.many import Fleet, registration
from simulation.terminal.state import Timing
from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.framing import FrameReader, encode_frame
from telemetry.jt808.scalar.header import Header, Version, build_reply, parse_header
from telemetry.jt808.scalar.replies import general_reply, registration_reply, retransmit_request
from telemetry.jt808.tables import codec
from tests.integration.test_replay import bodies
from tests.waiting import until

QUICK = Timing(connect_s=2.0, confirm_s=0.2, heartbeat_s=60.0, tick_s=0.02)


class Desk:
    """A platform that confirms everything that ``confirms`` says, and sends what it is told to. ``frames``: all messages, packages apart;
    ``whole``: (id, body), packages joined as they came first."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.confirms: Callable[[Header], bool] = lambda header: header.id != MessageId.TERMINAL_GENERAL_REPLY
        self.result = 0
        self.frames: list[tuple[Header, bytes]] = []
        self.logins = 0
        self.writer: asyncio.StreamWriter | None = None
        self.header: Header | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer, frames = writer, FrameReader()
        while data := await reader.read(65_536):
            for message in frames.feed(data):
                assert not isinstance(message, Rejection)
                parsed = parse_header(message)
                assert not isinstance(parsed, Rejection)
                header, _ = parsed
                self.frames.append(parsed)
                if header.id == 0x0100:
                    writer.write(registration_reply(header, 0, "code", 1))
                elif header.id == 0x0102:
                    self.logins += 1
                    self.header = header
                    writer.write(general_reply(header, 0, 1))
                elif self.confirms(header):
                    writer.write(general_reply(header, self.result, 1))
        writer.close()

    def tell(self, message_id: int, **fields: Any) -> None:
        assert self.header is not None
        assert self.writer is not None
        body = codec.encode(message_id, self.version, fields)
        self.writer.write(encode_frame(build_reply(self.header, message_id, body, 500)))

    def got(self, message_id: int) -> list[tuple[Header, bytes]]:
        return [each for each in self.frames if each[0].id == message_id]

    def whole(self, message_id: int) -> list[dict[str, Any]]:
        """Messages read, each once, however often its packages came."""
        found: dict[int, dict[int, bytes]] = {}
        for header, body in self.got(message_id):
            first = header.serial - max(header.index - 1, 0)
            found.setdefault(first, {})[header.index] = body
            found[first].setdefault(-1, b"\0" * max(header.total, 1))
        read: list[dict[str, Any]] = []
        for parts in found.values():
            total = len(parts.pop(-1))
            if len(parts) == total:
                whole = codec.decode(message_id, self.version, b"".join(parts[k] for k in sorted(parts)))
                assert isinstance(whole, codec.Body)
                assert not whole.leftovers
                read.append(whole.fields)
        return read

    async def wait(self, message_id: int, count: int = 1) -> list[tuple[Header, bytes]]:
        await until(lambda: len(self.got(message_id)) >= count, f"{count} of {message_id:#06x}")
        return self.got(message_id)


@asynccontextmanager
async def online(version: Version, **options: Any) -> AsyncIterator[tuple[Desk, Fleet, Terminal]]:
    desk = Desk(version)
    server = await asyncio.start_server(desk.serve, "127.0.0.1", 0)
    try:
        async with Fleet(*server.sockets[0].getsockname(), timing=QUICK, **options) as fleet:
            terminal = fleet.add("13800000000", registration("苏F00001", "1", version))
            await fleet.all_online()
            yield desk, fleet, terminal
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("version", Version)
async def test_a_picture_goes_up_in_packages_and_missing_ones_again(version: Version) -> None:
    async with online(version) as (desk, fleet, terminal):
        desk.confirms = lambda header: header.id != MessageId.MEDIA_DATA
        terminal.offer(bodies(1))
        shot = {
            "interval": 0,
            "save": 0,
            "resolution": 1,
            "quality": 5,
            "brightness": 1,
            "contrast": 1,
            "saturation": 1,
            "chroma": 1,
        }
        desk.tell(MessageId.SHOOT, channel=1, command=1, **shot)
        await desk.wait(MessageId.MEDIA_DATA, 3)
        file = terminal.device.files[1].data
        if version is Version.V2011:
            parts = desk.whole(MessageId.MEDIA_DATA)
            assert b"".join(each["data"] for each in parts) == file
            await until(lambda: fleet.stats.said_lost == len(parts), "nobody wants them: given up")
            assert fleet.stats.online == 1  # and the line stays
            desk.tell(MessageId.MEDIA_REPLY, serial=1, media_id=1, indexes=[2])
            before = len(desk.got(MessageId.MEDIA_DATA))
            again = (await desk.wait(MessageId.MEDIA_DATA, before + 1))[-1]
            assert again[1][12:16] == (2).to_bytes(4, "big")
            return
        (read,) = desk.whole(MessageId.MEDIA_DATA)
        assert (read["data"], read["lat_e6"], read["media_id"]) == (file, 31_980_000, 1)
        packages = desk.got(MessageId.MEDIA_DATA)
        serials = [header.serial for header, _ in packages[:3]]
        assert serials == [*range(serials[0], serials[0] + 3)]
        # By 0x8800, and by 0x8003: the same packages with the same serials.
        count = len(packages)
        desk.tell(MessageId.MEDIA_REPLY, media_id=1, indexes=[2])
        assert desk.header is not None
        assert desk.writer is not None
        desk.writer.write(retransmit_request(desk.header, serials[0], [3], 9))

        def came(index: int) -> bool:
            return sum(header.index == index for header, _ in desk.got(MessageId.MEDIA_DATA)) >= 2

        await until(lambda: came(2) and came(3), f"two of {count} come again")
        desk.tell(MessageId.MEDIA_REPLY, media_id=1)
        await until(lambda: fleet.stats.said_confirmed == 1, "0x8800 says that it is there")
        assert fleet.stats.unsaid == 0


async def test_what_it_says_is_said_until_it_is_confirmed_or_refused() -> None:
    async with online(Version.V2019) as (desk, fleet, terminal):
        desk.confirms = lambda header: len(desk.got(header.id)) >= 3
        introduced(terminal)
        said = await desk.wait(MessageId.ATTRIBUTES_REPLY, 3)
        assert len({header.serial for header, _ in said}) == 1
        await until(lambda: fleet.stats.said_confirmed == 1, "confirmed at last")
        # What was on its way when the line broke comes after the next login, and what was said meanwhile.
        desk.confirms = lambda header: desk.logins >= 2
        departs(terminal, card_of("张三", 7), "260302101112", Habits(messages=True))
        await desk.wait(MessageId.DRIVER_IDENTITY)
        terminal.go_offline()
        arrives(terminal, "260302111112", Habits(messages=True))
        terminal.go_online()
        assert await fleet.flush(5)
        read = [each for each in desk.whole(MessageId.DRIVER_IDENTITY) if each]
        assert [(each["status"], each["time"]) for each in read][-2:] == [
            (1, "260302101112"),
            (2, "260302111112"),
        ]
        assert (read[0]["name"], read[0]["id_number"]) == ("张三", "320600198001000007")
        assert len(desk.got(MessageId.PASSTHROUGH_UP)) == 1
        # A platform that does not want it says so once.
        desk.result = 3
        introduced(terminal)
        await until(lambda: fleet.stats.said_refused[MessageId.ATTRIBUTES_REPLY] == 1, "refused")
        # So much is kept for the next login, and the rest is counted.
        terminal.go_offline()
        for _ in range(80):
            introduced(terminal)
        assert fleet.stats.said_lost == 16
        assert fleet.stats.unsaid == 64


async def test_it_reports_more_often_while_it_is_tracked() -> None:
    now = [1_700_000_000.0]
    async with online(Version.V2013, clock=lambda: now[0]) as (desk, fleet, terminal):
        terminal.offer(bodies(1))
        await desk.wait(MessageId.LOCATION)
        desk.tell(MessageId.TRACKING, interval=1, validity=600)
        await desk.wait(MessageId.TERMINAL_GENERAL_REPLY)
        now[0] += 5
        extra = (await desk.wait(MessageId.LOCATION, 2))[1][1]
        assert extra[:22] == bodies(1)[0][:22]
        assert extra[22:28].hex() == "231115061325"  # five seconds later
        assert (fleet.stats.offered, fleet.stats.confirmed) == (1, 1)  # the owner's alone
        desk.tell(MessageId.TRACKING, interval=0)
        await desk.wait(MessageId.TERMINAL_GENERAL_REPLY, 2)
        assert terminal.outbox.tick(1e9) is False
        # What was done to the vehicle stands in what it reports.
        desk.tell(MessageId.VEHICLE_CONTROL, flag=1)
        await desk.wait(MessageId.VEHICLE_CONTROL_REPLY)
        terminal.offer(bodies(1, 1_700_000_100))
        count = len(desk.got(MessageId.LOCATION))
        last = (await desk.wait(MessageId.LOCATION, count + 1))[-1][1]
        assert int.from_bytes(last[4:8], "big") == 3 | 1 << 12
        assert await fleet.flush(5)


async def test_a_restart_hangs_up_and_comes_back() -> None:
    async with online(Version.V2019) as (desk, fleet, terminal):
        terminal.device.status |= 1 << 12
        desk.tell(MessageId.SET_PARAMETERS, parameters=[{"id": 0x29, "value": 15}])
        desk.tell(MessageId.TERMINAL_CONTROL, command=4)
        await until(lambda: desk.logins == 2, "it logs in again")
        assert fleet.stats.disconnects == 0
        assert terminal.device.parameters[0x29] == 15
        assert [body[4] for _, body in desk.got(MessageId.TERMINAL_GENERAL_REPLY)] == [0, 0]


async def test_a_long_answer_goes_in_packages() -> None:
    async with online(Version.V2013) as (desk, _fleet, terminal):
        long = [{"id": 0xF000 + k, "value": bytes(200)} for k in range(6)]
        for each in long:
            desk.tell(MessageId.SET_PARAMETERS, parameters=[each])
        await desk.wait(MessageId.TERMINAL_GENERAL_REPLY, 6)
        desk.tell(MessageId.QUERY_PARAMETERS)
        await desk.wait(MessageId.PARAMETERS_REPLY, 2)
        await until(lambda: len(desk.whole(MessageId.PARAMETERS_REPLY)) == 1, "all packages")
        told = desk.whole(MessageId.PARAMETERS_REPLY)[0]
        assert {row["id"] for row in told["parameters"]} == {*terminal.device.every_parameter}


async def test_positions_in_one_message_and_2011_without_batches() -> None:
    async with online(Version.V2013) as (desk, fleet, terminal):
        terminal.offer_together(bodies(5))
        terminal.offer_together(bodies(50, 1_700_000_100))  # more than a message takes
        assert await fleet.flush(5)
        assert [body[:3].hex() for _, body in desk.got(MessageId.LOCATION_BATCH)] == ["000500"]
        assert (len(desk.got(MessageId.LOCATION)), fleet.stats.confirmed) == (50, 55)
    async with online(Version.V2011) as (desk, fleet, terminal):
        terminal.offer_together(bodies(2))
        terminal.go_offline()
        terminal.offer(bodies(5, 1_700_000_100))
        terminal.go_online()
        assert await fleet.flush(5)
        assert desk.got(MessageId.LOCATION_BATCH) == []
        assert fleet.stats.confirmed == 7


def test_trips_are_what_lies_between_long_stops() -> None:
    import numpy as np

    time_s = np.arange(0, 6_000, 60)
    moving = ((time_s >= 600) & (time_s < 1_200)) | ((time_s >= 1_500) & (time_s < 1_800)) | (time_s >= 5_000)
    assert trips(time_s, moving.astype(np.int64)) == [(600, 1_740), (5_040, 5_940)]
    assert trips(time_s, np.zeros(len(time_s), np.int64)) == []


def test_a_picture_without_a_fix_says_so() -> None:
    from simulation.terminal.device import new_device

    device = new_device(Version.V2013, "1")
    file = media.take_picture(device, media.CABIN, media.BY_TIME, None)
    assert file.position == bytes(28)
    assert media.sent(device, file)
