"""The column codec alone: bytes of many connections to columns, and replies back to bytes. One core."""

from __future__ import annotations

import argparse
import random
import time

import numpy as np

from bench.report import heading, spread, table
from telemetry.jt808.columns.acknowledge import general_replies
from telemetry.jt808.columns.framing import gather
from telemetry.jt808.columns.location import decode
from telemetry.jt808.scalar.framing import FrameReader, encode_frame
from telemetry.jt808.scalar.header import build_message


def chunks_of(connections: int, frames: int) -> list[bytes]:
    """Reports like those of the load generator: 40-byte bodies with three items."""
    rng = random.Random(1)

    def body(k: int) -> bytes:
        lat, lon = 31_000_000 + rng.randrange(1_000_000), 121_000_000 + rng.randrange(1_000_000)
        basic = (
            (0).to_bytes(4, "big") + (3).to_bytes(4, "big") + lat.to_bytes(4, "big") + lon.to_bytes(4, "big")
        )
        return (
            basic
            + bytes.fromhex("000c01c80036261122030405")
            + b"\x01\x04"
            + k.to_bytes(4, "big")
            + b"\x30\x01\x16\x31\x01\x0b"
        )

    return [
        b"".join(
            encode_frame(build_message(0x0200, body(i * frames + j), str(13_900_000_000 + i), j + 7 * i))
            for j in range(frames)
        )
        for i in range(connections)
    ]


def run(options: argparse.Namespace) -> None:
    """Print frames per second by how many come together."""
    runs, seconds = options.runs, options.seconds
    heading("Codec alone, one core: frames per second")
    rows = []
    for connections, per in ((1, 1), (100, 1), (1000, 1), (1000, 8), (1000, 30)):
        chunks = chunks_of(connections, per)
        n, synced = connections * per, np.ones(connections, np.bool_)
        repeat = max(1, int(40_000 * seconds) // n)
        decoded, whole = [], []
        for _ in range(runs):
            begin = time.process_time()
            for _ in range(repeat):
                f = gather(chunks, synced).frames
                decode(f.data, f.body, f.body_length, terminal=f.chunk.astype(np.int32), received_us=1, source=np.zeros(n, np.uint8))  # fmt: skip
            middle = time.process_time()
            for _ in range(repeat):
                general_replies(v2019=f.v2019, flags=f.properties, protocol_version=f.protocol_version, phone_hi=f.phone_hi, phone_lo=f.phone_lo, serial=f.serial, of_serial=f.serial, of_id=f.id, result=np.zeros(n, np.uint8))  # fmt: skip
            end = time.process_time()
            decoded.append(n * repeat / (middle - begin))
            whole.append(n * repeat / (end - begin))
        rows.append([f"{connections} x {per}", spread(decoded), spread(whole)])
    table(["connections x frames of one turn", "decoded/s", "decoded and replied/s"], rows)
    stream = b"".join(chunks_of(200, 5))
    scalar = []
    for _ in range(runs):
        begin = time.process_time()
        FrameReader().feed(stream)
        scalar.append(1000 / (time.process_time() - begin))
    print(f"\nFor comparison, the scalar reader (framing and checksum only): {spread(scalar)} frames/s")
