"""Terminals that come by TLS, through a balancer, by UDP and IPv6: the same replies, and the same durability behind them."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import REGISTRY

from runtime.errors import ConfigurationError
from telemetry.gateway.entrances.certificates import Certificates
from telemetry.gateway.entrances.origins import Origins, networks
from telemetry.gateway.limits import Limits
from telemetry.gateway.tcp import Gateway
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.framing import FrameReader, encode_frame
from telemetry.jt808.scalar.header import Header, Version, build_message, parse_header
from telemetry.log.base import POSITIONS
from telemetry.log.codec import decode
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.terminals.directory import TerminalDirectory
from tests.integration.terminal_client import Terminal, position
from tests.waiting import PATIENCE_S, until


@dataclass
class Site:
    """A gateway with all its entrances. ``stored``: positions in the log."""

    gateway: Gateway
    port: int
    tls_port: int
    path: Path

    async def stored(self) -> int:
        reader = EmbeddedLogReader(self.path, POSITIONS, 1)
        for partition in (await reader.poll(1, 0)).assigned:
            await reader.seek(partition, 0)
        count = 0
        while records := (await reader.poll(1 << 24, 0)).records:
            count += sum(len(decode(r.payload)) for r in records)
        await reader.close()
        return count


@asynccontextmanager
async def site(
    pool: asyncpg.Pool, path: Path, certificates: Certificates | None = None, origins: Origins | None = None,
    host: str = "127.0.0.1", limits: Limits | None = None,
) -> AsyncIterator[Site]:  # fmt: skip
    directory = TerminalDirectory(pool, True)
    await directory.load()
    log = EmbeddedLogWriter(path / "log", 1)
    gateway = Gateway(directory, log, limits or Limits(), origins)
    try:
        port = gateway.listen(host, 0)
        await gateway.listen_udp(host, port)
        tls_port = 0 if certificates is None else gateway.listen_tls(host, 0, certificates)
        yield Site(gateway, port, tls_port, path / "log")
    finally:
        await gateway.drain(5)
        await log.close()


class Authority:
    """Signs certificates, as an office or a maker does."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        own = self._sign(self._name, self._key, authority=True)
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def give(self, certificate: Path, key: Path) -> int:
        """A new certificate and its key in these files; its serial number. Whole files take the place of the old ones."""
        secret = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")]), secret)
        pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
        for path, data in (
            (key, secret.private_bytes(pem, serialization.PrivateFormat.PKCS8, none)),
            (certificate, signed.public_bytes(pem)),
        ):
            path.with_suffix(".new").write_bytes(data)
            os.replace(path.with_suffix(".new"), path)
        return signed.serial_number

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool = False
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(
            self._name, name, key.public_key(), x509.random_serial_number(), now - datetime.timedelta(days=1),
            now + datetime.timedelta(days=1),
        )  # fmt: skip
        builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return builder.add_extension(names, critical=False).sign(self._key, hashes.SHA256())


@dataclass
class Papers:
    office: Authority
    certificate: Path
    key: Path
    serial: int

    def server(self, **options: Any) -> Certificates:
        return Certificates(self.certificate, self.key, **options)

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.office.file)


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    office = Authority(tmp_path, "office")
    certificate, key = tmp_path / "gateway.crt", tmp_path / "gateway.key"
    return Papers(office, certificate, key, office.give(certificate, key))


async def over_tls(port: int, phone: str, context: ssl.SSLContext) -> Terminal:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    return Terminal(reader, writer, phone, Version.V2013)


def closed(reason: str) -> float:
    return REGISTRY.get_sample_value("gongche_gateway_closed_total", {"reason": reason}) or 0.0


def datagrams(outcome: str) -> float:
    return REGISTRY.get_sample_value("gongche_gateway_udp_datagrams_total", {"outcome": outcome}) or 0.0


async def reports(it: Site, terminal: Terminal, count: int = 3) -> None:
    """Register, authenticate, and get each position stored before its reply."""
    assert await terminal.register() == 0
    assert await terminal.authenticate() == 0
    before = await it.stored()
    for k in range(count):
        assert await terminal.ask(0x0200, position(k)) == 0
        assert await it.stored() == before + k + 1


# --- TLS ------------------------------------------------------------------------------------------------------------------


async def test_tls_beside_plain_tcp(pool: asyncpg.Pool, tmp_path: Path, papers: Papers) -> None:
    async with site(pool, tmp_path, papers.server()) as it:
        for least in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = papers.client()
            context.minimum_version = context.maximum_version = least
            terminal = await over_tls(it.tls_port, f"1390000000{int(least) % 10}", context)
            await reports(it, terminal)
            await terminal.close()
        await reports(it, await Terminal.connect(it.port, "13900000009"))


async def test_a_batch_larger_than_any_buffer_comes_through(
    pool: asyncpg.Pool, tmp_path: Path, papers: Papers
) -> None:
    async with site(pool, tmp_path, papers.server()) as it:
        terminal = await over_tls(it.tls_port, "13900000001", papers.client())
        await reports(it, terminal, 1)
        serials = [terminal.send(0x0200, position(k)) for k in range(20_000)]
        assert await terminal.result_of(serials[-1], 0x0200) == 0
        assert await it.stored() == 20_001


async def test_what_is_no_tls_or_never_comes_costs_nobody_else(
    pool: asyncpg.Pool, tmp_path: Path, papers: Papers
) -> None:
    async with site(pool, tmp_path, papers.server()) as it:
        refused = closed("tls")
        silent = [socket.create_connection(("127.0.0.1", it.tls_port)) for _ in range(50)]
        plain = await Terminal.connect(it.tls_port, "13900000001")
        plain.send(0x0100, bytes(60))
        assert await plain.closed()
        stranger = ssl.create_default_context()
        with pytest.raises(ssl.SSLError):
            await over_tls(it.tls_port, "13900000002", stranger)
        await reports(it, await over_tls(it.tls_port, "13900000003", papers.client()))
        assert closed("tls") > refused
        for one in silent:
            one.close()


async def test_terminals_show_certificates_where_they_must(
    pool: asyncpg.Pool, tmp_path: Path, papers: Papers
) -> None:
    certificate, key = tmp_path / "terminal.crt", tmp_path / "terminal.key"
    certificates = papers.server(client_ca=papers.office.file, clients="required")
    async with site(pool, tmp_path, certificates) as it:
        for signed_by, good in ((papers.office, True), (Authority(tmp_path, "other"), False), (None, False)):
            context = papers.client()
            if signed_by is not None:
                signed_by.give(certificate, key)
                context.load_cert_chain(certificate, key)
            if good:
                await reports(it, await over_tls(it.tls_port, "13900000001", context))
                continue
            with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
                await (await over_tls(it.tls_port, "13900000002", context)).register()


async def test_a_new_certificate_needs_no_restart_and_a_bad_one_changes_nothing(
    pool: asyncpg.Pool, tmp_path: Path, papers: Papers
) -> None:
    async with site(pool, tmp_path, papers.server()) as it:

        async def shown() -> int:
            terminal = await over_tls(it.tls_port, "13900000001", papers.client())
            found = terminal.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            await terminal.close()
            return x509.load_der_x509_certificate(found).serial_number

        stays = await over_tls(it.tls_port, "13900000002", papers.client())
        await reports(it, stays)
        assert await shown() == papers.serial
        papers.certificate.write_bytes(b"half a certificate")
        for _ in range(3):
            assert await shown() == papers.serial
        new = papers.office.give(papers.certificate, papers.key)

        async def taken() -> bool:
            return await shown() == new

        await until(taken, "the new certificate is shown")
        assert await stays.ask(0x0200, position(9)) == 0


@pytest.mark.parametrize("what", ["missing", "no key", "password", "ca alone", "clients alone"])
def test_certificates_that_cannot_be_used_are_refused_at_the_start(
    tmp_path: Path, papers: Papers, what: str
) -> None:
    options: dict[str, Any] = {}
    match what:
        case "missing":
            papers.certificate.unlink()
        case "no key":
            papers.key.write_bytes(papers.certificate.read_bytes())
        case "password":
            locked = serialization.BestAvailableEncryption(b"secret")
            key = ec.generate_private_key(ec.SECP256R1())
            papers.key.write_bytes(
                key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
            )
        case "ca alone":
            options = {"client_ca": papers.office.file}
        case _:
            options = {"clients": "required"}
    with pytest.raises(ConfigurationError, match="TLS"):
        papers.server(**options)


# --- PROXY protocol, networks, IPv6 -----------------------------------------------------------------------------------------


async def through(port: int, header: bytes, phone: str, host: str = "127.0.0.1") -> Terminal:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(header)
    return Terminal(reader, writer, phone, Version.V2013)


def balanced(*, allowed: str = "") -> Origins:
    return Origins(
        networks("allowed", [allowed] if allowed else []), networks("balancers", ["127.0.0.0/31", "::1/128"])
    )


V1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 40001 8808\r\n"
V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes([203, 0, 113, 8, 10, 0, 0, 1]) + b"\x9c\x41\x22\x68"


@pytest.mark.parametrize("header", [V1, V2])
async def test_a_balancer_says_where_the_terminal_is(
    pool: asyncpg.Pool, tmp_path: Path, header: bytes
) -> None:
    async with site(pool, tmp_path, origins=balanced()) as it:
        first = await through(it.port, header, "13900000001")
        await reports(it, first)
        refused = await through(it.port, header, "13900000002")
        refused.send(0x0200, position())
        await refused.receive()
        peers = [c.peer for c in it.gateway.connections()]
        assert peers == [f"203.0.113.{7 if header is V1 else 8}:40001"] * 2


async def test_a_balancer_without_its_header_is_refused_and_others_with_one(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with site(pool, tmp_path, origins=balanced()) as it:
        refused = closed("proxy_header")
        bare = await Terminal.connect(it.port, "13900000001")
        bare.send(0x0100, bytes(60))
        assert await bare.closed()
        assert closed("proxy_header") == refused + 1
        # Not a balancer (127.0.0.2 is outside of its network): what it claims is no frame, and it is where it is.
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port, local_addr=("127.0.0.2", 0))
        liar = Terminal(reader, writer, "13900000002", Version.V2013)
        writer.write(V1)
        await reports(it, liar)
        assert [c.address for c in it.gateway.connections()] == ["127.0.0.2"]


async def test_tls_behind_a_balancer(pool: asyncpg.Pool, tmp_path: Path, papers: Papers) -> None:
    async with site(pool, tmp_path, papers.server(), balanced()) as it:
        raw = socket.create_connection(("127.0.0.1", it.tls_port))
        raw.sendall(V2)
        raw.setblocking(False)
        reader, writer = await asyncio.open_connection(
            sock=raw, ssl=papers.client(), server_hostname="127.0.0.1"
        )
        await reports(it, Terminal(reader, writer, "13900000001", Version.V2013))
        assert [c.address for c in it.gateway.connections()] == ["203.0.113.8"]


async def test_only_networks_that_are_allowed(pool: asyncpg.Pool, tmp_path: Path, papers: Papers) -> None:
    async with site(pool, tmp_path, papers.server(), balanced(allowed="203.0.113.8/32")) as it:
        refused = closed("not_allowed")
        assert await (await through(it.port, V1, "13900000001")).closed()
        await reports(it, await through(it.port, V2, "13900000002"))
        direct = await asyncio.open_connection("127.0.0.1", it.port, local_addr=("127.0.0.3", 0))
        assert await direct[0].read(1) == b""
        radio = await Radio.at(it.port)
        before = datagrams("refused")
        radio.send(0x0002, b"")
        await until(lambda: datagrams("refused") > before, "the datagram is refused")
        assert closed("not_allowed") == refused + 3


async def test_both_protocols_of_the_internet_on_one_port(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with site(pool, tmp_path, host="::") as it:
        terminals = []
        for host in ("::1", "127.0.0.1"):
            reader, writer = await asyncio.open_connection(host, it.port)
            terminals.append(Terminal(reader, writer, f"1390000000{len(host)}", Version.V2013))
            await reports(it, terminals[-1])
        assert {c.address for c in it.gateway.connections()} == {"::1", "127.0.0.1"}
        for host, phone in (("::1", "13900000011"), ("127.0.0.1", "13900000012")):
            await (await Radio.at(it.port, phone, host)).reports(it)


def test_networks_that_are_none_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"GONGCHE_TERMINAL_NETWORKS.*10\.0\.0\.300"):
        networks("GONGCHE_TERMINAL_NETWORKS", ["10.0.0.0/8", "10.0.0.300"])


# --- UDP ------------------------------------------------------------------------------------------------------------------


@dataclass
class Radio(asyncio.DatagramProtocol):
    """A terminal that speaks UDP. ``inbox``: what the platform said, a frame a datagram."""

    phone: str = "13900000001"
    inbox: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    serial: int = 0
    code: str = ""
    transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def at(cls, port: int, phone: str = "13900000001", host: str = "127.0.0.1") -> Radio:
        made = cls(phone)
        await made.move(port, host)
        return made

    async def move(self, port: int, host: str = "127.0.0.1", local: str | None = None) -> None:
        """From another port (and address) from now on."""
        if self.transport is not None:
            self.transport.close()
        where = None if local is None else (local, 0)
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, remote_addr=(host, port), local_addr=where
        )

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.inbox.put_nowait(data)

    def frame(self, message_id: int, body: bytes) -> bytes:
        message = build_message(message_id, body, self.phone, self.serial)
        self.serial += 1
        return encode_frame(message)

    def send(self, message_id: int, body: bytes) -> None:
        assert self.transport is not None
        self.transport.sendto(self.frame(message_id, body))

    async def answer(self) -> tuple[Header, bytes]:
        async with asyncio.timeout(PATIENCE_S):
            data = await self.inbox.get()
        (message,) = FrameReader().feed(data)  # one frame, whole
        assert not isinstance(message, Rejection)
        parsed = parse_header(message)
        assert not isinstance(parsed, Rejection)
        return parsed

    async def ask(self, message_id: int, body: bytes) -> int:
        self.send(message_id, body)
        _, body = await self.answer()
        return body[4]

    async def log_in(self) -> None:
        if not self.code:
            text = (
                bytes(4)
                + b"MAKER"
                + b"M-1".ljust(20, b"\0")
                + b"D1".ljust(7, b"\0")
                + b"\x01"
                + "苏F12345".encode("gbk")
            )
            self.send(0x0100, text)
            _, body = await self.answer()
            assert body[2] == 0
            self.code = body[3:].decode()
        assert await self.ask(0x0102, self.code.encode()) == 0

    async def reports(self, it: Site) -> None:
        await self.log_in()
        before = await it.stored()
        assert await self.ask(0x0200, position()) == 0
        assert await it.stored() == before + 1


async def test_udp_gets_the_same_replies(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with site(pool, tmp_path) as it:
        radio = await Radio.at(it.port)
        assert await radio.ask(0x0200, position()) == 1, "nobody has authenticated"
        await radio.reports(it)
        assert radio.transport is not None
        radio.transport.sendto(b"".join(radio.frame(0x0200, position(k)) for k in range(3)))
        replies = [await radio.answer() for _ in range(3)]
        assert [body[4] for _, body in replies] == [0, 0, 0]
        serials = [header.serial for header, _ in replies]
        assert serials == list(range(serials[0], serials[0] + 3))
        assert await it.stored() == 4


async def test_a_terminal_whose_port_changes_goes_on_and_another_address_does_not(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with site(pool, tmp_path) as it:
        radio = await Radio.at(it.port)
        await radio.reports(it)
        await radio.move(it.port)
        assert await radio.ask(0x0200, position(1)) == 0
        forger = Radio(radio.phone, code=radio.code)
        await forger.move(it.port, local="127.0.0.2")
        assert await forger.ask(0x0200, position(2)) == 1, "another address has to authenticate"
        assert await radio.ask(0x0200, position(3)) == 0
        assert await it.stored() == 3


async def test_junk_by_udp_makes_no_connection(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with site(pool, tmp_path) as it:
        radio = await Radio.at(it.port)
        assert radio.transport is not None
        seen = datagrams("not_frames") + datagrams("refused")
        junk = [
            b"\x7e",
            b"\x7e\x7e",
            b"hello",
            b"\x7ehello\x7e",
            bytes(1400),
            b"\x7e" + bytes(1400) + b"\x7e",
        ]
        frame = radio.frame(0x0200, position())
        junk += [frame[:-1], frame[1:], frame[:20] + frame[21:]]
        for data in junk:
            radio.transport.sendto(data)
        await until(
            lambda: datagrams("not_frames") + datagrams("refused") >= seen + len(junk),
            "all of it was looked at",
        )
        assert not it.gateway.connections()
        await radio.reports(it)


async def test_who_falls_silent_or_is_one_too_many_is_forgotten(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with site(pool, tmp_path, limits=Limits(max_connections=2, auth_timeout_s=3)) as it:
        radios = [await Radio.at(it.port, f"1390000000{k}") for k in range(3)]
        await radios[0].reports(it)
        assert await radios[1].ask(0x0200, position()) == 1
        refused = datagrams("refused")
        radios[2].send(0x0200, position())
        await until(lambda: datagrams("refused") > refused, "there is no room for a third")
        await until(lambda: len(it.gateway.connections()) == 1, "who does not authenticate is forgotten")
        await radios[2].reports(it)
