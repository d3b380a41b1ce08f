"""What `test_tidy` looks for, as small functions over one parsed file. Each yields (line, what to do instead)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "detectors", "connectors", "benchmarks")

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
ARGUMENTS_MAX = 7
NESTING_MAX = 3

Finding = tuple[int, str]

BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
CLOCK_CALLS = {
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "datetime.datetime.now",
    "date.today",
    "datetime.date.today",
}
RANDOM_CALLS = {"uuid.uuid4", "uuid.uuid1", "os.urandom", "secrets.token_hex", "secrets.token_bytes", "random.Random"}
DETECTOR_IMPORTS = {"numpy", "numba", "river", "annotated_types", "detectors", "re2", "__future__"}
PURE_LIBRARY = {
    "abc",
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "itertools",
    "math",
    "os",
    "pathlib",
    "re",
    "struct",
    "tempfile",
    "typing",
}


class Parsed(NamedTuple):
    """One source file, read once."""

    path: str  # from the root of the repository, with slashes
    text: str
    tree: ast.Module


def sources(*folders: str) -> list[Parsed]:
    """Every Python file below the folders."""
    return [_parsed(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def _parsed(path: Path) -> Parsed:
    text = path.read_text()
    return Parsed(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))


def file_size(parsed: Parsed) -> Iterator[Finding]:
    lines = parsed.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield 1, f"{lines} lines: split it along what it does (at most {FILE_LINES_MAX})"


def function_size(parsed: Parsed) -> Iterator[Finding]:
    for node in functions(parsed.tree):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield node.lineno, f"{node.name} has {lines} lines: name its steps (at most {FUNCTION_LINES_MAX})"


def arguments(parsed: Parsed) -> Iterator[Finding]:
    """Compiled loops are exempt: arrays in, arrays out, nothing bundled, because numba pays for bundles."""
    for node in functions(parsed.tree):
        taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        count = len([a for a in taken if a.arg not in ("self", "cls")])
        if count > ARGUMENTS_MAX and not _is_compiled(node) and not _is_command(node):
            yield node.lineno, f"{node.name} takes {count} arguments: give what belongs together a name (at most {ARGUMENTS_MAX})"


def nesting(parsed: Parsed) -> Iterator[Finding]:
    for node in functions(parsed.tree):
        depth = max((_depth(child, 0) for child in node.body), default=0)
        limit = NESTING_MAX + 1 if _is_compiled(node) else NESTING_MAX  # a kernel's outermost loop is its caller, inlined
        if depth > limit:
            yield node.lineno, f"{node.name} nests {depth} deep: return early, or give the inner loop a name (at most {limit})"


def _depth(node: ast.AST, depth: int) -> int:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
        return depth
    here = depth + isinstance(node, BLOCKS)
    deepest = here
    for name, value in ast.iter_fields(node):
        is_elif = name == "orelse" and isinstance(node, ast.If) and len(value) == 1 and isinstance(value[0], ast.If)
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                deepest = max(deepest, _depth(child, depth if is_elif else here))
    return deepest


def _is_compiled(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(d) in ("kernel", "device", "inlined") for d in node.decorator_list)


def _is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command's arguments are its options; typer wants each by itself."""
    return any("typer." in ast.unparse(a.annotation) for a in [*node.args.args, *node.args.kwonlyargs] if a.annotation)


def clocks(parsed: Parsed) -> Iterator[Finding]:
    for node in ast.walk(parsed.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CLOCK_CALLS:
            yield node.lineno, f"{ast.unparse(node.func)}: event time comes with the data; ask a `Clock` where wall time is meant"


def randomness(parsed: Parsed) -> Iterator[Finding]:
    for node in ast.walk(parsed.tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        is_global = called.startswith(("random.", "np.random.", "numpy.random.")) and not (
            called.endswith("default_rng") and node.args
        )
        if called in RANDOM_CALLS or is_global:
            yield node.lineno, f"{called}: ids are digests of stamps, seeds come from the configuration"


def prints(parsed: Parsed) -> Iterator[Finding]:
    for node in ast.walk(parsed.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "breakpoint"):
            yield node.lineno, f"{node.func.id}(): typer.echo in commands, a log event elsewhere"


def evaluation(parsed: Parsed) -> Iterator[Finding]:
    for node in ast.walk(parsed.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "eval",
            "exec",
            "compile",
            "yaml.load",
            "os.system",
            "__import__",
        ):
            yield node.lineno, f"{ast.unparse(node.func)}(): nothing here runs text"


def regexes(parsed: Parsed) -> Iterator[Finding]:
    """A pattern in `re` is ours, written out: what comes from a user goes to re2, which cannot blow up."""
    for node in ast.walk(parsed.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or ast.unparse(node.func.value) != "re":
            continue
        if node.func.attr == "escape" or not node.args or isinstance(node.args[0], (ast.Constant, ast.JoinedStr)):
            continue
        if isinstance(node.args[0], ast.Name) and node.args[0].id.isupper():
            continue
        if isinstance(node.args[0], ast.BinOp | ast.Call) and not [
            n for n in ast.walk(node.args[0]) if isinstance(n, ast.Attribute)
        ]:
            continue
        yield node.lineno, f"re.{node.func.attr} of something that is not a literal: user patterns go through re2"


def log_events(parsed: Parsed) -> Iterator[Finding]:
    for node in ast.walk(parsed.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in LOG_METHODS:
            continue
        if "log" not in ast.unparse(node.func.value).lower() or not node.args:
            continue
        event = node.args[0]
        if isinstance(event, ast.JoinedStr):
            yield node.lineno, "an f-string as a log event: a fixed noun_verb, and fields"
        elif isinstance(event, ast.Constant) and not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", str(event.value)):
            yield node.lineno, f"log event {event.value!r}: name it noun_verb in the past, such as batch_decoded"


def broad_excepts(parsed: Parsed) -> Iterator[Finding]:
    for node in ast.walk(parsed.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            if caught in ("", "Exception", "BaseException"):
                yield node.lineno, f"except {caught or '(bare)'}: name the narrowest class"


def log_and_raise(parsed: Parsed) -> Iterator[Finding]:
    for handler in (n for n in ast.walk(parsed.tree) if isinstance(n, ast.ExceptHandler)):
        logs = [n for s in handler.body for n in ast.walk(s) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
        told = any(
            n.func.attr in LOG_METHODS and "log" in ast.unparse(n.func.value).lower()
            for n in logs
            if isinstance(n.func, ast.Attribute)
        )
        if told and isinstance(handler.body[-1], ast.Raise):
            yield handler.lineno, "logs and raises: do one of them"


def imports(parsed: Parsed) -> Iterator[tuple[int, str]]:
    """The first word of each imported module, with its line."""
    for node in ast.walk(parsed.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module.partition(".")[0]


def detector_imports(parsed: Parsed) -> Iterator[Finding]:
    for line, module in imports(parsed):
        if module not in DETECTOR_IMPORTS | PURE_LIBRARY:
            yield line, f"import {module}: detectors know numpy, numba, river, annotated_types and each other"


def unseeable_names(parsed: Parsed) -> Iterator[Finding]:
    """Fields of structured state that are also methods of arrays work compiled and break interpreted."""
    for node in ast.walk(parsed.tree):
        if isinstance(node, ast.Constant) and node.value in ("mean", "var", "min", "max", "size", "std", "sum"):
            parent = ast.get_source_segment(parsed.text, node)
            if parent and re.search(rf"\(\s*{re.escape(parent)}\s*,\s*(np\.|\")", parsed.text):
                yield node.lineno, f"state field {node.value!r}: arrays have a method of that name"
