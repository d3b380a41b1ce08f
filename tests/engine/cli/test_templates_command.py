"""`foreshock templates` keeps its contract: a row for each line, ids as assigned, texts as they stand at the end."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from detectors.tokens import LINE_BYTES_MAX
from engine.cli.templates import templates
from engine.errors import UsageError


def run(folder: Path, content: bytes) -> tuple[list[list[str]], dict[str, str]]:
    source, out = folder / "app.log", folder / "found" / "app.csv"
    source.write_bytes(content)
    templates(source, out)
    with out.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    with (folder / "found" / "app-final.csv").open(newline="", encoding="utf-8") as stream:
        final = list(csv.reader(stream))
    assert rows[0] == ["line", "template_id", "template"]
    assert final[0] == ["template_id", "template"]
    return rows[1:], {row[0]: row[1] for row in final[1:]}


def test_each_line_has_a_row_the_empty_ones_too(tmp_path: Path) -> None:
    rows, _ = run(tmp_path, b"took 5 ms\n\ntook 6 ms\r\nlast, without end")
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    assert [row[2] for row in rows] == ["took <*> ms", "", "took <*> ms", "last, without end"]
    assert rows[0][1] == rows[2][1] != rows[1][1]


def test_every_id_of_a_row_is_in_the_final_file_with_the_text_of_its_survivor(tmp_path: Path) -> None:
    lines = [b"shipping parcel for %s today\n" % name for name in (b"anna", b"bert", b"carl", b"dora", b"emil")]
    rows, final = run(tmp_path, b"".join(lines))
    assert {row[1] for row in rows} == set(final)
    assert set(final.values()) == {row[2] for row in rows} == {"shipping parcel for <*> today"}


def test_a_line_without_end_is_cut_and_stays_one_line(tmp_path: Path) -> None:
    rows, _ = run(tmp_path, b"x" * (3 * LINE_BYTES_MAX) + b"\nnext\n")
    assert [row[0] for row in rows] == ["1", "2"]
    assert rows[1][2] == "next"


def test_an_empty_file_gives_headers_only(tmp_path: Path) -> None:
    assert run(tmp_path, b"") == ([], {})


def test_a_missing_file_is_a_matter_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        templates(tmp_path / "nothing.log", tmp_path / "out.csv")
