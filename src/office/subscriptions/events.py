"""An entry of the feed as an event: CloudEvents 1.0 (JSON format), and the body of a webhook. Pure."""

from __future__ import annotations

from typing import Any, Final

from rules.alerts.model import Alert, FeedEntry
from runtime.units import CHINA

#: Media types of one event and of several (CloudEvents 1.0, JSON Event Format, 3 and 4).
EVENT: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
#: What ``data`` looks like: the alert as in the feed (docs/pull-alerts.md).
DATASCHEMA: Final = "urn:gongche:schema:alert:v1"


def event_type(alert: Alert) -> str:
    """``cn.gongche.alert.{suspected|corrected|withdrawn}.v1``: suspected for the first time, suspected with other facts or
    again, withdrawn."""
    what = alert.status if alert.status == "withdrawn" or alert.version == 1 else "corrected"
    return f"cn.gongche.alert.{what}.v1"


def event_id(alert: Alert) -> str:
    """The same for the same version of an alert, however it is delivered."""
    return f"{alert.id}.{alert.version}"


def cloud_event(entry: FeedEntry, source: str) -> dict[str, Any]:
    """The entry as a CloudEvent; ``source``: which installation it comes from, a URI reference. ``sequence`` (the extension of
    that name) is its place in the feed, ``partitionkey`` the alert: events of one alert are in order."""
    alert = entry.alert
    return {
        "specversion": "1.0",
        "id": event_id(alert),
        "source": source,
        "type": event_type(alert),
        "subject": f"alerts/{alert.id}",
        "time": entry.created_at.astimezone(CHINA).isoformat(),
        "datacontenttype": "application/json",
        "dataschema": DATASCHEMA,
        "sequence": str(entry.seq),
        "partitionkey": alert.id,
        "data": alert.body(),
    }


def webhook_body(entry: FeedEntry) -> dict[str, Any]:
    """The entry as Standard Webhooks advises: ``type``, ``timestamp``, ``data``."""
    return {
        "type": event_type(entry.alert),
        "timestamp": entry.created_at.astimezone(CHINA).isoformat(),
        "data": entry.alert.body(),
    }
