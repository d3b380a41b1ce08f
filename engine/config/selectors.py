"""Which series somebody means, in the words that Prometheus users write: `http_requests_total{service="cart",code=~"5.."}`.

A name (a * matches any run of characters) and conditions on labels, any of them or both. A label that is not there is empty. Patterns are
RE2, and must match the whole value.

>>> selector = parse('http_requests_total{code=~"5..",method!="GET"}')
>>> selector.matches("http_requests_total", {"code": "503", "method": "POST"})
True
>>> selector.matches("http_requests_total", {"code": "503", "method": "GET"})
False
>>> wrong_with('http_requests_total{code=5}')
'not a selector from condition 1 on: a label, then =, !=, =~ or !~, then a value in double quotes'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import re2

CHARS_MAX: Final = 1000
CONDITIONS_MAX: Final = 20
_MEMORY_BYTES: Final = 2**20
_CONDITION: Final = re.compile(r'\s*([^\s={}!~,"]+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_HOW: Final = "a label, then =, !=, =~ or !~, then a value in double quotes"


@dataclass(frozen=True, slots=True)
class _Condition:
    """What one label must be."""

    label: str
    is_not: bool
    value: str
    pattern: Any  # RE2; None where the value must be equal

    def holds(self, value: str) -> bool:
        found = self.pattern.fullmatch(value) is not None if self.pattern is not None else value == self.value
        return bool(found) is not self.is_not


@dataclass(frozen=True, slots=True)
class Selector:
    """A name and conditions on labels."""

    name: str  # as it was written; "" any
    pattern: Any
    conditions: tuple[_Condition, ...]

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether a series of this name and these labels is meant."""
        if self.pattern is not None and self.pattern.fullmatch(name) is None:
            return False
        return all(condition.holds(labels.get(condition.label, "")) for condition in self.conditions)


def parse(text: str) -> Selector:
    """Raises ValueError with what is wrong."""
    if len(text) > CHARS_MAX:
        raise ValueError(f"a selector of more than {CHARS_MAX} characters")
    name, brace, body = text.strip().partition("{")
    name = name.strip()
    if brace and not body.endswith("}"):
        raise ValueError("the selector does not end with }")
    conditions = _conditions(body[:-1]) if brace else ()
    if not name and not conditions:
        raise ValueError("a selector of nothing: write a name, or conditions on labels")
    if "}" in name or '"' in name:
        raise ValueError(f"not a selector: a name, then conditions in braces, each {_HOW}")
    return Selector(name, _compiled(".*".join(re2.escape(part) for part in name.split("*"))) if name else None, conditions)


def _conditions(body: str) -> tuple[_Condition, ...]:
    found: list[_Condition] = []
    at = 0
    while body[at:].strip():
        match = _CONDITION.match(body, at)
        if match is None:
            raise ValueError(f"not a selector from condition {len(found) + 1} on: {_HOW}")
        if len(found) >= CONDITIONS_MAX:
            raise ValueError(f"more than {CONDITIONS_MAX} conditions")
        label, operator, value, _ = match.groups()
        value = _ESCAPE.sub(_unescaped, value)
        found.append(_Condition(label, operator[0] == "!", value, _compiled(value) if "~" in operator else None))
        at = match.end()
    return tuple(found)


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1] if match[1] in '"\\' else match[0]


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"no pattern of RE2: {said[:200]}") from error


def wrong_with(text: str) -> str:
    """What is wrong with a selector, in half a sentence; "" when nothing is."""
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return ""
