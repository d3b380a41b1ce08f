"""Writes what can be read off the code: `docs/reference/*.md`, `docs/anomalies.md` and its pictures, and `configs/full.yaml`.

Run it by `make docs`. `tests/test_docs.py` generates everything again and compares, so that no page is behind the code.
"""

from __future__ import annotations

import inspect
import re
import sys
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import typer

sys.path.insert(0, str(Path(__file__).parent))

import plots
from config_text import configuration_page, full_yaml

from connectors.codecs import CODECS
from detectors.registry import DETECTORS
from engine.cli.app import COMMANDS
from engine.config.tree import AnySink
from engine.detect.gates import Gate
from engine.errors import Reject
from engine.metrics import METRICS
from engine.records import ActionState, AlertState, AnomalyKind, IncidentState
from engine.respond.policy import Reason

ROOT = Path(__file__).parent.parent
WRITTEN = "<!-- Written by `make docs` from the code: do not edit. -->\n"


def pages() -> dict[str, str]:
    """Path from the root of the repository → text, of everything that is generated."""
    reference = {
        "configuration": configuration_page(),
        "commands": commands_page(),
        "metrics": metrics_page(),
        "detectors": detectors_page(),
        "connectors": connectors_page(),
        "words": words_page(),
    }
    texts = {f"docs/reference/{name}.md": WRITTEN + text for name, text in reference.items()}
    texts["configs/full.yaml"] = full_yaml()
    return texts | plots.pages()


def metrics_page() -> str:
    lines = ["# Metrics", "", "On `/metrics` of the admin port; `process_*` are those of the process.", ""]
    lines += ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric, about in METRICS.items():
        lines.append(f"| `{metric}` | {about.kind} | {', '.join(f'`{label}`' for label in about.labels)} | {about.help} |")
    return "\n".join(lines) + "\n"


def detectors_page() -> str:
    lines = [
        "# Detectors",
        "",
        "A *tier* is how much state a series is worth; each holds the detectors of the lower ones too. To add a detector, see",
        "[add-a-detector.md](../add-a-detector.md).",
        "",
        "| detector | tier | bytes a series | same bits everywhere | what it notices | source |",
        "|---|---|---|---|---|---|",
    ]
    for name, detector in DETECTORS.items():
        what = _first_line(_module_of(type(detector.params)).__doc__)
        portable = "yes" if detector.portable else "no"
        lines.append(
            f"| `{name}` | {detector.tier.name.lower()} | {detector.state.itemsize} | {portable} | {what} | {detector.source} |"
        )
    for name, detector in DETECTORS.items():
        lines += ["", f"## {name}", "", "| parameter | value |", "|---|---|"]
        lines += [f"| `{field}` | {getattr(detector.params, field)} |" for field in type(detector.params)._fields]
    return "\n".join(lines) + "\n"


def connectors_page() -> str:
    lines = ["# Formats and sinks", "", "## Input formats", "", "| format | what it reads |", "|---|---|"]
    lines += [f"| `{name}` | {_first_line(_module_of(codec).__doc__)} |" for name, codec in CODECS.items()]
    lines += ["", "## Sinks", "", "| type | what it does |", "|---|---|"]
    for model in get_args(get_args(AnySink)[0]):
        (kind,) = get_args(model.model_fields["type"].annotation)
        lines.append(f"| `{kind}` | {_first_line(model.__doc__)} |")
    return "\n".join(lines) + "\n"


def words_page() -> str:
    """The closed sets that people meet as labels and fields, with the comments of their source."""
    sets: dict[str, type[StrEnum]] = {
        "Why a record is refused (`reason` of `foreshock_records_rejected_total`, and a dead letter's header)": Reject,
        "Gates: why an anomaly is no alert (`gate` of `foreshock_anomalies_gated_total`)": Gate,
        "Kinds of anomaly": AnomalyKind,
        "Life of an alert": AlertState,
        "Life of an incident": IncidentState,
        "Life of an action": ActionState,
        "Why an action is held back (`reason` of `foreshock_actions_total`)": Reason,
    }
    lines = ["# Words", "", "What labels, fields and states may say."]
    for title, words in sets.items():
        comments = dict(re.findall(r'= "([\w-]+)"  # (.+)', inspect.getsource(words)))
        lines += ["", f"## {title}", ""]
        lines += [f"- `{word}`{f': {comments[word]}' if word in comments else ''}" for word in words]
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    lines = [
        "# Commands",
        "",
        "Exit codes: 0 ok, 1 failed, 2 bad usage or configuration, 3 findings, 4 a dependency cannot be reached. Results go to stdout,",
        "progress and complaints to stderr.",
    ]
    for name, command in COMMANDS.items():
        module, _, attribute = command.target.partition(":")
        function = getattr(import_module(module), attribute)
        lines += ["", f"## foreshock {name}", "", command.help, ""]
        rows = [_parameter_row(*parameter) for parameter in _parameters(function)]
        lines += ["| | default | meaning |", "|---|---|---|", *rows] if rows else ["It takes no options."]
    return "\n".join(lines) + "\n"


def _parameters(function: Any) -> list[tuple[str, Any, Any, Any]]:
    """Name, type, typer's information and default of each argument and option."""
    hints = get_type_hints(function, include_extras=True)
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        kind, *metadata = get_args(hints[name]) if hasattr(hints[name], "__metadata__") else (hints[name],)
        found.append((name, kind, metadata[0] if metadata else typer.Option(), parameter.default))
    return found


def _parameter_row(name: str, kind: Any, info: Any, default: Any) -> str:
    if isinstance(info, typer.models.ArgumentInfo):
        repeated = "..." if get_origin(kind) in (list, tuple) else ""
        shown = f"{name.upper()}{repeated}"
    else:
        named = [word for word in info.param_decls or () if word.startswith("--")]
        shown = named[0] if named else f"--{name.replace('_', '-')}"
    if default is inspect.Parameter.empty:
        value = "required"
    elif default is None or default is False or default == "":
        value = ""
    else:
        value = f"`{default}`"
    return f"| `{shown}` | {value} | {(info.help or '').replace('|', chr(92) + '|')} |"


def _module_of(thing: Any) -> ModuleType:
    return sys.modules[thing.__module__]


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0] if text else ""


def main() -> None:
    for name, text in pages().items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
