"""Files and folders that nobody but their owner may look into: people's tracks, passwords."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from runtime.errors import ConfigurationError

_logger = logging.getLogger(__name__)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_folder(path: Path) -> None:
    """Make ``path`` (and the folders above it) if it is missing. It is closed to group and others, and so are the files
    in it: a folder of an earlier version is closed here. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    for place in (path, *(p for p in path.iterdir() if p.is_file() and not p.is_symlink())):
        close_to_others(place)


def close_to_others(path: Path) -> None:
    """Take the rights of group and others away, where the file is ours. One of another owner is left and told."""
    try:
        found = path.stat()
    except FileNotFoundError:  # a file of SQLite's that has just gone
        return
    if not found.st_mode & _OTHERS:
        return
    if found.st_uid != os.geteuid():
        _logger.warning("%s is open to other users and belongs to another one: close it (chmod go-rwx)", path)
        return
    path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
    _logger.info("%s was open to other users of this machine: closed", path)


def read_secret(what: str, path: Path) -> str:
    """The text in ``path``, a secret that the operator put there. ``what``: of it, for errors. Raises ConfigurationError when it
    cannot be read, or others may read it."""
    try:
        if path.stat().st_mode & _OTHERS:
            raise ConfigurationError(f"{path} is open to other users", hint=f"chmod 600 {path}")
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{what} {path}: {error.strerror or error}") from error
