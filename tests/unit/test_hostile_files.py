"""Files that are made to hold up everybody: each is refused, or read, within bounds of processor time and memory that an unbounded
reader passes by far. The bounds are the kernel's (RLIMIT), in a process of its own; what is measured is work, not the clock."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from gongche.commands import imports as command
from registry import bulk
from registry.decimals import exact_json
from registry.records import KINDS
from registry.spelling import safe_cell
from registry.statements.archive import MAX_SHEETS
from registry.statements.sheet_xml import looked_at
from rules.backtest import table
from runtime.logs import LineFormatter, one_line
from runtime.settings import Settings

#: A dozen of these take some seconds of a processor together; unbounded each takes minutes, or gigabytes.
CPU_S = 120
MEMORY = 3 << 29
ROOT = Path(__file__).resolve().parents[2]


def outcomes(cases: Mapping[str, tuple[str, str]], tmp_path: Path) -> dict[str, str]:
    """What becomes of each case: of data (an expression) and its use (another one, with ``data``), in a process with bounds.
    The data is made beforehand, in another process: making it is dear, too."""
    code = f"""
        import resource, sys
        from pathlib import Path
        from tests.hostile_workbooks import HEAD, M, cell, sheet, xlsx
        def statement(): return read_statement("statement", data, FileMapping(), datetime.now(UTC))
        def records(kind, form): return bulk.validate_rows(kind, bulk.read_rows(kind, data, form))
        cases, file = {dict(cases)!r}, Path(sys.argv[1])
        if sys.argv[2] == "make":
            for number, (made, _) in enumerate(cases.values()):
                file.with_suffix(f".{{number}}").write_bytes(eval(made))
            raise SystemExit
        from datetime import UTC, datetime
        from registry import bulk
        from registry.refusals import RefusedError
        from registry.statements.columns import FileMapping
        from registry.statements.importer import read_statement
        resource.setrlimit(resource.RLIMIT_CPU, ({CPU_S}, {CPU_S}))
        size = int(open("/proc/self/statm").read().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (size + {MEMORY}, size + {MEMORY}))
        for number, (name, (_, use)) in enumerate(cases.items()):
            data = file.with_suffix(f".{{number}}").read_bytes()
            try:
                eval(use)
            except RefusedError as error:
                print(name, "refused: " + error.flaws[0].message[:200], sep="\\t", flush=True)
            else:
                print(name, "read", sep="\\t", flush=True)
    """
    for step in ("make", "use"):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "data"), step], capture_output=True, text=True, cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (step, done.returncode, done.stdout, done.stderr[-2000:])
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())


WORKBOOKS = {
    "a million fonts": """xlsx({"xl/styles.xml": '<styleSheet><fonts>' + '<font><b/></font>' * 150_000 + '</fonts></styleSheet>'})""",
    "a million nested fonts": """xlsx({"xl/styles.xml": '<styleSheet>' + '<font>' * 160_000 + '</font>' * 160_000 + '</styleSheet>'})""",
    "millions of strings": """xlsx({"xl/sharedStrings.xml": '<sst>' + '<si><t>a</t></si>' * 630_000 + '</sst>'})""",
    "names": """xlsx({"xl/workbook.xml": '<workbook>' + '<definedName name="a">A1</definedName>' * 160_000 + '</workbook>'})""",
    "empty rows": """xlsx({"xl/worksheets/sheet1.xml": sheet(HEAD + '<row/>' * 8_600_000)})""",
    "one endless tag": """xlsx({"xl/worksheets/sheet1.xml": sheet(HEAD + '<row r="2"><f>1</f></row>' + '<c r="A1" ' + 'r="A1" ' * M)})""",
    "tags that never end": """xlsx({"xl/worksheets/sheet1.xml": sheet(HEAD + '<row r="2"><f>1</f></row>' + '<c r="A1" ' * M)})""",
    "1,500 sparse sheets": """xlsx({f"xl/worksheets/sheet{k}.xml": sheet(HEAD + '<row r="1048576">' + cell("XFD1048576", "x")
        + '</row>') for k in range(1, 1501)}, 1500)""",
    "entities": """xlsx({"xl/worksheets/sheet1.xml": '<!DOCTYPE x [<!ENTITY a "a">]>' + sheet(HEAD)})""",
    "128 MiB": """xlsx({"xl/worksheets/sheet1.xml": sheet(HEAD + ' ' * (130 * M))})""",
}  # fmt: skip


def test_workbooks_that_make_too_much_work_are_refused(tmp_path: Path) -> None:
    found = outcomes({name: (made, "statement()") for name, made in WORKBOOKS.items()}, tmp_path)
    assert {name: what.split(":")[0] for name, what in found.items()} == dict.fromkeys(WORKBOOKS, "refused")


READ = {
    "cells that never close": """xlsx({"xl/worksheets/sheet1.xml": sheet(HEAD + '<row r="2">' + '<c r="A2"><f>1</f>' * 100_000)})""",
    "a cell in the last corner": """xlsx({"xl/worksheets/sheet1.xml": sheet(HEAD + '<row r="1048576">' + cell("XFD1048576", "x")
        + '</row>')})""",
    "as many sparse sheets as may be": f"""xlsx({{f"xl/worksheets/sheet{{k}}.xml": sheet('<row r="30000">' + cell("ALL30000", "x")
        + '</row>') for k in range(2, {MAX_SHEETS // 4})}}, {MAX_SHEETS // 4})""",
    "a text of 20 MiB": """xlsx({"xl/worksheets/sheet1.xml": sheet(HEAD + '<row r="2">' + cell("A2", "长_x0041_" * M) + '</row>')})""",
}  # fmt: skip


def test_workbooks_that_only_look_large_are_answered(tmp_path: Path) -> None:
    found = outcomes({name: (made, "statement()") for name, made in READ.items()}, tmp_path)
    assert found.keys() == READ.keys()


TEXTS = {
    "8 million empty rows of NDJSON": (r"""b"\n" * (8 * M)""", 'records("vehicles", "ndjson")'),
    "8 million empty rows of CSV": (r"""b"id,name\n" + b"\n" * (8 * M)""", 'records("organisations", "csv")'),
    "millions of columns": ("""b"," * (20 * M)""", 'records("organisations", "csv")'),
    "lines of two encodings": (
        r"""b"id,name\n" + b"\xd6\xd0\n" * (9 * M) + b"\xff" """,
        'records("organisations", "csv")',
    ),
    "a million vertices": (
        """b'[{"id":"f","name":"f","organisation":"o","datum":"wgs84","geometry":{"type":"Polygon","coordinates":[['"""
        """+ b'[120.1,31],' * M + b'[120.1,31]]]}}]'""",
        'records("fences", "json")',
    ),
    "millions of arrays": ("""b"[" + b"[0]," * (6 * M) + b"0]" """, 'records("fences", "json")'),
    "millions of decimals": ("""b"[" + b"1e-40," * (4 * M) + b"0]" """, 'records("violations", "json")'),
    "brackets in a text": ("""b'["' + b"[" * (20 * M) + b'"]'""", 'records("violations", "json")'),
    "a header of brackets": ("""("卡号,交易时间,交易类型,数量" + "(" * (M - 200) + "\\n").encode()""", "statement()"),
    "rows of brackets": ("""("卡号,交易时间,交易类型,数量\\n" + ("1,2,3," + "(" * (M // 2) + "\\n") * 20).encode()""", "statement()"),
    "a title of cards": ("""("卡号 " * 100_000 + "\\n交易时间,交易类型,数量\\n").encode()""", "statement()"),
    "digits and commas": ("""("卡号,交易时间,交易类型,数量\\n" + ('1,2,3,"' + "9," * (M // 4) + '"\\n') * 20).encode()""", "statement()"),
    "quotes": ("""("卡号,交易时间,交易类型,数量\\n" + ('"=""' + '""' * (M // 4) + '",2,3,4\\n') * 20).encode()""", "statement()"),
    "damaged names of a megabyte": (
        """("id,name\\n" + "".join(f"{k},{'甯傝储鏀垮眬&#' * 30_000}\\n" for k in range(20))).encode()""",
        'records("organisations", "csv")',
    ),
}  # fmt: skip


def test_texts_that_make_too_much_work_are_answered(tmp_path: Path) -> None:
    assert outcomes(TEXTS, tmp_path).keys() == TEXTS.keys()


@pytest.mark.parametrize(
    "number", ["1e999999999", "1e-999999999", "-1e-400", "0e999999999", "9" * 5_000, "1." + "9" * 5_000]
)
@pytest.mark.parametrize("field", ["points", "fine", "place", "id", "at", "zzz"])
def test_numbers_beyond_every_limit_are_no_numbers(number: str, field: str, tmp_path: Path) -> None:
    good = {"id": "a", "plate": "苏F12345", "at": "2026-03-02T08:00:00Z"} | {field: "@"}
    body = json.dumps(good, ensure_ascii=False).replace('"@"', number).encode()
    try:
        values = exact_json(body)
    except ValueError:
        return
    # Of a Decimal pydantic would make a whole number, for ever: so there must be none.
    assert not isinstance(values[field], int | float | str)
    assert "Decimal" not in type(values[field]).__name__
    with pytest.raises(ValueError, match=field):
        KINDS["violations"].model.model_validate(values)


def test_a_sheet_is_looked_at_as_before() -> None:
    text = (
        '<worksheet><sheetData><row r="1" hidden="1"><c r="A1"><f>1</f></c><c r="B1"><f>1</f><v></v></c><c r="C1"><f>1</f><v>2</v></c>'
        '<c r="D1"/><c r="E1" t="inlineStr"><f>1</f><is><t>x</t></is></c></row><row r="7"><c r="AB7" s="1"><v>1</v></c>'
        '<x:c r="AC9"/></row><row r="9"/></sheetData></worksheet>'
    )  # fmt: skip
    part, _ = looked_at(text.encode())
    assert part is not None
    assert part.uncomputed == {"A1", "B1"}
    assert (part.hidden_rows, part.rectangle) == (1, 7 * 28)


# --- what others sent, shown again


@pytest.mark.parametrize(
    "text", ["\x1b[31m红\x1b[0m", "a\nb", "a\rb", "\x9b31m", "\u202egnp.exe", "a\u200bb", "\u2028", "\ud800"]
)
def test_control_characters_reach_neither_log_nor_terminal(text: str) -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "of a stranger: %s", (text,), None)
    record.fields = {"plate": text}
    as_gbk = text.encode("gb18030", "ignore").decode("gb18030")
    for shown in (
        LineFormatter("api").format(record),
        one_line(as_gbk),
        command._line({"row": 1, "column": text, "message": text}),
    ):
        assert shown.isprintable()
        shown.encode()
    response = httpx.Response(422, json={"title": "t", "detail": text.replace("\ud800", ""), "errors": []})
    assert command._refusal(response).isprintable()


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", '=HYPERLINK("http://x")']
)
def test_text_of_an_export_is_no_formula(text: str) -> None:
    assert safe_cell(text) == "'" + text
    assert safe_cell(-5) == -5
    assert safe_cell("苏F12345") == "苏F12345"
    assert "safe_cell" in vars(table)


async def test_documents_of_the_api_load_nothing_from_elsewhere() -> None:
    app = create_app(Settings(), None, position_sink=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        page = await client.get("/docs")
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        for word in ("<script", "src=", "//cdn", "http://", "https://", "@import", "url("):
            # Addresses that are examples in the text of a description load nothing.
            assert word not in re.sub(r"http://www\.|&quot;https://[^&]*&quot;", "", page.text), word
        assert (await client.get("/redoc")).status_code == 404


def test_bounds_leave_room_for_what_offices_have() -> None:
    lines = "编号,名称\n" + "".join(f"u{k},第{k}单位\n" for k in range(bulk.MAX_ROWS))
    assert len(bulk.read_rows("organisations", lines.encode("gbk"), "csv")) == bulk.MAX_ROWS
