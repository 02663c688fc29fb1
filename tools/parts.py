#!/usr/bin/env python3
"""Have here what the tests need and no Python package brings: ``make parts``.

- Kafka: Java and Maven from the system's packages (apt-get, as root), the broker's jars from Maven Central;
- Prometheus: Debian's packages, unpacked and not installed (``tools/prometheus``);
- Chromium: Debian's package (apt-get, as root) of the browser without windows, for the tests of the console;
- Chromium 83: the oldest one that the console runs in, from an npm package (``tools/old_chromium.py``);
- a terminal written by others: a Rust library of JT/T 808, built with cargo (``tools/foreign_terminal``);
- Valhalla: the engine's wheel from the package index that pip is set up for;
- SoftHSM: Debian's package (apt-get, as root), a signing device for the tests of the chains.

What is here already is left alone. Everything is tried; what cannot be had is said in one sentence each, and the status is 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tools import chromium as browser
from tools.console import ConsoleError
from tools.foreign_terminal.build import ForeignTerminalError, cargo
from tools.foreign_terminal.build import program as foreign_program
from tools.kafka.broker import KafkaToolError
from tools.kafka.broker import fetch as fetch_kafka
from tools.old_chromium import program as old_program
from tools.prometheus.fetch import PrometheusToolError, programs

from rules.navigation import own_engine
from runtime.errors import GongcheError

#: Worth having, but no reason to test nothing at all: its one test says that it was skipped, and why.
OPTIONAL = frozenset({"A terminal written by others"})
#: A registry that breaks off once is asked again.
TRIES = 3
_JAVA = ("default-jre-headless", "maven")


class PartError(RuntimeError):
    """A part cannot be had here; the message says why and what to do."""


def kafka() -> str:
    """Java, Maven and Kafka's jars; where they are. Raises PartError."""
    if shutil.which("java") is None or shutil.which("mvn") is None:
        _install("Java 17 or newer and Maven are missing", *_JAVA)
    try:
        return str(fetch_kafka())
    except KafkaToolError as error:
        raise PartError(str(error)) from error


def prometheus() -> str:
    """Prometheus' programs; where they are. Raises PartError."""
    try:
        return str(Path(programs()["prometheus"]).parent)
    except PrometheusToolError as error:
        raise PartError(str(error)) from error


def valhalla() -> str:
    """The wheel in the cache that every installation of the engine takes it from. Raises PartError."""
    try:
        with tempfile.TemporaryDirectory(prefix="gongche-parts-") as folder:
            own_engine.install(Path(folder), lambda line: print(f"    {line}", flush=True))
    except GongcheError as error:
        raise PartError(f"{error.message} ({error.hint})") from error
    return str(own_engine.cache_dir())


def chromium() -> str:
    """The browser of the machine, with letters for Chinese. Raises PartError."""
    if os.environ.get("GONGCHE_CHROMIUM") is None and shutil.which(browser.NAMES[0]) is None:
        try:
            _install("Chromium is missing", browser.NAMES[0], "fonts-noto-cjk")
        except PartError as error:
            # The whole browser does it, too, only slower.
            if browser.program() is None:
                raise
            print(f"    {error}: taking {browser.program()}", flush=True)
    if (found := browser.program()) is None:
        raise PartError("Chromium was installed and is not on the PATH; set GONGCHE_CHROMIUM to its program")
    return found


def old_chromium() -> str:
    """The program of an old Chromium. Raises PartError."""
    try:
        return str(old_program())
    except ConsoleError as error:
        raise PartError(str(error)) from error


def softhsm() -> str:
    """A signing device in software (``office.integrity.key_device``): its module. Raises PartError."""
    if (found := _softhsm()) is None:
        _install("SoftHSM is missing", "softhsm2")
        found = _softhsm()
    if found is None:
        raise PartError(
            "SoftHSM was installed and its module is in none of the usual places; set GONGCHE_TEST_PKCS11_MODULE"
        )
    return found


def _softhsm() -> str | None:
    if named := os.environ.get("GONGCHE_TEST_PKCS11_MODULE"):
        return named
    places = (
        "/usr/lib/softhsm",
        *(str(p / "softhsm") for p in Path("/usr/lib").glob("*-linux-gnu")),
        "/usr/lib64/pkcs11",
    )
    found = (Path(place) / "libsofthsm2.so" for place in places)
    return next((str(path) for path in found if path.is_file()), None)


def foreign_terminal() -> str:
    """A terminal on somebody else's library. Raises PartError."""
    if cargo() is None:
        _install("cargo is missing (Rust 1.85 or newer)", "cargo-web", "gcc", "libc6-dev")
    try:
        return str(foreign_program())
    except ForeignTerminalError as error:
        raise PartError(str(error)) from error


PARTS: dict[str, Callable[[], str]] = {
    "Kafka": kafka,
    "Prometheus": prometheus,
    "Chromium": chromium,
    "Chromium 83": old_chromium,
    "A terminal written by others": foreign_terminal,
    "Valhalla": valhalla,
    "SoftHSM": softhsm,
}


def _install(what: str, *packages: str) -> None:
    wanted = f"{what}: apt-get install {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise PartError(f"{wanted} (this needs root), then run it again")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(  # noqa: S603 - our own words
            ["apt-get", "-q", *words],  # noqa: S607 - the apt-get of the PATH is meant
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PartError(f"{wanted}; apt-get {words[0]} failed: {done.stderr.strip()[-500:]}")


def main() -> int:
    """The command line; returns the exit status."""
    missing = 0
    for name, have in PARTS.items():
        for left in reversed(range(TRIES)):
            try:
                print(f"  {name}: {have()}", flush=True)
                break
            except PartError as error:
                print(
                    f"  {name}: {'once more' if left else 'cannot be had'}: {error}",
                    file=sys.stderr,
                    flush=True,
                )
                missing += not left and name not in OPTIONAL
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
