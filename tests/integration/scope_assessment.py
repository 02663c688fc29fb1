"""Scoring tables, closed sheets and objections of the units of ``scope_world``, and how the denial matrix asks for them. Tokens ask there:
what only a person may do is refused to them."""

from __future__ import annotations

from typing import Any, Final

import asyncpg
import httpx

from office.assessment.table import DEFAULT
from tests.integration.scope_supervision import NO_PERSON

_TABLE: Final = DEFAULT.model_dump(mode="json")
_REASON: Final = "理由写得足够长"
#: Table -> the column that names a record; ``test_scope`` looks at each. Tables of units above are read from below.
OWNED: Final = {
    "assessment_sheets": "organisation", "assessment_disputes": "id", "assessment_decisions": "dispute_id",
}  # fmt: skip


async def fill(pool: asyncpg.Pool, unit: str) -> None:
    """One of each for a unit, whose case is there."""
    for sql, *values in (
        ("assessment_tables (organisation, year, version, revision, valid_from, body, drafted_by, drafted_at, published_by, published_at)"
         " VALUES ($1, 2026, 1, 2, '2026-01-01', $2, '{user:x}', now(), '{user:y}', now())", unit, _TABLE),
        ("assessment_sheets VALUES ($1, '2025', '2025-01-01', '2025-12-31', 9000, $2, '{user:x}', 'x', now())", unit, {"lines": [], "corrections": []}),
        ("assessment_disputes VALUES ($1, $2, '2025', $3, 1, 'dispatch', 'finding', 'x', '{user:x}', 'x', now())",
         f"dispute-{unit}", unit, f"督-{unit}"),
        ("assessment_decisions VALUES ($1, $2, true, 'x', '{user:y}', 'y', now())", f"dispute-{unit}", unit),
    ):  # fmt: skip
        await pool.execute(f"INSERT INTO {sql}", *values)


def _call(method: str, path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        params = {name: value.format(unit=unit) for name, value in query.items()}
        return await client.request(method, f"/v1/{path.format(unit=unit)}", json=body, params=params)

    return call


def lines(case: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``: its own."""
    read, manage, decide = ("assessments:read",), ("assessments:manage",), ("assessments:decide",)
    tables, sheets, disputes = "/v1/assessment-tables", "/v1/assessments/{period}", "/v1/assessment-disputes"
    of_year = f"{tables}/{{organisation}}/{{year}}"
    return {
        ("GET", tables): case(_call("GET", "assessment-tables"), read, foreign=None),
        ("GET", of_year): case(_call("GET", "assessment-tables/{unit}/2026"), read),
        ("PUT", of_year): case(
            _call("PUT", "assessment-tables/{unit}/2027", {"revision": 0, "table": _TABLE}), manage, own=NO_PERSON
        ),
        ("POST", f"{of_year}:publish"): case(
            _call("POST", "assessment-tables/{unit}/2027:publish", {"revision": 1, "valid_from": "2027-01-01"}), decide, own=NO_PERSON
        ),
        ("GET", sheets): case(_call("GET", "assessments/2026", organisation="{unit}"), read),
        ("GET", f"{sheets}/{{organisation}}"): case(_call("GET", "assessments/2026Q1/{unit}"), read),
        ("GET", f"{sheets}/{{organisation}}/document"): case(_call("GET", "assessments/2026Q1/{unit}/document"), read),
        ("POST", f"{sheets}/{{organisation}}:close"): case(
            _call("POST", "assessments/2026Q1/{unit}:close", {"digest": "0" * 64}), decide, own=NO_PERSON
        ),
        ("POST", f"{sheets}/{{organisation}}/disputes"): case(
            _call("POST", "assessments/2026Q1/{unit}/disputes",
                  {"number": "x", "version": 1, "item": "dispatch", "fact": "finding", "reason": _REASON}),
            ("assessments:dispute",), own=frozenset({403, 404}),
        ),
        ("GET", disputes): case(_call("GET", "assessment-disputes"), read, foreign=None),
        ("GET", f"{disputes}/{{id}}"): case(_call("GET", "assessment-disputes/dispute-{unit}"), read),
        ("POST", f"{disputes}/{{id}}:decide"): case(
            _call("POST", "assessment-disputes/dispute-{unit}:decide", {"upheld": True, "reason": _REASON}), decide, own=NO_PERSON
        ),
    }  # fmt: skip
