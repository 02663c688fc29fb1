"""How many examples a property is tried with."""

from __future__ import annotations

from hypothesis import settings


def examples(count: int) -> int:
    """``count``; a tenth of it, at least 5, where the same tests have run or will on another Python (the profile ``brief``)."""
    return max(5, count // 10) if settings.get_current_profile_name() == "brief" else count
