"""The configuration tree as text: a reference page, and `configs/full.yaml` with every key at its default."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.config.tree import Config
from engine.config.values import Duration, Size

_IS_DURATION = get_args(Duration)[1]
_IS_SIZE = get_args(Size)[1]
_SECONDS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_BYTES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
_PLAIN_WORDS = {
    "str": "text",
    "int": "number",
    "float": "number",
    "bool": "true or false",
    "NoneType": "unset",
    "SecretStr": "secret",
}
WIDTH = 110


# --------------------------------------------------------------------------------------------------------- words
def duration_text(seconds: float) -> str:
    """`5m` for 300: the largest unit that divides."""
    if seconds < 1 or seconds != int(seconds):
        return f"{round(seconds * 1000)}ms"
    unit, length = next((u, n) for u, n in _SECONDS if u != "w" and int(seconds) % n == 0)
    return f"{int(seconds) // length}{unit}"


def size_text(size: int) -> str:
    """`1MiB` for 1048576."""
    return next((f"{size // n}{u}" for u, n in _BYTES if size % n == 0), f"{size}B")


def value_text(field: FieldInfo, value: Any) -> str:
    """A default as it is written in YAML."""
    if _IS_DURATION in field.metadata:
        return duration_text(value)
    if _IS_SIZE in field.metadata:
        return size_text(value)
    return _yaml(value)


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str):
        return f'"{value}"' if not value or value[0] in "*&!%@`'\"{[>|#-?:=" or value in ("true", "false", "null") else value
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_yaml(v) for v in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {_yaml(v)}' for k, v in value.items())}}}"
    return str(value)


def type_text(annotation: Any, metadata: tuple[Any, ...] | list[Any] = ()) -> str:
    """What may be written there, in words."""
    if _IS_DURATION in metadata:
        return "duration"
    if _IS_SIZE in metadata:
        return "size"
    origin, inner = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return type_text(inner[0], annotation.__metadata__)
    if origin is Literal:
        return " · ".join(f"`{word}`" for word in inner)
    if origin is dict:
        return f"{{{type_text(inner[0])}: {type_text(inner[1])}}}"
    if origin in (list, tuple):
        words = " , ".join(type_text(a) for a in inner)
        return f"list of {words}" if origin is list else f"[{words}]"
    if origin is Union or type(annotation).__name__ == "UnionType":
        return " or ".join(type_text(a) for a in inner)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " · ".join(f"`{member.value}`" for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return _PLAIN_WORDS.get(getattr(annotation, "__name__", ""), str(annotation))


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The configuration blocks that a type mentions."""
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for inner in get_args(annotation) for model in models_in(inner)]


def all_models() -> list[type[BaseModel]]:
    """Every block, outermost first."""
    found: list[type[BaseModel]] = [Config]
    for model in found:
        for field in model.model_fields.values():
            found += [inner for inner in models_in(field.annotation) if inner not in found]
    return found


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


# --------------------------------------------------------------------------------------------------------- the page
def configuration_page() -> str:
    """Every block and key as Markdown tables."""
    lines = [
        "# Configuration",
        "",
        "One YAML file. `foreshock check FILE` reports everything that is wrong in it, with line numbers; `foreshock schema` prints its",
        "JSON Schema. `${NAME}`, `${NAME:-default}` and `${file:/path}` are replaced in values; `$${` stands for a plain `${`.",
        "",
        "A *duration* is a number and a unit: `250ms`, `30s`, `5m`, `1h30m`, `7d`. A *size* is `900B`, `256kB`, `16MiB`.",
        "Unknown keys are refused. [configs/full.yaml](../../configs/full.yaml) has every key at its default.",
    ]
    for model in all_models():
        lines += [
            "",
            f"## {model.__name__}",
            "",
            _words(model.__doc__),
            "",
            "| key | what | default | meaning |",
            "|---|---|---|---|",
        ]
        lines += [_row(name, field) for name, field in model.model_fields.items()]
    return "\n".join(lines) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    if field.is_required():
        default = "required"
    elif models_in(field.annotation) and not isinstance(field.default, list):
        default = ""
    else:
        default = f"`{value_text(field, field.default)}`"
    what = type_text(field.annotation, field.metadata).replace("|", "\\|")
    return f"| `{name}` | {what} | {default} | {_words(field.description).replace('|', chr(92) + '|')} |"


# --------------------------------------------------------------------------------------------------------- the file
def full_yaml() -> str:
    """Every key at its default, each with what it means; the members of lists as commented examples."""
    lines = [
        "# Every key of the configuration at its default: written by `make docs`, do not edit.",
        "# Lists of blocks are empty; below each, in comments, stands what one member may say.",
    ]
    for name, field in Config.model_fields.items():
        lines.append("")
        lines += _field(name, field, 0)
    return "\n".join(lines) + "\n"


def _field(name: str, field: FieldInfo, indent: int) -> Iterator[str]:
    yield from _comment(_words(field.description), indent)
    margin = "  " * indent
    models = models_in(field.annotation)
    if models and not isinstance(field.default, list):
        yield from _comment(_words(models[0].__doc__), indent)
        yield f"{margin}{name}:"
        yield from _block(models[0], indent + 1)
        return
    default = f"{value_text(field, field.default)}" if not field.is_required() else ""
    choices = type_text(field.annotation, field.metadata)
    note = f"  # {choices.replace('`', '')}" if "`" in choices and not models else ""
    yield f"{margin}{name}: {default}{note}".rstrip()
    for model in models:
        yield from (f"{margin}  # {line}".rstrip() for line in _member(model))


def _block(model: type[BaseModel], indent: int) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield from _field(name, field, indent)


def _member(model: type[BaseModel]) -> Iterator[str]:
    """One member of a list of blocks, to be commented out."""
    yield f"{model.__name__}: {_words(model.__doc__)}"
    lines = list(_block(model, 1))
    first = next(i for i, line in enumerate(lines) if not line.lstrip().startswith("#"))
    for number, line in enumerate(lines):
        yield f"- {line[2:]}" if number == first else line


def _comment(words: str, indent: int) -> Iterator[str]:
    margin = "  " * indent + "# "
    line = ""
    for word in words.split():
        if line and len(margin) + len(line) + len(word) >= WIDTH:
            yield margin + line
            line = ""
        line = f"{line} {word}".lstrip()
    if line:
        yield margin + line
