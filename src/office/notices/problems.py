"""What is refused of notices and publications, in sentences."""

from __future__ import annotations

from runtime.errors import DeclinedError, NotThereError


def no_such_notice(id: str) -> NotThereError:
    """Also for one that is not for the caller."""
    return NotThereError(f"没有这份通知、公示，或不是发给您的 · no such notice, or it is not for you: {id}")


def no_person() -> DeclinedError:
    """403: a program cannot do what a person answers for."""
    error = DeclinedError("no-person", "须由本人登录办理，程序不能代办 · a person does this, not a program")
    error.status = 403
    return error
