"""Login by an identity provider: the API against a real small provider (``oidc_provider``)."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from office.identity import users
from office.identity.oidc import CALLBACK
from tests.integration.identity_site import COOKIE, Browser, Site
from tests.integration.test_identity import person, problem


def linked(site: Site) -> str:
    """A new user whom the provider knows by a name of its own, and who is signed in there."""
    login = person(site)
    subject = f"sub|{uuid.uuid4()}"
    site.provider.subject = subject
    site.run(lambda c: users.link_oidc(c, users.MACHINE, login, site.provider.issuer, subject))
    return login


def sent_there(browser: Browser) -> dict[str, str]:
    """The browser goes to the provider and is sent back; what it is to bring."""
    answer = browser.get("/v1/oidc/login")
    assert answer.status_code == 303, answer.text
    (cookie,) = browser.set_cookies
    assert cookie.startswith("__Host-gongche-oidc=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    back = httpx.get(answer.headers["location"])
    assert back.status_code == 302, back.text
    there = urlsplit(back.headers["location"])
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"https://gongche.test{CALLBACK}"
    return {name: values[0] for name, values in parse_qs(there.query).items()}


def come_back(browser: Browser, brings: dict[str, str]) -> httpx.Response:
    # From another site, as browsers say it: the session cookie is not sent, only the Lax one is.
    kept, browser.cookies = browser.cookies, {k: v for k, v in browser.cookies.items() if k != COOKIE}
    answer = browser.get(f"{CALLBACK}?{urlencode(brings)}", headers={"Sec-Fetch-Site": "cross-site"})
    browser.cookies = kept | browser.cookies
    return answer


def test_who_is_linked_comes_in(site: Site) -> None:
    login = linked(site)
    browser = site.browser()
    brings = sent_there(browser)
    answer = come_back(browser, brings)
    assert answer.status_code == 200, answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert any(line.startswith(f"{COOKIE}=") and "SameSite=strict" in line for line in browser.set_cookies)
    state = browser.get("/v1/session").json()
    assert (state["login"], state["method"]) == (login, "oidc")
    browser.cookies["__Host-gongche-oidc"] = "x"
    problem(come_back(browser, brings), 403, "oidc-refused")  # the same address again


def test_a_state_is_of_one_browser_and_of_one_time(site: Site) -> None:
    linked(site)
    browser, other = site.browser(), site.browser()
    brings, others = sent_there(browser), sent_there(other)
    problem(come_back(browser, brings | {"state": "x" * 43}), 403, "oidc-refused")
    problem(
        come_back(browser, brings | {"state": others["state"]}), 403, "oidc-refused"
    )  # planted by somebody else
    problem(come_back(browser, {"state": brings["state"]}), 403, "oidc-refused")  # without a code
    problem(come_back(browser, brings), 403, "oidc-refused")  # that was its one time
    browser = site.browser()
    brings = sent_there(browser)
    cookie, browser.cookies = browser.cookies, {}
    problem(come_back(browser, brings), 403, "oidc-refused")
    site.sql("UPDATE oidc_logins SET began_at = now() - interval '11 min'")
    browser.cookies = cookie
    problem(come_back(browser, brings), 403, "oidc-refused")


def test_a_code_that_was_used_opens_nothing(site: Site) -> None:
    linked(site)
    first = site.browser()
    used = sent_there(first)
    assert come_back(first, used).status_code == 200
    second = site.browser()
    problem(come_back(second, sent_there(second) | {"code": used["code"]}), 403, "oidc-refused")
    third, fourth = site.browser(), site.browser()  # a code of another login: PKCE tells
    stolen = sent_there(third)["code"]
    problem(come_back(fourth, sent_there(fourth) | {"code": stolen}), 403, "oidc-refused")


FOREIGN = RSAKey.generate_key(2048, {"kid": "one"})


LIES: list[tuple[dict[str, Any], str]] = [
    ({"iss": "https://elsewhere.example"}, "'iss'"), ({"iss": None}, "'iss'"), ({"aud": "another"}, "'aud'"),
    ({"aud": ["another", "gongche"]}, "'azp'"), ({"azp": "another"}, "'azp'"), ({"nonce": "another"}, "'nonce'"),
    ({"nonce": None}, "'nonce'"), ({"exp": 1_000_000_000}, "expired"), ({"exp": None}, "'exp'"), ({"exp": "never"}, "'exp'"),
    ({"iat": 4_000_000_000}, "in the future"), ({"alg": "none"}, "lgorithm"), ({"alg": "HS256"}, "lgorithm"), ({"key": FOREIGN}, "ignature"),
    ({"sub": None}, "'sub'"), ({"sub": ""}, "sub"), ({"sub": "sub|of nobody here"}, "nobody is linked"), ({"sub": ["x"]}, "sub"),
    ({"sub": "a\0b"}, "sub"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lies", "why"), LIES, ids=["-".join(f"{k}={str(v)[:12]!r}" for k, v in lies.items()) for lies, _ in LIES]
)
def test_a_token_that_lies_opens_nothing(
    site: Site, lies: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    linked(site)
    browser = site.browser()
    brings = sent_there(browser)
    site.provider.lies = lies
    problem(come_back(browser, brings), 403, "oidc-refused")
    assert COOKIE not in browser.cookies
    (said,) = [record.getMessage() for record in caplog.records if record.name == "office.identity.oidc"]
    assert why in said


def test_another_issuer_that_answers_is_refused(site: Site) -> None:
    linked(site)
    browser = site.browser()
    problem(
        come_back(browser, sent_there(browser) | {"iss": "https://elsewhere.example"}), 403, "oidc-refused"
    )
    problem(come_back(browser, sent_there(browser) | {"error": "access_denied"}), 403, "oidc-refused")
    assert browser.get(f"{CALLBACK}?state=%00").status_code == 422


def test_who_is_disabled_or_no_longer_linked_stays_out(site: Site) -> None:
    login = linked(site)
    browser = site.browser()
    assert come_back(browser, sent_there(browser)).status_code == 200
    site.run(lambda c: users.unlink_oidc(c, users.MACHINE, login))
    problem(browser.get("/v1/session"), 401, "session-ended")
    problem(come_back(browser, sent_there(browser)), 403, "oidc-refused")
    login = linked(site)
    site.sql("UPDATE users SET disabled_at = now() WHERE id = $1", login)
    problem(come_back(browser, sent_there(browser)), 403, "oidc-refused")
