"""The configuration that would read a topic, as YAML which `foreshock check` accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from engine.config.tree import Source

NAME_MAX: Final = 63
_PLAIN: Final = re.compile(r"[A-Za-z_.][A-Za-z0-9_./@=+ |-]*", re.ASCII)
_SIZES: Final = ((2**20, "MiB"), (2**10, "KiB"), (1, "B"))


def source_name(topic: str, taken: Iterable[str] = ()) -> str:
    """A name for the source of a topic, different from those taken.

    >>> source_name("Shop.Metrics_v2"), source_name("_x", ["x"])
    ('shop.metrics_v2', 'x-2')
    """
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in topic.lower())
    base = plain.lstrip("._-")[: NAME_MAX - 4] or "topic"
    used = set(taken)
    names = [base, *(f"{base}-{n}" for n in range(2, len(used) + 3))]
    return next(name for name in names if name not in used)


def block_of(source: Source) -> dict[str, Any]:
    """What a source says beyond the defaults, in the order of the tree, as a person would write it."""
    plain = source.model_dump(mode="json", exclude_defaults=True)
    mapping = source.mapping.model_dump(mode="json", exclude_defaults=True)
    block = {name: plain[name] for name in type(source).model_fields if name in plain and name != "mapping"}
    if "record_bytes_max" in block:
        block["record_bytes_max"] = _size(source.record_bytes_max)
    return {**_head(block), **({"mapping": mapping} if mapping else {}), **_tail(block)}


def _head(block: dict[str, Any]) -> dict[str, Any]:
    return {name: block[name] for name in ("name", "topics", "format", "compression") if name in block}


def _tail(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name not in _head(block)}


def _size(size: int) -> str:
    return next(f"{size // step}{unit}" for step, unit in _SIZES if size % step == 0)


def _text(representer: SafeRepresenter, text: str) -> ScalarNode:
    """Quoted unless it is plain beyond doubt: what a topic's documents call their members may be anything."""
    style = None if _PLAIN.fullmatch(text) else '"'
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def as_yaml(sources: Sequence[Source], bootstrap: str = "") -> str:
    """The text of a configuration; without a source there is none."""
    if not sources:
        return ""
    tree: dict[str, Any] = {"kafka": {"bootstrap": bootstrap}} if bootstrap else {}
    tree["sources"] = [block_of(source) for source in sources]
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = None  # what holds no further list or block stands on one line
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 200
    writer.representer.add_representer(str, _text)
    text = StringIO()
    writer.dump(tree, text)
    return text.getvalue()
