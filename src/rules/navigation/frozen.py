"""Routes that were frozen, whatever the map: for looking back. No engine is asked."""

from __future__ import annotations

from collections.abc import Sequence

from rules.navigation.base import Places, Route
from rules.navigation.cache import PROFILE, route_key
from runtime.connection import Connection


class FrozenRoutes:
    """A Navigator over the kept routes of one engine (None: the one that answered last). Where the same places were
    asked on several maps, the map that answered last counts. ``missing``: distinct places that had no route."""

    def __init__(self, engine: str | None = None) -> None:
        self._engine = engine
        self._maps: list[str] | None = None
        self.missing: set[Places] = set()

    async def fetch(self, conn: Connection, wanted: Sequence[Places]) -> None:
        """Nothing is asked."""

    async def routes(self, conn: Connection, wanted: Sequence[Places]) -> list[Route | None]:
        """See Navigator."""
        if not wanted:
            return []
        maps = await self._known(conn)
        found: dict[Places, Route] = {}
        for map_date in maps:
            missing = [places for places in dict.fromkeys(wanted) if places not in found]
            keys = {route_key(self._engine or "", map_date, PROFILE, places): places for places in missing}
            for row in await conn.fetch(
                "SELECT key, distance_m, duration_s, shape, problem, problem_en FROM navigation_routes WHERE key = ANY($1::bytea[])",
                list(keys),
            ):
                places = keys[row["key"]]
                found[places] = Route(
                    row["key"].hex(), self._engine or "", map_date, places, *list(row.values())[1:]
                )
        self.missing.update(set(wanted) - found.keys())
        return [found.get(places) for places in wanted]

    async def _known(self, conn: Connection) -> list[str]:
        """Dates of the engine's maps, the one that answered last first."""
        if self._maps is None:
            rows = await conn.fetch(
                "SELECT engine, map_date FROM navigation_routes GROUP BY engine, map_date ORDER BY max(answered_at) DESC,"
                " engine, map_date"
            )
            if self._engine is None and rows:
                self._engine = rows[0]["engine"]
            self._maps = [r["map_date"] for r in rows if r["engine"] == self._engine]
        return self._maps
