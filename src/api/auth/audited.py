"""Readings that are noted with their purpose: of tracks, of evidence, of a person's data.

``stated_purpose`` is a dependency of the operation; ``noted`` adds the entry before the answer goes out, in the transaction
that reads. So there is no answer without its entry.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import Depends, Header, Query, Request

from api.auth.scoped import actor
from api.errors import Problem
from api.http import PLAIN, refuse_controls
from office.identity.audit import MOST_PURPOSE, note
from office.identity.subject import Role, Subject
from runtime.connection import Connection

#: Roles that read such things only for a stated purpose.
_MUST_SAY: Final = frozenset({Role.FINANCE, Role.AUDITOR})


def purpose_needed(subject: Subject, *permissions: str) -> bool:
    """Whether the subject has ``permissions`` by nothing but roles that have to state a purpose."""
    roles = {grant.role for grant in subject.grants if not grant.permissions.isdisjoint(permissions)}
    return bool(roles) and roles <= _MUST_SAY


def stated_purpose(*permissions: str) -> Any:
    """A dependency, after ``require(*permissions)``: what the caller says he reads for is at ``request.state.purpose``."""

    async def check(
        request: Request,
        purpose: Annotated[
            str | None,
            Query(
                max_length=MOST_PURPOSE,
                json_schema_extra=PLAIN,
                description="用途 / what it is read for; kept in the audit",
            ),
        ] = None,
        x_purpose: Annotated[
            str | None,
            Header(max_length=9 * MOST_PURPOSE, description="the same, as UTF-8, percent-encoded"),
        ] = None,
    ) -> None:
        said, wrong = purpose, 422
        if said is None and x_purpose is not None:
            # What a header comes to when it is decoded no description can say: a flaw of it is one of the request.
            said, wrong = unquote(x_purpose.encode("latin-1", "replace").decode("utf-8", "replace")), 400
        refuse_controls(said)
        said = (said or "").strip() or None
        if said is not None and len(said) > MOST_PURPOSE:
            raise Problem(
                wrong,
                "invalid-parameter",
                f"用途至多 {MOST_PURPOSE} 字 · a purpose has at most {MOST_PURPOSE} characters",
            )
        if said is None and purpose_needed(request.state.subject, *permissions):
            detail = "请用 X-Purpose 说明用途 · say what you read it for: header X-Purpose, or purpose=..."
            raise Problem(422, "purpose-needed", detail)
        request.state.purpose = said

    return Depends(check)


async def noted(
    request: Request,
    connection: Connection,
    permission: str,
    kind: str,
    id: str | None = None,
    **more: Any,
) -> None:
    """Note that the subject reads ``kind`` (``id``; None = a list). ``more``: see ``office.identity.audit.note``. Call it in the
    transaction that reads, before the answer."""
    await note(connection, actor(request, permission), "read", kind, id, **more)
