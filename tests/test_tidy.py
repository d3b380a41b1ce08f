"""Style as a test: each law names what to write instead. Exceptions are listed here, and only ever get fewer."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest
import tidy_rules as rules
from tidy_rules import Finding, Parsed

EXCEPTIONS: dict[str, dict[str, str]] = {
    # rule: {file: why}. Take lines out, do not add any.
    "broad_excepts": {"engine/runner.py": "the outermost loop: whatever happens to a shard is counted, told and bounded"},
}

LAWS: list[tuple[Callable[[Parsed], Iterator[Finding]], tuple[str, ...]]] = [
    (rules.file_size, ("engine", "detectors", "connectors", "benchmarks", "tests")),
    (rules.function_size, ("engine", "detectors", "connectors", "benchmarks", "tests")),
    (rules.arguments, ("engine", "detectors", "connectors")),
    (rules.nesting, ("engine", "detectors", "connectors")),
    (rules.clocks, ("engine/detect", "engine/correlate", "engine/respond", "engine/shard", "engine/config", "detectors")),
    (rules.randomness, ("engine", "detectors")),
    (rules.prints, ("engine", "detectors", "connectors")),
    (rules.evaluation, rules.PACKAGES),
    (rules.regexes, ("engine", "detectors", "connectors")),
    (rules.log_events, ("engine",)),
    (rules.broad_excepts, ("engine", "detectors", "connectors")),
    (rules.log_and_raise, ("engine", "connectors")),
    (rules.detector_imports, ("detectors",)),
    (rules.unseeable_names, ("detectors",)),
]

TEXT_FILES = ("*.py", "*.md", "*.yaml", "*.toml", "*.json", "Makefile", "Dockerfile", ".ci/run")
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.:/$}{-])/(home|root|Users|wo" + r"rk)/[\w.-]+")


@pytest.mark.parametrize(("law", "folders"), LAWS, ids=[law.__name__ for law, _ in LAWS])
def test_law(law: Callable[[Parsed], Iterator[Finding]], folders: tuple[str, ...]) -> None:
    excepted = EXCEPTIONS.get(law.__name__, {})
    found = [f"{p.path}:{line}: {words}" for p in rules.sources(*folders) if p.path not in excepted for line, words in law(p)]
    assert "\n".join(found) == ""


@pytest.mark.parametrize(("rule", "file"), [(rule, file) for rule, files in EXCEPTIONS.items() for file in files])
def test_an_exception_that_is_no_longer_needed_is_taken_out(rule: str, file: str) -> None:
    law = next(law for law, _ in LAWS if law.__name__ == rule)
    parsed = next((p for p in rules.sources(file.partition("/")[0]) if p.path == file), None)
    assert parsed is not None, f"{file} is gone: take it out of EXCEPTIONS"
    assert list(law(parsed)), f"{file} keeps {rule} now: take it out of EXCEPTIONS"


def _texts() -> Iterator[tuple[str, str]]:
    for pattern in TEXT_FILES:
        for path in sorted(rules.ROOT.rglob(pattern)):
            parts = path.relative_to(rules.ROOT).parts
            if (
                path.is_file()
                and not any(part.startswith(".") and part != ".ci" for part in parts[:-1])
                and parts[0] not in ("state", "build")
            ):
                yield "/".join(parts), path.read_text(errors="replace")


def test_nothing_is_left_unfinished() -> None:
    found = [f"{name}: {match[0]}" for name, text in _texts() for match in [UNFINISHED.search(text)] if match]
    assert "\n".join(found) == "", "finish it, or open an issue and leave no trace in the code"


def test_no_path_of_one_machine() -> None:
    found = [f"{name}: {match[0]}" for name, text in _texts() for match in [MACHINE_PATHS.search(text)] if match]
    assert "\n".join(found) == "", "paths come from arguments, the configuration or the repository's root"


def test_every_public_module_and_class_says_what_it_is_for() -> None:
    found = []
    for parsed in rules.sources("engine", "detectors", "connectors"):
        if ast.get_docstring(parsed.tree) is None:
            found.append(f"{parsed.path}: the module")
        plain = [n for n in parsed.tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
        found += [
            f"{parsed.path}:{n.lineno}: class {n.name}"
            for n in plain
            if ast.get_docstring(n) is None and not _speaks_for_itself(n, parsed.path)
        ]
    assert "\n".join(found) == ""


def _speaks_for_itself(node: object, path: str) -> bool:
    """Closed sets of words, and the configuration blocks, whose keys are documented one by one."""
    bases = [getattr(base, "id", "") for base in getattr(node, "bases", [])]
    return not {"StrEnum", "IntEnum", "Word"}.isdisjoint(bases) or path == "engine/config/tree.py"
