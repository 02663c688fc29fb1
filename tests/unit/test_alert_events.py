"""Events as CloudEvents 1.0 wants them, and signatures as Standard Webhooks wants them, each by rules written here anew."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from office.posting import signatures
from office.subscriptions.events import cloud_event, webhook_body
from rules.alerts.model import Alert, FeedEntry, Measure

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
ALERT = Alert(
    "a" * 32, "location", 2, 1, "suspected", "high", "o", "v1", "苏F12345", None, None, NOW, None, NOW, "疑似", {"m": Measure(1, "m")},
    {"p": 1}, "00" * 32,
)  # fmt: skip


def check_cloud_event(event: dict[str, Any]) -> None:
    """CloudEvents 1.0.2, sections 2 (types), 3 (context attributes) and the JSON event format."""
    for name, value in event.items():
        if name == "data":
            continue
        assert re.fullmatch("[a-z0-9]{1,20}", name), name  # SHOULD: at most 20 characters
        assert isinstance(value, str | bool | int), name
        if isinstance(value, str):
            assert value, name
            # Neither control characters nor lone surrogates nor noncharacters.
            assert not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]", value), name
    assert {"id", "source", "specversion", "type"} <= event.keys()
    assert event["specversion"] == "1.0"
    assert re.fullmatch(r"cn\.gongche\.alert\.(suspected|corrected|withdrawn)\.v1", event["type"])
    assert urlsplit(event["source"]).geturl() == event["source"]
    assert urlsplit(event["dataschema"]).scheme  # an absolute URI
    assert re.fullmatch(r"[a-z]+/[a-z.+-]+", event["datacontenttype"])
    assert datetime.fromisoformat(event["time"]).tzinfo is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d", event["time"])
    assert "data_base64" not in event
    orjson.dumps(event)


@pytest.mark.parametrize(
    ("alert", "kind"),
    [
        (ALERT, "suspected"),
        (replace(ALERT, version=2), "corrected"),
        (replace(ALERT, version=3, status="withdrawn", withdrawal_reason="补单"), "withdrawn"),
    ],
)
def test_an_entry_is_a_cloud_event(alert: Alert, kind: str) -> None:
    event = cloud_event(FeedEntry(7, alert, NOW), "urn:gongche:nantong")
    check_cloud_event(event)
    assert (event["id"], event["subject"], event["sequence"]) == (
        f"{alert.id}.{alert.version}",
        f"alerts/{alert.id}",
        "7",
    )
    assert event["type"] == webhook_body(FeedEntry(7, alert, NOW))["type"] == f"cn.gongche.alert.{kind}.v1"
    assert event["data"] == alert.body() == webhook_body(FeedEntry(7, alert, NOW))["data"]


def verified(secret: str, headers: dict[str, str], body: bytes, now: int) -> bool:
    """As a receiver does it (standardwebhooks.com, "Verifying webhook authenticity")."""
    kind, _, encoded = secret.partition("_")
    assert kind == "whsec"
    key = base64.b64decode(encoded, validate=True)
    assert 24 <= len(key) <= 64
    assert re.fullmatch(r"[^.]+", headers["webhook-id"])
    at = int(headers["webhook-timestamp"])
    if abs(now - at) > 300:
        return False
    wanted = hmac.new(
        key, b".".join([headers["webhook-id"].encode(), str(at).encode(), body]), hashlib.sha256
    ).digest()
    return any(
        version == "v1" and hmac.compare_digest(base64.b64decode(value), wanted)
        for version, _, value in (one.partition(",") for one in headers["webhook-signature"].split(" "))
    )


@given(st.binary(max_size=300), st.binary(min_size=24, max_size=64), st.binary(min_size=24, max_size=64))
def test_either_secret_verifies_and_no_other(body: bytes, new: bytes, old: bytes) -> None:
    headers = {"webhook-id": "msg_1_2", "webhook-timestamp": "1772400000"}
    headers["webhook-signature"] = signatures.signature([new, old], "msg_1_2", 1_772_400_000, body)
    now = 1_772_400_010
    assert verified(signatures.shown(new), headers, body, now)
    assert verified(signatures.shown(old), headers, body, now)
    assert not verified(signatures.shown(bytes(24)), headers, body, now) or bytes(24) in (new, old)
    assert not verified(signatures.shown(new), headers, body + b" ", now)
    assert not verified(signatures.shown(new), headers | {"webhook-id": "msg_1_3"}, body, now)
    assert not verified(signatures.shown(new), headers, body, now + 1000)


def test_the_example_of_the_scheme() -> None:
    """standardwebhooks.com: the published example of a signature."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    said = signatures.signature([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
