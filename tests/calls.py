"""How often something is called: work is counted, not timed."""

from __future__ import annotations

from typing import Any

import pytest


class Calls:
    """``count``: so many by now."""

    count = 0


def counted(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> Calls:
    """From now on: the calls of ``where.name``, a function, method or coroutine function, which does what it did."""
    calls, does = Calls(), getattr(where, name)

    def call(*args: Any, **more: Any) -> Any:
        calls.count += 1
        return does(*args, **more)

    monkeypatch.setattr(where, name, call)
    return calls
