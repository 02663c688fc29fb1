"""What the user sees: one status line in place on a terminal, plain lines in a file."""

from __future__ import annotations

import importlib
import io
import re
from pathlib import Path

import pytest

from gongche.progress import FILE_S, Progress, report_every_s
from gongche.supervisor import status
from gongche.supervisor.status import Console, Reading


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_status_line_is_replaced_and_lines_stay_above_it() -> None:
    stream = Terminal()
    console = Console(stream)
    console.status("one")
    console.say("a line")
    console.status("two")
    console.end()
    console.say("the end")
    assert stream.getvalue() == "\r\x1b[Kone\r\x1b[Ka line\none\r\x1b[Ktwo\nthe end\n"


def test_in_a_file_every_status_is_a_line_without_control_characters() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.status("one")
    console.say("a line")
    console.end()
    assert stream.getvalue() == "one\na line\n"


def test_what_is_not_known_is_a_dash_and_not_a_zero() -> None:
    assert "connected - |" in Reading().line()
    line = Reading(
        connections=1234, rate=0, stored=1e6, alerts=6, p50_s=0.0041, p99_s=0.0199, lag_records=0, delay_p99_s=0.2
    ).line()  # fmt: skip
    assert "connected 1,234 |" in line
    assert "in 0/s" in line
    assert "p50 4.1 ms p99 19.9 ms" in line
    assert "delay p99 200.0 ms" in line


@pytest.mark.parametrize(
    ("kind", "term", "in_place"),
    [(Terminal, "xterm", True), (Terminal, "dumb", False), (io.StringIO, "xterm", False)],
)
def test_progress_is_one_line_on_a_terminal_and_a_line_a_minute_in_a_file(
    kind: type[io.StringIO], term: str, in_place: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    stream, now = kind(), [0.0]
    progress = Progress(stream, clock=lambda: now[0])
    for second in range(180):
        now[0] = float(second)
        progress.tell(f"at {second}")
    progress.end()
    if in_place:
        assert stream.getvalue().count("\n") == 1
        assert stream.getvalue().endswith("\r\x1b[Kat 179\n")
    else:
        assert stream.getvalue() == "at 60\nat 120\n"
    assert Console(stream).interactive is in_place


def test_what_is_set_aside_is_shown_and_only_then() -> None:
    assert "quarantine" not in Reading().line()
    assert "隔离 quarantine 3" in Reading(quarantine=3).line()


def test_lines_that_stay_are_few_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that says how far it is asks whether it writes to a terminal: a replay of a day would be 17,280 lines."""

    monkeypatch.setenv("TERM", "xterm")
    assert (report_every_s(io.StringIO()), report_every_s(Terminal())) == (FILE_S, 5.0)
    monkeypatch.setenv("TERM", "dumb")
    assert report_every_s(Terminal()) == FILE_S
    for command in ("replay", "simulate"):
        source = Path(importlib.import_module(f"gongche.commands.{command}").__file__ or "").read_text()
        assert "report_every_s=report_every_s(sys.stderr)" in source
    sources = Path(status.__file__).parents[1].rglob("*.py")
    asking = [path.name for path in sources if re.search(r"(?<!stdin)\.isatty\(\)", path.read_text())]
    assert asking == ["progress.py"]  # all others ask it
