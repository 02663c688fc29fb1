"""Files at a case: all SQL of ``case_attachments``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from office.supervision.actors import Actor, sight
from office.supervision.cases import new_id, now_of
from office.supervision.commanding import enclose, no_such_case
from office.supervision.papers import Paper
from office.supervision.states import Step
from runtime.connection import Connection
from runtime.errors import DeclinedError, NotThereError

#: Files of a case, and their bytes together.
MAX_FILES: Final = 100
MAX_TOTAL: Final = 400 << 20

_SHOWN: Final = "id, name, media_type, size, encode(sha256, 'hex') AS sha256, uploaded_at"


@dataclass(frozen=True, slots=True)
class File:
    """A file with its content."""

    name: str
    media_type: str
    sha256: str
    body: bytes


async def attach(
    connection: Connection, actor: Actor, case: str, name: str, paper: Paper, received: bytes
) -> dict[str, Any]:
    """Keep ``paper`` at a case, with an event in its thread. ``received``: the bytes as they came. In the caller's transaction."""
    id, digest = new_id(), hashlib.sha256(paper.body).digest()
    body = {
        "attachment": id,
        "name": name,
        "media_type": paper.media_type,
        "size": len(paper.body),
        "sha256": digest.hex(),
    }
    after = await enclose(connection, actor, case, Step.ATTACH, body)
    count, total = await connection.fetchrow(
        "SELECT count(*), COALESCE(sum(size), 0) FROM case_attachments WHERE case_id = $1", case
    )
    if count >= MAX_FILES or total + len(paper.body) > MAX_TOTAL:
        raise DeclinedError(
            "too-many-files",
            f"附件过多（至多 {MAX_FILES} 个、{MAX_TOTAL >> 20} MiB） · too many files: at most {MAX_FILES} and {MAX_TOTAL >> 20} MiB",
            more={"version": after.version - 1, "state": after.state},
        )
    row = await connection.fetchrow(
        "INSERT INTO case_attachments (id, case_id, name, media_type, size, sha256, received_sha256, uploaded_by, uploaded_at,"  # noqa: S608 - constant
        f" body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING {_SHOWN}",
        id, case, name, paper.media_type, len(paper.body), digest, hashlib.sha256(received).digest(), actor.person,
        await now_of(connection), paper.body,
    )  # fmt: skip
    return dict(row) | {"case_version": after.version}


async def files_of(connection: Connection, case: str) -> list[dict[str, Any]]:
    """The files of a case without their content, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_SHOWN} FROM case_attachments WHERE case_id = $1 ORDER BY uploaded_at, id",  # noqa: S608 - constant
        case,
    )
    return [dict(row) for row in rows]


async def read_file(connection: Connection, actor: Actor, case: str, id: str) -> File:
    """A file. Raises NotThereError also where the case is not the caller's to see."""
    row = await connection.fetchrow(
        "SELECT c.organisation, c.number, c.helpers, a.name, a.media_type, encode(a.sha256, 'hex') AS sha256, a.body"
        " FROM cases c JOIN case_attachments a ON a.case_id = c.id WHERE c.id = $1 AND a.id = $2",
        case,
        id,
    )
    if row is None:
        raise NotThereError(f"没有这个附件 · no such attachment: {id}")
    if not (await sight(connection, actor.subject)).sees(
        row["organisation"], row["helpers"], issued=row["number"] is not None
    ):
        raise no_such_case(case)
    return File(row["name"], row["media_type"], row["sha256"], row["body"])
