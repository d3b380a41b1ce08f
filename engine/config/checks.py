"""What the types of the tree cannot say: names that must be unique, times in order, keys that are ours.

Every part that is valid by itself is checked, also when others are not, so that all complaints come at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError

from detectors.river_names import CLASSES, wrong_with
from engine.config.document import Place, Tree
from engine.config.expressions import wrong_with as wrong_with_expression
from engine.config.selectors import wrong_with as wrong_with_selector
from engine.config.slo import Ratio, Slo
from engine.config.topic_patterns import is_pattern, matches
from engine.config.topic_patterns import wrong_with as wrong_with_pattern
from engine.config.tree import ActionRule, AnySink, Correlate, Deliver, Detect, Format, Kafka, Source, WebhookSink, Window
from engine.config.values import Compression
from engine.errors import DecodeError
from engine.records import AnomalyKind, Topic
from engine.times import rfc3339_ns

Block = TypeVar("Block", bound=BaseModel)

BY_MAPPING = (Format.JSON, Format.LOGFMT, Format.MESSAGEPACK, Format.SCHEMA_REGISTRY)
"""Formats that only a mapping makes anything of."""
OUR_CLIENT_KEYS = ("bootstrap.servers", "group.id", "enable.auto.commit", "enable.auto.offset.store", "enable.idempotence")
"""librdkafka settings that the delivery protocol decides."""


class Wrong(NamedTuple):
    """One finding."""

    place: Place
    message: str
    suggestion: str = ""


def findings(tree: Tree) -> Iterator[Wrong]:
    """Everything that is wrong between values. `tree` is the interpolated tree; invalid parts of it are passed over."""
    kafka = _block(Kafka, tree, "kafka")
    sources = list(_each(Source, tree, "sources"))
    for keys in (("sources",), ("slos",), ("ratios",), ("deliver", "sinks"), ("respond", "rules")):
        yield from _unique(tree, keys)
    yield from _topics(sources, kafka)
    yield from _mappings(sources)
    yield from _registries(sources)
    yield from _rekeyed(sources)
    yield from _kafka(kafka)
    yield from _detect(_block(Detect, tree, "detect"))
    yield from _correlate(_block(Correlate, tree, "correlate"), list(_each(Window, tree, "correlate", "maintenance")))
    rules = list(_each(ActionRule, tree, "respond", "rules"))
    yield from _kinds(rules)
    yield from _selectors(list(_each(Slo, tree, "slos")), list(_each(Ratio, tree, "ratios")))
    yield from _deliver(_block(Deliver, tree, "deliver"))
    yield from _sinks(tree)


# ------------------------------------------------------------------------------------------------ parts that are valid
def _at(tree: Tree, *keys: str) -> Tree:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _block(model: type[Block], tree: Tree, *keys: str) -> Block:
    """The block with defaults in place of whatever in it is not valid."""
    node = _at(tree, *keys)
    members = node if isinstance(node, dict) else {}
    try:
        return model.model_validate(members)
    except ValidationError as error:
        bad = {detail["loc"][0] for detail in error.errors(include_input=False) if detail["loc"]}
        return model.model_validate({key: value for key, value in members.items() if key not in bad})


def _each(model: type[Block], tree: Tree, *keys: str) -> Iterator[tuple[Place, Block]]:
    """The valid members of a list, each with its place."""
    node = _at(tree, *keys)
    for index, member in enumerate(node if isinstance(node, list) else []):
        try:
            yield (*keys, index), model.model_validate(member)
        except ValidationError:
            continue


# ------------------------------------------------------------------------------------------------------------- checks
def _unique(tree: Tree, keys: tuple[str, ...]) -> Iterator[Wrong]:
    """Names in a list; a sink without one is named for its type."""
    seen: set[str] = set()
    node = _at(tree, *keys)
    for index, member in enumerate(node if isinstance(node, list) else []):
        name = (member.get("name") or member.get("type")) if isinstance(member, dict) else None
        if not isinstance(name, str):
            continue
        if name in seen:
            yield Wrong((*keys, index, "name"), f"a second one of this name among {'.'.join(keys)}")
        seen.add(name)


def _topics(sources: list[tuple[Place, Source]], kafka: Kafka) -> Iterator[Wrong]:
    ours = {kafka.topic_prefix + role for role in Topic}
    owner: dict[str, str] = {}
    for place, source in sources:
        for index, topic in enumerate(source.topics):
            where: Place = (*place, "topics", index)
            wrong = wrong_with_pattern(topic)
            if wrong:
                yield Wrong(where, wrong)
                continue
            if topic in ours:
                yield Wrong(where, f"{topic} is one of our own output topics")
            elif topic in owner:
                yield Wrong(where, f"{topic} is already read by source {owner[topic]!r}", "one topic has one source")
            owner.setdefault(topic, source.name)
    yield from _shadowed(sources)


def _shadowed(sources: list[tuple[Place, Source]]) -> Iterator[Wrong]:
    """Patterns that mean a topic which another source names. What two patterns both mean shows only at the broker."""
    named = {topic: source.name for _, source in sources for topic in source.topics if not is_pattern(topic)}
    for place, source in sources:
        for index, pattern in enumerate(source.topics):
            if not is_pattern(pattern) or wrong_with_pattern(pattern):
                continue
            others = [(topic, name) for topic, name in named.items() if name != source.name and matches(pattern, topic)]
            for topic, name in others:
                yield Wrong((*place, "topics", index), f"means {topic}, which source {name!r} reads", "one topic has one source")


def _mappings(sources: list[tuple[Place, Source]]) -> Iterator[Wrong]:
    for place, source in sources:
        mapping = source.mapping
        given = [
            name for name, value in (("values", mapping.values), ("message", mapping.message), ("event", mapping.event)) if value
        ]
        if source.format in BY_MAPPING and len(given) != 1:
            found = " and ".join(given) or "none of them"
            yield Wrong(
                (*place, "mapping"), f"exactly one of values, message and event says what a document is; {found} is given"
            )
        yield from _expressions((*place, "mapping"), mapping.model_dump())
        if (mapping.partial or mapping.stack_traces) and not mapping.origin:
            yield Wrong((*place, "mapping", "origin"), "lines are put together by origin: say which paths name it")


def _rekeyed(sources: list[tuple[Place, Source]]) -> Iterator[Wrong]:
    for place, source in sources:
        if source.rekey and source.format in (Format.OTLP_TRACES, Format.OTLP_TRACES_JSON):
            yield Wrong((*place, "rekey"), "spans meet by trace", "let the exporter partition by trace")


def _registries(sources: list[tuple[Place, Source]]) -> Iterator[Wrong]:
    for place, source in sources:
        registry = source.registry
        if registry.url:
            yield from _url((*place, "registry", "url"), registry.url)
        if source.format is not Format.SCHEMA_REGISTRY:
            continue
        if not registry.url:
            yield Wrong((*place, "registry"), "says where the schemas are", "write registry: {url: https://…}")
        if source.compression is not Compression.NONE:
            yield Wrong((*place, "compression"), "a packed body cannot say which schema it is of")


def _expressions(place: Place, node: object) -> Iterator[Wrong]:
    """What is wrong with the JMESPath expressions anywhere in a mapping."""
    if isinstance(node, str):
        wrong = wrong_with_expression(node)
        if wrong:
            yield Wrong(place, wrong)
    elif isinstance(node, dict):
        for key, member in node.items():
            yield from _expressions((*place, key), member)
    elif isinstance(node, list):
        for index, member in enumerate(node):
            yield from _expressions((*place, index), member)


def _kafka(kafka: Kafka) -> Iterator[Wrong]:
    for key in kafka.client:
        if key in OUR_CLIENT_KEYS:
            yield Wrong(("kafka", "client", key), "Foreshock sets this itself")
    for role in kafka.partitions:
        if role not in set(Topic):
            yield Wrong(("kafka", "partitions", role), "no topic of ours", did_you_mean(role, list(Topic)))


def _detect(detect: Detect) -> Iterator[Wrong]:
    if detect.confirm > detect.confirm_of:
        message = f"{detect.confirm} anomalies in {detect.confirm_of} samples can never be"
        yield Wrong(("detect", "confirm"), message, "confirm must not be greater than confirm_of")
    if detect.templates_per_service_max > detect.templates_max:
        yield Wrong(("detect", "templates_per_service_max"), "greater than templates_max")
    for index, part in enumerate(detect.river.parts):
        place: Place = ("detect", "river", "parts", index)
        if part.use not in CLASSES:
            yield Wrong((*place, "use"), "no detector of river that may be named", did_you_mean(part.use, list(CLASSES)))
        elif wrong := wrong_with(part.use, part.params):
            yield Wrong((*place, "params"), wrong)
        elif part.over == "entity" and CLASSES[part.use].kind != "features":
            yield Wrong((*place, "over"), f"{part.use} looks at one number at a time")


def _correlate(correlate: Correlate, windows: list[tuple[Place, Window]]) -> Iterator[Wrong]:
    for name, pairs in (("topology", correlate.topology), ("runs_on", correlate.runs_on)):
        for index, (one, other) in enumerate(pairs):
            if one == other:
                yield Wrong(("correlate", name, index), f"{one} cannot depend on itself")
    for place, window in windows:
        times: dict[str, int] = {}
        for key, text in (("start", window.start), ("end", window.end)):
            try:
                times[key] = rfc3339_ns(text)
            except DecodeError:
                yield Wrong((*place, key), "not a time", "write RFC 3339 with a zone, such as 2026-01-31T22:00:00Z")
        if len(times) == 2 and times["end"] <= times["start"]:
            yield Wrong((*place, "end"), "the window ends before it starts")


def _kinds(rules: list[tuple[Place, ActionRule]]) -> Iterator[Wrong]:
    for place, rule in rules:
        for index, kind in enumerate(rule.kinds):
            if kind not in set(AnomalyKind):
                yield Wrong((*place, "kinds", index), "no anomaly kind", did_you_mean(kind, list(AnomalyKind)))


def _selectors(slos: list[tuple[Place, Slo]], ratios: list[tuple[Place, Ratio]]) -> Iterator[Wrong]:
    for place, slo in slos:
        counted = [key for key in ("total", "errors", "good") if getattr(slo, key)]
        if slo.series and (counted or slo.at_most is None):
            yield Wrong((*place, "series"), "a series needs at_most, and neither total, errors nor good")
        elif not slo.series and (len(counted) != 2 or not slo.total or slo.at_most is not None):
            yield Wrong(place, "says what is good by total and errors, by total and good, or by series and at_most")
    for place, block in (*slos, *ratios):
        for key in ("total", "errors", "good", "series", "part", "whole"):
            text = getattr(block, key, "")
            if text and (wrong := wrong_with_selector(text)):
                yield Wrong((*place, key), wrong)


def _deliver(deliver: Deliver) -> Iterator[Wrong]:
    if deliver.retry_first > deliver.retry_max:
        yield Wrong(("deliver", "retry_first"), "longer than retry_max")


def _sinks(tree: Tree) -> Iterator[Wrong]:
    adapter: TypeAdapter[AnySink] = TypeAdapter(AnySink)
    node = _at(tree, "deliver", "sinks")
    sinks: list[tuple[Place, AnySink]] = []
    for index, member in enumerate(node if isinstance(node, list) else []):
        try:
            sinks.append((("deliver", "sinks", index), adapter.validate_python(member)))
        except ValidationError:
            continue
    for place, sink in sinks:
        if isinstance(sink, WebhookSink):
            yield from _url((*place, "url"), sink.url)


def _url(place: Place, url: str) -> Iterator[Wrong]:
    try:
        parts = urlsplit(url)
    except ValueError:
        yield Wrong(place, "not a URL")
        return
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield Wrong(place, "not a web address", "write https://host/path")
    elif parts.username or parts.password:
        yield Wrong(place, "no user name or password inside a URL", "secrets have keys of their own")


def did_you_mean(word: str, known: list[str]) -> str:
    """A suggestion for a misspelt word, from the words that would have been right."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"one of {', '.join(known)}" if len(known) <= 12 else ""
