"""What is refused, as errors: each says in Chinese and English what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.errors import GongcheError


class AssessmentError(GongcheError):
    """Base. ``code`` names the kind for programs, ``status`` is that of HTTP; ``more``: the present version of what was meant."""

    status = 409

    def __init__(
        self, code: str, message: str, *, pointer: str = "", more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.pointer, self.more = code, pointer, dict(more or {})


class NotThereError(AssessmentError):
    """There is no such thing, or it is not the caller's to see: the answer is the same."""

    status = 404

    def __init__(self, what: str) -> None:
        super().__init__("not-found", what)


class NotAllowedError(AssessmentError):
    """The caller may not do this here, or not about this."""

    status = 403


class InvalidError(AssessmentError):
    """Well-formed, but not possible. ``pointer``: where in the body."""

    status = 422

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__("invalid-data", message, pointer=pointer)


def stale(what: str, **now: Any) -> AssessmentError:
    """Somebody else was there before. ``now``: the present version."""
    return AssessmentError(
        "stale-version",
        f"{what}已有变动，请重新打开后再办 · it has changed meanwhile; read it again",
        more=now,
    )
