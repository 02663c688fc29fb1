"""One delivery over real sockets: whatever the receiver does is an answer, and the connection goes where it was looked."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from office.posting.addresses import Policy
from office.posting.poster import MOST_KEPT, Poster
from tests.integration.webhook_receiver import Receiver

HEADERS = {"webhook-id": "msg_1", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("does", "status", "says"),
    [
        ("ok", 200, None),
        ("fail", 500, "500"),
        ("gone", 410, "410"),
        ("redirect", 307, "转向"),
        ("huge", 500, "500"),
        ("hang_up", None, "连接失败"),
        ("half", None, "连接失败"),
        ("stall", None, "3 秒内没有答复"),
    ],
)
async def test_whatever_a_receiver_does_is_an_answer(does: str, status: int | None, says: str | None) -> None:
    receiver = Receiver(lambda: does)
    await receiver.start()
    poster = Poster(Policy(loopback=True), timeout_s=3 if does == "stall" else 30)
    try:
        answer = await poster.post(f"http://127.0.0.1:{receiver.port}/x?y=1", HEADERS, b'{"a":1}')
    finally:
        await receiver.stop()
    assert answer.status == status
    assert answer.error is None if says is None else says in str(answer.error)
    assert len(answer.text or "") <= MOST_KEPT
    assert "\x00" not in (answer.text or "")
    (one,) = receiver.got  # a redirect was not followed
    assert (one.body, one.headers["content-type"]) == (b'{"a":1}', "application/json")


async def test_nobody_listens_and_a_name_that_is_none() -> None:
    poster = Poster(Policy(loopback=True), timeout_s=5)
    receiver = Receiver()
    await receiver.start()
    await receiver.stop()
    assert "连接失败" in str((await poster.post(f"http://127.0.0.1:{receiver.port}/", HEADERS, b"")).error)
    assert "https" in str((await poster.post("http://example.cn/", HEADERS, b"")).error)
    # By the system's own resolver: spellings of an address of this machine.
    for host in ("2130706433", "0x7f.1", "127.1", "localhost"):
        answer = await Poster(Policy(), timeout_s=5).post(f"https://{host}/", HEADERS, b"")
        assert answer.status is None
        assert "loopback" in str(answer.error) or "连接失败" in str(answer.error)


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for ``name`` that signs itself, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context


async def test_the_connection_goes_to_the_address_that_was_checked(tmp_path: Path) -> None:
    """A name that points elsewhere by the time of the connection (rebinding) is no way in: it is looked up once for each
    delivery, and connected to is what was looked at. The certificate must be that of the name."""
    file, context = certificate(tmp_path, "receiver.test")
    receiver = Receiver(tls=context)
    await receiver.start()
    answers: list[Sequence[str]] = [
        ["127.0.0.1"],
        ["10.0.0.5"],
        ["93.184.216.34", "10.0.0.5"],
        [],
        ["127.0.0.1"],
        ["127.0.0.1"],
    ]
    asked: list[str] = []

    async def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers.pop(0)

    poster = Poster(
        Policy(loopback=True, ports=frozenset({receiver.port})), timeout_s=5, ca_file=file, resolver=resolver
    )
    headers = {"webhook-id": "msg_1"}
    url = f"https://receiver.test:{receiver.port}/x"
    try:
        good = await poster.post(url, headers, b"{}")
        assert (good.status, good.error, good.text) == (200, None, "thanks")
        assert receiver.got[0].headers["host"] == f"receiver.test:{receiver.port}"
        for word in ("private", "private", "没有地址"):
            refused = await poster.post(url, headers, b"{}")
            assert word in str(refused.error)
        assert asked == ["receiver.test"] * 4
        other = await poster.post(url.replace("receiver", "other"), headers, b"{}")
        assert "CERTIFICATE_VERIFY_FAILED" in str(other.error)
        unknown = Poster(Policy(loopback=True, ports=frozenset({receiver.port})), resolver=resolver)
        assert "CERTIFICATE_VERIFY_FAILED" in str((await unknown.post(url, headers, b"{}")).error)
        assert len(receiver.got) == 1
    finally:
        await receiver.stop()
