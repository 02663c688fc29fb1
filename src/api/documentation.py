"""/docs: one page made from the OpenAPI description, with everything in it. No CDN, no script: it works
offline.
"""

from __future__ import annotations

from html import escape
from typing import Any, Final

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from pydantic.json_schema import models_json_schema

from api.alerts.answering import CodeBody, DispositionBody, ReceiptBody
from api.alerts.reads import AlertsRead
from api.answers import Problem
from api.assessment.schemas import BODIES as ASSESSMENT
from api.auth.cookies import COOKIE, CSRF_HEADER
from api.backtests.schemas import BODIES as BACKTESTS
from api.cases.bodies import BODIES as SUPERVISION
from api.commands.schemas import BODIES as COMMANDS
from api.costs.bodies import BODIES as COSTS
from api.drivers.bodies import BODIES as DRIVERS
from api.exchange.schemas import BODIES as EXCHANGE
from api.identity.schemas import BODIES as IDENTITY
from api.messages.schemas import BODIES as MESSAGES
from api.notices.schemas import BODIES as NOTICES
from api.positions.schemas import Position
from api.problems import OF_PEOPLE, add_bodies, describe_problems
from api.quotas.schemas import BODIES as QUOTAS
from api.registry.seals import SealBody
from api.registry.secrecy import SecrecyReason
from api.rentals.schemas import BODIES as RENTALS
from api.subscriptions.schemas import CommitBody, RotateBody, SeekBody, SubscriptionBody, WebhookBody
from api.trips.bodies import BODIES as TRIPS
from api.vehicles.bodies import BODIES as VEHICLES
from office.identity.tokens import SCOPES
from registry.parameter_values import Threshold
from registry.records import KINDS

router = APIRouter(include_in_schema=False)

#: Bodies that are read by hand, besides the records.
BODIES: Final = (
    SubscriptionBody, CommitBody, SeekBody, WebhookBody, RotateBody, ReceiptBody, DispositionBody, CodeBody, AlertsRead,
)  # fmt: skip

#: Of what is for people: open to who is not signed in yet.
_OPEN: Final = (("post", "/v1/session"), ("get", "/v1/session/methods"))

_STYLE: Final = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
code,pre{font:13px/1.4 ui-monospace,monospace;background:#f4f4f4;border-radius:3px}code{padding:0 .2em}pre{padding:.6rem;overflow:auto}
summary{cursor:pointer;padding:.25rem 0}summary b{display:inline-block;min-width:4.2rem}
details{border-bottom:1px solid #eee;padding-left:.3rem}table{border-collapse:collapse}td,th{padding:.1rem .8rem .1rem 0;text-align:left;vertical-align:top}
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def describe(app: FastAPI) -> None:
    """Add the schemas of bodies that are read by hand to ``app``'s OpenAPI description. It is made once, when somebody first asks
    for it: every application of a process has the same operations."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            if not _DESCRIBED:
                _DESCRIBED.append(_described(original()))
            app.openapi_schema = _DESCRIBED[0]
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


_DESCRIBED: Final[list[dict[str, Any]]] = []


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's description, complete."""
    bodies = (
        *(kind.model for kind in KINDS.values()),
        Position,
        Threshold,
        Problem,
        *IDENTITY,
        *BODIES,
        SecrecyReason,
        SealBody,
        *SUPERVISION,
        *TRIPS,
        *VEHICLES,
        *DRIVERS,
        *QUOTAS,
        *RENTALS,
        *NOTICES,
        *COSTS,
        *ASSESSMENT,
        *BACKTESTS,
        *COMMANDS,
        *EXCHANGE,
        *MESSAGES,
    )
    models = [(model, "validation") for model in bodies]
    _, made = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]  # a list of pairs
    schema.setdefault("components", {}).setdefault("schemas", {}).update(made["$defs"])
    add_bodies(schema["components"]["schemas"], [kind.model.__name__ for kind in KINDS.values()])
    describe_problems(schema)
    _describe_sessions(schema)
    for unused in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(unused, None)
    return schema


def _describe_sessions(schema: dict[str, Any]) -> None:
    """What is for people only needs the session cookie, and no token opens it."""
    schema["components"].setdefault("securitySchemes", {})["session"] = {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": f"POST /v1/session; requests that change something carry {CSRF_HEADER} as well",
    }
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if path.startswith(OF_PEOPLE) and (method, path) not in _OPEN:
                operation["security"] = [{"session": []}]


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    page: str = request.app.state.docs_page or render(request.app.openapi())
    request.app.state.docs_page = page
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


def render(schema: dict[str, Any]) -> str:
    """The page for an OpenAPI description."""
    info = schema["info"]
    groups: dict[str, list[str]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(method, path, operation))
    scopes = "".join(
        f"<tr><td><code>{escape(k)}</code></td><td>{escape(v)}</td></tr>" for k, v in SCOPES.items()
    )
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(items)}" for tag, items in groups.items())
    models = "".join(
        f"<details><summary><code>{escape(name)}</code></summary><pre>{_json(model)}</pre></details>"
        for name, model in schema["components"]["schemas"].items()
    )
    return (
        f'<!DOCTYPE html><html lang="zh"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><h1>{escape(info["title"])}</h1>'
        f"<p>{escape(info.get('description', ''))}</p>"
        '<p>OpenAPI: <a href="/openapi.json">/openapi.json</a></p>'
        f"<h2>权限 / scopes</h2><table>{scopes}</table>{body}<h2>数据结构 / schemas</h2>{models}</html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}{'，必填 required' if p.get('required') else ''}"
        f"</td><td>{escape(p.get('description', ''))}</td></tr>"
        for p in operation.get("parameters", ())
    )
    bodies = "".join(
        f"<p><code>{escape(kind)}</code></p>"
        + (f"<pre>{_json(body['example'])}</pre>" if "example" in body else "")
        for kind, body in operation.get("requestBody", {}).get("content", {}).items()
    )
    text = escape(operation.get("description", "")).replace("\n\n", "</p><p>")
    return (
        f"<details><summary><b>{escape(method.upper())}</b> <code>{escape(path)}</code> {escape(operation.get('summary', ''))}"
        f"</summary><p>{text}</p>{f'<table>{parameters}</table>' if parameters else ''}{bodies}</details>"
    )


def _json(value: Any) -> str:
    return escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
