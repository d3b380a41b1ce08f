"""Documentation that is wrong is a defect: commands, targets, paths and generated pages are checked against the program."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from metric_corpus import CORPUS, Run

from detectors.contract import Detector, Tier
from detectors.registry import DETECTORS
from engine.cli.app import COMMANDS
from engine.config.load import parse_config
from engine.config.tree import Format
from engine.metrics import METRICS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
REFERENCE = ROOT / "docs" / "reference"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())


def module_at(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page: Path, language: str = "") -> Iterator[str]:
    for match in re.finditer(r"^```(\w*)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        if not language or match[1] == language:
            yield match[2]


def command_lines(page: Path) -> Iterator[list[str]]:
    """Lines of code blocks, and inline code, that call our program or make."""
    lines = [line.removeprefix("$ ") for block in blocks(page) for line in block.splitlines()]
    lines += re.findall(
        r"`((?:foreshock|make) [^`\n]*)`", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    )
    for line in lines:
        if re.match(r"(foreshock|make) [a-z]", line):
            yield shlex.split(line, comments=True)


@each_page
def test_commands_and_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for program, word, *_ in command_lines(page):
        assert word in (COMMANDS if program == "foreshock" else targets), f"{program} {word}"


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        headings = {heading.strip().lower() for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
        assert anchor in headings, anchor


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"`((?:engine|detectors|connectors|configs|docs|tests)/[\w./-]+)`", page.read_text()):
        if not re.search(r"\bfoo\b|jump", name):
            assert (ROOT / name).exists(), name


@each_page
def test_metrics_that_are_named_are_exported(page: Path) -> None:
    for name in re.findall(r"\bforeshock_[a-z_]+\w", page.read_text()):
        assert name in METRICS, name


@each_page
def test_configuration_that_is_shown_is_valid(page: Path) -> None:
    for block in blocks(page, "yaml"):
        plain = re.sub(r"\$\{file:[^}]*\}", "x", block)
        parse_config(plain.encode(), {})


def test_generated_pages_are_what_the_code_says() -> None:
    behind = []
    for name, text in module_at(ROOT / "docs" / "generate.py").pages().items():
        path = ROOT / name
        if not path.exists() or path.read_text() != text:
            behind.append(name)
    assert behind == [], "run `make docs`"


def test_everything_that_is_registered_is_in_the_reference() -> None:
    text = "".join(page.read_text() for page in REFERENCE.glob("*.md"))
    wanted = [*DETECTORS, *Format, *METRICS, *COMMANDS]
    assert [word for word in wanted if f"`{word}`" not in text and f"## foreshock {word}" not in text] == []


def test_every_configuration_key_says_what_it_means() -> None:
    tables = re.findall(r"^\| `(\w+)` \|.*\| (.*?) \|$", (REFERENCE / "configuration.md").read_text(), re.MULTILINE)
    assert len(tables) > 100
    assert [key for key, meaning in tables if not meaning.strip()] == []


def test_the_detector_of_the_guide_compiles_and_keeps_the_first_law(tmp_path: Path) -> None:
    """It is cut into batches, and gives the same bits; it notices a jump."""
    module = tmp_path / "jump.py"
    module.write_text(next(blocks(ROOT / "docs" / "add-a-detector.md", "python")))
    jump = module_at(module)
    words = ("dip", "spike", "spike")
    detector = Detector("jump", Tier.FULL, jump.Params(), jump.STATE, jump.score_jump, words, words, 1.0, "the guide")
    ts_ns, value = CORPUS["noise"]
    value = value.copy()
    value[-1] += 1000.0
    whole, cut = Run(detector), Run(detector)
    verdict = whole.feed(ts_ns, value)
    parts = [cut.feed(ts_ns[:57], value[:57]), cut.feed(ts_ns[57:], value[57:])]
    assert np.concatenate(parts).tobytes() == verdict.tobytes()
    assert verdict["decades"][-1] > 4.0


def test_every_metric_of_the_table_is_counted_somewhere() -> None:
    folders = ("engine", "connectors")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.name != "metrics.py"]
    text = "".join(path.read_text() for path in files)
    assert [metric.name for metric in METRICS if f"Metric.{metric.name}" not in text] == []
