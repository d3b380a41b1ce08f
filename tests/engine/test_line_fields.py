"""What a line carries beside its text: sessions by name, bounded whatever the document."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.config.mapping import Mapping
from engine.line_fields import (
    MEMBERS_MAX,
    NAME_CHARS_MAX,
    NUMBERS_MAX,
    OBJECTS_MAX,
    PLAN_AFTER,
    SESSION_CHARS_MAX,
    SHAPES_MAX,
    FieldReader,
    joined_fields,
)
from engine.records import NO_FIELDS, Fields

AUTO = FieldReader(Mapping())
NUMBERS = FieldReader(Mapping(session=""))


@pytest.mark.parametrize(
    "document",
    [
        {"trace_id": "ab12"},
        {"traceId": "ab12", "n": 1},
        {"trace": {"id": "ab12"}},
        {"trace.id": "ab12"},
        {"dd": {"trace_id": "ab12", "span_id": "ff00"}},
        {"context": {"http": {"X-Request-ID": "ab12"}}},
        {"job_id": "other1", "trace": {"id": "ab12"}},
        {"trace_id": "0000000000000000", "request_id": "ab12"},
        {"trace_id": "-", "request_id": "ab12"},
        {"trace_id": None, "request_id": ["x"], "req_id": "ab12"},
        {"kubernetes": {"labels": {"job_id": "7777"}}, "run_id": "ab12"},
    ],
)
def test_the_usual_names_are_known_wherever_they_stand(document):
    assert AUTO.read(document) == Fields(b"ab12")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"id": "ab12"},
        {"trace_id": "none"},
        {"trace_id": "a1"},
        {"trace_id": {"x": 1}},
        {"trace_id": 7},
        {"trace_id": 12.5},
        {"trace_id": "1" * (SESSION_CHARS_MAX + 1)},
        {"x" * NAME_CHARS_MAX + ".trace_id": "ab12"},
        {"a": {"b": {"c": {"d": {"trace_id": "ab12"}}}}},
        {str(n): n for n in range(MEMBERS_MAX)} | {"trace_id": "ab12"},
        {str(n): {"x": n} for n in range(OBJECTS_MAX)} | {"z": {"trace_id": "ab12"}},
    ],
)
def test_what_is_no_id_or_lies_beyond_the_bounds_is_none(document):
    assert AUTO.read(document) is NO_FIELDS


def test_a_number_may_be_a_session():
    assert AUTO.read({"request_id": 123456}) == Fields(b"123456")


def test_a_given_name_decides_alone_and_takes_any_value():
    reader = FieldReader(Mapping(session="order | user.name"))
    assert reader.read({"trace_id": "ab12", "user": {"name": "x"}}) == Fields(b"x")
    assert reader.read({"user.name": "x", "order": 7}) == Fields(b"7")
    assert reader.read({"trace_id": "ab12"}) is NO_FIELDS
    assert FieldReader(Mapping(session="", numbers="none")).wanted is False


def test_members_whose_names_measure_are_numbers_in_the_order_in_which_they_stand():
    document = {"status": 200, "duration_ms": 31, "http": {"bytes": 12.5, "port": 80}, "ok": True, "took": "1m2.5s", "size": "7"}
    assert NUMBERS.read(document) == Fields(b"", (("duration_ms", 31.0), ("took", 62.5), ("http.bytes", 12.5)))
    assert FieldReader(Mapping(session="", numeric_strings=True)).read({"size": "7"}) == Fields(b"", (("size", 7.0),))
    assert FieldReader(Mapping(session="", numbers="none")).read(document) is NO_FIELDS


def test_numbers_that_are_given_are_taken_whatever_their_names_and_no_others():
    reader = FieldReader(Mapping(session="", numbers=["http.port", "code"]))
    assert reader.read({"http": {"port": "80"}, "code": -7, "duration_ms": 5}) == Fields(
        b"", (("code", -7.0), ("http.port", 80.0))
    )


@pytest.mark.parametrize(
    "value", [None, True, "x", "", "nan", "1e5", "٣", 10**400, float("inf"), float("nan"), [1], {"a": "b"}, "-"]
)
def test_what_is_no_finite_number_is_none(value):
    assert NUMBERS.read({"duration_ms": value}) is NO_FIELDS


def test_so_many_numbers_of_a_line_are_taken():
    assert len(NUMBERS.read({f"x{n}_ms": n for n in range(100)}).numbers) == NUMBERS_MAX
    many = Fields(b"", tuple((f"y{n}_ms", 1.0) for n in range(NUMBERS_MAX)))
    assert joined_fields(many, Fields(b"a", (("y0_ms", 2.0),))) == Fields(b"a", (("y0_ms", 2.0), *many.numbers[1:]))


def test_shapes_are_forgotten_when_there_are_too_many_and_nothing_changes():
    reader = FieldReader(Mapping())
    for n in range(SHAPES_MAX + 10):
        assert reader.read({f"x{n}": 1, "trace_id": f"ab{n:02}"}) == Fields(b"ab%02d" % n)
    assert reader.read({"x" * 5000: 1, "trace_id": "ab12"}) == Fields(b"ab12")


def test_of_a_document_within_a_document_the_inner_one_knows_better():
    outer, inner = Fields(b"outer"), Fields(b"inner")
    assert joined_fields(outer, inner) == inner
    assert joined_fields(outer, NO_FIELDS) == outer
    assert joined_fields(NO_FIELDS, inner) == inner


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["trace_id", "id", "trace", "a.b", ""]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["trace_id", "id", "trace", "a", "\ud800"]), VALUES, max_size=4))
def test_any_document_is_read_and_always_the_same(document):
    assert AUTO.read(document) == FieldReader(Mapping()).read(document)


@pytest.mark.parametrize(
    "document",
    [
        {"trace_id": "ab12", "http": {"bytes": 3, "size": 4}},
        {"trace_id": "ab12", "http": {"bytes": 3, "took_ms": 4}},
        {"trace_id": "ab12", "http": 7},
        {"trace_id": {"id": "ab12"}, "http": {"bytes": 3}},
        {"trace_id": {"request_id": "ab13"}, "http": "no object"},
        {"trace_id": "ab12", "http": {"bytes": {"took_ms": 3}}},
        {"http": {"bytes": 3}, "trace_id": "ab12"},
        {"trace_id": "ab12", "http": {}},
    ],
)
def test_what_was_read_before_changes_nothing(document):
    """Of documents with the same names, and other objects within."""
    reader = FieldReader(Mapping())
    before = [
        {"trace_id": "cd34", "http": {"bytes": 3}},
        {"trace_id": "cd34", "http": 7},
        {"trace_id": {"a": {}}, "http": {"b": 1}},
    ]
    for one in before:
        reader.read(one)
        assert reader.read(document) == FieldReader(Mapping()).read(document)
        assert reader.read(one) == FieldReader(Mapping()).read(one)


NAMES = st.sampled_from(
    ["trace_id", "id", "trace", "a.b", "", "traceid.", "Request-ID_", "duration_ms", "took", "s", "bytes", "host", "x" * 210]
)
SEVERAL = st.sampled_from(
    [
        Mapping(),
        Mapping(session=""),
        Mapping(session="trace.id | id", numbers=["s", "trace.took"]),
        Mapping(numeric_strings=True),
    ]
)
TEXTS = st.sampled_from(["ab12", "7", "12ms", "0000", "-", "31.5"])
DEEP = st.recursive(
    st.integers() | st.floats() | TEXTS | st.none(), lambda inner: st.dictionaries(NAMES, inner, max_size=5), max_leaves=30
)


@settings(max_examples=1000)
@given(SEVERAL, st.dictionaries(NAMES, DEEP, max_size=8))
@example(Mapping(), {"trace_id": {"": -100}})
@example(Mapping(), {"trace_id": {"-_": {".": "ab12"}}})
def test_with_a_plan_and_without_a_document_says_the_same(mapping, document):
    reader = FieldReader(mapping)
    plain, *later = (reader.read(document) for _ in range(PLAN_AFTER + 2))
    assert reader._plans
    assert later == [plain] * len(later)


def test_of_many_objects_and_members_those_within_the_bounds_are_looked_at_with_a_plan_and_without():
    document = (
        {f"o{n}": {"took_ms": n, "trace_id": f"id{n}00"} for n in range(100)} | {f"m{n}": n for n in range(300)} | {"took": 1}
    )
    reader = FieldReader(Mapping())
    assert len({reader.read(document) for _ in range(PLAN_AFTER + 2)}) == 1


def test_a_shape_that_comes_once_is_given_no_plan(monkeypatch):
    """Members with new names in every document would make the work of hundreds of lines."""
    reader = FieldReader(Mapping())
    monkeypatch.setattr("engine.line_fields.SEEN_MAX", 100)
    for n in range(1_000):
        assert reader.read({f"a{n}": 1, "trace_id": "ab12"}) == Fields(b"ab12")
    assert not reader._plans
    assert not reader._shapes
    assert len(reader._seen) <= 100
