"""Avro bodies by their writer's schema, which a registry keeps. Read by fastavro, within what its compiled reader can bear.

A schema is refused that lets a short body ask for endless work: one that contains itself, whose reader would descend as deep as a body says
and end the process, arrays of items that take no bytes, and
one of more than ten thousand parts. Times stay the numbers that they are on the wire: a mapping says their unit.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import orjson

from connectors.codecs.plain import DEPTH_MAX, plain
from connectors.schemas import Schema
from engine.errors import DecodeError, Reject

NODES_MAX: Final = 10_000
"""Parts of a schema, counted each time that one is named: schemas may name each other so that few words stand for very many."""
_TORN: Final = (EOFError, IndexError, KeyError, ValueError, TypeError, OverflowError, ArithmeticError, RecursionError)
"""What fastavro raises for bodies that are not of the schema; UnicodeDecodeError is a ValueError."""
Reader = Callable[[bytes], Any]


def avro_reader(schema: Schema) -> Reader:
    """A function from a body to its document. Raises DecodeError(UNSUPPORTED) for a schema that cannot be used."""
    import fastavro

    named: dict[str, Any] = {}
    try:
        for _, text in schema.references:
            fastavro.parse_schema(_checked(text, named), named)
        parsed = fastavro.parse_schema(_checked(schema.text, named), named)
        _Walk(named).may_be_empty(parsed)
    except (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType, *_TORN) as error:
        raise DecodeError(Reject.UNSUPPORTED, f"the schema cannot be used: {type(error).__name__}") from error

    def read(body: bytes) -> Any:
        stream = BytesIO(body)
        try:
            found = fastavro.schemaless_reader(stream, parsed, None)
        except _TORN as error:
            raise DecodeError(Reject.MALFORMED, "not of its schema") from error
        if stream.tell() != len(body):
            raise DecodeError(Reject.MALFORMED, "something behind the document")
        return plain(found)

    return read


def _checked(text: str, named: dict[str, Any]) -> Any:
    """The schema without the meanings that its numbers have beside themselves, but for decimals."""
    return _bare(orjson.loads(text), 0) if text.lstrip()[:1] in '[{"' else named.get(text, text)


def _bare(node: Any, depth: int) -> Any:
    if depth > 2 * DEPTH_MAX:
        raise ValueError("nested too deeply")
    if isinstance(node, list):
        return [_bare(member, depth + 1) for member in node]
    if isinstance(node, dict):
        kept = {name: _bare(member, depth + 1) for name, member in node.items() if name != "default"}
        if kept.get("logicalType") != "decimal":
            kept.pop("logicalType", None)
        return kept
    return node


class _Walk:
    """Looks at a schema as a reader of a body would go through it."""

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named
        self._left = NODES_MAX

    def may_be_empty(self, node: Any, inside: tuple[str, ...] = ()) -> bool:
        """Whether a value of this schema may take no bytes at all. Raises ValueError for schemas that are refused."""
        self._left -= 1
        if self._left < 0 or len(inside) > DEPTH_MAX:
            raise ValueError("too large, or nested too deeply")
        if isinstance(node, list):  # a union begins with the number of its branch
            for branch in node:
                self.may_be_empty(branch, inside)
            return False
        if isinstance(node, str):
            self._refuse_inside(node, inside)
            return self.may_be_empty(self._named[node], inside) if node in self._named else node == "null"
        return self._of_type(node, node["type"], inside)

    def _of_type(self, node: dict[str, Any], kind: Any, inside: tuple[str, ...]) -> bool:
        if kind in ("record", "error"):
            self._refuse_inside(node["name"], inside)
            empty = [self.may_be_empty(field["type"], (*inside, node["name"])) for field in node["fields"]]
            return all(empty)
        if kind == "map":  # each member has a name of at least a byte
            self.may_be_empty(node["values"], (*inside, ""))
            return False
        if kind == "array":
            if self.may_be_empty(node["items"], (*inside, "")):
                raise ValueError("an array of nothing")
            return False
        if kind == "fixed":
            return int(node["size"]) == 0
        return kind != "enum" and self.may_be_empty(kind, inside)

    def _refuse_inside(self, name: str, inside: tuple[str, ...]) -> None:
        if name and name in inside:
            raise ValueError("contains itself")
