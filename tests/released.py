"""The database and the embedded log of release 0.1.0 (``tests/vectors/release-0.1.0``), and what must come of them."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import asyncpg

FOLDER: Final = Path(__file__).resolve().parent / "vectors" / "release-0.1.0"
#: The commit whose program made them.
COMMIT: Final = "0621ef2"
#: The newest migration of that release.
SCHEMA: Final = 11


async def load_database(dsn: str) -> None:
    """Fill the empty database of ``dsn`` with the one of the release, as it was: not migrated."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(gzip.decompress((FOLDER / "database.sql.gz").read_bytes()).decode())
    finally:
        await connection.close()


def write_log(file: Path) -> None:
    """Write the embedded log of the release to ``file``."""
    file.write_bytes(gzip.decompress((FOLDER / "log.sqlite.gz").read_bytes()))


@cache
def expected() -> dict[str, Any]:
    """What the released program made of the rest of the log: see the folder's README."""
    return dict(json.loads(gzip.decompress((FOLDER / "expected.json.gz").read_bytes())))
