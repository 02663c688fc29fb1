"""What is declined here, as errors: each says in Chinese and English what is wrong and what to do."""

from __future__ import annotations

from typing import Any

from runtime.errors import DeclinedError


class NotAllowedError(DeclinedError):
    """The caller may not do this here, or not about this."""

    status = 403


def stale(what: str, **now: Any) -> DeclinedError:
    """Somebody else was there before. ``now``: the present version."""
    return DeclinedError(
        "stale-version",
        f"{what}已有变动，请重新打开后再办 · it has changed meanwhile; read it again",
        more=now,
    )
