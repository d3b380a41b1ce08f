"""Laws of messages whose schema a registry keeps: what is read, what is refused, and that no schema makes a body dangerous."""

from __future__ import annotations

import base64
from pathlib import Path

import orjson
import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_world import SCHEMAS, TS_MS, Known, avro_point, frame, point_file, protobuf_point

from connectors.codecs.avro import avro_reader
from connectors.codecs.protobuf_documents import protobuf_reader
from connectors.codecs.schema_registry import SchemaRegistryCodec
from connectors.schemas import Schema
from engine.config.tree import Format, Mapping, Source
from engine.errors import DecodeError, Reject

REAL = Path(__file__).parents[2] / "cases/schemas"
METRIC = Mapping(time="ts", time_unit="ms", name="metric", values="value", labels="labels")


def codec(mapping=METRIC, schemas=None):
    source = Source(name="s", topics=["t"], format=Format.SCHEMA_REGISTRY, mapping=mapping)
    return SchemaRegistryCodec(source, schemas or Known())


def avro(schema, *, references=()):
    text = schema if isinstance(schema, str) else orjson.dumps(schema).decode()
    return avro_reader(Schema("AVRO", text, references))


# ------------------------------------------------------------------------------------------------ what is read
def test_avro_by_its_writers_schema(catalog, record):
    decoded = codec().decode([record(frame(1, avro_point(2.5)))], catalog)
    assert decoded.rejected == []
    assert decoded.samples.key == [b'queue_depth{service="checkout"}']
    assert (decoded.samples.value.tolist(), decoded.samples.ts_ns.tolist()) == ([2.5], [TS_MS * 1_000_000])


def test_protobuf_by_its_descriptor_zero_included(catalog, record):
    mapping = Mapping(time="at", name="metric", values="value", labels={"*": "labels", "state": "state"})
    decoded = codec(mapping).decode([record(frame(2, protobuf_point(7))), record(frame(2, protobuf_point(0)))], catalog)
    assert decoded.rejected == []
    assert decoded.samples.key == [b'queue_depth{service="checkout",state="UP"}'] * 2
    assert decoded.samples.value.tolist() == [7.0, 0.0]
    assert decoded.samples.ts_ns.tolist() == [TS_MS * 1_000_000] * 2


def test_json_behind_an_id(catalog, record):
    body = b'{"ts":1795218876000,"metric":"m","value":1,"labels":{}}'
    assert codec().decode([record(frame(3, body))], catalog).samples.value.tolist() == [1.0]


def test_several_schemas_on_one_topic(catalog, record):
    values = [frame(1, avro_point()), frame(3, b'{"ts":1795218876000,"metric":"m","value":1,"labels":{}}')]
    assert codec().decode([record(value) for value in values], catalog).samples.value.tolist() == [1.5, 1.0]


def test_what_a_real_client_wrote_is_read_with_the_id_in_the_body_and_in_a_header(catalog, record):
    schema = Schema("AVRO", (REAL / "confluent_avro.avsc").read_text())
    name, header = orjson.loads((REAL / "confluent_avro_header_guid.headers.json").read_bytes())[0]
    known = Known({1: schema, "4192db09-5cfc-483d-bf69-c4457599a9c7": schema})
    mapping = Mapping(time="ts", time_unit="ms", message="message", severity="level", labels={"service": "service"})
    records = [
        record((REAL / "confluent_avro_v0.bin").read_bytes()),
        record((REAL / "confluent_avro_header_guid.bin").read_bytes(), headers=((name, bytes.fromhex(header)),)),
    ]
    decoded = codec(mapping, known).decode(records, catalog)
    assert decoded.rejected == []
    assert decoded.lines.text == [b"payment gateway timeout after 3000 ms"] * 2
    assert decoded.lines.severity.tolist() == [17, 17]


def test_avro_schemas_may_name_others(catalog):
    inner = '{"type":"record","name":"a.Inner","fields":[{"name":"n","type":"int"}]}'
    outer = '{"type":"record","name":"a.Outer","fields":[{"name":"inner","type":"a.Inner"}]}'
    assert avro(outer, references=(("inner", inner),))(b"\x0e") == {"inner": {"n": 7}}


def test_a_name_alone_is_a_schema(catalog):
    assert avro('"string"')(b"\x04ab") == "ab"


def test_values_that_json_has_no_word_for_are_what_a_mapping_can_read():
    fields = [
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 2}},
        {"name": "when", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "raw", "type": "bytes"},
    ]
    read = avro({"type": "record", "name": "r", "fields": fields})
    assert read(b"\x04\x04\xd2" + b"\x02" + b"\x04\xffa") == {"price": 12.34, "when": 1, "raw": "\ufffda"}


# ------------------------------------------------------------------------------------------------ what is refused
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"no frame", Reject.MALFORMED),
        (frame(77, b"x"), Reject.UNSUPPORTED),
        (frame(1, b""), Reject.MALFORMED),
        (frame(1, avro_point() + b"x"), Reject.MALFORMED),
        (frame(1, avro_point()[:-1]), Reject.MALFORMED),
        (frame(1, avro_point(None)), Reject.WRONG_TYPE),
        (frame(2, b""), Reject.MALFORMED),
        (frame(2, b"\x04\x00\x0a"), Reject.MALFORMED),
        (frame(2, b"\x7f\x00"), Reject.MALFORMED),
        (frame(2, b"\x00\x0a\xff"), Reject.MALFORMED),
        (frame(3, b"{"), Reject.MALFORMED),
        (None, Reject.EMPTY),
    ],
)
def test_what_is_not_of_its_schema_is_rejected_and_harms_no_neighbour(value, reason, catalog, record):
    decoded = codec().decode([record(value), record(frame(1, avro_point()))], catalog)
    assert [(part.row, part.reason) for part in decoded.rejected] == [(0, reason)]
    assert decoded.samples.row.tolist() == [1]


ENDLESS = {
    "a list": {"type": "record", "name": "n", "fields": [{"name": "next", "type": ["null", "n"]}]},
    "a tree": {
        "type": "record",
        "name": "n",
        "fields": [{"name": "m", "type": {"type": "map", "values": {"type": "array", "items": "n"}}}],
    },
    "nothing many times": {"type": "array", "items": "null"},
    "empty records": {"type": "array", "items": {"type": "record", "name": "e", "fields": [{"name": "n", "type": "null"}]}},
    "no bytes": {"type": "array", "items": {"type": "fixed", "name": "f", "size": 0}},
    "deep": orjson.loads('{"type":"array","items":' * 200 + '"int"' + "}" * 200),
    "no schema": {"type": "nonsense"},
    "empty": {},
    "number": 7,
    "no text": "{",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_schema_that_lets_a_short_body_ask_for_endless_work_is_refused(name):
    with pytest.raises(DecodeError) as caught:
        avro(ENDLESS[name])
    assert caught.value.reason is Reject.UNSUPPORTED


def test_a_few_words_that_stand_for_very_many_are_refused():
    parts = [{"type": "record", "name": "r0", "fields": [{"name": "n", "type": "null"}]}]
    for n in range(1, 40):
        fields = [{"name": side, "type": f"r{n - 1}"} for side in ("left", "right")]
        parts.append({"type": "record", "name": f"r{n}", "fields": fields})
    references = tuple((part["name"], orjson.dumps(part).decode()) for part in parts[:-1])
    with pytest.raises(DecodeError):
        avro(parts[-1], references=references)


@pytest.mark.parametrize("text", ["", "no base64!", "aGVsbG8=", base64.b64encode(b"\xff" * 50).decode()])
def test_a_descriptor_that_is_none_is_refused(text):
    with pytest.raises(DecodeError) as caught:
        protobuf_reader(Schema("PROTOBUF", text))(protobuf_point())
    assert caught.value.reason in (Reject.UNSUPPORTED, Reject.MALFORMED)


def test_a_descriptor_without_what_it_imports_is_refused():
    file = point_file()
    file.dependency.append("elsewhere.proto")
    with pytest.raises(DecodeError) as caught:
        protobuf_reader(Schema("PROTOBUF", base64.b64encode(file.SerializeToString()).decode()))
    assert caught.value.reason is Reject.UNSUPPORTED


def test_a_descriptor_may_leave_the_kind_of_a_field_to_its_types_name():
    """As Redpanda's registry gives it."""
    file = point_file()
    for field in file.message_type[0].nested_type[0].field:
        if field.type_name:
            field.ClearField("type")
    read = protobuf_reader(Schema("PROTOBUF", base64.b64encode(file.SerializeToString()).decode()))
    assert read(protobuf_point()) == protobuf_reader(SCHEMAS[2])(protobuf_point())


def test_protobuf_schemas_may_import_others():
    part = descriptor_pb2.FileDescriptorProto(name="whatever.proto", package="a", syntax="proto3")
    part.message_type.add(name="Part").field.add(name="n", number=1, type=5, label=1)
    whole = descriptor_pb2.FileDescriptorProto(name="w.proto", package="a", syntax="proto3", dependency=["part.proto"])
    whole.message_type.add(name="Whole").field.add(name="part", number=1, type=11, type_name=".a.Part", label=1)
    texts = [base64.b64encode(file.SerializeToString()).decode() for file in (part, whole)]
    assert protobuf_reader(Schema("PROTOBUF", texts[1], (("part.proto", texts[0]),)))(b"\x00\x0a\x02\x08\x07") == {
        "part": {"n": 7}
    }


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([1, 2]), st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_any_change_of_a_body_is_read_or_refused(identity, noise, start, end):
    body = avro_point() if identity == 1 else protobuf_point()
    reader = {1: avro_reader, 2: protobuf_reader}[identity](SCHEMAS[identity])
    try:
        orjson.dumps(reader(body[:start] + noise + body[end:]))
    except DecodeError as error:
        assert error.reason in (Reject.MALFORMED, Reject.BAD_TIME)  # noqa: PT017
