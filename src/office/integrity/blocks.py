"""Blocks of a chain: hashes of rows, the header that is hashed and signed, and what is wrong with a block. Pure.

Two chains stand side by side, of SHA-256 and of SM3 (GB/T 32905): of each row, of all rows of a block, of its header, and of the
header before it. Who breaks one hash has not broken the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import hashes

#: Bytes of a digest, of either kind.
DIGEST: Final = 32
#: Both digests of a row that was gone before it could be sealed.
ABSENT: Final = bytes(DIGEST)
#: What the first block of a stream names as the one before it.
NOTHING_BEFORE: Final = bytes(DIGEST)
#: Rows of a block, at most.
MOST_ROWS: Final = 500
FORMAT: Final = "gongche-block/1"


def _sm3_of_openssl() -> Callable[[bytes], bytes]:
    try:
        begun = hashlib.new("sm3")
    except ValueError:  # an OpenSSL without it; that of ``cryptography`` has it

        def slowly(data: bytes) -> bytes:
            made = hashes.Hash(hashes.SM3())
            made.update(data)
            return made.finalize()

        return slowly

    def quickly(data: bytes) -> bytes:
        made = begun.copy()  # half the time of looking the algorithm up again
        made.update(data)
        return made.digest()

    return quickly


#: SM3 of bytes.
sm3: Final = _sm3_of_openssl()


def sha256(data: bytes) -> bytes:
    """SHA-256 of bytes."""
    return hashlib.sha256(data).digest()


def digests_of(texts: Sequence[bytes | None]) -> tuple[bytes, bytes]:
    """SHA-256 and SM3 of the texts of rows, one after another."""
    return (
        b"".join([ABSENT if text is None else sha256(text) for text in texts]),
        b"".join([ABSENT if text is None else sm3(text) for text in texts]),
    )


def pretty(value: Any) -> bytes:
    """JSON for people, the same bytes each time."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Block:
    """A block as it is stored. ``keys``: None where it is a part of a bundle."""

    stream: str
    number: int
    header: str
    keys: tuple[str, ...] | None
    sha256s: bytes
    sm3s: bytes
    key_id: str
    signature: bytes

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the header: what the next block names."""
        return sha256(self.header.encode())

    @property
    def sm3(self) -> bytes:
        """SM3 of the header."""
        return sm3(self.header.encode())


def keys_digest(keys: Sequence[str]) -> str:
    """SHA-256, hex, of the keys of a block."""
    return sha256(json.dumps(list(keys), ensure_ascii=False).encode()).hex()


def make_header(
    stream: str, number: int, keys: Sequence[str], sha256s: bytes, sm3s: bytes, *, previous: tuple[bytes, bytes],
    sealed_at_us: int, late: Sequence[int], drained: bool,
) -> str:  # fmt: skip
    """The header of a block. ``previous``: SHA-256 and SM3 of the header before it. ``late``: places of rows that say they were
    written long before the stream had been sealed as a whole. ``drained``: nothing of the stream waited after it."""
    return json.dumps(
        {
            "format": FORMAT,
            "stream": stream,
            "number": number,
            "count": len(keys),
            "sealed_at_us": sealed_at_us,
            "previous_sha256": previous[0].hex(),
            "previous_sm3": previous[1].hex(),
            "rows_sha256": sha256(sha256s).hex(),
            "rows_sm3": sm3(sm3s).hex(),
            "keys_sha256": keys_digest(keys),
            "late": list(late),
            "drained": drained,
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def read_header(header: str) -> dict[str, Any]:
    """A header. Raises ValueError for what is none."""
    try:
        found = json.loads(header)
    except RecursionError:
        raise ValueError("not a header") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError("not a header")
    return found


def flaws(block: Block, previous: tuple[bytes, bytes] | None) -> list[str]:
    """What is wrong with a block in itself, in words, but for its signature; ``previous``: see ``make_header``, None = it is not
    known here."""
    try:
        said = read_header(block.header)
    except ValueError:
        return ["区块头无法读取 · the header cannot be read"]
    wrong = []
    if (said.get("stream"), said.get("number")) != (block.stream, block.number):
        wrong.append("区块头属于另一区块 · the header is of another block")
    count = said.get("count")
    if len(block.sha256s) != len(block.sm3s) or len(block.sha256s) != DIGEST * (
        count if isinstance(count, int) else -1
    ):
        wrong.append("行数不符 · the number of rows differs")
    if said.get("rows_sha256") != sha256(block.sha256s).hex():
        wrong.append("各行 SHA-256 被改动 · the SHA-256 of its rows were changed")
    if said.get("rows_sm3") != sm3(block.sm3s).hex():
        wrong.append("各行 SM3 被改动 · the SM3 of its rows were changed")
    if block.keys is not None and (
        said.get("keys_sha256") != keys_digest(block.keys) or len(block.keys) != count
    ):
        wrong.append("行键被改动 · the keys of its rows were changed")
    if previous is not None and (said.get("previous_sha256"), said.get("previous_sm3")) != (
        previous[0].hex(),
        previous[1].hex(),
    ):
        wrong.append("与前一区块不相连 · it is not linked to the block before it")
    return wrong
