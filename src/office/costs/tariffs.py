"""Tariffs in the database: versions that are never changed, of which one holds on each day. All SQL of ``tariffs``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from office.costs.terms import TariffTerms
from office.supervision.actors import Actor, persons_for
from registry.organisations import organisation_exists
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError
from runtime.units import CHINA

TARIFFS: Final = "costs:tariffs"


@dataclass(frozen=True, slots=True)
class ValidTariff:
    """The tariff of a platform that holds on a day."""

    platform: str
    version: int
    terms: TariffTerms


async def tariffs_of(connection: Connection, platform: str) -> list[tuple[date, ValidTariff]]:
    """Every tariff of a platform that holds or held from some day on, with that day, the newest first."""
    rows = await connection.fetch(
        "SELECT version, body, valid_from FROM tariffs WHERE organisation = $1 AND valid_from IS NOT NULL ORDER BY valid_from DESC",
        platform,
    )
    return [
        (
            row["valid_from"],
            ValidTariff(platform, row["version"], TariffTerms.model_validate(row["body"])),
        )
        for row in rows
    ]


def valid_on(tariffs: list[tuple[date, ValidTariff]], day: date) -> ValidTariff | None:
    """The one of ``tariffs_of`` that holds on a day; None: there is none."""
    return next((tariff for since, tariff in tariffs if since <= day), None)


async def _allowed(connection: Connection, actor: Actor, platform: str) -> None:
    if not await organisation_exists(connection, platform):
        raise NotThereError(f"没有这个单位，或不在您的范围内 · no such unit, or it is not yours: {platform}")
    await persons_for(connection, actor, platform, TARIFFS)


async def draft(connection: Connection, actor: Actor, platform: str, terms: TariffTerms) -> dict[str, Any]:
    """A new version of a platform's tariff, not valid yet."""
    await _allowed(connection, actor, platform)
    version = await connection.fetchval(
        "SELECT COALESCE(max(version), 0) + 1 FROM tariffs WHERE organisation = $1", platform
    )
    await connection.execute(
        "INSERT INTO tariffs (organisation, version, body, made_by, made_by_name, made_at) VALUES ($1, $2, $3, $4, $5, clock_timestamp())",
        platform, version, terms.model_dump(mode="json"), actor.person, actor.subject.name,
    )  # fmt: skip
    return await show(connection, platform, version)


async def activate(
    connection: Connection, actor: Actor, platform: str, version: int, valid_from: date
) -> dict[str, Any]:
    """Have a version hold from a day on. Only the first one of a platform may hold for days that are past: what was driven by a price that
    people knew is not priced anew."""
    await _allowed(connection, actor, platform)
    row = await connection.fetchrow(
        "SELECT valid_from FROM tariffs WHERE organisation = $1 AND version = $2 FOR UPDATE",
        platform,
        version,
    )
    if row is None:
        raise NotThereError(f"没有这个版本 · no such version: {version}")
    if row["valid_from"] is not None:
        raise DeclinedError("used-version", "这个版本已启用，请另存为新版本再启用 · it holds already: save it as a new version")  # fmt: skip
    last = await connection.fetchval("SELECT max(valid_from) FROM tariffs WHERE organisation = $1", platform)
    today = (await connection.fetchval("SELECT clock_timestamp()")).astimezone(CHINA).date()
    if last is not None and valid_from < today:
        raise InvalidError("/valid_from", f"计价标准不追溯，启用日不得早于今天 {today} · not for days that are past; from {today} on")  # fmt: skip
    if last is not None and valid_from <= last:
        raise InvalidError("/valid_from", f"已有自 {last} 起的版本，请选更晚的日期 · a version holds from {last} on; choose a later day")  # fmt: skip
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    await connection.execute(
        "UPDATE tariffs SET valid_from = $3, activated_by_name = $4, activated_at = $5 WHERE organisation = $1 AND version = $2",
        platform, version, valid_from, actor.subject.name, now,
    )  # fmt: skip
    return await show(connection, platform, version)


_SHOWN: Final = (
    "organisation, version, body, made_by_name, made_at, valid_from, activated_by_name, activated_at"
)


async def show(connection: Connection, platform: str, version: int) -> dict[str, Any]:
    """A version. Raises NotThereError."""
    row = await connection.fetchrow(
        f"SELECT {_SHOWN} FROM tariffs WHERE organisation = $1 AND version = $2",  # noqa: S608 - constant
        platform,
        version,
    )
    if row is None:
        raise NotThereError(f"没有这个版本 · no such version: {version}")
    return _view(row)


async def versions(connection: Connection, platform: str, limit: int) -> list[dict[str, Any]]:
    """The newest versions of a platform's tariff, newest first."""
    rows = await connection.fetch(
        f"SELECT {_SHOWN} FROM tariffs WHERE organisation = $1 ORDER BY version DESC LIMIT $2",  # noqa: S608 - constant
        platform,
        limit,
    )
    return [_view(row) for row in rows]


def _view(row: Any) -> dict[str, Any]:
    return {
        "organisation": row["organisation"],
        "version": row["version"],
        "tariff": row["body"],
        "made_by": row["made_by_name"],
        "made_at": row["made_at"],
        "valid_from": row["valid_from"],
        "activated_by": row["activated_by_name"],
        "activated_at": row["activated_at"],
    }
