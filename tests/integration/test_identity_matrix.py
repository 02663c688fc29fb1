"""The denial matrix of what is for people: every operation, by every role, on what belongs to one's own unit and to another.

An operation that is not listed here fails the test.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from api.problems import OF_PEOPLE
from office.identity import clients, grants, users
from office.identity.subject import ROLE_PERMISSIONS, Role
from tests.integration.identity_site import Browser, Site
from tests.integration.test_api_service import OPEN
from tests.integration.test_identity import PASSWORD, person

_USER, _CLIENT = {"name": "x"}, {"name": "x", "scopes": ["alerts:read"]}
#: What administrators do: (method, path) -> (what {id} is, body, answer in one's own unit). {unit} in a body: the unit.
OFFICE: Final[dict[tuple[str, str], tuple[str, Any, int]]] = {
    ("GET", "/v1/users"): ("", None, 200),
    ("POST", "/v1/users"): ("", _USER | {"id": "{new}", "organisation": "{unit}"}, 201),
    ("GET", "/v1/users/{id}"): ("user", None, 200),
    ("PUT", "/v1/users/{id}"): ("user", _USER | {"organisation": "{unit}"}, 200),
    ("POST", "/v1/users/{id}:disable"): ("user", None, 204),
    ("POST", "/v1/users/{id}:enable"): ("user", None, 204),
    ("POST", "/v1/users/{id}:reset-password"): ("user", None, 200),
    ("POST", "/v1/users/{id}:reset-totp"): ("user", None, 204),
    ("POST", "/v1/users/{id}:sign-out"): ("user", None, 204),
    ("POST", "/v1/users/{id}/grants"): ("user", {"role": "driver", "organisation": "{unit}"}, 201),
    ("POST", "/v1/users/{id}/delegations"): ("user", {"grant": "{grant}", "to": "{other}", "valid_to": "{soon}", "reason": "x"}, 201),
    ("PUT", "/v1/users/{id}/oidc"): ("user", {"subject": "{new}"}, 204),
    ("DELETE", "/v1/users/{id}/oidc"): ("user", None, 204),
    ("DELETE", "/v1/delegations/{id}"): ("delegation", None, 204),
    ("DELETE", "/v1/role-grants/{id}"): ("grant", None, 204),
    ("GET", "/v1/clients"): ("", None, 200),
    ("POST", "/v1/clients"): ("", _CLIENT | {"organisation": "{unit}"}, 201),
    ("GET", "/v1/clients/{id}"): ("client", None, 200),
    ("PUT", "/v1/clients/{id}"): ("client", _CLIENT | {"organisation": "{unit}"}, 200),
    ("POST", "/v1/clients/{id}/secrets"): ("client", {}, 201),
    ("DELETE", "/v1/client-secrets/{id}"): ("secret", None, 204),
    ("POST", "/v1/clients/{id}:disable"): ("client", None, 204),
    ("POST", "/v1/clients/{id}:enable"): ("client", None, 204),
    ("GET", "/v1/message-failures"): ("", None, 200),
    ("POST", "/v1/message-failures/{id}/resend"): ("letter", None, 204),
}  # fmt: skip
#: What everybody does with his own account, and with nobody else's.
OWN: Final = {
    ("POST", "/v1/session"), ("GET", "/v1/session"), ("DELETE", "/v1/session"), ("GET", "/v1/session/methods"), ("GET", "/v1/sessions"), ("DELETE", "/v1/sessions"),
    ("DELETE", "/v1/sessions/{id}"), ("POST", "/v1/session/password"), ("POST", "/v1/session/totp"),
    ("POST", "/v1/session/totp:confirm"), ("POST", "/v1/session/totp:disable"), ("POST", "/v1/session/recovery-codes"),
    ("POST", "/v1/session/delegations"), ("DELETE", "/v1/session/delegations/{id}"),
    ("GET", "/v1/session/message-channels"), ("POST", "/v1/session/message-channels"), ("PUT", "/v1/session/message-channels/{id}"),
    ("DELETE", "/v1/session/message-channels/{id}"), ("POST", "/v1/session/message-channels/{id}/confirm"),
    ("POST", "/v1/session/message-channels/{id}/code"), ("PUT", "/v1/session/quiet-hours"), ("GET", "/v1/session/message-letters"),
    ("POST", "/v1/session/message-letters/{letter}/resend"),
}  # fmt: skip


def things(site: Site, unit: str) -> dict[str, Any]:
    """A user with a letter that did not reach him, a grant, a delegation, a client and its secret of ``unit``."""
    user, other = f"u{uuid.uuid4().hex[:10]}", f"u{uuid.uuid4().hex[:10]}"
    now = datetime.now(UTC)

    async def make(connection: Any) -> tuple[int, int, str, str, int]:
        for login in (user, other):
            who = users.profile(login, unit, None, None)
            await users.create(connection, users.MACHINE, login, who, "no password")
        grant = await grants.grant_role(connection, users.MACHINE, user, Role.UNIT_HEAD, unit, now, None)
        found = await grants.find_grant(connection, grant)
        lent = await grants.delegate(
            connection, users.MACHINE, found, other, now, now + timedelta(hours=1), "x"
        )
        id, secret = await clients.create(connection, users.MACHINE, "x", ["alerts:read"], unit)
        return grant, lent, id, secret.id, await _letter(connection, user, unit)

    grant, lent, client, secret, letter = site.run(make)
    return {
        "unit": unit, "user": user, "other": other, "grant": grant, "delegation": lent, "client": client, "secret": secret, "letter": letter,
        "new": f"n{uuid.uuid4().hex[:12]}", "soon": (now + timedelta(hours=1)).isoformat(),
    }  # fmt: skip


async def _letter(connection: Any, user: str, unit: str) -> int:
    """The number of a message to ``user`` that was given up."""
    case = uuid.uuid4().hex
    await connection.execute(
        "INSERT INTO cases (id, organisation, state, version, source, level, title, created_at)"
        " VALUES ($1, $2, 'issued', 1, 'joint', 'general', 'x', now())",
        case,
        unit,
    )
    message = await connection.fetchval(
        "INSERT INTO messages (organisation, permission, case_id, number, step, state, at)"
        " VALUES ($1, 'cases:reply', $2, '1', 'issue', 'issued', now()) RETURNING id",
        unit,
        case,
    )
    channel = await connection.fetchval(
        "INSERT INTO message_channels (person, kind, shown, made_by, confirmed_at) VALUES ($1, 'email', $2, 'user:x', now())"
        " RETURNING no",
        user,
        f"{user}@…",
    )
    await connection.execute("INSERT INTO message_lanes (channel_no) VALUES ($1)", channel)
    number: int = await connection.fetchval(
        "INSERT INTO message_outbox (channel_no, message_id, state, ended_at) VALUES ($1, $2, 'dead', now()) RETURNING no",
        channel,
        message,
    )
    return number


def call(browser: Browser, operation: tuple[str, str], of: dict[str, Any]) -> httpx.Response:
    method, path = operation
    what, body, _ = OFFICE[operation]
    if body is not None:
        body = {k: of[v[1:-1]] if isinstance(v, str) and v.startswith("{") else v for k, v in body.items()}
    return browser.send(method, path.replace("{id}", str(of.get(what, ""))), body)


def test_every_operation_is_known_here(site: Site) -> None:
    paths = httpx.get(f"{site.apis[0].url}/openapi.json", timeout=60).json()["paths"]
    there = {(m.upper(), p) for p, ms in paths.items() for m in ms if p.startswith(OF_PEOPLE)}
    assert there == OFFICE.keys() | OWN
    assert {(m.upper(), p) for m, p in OPEN} - OWN == {
        ("POST", "/v1/oauth/token"), ("GET", "/v1/oidc/login"), ("GET", "/v1/oidc/callback"),
    }  # fmt: skip


def test_only_who_manages_users_manages_users(site: Site) -> None:
    of = things(site, "bureau")
    for role in Role:
        if "users:manage" in ROLE_PERMISSIONS[role]:
            continue
        browser = site.signed_in(person(site, role, None, "bureau"), PASSWORD)  # everywhere, and yet
        for operation in OFFICE:
            answer = call(browser, operation, of)
            assert answer.status_code == 403, (role, operation, answer.text)
            assert "missing-scope" in answer.text, (role, operation)


def test_an_administrator_does_all_of_it_in_his_units_and_none_of_it_elsewhere(site: Site) -> None:
    browser = site.signed_in(person(site, Role.ADMINISTRATOR, "county", "county"), PASSWORD)
    for operation, (what, _, done) in OFFICE.items():
        own, foreign = things(site, "bureau"), things(site, "other")
        if what or operation[0] == "POST":
            refused = call(browser, operation, foreign)
            assert refused.status_code in (403, 404), (operation, refused.text)
        answer = call(browser, operation, own)
        assert answer.status_code == done, (operation, answer.text)
        for name in ("user", "client"):  # lists have nothing of others
            assert foreign[name] not in answer.text, operation
