"""Errors shared by every room, and what an error says. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: What is kept of the text of an error.
ERROR_CHARS: Final = 1000


class GongcheError(Exception):
    """Base of every error this program raises on purpose.

    ``hint`` says what the reader can do about it; the command line prints both and exits with ``exit_code``
    (sysexits.h: a supervisor restarts on 75, gives up on 78).
    """

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled by what it holds: every subclass has arguments of its own.
        return _again, (type(self), self.args, self.__dict__)


class ConfigurationError(GongcheError):
    """The settings cannot work; a restart will not help."""

    exit_code = 78


class UnavailableError(GongcheError):
    """Something we depend on does not answer; a retry may help."""

    exit_code = 75


class DeclinedError(GongcheError):
    """A step of somebody's work is declined. ``code`` names the kind for programs, ``status`` is that of HTTP; ``pointer``: where
    in the body, "" = nowhere; ``more``: the present state of what was meant."""

    status = 409

    def __init__(
        self, code: str, message: str, *, pointer: str = "", more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.pointer, self.more = code, pointer, dict(more or {})


class NotThereError(DeclinedError):
    """There is no such thing, or it is not the caller's to see: the answer is the same."""

    status = 404

    def __init__(self, what: str) -> None:
        super().__init__("not-found", what)


class InvalidError(DeclinedError):
    """Well-formed, but not possible. ``pointer``: where in the body."""

    status = 422

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__("invalid-data", message, pointer=pointer)


class SchemaError(GongcheError):
    """A record of the log is not ours, or of a newer schema."""


class BatchTooLargeError(GongcheError):
    """A batch is larger than the log takes in one record."""


def _again(kind: type[GongcheError], args: tuple[Any, ...], attributes: Mapping[str, Any]) -> GongcheError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


def text_of(error: BaseException) -> str:
    """``error`` in words that PostgreSQL takes, bounded."""
    words = f"{type(error).__name__}: {error}"[:ERROR_CHARS]
    return words.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
