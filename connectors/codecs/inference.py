"""A mapping for JSON that nobody described: what `foreshock doctor` proposes where no known producer's block fits.

What a member is, its name and its values say together: a time reads as one, a metric has a name beside a number, a log line
has a text called message. It is a proposal for a person to read, made from a few hundred documents, and is never made while a topic is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from connectors.codecs.json_paths import Document, alternatives
from connectors.codecs.likeness import time_unit
from engine.config.expressions import expression_of
from engine.config.tree import Mapping

DEPTH_MAX: Final = 4
LEAVES_MAX: Final = 300
VALUES_MAX: Final = 200
LABELS_MAX: Final = 12
NUMBERS_MAX: Final = 12
_MOST: Final = 0.9
"""A member that is what a document is about is in so many of them."""

_TIMES: Final = ("timestamp", "time", "ts", "eventtime", "datetime", "date", "when", "occurredat", "createdat", "observedat", "t")
_MESSAGES: Final = ("message", "msg", "log", "text", "shortmessage", "logmessage", "body", "line", "content")
_LEVELS: Final = ("level", "severity", "loglevel", "lvl", "severitytext", "priority")
_NAMES: Final = ("metric", "name", "metricname", "measurement", "sensor", "key", "series")
_VALUES: Final = ("value", "val", "v", "metricvalue", "reading", "measure")
_EVENTS: Final = ("event", "eventtype", "eventname", "reason", "action", "type", "kind")
_OBJECTS: Final = ("labels", "tags", "dimensions", "attributes")
_IDENTIFIERS: Final = frozenset(
    {"id", "pid", "tid", "port", "version", "offset", "line", "seq", "sequence", "status", "code", "statuscode"}
)
_LABELS: Final = {
    "service": "service",
    "servicename": "service",
    "svc": "service",
    "app": "app",
    "appname": "app",
    "application": "app",
    "component": "app",
    "program": "app",
    "host": "host",
    "hostname": "host",
    "server": "host",
    "node": "node",
    "nodename": "node",
    "instance": "instance",
    "pod": "pod",
    "podname": "pod",
    "namespace": "namespace",
    "container": "container",
    "containername": "container",
    "deployment": "deployment",
    "environment": "environment",
    "env": "environment",
    "region": "region",
    "cluster": "cluster",
    "device": "device",
}
"""What members that name an entity are called → the label that rules look for."""


class Leaf(NamedTuple):
    """One place that documents have in common, and what stands there."""

    path: str
    share: float  # of the documents
    values: list[Any]

    @property
    def word(self) -> str:
        """The last part of the path, as it would be spoken: `@timestamp`, `event_time` and `eventTime` lose their marks."""
        return _word(self.path.rsplit(".", 1)[-1])

    def are(self, *kinds: type) -> bool:
        """Whether nearly all its values are of these types."""
        return sum(type(value) in kinds for value in self.values) >= _MOST * len(self.values)

    def is_low(self) -> bool:
        """Whether its values come again and again, as a label's do."""
        distinct = len(set(map(str, self.values)))
        return distinct <= max(3, len(self.values) // 4)


def infer(documents: Sequence[Document]) -> Mapping | None:
    """A mapping for documents of one topic; None when they have nothing in common that could be read."""
    leaves = _leaves(documents)
    time = _time(leaves)
    rest = [leaf for leaf in leaves if leaf is not time]
    unit = (time_unit(time.values[0]) or "auto_iso") if time else "auto_iso"
    about = {"time": time.path, "time_unit": unit} if time else {"time": ""}
    found = _named_metric(rest, documents) or _log(rest) or _numbers(rest, documents) or _event(rest)
    return Mapping.model_validate({**about, **found}) if found else None


# ------------------------------------------------------------------------------------------------ what documents are
def _named_metric(leaves: Sequence[Leaf], documents: Sequence[Document]) -> dict[str, Any]:
    """A name beside a number, which may be text."""
    name = _first(leaves, _NAMES, str)
    value = _first(leaves, _VALUES, int, float) or _first([leaf for leaf in leaves if _reads_as_number(leaf)], _VALUES, str)
    if name is None or value is None:
        return {}
    others = [leaf for leaf in leaves if leaf not in (name, value)]
    text = {"numeric_strings": True} if value.are(str) else {}
    return {"name": name.path, "values": value.path, "labels": _metric_labels(others, documents), **text}


def _log(leaves: Sequence[Leaf]) -> dict[str, Any]:
    message = _first([leaf for leaf in leaves if leaf.path.count(".") <= 1], _MESSAGES, str)
    if message is None:
        return {}
    level = _first(leaves, _LEVELS, str, int, share=0.5)
    embedded = sum(str(value).startswith("{") for value in message.values) > len(message.values) / 2
    labels = _entity_labels(leaf for leaf in leaves if leaf is not message and leaf is not level)
    return {
        "message": message.path,
        "labels": labels,
        **({"severity": level.path} if level else {}),
        **({"embedded_json": True} if embedded else {}),
    }


def _numbers(leaves: Sequence[Leaf], documents: Sequence[Document]) -> dict[str, Any]:
    """Several numbers in one document: each by its own name where they are few, else all there are."""
    numbers = [leaf for leaf in leaves if leaf.are(int, float) and not _is_identifier(leaf)]
    if not numbers:
        return {}
    others = [leaf for leaf in leaves if leaf not in numbers]
    labels = _metric_labels(others, documents)
    heads = {leaf.path.split(".", 1)[0] for leaf in numbers}
    head = heads.pop() if len(heads) == 1 and all("." in leaf.path for leaf in numbers) else ""
    if _can_be_said(head) and type(documents[0].get(head)) is dict:
        return {"values": head, "labels": labels}
    if len(numbers) <= NUMBERS_MAX:
        return {"values": {leaf.path: leaf.path for leaf in numbers}, "labels": labels}
    return {
        "values": ".",
        "labels": labels,
        "skip": [leaf.path for leaf in leaves if leaf.are(int, float) and _is_identifier(leaf)],
    }


def _event(leaves: Sequence[Leaf]) -> dict[str, Any]:
    event = _first([leaf for leaf in leaves if leaf.is_low()], _EVENTS, str)
    if event is None:
        return {}
    return {"event": event.path, "labels": _entity_labels(leaf for leaf in leaves if leaf is not event)}


# ------------------------------------------------------------------------------------------------ members
def _time(leaves: Sequence[Leaf]) -> Leaf | None:
    """The member that is the time: by its name first, and the least nested of them."""
    times = [leaf for leaf in leaves if leaf.share >= _MOST and _is_time(leaf)]
    return min(times, key=lambda leaf: (_rank(leaf.word, _TIMES), leaf.path.count("."))) if times else None


def _is_time(leaf: Leaf) -> bool:
    units = {time_unit(value) for value in leaf.values}
    named = leaf.word in _TIMES or leaf.word.endswith(("time", "timestamp", "at", "date"))
    return len(units) == 1 and None not in units and (named or units == {"auto_iso"})


def _first(leaves: Sequence[Leaf], words: Sequence[str], *kinds: type, share: float = _MOST) -> Leaf | None:
    """The member whose name comes first among the words and whose values are of the types."""
    fit = [leaf for leaf in leaves if leaf.word in words and leaf.share >= share and leaf.are(*kinds)]
    return min(fit, key=lambda leaf: (_rank(leaf.word, words), leaf.path.count("."))) if fit else None


def _rank(word: str, words: Sequence[str]) -> int:
    return words.index(word) if word in words else len(words)


def _is_identifier(leaf: Leaf) -> bool:
    return leaf.word in _IDENTIFIERS or leaf.path.lower().endswith(("_id", ".id", "id"))


def _reads_as_number(leaf: Leaf) -> bool:
    texts = [value for value in leaf.values if type(value) is str]
    return bool(texts) and all(_is_number(text) for text in texts)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _metric_labels(leaves: Sequence[Leaf], documents: Sequence[Document]) -> dict[str, str] | str:
    """What tells series apart: an object of labels as a whole, else every text that comes again and again."""
    whole = next((name for name in _OBJECTS if _is_flat_object(documents, name)), "")
    singles = [leaf for leaf in leaves if not (whole and leaf.path.startswith(f"{whole}."))]
    low = [leaf for leaf in singles if leaf.is_low() and (leaf.are(str) or (leaf.are(int) and _is_identifier(leaf)))]
    labels = _named(low)
    if whole:
        return {"*": whole, **labels} if labels else whole
    return labels


def _is_flat_object(documents: Sequence[Document], name: str) -> bool:
    found = [document[name] for document in documents if name in document]
    return bool(found) and all(type(one) is dict and not any(isinstance(v, (dict, list)) for v in one.values()) for one in found)


def _entity_labels(leaves: Iterator[Leaf]) -> dict[str, str]:
    return _named([leaf for leaf in leaves if leaf.word in _LABELS and leaf.are(str)])


def _named(leaves: Sequence[Leaf]) -> dict[str, str]:
    """Labels under the names that rules know; the least nested of two that would be called the same has the name."""
    labels: dict[str, str] = {}
    for leaf in sorted(leaves, key=lambda leaf: leaf.path.count("."))[:LABELS_MAX]:
        name = _LABELS.get(leaf.word, leaf.path)
        labels[leaf.path if name in labels else name] = leaf.path
    return labels


def _word(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _leaves(documents: Sequence[Document]) -> list[Leaf]:
    """Every scalar that a path can name, in the order in which they come up."""
    values: dict[str, list[Any]] = {}
    seen: Counter[str] = Counter()
    for document in documents:
        for path, value in _scalars(document, "", 1):
            if path not in values and len(values) >= LEAVES_MAX:
                continue
            seen[path] += 1
            if len(held := values.setdefault(path, [])) < VALUES_MAX:
                held.append(value)
    return [Leaf(path, seen[path] / len(documents), held) for path, held in values.items()]


def _scalars(document: Document, head: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        path = f"{head}{name}"
        if type(value) is dict and depth < DEPTH_MAX:
            yield from _scalars(value, f"{path}.", depth + 1)
        elif type(value) in (str, int, float, bool) and _can_be_said(path):
            yield path, value


def _can_be_said(path: str) -> bool:
    """Whether a mapping can name the place: not where a key reads as something else in a path."""
    return (
        path != "."
        and alternatives(path) == [path]
        and not path.startswith("=")
        and expression_of(path) is None
        and 0 < len(path) <= 200
    )
