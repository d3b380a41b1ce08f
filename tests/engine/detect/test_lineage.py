"""What a kernel is made of: its own module and what that imports, nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import detectors
from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.detect.lineage import lineage_hash

FOLDER = Path(detectors.__file__).parent


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """All sources of the detectors, to be edited."""
    for path in FOLDER.glob("*.py"):
        shutil.copy(path, tmp_path)
    return tmp_path


def edited(folder: Path, name: str) -> Path:
    with (folder / f"{name}.py").open("a") as file:
        file.write("# edited\n")
    return folder


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("level", True),  # the module itself
        ("tails", True),  # what it imports
        ("portable", True),  # as `from detectors.portable import …`
        ("kernel", True),
        ("season", False),
        ("templates", False),
        ("registry", False),
    ],
)
def test_the_hash_changes_with_what_the_kernel_is_made_of_and_with_nothing_else(copied: Path, name: str, changes: bool) -> None:
    before = lineage_hash(("detectors.level",), FOLDER)
    assert (lineage_hash(("detectors.level",), edited(copied, name)) != before) is changes


def test_modules_may_be_named_in_any_order() -> None:
    assert lineage_hash(("detectors.level", "detectors.rate")) == lineage_hash(("detectors.rate", "detectors.level"))


def test_a_light_bank_does_not_depend_on_the_kernels_of_others(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Projection is no light detector: with another source of it the light bank's snapshots stay good, the standard one's do not."""
    before = {tier: Bank(Detect(tier=tier)).kernel_id for tier in ("light", "standard")}
    folder = edited(copied, "projection")
    monkeypatch.setattr("engine.detect.bank.lineage_hash", lambda modules: lineage_hash(modules, folder))
    assert Bank(Detect(tier="light")).kernel_id == before["light"]
    assert Bank(Detect(tier="standard")).kernel_id != before["standard"]
