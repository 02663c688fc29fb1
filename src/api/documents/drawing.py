"""From frozen evidence to its picture."""

from __future__ import annotations

import shapely

from api.alerts.evidence import feature_collection
from office.documents.picture import Picture, draw
from rules.evidence import EvidenceError, parse


def picture_of(alert: str, version: int, sha256: str, body: bytes) -> Picture | None:
    """The picture of frozen evidence; None: it has no track, or it is of a kind that cannot be drawn."""
    try:
        return draw(feature_collection(alert, version, sha256, parse(body)))
    except (EvidenceError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError):
        return None
