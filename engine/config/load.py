"""A YAML file → a `Config`, or every complaint about it at once, each with its line.

    file ── parse ──▶ tree with lines ── interpolate ──▶ tree ── validate + checks ──▶ Config | ConfigError

Values are never repeated in complaints: they may be secrets. What is named is the place, and what would be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import orjson
from pydantic import BaseModel, ValidationError

from engine.config.checks import did_you_mean, findings
from engine.config.document import BYTES_MAX, Document, Place, Tree, parse, written
from engine.config.interpolate import interpolate
from engine.config.tree import Config
from engine.errors import Complaint, ConfigError, UsageError
from engine.records import digest

COMPLAINTS_MAX = 200


def load_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Read and check a configuration file. `environment` is what `${NAME}` may name.

    Raises UsageError when there is no such file, ConfigError with everything that is wrong in it otherwise.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return parse_config(raw, environment, str(path))


def parse_config(raw: bytes, environment: Mapping[str, str], file: str = "") -> Config:
    """The same for text that is already here. Raises ConfigError."""
    document = parse(raw)
    if document.tree is None and not document.complaints:
        document.tree = {}
    if not isinstance(document.tree, dict):
        if not document.complaints:
            document.complain((), "the file must be a mapping of blocks", f"such as {', '.join(Config.model_fields)}")
        raise ConfigError(_in_order(document.complaints), file)
    interpolate(document, environment)
    config: Config | None = None
    try:
        config = Config.model_validate(document.tree)
    except ValidationError as error:
        _add_type_errors(document, error)
    for wrong in findings(document.tree):
        document.complain(wrong.place, wrong.message, wrong.suggestion)
    if document.complaints or config is None:
        raise ConfigError(_in_order(document.complaints), file)
    return config


def config_id(config: BaseModel) -> str:
    """A hash of a configuration or of one block, 16 hex digits: equal settings, equal id. Secrets are no part of it."""
    body = orjson.dumps(config.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return digest("config", body)[:16]


# ------------------------------------------------------------------------------------------------------- complaints
def _in_order(complaints: list[Complaint]) -> tuple[Complaint, ...]:
    """In the order of the file; those without a line last."""
    unique = dict.fromkeys(complaints)
    return tuple(sorted(unique, key=lambda c: (c.line == 0, c.line))[:COMPLAINTS_MAX])


def _add_type_errors(document: Document, error: ValidationError) -> None:
    """One complaint for each place: what several members of a union say about it is one sentence."""
    by_place: dict[Place, list[tuple[str, str]]] = {}
    for detail in error.errors(include_url=False):
        place = _place(document.tree, detail["loc"], missing=detail["type"] == "missing")
        by_place.setdefault(place, []).append(_words(place, detail))
    for place, said in by_place.items():
        if any(known.path == written(place) for known in document.complaints):
            continue  # a reference that was not found has been named already
        messages = dict.fromkeys(message for message, _ in said)
        suggestion = next((words for _, words in said if words), "")
        document.complain(place, ", or ".join(messages), suggestion)


def _place(tree: Tree, location: Sequence[str | int], *, missing: bool) -> Place:
    """What pydantic calls a location, without the names of union members, which are no part of the file."""
    place: list[str | int] = []
    for index, part in enumerate(location):
        if isinstance(tree, dict) and part in tree:
            tree = tree[str(part)]
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        elif not (missing and index == len(location) - 1):
            continue
        place.append(part)
    return tuple(place)


def _words(place: Place, detail: Any) -> tuple[str, str]:
    """What is wrong, in our words, and a suggestion. The input itself is used for nothing but finding a near word."""
    kind, context = detail["type"], detail.get("ctx") or {}
    if kind == "extra_forbidden":
        known = _keys_at(detail["loc"][:-1])
        return "unknown key", did_you_mean(str(place[-1]) if place else "", known)
    if kind == "missing":
        return "required", ""
    if kind in ("enum", "literal_error"):
        expected = str(context["expected"])
        known = [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]
        return f"must be one of {', '.join(known)}", _near(detail["input"], known)
    if kind == "union_tag_invalid":
        known = [word.strip("' ") for word in str(context["expected_tags"]).split(",")]
        given = detail["input"].get("type") if isinstance(detail["input"], dict) else None
        return f"type must be one of {', '.join(known)}", _near(given, known)
    if kind == "union_tag_not_found":
        return "needs a `type`", ""
    if kind == "too_short":
        return "must not be empty", ""
    if kind == "value_error":
        return str(context["error"]), ""
    if kind == "string_pattern_mismatch":
        return "use lower-case letters, digits, dot, dash and underscore", ""
    return str(detail["msg"]).replace("Input should", "must", 1), ""


def _near(given: object, known: list[str]) -> str:
    words = did_you_mean(given, known) if isinstance(given, str) else ""
    return words if words.startswith("did") else ""


def _keys_at(location: Sequence[str | int]) -> list[str]:
    """The keys that the block at pydantic's location knows; a part that is no field is an index or a union member's name."""
    models: list[type[BaseModel]] = [Config]
    for part in location:
        inner = [m.model_fields[str(part)].annotation for m in models if str(part) in m.model_fields]
        if inner:
            models = [model for annotation in inner for model in _models_in(annotation)]
        else:
            models = [m for m in models if _tag(m) in ("", part)] or models
    return sorted({key for model in models for key in model.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _tag(model: type[BaseModel]) -> str:
    """The one word of a sink's `type`, by which a union tells its members apart."""
    described = model.model_fields.get("type")
    return str(get_args(described.annotation)[0]) if described is not None else ""
