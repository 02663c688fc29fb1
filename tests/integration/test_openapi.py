"""The OpenAPI description says what is true: schemathesis, with all of its checks, against the real API on a real database."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from api.app import create_app
from api.registry.examples import EXAMPLES
from office.identity.subject import PERMISSIONS
from office.identity.tokens import SCOPES, create_token
from runtime.settings import Settings
from tests.integration.api_process import api_process
from tests.waiting import PATIENCE_S

#: What schemathesis does of each operation, and how long all of it may take. More by hand: GONGCHE_TEST_OPENAPI_EXAMPLES.
EXAMPLES_EACH = int(os.environ.get("GONGCHE_TEST_OPENAPI_EXAMPLES", "4"))
MOST_S = 60
#: What the description cannot say, because two fields, or the registry, decide: a time after another one, an order's vehicle
#: that must be registered; and a cursor is ours (400). Such data may be refused with 422 although each field is as it should be.
#: Of several that fit an operation the first counts: what is for people comes first, for no token opens it.
BETWEEN_FIELDS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 406, 409, 410, 412, 429, 503]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429, "5xx"]

[[operations]]
include-path-regex = "^/v1/(session|unit-channels|message-failures|users|role-grants|delegations|clients|client-secrets|oauth|oidc|cases|trip-requests|trip-series|dispatches|approval-tables|cost-entries|tariffs|statements|reconciliations|voucher-mappings|trip-costs|drivers/.id./(account|licences|duty|driving|overtime|facts|sheets|roster-weeks|roster-days)|driver-duty|driver-leaves|driver-score-tables|driver-facts|driver-sheets|driver-objections|call-back-draws|call-backs|vehicle-papers/.id.|vehicles/.id./(particulars|papers|documents)|vehicles/.id.:swap-plates|quotas|notices|publications|publication-objections|rental-reports|vehicle-acts|vehicle-transfers|vehicle-disposals|vehicles/.id./quota-place|maintenance|complaints|assessments|assessment-tables|assessment-disputes)"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 415, 422, 429, 503]

[[operations]]
include-path = ["/v1/vehicles/{id}:mark-secret", "/v1/vehicles/{id}:lift-secret", "/v1/vehicles/{id}:seal", "/v1/vehicles/{id}/commands", "/v1/commands/{no}:approve"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404, 409, 413, 415, 422, 429, 503]

[[operations]]
include-path-regex = "^/v1/exchange"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 415, 422, 429, 503]

[[operations]]
include-method = ["PUT", "POST"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 409, 412, 413, 415, 422, 429, 503]

[[operations]]
include-path = ["/v1/alerts", "/v1/evaluations", "/v1/vehicles/{id}/track", "/v1/cases", "/v1/cases/proposals", "/v1/operations/series", "/v1/alerts/counts", "/v1/statistics/alerts", "/v1/terminal-reports", "/v1/driver-cards", "/v1/media", "/v1/trip-requests", "/v1/trip-requests/backfills", "/v1/dispatches", "/v1/vehicle-papers", "/v1/cost-entries", "/v1/reconciliations"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 406, 422]

[[operations]]
include-path = ["/v1/alerts/feed", "/v1/subscriptions/{name}/entries"]
parameters = { "query.wait" = 0 }

[[operations]]
include-path = "/v1/live/vehicles"
parameters = { "query.seconds" = 0 }
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 422, 429]

[[operations]]
include-path = "/v1/alerts/stream"
parameters = { "query.seconds" = 0 }
"""


@pytest.fixture
async def api(db_url: str, pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """(address, token) of the API as it is run, with a record of each kind."""
    made = await create_token(pool, "schemathesis", SCOPES)
    # No token may have so much: what people alone may do with cases and assessments is tried here as well.
    scopes = [
        *SCOPES,
        *(
            name
            for name in PERMISSIONS
            if name.startswith(
                (
                    "cases:",
                    "assessments:",
                    "exchange:",
                    "secret:",
                    "commands:",
                    "trips:",
                    "maintenance:",
                    "drivers:",
                    "vehicles:",
                    "notices:",
                    "rentals:",
                    "quotas:",
                    "costs:",
                )
            )
        ),
    ]
    await pool.execute("UPDATE api_tokens SET scopes = $1 WHERE id = $2", scopes, made.id)
    async with api_process(db_url, tmp_path / "data") as port:
        address = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(
            base_url=address, headers={"Authorization": f"Bearer {made.secret}"}
        ) as client:
            await fill(client)
        yield address, made.secret


async def fill(client: httpx.AsyncClient) -> None:
    """The examples of the documentation, each as it stands there."""
    await put(client, "organisations/city", {"name": "市"})
    ids = {"organisations": "finance", "vehicles": "car-1", "drivers": "driver-1", "terminals": "13800000001"}
    ids |= {"fuel-cards": "1000113200000123456", "calendar-days": "2026-10-01"}
    for kind, example in EXAMPLES.items():
        await put(client, f"{kind}/{ids.get(kind, 'one')}", example)


async def put(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    answer = await client.put(f"/v1/{path}", json=body)
    assert answer.status_code == 201, answer.text


async def test_every_answer_is_as_it_is_described(api: tuple[str, str], tmp_path: Path) -> None:
    address, secret = api
    (tmp_path / "schemathesis.toml").write_text(BETWEEN_FIELDS)
    # The description is made when it is first asked for, some seconds of processor; schemathesis waits 10 s, too short on a busy machine.
    async with httpx.AsyncClient(timeout=120) as client:
        assert (await client.get(f"{address}/openapi.json")).status_code == 200
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(tmp_path / "schemathesis.toml"),
        "run", f"{address}/openapi.json", "--header", f"Authorization: Bearer {secret}", "--checks", "all",
        "--max-examples", str(EXAMPLES_EACH), "--max-time", str(MOST_S), "--phases", "examples,coverage,fuzzing",
        "--generation-deterministic", "--no-shrink", "--continue-on-failure", "--suppress-health-check", "all",
        "--no-color", "--request-timeout", "60", "--max-response-time", "45",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(2 * PATIENCE_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, (
        said.decode().partition(" FAILURES ")[2][:20_000] or said.decode()[-20_000:]
    )


def test_every_operation_has_typed_answers_and_its_problems() -> None:
    described = create_app(Settings(), None, position_sink=None).openapi()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            for status, answer in answers.items():
                where = (method, path, status)
                content = answer.get("content", {})
                if status in ("204", "304"):
                    assert not content, where
                    continue
                assert content, where
                for kind, body in content.items():
                    assert body["schema"], where
                    oauth = path == "/v1/oauth/token" and status in ("400", "401")  # RFC 6749 says how
                    assert (kind == "application/problem+json") == (int(status) >= 400 and not oauth), where
            if path.startswith("/v1/"):
                assert {"401", "403", "500", "503"} <= answers.keys(), (method, path)


def test_whatever_is_named_is_described() -> None:
    described = create_app(Settings(), None, position_sink=None).openapi()
    text = json.dumps(described)
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.split('"')[0] in described["components"]["schemas"]
