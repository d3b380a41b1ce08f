"""Which records of OpenTelemetry logs are lines and which are events."""

import orjson
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from otlp_world import TS_NS, attributes, logs

from connectors.codecs import build_codec
from engine.config.tree import Format, Source
from engine.detect.catalog import SourceCatalog
from engine.records import Record

SOURCE = Source(name="s", topics=["t"], format=Format.OTLP_LOGS)


@pytest.fixture
def catalog():
    return SourceCatalog(SOURCE)


def read(value, catalog, source=SOURCE):
    return build_codec(source).decode([Record("t", 0, 0, 5, None, value)], catalog)


def read_one(catalog, **log):
    data = LogsData()
    part = data.resource_logs.add()
    part.resource.attributes.extend(attributes(service_name="cart"))
    part.scope_logs.add().log_records.add(**log)
    return read(data.SerializeToString(), catalog)


def read_json(log, catalog, **source):
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}
    return read(orjson.dumps(document), catalog, Source(name="s", topics=["t"], format=Format.OTLP_LOGS_JSON, **source))


def test_lines_events_and_their_levels(catalog):
    decoded = read(logs().SerializeToString(), catalog)
    lines = decoded.lines
    assert list(zip(lines.text, lines.severity.tolist(), strict=True)) == [
        (b"order 5 placed", 9),
        (b"no connection", 17),
        (b"slow query", 13),
    ]
    assert lines.ts_ns.tolist() == [TS_NS] * 3
    assert set(lines.key) == {b'log{service.name="cart"}'}
    flag, backoff = decoded.events
    assert (flag.name, flag.entity, flag.attributes, flag.is_change) == ("flag.changed", "cart", {"flag": "new-cart"}, False)
    assert (backoff.name, backoff.severity, backoff.text) == ("k8s.BackOff", 13, "Back-off")
    assert backoff.attributes == {"count": "7", "namespace": "shop"}
    assert not decoded.rejected


def test_a_named_record_within_a_trace_is_a_line_for_there_may_be_one_for_each_request(catalog):
    decoded = read_one(catalog, event_name="gen_ai.choice", trace_id=b"\1" * 16, time_unix_nano=TS_NS)
    assert decoded.lines.text == [b"gen_ai.choice"]
    assert not decoded.events


def test_an_exception_without_a_body_is_its_message(catalog):
    facts = attributes(exception_type="IOError", exception_message="disk full")
    assert read_one(catalog, attributes=facts, time_unix_nano=TS_NS).lines.text == [b"disk full"]


def test_nothing_to_say_is_refused(catalog):
    assert [part.reason for part in read_one(catalog, time_unix_nano=TS_NS).rejected] == ["empty"]


def test_without_any_time_of_its_own_a_line_has_the_records(catalog):
    assert read_one(catalog, body={"string_value": "x"}).lines.ts_ns.tolist() == [5]


def test_an_object_without_a_message_is_shown_as_json(catalog):
    body = {"kvlistValue": {"values": [{"key": "a", "value": {"arrayValue": {"values": [{"intValue": "1"}, {}]}}}]}}
    assert read_json({"body": body}, catalog).lines.text == [b'{"a":[1,null]}']


@pytest.mark.parametrize(("embedded", "text", "level"), [(True, b"hi", 17), (False, b'{"msg":"hi","level":"error"}', 0)])
def test_json_within_a_text_is_opened_when_asked_for(embedded, text, level, catalog):
    log = {"body": {"stringValue": '{"msg":"hi","level":"error"}'}}
    decoded = read_json(log, catalog, mapping={"embedded_json": embedded})
    assert decoded.lines.text == [text]
    assert decoded.lines.severity.tolist() == [level]


def any_value(value):
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": k, "value": any_value(v)} for k, v in value.items()]}}
    return {"stringValue": value}


@pytest.mark.parametrize("regarding", ["regarding", "involvedObject"])
def test_a_kubernetes_event_that_is_watched_as_an_object(regarding, catalog):
    event = {"kind": "Event", "reason": "ScalingReplicaSet", "type": "Normal", "note": "Scaled up"}
    about = {"kind": "Pod", "name": "cart-7d9c5b6f4-x2k8p", "namespace": "shop"}
    body = {"type": "ADDED", "object": {**event, regarding: about}}
    (found,) = read_json({"body": any_value(body), "timeUnixNano": TS_NS}, catalog).events
    assert (found.name, found.entity, found.text, found.is_change) == ("k8s.ScalingReplicaSet", "cart", "Scaled up", True)
    assert found.attributes == {"kind": "Pod", "namespace": "shop", "object": "cart-7d9c5b6f4-x2k8p"}


def test_a_body_nested_without_end_is_cut(catalog):
    body = {"stringValue": "x"}
    for _ in range(60):
        body = {"arrayValue": {"values": [body]}}
    decoded = read_json({"body": body}, catalog)
    assert decoded.lines.text == [b"[" * 17 + b"null" + b"]" * 17]


@pytest.mark.parametrize(
    ("session", "found"), [("auto", "0101"), ("", ""), ("request_id", "r-7"), ("nothing | request_id", "r-7"), ("body.id", "")]
)
def test_the_session_of_a_record_is_its_trace_or_what_the_mapping_names(session, found, catalog):
    log = {"timeUnixNano": str(TS_NS), "traceId": "01" * 16, "body": {"stringValue": "hi"}}
    log["attributes"] = [{"key": "request_id", "value": {"stringValue": "r-7"}}]
    fields = read_json(log, catalog, mapping={"session": session}).lines.fields
    assert [part.session.decode()[:4] for part in fields or []] == ([found] if found else [])


def test_attributes_and_members_that_a_source_keeps_split_the_stream():
    source = {"keep_log_labels": ["route", "http.status"]}
    kept = SourceCatalog(SOURCE.model_copy(update=source))
    body = {
        "kvlistValue": {
            "values": [{"key": "msg", "value": {"stringValue": "x"}}, {"key": "route", "value": {"stringValue": "/a"}}]
        }
    }
    log = {"timeUnixNano": str(TS_NS), "body": body}
    log["attributes"] = [{"key": "http.status", "value": {"intValue": "200"}}, {"key": "user", "value": {"stringValue": "u"}}]
    assert read_json(log, kept, **source).lines.key == [b'log{http.status="200",route="/a"}']
