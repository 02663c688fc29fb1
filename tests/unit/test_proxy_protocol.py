"""The PROXY protocol: what a balancer may say, in pieces of any size, and what is refused. Lines and blocks are those of the text."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.gateway.entrances.proxy_protocol import (
    MAX_BLOCK,
    MAX_LINE,
    SIGNATURE,
    HeaderError,
    Origin,
    Reader,
)
from tests.examples import examples


def v2(kind: int, block: bytes, command: int = 0x21, length: int | None = None) -> bytes:
    return (
        SIGNATURE
        + bytes((command, kind))
        + struct.pack("!H", len(block) if length is None else length)
        + block
    )


V4_BLOCK = socket.inet_aton("203.0.113.7") + socket.inet_aton("10.0.0.1") + struct.pack("!HH", 40_001, 8808)
V6_BLOCK = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + struct.pack("!HH", 40_002, 8808)
)
GOOD = [
    (b"PROXY TCP4 203.0.113.7 10.0.0.1 40001 8808\r\n", Origin("203.0.113.7", 40_001)),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 40002 8808\r\n", Origin("2001:db8::7", 40_002)),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", Origin("255.255.255.255", 65_535)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f:f:f:f:f:f:ffff ffff:f:f:f:f:f:f:ffff 65535 65535\r\n", None),
    (v2(0x11, V4_BLOCK), Origin("203.0.113.7", 40_001)),
    (v2(0x21, V6_BLOCK), Origin("2001:db8::7", 40_002)),
    (v2(0x11, V4_BLOCK + b"\x04\x00\x03abc"), Origin("203.0.113.7", 40_001)),  # with an extension
    (v2(0x00, b"", 0x20), None),  # LOCAL
    (v2(0x11, V4_BLOCK, 0x20), None),  # LOCAL, whatever else it says
    (v2(0x31, bytes(216)), None),  # a socket of UNIX: its names are not ours
]
BAD = [
    b"\x7e\x01\x00\x00\x00\x01\x39\x00\x00\x00\x00\x01",  # a terminal itself
    b"GET / HTTP/1.1\r\n\r\n"[:12],
    b"PROXY TCP4 203.0.113.7 10.0.0.1 40001\r\n",
    b"PROXY TCP4 203.0.113.7 10.0.0.1 40001 8808 x\r\n",
    b"PROXY TCP4 203.0.113.7  10.0.0.1 40001 8808\r\n",
    b"PROXY TCP4 203.0.113.7 10.0.0.1 65536 8808\r\n",
    b"PROXY TCP4 203.0.113.7 10.0.0.1 -1 8808\r\n",
    b"PROXY TCP4 203.0.113.7 10.0.0.1 \xb2 8808\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 8808\r\n",
    b"PROXY TCP6 203.0.113.7 10.0.0.1 1 8808\r\n",
    b"PROXY UDP4 203.0.113.7 10.0.0.1 1 8808\r\n",
    b"PROXY TCP4 203.0.113.999 10.0.0.1 1 8808\r\n",
    b"PROXY " + b"x" * (MAX_LINE - 6),
    v2(0x11, V4_BLOCK, 0x31),
    v2(0x11, V4_BLOCK, 0x22),
    v2(0x11, V4_BLOCK[:-1]),
    v2(0x21, V4_BLOCK),
    v2(0x11, b"", length=MAX_BLOCK + 1),
]


def read(data: bytes, sizes: list[int]) -> tuple[Origin | None, bytes]:
    """What a reader finds that is given pieces of ``sizes`` (and then whole ones), and what it left."""
    reader, at = Reader(), 0
    pieces = iter(sizes)
    while not reader.done:
        size = max(1, min(reader.missing, next(pieces, reader.missing)))
        piece = data[at : at + size]
        if not piece:
            raise EOFError
        reader.feed(piece)
        at += len(piece)
    return reader.origin, data[at:]


@pytest.mark.parametrize(("header", "origin"), GOOD)
@settings(max_examples=examples(15))
@given(sizes=st.lists(st.integers(1, 40), max_size=20), behind=st.binary(max_size=20))
def test_the_origin_is_read_and_no_byte_behind_it(
    header: bytes, origin: Origin | None, sizes: list[int], behind: bytes
) -> None:
    assert read(header + behind, sizes) == (origin, behind)


@pytest.mark.parametrize("header", BAD)
@settings(max_examples=examples(15))
@given(sizes=st.lists(st.integers(1, 40), max_size=20))
def test_what_is_no_header_is_refused(header: bytes, sizes: list[int]) -> None:
    with pytest.raises(HeaderError):
        read(header, sizes)


@given(
    data=st.binary(max_size=300),
    begin=st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]),
)
def test_anything_ends_in_an_origin_a_refusal_or_waiting(data: bytes, begin: bytes) -> None:
    try:
        origin, _ = read(begin + data, [])
    except (HeaderError, EOFError):
        return
    assert origin is None or 0 <= origin.port <= 65_535
