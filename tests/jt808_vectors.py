"""The 808 frames that tests go by: our own (``tests/vectors``), and others where they lie beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "vectors"
#: Somebody else's frames, not part of the project: more to try where they are there.
OTHERS = Path(__file__).resolve().parents[2] / "shared" / "vectors" / "jt808-frames.txt"


def cases() -> list[dict[str, Any]]:
    """What each of our frames says, in their order, with its ``frame``."""
    frames = [bytes.fromhex(line) for line in (FOLDER / "jt808-frames.txt").read_text().split()]
    told = json.loads((FOLDER / "jt808-frames.json").read_text(encoding="utf-8"))
    return [
        one | {"frame": frame, "body": bytes.fromhex(one["body"])}
        for one, frame in zip(told, frames, strict=True)
    ]


def other_frames() -> list[bytes]:
    return [bytes.fromhex(line) for line in OTHERS.read_text().split()] if OTHERS.exists() else []


def all_frames() -> list[bytes]:
    return [one["frame"] for one in cases()] + other_frames()
