"""Paths into JSON documents, compiled once into small closures.

`kubernetes.labels.app.kubernetes.io/name` finds the member whether its dots are nesting or part of a key, in any mixture
(Beats nest, ecs-logging writes dotted keys, Kubernetes labels have dots in them). null is the same as absent. A path that begins with
`jmespath:` is an expression instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jmespath
import orjson
from jmespath.exceptions import JMESPathError

from engine.config.expressions import expression_of, wrong_with
from engine.errors import Complaint, ConfigError

_UNFIT: Final = (JMESPathError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""An expression that does not fit a document (a length of a number, the largest of a text and a number) finds nothing."""

Document = dict[str, Any]
Getter = Callable[[Document], Any]
LabelsGetter = Callable[[Document], tuple[tuple[str, str], ...]]

LABELS_MAX = 64
"""Members taken from an object of labels; the catalog's own limit is tighter and rejects."""


def alternatives(text: str) -> list[str]:
    """The paths that a path lists, in order. An expression is one: it has a bar of its own."""
    if expression_of(text) is not None:
        return [text]
    return [path.strip() for path in text.split("|")]


def compile_path(text: str) -> Getter:
    """A function from a document to what is at the path, None when nothing is. "" never finds anything."""
    getters = [_compile_one(path) for path in alternatives(text)]
    if len(getters) == 1:
        return getters[0]

    def first(document: Document) -> Any:
        for getter in getters:
            found = getter(document)
            if found is not None:
                return found
        return None

    return first


def _compile_one(path: str) -> Getter:
    expression = expression_of(path)
    if expression is not None:
        return _compile_expression(path, expression)
    if path.startswith("="):
        constant = path[1:]
        return lambda _: constant
    if path == "":
        return lambda _: None
    if path == ".":
        return lambda document: document
    parts = path.split(".")
    if len(parts) == 1:
        return lambda document: document.get(path)
    end = len(parts)
    # steps[i]: the keys that may stand at part i, shortest first, and the part at which the way goes on after each.
    steps = [[(".".join(parts[i:j]), j) for j in range(i + 1, end + 1)] for i in range(end)]

    def walk(document: Document, part: int) -> Any:
        for key, following in steps[part]:
            found = document.get(key)
            if found is None:
                continue
            if following == end:
                return found
            if type(found) is dict:
                inner = walk(found, following)
                if inner is not None:
                    return inner
        return None

    return lambda document: walk(document, 0)


def _compile_expression(path: str, expression: str) -> Getter:
    wrong = wrong_with(path)
    if wrong:
        raise ConfigError((Complaint("sources[].mapping", wrong),))
    search = jmespath.compile(expression).search
    sums = "sum(" in expression

    def read(document: Document) -> Any:
        try:
            found = search(document)
            if sums:  # of large integers: what is no 64-bit number could not be written any more
                found = orjson.loads(orjson.dumps(found))
        except _UNFIT:
            return None
        return found

    return read


def scalar_text(value: object) -> str | None:
    """A label's value as text: strings as they are, true and false, numbers; None for null, lists and objects."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int or type(value) is float:
        return repr(value)
    return None


def compile_labels(labels: Mapping[str, str] | str) -> LabelsGetter:
    """A function from a document to its labels, in the order of the mapping; what is absent or not scalar is left out."""
    wanted = {"*": labels} if isinstance(labels, str) else dict(labels)
    whole = compile_path(wanted.pop("*", ""))
    singles = [(name, compile_path(path)) for name, path in wanted.items()]

    def read(document: Document) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        members = whole(document)
        if type(members) is dict:
            for name, value in members.items():
                text = scalar_text(value)
                if text is not None:
                    found.append((name, text))
                if len(found) > LABELS_MAX:
                    break
        for name, getter in singles:
            text = scalar_text(getter(document))
            if text is not None:
                found.append((name, text))
        return tuple(found)

    return read
