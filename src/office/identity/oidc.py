"""Login by an OpenID Connect provider: code flow with PKCE, state and nonce. We are the relying party.

A person is found by issuer and ``sub``, as an administrator linked them; nobody is made a user by signing in elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import time
import warnings
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from office.identity import oidc_links, sessions, users
from office.identity.errors import TooBusyError
from office.identity.login import LOGINS, Desk
from office.identity.oidc_links import Pending
from office.identity.secrets import NewSecret
from office.identity.sessions import Visit
from runtime.errors import ConfigurationError, GongcheError
from runtime.hosts import is_loopback
from runtime.private_files import read_secret
from runtime.settings import Settings

with warnings.catch_warnings(record=True):
    # authlib says that it would rather have httpx's next major version, which this program does not use yet.
    from authlib.integrations.base_client.errors import OAuthError
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from authlib.oidc.core import CodeIDToken

#: Signatures that are believed: by a key pair only. Neither "none" nor a shared secret.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
CALLBACK: Final = "/v1/oidc/callback"
#: The clocks of the provider and ours may differ so much.
LEEWAY_S: Final = 60
_TIMEOUT_S: Final = 10.0
_KEPT_S: Final = 600.0
#: Keys that do not fit are asked for again, not more often than this.
_AGAIN_S: Final = 30.0
#: One that does not answer is left alone for so long: logins do not wait for it one after the other.
_FAILED_S: Final = 5.0
_MOST_BYTES: Final = 1 << 20

_logger = logging.getLogger(__name__)


class ProviderError(GongcheError):
    """The provider does not answer, or not as it should."""


class RefusedLoginError(GongcheError):
    """What came back from the provider is not believed, or is nobody here. ``why``: for the log."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "统一身份登录未成功，请重新登录；如仍失败，请管理员检查账号关联"
            " · the login by the identity provider did not succeed; begin again, or ask your administrator for the link"
        )
        self.why = why


def check_settings(settings: Settings) -> None:
    """Raises ConfigurationError when a provider is set and the rest is not fit for it."""
    if settings.oidc_issuer is None:
        return
    if not settings.oidc_client_id or settings.oidc_secret_file is None or settings.public_url is None:
        raise ConfigurationError(
            "GONGCHE_OIDC_ISSUER needs GONGCHE_OIDC_CLIENT_ID, GONGCHE_OIDC_SECRET_FILE and GONGCHE_PUBLIC_URL",
            hint=f"register the redirect address GONGCHE_PUBLIC_URL{CALLBACK} at the provider",
        )
    if not _is_safe(settings.oidc_issuer):
        raise ConfigurationError(f"the OIDC issuer must be https: {settings.oidc_issuer}")
    _secret(settings)


def _secret(settings: Settings) -> str:
    path = settings.oidc_secret_file
    if path is None:
        raise ConfigurationError("GONGCHE_OIDC_SECRET_FILE is not set")
    return read_secret("OIDC secret", path)


def _is_safe(url: object) -> bool:
    """https, or http to this machine."""
    if not isinstance(url, str):
        return False
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return True
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


class Provider:
    """The provider of the settings. What it says of itself is kept for ten minutes."""

    def __init__(self, settings: Settings, desk: Desk) -> None:
        self._settings, self._desk = settings, desk
        self._about: dict[str, Any] = {}
        self._about_at = self._keys_at = self._failed_at = float("-inf")
        self._keys: KeySet | None = None
        self._asking = asyncio.Lock()

    async def begin(self, state: str, browser: str, pending: Pending, visit: Visit) -> str:
        """The address to send the browser to. Raises ProviderError, TooBusyError, ConfigurationError."""
        about = await self._metadata()
        async with self._desk.connection() as connection:
            if not await oidc_links.remember(connection, state, browser, pending, visit.address):
                raise TooBusyError
        async with self._client() as client:
            url, _ = client.create_authorization_url(
                about["authorization_endpoint"],
                state=state,
                code_verifier=pending.verifier,
                nonce=pending.nonce,
            )
            return str(url)

    async def finish(
        self,
        state: str,
        code: str | None,
        browser: str,
        issuer: str | None,
        visit: Visit,
        replaces: str | None,
    ) -> NewSecret:
        """A session for who comes back from the provider with ``state`` and ``code``; ``code`` None: the provider refused.
        ``issuer``: who says that it answers (RFC 9207), None = says nothing.

        Raises RefusedLoginError, ProviderError, ConfigurationError.
        """
        try:
            async with self._desk.connection() as connection:
                pending = await oidc_links.take(connection, state, browser)
            if pending is None:
                raise RefusedLoginError("state is unknown, used, too old or of another browser")
            if code is None:
                raise RefusedLoginError("the provider refused")
            if issuer is not None and issuer != self._settings.oidc_issuer:
                raise RefusedLoginError("another issuer answers")
            made = await self._enter(await self._claims(code, pending), visit, replaces)
        except RefusedLoginError as error:
            LOGINS.labels("oidc refused").inc()
            _logger.warning("login by the provider refused: %s", error.why)
            raise
        LOGINS.labels("oidc").inc()
        return made

    async def _enter(self, claims: Mapping[str, Any], visit: Visit, replaces: str | None) -> NewSecret:
        issuer, subject = str(claims["iss"]), claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or "\0" in subject:
            raise RefusedLoginError("sub is no text of up to 255 characters")
        async with self._desk.transaction() as connection:
            user = await oidc_links.linked_user(connection, issuer, subject)
            found = None if user is None else await users.secrets_of(connection, user, lock=True)
            if found is None or found.disabled:
                raise RefusedLoginError("nobody is linked, or the user is disabled")
            if replaces is not None:
                await sessions.end_secret(connection, replaces, "signed in again")
            return await sessions.begin(connection, found.id, "oidc", visit, self._desk.life)

    async def _claims(self, code: str, pending: Pending) -> Mapping[str, Any]:
        about = await self._metadata()
        async with self._client() as client:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    given = await client.fetch_token(
                        about["token_endpoint"],
                        grant_type="authorization_code",
                        code=code,
                        code_verifier=pending.verifier,
                    )
            except OAuthError as error:
                raise RefusedLoginError(f"the provider does not take the code: {error.error}") from None
            except (httpx.HTTPError, TimeoutError, ValueError) as error:
                raise ProviderError(f"the token endpoint: {type(error).__name__}: {error}") from error
        id_token = given.get("id_token")
        if not isinstance(id_token, str) or len(id_token) > _MOST_BYTES:
            raise RefusedLoginError("there is no ID token")
        try:
            token = await self._verified(id_token)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self._settings.oidc_issuer or ""},
                    "aud": {"essential": True, "value": self._settings.oidc_client_id or ""},
                },
                params={
                    "nonce": pending.nonce,
                    "client_id": self._settings.oidc_client_id,
                    "access_token": given.get("access_token"),
                },
            )
            claims.validate(now=int(time.time()), leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise RefusedLoginError(f"ID token: {type(error).__name__}: {error}") from None
        return dict(claims)

    async def _verified(self, id_token: str) -> jwt.Token:
        keys = await self._key_set(_KEPT_S)
        try:
            return jwt.decode(id_token, keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            # The provider may have a new key since.
            again = await self._key_set(_AGAIN_S)
            if again is keys:
                raise
            return jwt.decode(id_token, again, algorithms=list(ALGORITHMS))

    async def _metadata(self) -> dict[str, Any]:
        async with self._asking:
            if time.monotonic() - self._about_at > _KEPT_S:
                issuer = self._settings.oidc_issuer or ""
                about = await self._json(issuer.rstrip("/") + "/.well-known/openid-configuration")
                if about.get("issuer") != issuer:
                    raise ProviderError(f"the provider calls itself {about.get('issuer')!r}, not {issuer}")
                names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                if unsafe := [name for name in names if not _is_safe(about.get(name))]:
                    raise ProviderError(f"not https: {', '.join(unsafe)}")
                self._about, self._about_at = about, time.monotonic()
            return self._about

    async def _key_set(self, not_older_s: float) -> KeySet:
        about = await self._metadata()
        async with self._asking:
            if self._keys is None or time.monotonic() - self._keys_at > not_older_s:
                try:
                    self._keys = KeySet.import_key_set(await self._json(about["jwks_uri"]))  # type: ignore[arg-type] # looked at inside
                except (JoseError, ValueError, TypeError, KeyError) as error:
                    raise ProviderError(f"its keys cannot be read: {error}") from error
                self._keys_at = time.monotonic()
            return self._keys

    async def _json(self, url: str) -> dict[str, Any]:
        if time.monotonic() - self._failed_at < _FAILED_S:
            raise ProviderError("did not answer a moment ago")
        body = b""
        try:
            async with (
                asyncio.timeout(_TIMEOUT_S),
                httpx.AsyncClient(timeout=_TIMEOUT_S) as client,
                client.stream("GET", url) as answer,
            ):
                answer.raise_for_status()
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _MOST_BYTES:
                        raise ProviderError(f"{url}: more than {_MOST_BYTES} bytes")
            found = orjson.loads(body)
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            self._failed_at = time.monotonic()
            raise ProviderError(f"{url}: {type(error).__name__}: {error}") from error
        if not isinstance(found, dict):
            raise ProviderError(f"{url}: not a JSON object")
        return found

    def _client(self) -> Any:
        return AsyncOAuth2Client(
            client_id=self._settings.oidc_client_id,
            client_secret=_secret(self._settings),
            scope="openid",
            redirect_uri=f"{self._settings.public_url}{CALLBACK}",
            code_challenge_method="S256",
            timeout=_TIMEOUT_S,
        )
