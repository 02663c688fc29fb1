"""Rules of the house that no tool checks: how tests wait."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
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
