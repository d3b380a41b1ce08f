"""Members of a document that split the stream of its lines: those that a source keeps (`keep_log_labels`), by their dotted names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.records import Labels

VALUE_CHARS_MAX: Final = 256
"""Longer values are no labels."""


def kept_labels(members: Mapping[str, Any], names: Sequence[str]) -> Labels:
    """The members with these names, as text; what is absent, not scalar or too long is left out.

    >>> kept_labels({"http": {"status": 200}, "http.route": "/cart", "user": None}, ["http.status", "http.route", "user"])
    (('http.status', '200'), ('http.route', '/cart'))
    """
    found = ((name, _text(_at(members, name))) for name in names)
    return tuple((name, text) for name, text in found if 0 < len(text) <= VALUE_CHARS_MAX)


def _at(members: Mapping[str, Any], name: str) -> Any:
    """What is at a dotted name, whether its dots are nesting or part of a key; None when nothing is."""
    found = members.get(name)
    dot = name.find(".")
    while found is None and dot >= 0:
        inner = members.get(name[:dot])
        if type(inner) is dict:
            found = _at(inner, name[dot + 1 :])
        dot = name.find(".", dot + 1)
    return found


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    return repr(value) if type(value) is int or type(value) is float else ""
