"""All routers of people and programs."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api.identity import clients, oidc, session, users

ROUTERS: Final[tuple[APIRouter, ...]] = (
    session.router,
    users.router,
    clients.router,
    clients.open_router,
    oidc.router,
)
