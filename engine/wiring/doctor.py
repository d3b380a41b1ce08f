"""`foreshock doctor`: topics and captured files, the blocks that may read them, and what is said of each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Final, NamedTuple

from ruamel.yaml import YAML

from connectors.codecs import build_codec
from connectors.codecs.inference import infer
from connectors.codecs.likeness import Evidence, Likeness
from connectors.codecs.packed import unpacked
from connectors.kafka_client import topic_name
from connectors.schemas import Book, Schemas, framed
from connectors.sources.captures import captured
from connectors.sources.sampling import Bounds, Sampler
from engine.clock import SystemClock
from engine.config import Config
from engine.config.registry import Registry
from engine.config.shipped import shipped
from engine.config.topic_patterns import owners
from engine.config.tree import Format, Source
from engine.config.values import Compression
from engine.detect.rekey import rekeyed
from engine.doctor.diagnosis import Diagnosis, Tools, diagnose
from engine.doctor.findings import CONFIGURED
from engine.doctor.proposal import source_name
from engine.doctor.sample import BYTES_MAX, PARTITIONS_MAX, RECORDS_MAX, Sample
from engine.doctor.trial import Candidate, Candidates
from engine.errors import Unreachable, UsageError
from engine.records import Record, Topic

TOPICS_MAX: Final = 200
SCHEMAS_MAX: Final = 50
"""Schemas of one topic that are asked for."""
INFERRED: Final = "inferred"
_INFERRED_WORTH, _INFERRED_MAX = 0.8, 5.0
"""A mapping made from the documents expects nothing that is not there: a known producer's block of nearly the same score knows more."""
_CONFIGURED_WORTH: Final = 1.25
_SAME_FAMILY: Final = 0.5
_MANY_BLOCKS: Final = frozenset({Format.JSON, Format.LOGFMT, Format.MESSAGEPACK, Format.CLOUDEVENTS})
"""Formats whose blocks differ; of the others one says all."""


class Patient(NamedTuple):
    """One topic with what is said of it, and the block that would read it."""

    diagnosis: Diagnosis
    source: Source | None


def examine_files(config: Config, names: Sequence[str], registry: Registry | None = None) -> list[Patient]:
    """Captured messages. `TOPIC=FILE` says which topic a file is of; else its name does. Raises UsageError."""
    samples: dict[str, Sample] = {}
    for name in names:
        topic, _, file = name.rpartition("=")
        path = Path(file)
        if not path.is_file():
            raise UsageError(f"no such file: {file}")
        sample = samples.setdefault(topic or _topic_of(path), Sample(topic or _topic_of(path), []))
        left = RECORDS_MAX - len(sample.records)
        found = captured(path, sample.topic, records_max=max(0, left), bytes_max=max(1, BYTES_MAX - sample.bytes()))
        sample.is_timed &= all(record.ts_ns for record in found)
        sample.records += [record if record.ts_ns else record._replace(ts_ns=path.stat().st_mtime_ns) for record in found]
    for sample in samples.values():
        sample.partitions = dict.fromkeys((record.partition for record in sample.records), 0)
    return _examine(config, list(samples.values()), registry)


def examine_topics(config: Config, topics: Sequence[str], bounds: Bounds, registry: Registry | None = None) -> list[Patient]:
    """Topics of the broker: those named, else those that the configuration reads, else all but the broker's own and ours.

    Raises Unreachable.
    """
    sampler = Sampler(config.kafka, bounds, SystemClock())
    try:
        samples = []
        for topic in _wanted(config, topics, sampler)[:TOPICS_MAX]:
            taken = sampler.take(topic)
            samples.append(Sample(topic, taken.records, taken.partitions, taken.damaged, cut=taken.cut))
    finally:
        sampler.close()
    return _examine(config, samples, registry)


def bounds_of(records: int, seconds: float) -> Bounds:
    """A look at a topic of so many records and so long; what else bounds it is fixed."""
    return Bounds(records, BYTES_MAX, seconds, PARTITIONS_MAX)


def _wanted(config: Config, topics: Sequence[str], sampler: Sampler) -> list[str]:
    if topics:
        return list(dict.fromkeys(topics))
    ours = {topic_name(config.kafka, role) for role in Topic}
    head = topic_name(config.kafka, rekeyed(""))
    known = [name for name in sampler.topics() if name not in ours and not name.startswith(head)]
    return [name for name in known if owners(config.sources, name)] if config.sources else known


def _topic_of(path: Path) -> str:
    return source_name(path.name.removesuffix(".gz").split(".", 1)[0])


def _examine(config: Config, samples: Sequence[Sample], registry: Registry | None) -> list[Patient]:
    now_ns = SystemClock().now_ns()
    patients: list[Patient] = []
    for sample in samples:
        configured = next(iter(owners(config.sources, sample.topic)), None)
        kept_at = configured.registry if configured and configured.registry.url else registry
        tools = tools_for(kept_at, sample.records)
        diagnosis, source = diagnose(sample, tools, config.detect, now_ns, configured)
        if source is not None:
            taken = [patient.source.name for patient in patients if patient.source]
            name = configured.name if configured else source_name(sample.topic, taken)
            source = source.model_copy(update={"name": name, "topics": configured.topics if configured else [sample.topic]})
        patients.append(Patient(diagnosis, source))
    return patients


def tools_for(registry: Registry | None = None, records: Sequence[Record] = ()) -> Tools:
    """What a diagnosis of these records needs, their schemas among it. Raises Unreachable when the registry does not answer."""
    if registry is None or not registry.url:
        return Tools(build_codec, partial(_candidates, None, None), unpacked)
    book = Book(registry)
    try:
        for schema in list(dict.fromkeys(found.schema for found in map(framed, records) if found))[:SCHEMAS_MAX]:
            if not book.learn(schema):
                raise Unreachable(book.failure, "Check the address of the registry, and the access to it.")
    finally:
        book.close()
    return Tools(partial(build_codec, schemas=book), partial(_candidates, book, registry), unpacked)


# ------------------------------------------------------------------------------------------------ candidates
def _candidates(schemas: Schemas | None, registry: Registry | None, topic: str, configured: Source | None) -> Candidates:
    blocks = _known_blocks()

    def candidates(records: Sequence[Record], done: Sequence[Record]) -> list[Candidate]:
        evidence = Evidence(records, schemas)
        ways = [
            {"format": kind} | ({"registry": registry} if kind is Format.SCHEMA_REGISTRY else {}) for kind in evidence.written()
        ]
        found = []
        if configured is not None:
            as_it_is = configured.model_copy(update={"compression": Compression.NONE})
            found.append(Candidate(CONFIGURED, as_it_is, partial(evidence.of, as_it_is), _CONFIGURED_WORTH))
        for block in blocks:
            for way in ways if block.format is Format.JSON else [{}]:
                fitted = evidence.fitted(block.model_copy(update=way))
                found.append(Candidate(block.name, fitted, partial(evidence.of, fitted)))
        for way in ways:
            found += _inferred(
                evidence, Source(name=source_name(topic), topics=[topic], format=Format.TEXT).model_copy(update=way), _keys(done)
            )
        return found

    return candidates


@cache
def _known_blocks() -> list[Source]:
    """Those of configs/formats.yaml; each format at least once, and once only where its blocks say the same."""
    tree = YAML(typ="safe", pure=True).load(shipped("formats.yaml").read_text(encoding="utf-8"))
    blocks = [Source.model_validate(block) for block in tree["sources"]]
    seen: set[Format] = set()
    kept = []
    for block in blocks:
        if block.format in _MANY_BLOCKS or block.format not in seen:
            kept.append(block)
        seen.add(block.format)
    return kept


def _inferred(evidence: Evidence, plain: Source, known: frozenset[str]) -> list[Candidate]:
    """Mappings made from the documents, one for each way that a record may carry them; none where they are like those read already."""
    found = []
    for records in ("", "."):
        documents = evidence.documents(records, plain.format)
        keys = frozenset(key for document in documents for key in document)
        if not documents or (known and len(keys & known) >= _SAME_FAMILY * len(keys)):
            continue
        mapping = infer(documents)
        if mapping is not None:
            source = plain.model_copy(update={"mapping": mapping.model_copy(update={"records": records})})
            found.append(Candidate(INFERRED, source, partial(_bounded, evidence, source), _INFERRED_WORTH))
    return found


def _bounded(evidence: Evidence, source: Source, rows: Sequence[bool]) -> Likeness:
    found, missing = evidence.of(source, rows)
    return Likeness(min(found, _INFERRED_MAX), missing)


def _keys(records: Sequence[Record]) -> frozenset[str]:
    return frozenset(key for document in Evidence(records).documents() for key in document)
