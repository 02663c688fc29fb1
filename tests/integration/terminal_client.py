"""A plain 808 terminal for tests: one socket, the scalar codec, every reply looked at."""

from __future__ import annotations

import asyncio
from typing import Self

from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.framing import FrameReader, encode_frame
from telemetry.jt808.scalar.header import Header, Version, build_message, build_messages, parse_header
from tests.waiting import PATIENCE_S


def position(k: int = 0, *, items: bytes = b"", time: str = "260302101112") -> bytes:
    """A 0x0200 body; ``k`` makes it different from others."""
    lat, lon = 31_980_000 + k, 120_890_000 + k
    basic = bytes(4) + (3).to_bytes(4, "big") + lat.to_bytes(4, "big") + lon.to_bytes(4, "big")
    return basic + bytes.fromhex("000c01c80036") + bytes.fromhex(time) + items


class Terminal:
    """A terminal that is connected. ``replies`` holds every platform message not asked for yet."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, phone: str, version: Version
    ) -> None:
        self.reader, self.writer, self.phone, self.version = reader, writer, phone, version
        self.frames = FrameReader()
        self.serial = 0
        self.inbox: list[tuple[Header, bytes]] = []
        self.code = ""

    @classmethod
    async def connect(cls, port: int, phone: str, version: Version = Version.V2013) -> Self:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return cls(reader, writer, phone, version)

    @classmethod
    async def online(cls, port: int, phone: str, version: Version = Version.V2013) -> Self:
        """Connected, registered, authenticated."""
        terminal = await cls.connect(port, phone, version)
        assert await terminal.register() == 0
        assert await terminal.authenticate() == 0
        return terminal

    def send(self, message_id: int, body: bytes, *, phone: str | None = None) -> int:
        """Send a message without waiting; returns its serial."""
        serial = self.serial
        for message in build_messages(message_id, body, phone or self.phone, serial, version=self.version):
            self.writer.write(encode_frame(message))
            self.serial = (self.serial + 1) & 0xFFFF
        return serial

    def frame(self, message_id: int, body: bytes) -> bytes:
        """A frame with the next serial, not sent."""
        message = build_message(message_id, body, self.phone, self.serial, version=self.version)
        self.serial = (self.serial + 1) & 0xFFFF
        return encode_frame(message)

    async def receive(self, wait_s: float = PATIENCE_S) -> tuple[Header, bytes]:
        """The next platform message. Raises EOFError when the platform has closed, TimeoutError when it is silent."""
        async with asyncio.timeout(wait_s):
            while not self.inbox:
                data = await self.reader.read(65_536)
                if not data:
                    raise EOFError
                for message in self.frames.feed(data):
                    assert not isinstance(message, Rejection)
                    parsed = parse_header(message)
                    assert not isinstance(parsed, Rejection)
                    assert parsed[0].terminal_phone == self.phone.lstrip("0"), "a reply for another terminal"
                    self.inbox.append(parsed)
        return self.inbox.pop(0)

    async def result_of(self, serial: int, message_id: int, wait_s: float = PATIENCE_S) -> int:
        """Wait for the general reply to ``serial``; its result. Other messages stay in the inbox."""
        passed: list[tuple[Header, bytes]] = []
        while True:
            header, body = await self.receive(wait_s)
            if header.id == 0x8001 and body[:4] == serial.to_bytes(2, "big") + message_id.to_bytes(2, "big"):
                self.inbox = passed + self.inbox
                return body[4]
            passed.append((header, body))

    async def ask(self, message_id: int, body: bytes, *, phone: str | None = None) -> int:
        """Send and wait for the result."""
        return await self.result_of(self.send(message_id, body, phone=phone), message_id)

    async def register(self, device: bytes = b"D1") -> int:
        """0x0100; keeps the code of the answer."""
        if self.version is Version.V2019:
            body = bytes(4) + b"MAKER".ljust(11, b"\0") + b"M-1".ljust(30, b"\0") + device.ljust(30, b"\0")
        else:
            body = bytes(4) + b"MAKER" + b"M-1".ljust(20, b"\0") + device.ljust(7, b"\0")
        self.send(0x0100, body + b"\x01" + "苏F12345".encode("gbk"))
        header, answer = await self.receive()
        assert header.id == 0x8100
        self.code = answer[3:].decode("ascii")
        return answer[2]

    async def authenticate(self, code: str | None = None, imei: bytes = b"1" * 15) -> int:
        raw = (self.code if code is None else code).encode()
        if self.version is Version.V2019:
            raw = bytes((len(raw),)) + raw + imei + b"1.0".ljust(20, b"\0")
        return await self.ask(0x0102, raw)

    async def closed(self, wait_s: float = PATIENCE_S) -> bool:
        """Wait until the platform closes this connection."""
        async with asyncio.timeout(wait_s):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
        return True

    async def close(self) -> None:
        self.writer.close()
