"""The built files of the console, read once, with everything that an answer needs.

They are made from ``console/`` by ``python -m tools.console --build`` and lie in ``built/`` beside this file. An answer is looked up
by its address in a dictionary: no path is ever put together from what a stranger sends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BUILT: Final = Path(__file__).parent / "built"
INDEX: Final = "/index.html"
#: Files with a hash of their contents in the name: they never change.
HASHED: Final = "/assets/"
#: Best first: what a browser may take, and how the file beside the plain one is called.
ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file: its bytes by encoding ("" = plain), its type and the hash of its plain bytes."""

    bodies: Mapping[str, bytes]
    media_type: str
    sha256: str
    immutable: bool


def load(folder: Path = BUILT) -> dict[str, File]:
    """The files by their address, "/index.html" among them; none when nothing was built."""
    found: dict[str, File] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix not in _TYPES:
            continue
        address = "/" + path.relative_to(folder).as_posix()
        plain = path.read_bytes()
        bodies = {"": plain}
        for encoding, suffix in ENCODINGS:
            packed = path.with_name(path.name + suffix)
            if packed.is_file():
                bodies[encoding] = packed.read_bytes()
        digest = hashlib.sha256(plain).hexdigest()
        found[address] = File(bodies, _TYPES[path.suffix], digest, address.startswith(HASHED))
    return found
