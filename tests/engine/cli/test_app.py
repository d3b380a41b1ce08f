"""Laws of the command line: lazy, exit codes, complaints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from engine.cli.app import COMMANDS, main
from engine.cli.schema import config_schema


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in shown] == []


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_options_that_it_can_explain(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Usage: foreshock {name}" in shown


def test_dashboards_writes_what_grafana_and_prometheus_take(tmp_path: Path) -> None:
    assert main(["dashboards", "--out", str(tmp_path / "new")]) == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["foreshock.json", "rules.yaml", "scrape.yaml"]


def test_version_and_check_import_nothing_heavy(tmp_path: Path) -> None:
    empty = tmp_path / "c.yaml"
    empty.write_text("")
    program = (
        "import sys\nfrom engine.cli.app import main\n"
        f"assert main(['version']) == 0 and main(['check', {str(empty)!r}]) == 0\n"
        "heavy = {'numba', 'river', 'confluent_kafka', 'starlette', 'httpx2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_broken_file_gives_every_complaint_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("kafka: {bootstrapp: x}\nlog:\n  level: loud\n")
    assert main(["check", str(file)]) == 2
    told = capsys.readouterr().err
    assert "2 complaints" in told
    assert "line 1: kafka.bootstrapp" in told
    assert "line 3: log.level" in told


def test_complaints_as_json_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("log:\n  level: loud\n")
    assert main(["check", str(file), "--output", "json"]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    told = orjson.loads(line)
    assert told["ok"] is False
    assert told["complaints"][0]["line"] == 2


@pytest.mark.parametrize("words", [["chek"], ["check"], ["check", "/no/such/file.yaml"], ["version", "--output", "xml"]])
def test_bad_usage_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err


def test_the_schema_knows_every_block_and_shows_durations_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert orjson.loads(capsys.readouterr().out) == config_schema()
    schema = config_schema()
    assert schema["title"] == "Foreshock configuration"
    assert "pattern" in orjson.dumps(schema).decode()
