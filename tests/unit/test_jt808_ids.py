"""The list of message ids is one, and whole."""

from __future__ import annotations

import re
from pathlib import Path

from telemetry.jt808 import ids
from telemetry.jt808.ids import Direction, MessageId
from telemetry.jt808.scalar.header import Version

SOURCES = Path(__file__).parents[2] / "src" / "telemetry"


def test_the_platform_s_ids_have_the_top_bit() -> None:
    """JT/T 808 annex A: what the platform sends is numbered from 0x8000 on."""
    for each in MessageId:
        assert (each.direction is Direction.DOWN) == bool(each & 0x8000), each
        clauses = [clause for clause in each.clauses.values() if clause]
        assert clauses, each
        assert all(re.fullmatch(r"8\.\d{1,2}", clause) for clause in clauses), each


def test_an_edition_names_a_clause_once() -> None:
    for edition in Version:
        clauses = [each.clauses[edition] for each in MessageId if each.clauses[edition]]
        assert len(clauses) == len(set(clauses)) == {2011: 53, 2013: 65, 2019: 64}[edition]


def test_no_id_is_written_out_anywhere_else() -> None:
    numbers = {f"0x{each:04x}" for each in MessageId}
    for path in SOURCES.rglob("*.py"):
        if path.name == "ids.py" or path.parent.name == "jt809":  # JT/T 809 has ids of its own
            continue
        code = re.sub(
            r'"""(?s:.*?)"""|"[^"\n]*"|#.*', "", path.read_text()
        )  # what comments and texts say is for people
        assert not numbers & set(re.findall(r"0x[0-9a-f]{4}\b", code)), path


def test_metrics_name_what_a_terminal_may_send() -> None:
    assert ids.label(MessageId.LOCATION_BATCH) == "0704"
    assert [ids.label(number) for number in (0x0F00, 0x8001, -1)] == ["other"] * 3
