"""YAML text → a plain tree and the line of every place in it.

Scalars stay what they are written as: text, true/false or null. Numbers and times stay text too: the configuration's own
types decide what `5`, `010` or `2026-01-01T00:00:00Z` is, so that a bare number is no duration and a time is no date object.
Refused: tags, merge keys, repeated keys, several documents, and anything beyond the limits (aliases count each time).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from engine.errors import Complaint

BYTES_MAX = 1_048_576
NODES_MAX = 50_000
DEPTH_MAX = 32

Tree: TypeAlias = "bool | str | list[Tree] | dict[str, Tree] | None"
Place = tuple[str | int, ...]
"""Keys and indices from the root."""

_STANDARD_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Document:
    """A parsed file: its tree, the 1-based line of each place, and what was wrong with it as YAML."""

    tree: Tree = None
    lines: dict[Place, int] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of the place, or of the nearest thing around it that the file has."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 0)

    def complain(self, place: Place, message: str, suggestion: str = "") -> None:
        self.complaints.append(Complaint(written(place), message, self.line(place), suggestion))


def written(place: Place) -> str:
    """A place as people write it: `sources[0].format`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def parse(raw: bytes) -> Document:
    """Read one YAML document. Never raises: what is wrong is in `complaints`, and the tree holds the rest."""
    document = Document()
    if len(raw) > BYTES_MAX:
        document.complain((), f"the file has {len(raw):,} bytes, the limit is {BYTES_MAX:,}")
        return document
    try:
        root = YAML(typ="safe", pure=True).compose(raw.decode())
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        document.complaints.append(Complaint("", "not UTF-8 text", line))
        return document
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = error.problem or error.context or "not YAML"
        document.complaints.append(Complaint("", f"not valid YAML: {words}", mark.line + 1 if mark else 0))
        return document
    except (YAMLError, ValueError) as error:
        document.complain((), f"not valid YAML: {str(error).splitlines()[0]}")
        return document
    except RecursionError:
        document.complain((), "nested too deeply")
        return document
    if root is not None:
        document.tree = _Reader(document).read(root, ())
    return document


class _Reader:
    """Turns YAML's node graph into a tree, with a budget: an alias is paid for each time it is used."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._budget = NODES_MAX

    def read(self, node: Node, place: Place) -> Tree:
        self._budget -= 1
        self._document.lines.setdefault(place, node.start_mark.line + 1)
        if self._budget < 0 or len(place) > DEPTH_MAX:
            if self._budget != -1:
                self._document.complain(place, "nested too deeply")
            else:
                self._document.complain(place, f"more than {NODES_MAX:,} values, each use of an alias counted")
            self._budget = min(self._budget, -2)
            return None
        if not str(node.tag).startswith(_STANDARD_TAG):
            self._document.complain(place, "YAML tags are not allowed")
            return None
        if isinstance(node, MappingNode):
            return dict(self._members(node, place))
        if isinstance(node, SequenceNode):
            return [self.read(child, (*place, index)) for index, child in enumerate(node.value) if self._budget >= 0]
        return self._scalar(str(node.tag), str(node.value), place)

    def _members(self, node: MappingNode, place: Place) -> Iterator[tuple[str, Tree]]:
        seen: dict[str, int] = {}
        for key, value in node.value:
            if self._budget < 0:
                return
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self._document.complaints.append(Complaint(written(place), "a key must be text", line))
            elif key.value == "<<":
                self._document.complaints.append(
                    Complaint(written(place), "merge keys are not supported: write the keys out", line)
                )
            elif key.value in seen:
                inner = written((*place, key.value))
                self._document.complaints.append(Complaint(inner, f"written twice, first on line {seen[key.value]}", line))
            else:
                seen[key.value] = line
                inside: Place = (*place, key.value)
                self._document.lines[inside] = line
                yield key.value, self.read(value, inside)

    def _scalar(self, tag: str, text: str, place: Place) -> Tree:
        kind = tag.removeprefix(_STANDARD_TAG)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "binary":
            self._document.complain(place, "binary values are not allowed")
            return None
        return text
