"""``Hub``: the streams of one process. One task steps all groups once a second, as long as there are viewers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

from fastapi import Request

from api.auth.scoped import reach_of, scoped
from api.live.groups import Group, Window
from api.live.scopes import Sight
from office.identity.scope import Reach
from registry.roster import read_roster, roster_print
from runtime.bell import Bell
from telemetry.live.feed import LiveFeed

_logger = logging.getLogger(__name__)

PERMISSION: Final = "tracks:read"
#: Rosters that are kept although nobody looks at them: who opens and closes streams has none read for each.
MOST_IDLE: Final = 4
#: Without news from the log the next frame comes after so much more time.
_LATE: Final = 1.2

_Key = tuple[frozenset[str] | None, frozenset[str] | None]


class Scope:
    """One reach with its groups. ``look`` finds out what it sees now."""

    def __init__(self, sight: Sight, now: float) -> None:
        self.sight = sight
        self.looked_at = now
        self.groups: dict[Window | None, Group] = {}
        self._looking = asyncio.Lock()

    async def look(self, request: Request, every_s: float) -> None:
        """Read the roster again, when it changed, as the subject of ``request``, who has this reach; at most every ``every_s``."""
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() - self.looked_at < every_s:
                return
            now = loop.time()
            async with scoped(request, PERMISSION, read_only=True) as connection:
                if await roster_print(connection) != self.sight.roster.print:
                    self.sight = Sight(await read_roster(connection))
            self.looked_at = now


class Hub:
    """See the module. ``streams``: how many each subject has."""

    def __init__(self, feed: LiveFeed) -> None:
        self.feed = feed
        self.bell = Bell()
        self.streams = Counter[str]()
        self._scopes: dict[_Key, Scope] = {}
        self._making = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def sight(self, request: Request) -> Sight:
        """What the subject of ``request`` sees, read now; of viewers with the same reach as well."""
        return (await self._scope(request, 0.0)).sight

    async def join(self, request: Request, window: Window | None) -> tuple[Scope, Group]:
        """The group of the subject of ``request``, with one viewer more; the caller says ``leave``."""
        scope = await self._scope(request, request.app.state.settings.live_recheck_s)
        # Nobody else gets a turn up to the end: a scope without viewers may be dropped.
        group = scope.groups.get(window)
        if group is None:
            group = scope.groups[window] = Group(window)
            self._advance(scope, [group])
        group.viewers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="live map")
        return scope, group

    async def _scope(self, request: Request, every_s: float) -> Scope:
        """The scope of the subject of ``request``, which was looked at within ``every_s``."""
        key = _key(reach_of(request, PERMISSION, read_only=True))
        async with self._making:  # of many who come at once one reads the roster
            scope = self._scopes.get(key)
            if scope is None:
                now = asyncio.get_running_loop().time()
                scope = self._scopes[key] = Scope(await _read(request), now)
        await scope.look(request, every_s)
        scope = self._scopes.setdefault(key, scope)
        self._scopes[key] = self._scopes.pop(key)  # the last one to be dropped
        idle = [key for key, each in self._scopes.items() if not each.groups and each is not scope]
        for old in idle[: max(0, len(idle) - MOST_IDLE)]:
            del self._scopes[old]
        return scope

    def comes(self, who: str) -> None:
        """Count a stream of the subject ``who``."""
        self.streams[who] += 1

    def leaves(self, who: str) -> None:
        """It has ended."""
        self.streams[who] -= 1
        if not self.streams[who]:
            del self.streams[who]

    def leave(self, group: Group) -> None:
        """A viewer of ``group`` has gone. What nobody looks at is no work any more."""
        group.viewers -= 1
        for scope in self._scopes.values():
            for window, each in list(scope.groups.items()):
                if not each.viewers:
                    del scope.groups[window]
        if self._task is not None and not any(scope.groups for scope in self._scopes.values()):
            self._task.cancel()
            self._task = None

    def holds(self, request: Request, scope: Scope) -> bool:
        """Whether ``scope`` is still the reach of the subject of ``request``."""
        return self._scopes.get(_key(reach_of(request, PERMISSION, read_only=True))) is scope

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            seen, began = self.feed.bell.count, loop.time()
            await self.feed.bell.wait(seen, _LATE * self.feed.every_s)
            # While the log is behind it is read without a pause; frames keep their second.
            await asyncio.sleep(began + 0.9 * self.feed.every_s - loop.time())
            for scope in list(self._scopes.values()):
                try:
                    self._advance(scope, list(scope.groups.values()))
                except Exception:
                    _logger.exception("a frame of the live map could not be made")
                await asyncio.sleep(0)
            self.bell.ring()

    def _advance(self, scope: Scope, groups: Iterable[Group]) -> None:
        view = scope.sight.view(self.feed)
        now_ms = time.time_ns() // 1_000_000
        for group in groups:
            group.advance(view, now_ms, scope.sight.epoch, stale=self.feed.stale)


async def _read(request: Request) -> Sight:
    async with scoped(request, PERMISSION, read_only=True) as connection:
        return Sight(await read_roster(connection))


def _key(reach: Reach) -> _Key:
    return reach.units, reach.secrets
