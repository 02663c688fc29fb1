"""Administrators and programs: who may give whom what, and that whatever is taken away is gone at once, everywhere."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from api.problems import OF_PEOPLE
from gongche.first_administrator import make_first_administrator
from office.identity import housekeeping
from office.identity.subject import Role
from runtime.postgres import connect, create_pool
from runtime.settings import Settings
from tests.integration.identity_site import COOKIE, LIGHT, Browser, Site
from tests.integration.test_identity import PASSWORD, give, person, problem, together
from tests.integration.test_openapi import BETWEEN_FIELDS


def administrator(site: Site, unit: str | None = None) -> Browser:
    return site.signed_in(person(site, Role.ADMINISTRATOR, unit, unit), PASSWORD)


def later(hours: float = 1) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


# --- users


def test_a_user_from_the_first_day_to_the_last(site: Site) -> None:
    admin = administrator(site)
    login = f"li.{uuid.uuid4().hex[:8]}"
    body = {
        "id": login.upper(),
        "name": "李明",
        "organisation": "bureau",
        "phone": "13800000001",
        "email": "li@example.cn",
    }
    made = admin.post("/v1/users", body)
    assert made.status_code == 201, made.text
    first = made.json()["one_time_password"]
    assert made.json()["id"] == login
    problem(admin.post("/v1/users", body), 409, "conflict")
    assert first not in str(site.sql("SELECT * FROM users WHERE id = $1", login))
    browser = site.signed_in(login, first)
    assert browser.get("/v1/session").json()["must_change_password"]
    give(site, login, Role.INSPECTOR)
    problem(browser.get("/v1/alerts"), 403, "password-must-be-changed")
    problem(browser.post("/v1/session/totp", {"password": first}), 403, "password-must-be-changed")
    assert (
        browser.post("/v1/session/password", {"password": first, "new_password": PASSWORD}).status_code == 200
    )
    assert browser.get("/v1/alerts").status_code == 200
    changed = admin.put(f"/v1/users/{login}", {"name": "李明华", "organisation": "county"}).json()
    assert (changed["name"], changed["organisation"], changed["phone"]) == ("李明华", "county", None)
    reset = admin.post(f"/v1/users/{login}:reset-password").json()["one_time_password"]
    problem(browser.get("/v1/session"), 401, "session-ended")
    problem(site.browser().sign_in(login, PASSWORD), 401, "bad-login")
    site.sql("UPDATE users SET password_ends_at = now() WHERE id = $1", login)
    problem(site.browser().sign_in(login, reset), 401, "password-ended")
    admin.post(f"/v1/users/{login}:reset-password")
    site.sql("UPDATE users SET must_change_password = false WHERE id = $1", login)
    again = admin.post(f"/v1/users/{login}:reset-password").json()["one_time_password"]
    browser = site.signed_in(login, again, 1)
    assert admin.post(f"/v1/users/{login}:disable").status_code == 204
    problem(browser.get("/v1/session"), 401, "session-ended")
    problem(site.browser().sign_in(login, again), 401, "bad-login")
    assert admin.post(f"/v1/users/{login}:enable").status_code == 204
    assert site.browser().sign_in(login, again).status_code == 200
    assert admin.post(f"/v1/users/{login}:sign-out").status_code == 204
    found = admin.get(f"/v1/users/{login}").json()
    assert [role["role"] for role in found["roles"]] == ["inspector"]
    listed = admin.get("/v1/users?organisation=county&limit=1000").json()["items"]
    assert login in {one["id"] for one in listed}


def test_what_is_no_user_is_refused(site: Site) -> None:
    admin = administrator(site)
    good = {"id": "wang", "name": "王"}
    for change in (
        {"id": "a"}, {"id": "zhаng"}, {"id": "a\0b"}, {"name": ""}, {"name": "a\nb"}, {"organisation": "nowhere"}, {"phone": "x"},
        {"email": "a@b\nBcc: c@d"}, {"role": "administrator"}, {"name": 5}, {"name": "x" * 101},
    ):  # fmt: skip
        answer = problem(admin.post("/v1/users", good | change), 422, "invalid-data")
        assert next(iter(change)) in str(answer)
    for path in ("nobody.here", "a%00b", "x" * 201, "%E2%80%AE"):
        for method in ("GET", "PUT"):
            refused = admin.send(method, f"/v1/users/{path}", {"name": "x"} if method == "PUT" else None)
            assert refused.status_code in (404, 422), (method, path, refused.text)
    for path in (
        "/v1/users/x:disable",
        "/v1/clients/" + "0" * 64 + ":disable",
    ):  # no id with a colon, but another address
        problem(admin.put(path, {"name": "x"}), 405, "http")
    assert admin.get("/v1/users?limit=0").status_code == 422
    assert admin.get("/v1/users?cursor=x").status_code == 400
    first = admin.get("/v1/users?limit=1").json()
    assert first["next"]
    assert (
        admin.get("/v1/users", params={"cursor": first["next"], "limit": 1}).json()["items"] != first["items"]
    )


def test_an_administrator_of_a_unit_reaches_no_further(site: Site) -> None:
    county = administrator(site, "county")
    mine, theirs = person(site, home="bureau"), person(site, home="other")
    listed = {one["id"] for one in county.get("/v1/users?limit=1000").json()["items"]}
    assert mine in listed
    assert theirs not in listed
    for path, method in ((f"/v1/users/{theirs}", "GET"), (f"/v1/users/{theirs}:disable", "POST"), (f"/v1/users/{theirs}:reset-password", "POST"),
                         (f"/v1/users/{theirs}:reset-totp", "POST"), (f"/v1/users/{theirs}:sign-out", "POST"), (f"/v1/users/{theirs}/oidc", "DELETE")):  # fmt: skip
        problem(county.send(method, path), 404, "not-found")
    grant = {"role": "unit_head"}
    problem(county.post(f"/v1/users/{theirs}/grants", grant | {"organisation": "bureau"}), 404, "not-found")
    for unit in (None, "city", "other"):
        problem(county.post(f"/v1/users/{mine}/grants", grant | {"organisation": unit}), 403, "not-allowed")
        problem(
            county.post("/v1/users", {"id": "x" + uuid.uuid4().hex[:8], "name": "x", "organisation": unit}),
            403,
            "not-allowed",
        )
        problem(county.put(f"/v1/users/{mine}", {"name": "x", "organisation": unit}), 403, "not-allowed")
        problem(
            county.post("/v1/clients", {"name": "x", "scopes": ["alerts:read"], "organisation": unit}),
            403,
            "not-allowed",
        )
    problem(county.post(f"/v1/users/{mine}/grants", grant | {"organisation": "nowhere"}), 422, "invalid-data")
    assert county.post(f"/v1/users/{mine}/grants", grant | {"organisation": "bureau"}).status_code == 201
    assert county.post(f"/v1/users/{mine}:reset-password").status_code == 200
    # Who may do more elsewhere is not taken over from here.
    wide = give(site, mine, Role.OFFICE_HEAD, "city")
    for what in (":reset-password", ":reset-totp", ":disable", ":sign-out"):
        problem(county.post(f"/v1/users/{mine}{what}"), 403, "not-allowed")
    problem(county.put(f"/v1/users/{mine}/oidc", {"subject": "me"}), 403, "not-allowed")
    problem(county.delete(f"/v1/role-grants/{wide}"), 403, "not-allowed")


def test_nobody_gives_himself_a_role(site: Site) -> None:
    login = person(site, Role.ADMINISTRATOR)
    admin = site.signed_in(login, PASSWORD)
    problem(admin.post(f"/v1/users/{login}/grants", {"role": "inspector"}), 403, "not-allowed")
    problem(admin.post(f"/v1/users/{login.upper()}/grants", {"role": "inspector"}), 403, "not-allowed")
    other = person(site)
    grant = give(site, other, Role.INSPECTOR)
    body = {"grant": grant, "to": login, "valid_to": later(), "reason": "休假"}
    problem(admin.post(f"/v1/users/{other}/delegations", body), 403, "not-allowed")
    problem(admin.get("/v1/alerts"), 403, "missing-scope")
    for odd in (
        {"role": "king"},
        {"role": "driver", "valid_to": later(-1)},
        {"role": "driver", "valid_from": "yesterday"},
    ):
        problem(admin.post(f"/v1/users/{other}/grants", odd), 422, "invalid-data")


def test_somebody_is_always_left_who_manages_everybody(site: Site) -> None:
    site.sql(
        "UPDATE role_grants SET taken_at = now(), taken_by = 'test' WHERE role = 'administrator' AND taken_at IS NULL"
    )
    first, second = person(site, Role.ADMINISTRATOR), person(site, Role.ADMINISTRATOR)
    give(site, person(site), Role.ADMINISTRATOR, "city")
    give(site, person(site), Role.ADMINISTRATOR, None, datetime.now(UTC) + timedelta(days=1))
    a, b = site.signed_in(first, PASSWORD), site.signed_in(second, PASSWORD, 1)
    answers = together(
        lambda: a.post(f"/v1/users/{second}:disable"), lambda: b.post(f"/v1/users/{first}:disable")
    )
    assert sum(answer.status_code == 204 for answer in answers) == 1, [answer.text for answer in answers]
    left, name = (a, first) if answers[0].status_code == 204 else (b, second)
    problem(left.post(f"/v1/users/{name}:disable"), 403, "not-allowed")
    grant = left.get("/v1/session").json()["grants"][0]["id"]
    problem(left.delete(f"/v1/role-grants/{grant}"), 403, "not-allowed")
    assert left.get("/v1/users").status_code == 200


# --- roles that end, and are lent


def test_a_role_that_is_taken_away_is_gone_at_once_everywhere(site: Site) -> None:
    admin = administrator(site)
    login = person(site)
    grant = admin.post(f"/v1/users/{login}/grants", {"role": "inspector", "organisation": "county"}).json()[
        "id"
    ]
    here, there = site.signed_in(login, PASSWORD), site.signed_in(login, PASSWORD, 1)
    assert here.get("/v1/alerts").status_code == there.get("/v1/alerts").status_code == 200
    assert admin.delete(f"/v1/role-grants/{grant}").status_code == 204
    for browser in (here, there):
        problem(browser.get("/v1/alerts"), 403, "missing-scope")
    problem(admin.delete(f"/v1/role-grants/{grant}"), 404, "not-found")
    soon = {"role": "inspector", "valid_from": later(1), "valid_to": later(2)}
    assert admin.post(f"/v1/users/{login}/grants", soon).status_code == 201
    problem(here.get("/v1/alerts"), 403, "missing-scope")  # not yet
    site.sql("UPDATE role_grants SET valid_from = now() - interval '2 h' WHERE user_id = $1", login)
    assert here.get("/v1/alerts").status_code == 200
    site.sql("UPDATE role_grants SET valid_to = now() WHERE user_id = $1", login)
    problem(here.get("/v1/alerts"), 403, "missing-scope")  # by itself


def test_a_role_is_lent_for_a_period_and_no_further(site: Site) -> None:
    head, deputy, third = person(site), person(site), person(site)
    grant = give(site, head, Role.UNIT_HEAD, "bureau")
    giver, taker = site.signed_in(head, PASSWORD), site.signed_in(deputy, PASSWORD)
    body = {"grant": grant, "to": deputy, "valid_to": later(), "reason": "出差"}
    for odd in (
        {"to": "nobody.here"},
        {"valid_to": later(24 * 93)},
        {"valid_to": later(-1)},
        {"reason": ""},
        {"valid_to": "soon"},
    ):
        problem(giver.post("/v1/session/delegations", body | odd), 422, "invalid-data")
    problem(giver.post("/v1/session/delegations", body | {"to": head}), 403, "not-allowed")
    problem(taker.post("/v1/session/delegations", body | {"to": third}), 404, "not-found")  # not his
    id = giver.post("/v1/session/delegations", body).json()["id"]
    state = taker.get("/v1/session").json()
    assert [(role["role"], role["delegated_by"]) for role in state["roles"]] == [("unit_head", head)]
    assert state["grants"] == []  # nothing that he could lend
    (named,) = state["delegations"]
    assert (named["from_user"], named["to_user"]) == (head, deputy)
    assert taker.get("/v1/alerts").status_code == 200
    problem(site.signed_in(third, PASSWORD).delete(f"/v1/session/delegations/{id}"), 404, "not-found")
    site.sql("UPDATE users SET disabled_at = now() WHERE id = $1", head)
    problem(taker.get("/v1/alerts"), 403, "missing-scope")
    site.sql("UPDATE users SET disabled_at = NULL WHERE id = $1", head)
    assert taker.get("/v1/alerts").status_code == 200
    site.sql("UPDATE delegations SET valid_to = now() WHERE id = $1", id)
    problem(taker.get("/v1/alerts"), 403, "missing-scope")  # by itself
    giver = site.signed_in(head, PASSWORD)
    id = giver.post("/v1/session/delegations", body).json()["id"]
    assert taker.delete(f"/v1/session/delegations/{id}").status_code == 204
    problem(taker.get("/v1/alerts"), 403, "missing-scope")
    admin = administrator(site)
    id = admin.post(f"/v1/users/{head}/delegations", body).json()["id"]
    assert taker.get("/v1/alerts").status_code == 200
    assert admin.delete(f"/v1/delegations/{id}").status_code == 204
    problem(taker.get("/v1/alerts"), 403, "missing-scope")
    keeper = give(site, head, Role.ADMINISTRATOR, "bureau")
    problem(giver.post("/v1/session/delegations", body | {"grant": keeper}), 403, "not-allowed")


# --- every operation for people, from outside


def test_nobody_comes_in_without_a_session_and_no_body_is_read_for_them(site: Site) -> None:
    browser, nobody = administrator(site), site.browser()
    paths = httpx.get(f"{site.apis[0].url}/openapi.json", timeout=60).json()["paths"]
    operations = [
        (m.upper(), p, d) for p, ms in paths.items() if p.startswith(OF_PEOPLE) for m, d in ms.items()
    ]
    assert len(operations) > 35
    for method, path, described in operations:
        if (method, path) == ("POST", "/v1/session"):
            continue
        address = path.replace("{id}", "1").replace("{letter}", "1")
        if path == "/v1/session/methods":  # how one may come in
            continue
        assert nobody.send(method, address).status_code == 401, (method, path)
        if method != "GET":
            problem(browser.send(method, address, headers={"X-CSRF-Token": "x"}), 403, "csrf")
        if "requestBody" in described:
            answer = browser.send(method, address, content=b" " * (1 << 16))
            assert answer.status_code == 413, (method, path, answer.text)
    assert browser.get("/v1/session").status_code == 200


def test_every_answer_to_an_administrator_is_as_it_is_described(site: Site, tmp_path: Path) -> None:
    """schemathesis, with all of its checks, signed in; tokens do not come here (``test_openapi.py``)."""
    admin = administrator(site)
    (tmp_path / "schemathesis.toml").write_text(BETWEEN_FIELDS)
    described = httpx.get(f"{site.apis[0].url}/openapi.json", timeout=60).json()
    for operations in described["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)  # the session is given below, with each request
    (tmp_path / "openapi.json").write_text(json.dumps(described))
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "openapi.json", "--url",
            site.apis[0].url, "--include-path-regex", "^/v1/(users|role-grants|delegations|clients|client-secrets)",
            "--header", f"Cookie: {COOKIE}={admin.cookies[COOKIE]}", "--header", f"X-CSRF-Token: {admin.csrf}", "--checks", "all",
            "--phases", "coverage", "--max-time", "15", "--generation-deterministic", "--no-shrink", "--continue-on-failure",
            "--suppress-health-check", "all", "--no-color", "--request-timeout", "60", "--max-response-time", "45",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:]
    assert admin.get("/v1/users").status_code == 200


# --- the machine itself


def gongche(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    light = {"GONGCHE_PASSWORD_MEMORY_MIB": "8", "GONGCHE_PASSWORD_ROUNDS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "gongche", "user", *words],
        env=clean | light | {"GONGCHE_DATABASE_URL": site.dsn}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_way_back_in_is_on_the_machine(site: Site) -> None:
    login = f"root.{uuid.uuid4().hex[:6]}"
    made = gongche(site, "create", login, "--name", "李明", "--unit", "bureau")
    assert made.returncode == 0, made.stderr
    browser = site.signed_in(login, made.stdout.strip())
    granted = gongche(site, "grant", login, "inspector", "--unit", "county", "--days", "30")
    grant = granted.stdout.split()[-1]
    assert browser.get("/v1/session").json()["roles"][0]["organisation"] == "county"
    listed = gongche(site, "list").stdout
    assert f"    {grant}  inspector  county  until " in listed
    assert gongche(site, "revoke", grant).returncode == 0
    assert browser.get("/v1/session").json()["roles"] == []
    again = gongche(site, "reset", login, "--totp")
    problem(browser.get("/v1/session"), 401, "session-ended")
    site.signed_in(login, again.stdout.strip())
    assert gongche(site, "disable", login).returncode == 0
    problem(site.browser().sign_in(login, again.stdout.strip()), 401, "bad-login")
    missing = gongche(site, "enable", "nobody.here")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert gongche(site, "create", "a").returncode == 78


async def test_the_first_administrator_is_made_once(tmp_path: Path, db_url: str) -> None:
    settings = Settings(data_dir=tmp_path, database_url=db_url, **LIGHT)

    async def start() -> None:
        connection = await connect(db_url)
        try:
            await make_first_administrator(connection, settings)
        finally:
            await connection.close()

    await asyncio.gather(start(), start())
    path = tmp_path / "first-administrator.txt"
    assert path.stat().st_mode & 0o777 == 0o600
    login, password = path.read_text().split()
    assert (login, len(password)) == ("admin", 23)
    await start()
    assert path.read_text().split() == [login, password]


def test_the_house_is_kept(site: Site) -> None:
    login = person(site)
    site.signed_in(login, PASSWORD)
    for change in ("ended_at = now()", "seen_at = now() - interval '31 days'"):
        site.sql(f"UPDATE sessions SET {change} WHERE user_id = $1", login)  # noqa: S608 - constant
    kept = site.signed_in(login, PASSWORD)
    site.sql(
        "INSERT INTO login_failures (key, last_at) VALUES ('old', now() - interval '25 h'), ('young', now())"
    )

    async def tidy() -> dict[str, int]:
        pool = await create_pool(site.dsn)
        try:
            return await housekeeping.tidy(pool)
        finally:
            pool.terminate()

    gone = asyncio.run(tidy())
    assert gone["sessions"] >= 1
    assert gone["lockout"] == 1
    assert kept.get("/v1/session").status_code == 200
    assert len(site.sql("SELECT FROM sessions WHERE user_id = $1", login)) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "gongche.example"])  # noqa: S104 - refused
def test_sessions_do_not_travel_in_the_clear(host: str) -> None:
    from gongche.commands.api import refuse_open_cookies
    from runtime.errors import ConfigurationError

    with pytest.raises(ConfigurationError):
        refuse_open_cookies(Settings(session_over_http=True, http_host=host))
    refuse_open_cookies(Settings(session_over_http=True, http_host="127.0.0.1"))
    refuse_open_cookies(Settings(http_host=host))
