"""A small OpenID Connect provider: authorization code flow with PKCE, tokens signed by joserfc, on a real socket.

It is honest unless ``lies`` says what its next ID token has instead.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.ports import free_port

CLIENT, SECRET = "gongche", "secret of the client"


def _plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class OidcProvider:
    """``subject``: who is signed in there. ``lies``: claims of the next token; with "alg" and "key" how it is signed."""

    def __init__(self) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.subject = "nobody"
        self.lies: dict[str, Any] = {}
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self._codes: dict[str, dict[str, str]] = {}
        self._server = uvicorn.Server(
            uvicorn.Config(self._app(), port=self.port, log_config=None, access_log=False)
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        async def about() -> dict[str, Any]:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
            }

        @app.get("/jwks")
        async def keys() -> dict[str, Any]:
            return {"keys": [self.key.as_dict(private=False)]}

        @app.get("/authorize")
        async def authorize(request: Request) -> Response:
            asked = dict(request.query_params)
            assert asked["response_type"] == "code"
            assert asked["client_id"] == CLIENT
            assert asked["code_challenge_method"] == "S256"
            assert "openid" in asked["scope"].split()
            code = secrets.token_urlsafe(16)
            self._codes[code] = asked | {"sub": self.subject}
            back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
            return RedirectResponse(f"{asked['redirect_uri']}?{back}", 302)

        @app.post("/token")
        async def token(request: Request) -> Response:
            kind, _, value = request.headers.get("authorization", "").partition(" ")
            form = dict(parse_qsl((await request.body()).decode()))
            begun = self._codes.pop(form.get("code", ""), None)  # a code is used once
            proof = _plain(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
            if kind != "Basic" or base64.b64decode(value).decode() != f"{CLIENT}:{SECRET}":
                return JSONResponse({"error": "invalid_client"}, 401)
            if (
                begun is None
                or begun["code_challenge"] != proof
                or begun["redirect_uri"] != form.get("redirect_uri")
            ):
                return JSONResponse({"error": "invalid_grant"}, 400)
            return JSONResponse(
                {"access_token": "x", "token_type": "Bearer", "id_token": self._id_token(begun)}
            )

        return app

    def _id_token(self, begun: dict[str, str]) -> str:
        lies, self.lies = dict(self.lies), {}
        algorithm, key = lies.pop("alg", "RS256"), lies.pop("key", self.key)
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer, "sub": begun["sub"], "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": begun["nonce"],
        }  # fmt: skip
        claims = {name: value for name, value in (claims | lies).items() if value is not None}
        if algorithm in ("none", "HS256"):
            head = {"alg": algorithm, "typ": "JWT", "kid": "one"}
            signed = ".".join(_plain(json.dumps(part).encode()) for part in (head, claims))
            # "Signed" with what everybody knows.
            seal = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
            return f"{signed}.{_plain(seal) if algorithm == 'HS256' else ''}"
        return jwt.encode({"alg": algorithm, "kid": "one"}, claims, key)
