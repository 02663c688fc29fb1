"""Files of terminals in a folder, each named by its SHA-256: the same content twice is one file. No name comes from outside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runtime.private_files import private_folder
from runtime.settings import Settings

_HEX: Final = frozenset("0123456789abcdef")


def folder_of(settings: Settings) -> Path:
    """Where the files are."""
    return settings.media_dir or settings.data_dir / "media"


def path_of(folder: Path, sha256: str) -> Path:
    """The file of a content. ``sha256``: 64 hex digits; raises ValueError for anything else."""
    if len(sha256) != 64 or not _HEX.issuperset(sha256):
        raise ValueError(f"{sha256[:80]!r} is no SHA-256")
    return folder / sha256[:2] / sha256


def write(folder: Path, sha256: str, data: bytes) -> None:
    """Have ``data`` in its file, on the disk when this returns; never half of it under its name. Raises OSError."""
    path = path_of(folder, sha256)
    if path.exists() and path.stat().st_size == len(data):
        return
    private_folder(folder)
    private_folder(path.parent)
    part = path.with_name(f"{sha256}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    for each in (path.parent, folder):
        entry = os.open(each, os.O_RDONLY)
        try:
            os.fsync(entry)
        finally:
            os.close(entry)


def remove(folder: Path, sha256: str) -> None:
    """Remove a file, if it is there."""
    path_of(folder, sha256).unlink(missing_ok=True)


def older_than(folder: Path, at_s: float) -> Iterator[str]:
    """The contents whose files were written before ``at_s`` (seconds since 1970); halves of files that old are removed."""
    for path in sorted(folder.glob("??/*")):
        try:
            if path.stat().st_mtime >= at_s:
                continue
            if len(path.name) == 64 and _HEX.issuperset(path.name):
                yield path.name
            elif path.name.endswith(".part"):
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue
