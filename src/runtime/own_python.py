"""Commands that run this Python again."""

from __future__ import annotations

import sys


def module_command(module: str, *words: str) -> list[str]:
    """``python -P -m module words...``. Without ``-P`` the current folder comes first on the import path, and a file that
    anybody dropped there would run with our rights."""
    return [sys.executable, "-P", "-m", module, *words]
