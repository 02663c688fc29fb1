"""Answers that are kept for some seconds: fifty wall screens ask as much of the database as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final

from office.identity.subject import Subject

#: How long an answer is good for, in seconds, and how many are kept.
KEPT_S: Final = 5.0
MOST_KEPT: Final = 256


@dataclass(slots=True)
class _Answer:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    value: Any = None
    made_at: float = float("-inf")


class Recent:
    """Answers by what they depend on. Of equal questions that come at once one is answered, and the others get its answer. Who waits asks
    itself when the one before was cancelled or has failed."""

    def __init__(self, kept_s: float = KEPT_S, most: int = MOST_KEPT) -> None:
        self._kept_s, self._most = kept_s, most
        self._answers: dict[Hashable, _Answer] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Any]]) -> Any:
        """The answer to ``key``: a recent one, or what ``make`` returns."""
        answer = self._answers.setdefault(key, _Answer())
        async with answer.lock:
            if time.monotonic() - answer.made_at >= self._kept_s:
                value = await make()
                answer.value, answer.made_at = value, time.monotonic()
                self._forget(key)
            return answer.value

    def _forget(self, made: Hashable) -> None:
        """What is no longer good goes, and of too many the oldest; nothing that is being made."""
        idle = sorted(
            (answer.made_at, number, key)
            for number, (key, answer) in enumerate(self._answers.items())
            if key != made and not answer.lock.locked()
        )
        surplus = len(self._answers) - self._most
        for place, (made_at, _, key) in enumerate(idle):
            if place < surplus or time.monotonic() - made_at >= self._kept_s:
                del self._answers[key]


def rights_of(subject: Subject) -> Hashable:
    """What an answer that names nobody depends on: equal for subjects that may see the same."""
    return frozenset((grant.permissions, grant.organisation) for grant in subject.grants)
