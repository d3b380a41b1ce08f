"""Laws of asking a schema registry: once for each schema, patiently, and never taking silence for an answer."""

from __future__ import annotations

import pytest
from registry_world import SCHEMAS, FakeRegistry, frame

from connectors import schemas
from connectors.schemas import Book, framed
from engine.config.registry import Registry
from engine.records import Record


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def registry():
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def book(registry, clock):
    book = Book(Registry(url=registry.url, timeout=5.0), clock)
    yield book
    book.close()


def record(value, headers=()):
    return Record("t", 0, 0, 0, None, value, headers)


# ------------------------------------------------------------------------------------------------ what a message says
def test_an_id_is_four_bytes_behind_a_zero():
    assert framed(record(frame(7, b"body"))) == (7, b"body")


def test_a_guid_is_sixteen_bytes_behind_a_one_in_the_body_or_in_a_header():
    guid = bytes.fromhex("4192db095cfc483dbf69c4457599a9c7")
    expected = "4192db09-5cfc-483d-bf69-c4457599a9c7"
    assert framed(record(b"\x01" + guid + b"body")) == (expected, b"body")
    assert framed(record(b"body", (("x", b""), ("__value_schema_id", b"\x01" + guid)))) == (expected, b"body")


@pytest.mark.parametrize("value", [None, b"", b"\x00", b"\x00abc", b"\x01" + b"x" * 15, b"{}", b"\x02abcdefgh"])
def test_without_an_id_there_is_none(value):
    assert framed(record(value)) is None


def test_a_header_that_is_no_id_is_not_passed_over():
    assert framed(record(frame(7, b""), (("__value_schema_id", b"\x00\x00"),))) is None


# ------------------------------------------------------------------------------------------------ asking
def test_each_schema_is_asked_for_once(book, registry):
    assert [book.learn(1), book.learn(1), book.learn(3)] == [True, True, True]
    assert [path for path, _ in registry.asked] == ["/schemas/ids/1", "/schemas/ids/3"]
    assert (book.known(1), book.known(3)) == (SCHEMAS[1], SCHEMAS[3])


def test_of_protobuf_the_descriptor_is_asked_for(book):
    assert book.learn(2)
    assert book.known(2) == SCHEMAS[2]


def test_what_the_registry_says_that_it_has_not_is_known_to_be_none(book, registry):
    assert book.learn(99)
    assert book.learn(99)
    assert book.known(99) is None
    assert len(registry.asked) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        (500, b'{"error_code":50001}'),
        (503, b"<html>"),
        (404, b"<html>not here</html>"),
        (404, b'{"error_code":404}'),
        (401, b'{"error_code":40101}'),
        (302, b""),
        (200, b"{}"),
        (200, b"[" * 10_000),
        (200, b'{"schema":"' + b"x" * (schemas.BODY_BYTES_MAX + 1) + b'"}'),
    ],
    ids=["error", "proxy", "page", "other", "password", "redirect", "empty", "deep", "large"],
)
def test_any_other_answer_leaves_the_question_open(book, registry, clock, refusal):
    registry.refusals.append(refusal)
    assert not book.learn(1)
    assert book.failure
    clock.seconds += schemas.RETRY_FIRST_SECONDS
    assert book.learn(1)
    assert (book.failure, book.known(1)) == ("", SCHEMAS[1])


def test_a_registry_that_is_away_is_asked_less_and_less_often(book, registry, clock):
    registry.refusals += [(503, b"")] * 100
    asked = []
    for _ in range(200):
        book.learn(1)
        asked.append(len(registry.asked))
        clock.seconds += 1.0
    assert asked[9] == 4  # at 0, 1, 3 and 7 seconds
    assert asked[-1] <= 5 + 200 / schemas.RETRY_MAX_SECONDS + 1


def test_made_up_ids_do_not_become_the_registrys_load(book, registry, clock):
    for schema in range(1000, 2000):
        book.learn(schema)
    assert len(registry.asked) == schemas.QUESTIONS_MAX
    clock.seconds += 1.0
    assert book.learn(1)


def test_a_book_full_of_what_there_is_not_makes_room(book, monkeypatch, clock):
    monkeypatch.setattr(schemas, "KEPT_MAX", 3)
    for schema in (101, 102, 103, 1):
        assert book.learn(schema)
    assert book.known(1) == SCHEMAS[1]


def test_references_come_with_a_schema_those_first_that_others_need(book, registry):
    registry.answers["/schemas/ids/4"] = {"schema": "c", "references": [{"name": "b", "subject": "s/b", "version": 2}]}
    registry.answers["/subjects/s/b/versions/2"] = {"schema": "b", "references": [{"name": "a", "subject": "a", "version": 1}]}
    registry.answers["/subjects/a/versions/1"] = {"schema": "a"}
    assert book.learn(4)
    assert book.known(4).references == (("a", "a"), ("b", "b"))


def test_references_in_a_ring_come_to_an_end(book, registry):
    registry.answers["/schemas/ids/4"] = {"schema": "c", "references": [{"name": "a", "subject": "a", "version": 1}]}
    registry.answers["/subjects/a/versions/1"] = {"schema": "a", "references": [{"name": "a", "subject": "a", "version": 1}]}
    assert book.learn(4)


@pytest.mark.parametrize(
    ("access", "header"),
    [({"user": "u", "password": "p"}, "Basic dTpw"), ({"token": "t0"}, "Bearer t0"), ({}, "")],
)
def test_it_is_asked_with_the_access_that_is_configured(registry, access, header):
    book = Book(Registry.model_validate({"url": registry.url, **access}))
    book.learn(1)
    book.close()
    assert registry.asked[0][1] == header
