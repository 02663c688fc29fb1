"""A routing engine of one's own: Valhalla, out of its published wheel, with tiles built of an OpenStreetMap file.

The wheel (PyPI ``pyvalhalla``) carries the executables and every library they need; nothing of it is imported. All of
it lies in ``<data_dir>/navigation``: ``valhalla-<version>`` the engine, ``graph`` (a link) the tiles in use, ``demo`` those
of the demo's roads, which are never taken for a real map.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from runtime.errors import ConfigurationError, GongcheError, UnavailableError
from runtime.own_python import module_command

VERSION: Final = "3.9.1"
#: SHA-256 of the wheel for each machine (Linux, glibc 2.28 or newer).
WHEELS: Final = {
    "x86_64": "7b49c5e5f86cefd555b473aaaf34df3305889d30aa889b8abd3b4c2acc622271",
    "aarch64": "6ebe5f9dd6ce3b16413f939a271d68e64a4addd44df8a802a8eda0b9ca0bf16f",
}
_SERVICE: Final = "valhalla/bin/valhalla_service"
_BUILD: Final = "valhalla/bin/valhalla_build_tiles"
_CONFIGURE: Final = "valhalla/valhalla_build_config.py"
_ELSEWHERE: Final = (
    "或将 GONGCHE_NAVIGATION_URL 指向自己的 Valhalla / or point GONGCHE_NAVIGATION_URL at a Valhalla"
)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_CACHE_BYTES: Final = 512 << 20
_TOLD_S: Final = 3.0

#: Tiles of a real map, and those of the demo's roads.
GRAPH: Final = "graph"
DEMO: Final = "demo"

Say = Callable[[str], None]


def install(data_dir: Path, say: Say, wheel: Path | None = None) -> Path:
    """Have the engine in ``data_dir``; its folder. Downloads the wheel (about 38 MB) unless it is cached or given.

    Raises ConfigurationError (not for this machine, or not this wheel), UnavailableError (no way to the registry).
    """
    target = _engine(data_dir)
    if (target / _SERVICE).exists():
        return target
    machine = platform.machine()
    if sys.platform != "linux" or machine not in WHEELS:
        raise ConfigurationError(f"no Valhalla for {sys.platform} {machine}", hint=_ELSEWHERE)
    wheel = wheel or _downloaded(machine, say)
    if not wheel.is_file() or _sha256(wheel) != WHEELS[machine]:
        raise ConfigurationError(f"{wheel} is not the wheel pyvalhalla {VERSION} for {machine}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".valhalla-", dir=target.parent) as folder:
        made = Path(folder) / "engine"
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if (
                    name in (_SERVICE, _BUILD, _CONFIGURE)
                    or name.startswith("pyvalhalla.libs/")
                    or "licenses/" in name
                ):
                    archive.extract(name, made)
        for program in (_SERVICE, _BUILD):
            (made / program).chmod(0o755)
        try:
            subprocess.run([made / _SERVICE, "--version"], check=True, capture_output=True, timeout=30)  # noqa: S603 - our own file, checked by its hash
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigurationError(
                "Valhalla does not run on this machine", hint=f"glibc 2.28, libstdc++; {_ELSEWHERE}"
            ) from error
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    say(f"已安装 / installed Valhalla {VERSION}: {target}")
    return target


def prepare(data_dir: Path, source: Path, say: Say, map_date: str = "", *, name: str = GRAPH) -> Path:
    """Build tiles of an OSM file (``.osm.pbf``) and put them in the place of those in use under ``name``, whole or not
    at all; the folder of the new ones. A service that runs goes on with the old ones until it is started again.

    Installs the engine first. Raises ConfigurationError (no such file, no OSM data), GongcheError (the build failed).
    """
    if not source.is_file():
        raise ConfigurationError(f"{source}: no such file")
    try:
        map_date = map_date or map_date_of(source)
    except RuntimeError as error:
        raise ConfigurationError(f"{source} is no OpenStreetMap file: {error}") from None
    engine = install(data_dir, say)
    home = engine.parent
    with _alone(home):
        for rest in home.glob(f"{name}-*.partial"):
            shutil.rmtree(rest, ignore_errors=True)
        graph = home / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        partial = graph.with_name(graph.name + ".partial")
        partial.mkdir()
        try:
            _write_json(partial / "build.json", _config(engine, partial / "tiles"))
            _build([str(engine / _BUILD), "-c", str(partial / "build.json"), str(source)], say)
            tiles = len(list((partial / "tiles").rglob("*.gph")))
            if not tiles:
                raise GongcheError(f"{source} holds no roads")
            about = {
                "map_date": map_date,
                "source": source.name,
                "engine": f"valhalla {VERSION}",
                "tiles": tiles,
            }
            _write_json(partial / "map.json", about)
            partial.rename(graph)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        link = home / f".{name}.new"
        link.unlink(missing_ok=True)
        link.symlink_to(graph.name)
        link.replace(home / name)
        # The one before stays: a service that runs still reads it.
        for old in sorted(home.glob(f"{name}-*"))[:-2]:
            shutil.rmtree(old, ignore_errors=True)
    say(f"地图已就绪 / the map is ready: {about['tiles']} tiles, map of {map_date}")
    return graph


def service_command(data_dir: Path, port: int, *, name: str = GRAPH) -> list[str] | None:
    """What to run for the engine to listen on loopback ``port``; None while there is no engine or no map. Writes the
    service's settings (the command's second word). SIGTERM ends it."""
    engine, graph = _engine(data_dir), _graph(data_dir, name)
    if graph is None or not (engine / _SERVICE).exists():
        return None
    config = _config(engine, graph / "tiles")
    config["httpd"]["service"] |= {"listen": f"tcp://127.0.0.1:{port}", "drain_seconds": 2}
    config["loki"]["actions"] = ["route", "sources_to_targets", "status"]
    config["logging"]["type"] = ""
    path = engine.parent / f"service-{port}.json"
    _write_json(path, config)
    return [str(engine / _SERVICE), str(path), str(min(4, os.cpu_count() or 1))]


def service_map_date(data_dir: Path, *, name: str = GRAPH) -> str:
    """Date of the map in use ('' = none), for GONGCHE_NAVIGATION_MAP_DATE."""
    return _about(data_dir, name).get("map_date", "")


def service_source(data_dir: Path, *, name: str = GRAPH) -> str:
    """Name of the file that the map in use was built of ('' = none)."""
    return _about(data_dir, name).get("source", "")


def _about(data_dir: Path, name: str) -> dict[str, str]:
    graph = _graph(data_dir, name)
    if graph is None:
        return {}
    return {key: str(value) for key, value in json.loads((graph / "map.json").read_bytes()).items()}


def _engine(data_dir: Path) -> Path:
    return data_dir.absolute() / "navigation" / f"valhalla-{VERSION}"


def _graph(data_dir: Path, name: str) -> Path | None:
    link = data_dir.absolute() / "navigation" / name
    return link.resolve() if (link / "map.json").exists() else None


def cache_dir() -> Path:
    """Where downloads are kept: GONGCHE_CACHE_DIR, else as the XDG base directory specification says."""
    if given := os.environ.get("GONGCHE_CACHE_DIR"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gongche"


def _downloaded(machine: str, say: Say) -> Path:
    """The wheel, from the cache or the package index that pip is set up for."""
    folder = cache_dir()
    wheel = folder / f"pyvalhalla-{VERSION}-cp312-abi3-manylinux_2_28_{machine}.whl"
    if wheel.is_file() and _sha256(wheel) == WHEELS[machine]:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    say(f"下载 / downloading pyvalhalla {VERSION}（38 MB）")
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as place:
        wanted = Path(place) / "wanted.txt"
        wanted.write_text(f"pyvalhalla=={VERSION} --hash=sha256:{WHEELS[machine]}\n")
        status, said = _told(
            [
                *module_command("pip", "download"), "--quiet", "--disable-pip-version-check", "--no-deps",
                "--retries", "2", "--only-binary=:all:", "--python-version", "3.12",
                "--platform", f"manylinux_2_28_{machine}", "--require-hashes", "-r", str(wanted), "-d", place,
            ],
            Path(place),
            say,
        )  # fmt: skip
        if status:
            last = next((line for line in reversed(said.splitlines()) if line.strip()), "pip failed")
            raise UnavailableError(
                f"pyvalhalla {VERSION} cannot be downloaded: {last.strip()}",
                hint="离线时：gongche navigation install --wheel FILE / offline: give the wheel. "
                + _ELSEWHERE,
            )
        (Path(place) / wheel.name).replace(wheel)
    return wheel


def _told(command: list[str], place: Path, say: Say) -> tuple[int, str]:
    """Run a download that keeps what it has so far below ``place``, and say how far it is; (status, what it said)."""
    with (place / "said.txt").open("w+") as said:
        run = subprocess.Popen(  # noqa: S603 - our own words
            command, stdout=subprocess.DEVNULL, stderr=said, env=os.environ | {"TMPDIR": str(place)}
        )
        try:
            while True:
                try:
                    status = run.wait(_TOLD_S)
                    break
                except subprocess.TimeoutExpired:
                    say(f"  {_bytes_below(place) / 1e6:6.1f} MB")
        except BaseException:
            run.terminate()
            run.wait()
            raise
        said.seek(0)
        return status, said.read()


def _bytes_below(place: Path) -> int:
    total = 0
    for folder, _, names in os.walk(place):
        for name in names:
            with suppress(OSError):  # it comes and goes under us
                total += (Path(folder) / name).stat().st_size
    return total


def _config(engine: Path, tiles: Path) -> dict[str, Any]:
    """The engine's settings as it is delivered, for these tiles and nothing else on this machine."""
    done = subprocess.run(  # noqa: S603 - a file of the wheel, checked by its hash
        [sys.executable, "-P", str(engine / _CONFIGURE), "--mjolnir-tile-dir", str(tiles)],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    config: dict[str, Any] = json.loads(done.stdout)
    for name in (
        "tile_extract",
        "traffic_extract",
        "admin",
        "landmarks",
        "timezone",
        "transit_dir",
        "transit_feeds_dir",
    ):
        config["mjolnir"].pop(name, None)
    config["mjolnir"] |= {"concurrency": os.cpu_count() or 1, "max_cache_size": _CACHE_BYTES}
    config.get("additional_data", {}).pop("elevation", None)
    return config


def _build(command: list[str], say: Say) -> None:
    """Run the build and say how far it is, at most a line a second."""
    began = shown = time.monotonic()
    last: deque[str] = deque(maxlen=20)
    run = subprocess.Popen(  # noqa: S603 - our own file
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    with run:
        try:
            for line in run.stdout or ():
                text = _COLOUR.sub("", line).strip()
                last.append(text)
                now = time.monotonic()
                if now - shown >= 1 and "[INFO]" in text:
                    shown = now
                    say(f"  {now - began:6.0f} s  {text.split('[INFO]', 1)[1].strip()[:100]}")
        except BaseException:
            run.terminate()
            raise
    if run.returncode:
        raise GongcheError("the tiles could not be built:\n  " + "\n  ".join(last))


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One build at a time."""
    with (home / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError("another `gongche navigation prepare` is at work") from None
        yield


def _write_json(path: Path, value: Any) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(value, indent=1))
    fresh.replace(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def map_date_of(path: Path) -> str:
    """Date of the data in an OSM file, RFC 3339 (what its header says, else when the file was written). Raises
    RuntimeError for a file that is none."""
    import osmium  # heavy, and only this needs it

    with osmium.io.Reader(str(path), osmium.osm.osm_entity_bits.NOTHING) as reader:
        said: str = reader.header().get("osmosis_replication_timestamp")
    return said or f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%dT%H:%M:%SZ}"
