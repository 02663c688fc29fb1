"""Whole files of the cold tier: read from end to end, for an export or a merge, and checked against the catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

import numpy as np

from runtime.arrays import Bools
from runtime.connection import Connection
from telemetry.archive.cold import catalogue, layout
from telemetry.archive.cold.catalogue import ColdFile
from telemetry.archive.cold.folder import Folder
from telemetry.archive.cold.rows import Rows


def read_whole(file: ColdFile) -> Iterator[Rows]:
    """All rows of a file, a row group at a time. Raises ColdDamagedError."""
    with Folder(file.folder).open(file.file) as source:
        footer, data = layout.footer_of(source, file.bytes)
        if footer.sha256 != file.footer_sha256:
            raise layout.ColdDamagedError(file.file, "its footer is not the one that was written")
        metadata = layout.parse_footer(data)
        yield from layout.read_groups(source, metadata, range(metadata.num_row_groups))


def check_whole(file: ColdFile) -> None:
    """Raise ColdDamagedError where the file is not byte for byte what was written."""
    size, sha256 = Folder(file.folder).sha256(file.file)
    if (size, sha256) != (file.bytes, file.sha256):
        raise layout.ColdDamagedError(file.file, "its SHA-256 is not the one that was written")


async def pages_of(files: Sequence[ColdFile]) -> AsyncIterator[Rows]:
    """All rows of files that come one after another in the order of the key."""
    for file in files:
        groups = read_whole(file)
        while (rows := await asyncio.to_thread(next, groups, None)) is not None:
            yield rows


def chains(files: Sequence[ColdFile]) -> list[list[ColdFile]]:
    """The files of a day as few lists, each in the order of the key; of equal rows that of the first list was stored first."""
    found: list[list[ColdFile]] = []
    for file in files:
        for chain in found:
            if chain[-1].last_terminal < file.first_terminal:
                chain.append(file)
                break
        else:
            found.append([file])
    return found


async def seen_pages(conn: Connection, stream: AsyncIterator[Rows]) -> AsyncIterator[Rows]:
    """Those rows of ``stream`` that the one who asks may see, as the policies of the table say."""
    async for rows in stream:
        terminal, device = rows.columns["terminal"], rows.columns["device_us"]
        known = await catalogue.known(conn, np.unique(terminal).tolist())
        seen: Bools = np.isin(terminal, sorted(known))
        for no, each in known.items():
            if each.visible is not None:
                inside = np.zeros(len(rows), bool)
                for since, until in each.visible:
                    inside |= (device >= since) & (device < until)
                seen &= (terminal != no) | inside
        if seen.any():
            yield rows if seen.all() else rows.take(seen)
