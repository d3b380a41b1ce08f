"""`${VAR}`, `${VAR:-default}` and `${file:/path}` in the text values of a parsed configuration. `$${` stands for a plain `${`.

Works on the tree, never on the file's text, so that no value can change the structure. A value that came from outside is
never repeated in a complaint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from engine.config.document import Document, Place, Tree

FILE_BYTES_MAX = 65_536
VALUE_CHARACTERS_MAX = 65_536

_REFERENCE = re.compile(r"\$(\$\{)|\$\{([^{}]*)\}|\$\{", re.ASCII)
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.ASCII | re.DOTALL)


def interpolate(document: Document, environment: Mapping[str, str]) -> None:
    """Replace every reference in the document's tree; what cannot be replaced becomes a complaint and stays empty."""
    document.tree = _replaced(document, document.tree, (), environment)


def _replaced(document: Document, tree: Tree, place: Place, environment: Mapping[str, str]) -> Tree:
    if isinstance(tree, dict):
        return {key: _replaced(document, value, (*place, key), environment) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_replaced(document, value, (*place, index), environment) for index, value in enumerate(tree)]
    if not isinstance(tree, str) or "${" not in tree:
        return tree

    def value_of(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        try:
            return _lookup(match[2], environment)
        except LookupError as error:
            document.complain(place, str(error.args[0]), str(error.args[1]))
            return ""

    text = _REFERENCE.sub(value_of, tree)
    if len(text) > VALUE_CHARACTERS_MAX:
        document.complain(place, f"longer than {VALUE_CHARACTERS_MAX:,} characters after replacement")
        return ""
    return text


def _lookup(reference: str | None, environment: Mapping[str, str]) -> str:
    """The text behind one reference. Raises LookupError(message, suggestion)."""
    if reference is not None and reference.startswith("file:"):
        return _file(Path(reference.removeprefix("file:")))
    match = _VARIABLE.fullmatch(reference or "")
    if match is None:
        raise LookupError(
            "a reference that cannot be read", "write ${NAME}, ${NAME:-default} or ${file:/path}; $${ for a plain ${"
        )
    name, default = match[1], match[2]
    value = environment.get(name, "")
    if value or (name in environment and default is None):
        return value
    if default is not None:
        return default
    raise LookupError(f"the environment variable {name} is not set", f"set it, or write ${{{name}:-default}}")


def _file(path: Path) -> str:
    """The text of a mounted secret or a small file, without the newline at its end."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(FILE_BYTES_MAX + 1)
        text = raw.decode()
    except OSError as error:
        raise LookupError(f"the file {path} cannot be read: {error.strerror}", "") from error
    except UnicodeDecodeError as error:
        raise LookupError(f"the file {path} is not UTF-8 text", "") from error
    if len(raw) > FILE_BYTES_MAX:
        raise LookupError(f"the file {path} has more than {FILE_BYTES_MAX:,} bytes", "")
    return text.removesuffix("\n").removesuffix("\r")
