#!/usr/bin/env python3
"""The oldest Chromium that the console promises to run in (83.0.4103), for a test: from an npm package that carries one.

    python -m tools.old_chromium        prints the program

chrome-aws-lambda 3.1.1 is a headless Chromium that was built for machines without a desktop; it starts anywhere. npm verifies the
package, we the program. It stays in ``~/.cache/gongche/chromium-83`` (``XDG_CACHE_HOME`` is honoured).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.console import ConsoleError, Node

VERSION: Final = "83.0.4103"
_PACKAGE: Final = "chrome-aws-lambda@3.1.1"
#: Of bin/chromium.br in the package.
_SHA256: Final = "397eef3eb9f94f43cf55e59a082cac965f363082c8d2f8356fdd36b357e57006"
_UNPACK: Final = """
const zlib = require('node:zlib'), fs = require('node:fs')
fs.writeFileSync(process.argv[2], zlib.brotliDecompressSync(fs.readFileSync(process.argv[1])), { mode: 0o755 })
"""


def program() -> Path:
    """Where it is; fetched the first time (40 MB). Raises ConsoleError."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gongche"
    target = cache / "chromium-83" / "chromium"
    if target.is_file():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    node = Node()
    # In the cache itself: the last step must be a rename within one file system.
    with tempfile.TemporaryDirectory(dir=cache, prefix=".chromium-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        node.npm("install", "--prefix", scratch, "--no-save", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", "--loglevel=error", _PACKAGE)  # fmt: skip
        packed = Path(scratch) / "node_modules" / "chrome-aws-lambda" / "bin" / "chromium.br"
        found = hashlib.sha256(packed.read_bytes()).hexdigest()
        if found != _SHA256:
            raise ConsoleError(f"{_PACKAGE} holds another program than it did: sha256 {found}")
        node.run("-e", _UNPACK, packed, made / "chromium")
        # Another process may have been faster.
        with contextlib.suppress(OSError):
            made.rename(target.parent)
    return target


def main() -> int:
    """The command line; returns the exit status."""
    try:
        print(program())
    except ConsoleError as error:
        print(f"old chromium: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
