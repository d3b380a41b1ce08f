"""What is read of spans."""

import orjson
import pytest
from otlp_world import TRACES_JSON, TS_NS, traces

from connectors.codecs import build_codec
from connectors.codecs.otlp_traces import peer_of
from engine.config.tree import Format, Source
from engine.records import Record


def read(value, catalog, fmt=Format.OTLP_TRACES):
    return build_codec(Source(name="s", topics=["t"], format=fmt)).decode([Record("t", 0, 0, 5, None, value)], catalog)


def test_spans_of_two_services(catalog):
    decoded = read(traces().SerializeToString(), catalog)
    told = [(s.service, s.operation, s.kind, s.peer, s.is_error, s.seconds) for s in decoded.spans]
    assert told == [
        ("cart", "GET /prices/*", "server", "", False, 0.25),
        ("cart", "call", "client", "prices", False, 0.25),
        ("prices", "GET /prices/*", "server", "", True, 0.25),
        ("prices", "call", "client", "postgresql", False, 0.25),
    ]
    cart, prices = decoded.spans[1:3]
    assert (cart.trace_id, cart.span_id) == (prices.trace_id, prices.parent_id)
    assert decoded.spans[0].parent_id == b""


def test_ids_in_json_are_hex_in_any_case(catalog):
    (span,) = read(TRACES_JSON, catalog, Format.OTLP_TRACES_JSON).spans
    assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert (span.parent_id, span.is_error, span.seconds) == (b"", True, 0.05)


@pytest.mark.parametrize(
    "times",
    [
        {"startTimeUnixNano": 0},
        {"endTimeUnixNano": "0"},
        {"endTimeUnixNano": 1},
        {"startTimeUnixNano": TS_NS - 10**15},
    ],
)
def test_a_span_needs_a_beginning_and_an_end_after_it(times, catalog):
    document = orjson.loads(TRACES_JSON)
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= times
    decoded = read(orjson.dumps(document), catalog, Format.OTLP_TRACES_JSON)
    assert [part.reason for part in decoded.rejected] == ["bad_time"]


@pytest.mark.parametrize(
    ("facts", "peer"),
    [
        ({}, ""),
        ({"peer.service": "prices", "server.address": "x"}, "prices"),
        ({"server.address": "Prices.Shop.svc.cluster.local"}, "prices"),
        ({"server.address": "fe80::1"}, ""),
        ({"net.peer.name": "mail.example.com"}, "mail.example.com"),
        ({"db.system.name": "mysql", "db.namespace": "orders"}, "mysql/orders"),
        ({"messaging.system": "kafka"}, "kafka"),
        ({"messaging.system": "rabbitmq", "messaging.destination.name": "reply-99817263"}, "rabbitmq/reply-*"),
    ],
)
def test_whom_a_span_calls(facts, peer):
    assert peer_of(facts) == peer
