"""The browser of the tests and benchmarks: which program of this machine it is."""

from __future__ import annotations

import os
import shutil
from typing import Final

#: In the order in which they are taken. The first is Debian's package chromium-headless-shell: the engine of the package chromium
#: without the windows around it. A page costs less than half there, for each window of the whole browser loads pages of its own
#: (suggestions of the address bar) beside the page that is tested.
NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser")


def program() -> str | None:
    """Path of the browser: the one that GONGCHE_CHROMIUM names, or the first of ``NAMES`` on the PATH; None where there is none."""
    return os.environ.get("GONGCHE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
