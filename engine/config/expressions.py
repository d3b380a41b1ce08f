"""JMESPath expressions in a mapping: where a dotted path cannot go, into arrays and along conditions.

They are compiled when the configuration is read. What an expression may cost is bounded by what it may say: evaluation is linear in the
document, and what it makes is at most so many times as large, because nothing that multiplies its input may be said often.

>>> expression_of("jmespath: alerts[?status=='firing'] | [0].labels.service")
"alerts[?status=='firing'] | [0].labels.service"
>>> wrong_with("jmespath: join(',', names)")
'the function join may not be used'
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

PREFIX: Final = "jmespath:"
CHARS_MAX: Final = 500
NODES_MAX: Final = 100
COPIES_MAX: Final = 64
"""A list of n expressions may repeat the document n times, each of them again, and so on: this bounds the product."""
FUNCTIONS: Final = frozenset(
    {
        *("abs", "avg", "contains", "ends_with", "keys", "length", "map", "max", "max_by", "merge", "min", "min_by", "not_null"),
        *("reverse", "sort", "sort_by", "starts_with", "sum", "to_array", "to_string", "type", "values"),
    }
)
"""Not: `join` multiplies two lengths of the document; `to_number`, `ceil`, `floor` make integers of any length."""


def expression_of(path: str) -> str | None:
    """The expression of a path that is one; None for dotted paths and constants."""
    text = path.strip()
    return text.removeprefix(PREFIX).strip() if text.startswith(PREFIX) else None


def wrong_with(path: str) -> str:
    """What is wrong with the expression of a path, in half a sentence; "" when nothing is, or when it is no expression."""
    expression = expression_of(path)
    if expression is None:
        return ""
    if len(expression) > CHARS_MAX:
        return f"an expression of more than {CHARS_MAX} characters"
    try:
        tree = jmespath.compile(expression).parsed
    except (JMESPathError, ValueError, RecursionError) as error:
        return f"no JMESPath: {str(error).splitlines()[0][:200] if str(error) else 'it cannot be parsed'}"
    nodes = list(_nodes(tree))
    if len(nodes) > NODES_MAX:
        return f"an expression of more than {NODES_MAX} parts"
    copies = 1
    for node in nodes:
        if node["type"] == "function_expression":
            if node["value"] not in FUNCTIONS:
                return f"the function {node['value']} may not be used"
            copies *= 2 if node["value"] == "to_string" else 1  # quoting doubles what was quoted before
        elif node["type"] in ("multi_select_list", "multi_select_dict"):
            copies *= max(1, len(node["children"]))
    return f"lists within lists that repeat the document more than {COPIES_MAX} times" if copies > COPIES_MAX else ""


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict) and "type" in node:
            yield node
            waiting += node.get("children", ())
            if isinstance(node.get("value"), dict):
                waiting.append(node["value"])
