"""CloudEvents 1.0 on Kafka, in structured and in binary mode, and the CDEvents that delivery tools put inside them.

Structured: a `content-type` header that starts with `application/cloudevents`; the value is the whole event. Binary: the
attributes are `ce_*` headers, the value is the data. A bare CDEvent without any envelope is read too.

A CDEvent (`dev.cdevents.<subject>.<predicate>.<version>`) becomes an event of a plain name, such as `deploy`, for the
entity its subject names. Its versions are not checked: fields moved between them, so each is looked for wherever it has been.
Any other CloudEvent becomes an event named by its type. Sources: CloudEvents Kafka protocol binding 1.0.2; CDEvents 0.3 to 0.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import orjson

from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_events import ATTRIBUTE_MAX, NAME_MAX, TEXT_MAX, changes
from connectors.codecs.json_paths import Document, Getter, compile_path
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Decoded, Event, Record
from engine.severity import ERROR, INFO, WARN
from engine.times import TimeReader

CDEVENT = "dev.cdevents."
DEPLOY = "deploy"
NAMES: dict[str, str] = {
    "service.deployed": DEPLOY,
    "service.upgraded": DEPLOY,
    "service.rolledback": "rollback",
    "service.published": "publish",
    "service.removed": "remove",
    "change.merged": "change_merged",
    "environment.created": "environment_created",
    "environment.modified": "environment_modified",
    "environment.deleted": "environment_deleted",
    "pipelinerun.finished": "pipeline_finished",
    "artifact.published": "artifact_published",
}
"""Subject and predicate of a CDEvent → the event's name; of all others `subject_predicate`."""

CHANGES = frozenset(
    {
        "service.deployed",
        "service.upgraded",
        "service.rolledback",
        "service.published",
        "service.removed",
        "change.merged",
        "environment.created",
        "environment.modified",
        "environment.deleted",
    }
)
"""Those that say that somebody changed the running system on purpose. A finished pipeline or a new artifact does not yet."""

_BAD_OUTCOMES = frozenset({"failure", "failed", "error"})
_ATTRIBUTES = ("id", "source", "type", "subject", "time")
_ENVIRONMENT = compile_path("subject.content.environment.id | subject.content.environment")
_ARTIFACT = compile_path("subject.content.artifactId | subject.content.artifact.id | subject.content.artifact")
_OUTCOME = compile_path("subject.content.outcome")
_REPOSITORY = compile_path("subject.content.repository.id | subject.content.repository.name | subject.content.repository")
_OWNERS: Mapping[str, Getter] = {
    "change": _REPOSITORY,  # its own id is that of a request: shop/checkout!1742
    "pipelinerun": compile_path("subject.content.pipelineName"),  # ids of runs are different each time
    "taskrun": compile_path("subject.content.taskName"),
    "testsuiterun": compile_path("subject.content.testSuite.name | subject.content.testSuite.id"),
    "testcaserun": compile_path("subject.content.testCase.name | subject.content.testCase.id"),
    "incident": compile_path("subject.content.service.id | subject.content.environment.id"),
}
"""Subjects of one occurrence → where the lasting thing behind them is named."""
_ACTOR = compile_path("customData.actor | customData.user | subject.content.triggeredBy | subject.content.author")
_COMMIT = compile_path("customData.git_sha | customData.commit")
_LINK = compile_path("subject.content.url | subject.content.uri | customData.url | context.source")


class CloudEventsCodec:
    """Stateless: events are rare, nothing is remembered but minutes."""

    def __init__(self, source: Source) -> None:
        self._line_bytes_max = source.line_bytes_max
        self._is_change = source.mapping.is_change
        self._times = TimeReader()

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        out = ColumnsBuilder(self._line_bytes_max)
        for row, record in enumerate(records):
            try:
                out.events.append(self._event(row, record, catalog))
            except DecodeError as error:
                out.reject(row, error.reason, error.detail)
        return out.build()

    def _event(self, row: int, record: Record, catalog: Catalog) -> Event:
        attributes, data = _opened(record)
        kind = attributes.get("type", "")
        if not kind:
            raise DecodeError(Reject.WRONG_TYPE, "an event without a type")
        time = attributes.get("time", "")
        ts_ns = self._times.rfc3339_ns(time) if time else record.ts_ns
        if kind.startswith(CDEVENT):
            return _cdevent(row, ts_ns, kind, attributes, data, catalog)
        entity = _last_part(attributes.get("subject", "")) or _last_part(attributes.get("source", ""))
        key, named = catalog.event(kind[:NAME_MAX], _labels(entity))
        return Event(
            row=row,
            ts_ns=ts_ns,
            name=kind[:NAME_MAX],
            entity=named or entity,
            key=key,
            is_change=changes(self._is_change, kind),
            text=f"{kind} {attributes.get('subject', '')}".strip()[:TEXT_MAX],
            attributes=_filled({"source": attributes.get("source"), "subject": attributes.get("subject")}),
        )


def _opened(record: Record) -> tuple[Mapping[str, str], Document]:
    """The attributes of an event and its data ({} when that is no object), whichever way it was sent."""
    headers = {name.lower(): value for name, value in record.headers}
    if _text(headers.get("content-type")).lower().startswith("application/cloudevents"):
        return _structured(_object(record.value))
    if "ce_type" in headers and "ce_specversion" in headers:
        attributes = {name: _text(headers.get(f"ce_{name}")) for name in _ATTRIBUTES}
        return attributes, (_data(record.value) if record.value else {})
    document = _object(record.value)
    if "specversion" in document:  # structured, and its header lost on the way
        return _structured(document)
    return _bare(document), document


def _structured(document: Document) -> tuple[Mapping[str, str], Document]:
    attributes = {name: value for name in _ATTRIBUTES if type(value := document.get(name)) is str}
    data = document.get("data")
    if type(data) is str:
        data = _data(data.encode())
    return attributes, (data if type(data) is dict else {})


def _bare(document: Document) -> Mapping[str, str]:
    context = document.get("context")
    if type(context) is not dict or not str(context.get("type", "")).startswith(CDEVENT):
        raise DecodeError(Reject.UNSUPPORTED, "neither a CloudEvent nor a CDEvent")
    return {"type": context["type"], "time": _string(context.get("timestamp")), "source": _string(context.get("source"))}


def _cdevent(row: int, ts_ns: int, kind: str, about: Mapping[str, str], data: Document, catalog: Catalog) -> Event:
    words = kind.removeprefix(CDEVENT).split(".")
    what = ".".join(words[:2])
    name = NAMES.get(what, "_".join(words[:2]))[:NAME_MAX]
    subject = data.get("subject")
    identity = _string(subject.get("id")) if type(subject) is dict else ""
    identity = identity or about.get("subject", "")
    entity = _last_part(_string(_OWNERS.get(words[0], _nothing)(data)) or identity.split("!", maxsplit=1)[0])
    artifact = _string(_ARTIFACT(data)) or (identity if words[0] == "artifact" else "")
    outcome = _string(_OUTCOME(data)).lower()
    version = _version(artifact)
    key, named = catalog.event(name, _labels(entity))
    return Event(
        row=row,
        ts_ns=ts_ns,
        name=name,
        entity=named or entity,
        key=key,
        is_change=what in CHANGES,
        severity=ERROR if words[0] == "incident" and words[1:2] == ["detected"] else WARN if outcome in _BAD_OUTCOMES else INFO,
        text=" ".join(part for part in (name, entity, version, outcome) if part)[:TEXT_MAX],
        attributes=_filled(
            {
                "version": version,
                "artifact": artifact,
                "environment": _string(_ENVIRONMENT(data)),
                "actor": _string(_ACTOR(data)),
                "commit": _string(_COMMIT(data)),
                "outcome": outcome,
                "link": _string(_LINK(data)),
                "source": about.get("source"),
                "subject": identity,
            }
        ),
    )


def _object(value: bytes | None) -> Document:
    if not value:
        raise DecodeError(Reject.EMPTY, "no payload")
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise DecodeError(Reject.MALFORMED, f"not JSON at character {error.pos}") from error
    if type(parsed) is not dict:
        raise DecodeError(Reject.WRONG_TYPE, "not an object")
    return parsed


def _data(value: bytes) -> Document:
    """Data of any media type; only JSON objects say something to us."""
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return {}
    return parsed if type(parsed) is dict else {}


def _nothing(_: Document) -> None:
    return None


def _text(header: bytes | None) -> str:
    return (header or b"").decode("utf-8", "replace")


def _string(value: Any) -> str:
    return value if type(value) is str else ""


def _last_part(path: str) -> str:
    """`shop/checkout` → `checkout`; of a package URL its name; at most 200 characters."""
    if path.startswith("pkg:"):
        path = re.split("[?#@]", path, maxsplit=1)[0]
    return path.rstrip("/").rsplit("/", 1)[-1][:NAME_MAX]


def _version(artifact: str) -> str:
    """The tag of a package URL, else what follows its @: `pkg:oci/checkout@sha256:…?tag=2.14.1` → `2.14.1`."""
    place, _, query = artifact.partition("?")
    tags = [part[4:] for part in query.split("&") if part.startswith("tag=")]
    return unquote(tags[0] if tags else place.partition("@")[2])


def _labels(entity: str) -> dict[str, str]:
    return {"service": entity, "entity": entity} if entity else {}


def _filled(attributes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value[:ATTRIBUTE_MAX] for name, value in attributes.items() if value}
