"""What a compiled loop is made of: the source of its module, and of every module of `detectors` that it imports, however far.

A snapshot holds bytes that only these sources can read. An edit of any other detector leaves it good.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import detectors

_FOLDER: Final = Path(detectors.__file__).parent
_PACKAGE: Final = detectors.__name__


@cache
def lineage_hash(modules: tuple[str, ...], folder: Path = _FOLDER) -> str:
    """16 hex digits over the sources of these modules (`detectors.level`, …) and of all that they import from `detectors`.

    Read once a process. The order of `modules` does not matter. Raises FileNotFoundError for a module that is not there.
    """
    state = hashlib.blake2b(digest_size=8)
    for name, source in sorted(_closure(modules, folder).items()):
        state.update(name.encode())
        state.update(source)
    return state.hexdigest()


def _closure(modules: Iterable[str], folder: Path) -> dict[str, bytes]:
    """Each module that is reached, by its name within the package, with its source."""
    found: dict[str, bytes] = {}
    waiting = [module.removeprefix(f"{_PACKAGE}.") for module in modules]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = (folder / f"{name}.py").read_bytes()
            waiting += _imported(found[name])
    return found


def _imported(source: bytes) -> list[str]:
    """Modules of the package that a source imports, by their names within it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == _PACKAGE:
            names += [f"{_PACKAGE}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    prefix = f"{_PACKAGE}."
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
