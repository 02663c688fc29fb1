"""Imports hold whole files in memory, so few run at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from api.errors import Problem

_IMPORTS_AT_ONCE: Final = 2


def refuse_when_busy(state: Any) -> None:
    """Raises Problem 429 when enough imports are running; ask before the file is read."""
    if state.imports_running >= _IMPORTS_AT_ONCE:
        detail = "已有导入在进行，请稍后重试 · other imports are running"
        raise Problem(429, "busy", detail, headers={"Retry-After": "5"})


@contextmanager
def one_import(state: Any) -> Iterator[None]:
    """Held while an import runs, once its file is here. Raises Problem 429 when enough are running."""
    refuse_when_busy(state)
    state.imports_running += 1
    try:
        yield
    finally:
        state.imports_running -= 1
