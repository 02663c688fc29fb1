#!/usr/bin/env python3
"""A real Prometheus (and its node exporter) for tests: Debian's packages, unpacked, not installed. Standard library only.

    python tools/prometheus/fetch.py        prints the folder of the programs

apt verifies what it downloads; nothing is installed and no service starts. The programs stay in
``~/.cache/gongche/prometheus`` (``XDG_CACHE_HOME`` is honoured); delete that folder to fetch them anew.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_PACKAGES = ("prometheus", "prometheus-node-exporter")
PROGRAMS = ("prometheus", "promtool", "prometheus-node-exporter")
_PATIENCE_S = 180


class PrometheusToolError(RuntimeError):
    """The programs cannot be had here; the message says why and what to do."""


def programs() -> dict[str, str]:
    """Paths of PROGRAMS by name: those on the PATH, or fetched. Raises PrometheusToolError."""
    installed = {name: path for name in PROGRAMS if (path := shutil.which(name))}
    if {"prometheus", "promtool"} <= installed.keys():
        return installed
    folder = fetch()
    return {name: str(folder / name) for name in PROGRAMS}


def fetch() -> Path:
    """The folder with the programs; fetched with apt the first time (about 30 MB). Raises PrometheusToolError."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gongche"
    target = cache / "prometheus"
    if not target.is_dir():
        for tool in ("apt-get", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise PrometheusToolError(f"{tool} is missing: install prometheus and promtool yourself")
        cache.mkdir(parents=True, exist_ok=True)
        # In the folder itself: the last step must be a rename within one file system.
        with tempfile.TemporaryDirectory(dir=cache, prefix=".prometheus-") as scratch:
            packages = _download(Path(scratch))
            for package in packages:
                _run(["dpkg-deb", "-x", str(package), scratch], Path(scratch))
            # Another process may have been faster.
            with contextlib.suppress(OSError):
                (Path(scratch) / "usr" / "bin").rename(target)
    if missing := [name for name in PROGRAMS if not (target / name).is_file()]:
        raise PrometheusToolError(f"{target} holds no {', '.join(missing)}: delete it and try again")
    return target


def _download(folder: Path) -> list[Path]:
    words = ["apt-get", "-q", "download", *_PACKAGES]
    try:
        _run(words, folder)
    except PrometheusToolError:
        if os.geteuid() != 0:  # only root may bring the package lists up to date
            raise
        _run(["apt-get", "-q", "update"], folder)
        _run(words, folder)
    return sorted(folder.glob("*.deb"))


def _run(words: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            words,
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PrometheusToolError(f"`{' '.join(words)}` did not end within {_PATIENCE_S} s") from error
    if done.returncode:
        raise PrometheusToolError(
            f"`{' '.join(words)}` failed (as root: apt-get update):\n{done.stdout[-500:]}{done.stderr[-1000:]}"
        )


def main() -> int:
    """The command line; returns the exit status."""
    try:
        print(fetch())
    except PrometheusToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
