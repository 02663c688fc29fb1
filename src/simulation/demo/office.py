"""The vehicle office of the demo: enters organisations, vehicles, terminals, orders and cards over the HTTP API, and when
the day is over what comes afterwards: card statements, exports of the traffic police, settings of the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx

from runtime.errors import GongcheError, UnavailableError
from simulation.city.bodies import (
    card_body,
    driver_body,
    fence_body,
    offence_body,
    order_body,
    organisation_body,
    paper_vehicle_body,
    payment_body,
    setting_body,
    station_body,
    terminal_body,
    vehicle_body,
)
from simulation.city.fleet import Plan

_CHUNK = 500  # rows of one import
_ATTEMPTS = 8
_BUSY = frozenset({429, 502, 503, 504})

#: Fences and organisations depend on the seed alone, so what a later run enters is what is there already.
FENCES_FROM = "2020-01-01T00:00:00+08:00"


class RefusedError(GongcheError):
    """The API did not take a record."""


class Office:
    """Speaks to the registry with one token. An async context manager."""

    def __init__(self, api: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=api.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=60.0,
            trust_env=False,
        )

    async def __aenter__(self) -> Office:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def register(self, plan: Plan) -> None:
        """Everything of the plan that is known before the day begins. Raises RefusedError or UnavailableError."""
        await self.load("organisations", [organisation_body(o) for o in plan.organisations])
        for organisation in plan.organisations:
            fence = fence_body(plan, organisation)
            await self.put("fences", fence)
        papers = [paper_vehicle_body(v) for v in plan.facts.vehicles]
        await self.load("vehicles", [*papers, *(vehicle_body(v) for v in plan.vehicles)])
        await self.load("drivers", [driver_body(v) for v in plan.vehicles])
        await self.load("terminals", [terminal_body(plan, v) for v in plan.vehicles])
        known = [order_body(plan, u.order) for u in plan.updates if u.at_s is None]
        await self.load("dispatch-orders", known)
        await self.load("fuel-stations", [station_body(plan, s) for s in plan.facts.stations])
        await self.load("fuel-cards", [card_body(c) for c in plan.facts.cards])

    async def close_books(self, plan: Plan) -> None:
        """What comes when the day is over: statements of the cards, exports of the traffic police one after the other,
        and the settings by which its days are judged at once. Raises RefusedError or UnavailableError."""
        await self.load("fuel-transactions", [payment_body(p) for p in plan.facts.payments])
        for export in sorted({o.export for o in plan.facts.offences}):
            rows = [offence_body(o) for o in plan.facts.offences if o.export == export]
            await self.load("violations", rows)
        for setting in plan.facts.settings:
            for organisation in plan.organisations:
                await self._call("PUT", "/v1/rule-parameters", setting_body(setting, organisation))

    async def load(self, kind: str, rows: Sequence[dict[str, Any]]) -> None:
        """Import rows of one kind, in chunks."""
        for at in range(0, len(rows), _CHUNK):
            await self._call("POST", f"/v1/{kind}:import", list(rows[at : at + _CHUNK]))

    async def put(self, kind: str, body: dict[str, Any]) -> None:
        """Write one record."""
        await self._call("PUT", f"/v1/{kind}/{body['id']}", body)

    async def _call(self, method: str, path: str, body: Any) -> None:
        """One idempotent request; tried again, with longer and longer pauses, while the API is not there."""
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(min(10.0, 0.25 * 2.0**attempt))
            try:
                response = await self._client.request(method, path, json=body)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if response.status_code in _BUSY:
                problem = f"status {response.status_code}"
                continue
            if response.is_success:
                return
            raise RefusedError(f"{method} {path}: status {response.status_code}: {response.text[:600]}")
        raise UnavailableError(
            f"{method} {path}: {problem}", hint="is the API running, and is the token right?"
        )
