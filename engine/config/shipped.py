"""Files that come with the program: `configs/` of the checkout, or its copy inside an installed package."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UsageError

_PACKAGE = Path(__file__).parents[1]


def shipped(name: str) -> Path:
    """The path of `configs/<name>`. Raises UsageError when this installation came without it."""
    for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs"):
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"this installation has no {name}", "Install from the repository, or take the file from there.")
