"""Two clerks at one record. A record is read with an ETag, the hash of what the office says in it; who changes it sends that back
in ``If-Match``, and is told (412) when somebody else was first. Programs may leave it out: then the last one wins, as ever.

``If-None-Match: *`` makes a new record only: it never takes the place of one that is there."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final

from fastapi import Header

from api.errors import Problem
from api.http import to_json
from registry.pages import Listing, get
from registry.records import KINDS
from registry.terminals import SAID_BY_BOTH
from runtime.connection import Connection

_MOST: Final = 1_000
#: Tags as RFC 9110 writes them, with commas between; or any.
_TAGS: Final = r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=_MOST,
        pattern=_TAGS,
        description="ETag of the record as it was read; 412 when it is not that any more. Left out: whatever is there is replaced",
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        max_length=_MOST,
        pattern=r"^\*$",
        description="`*`: a new record only; 412 when there is one",
    ),
]


def stamp(kind: str, record: dict[str, Any]) -> str:
    """The ETag of a record as ``pages.get`` reads it. What the program or a terminal adds does not count: it is no clerk's change."""
    names = [name for name in (*KINDS[kind].model.model_fields, "version") if name in record]
    if kind == "terminals":
        names = [name for name in names if name not in SAID_BY_BOTH or name in record["office_said"]]
    seen = to_json([kind, {name: record[name] for name in names}])
    return f'"{hashlib.sha256(seen).hexdigest()[:32]}"'


async def held(connection: Connection, kind: str, id: str) -> dict[str, Any] | None:
    """The record, locked to the end of the transaction: nobody changes it meanwhile. None: there is none."""
    listing: Listing = KINDS[kind].listing
    # The first version, which is there for ever, stands for a record with versions (registry.versioned).
    first = " AND t.version = 1" if listing.newest else ""
    query = f"SELECT FROM {kind.replace('-', '_')} t WHERE {listing.key} = $1{first} FOR NO KEY UPDATE"
    await connection.fetch(query, id)
    return await get(connection, listing, id)


def refusal(
    kind: str, before: dict[str, Any] | None, match: str | None, none_match: str | None
) -> Problem | None:
    """Why ``before`` (None: no record) is not what the caller has seen; None: it is, or he did not say."""
    label = KINDS[kind].label
    if none_match is not None and before is not None:
        detail = f"已有这个{label}，请打开它再修改 · there is one already: open it to change it"
        return Problem(412, "exists", detail, more={"etag": stamp(kind, before)})
    if match is None:
        return None
    now = None if before is None else stamp(kind, before)
    tags = {tag.strip().removeprefix("W/") for tag in match.split(",")}
    if now is not None and (now in tags or "*" in tags):
        return None
    if now is None:
        detail = f"这个{label}已不存在，未写入 · it is not there any more; nothing was written"
    else:
        detail = (
            f"这个{label}在您打开之后已被他人修改，未写入；请对照后再保存"
            " · somebody else has changed it since you read it; nothing was written: compare, then save again"
        )
    return Problem(412, "stale-version", detail, more={} if now is None else {"etag": now})
