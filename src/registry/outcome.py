"""What became of a record that was written."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["created", "updated", "unchanged"]
