"""Programs: OAuth2 client credentials and tokens over real HTTP, and that what is revoked is gone at once, everywhere."""

from __future__ import annotations

import base64
from typing import Any

import httpx

from tests.integration.identity_site import Site
from tests.integration.test_identity import problem
from tests.integration.test_identity_office import administrator


def ask(site: Site, api: int = 0, auth: tuple[str, str] | None = None, **form: str) -> httpx.Response:
    return httpx.post(f"{site.apis[api].url}/v1/oauth/token", data=form, auth=auth)


def refusal(answer: httpx.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"error", "error_description"}


def test_a_program_gets_a_token_and_loses_it_at_once(site: Site) -> None:
    admin = administrator(site)
    body = {"name": "纪委平台", "scopes": ["alerts:read", "registry:read"], "organisation": "county"}
    made = admin.post("/v1/clients", body).json()
    id, first = made["client_id"], made["client_secret"]
    assert first not in str(site.sql("SELECT * FROM client_secrets"))
    grant: dict[str, Any] = {"grant_type": "client_credentials"}
    answer = ask(site, auth=(id, first), **grant)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    got = answer.json()
    assert (got["token_type"], got["expires_in"], got["scope"]) == (
        "Bearer",
        900,
        "alerts:read registry:read",
    )
    narrow = ask(site, client_id=id, client_secret=first, scope="alerts:read", **grant).json()["access_token"]

    def status(token: str, path: str = "/v1/alerts", api: int = 1) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{site.apis[api].url}{path}", headers=headers).status_code

    assert (status(got["access_token"]), status(got["access_token"], "/v1/vehicles")) == (200, 200)
    assert (status(narrow), status(narrow, "/v1/vehicles")) == (200, 403)
    assert status(narrow + "x") == status("gca_" + "A" * 43) == 401
    # Rotation: two secrets for a while, then the old one goes, and what was got with it.
    second = admin.post(f"/v1/clients/{id}/secrets", {}).json()
    problem(admin.post(f"/v1/clients/{id}/secrets", {}), 409, "conflict")
    fresh = ask(site, auth=(id, second["client_secret"]), **grant).json()["access_token"]
    assert admin.delete(f"/v1/client-secrets/{made['secret_id']}").status_code == 204
    assert [status(token) for token in (narrow, fresh)] == [401, 200]
    refusal(ask(site, 1, auth=(id, first), **grant), 401, "invalid_client")
    # Fewer scopes hold for tokens that are out.
    assert admin.put(f"/v1/clients/{id}", body | {"scopes": ["registry:read"]}).status_code == 200
    assert (status(fresh), status(fresh, "/v1/vehicles")) == (403, 200)
    assert admin.post(f"/v1/clients/{id}:disable").status_code == 204
    assert status(fresh, "/v1/vehicles") == 401
    refusal(ask(site, auth=(id, second["client_secret"]), **grant), 401, "invalid_client")
    assert admin.post(f"/v1/clients/{id}:enable").status_code == 204
    site.sql("UPDATE client_tokens SET expires_at = now()")
    assert status(fresh, "/v1/vehicles") == 401
    shown = admin.get(f"/v1/clients/{id}").json()
    assert len(shown["secrets"]) == 2
    assert id in {one["id"] for one in admin.get("/v1/clients?limit=1000").json()["items"]}


def test_refusals_are_those_of_rfc_6749(site: Site) -> None:
    admin = administrator(site)
    made = admin.post("/v1/clients", {"name": "x", "scopes": ["alerts:read"]}).json()
    id, secret = made["client_id"], made["client_secret"]
    grant: dict[str, Any] = {"grant_type": "client_credentials"}
    url = f"{site.apis[0].url}/v1/oauth/token"
    challenge = ask(site, auth=(id, "wrong"), **grant)
    refusal(challenge, 401, "invalid_client")
    assert challenge.headers["www-authenticate"].startswith("Basic")
    refusal(ask(site, client_id=id, **grant), 401, "invalid_client")
    refusal(ask(site, auth=("nobody", secret), **grant), 401, "invalid_client")
    refusal(ask(site, auth=(id, secret)), 400, "invalid_request")
    refusal(ask(site, auth=(id, secret), grant_type="password"), 400, "unsupported_grant_type")
    refusal(ask(site, auth=(id, secret), scope="alerts:read registry:read", **grant), 400, "invalid_scope")
    refusal(ask(site, auth=(id, secret), client_secret=secret, **grant), 400, "invalid_request")
    refusal(ask(site, auth=(id, secret), client_id="other", **grant), 400, "invalid_request")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for content in (
        b"grant_type=client_credentials&grant_type=x",
        b"\xff\xfe=%ff",
        b"&&==",
        b"a=b&" * 30,
        b"client_id=%00&client_secret=%00&grant_type=x",
    ):
        answer = httpx.post(url, content=content, headers=form, auth=(id, secret))
        assert answer.status_code in (400, 401), answer.text
    refusal(httpx.post(url, json=grant, auth=(id, secret)), 400, "invalid_request")
    for header in ("Basic", "Basic !!", "Basic " + base64.b64encode(b"\xff").decode(), "Bearer x"):
        refusal(httpx.post(url, data=grant, headers={"Authorization": header}), 401, "invalid_client")
    assert httpx.post(url, content=b"x" * (1 << 20), headers=form).status_code == 413
    odd: list[dict[str, Any]] = [
        {"scopes": []},
        {"scopes": ["cases:close"]},
        {"scopes": ["*"]},
        {"name": "\0"},
    ]
    for body in (*odd, {"organisation": "nowhere"}):
        problem(
            admin.post("/v1/clients", {"name": "x", "scopes": ["alerts:read"]} | body), 422, "invalid-data"
        )
    county = administrator(site, "county")
    problem(county.get(f"/v1/clients/{id}"), 404, "not-found")
    problem(county.delete(f"/v1/client-secrets/{made['secret_id']}"), 404, "not-found")
    problem(county.post(f"/v1/clients/{id}:disable"), 404, "not-found")


def test_a_token_is_revoked_at_once_everywhere(site: Site) -> None:
    """A token row was believed for five seconds by each process."""
    from office.identity.tokens import create_token, revoke_token

    made = site.run(lambda c: create_token(c, "inspection", ["alerts:read"]))
    headers = {"Authorization": f"Bearer {made.secret}"}
    for api in site.apis:
        assert httpx.get(f"{api.url}/v1/alerts", headers=headers).status_code == 200
    assert site.run(lambda c: revoke_token(c, made.id))
    for api in site.apis:
        assert httpx.get(f"{api.url}/v1/alerts", headers=headers).status_code == 401
