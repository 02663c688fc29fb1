"""The heads of the chains, signed: a small file to be kept where whoever keeps the database cannot write. What is in it then can
neither be changed nor cut off later without being found."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from office.integrity.blocks import pretty
from office.integrity.signing import PublicKey, SigningKey
from runtime.connection import Connection
from runtime.errors import ConfigurationError

FORMAT: Final = "gongche-heads/1"
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block of a stream: its number, and the hashes (hex) of its header."""

    number: int
    sha256: str
    sm3: str


@dataclass(frozen=True, slots=True)
class Heads:
    """What a file says. ``key``: whoever signed it."""

    at: str
    streams: dict[str, Head]
    key: PublicKey


def name_of(day: date) -> str:
    """The name of the file of a day."""
    return f"gongche-heads-{day.isoformat()}.json"


async def read(connection: Connection) -> dict[str, Head]:
    """The heads of now, by stream."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (stream) stream, number, sha256, sm3 FROM seal_blocks ORDER BY stream, number DESC"
    )
    return {row["stream"]: Head(row["number"], row["sha256"].hex(), row["sm3"].hex()) for row in rows}


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def make(streams: dict[str, Head], key: SigningKey, at: datetime) -> bytes:
    """The content of a file."""
    said = {
        "format": FORMAT,
        "at": at.isoformat(timespec="seconds"),
        "streams": {name: {"number": h.number, "sha256": h.sha256, "sm3": h.sm3} for name, h in streams.items()},
    }  # fmt: skip
    signed = {
        "heads": said,
        "key": {"id": key.id, "public": key.public.public.hex()},
        "signature": key.sign_heads(_canonical(said)).hex(),
    }
    return pretty(signed)


def write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def load(path: Path) -> Heads:
    """What a file says, once its signature holds. Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_MOST_BYTES))
        said, key = content["heads"], PublicKey(bytes.fromhex(content["key"]["public"]))
        if said["format"] != FORMAT:
            raise ValueError(f"not {FORMAT}")
        if not key.signed_heads(_canonical(said), bytes.fromhex(content["signature"])):
            raise ValueError("签名不符 · its signature does not hold")
        streams = {
            name: Head(int(h["number"]), str(h["sha256"]), str(h["sm3"])) for name, h in said["streams"].items()
        }  # fmt: skip
        return Heads(str(said["at"]), streams, key)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigurationError(
            f"{path} 不是有效的链头文件 / are no heads of chains: {error}",
            hint="a file that `gongche seal --export DIR` or the judge wrote",
        ) from error
