"""CloudEvents and CDEvents: every way they are sent, every age they have."""

import orjson
import pytest
from cloudevents.core.bindings.kafka import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from connectors.codecs import build_codec
from connectors.codecs.cloudevents import CHANGES, NAMES
from engine.config.tree import Format, Mapping, Source
from engine.errors import Reject

STRUCTURED = (("content-type", b"Application/CloudEvents+json; charset=UTF-8"),)


@pytest.fixture
def decode(catalog, record):
    """What one message becomes; the value may be a document."""

    def run(value, headers=STRUCTURED, **keys):
        source = Source(name="s", topics=["t"], format=Format.CLOUDEVENTS, mapping=Mapping(**keys))
        raw = value if isinstance(value, bytes | None) else orjson.dumps(value)
        return build_codec(source).decode([record(raw, headers=headers)], catalog)

    return run


def _event(kind, subject=None, **more):
    data = {"context": {"type": kind}, "subject": subject or {"id": "shop/checkout"}, **more}
    return {"specversion": "1.0", "id": "1", "source": "/ci", "type": kind, "time": "2026-11-20T23:40:10Z", "data": data}


@pytest.mark.parametrize("mode", [to_binary, to_structured])
def test_what_the_official_library_sends_is_read(mode, decode):
    attributes = {"type": "dev.cdevents.service.upgraded.0.3.0", "source": "/ci", "subject": "shop/checkout"}
    data = {"subject": {"id": "shop/checkout", "content": {"artifactId": "pkg:oci/checkout@sha256:1?tag=2.14.1"}}}
    attributes |= {"id": "1", "specversion": "1.0", "datacontenttype": "application/json"}
    message = mode(CloudEvent(attributes=attributes, data=data), JSONFormat())
    (event,) = decode(message.value, tuple(message.headers.items())).events
    assert (event.name, event.entity, event.is_change) == ("deploy", "checkout", True)
    assert event.attributes["version"] == "2.14.1"


@pytest.mark.parametrize("what", sorted(NAMES))
@pytest.mark.parametrize("version", ["0.1.0", "0.3.0-draft", "9"])
def test_the_version_of_a_cdevent_makes_no_difference(what, version, decode):
    (event,) = decode(_event(f"dev.cdevents.{what}.{version}")).events
    assert event.name == NAMES[what]
    assert event.is_change is (what in CHANGES)


@pytest.mark.parametrize(
    ("kind", "subject", "entity"),
    [
        ("service.deployed", {"id": "shop/checkout"}, "checkout"),
        ("service.deployed", {"id": "checkout/"}, "checkout"),
        ("change.merged", {"id": "shop/checkout!17"}, "checkout"),
        ("change.merged", {"id": "17", "content": {"repository": {"id": "shop/checkout"}}}, "checkout"),
        ("change.merged", {"id": "17", "content": {"repository": "shop/checkout"}}, "checkout"),
        ("pipelinerun.finished", {"id": "run-4711", "content": {"pipelineName": "checkout-build"}}, "checkout-build"),
        ("artifact.published", {"id": "pkg:oci/shop/checkout@sha256:1?tag=2"}, "checkout"),
        ("environment.modified", {"id": "prod"}, "prod"),
    ],
)
def test_the_entity_is_the_lasting_thing_behind_the_subject(kind, subject, entity, decode):
    (event,) = decode(_event(f"dev.cdevents.{kind}.0.2.0", subject)).events
    assert event.entity == entity


@pytest.mark.parametrize(
    ("kind", "content", "severity"),
    [
        ("pipelinerun.finished", {"outcome": "success"}, 9),
        ("pipelinerun.finished", {"outcome": "failure"}, 13),
        ("incident.detected", {}, 17),
        ("incident.resolved", {}, 9),
    ],
)
def test_bad_news_is_severe(kind, content, severity, decode):
    (event,) = decode(_event(f"dev.cdevents.{kind}.0.2.0", {"id": "a", "content": content})).events
    assert event.severity == severity


def test_other_cloudevents_are_named_by_their_type(decode):
    document = {"specversion": "1.0", "id": "1", "source": "/flags/shop", "type": "com.example.flag", "subject": "a/gateway"}
    (event,) = decode(document, is_change=["com.example.flag"]).events
    assert (event.name, event.entity, event.is_change) == ("com.example.flag", "gateway", True)


def test_without_a_time_the_records_own_is_taken(decode, record):
    document = _event("dev.cdevents.service.deployed.0.1.0")
    del document["time"]
    (event,) = decode(document).events
    assert event.ts_ns == record(b"").ts_ns


def test_a_binary_event_without_data_is_an_event(decode):
    headers = (("ce_specversion", b"1.0"), ("ce_type", b"dev.cdevents.service.removed.0.1.0"), ("ce_subject", b"shop/cart"))
    (event,) = decode(None, headers).events
    assert (event.name, event.entity) == ("remove", "cart")


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (None, STRUCTURED, Reject.EMPTY),
        (b"", (), Reject.EMPTY),
        (b"{", STRUCTURED, Reject.MALFORMED),
        (b"[]", STRUCTURED, Reject.WRONG_TYPE),
        (b"{}", STRUCTURED, Reject.WRONG_TYPE),
        (b"{}", (), Reject.UNSUPPORTED),
        (b'{"type":"a","time":"soon"}', STRUCTURED, Reject.BAD_TIME),
    ],
)
def test_what_is_no_event_is_refused_for_its_reason(value, headers, reason, decode):
    assert [part.reason for part in decode(value, headers).rejected] == [reason]
