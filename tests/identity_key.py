"""An identity key for tests whose API or deliverer seals something: one for each process, gone at its end."""

from __future__ import annotations

import atexit
import base64
import functools
import secrets
import shutil
import tempfile
from pathlib import Path


@functools.cache
def identity_key() -> Path:
    """A file with a key, closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="gongche-key-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "identity.key"
    file.touch(0o600)
    file.write_bytes(base64.b64encode(secrets.token_bytes(32)))
    return file
