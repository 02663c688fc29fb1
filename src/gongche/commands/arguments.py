"""What several commands understand in their arguments."""

from __future__ import annotations

import argparse
import re
from datetime import date


def day(text: str) -> date:
    """A calendar day, YYYY-MM-DD and nothing else that ``date.fromisoformat`` takes; for argparse's ``type``."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text}: 应为日期 / a day like 2026-03-01")
