#!/usr/bin/env python3
"""A terminal on somebody else's JT/T 808 library, for a test: see README.md.

    python -m tools.foreign_terminal.build        prints the program

cargo fetches the crates (``Cargo.lock`` has the SHA-256 of each) and compiles them once, about 20 s. The program stays in
``~/.cache/gongche`` (``XDG_CACHE_HOME`` is honoured) under a name that changes with its sources.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_NAME: Final = "foreign-terminal"
_SOURCES: Final = ("Cargo.toml", "Cargo.lock", "src/main.rs")


class ForeignTerminalError(RuntimeError):
    """The program cannot be had here; the message says why and what to do."""


def _target() -> Path:
    digest = hashlib.sha256(b"\0".join((_HERE / each).read_bytes() for each in _SOURCES)).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gongche" / f"{_NAME}-{digest[:16]}"


def cargo() -> str | None:
    """The cargo of the PATH, or where rustup puts it."""
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "bin" / "cargo"
    return shutil.which("cargo") or (str(home) if home.is_file() else None)


def program() -> Path:
    """Where it is; built the first time. Raises ForeignTerminalError."""
    target = _target()
    if target.is_file():
        return target
    found = cargo()
    if found is None:
        raise ForeignTerminalError("cargo is missing (Rust 1.85 or newer, with access to crates.io)")
    target.parent.mkdir(parents=True, exist_ok=True)
    # In the cache itself: the last step must be a rename within one file system.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{_NAME}-") as scratch:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            [found, "build", "--release", "--locked", "--quiet", "--manifest-path", str(_HERE / "Cargo.toml"), "--target-dir", scratch],
            # cargo looks for rustc on the PATH.
            env=os.environ | {"PATH": f"{Path(found).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ForeignTerminalError(f"cargo could not build it: {done.stderr.strip()[-1000:]}")
        (Path(scratch) / "release" / _NAME).rename(target)
    return target


def main() -> int:
    """The command line; returns the exit status."""
    try:
        print(program())
    except ForeignTerminalError as error:
        print(f"{_NAME}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
