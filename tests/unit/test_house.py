"""Rules of the house that no tool checks: how tests wait, and where the SQL of a table stands."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SOURCE = TESTS.parent / "src"
SCHEMA = TESTS.parent / "migrations" / "schema.sql"
#: Tables that several modules write, and why.
WRITTEN_TOGETHER = {
    "terminals": {
        "registry/terminals.py",
        "telemetry/terminals",
    },  # the office's record; what a terminal says of itself
    # what a person enters; what the table of dialects says of a make
    "clock_corrections": {"registry/clock_corrections.py", "telemetry/terminals/dialect_corrections.py"},
    # of cases; of everything else
    "messages": {"office/supervision", "office/posting"},
}
#: What the office keeps.
RECORDS = {
    "organisations", "vehicles", "drivers", "terminals", "terminal_bindings", "fences", "dispatch_orders", "fuel_cards",
    "card_bindings", "fuel_stations", "fuel_transactions", "violations", "rule_parameters", "calendar_days",
}  # fmt: skip
#: Files of ``rules`` that join tables of the registry in SQL of their own, and why. Else judging reads the records by functions
#: of ``registry``.
JOINS_RECORDS = {
    "rules/alerts/evaluations.py",  # names the vehicle of a judgement
    "rules/live/store/due.py",  # spreads a change over the vehicles of units and orders, in one statement
    "rules/live/store/quarantine.py",  # names the terminal of what is set aside
    "rules/live/store/recomputations.py",  # names the vehicle that is put off
    "rules/live/store/results.py",  # finds the returned orders that have no result, among many
}
#: Files of ``api`` that take a connection of the pool themselves, and why. Every other one reaches the database by
#: ``api.auth.scoped``: as its subject, with row-level security.
TAKES_CONNECTIONS = {
    "api/auth/scoped.py",  # it is that
    "api/auth/authentication.py",  # who asks is not known yet
    "api/observability.py",  # whether the database answers
    "api/registry/importing.py",  # gives the session the reach: an import has many transactions
}
REASON = "# time:"


def sleeps(tree: ast.AST, *, in_loop: bool = False) -> Iterator[ast.Call]:
    """The calls of a ``sleep`` that stand in no loop: they wait for a time, where a loop waits for a condition or makes a
    load. ``sleep(0)`` only lets others run."""
    for node in ast.iter_child_nodes(tree):
        loop = in_loop or isinstance(node, ast.While | ast.AsyncFor)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            loop = False
        name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
        if isinstance(node, ast.Call) and name == "sleep" and not loop:
            first = node.args[0] if node.args else None
            if not (isinstance(first, ast.Constant) and first.value == 0):
                yield node
        yield from sleeps(node, in_loop=loop)


def test_no_test_sleeps_without_a_reason() -> None:
    """Wait for a condition (``tests.waiting``); where time is the subject, say why behind ``# time:``."""
    bare = []
    for file in sorted(TESTS.rglob("*.py")):
        text = file.read_text("utf-8")
        lines = ["", *text.splitlines()]
        bare += [
            f"{file.relative_to(TESTS)}:{call.lineno}: {lines[call.lineno].strip()}"
            for call in sleeps(ast.parse(text))
            if not any(
                REASON in line for line in lines[call.lineno - 1 : (call.end_lineno or call.lineno) + 1]
            )
        ]
    assert bare == []


def test_a_bare_sleep_is_seen() -> None:
    text = (
        "import asyncio, time\n"
        "async def f():\n    time.sleep(1)\n    await asyncio.sleep(x)\n    await asyncio.sleep(0)\n"
        "    for _ in range(9):\n        await asyncio.sleep(1)\n"
        "    while not y:\n        await asyncio.sleep(1)\n"
    )
    assert [call.lineno for call in sleeps(ast.parse(text))] == [3, 4, 7]


def tables() -> set[str]:
    return set(
        re.findall(r"^CREATE (?:UNLOGGED )?TABLE (?:public\.)?(\w+)", SCHEMA.read_text("utf-8"), re.MULTILINE)
    )


def named_by(*patterns: str) -> dict[str, set[str]]:
    """Table -> the modules, as paths below ``src``, in which the group of one of ``patterns`` names it."""
    known, found = tables(), defaultdict[str, set[str]](set)
    assert len(known) > 40
    for file in SOURCE.rglob("*.py"):
        text = file.read_text("utf-8")
        for name in known & {name for pattern in patterns for name in re.findall(pattern, text)}:
            found[name].add(file.relative_to(SOURCE).as_posix())
    return found


def test_a_table_is_written_in_one_module_or_package() -> None:
    written = named_by(r"(?:INSERT INTO|UPDATE|DELETE FROM)\s+(?:ONLY\s+)?(\w+)", r"copy_\w+\(\s*\"(\w+)\"")
    assert written["evaluations"]
    assert written["dispatch_orders"]
    for table, files in written.items():
        together = WRITTEN_TOGETHER.get(table, set())
        places = {file if file in together else file.rpartition("/")[0] for file in files}
        assert len(places) == 1 or places == together, f"{table}: {files}"


def test_records_are_read_in_registry() -> None:
    assert tables() >= RECORDS
    readers = named_by(r"\b(?:FROM|JOIN)\s+(\w+)")
    outside = {file for table in RECORDS for file in readers[table] if file.startswith("rules/")}
    assert outside == JOINS_RECORDS


def test_a_request_reaches_the_database_as_its_subject() -> None:
    takes = {
        file.relative_to(SOURCE).as_posix()
        for file in (SOURCE / "api").rglob("*.py")
        if re.search(r"pool\.(acquire|fetch\w*|execute\w*|copy\w*)\b|\bconnect\(", file.read_text("utf-8"))
    }
    assert takes == TAKES_CONNECTIONS
