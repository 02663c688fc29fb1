"""The console's sources as one hash, and the hook by which a wheel without an up-to-date console is refused.

``console/`` is TypeScript, the wheel holds what is built from it (``src/api/console/built``). Whoever builds a wheel needs no Node:
the built files are part of the repository, and ``built.sha256`` beside them says from which sources they were made.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT: Final = Path(__file__).resolve().parents[1]
_BUILT: Final = Path("src/api/console/built")
_STAMP: Final = Path("src/api/console/built.sha256")
#: No part of what is built: packages, caches, tests.
_BESIDE: Final = frozenset({"node_modules", "tests", ".vite", ".vitest", ".DS_Store"})


def source_hash(root: Path = ROOT) -> str:
    """SHA-256 over names and contents of what the console is built from."""
    digest = hashlib.sha256()
    folder = root / "console"
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if (
            not path.is_file()
            or _BESIDE.intersection(inside.parts)
            or inside.name.endswith((".test.ts", ".log"))
        ):
            continue
        for part in (inside.as_posix().encode(), path.read_bytes()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def complaint(root: Path = ROOT) -> str | None:
    """Why the built console cannot be shipped; None = it is here and up to date."""
    if not (root / _BUILT / "index.html").is_file():
        return f"{_BUILT}/index.html is missing: build the console (python -m tools.console --build, or make console)"
    stamp = root / _STAMP
    if not stamp.is_file() or stamp.read_text("utf-8").strip() != source_hash(root):
        return f"{_BUILT} is older than console/: build it again (python -m tools.console --build, or make console)"
    return None


class ConsoleHook(BuildHookInterface[Any]):
    """Of hatchling: called before a wheel is made. An editable installation, for those who work on it, is never refused."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises RuntimeError."""
        if version != "editable" and (why := complaint(Path(self.root))) is not None:
            raise RuntimeError(why)
