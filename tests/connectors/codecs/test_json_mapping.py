"""What the keys of a mapping mean, one at a time."""

import orjson
import pytest

from connectors.codecs import build_codec
from connectors.codecs.json_metrics import DEPTH_MAX, FIELDS_MAX
from connectors.codecs.json_paths import compile_labels, compile_path
from engine import severity
from engine.config.tree import Format, Mapping, Source
from engine.errors import ConfigError, Reject


@pytest.fixture
def decode(catalog, record):
    """What one document becomes under a mapping."""

    def run(document, /, **keys):
        codec = build_codec(Source(name="s", topics=["t"], format=Format.JSON, mapping=Mapping(**{"time": "", **keys})))
        return codec.decode([record(orjson.dumps(document))], catalog)

    return run


def _named(decoded):
    return dict(zip(decoded.samples.key, decoded.samples.value.tolist(), strict=True))


def _reasons(decoded):
    return [part.reason for part in decoded.rejected]


# ------------------------------------------------------------------------------------------------ paths
@pytest.mark.parametrize(
    "document",
    [
        {"a": {"b": {"c": 1}}},
        {"a.b.c": 1},
        {"a": {"b.c": 1}},
        {"a.b": {"c": 1}},
        {"a": {"b": 7}, "a.b.c": 1},
        {"a": {"b": {"c": None}}, "a.b": {"c": 1}},
    ],
)
def test_nested_and_dotted_keys_are_the_same_path(document):
    assert compile_path("a.b.c")(document) == 1


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a | b", 2),
        ("b | a", 2),
        ("x | y", None),
        ("", None),
        ("=text", "text"),
        ("a | =else", "else"),
        (".", {"a": None, "b": 2}),
    ],
)
def test_alternatives_constants_and_the_root(path, found):
    assert compile_path(path)({"a": None, "b": 2}) == found


def test_labels_are_scalars_only():
    document = {"tags": {"a": "x", "b": 1, "c": True, "d": None, "e": [1], "f": {"g": 1}, "h": 1.5}, "host": "web"}
    read = compile_labels({"*": "tags", "host": "host", "gone": "gone"})
    assert read(document) == (("a", "x"), ("b", "1"), ("c", "true"), ("h", "1.5"), ("host", "web"))


def test_labels_of_equal_value_and_other_type_are_other_series(decode, catalog):
    for value in (1, True, 1.0, "1"):
        decode({"v": 1, "tags": {"a": value}}, name="=m", values="v", labels="tags")
    assert len(set(catalog.asked)) == 3


# ------------------------------------------------------------------------------------------------ metrics
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"name": "n", "values": "v"}, {b"m": 1.0}),
        ({"name": "n", "values": {"v": "v"}}, {b"m": 1.0}),
        ({"name": "n", "values": {"v": "v", "w": "o.w"}}, {b"m.v": 1.0, b"m.w": 2.0}),
        ({"name": "n", "values": {"": "v", "w": "o.w"}}, {b"m": 1.0, b"m.w": 2.0}),
        ({"values": {"v": "v"}}, {b"v": 1.0}),
        ({"name": "n", "values": "o"}, {b"m.w": 2.0, b"m.deep.x": 3.0}),
        ({"name": "=k", "values": "o"}, {b"k.w": 2.0, b"k.deep.x": 3.0}),
        ({"values": "o"}, {b"w": 2.0, b"deep.x": 3.0}),
        ({"values": "o", "skip": ["o.deep"]}, {b"w": 2.0}),
        ({"values": "."}, {b"v": 1.0, b"o.w": 2.0, b"o.deep.x": 3.0}),
        ({"values": ".", "skip": ["o.deep", "v"]}, {b"o.w": 2.0}),
    ],
)
def test_how_numbers_get_their_names(decode, keys, expected):
    assert _named(decode({"n": "m", "v": 1, "o": {"w": 2, "s": "text", "deep": {"x": 3}}}, **keys)) == expected


def test_time_labels_and_name_are_no_metrics_of_the_root(decode):
    document = {"at": 5, "code": 200, "n": "m", "v": 1}
    assert _named(decode(document, time="at", time_unit="s", name="n", values=".", labels={"code": "code"})) == {
        b'm.v{code="200"}': 1.0
    }


def test_entities_are_cut_off_at_the_last_colon(decode):
    decoded = decode({"values": {"a:b:cpu": 1, "cpu": 2, "c:mem": None}}, values="values", split_entity=True)
    assert _named(decoded) == {b'cpu{entity="a:b"}': 1.0, b"cpu": 2.0}


@pytest.mark.parametrize(
    ("word", "value", "expected"),
    [
        ("incremental", {"counter": {"value": 1}}, "delta"),
        ("absolute", {"counter": {"value": 1}}, "counter"),
        ("absolute", {"gauge": {"value": 1}}, "gauge"),
        ("gauge", {"counter": {"value": 1}}, "gauge"),
        ("something", {"counter": {"value": 1}}, "gauge"),
        (None, {"counter": {"value": 1}}, "gauge"),
    ],
)
def test_the_kind_of_a_value(decode, catalog, word, value, expected):
    decode({"kind": word, **value}, name="=m", values={"": "counter.value | gauge.value"}, kind="kind")
    assert catalog.describe(b"m").kind == expected


@pytest.mark.parametrize(
    ("value", "strict", "lenient"),
    [
        ("17", Reject.WRONG_TYPE, 17.0),
        ("-1.5e3", Reject.WRONG_TYPE, -1500.0),
        ("NaN", Reject.WRONG_TYPE, Reject.NOT_FINITE),
        ("+Inf", Reject.WRONG_TYPE, Reject.NOT_FINITE),
        ("1_000", Reject.WRONG_TYPE, Reject.WRONG_TYPE),
        ("", Reject.WRONG_TYPE, Reject.WRONG_TYPE),
        ([1], Reject.WRONG_TYPE, Reject.WRONG_TYPE),
        (True, 1.0, 1.0),
        (1e15, Reject.NOT_FINITE, Reject.NOT_FINITE),
        (2**63, Reject.NOT_FINITE, Reject.NOT_FINITE),
        (None, Reject.WRONG_TYPE, Reject.WRONG_TYPE),
    ],
)
@pytest.mark.parametrize("numeric_strings", [False, True])
def test_what_counts_as_a_number(decode, value, strict, lenient, numeric_strings):
    decoded = decode({"v": value}, name="=m", values="v", numeric_strings=numeric_strings)
    expected = lenient if numeric_strings else strict
    assert (_reasons(decoded) or list(_named(decoded).values())) == [expected]


def test_one_bad_number_leaves_the_others(decode):
    decoded = decode({"a": 1, "b": "x", "c": 3}, values={"a": "a", "b": "b", "c": "c"})
    assert _named(decoded) == {b"a": 1.0, b"c": 3.0}
    assert _reasons(decoded) == [Reject.WRONG_TYPE]


def test_the_numbers_of_a_document_are_bounded(decode):
    decoded = decode({"v": {str(n): n for n in range(FIELDS_MAX + 5)}}, values="v")
    assert len(decoded.samples.key) == FIELDS_MAX
    assert _reasons(decoded) == [Reject.TOO_MANY_FIELDS]


def test_the_depth_of_a_document_is_bounded(decode):
    document = {"x": 1}
    for _ in range(DEPTH_MAX + 3):
        document = {"d": document}
    assert _reasons(decode({"v": document}, values="v")) == [Reject.TOO_MANY_FIELDS]


@pytest.mark.parametrize(
    ("document", "records", "samples", "reasons"),
    [
        ({"m": [{"v": 1}, {"v": 2}]}, "m", 2, []),
        ({"m": {"v": 1}}, "m", 1, []),
        ([{"v": 1}, 7], ".", 1, [Reject.WRONG_TYPE]),
        ({"m": []}, "m", 0, [Reject.EMPTY]),
        ({"m": 1}, "m", 0, [Reject.WRONG_TYPE]),
        ({}, "m", 0, [Reject.WRONG_TYPE]),
        ([{"v": 1}], "", 0, [Reject.WRONG_TYPE]),
    ],
)
def test_many_documents_in_one_record(decode, document, records, samples, reasons):
    decoded = decode(document, records=records, name="=m", values="v")
    assert len(decoded.samples.key) == samples
    assert _reasons(decoded) == reasons


# ------------------------------------------------------------------------------------------------ time
@pytest.mark.parametrize(
    ("value", "unit", "reason"),
    [
        ("2026-11-20T23:54:35Z", "auto_iso", None),
        (1795218875, "auto_iso", Reject.BAD_TIME),
        (1795218875, "s", None),
        ("1795218875", "s", None),
        ("2026-11-20T23:54:35Z", "s", Reject.BAD_TIME),
        (None, "s", Reject.BAD_TIME),
        (None, "auto_iso", Reject.BAD_TIME),
    ],
)
def test_a_time_is_of_the_declared_form_or_refused(decode, value, unit, reason):
    decoded = decode({"at": value, "v": 1}, time="at", time_unit=unit, name="=m", values="v")
    assert _reasons(decoded) == ([reason] if reason else [])
    assert decoded.samples.ts_ns.tolist() == ([] if reason else [1_795_218_875_000_000_000])


# ------------------------------------------------------------------------------------------------ logs
@pytest.mark.parametrize(
    ("log", "embedded", "text", "level"),
    [
        ('{"level":"error","msg":"payment failed"}', True, b"payment failed", 17),
        ('{"level":"error","msg":"payment failed"}', False, b'{"level":"error","msg":"payment failed"}', 0),
        ('{"severity":30,"message":"x"}', True, b"x", 0),
        ("{broken", True, b"{broken", 0),
        ('{"other":1}', True, b'{"other":1}', 0),
        ("WARN low disk\n", True, b"WARN low disk", 13),
        (" \ufeffleading", False, b"leading", 0),
        ({"k": 1}, False, b'{"k":1}', 0),
        ([104, 105, 255], False, "hi\ufffd".encode(), 0),
        ("", False, b"", 0),
    ],
)
def test_the_text_and_level_of_a_line(decode, log, embedded, text, level):
    decoded = decode({"log": log}, message="log", severity="level", embedded_json=embedded)
    assert decoded.lines.text == [text]
    assert decoded.lines.severity.tolist() == [level]


def test_a_level_at_its_path_comes_before_one_in_the_text(decode):
    decoded = decode({"log": "ERROR x", "level": "info"}, message="log", severity="level")
    assert decoded.lines.severity.tolist() == [9]


def test_a_document_without_text_is_refused(decode):
    assert _reasons(decode({"level": "info"}, message="log")) == [Reject.WRONG_TYPE]
    assert _reasons(decode({"log": 7}, message="log")) == [Reject.WRONG_TYPE]


def test_a_long_line_is_cut_between_characters(catalog, record):
    source = Source(name="s", topics=["t"], format=Format.TEXT, line_bytes_max=5)
    decoded = build_codec(source).decode([record("ab\u20ac\u20ac".encode())], catalog)
    assert decoded.lines.text == ["ab\u20ac".encode()]


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        ("ERROR", "otel", 17),
        (" Warn ", "otel", 13),
        ("Normal", "otel", 9),
        ("17", "otel", 17),
        (17, "otel", 17),
        (25, "otel", 0),
        ("3", "syslog", 17),
        (0, "syslog", 21),
        (8, "syslog", 0),
        (50, "bunyan", 17),
        (35, "bunyan", 9),
        (True, "otel", 0),
        ("\u00b2", "otel", 0),
        ("999", "otel", 0),
        (float("1e300"), "syslog", 0),
        (None, "otel", 0),
        ({}, "otel", 0),
    ],
)
def test_levels_of_every_custom(value, scale, expected):
    assert severity.of_value(value, scale) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"2026-11-20 ERROR x", 17),
        (b"ts=1 level=warn msg=x", 13),
        (b'level="info"', 9),
        (b"E1120 23:54:35.509123 1187 x.go:1] y", 17),
        (b"an error without capitals", 0),
        (b"TERRORS", 0),
        (b"", 0),
    ],
)
def test_levels_inside_lines(line, expected):
    assert severity.in_text(line) == expected


def test_text_lines_belong_to_the_service_of_the_key_or_the_source(catalog, record):
    codec = build_codec(Source(name="syslog", topics=["t"], format=Format.TEXT))
    decoded = codec.decode([record(b"x", key=b"checkout"), record(b"y"), record(b"z", key=b"\xff")], catalog)
    services = [dict(catalog.describe(key).labels)["service"] for key in decoded.lines.key]
    assert services == ["checkout", "syslog", "\ufffd"]


# ------------------------------------------------------------------------------------------------ events
@pytest.mark.parametrize(("rule", "expected"), [(False, False), (True, True), (["Scaled"], True), (["Other"], False)])
def test_which_events_are_changes(decode, rule, expected):
    (event,) = decode({"r": "Scaled"}, event="r", event_prefix="k8s.", is_change=rule).events
    assert (event.name, event.is_change, event.severity) == ("k8s.Scaled", expected, 9)


def test_an_event_is_bounded_in_every_part(decode):
    attributes = {f"a{n}": "t" for n in range(20)}
    (event,) = decode({"r": "x" * 999, "t": "y" * 9999}, event="r", event_text="t", attributes=attributes).events
    assert len(event.name) == 200
    assert len(event.text) == 500
    assert len(event.attributes) == 16
    assert all(len(text) == 500 for text in event.attributes.values())


def test_an_event_without_a_name_is_refused(decode):
    assert _reasons(decode({"r": 7}, event="r")) == [Reject.WRONG_TYPE]


# ------------------------------------------------------------------------------------------------ configuration
@pytest.mark.parametrize("keys", [{}, {"values": "v", "message": "m"}, {"message": "m", "event": "e"}])
def test_a_mapping_says_exactly_what_a_document_is(keys):
    with pytest.raises(ConfigError, match="exactly one of values, message and event"):
        build_codec(Source(name="s", topics=["t"], format=Format.JSON, mapping=Mapping(**keys)))


def test_the_catalog_is_asked_once_for_each_series(catalog, record):
    codec = build_codec(
        Source(name="s", topics=["t"], format=Format.JSON, mapping=Mapping(time="", name="n", values="v", labels="l"))
    )
    codec.decode([record(b'{"n":"m","v":%d,"l":{"a":"b"}}' % n) for n in range(50)], catalog)
    assert catalog.asked == [b'm{a="b"}']


def test_a_message_that_can_be_read_but_not_written_is_refused(catalog, record):
    codec = build_codec(Source(name="s", topics=["t"], format=Format.JSON, mapping=Mapping(time="", message="m")))
    decoded = codec.decode([record(b'{"m":' + b'{"a":' * 300 + b"1" + b"}" * 301)], catalog)
    assert _reasons(decoded) == ["wrong_type"]


def test_members_that_a_source_keeps_split_the_stream_of_a_document(catalog, record):
    mapping = Mapping(time="", message="m", labels={"service": "app", "kind": "k"}, embedded_json=True)
    source = Source(name="s", topics=["t"], format=Format.JSON, mapping=mapping, keep_log_labels=["http.status", "kind", "route"])
    document = {"app": "a", "k": "of the mapping", "http": {"status": 200}, "m": '{"msg":"x","route":"/a","http.status":"inner"}'}
    key = build_codec(source).decode([record(orjson.dumps(document))], catalog).lines.key
    assert key == [b'log{http.status="200",kind="of the mapping",route="/a",service="a"}']
