"""What the documents name is there: parameters and their defaults, settings, commands and options, targets, files."""

from __future__ import annotations

import argparse
import fnmatch
import re
from pathlib import Path

import pytest

from gongche import cli
from registry import parameters
from runtime.settings import Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")] + sorted(
    ROOT.glob("docs/**/*.md")
)
SHIPPED = [*PAGES, ROOT / "compose.yaml", ROOT / "Dockerfile", *sorted(ROOT.glob("deploy/**/*.y*ml"))]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


@pytest.mark.parametrize("rule", [rule for rule in parameters.RULES if rule not in parameters.SHARED])
def test_a_rule_s_page_gives_each_parameter_with_its_default_and_unit(rule: str) -> None:
    text = (ROOT / "docs" / "rules" / f"{rule}.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", text, re.MULTILINE))
    table = {p.name: f"{p.default} {p.unit}" for p in parameters.RULES[rule]}
    assert {name: said.strip() for name, said in rows.items() if name in table} == table


def test_shared_parameters_are_told_with_their_defaults() -> None:
    text = (ROOT / "docs" / "rules" / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+\.\w+)` \| ([^|]*) \|", text, re.MULTILINE))
    wanted = {
        f"{g}.{p.name}": f"{p.default} {p.unit}" for g in parameters.SHARED for p in parameters.RULES[g]
    }
    assert {name: said.strip() for name, said in rows.items()} == wanted


@pytest.mark.parametrize("page", SHIPPED, ids=lambda p: str(p.relative_to(ROOT)))
def test_settings_that_are_named_exist(page: Path) -> None:
    named = set(re.findall(r"\bGONGCHE_([A-Z][A-Z_]*[A-Z])\b", page.read_text("utf-8")))
    known = {name.upper() for name in Settings.model_fields}
    others = {
        "ENV_FILE",
        "TOKEN",
        "API",
        "TEST_DATABASE_URL",
        "TEST_KAFKA",
        "CACHE_DIR",
        "CHROMIUM",
        "NODE",
        "KAFKA_CLUSTER_ID",
    }  # read elsewhere
    if page.name == "compose.yaml":  # what it asks of its own .env
        others |= {"DB_PASSWORD", "GRAFANA_PASSWORD"}
    assert named - known - others == set()


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def code_lines(text: str) -> list[str]:
    """Lines of code blocks, continued ones joined, and what stands between single backquotes."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return lines + re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


@EVERY_PAGE
def test_commands_and_options_that_are_named_exist(page: Path) -> None:
    for line in code_lines(page.read_text("utf-8")):
        found = re.match(
            r"\s*(?:\$ )?(?:[A-Z_]+=\S+ +)*(?:\S*/)?gongche +([a-z][a-z0-9]*)(.*)", line.split(" #")[0]
        )
        if found is None:
            continue
        name, rest = found[1], re.split(r"[|;&>]", found[2])[0]
        known = {command.name for command in cli.COMMANDS}
        assert name in known, f"{page.name}: {line}"
        parser = subcommands(cli.build_parser(name))[name]
        words = rest.split()
        while (inner := subcommands(parser)) and words and re.fullmatch(r"[a-z]+", words[0]):
            assert words[0] in inner, f"{page.name}: {line}"
            parser = inner[words.pop(0)]
        options = {option for action in parser._actions for option in action.option_strings}
        for option in re.findall(r"(?<!\S)(--[a-z][a-z-]*)", rest):
            assert option in options, f"{page.name}: {line}"


@EVERY_PAGE
def test_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for line in code_lines(page.read_text("utf-8")):
        if line.startswith("make "):
            named = [w for w in line.split(" #")[0].split()[1:] if re.fullmatch(r"[a-z][a-z-]*", w)]
            assert set(named) <= targets, f"{page.name}: {line}"


@EVERY_PAGE
def test_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
    for named in re.findall(r"`((?:src|tests|docs|deploy|tools|bench|migrations)/[\w./-]*)`", text):
        assert (ROOT / named).exists(), f"{page.name}: {named}"


#: What lies below the root and is named without it: `jt808/session.py`, `test_gateway.py`, `telemetry/log`.
PLACES = [
    "/" + path.relative_to(ROOT).with_suffix("").as_posix() + suffix
    for top in ("src", "console/src", "tests", "docs", "tools", "bench", "migrations", "deploy")
    for path in (ROOT / top).rglob("*")
    if "__pycache__" not in path.parts
    for suffix in {"", path.suffix}
]
#: Topics of the log, named like modules.
TOPICS = ("gongche.positions", "gongche.rejects", "gongche.reports")
ROOMS = ("runtime", "telemetry", "registry", "rules", "office", "api", "simulation", "gongche")


def is_in(module: Path, names: list[str]) -> bool:
    """Whether ``names`` lead from a folder of modules to a module, or to something that a module says."""
    if not names:
        return True
    inner = module / names[0]
    if inner.is_dir() or inner.with_suffix(".py").is_file():
        return is_in(inner, names[1:])
    text = module.with_suffix(".py") if module.with_suffix(".py").is_file() else module / "__init__.py"
    return bool(re.search(rf"\b{names[0]}\b", text.read_text("utf-8")))


@EVERY_PAGE
def test_modules_that_are_named_in_short_exist(page: Path) -> None:
    for named in re.findall(r"(?<!`)`([^`\s]+)`(?!`)", page.read_text("utf-8")):
        if re.fullmatch(r"[\w*]+(?:/[\w*]+)*\.py|\w+(?:/\w+)+/?", named):
            found = any(fnmatch.fnmatch(place, f"*/{named.rstrip('/')}") for place in PLACES)
            assert found, f"{page.name}: {named}"
        room, *names = named.split(".")
        if room in ROOMS and names and re.fullmatch(r"\w+(?:\.\w+)+", named) and named not in TOPICS:
            assert is_in(SOURCE / room, names), f"{page.name}: {named}"


def test_modules_that_docstrings_name_exist() -> None:
    for file in sorted(SOURCE.rglob("*.py")):
        text = file.read_text("utf-8")
        for named in re.findall(r"``([a-z_]+(?:\.[A-Za-z_]+)+)``", text):
            room, *names = named.split(".")
            if room in ROOMS:
                assert is_in(SOURCE / room, names), f"{file.relative_to(ROOT)}: {named}"
        if file.name == "__init__.py":  # what a package holds, as a list
            for line in re.findall(r"^\* ((?:``[\w/]+``(?:, )?)+)", text, re.MULTILINE):
                for named in re.findall(r"``([\w/]+)``", line):
                    assert is_in(file.parent, [named]), f"{file.relative_to(ROOT)}: {named}"


def test_what_the_table_of_rooms_names_is_in_the_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## Rooms")[2]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text.partition("## Invariants")[0], re.MULTILINE))
    # The rooms, then the folders of one of them.
    folders = {path.name for path in (SOURCE / "office").iterdir() if path.is_dir() and "__" not in path.name}
    assert list(rows)[: len(ROOMS)] == list(ROOMS)
    assert set(list(rows)[len(ROOMS) :]) == folders
    for room, said in rows.items():
        place = SOURCE / ("office" if room in folders else "") / room
        inside = {path.stem for path in place.rglob("*") if "__pycache__" not in path.parts}
        for named in re.findall(r"`([\w/]+)`", said):
            assert set(named.split("/")) <= inside | {room}, f"{room}: {named}"


def test_defaults_of_settings_that_are_told_are_true() -> None:
    """``GONGCHE_X`` (number) and ``GONGCHE_X=number`` in the runbook's prose, where a default is meant."""
    for page in PAGES:
        for name, told in re.findall(
            r"`GONGCHE_([A-Z_]+)` \((?:default )?(\d[\d_,]*)", page.read_text("utf-8")
        ):
            default = Settings.model_fields[name.lower()].default
            assert float(told.replace(",", "").replace("_", "")) == default, f"{page.name}: {name} {told}"
