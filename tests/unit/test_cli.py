"""The command line: it explains itself, starts quickly, and turns every failure into a sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from gongche.cli import COMMANDS, main

HEAVY = ("numpy", "fastapi", "asyncpg", "shapely", "pyarrow", "aiokafka", "uvicorn", "pydantic")


def run_cli(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    return subprocess.run(
        [sys.executable, "-m", "gongche", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean | environment,
        check=False,
    )


def test_help_lists_every_command_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^ +{command.name}\s", text, re.MULTILINE)
        assert command.chinese in text
        assert command.english.split()[0] in text


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from gongche.cli import build_parser; build_parser(None).format_help();"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_each_command_has_a_manual(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert f"usage: gongche {name}" in capsys.readouterr().out


def test_no_command_shows_the_manual(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "gongche up --demo" in capsys.readouterr().out


def test_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["fly"])
    assert end.value.code == 2
    assert "fly" in capsys.readouterr().err


def test_wrong_setting_names_the_variable_and_has_status_78() -> None:
    done = run_cli("settings", GONGCHE_TCP_PORT="harbour")
    assert done.returncode == 78
    assert "GONGCHE_TCP_PORT" in done.stderr
    assert "hint" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_say_where_a_value_came_from_and_hide_passwords() -> None:
    done = run_cli("settings", GONGCHE_DATABASE_URL="postgresql://u:geheim@h/db", GONGCHE_HTTP_PORT="8123")
    assert done.returncode == 0
    assert "geheim" not in done.stdout
    assert "postgresql://u:***@h/db" in done.stdout
    assert "GONGCHE_HTTP_PORT=8123  [设置 / set]" in done.stdout
    assert "GONGCHE_TCP_PORT=8808  [默认 / default]" in done.stdout
    values = orjson.loads(run_cli("settings", "--json").stdout)
    assert values["GONGCHE_TCP_PORT"] == "8808"
    assert values["GONGCHE_DATABASE_URL"] is None


def test_settings_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "gongche.env"
    file.write_text("GONGCHE_HTTP_PORT=8124\n")
    assert "GONGCHE_HTTP_PORT=8124" in run_cli("settings", GONGCHE_ENV_FILE=str(file)).stdout


def test_output_cut_off_by_its_reader_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "gongche", "settings"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_up_refuses_demo_options_without_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--exit-when-done"]) == 78
    assert "--demo" in capsys.readouterr().err


def test_import_needs_a_token_and_a_known_kind_of_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "vehicles", str(tmp_path / "a.pdf")]) == 78
    assert ".csv" in capsys.readouterr().err
    assert main(["import", "vehicles", str(tmp_path / "missing.csv")]) == 78
    assert "missing.csv" in capsys.readouterr().err


def test_import_says_that_the_api_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n")
    (tmp_path / "token").write_text("x\n")
    done = run_cli(
        "import", "vehicles", str(tmp_path / "a.csv"),
        "--api", "http://127.0.0.1:1", "--token-file", str(tmp_path / "token"),
    )  # fmt: skip
    assert done.returncode == 75
    assert "does not answer" in done.stderr
