"""The contract of `foreshock score`: one row out for each row in, whatever is in it."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from metric_corpus import noise
from typer.testing import CliRunner

from engine.cli.app import build_app
from engine.errors import UsageError

Row = dict[str, str]
HEADER = ["timestamp", "score", "alarm_score", "expected", "lower", "upper", "kind", "gate"]


def run(*arguments: str) -> None:
    result = CliRunner().invoke(build_app(["score"]), ["score", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output


def rows_of(file: Path) -> list[Row]:
    with file.open(newline="") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
    assert reader.fieldnames == HEADER
    return rows


def series_text(rows: int = 400) -> str:
    ts_ns, value = noise(rows, seed=30)
    value[-5:] += 80.0
    lines = [f"{t // 10**9},{v:.6f}" for t, v in zip(ts_ns.tolist(), value.tolist(), strict=True)]
    return "timestamp,value\n" + "\n".join(lines) + "\n"


def score_text(folder: Path, text: str, name: str = "a.csv") -> list[Row]:
    file = folder / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    run(str(file), "--out", str(folder / "out"))
    return rows_of(folder / "out" / name.removesuffix(".gz"))


def test_each_row_gets_a_row_and_a_fault_a_high_score(tmp_path: Path) -> None:
    rows = score_text(tmp_path, series_text())
    assert len(rows) == 400
    assert rows[0]["gate"] == "warming_up"
    assert rows[0]["score"] == ""
    assert rows[100]["gate"] == ""
    assert float(rows[-5]["score"]) >= 1.0 > float(rows[-10]["score"])
    assert float(rows[-5]["alarm_score"]) > 1.0
    assert float(rows[-10]["lower"]) < float(rows[-10]["expected"]) < float(rows[-10]["upper"])
    assert rows[-5]["kind"] == "spike"


def test_the_end_of_a_file_does_not_change_its_beginning(tmp_path: Path) -> None:
    text = series_text()
    whole = score_text(tmp_path, text)
    part = score_text(tmp_path, "".join(text.splitlines(keepends=True)[:301]), "part.csv")
    assert whole[:300] == part


def test_gzip_and_all_spellings_of_time_give_the_same(tmp_path: Path) -> None:
    text = series_text()
    seconds = score_text(tmp_path, text)
    spelled = {
        "ms.csv": lambda s: f"{s}000",
        "ns.csv.gz": lambda s: f"{s}000000000",
        "iso.csv": lambda s: str(np.datetime64(int(s), "s")),
        "zone.csv": lambda s: f"{np.datetime64(int(s), 's')}Z",
        "space.csv": lambda s: str(np.datetime64(int(s), "s")).replace("T", " "),
    }
    for name, spell in spelled.items():
        head, *lines = text.splitlines()
        changed = "\n".join([head, *(spell(line.split(",")[0]) + "," + line.split(",")[1] for line in lines)])
        rows = score_text(tmp_path, changed, name)
        assert [r["score"] for r in rows] == [r["score"] for r in seconds], name


def test_a_row_that_cannot_be_used_says_why_and_harms_no_other(tmp_path: Path) -> None:
    head, *lines = series_text().splitlines()
    time = lines[200].split(",")[0]
    odd = [f"{time},", "not a time,5", f"{lines[100]}", f"{time},words", f"{time},nan", "", ","]
    rows = score_text(tmp_path, "\n".join([head, *lines[:200], *odd, *lines[201:]]))
    assert len(rows) == 399 + 6
    assert [r["gate"] for r in rows[200:206]] == ["missing", "bad_time", "late", "missing", "missing", "bad_time"]
    assert all(r["score"] == "" and r["alarm_score"] == "0" for r in rows[200:206])
    assert rows[206]["gate"] == ""


def test_several_metrics_are_one_entity(tmp_path: Path) -> None:
    ts_ns, _ = noise(400)
    values = np.random.default_rng(31).normal(50.0, 2.0, (400, 6))
    values[-3:, 1:4] += 60.0
    values[50, :] = np.nan
    values[60, 2] = np.nan
    lines = [
        f"{t // 10**9}," + ",".join("" if np.isnan(v) else repr(float(v)) for v in row)
        for t, row in zip(ts_ns.tolist(), values, strict=True)
    ]
    rows = score_text(tmp_path, "timestamp,a,b,c,d,e,f\n" + "\n".join(lines))
    assert len(rows) == 400
    assert float(rows[-3]["score"]) >= 1.0 > float(rows[-10]["score"])
    assert rows[50]["gate"] == "missing"


@pytest.mark.parametrize("text", ["", "\n", "timestamp\n1\n"])
def test_a_file_without_a_header_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="header"):
        score_text(tmp_path, text)


def test_a_file_of_a_header_only_gives_a_header_only(tmp_path: Path) -> None:
    assert score_text(tmp_path, "timestamp,value\n") == []


def test_files_of_one_name_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        run(str(tmp_path / "none.csv"), "--out", str(tmp_path))
    (tmp_path / "a.csv").write_text(series_text(10))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(series_text(10).encode()))
    with pytest.raises(UsageError, match="same name"):
        run(str(tmp_path / "a.csv"), str(tmp_path / "a.csv.gz"), "--out", str(tmp_path / "out"))
