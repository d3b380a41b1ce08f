"""The short way for log lines in JSON gives what the general reader gives, whatever the bytes, and is taken where it can be."""

import json

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torn_bytes import torn

from connectors.codecs import json_lines, known_parts, level_scan
from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_lines import is_plain
from connectors.codecs.json_mapping import JsonCodec
from detectors.kernel import JIT
from engine import severity
from engine.config.tree import Format, Mapping, Source
from engine.detect.catalog import SourceCatalog
from engine.records import Record

TS_NS = 1_795_218_875_509_000_000
FLIPS = 3_000 if JIT else 60
FLUENT = Mapping(
    time="@timestamp",
    time_unit="s",
    message="msg | log",
    embedded_json=True,
    severity="level",
    labels={"service": "kubernetes.labels.app | kubernetes.container_name", "pod": "kubernetes.pod_name"},
)
ISO = FLUENT.model_copy(update={"time_unit": "auto_iso", "time": "time", "embedded_json": False})
OWN_TIME = Mapping(time="", message="msg | log", severity="level", labels={"service": "kubernetes.labels.app"})
SHORT = [FLUENT, ISO, OWN_TIME]


def source_of(mapping):
    return Source(name="s", topics=["t"], format=Format.JSON, mapping=mapping, keep_log_labels=["http.status"], line_bytes_max=64)


def document(text="GET /cart 200", pod=0, **more):
    found = {"@timestamp": 1795218875.509123, "time": "2026-11-20T23:54:35.509123456Z", "stream": "stdout", "log": text, **more}
    return {
        **found,
        "kubernetes": {"pod_name": f"cart-{pod}", "labels": {"app": "cart"}, "annotations": {"a": '{"b": [1, "}"]}'}},
    }


def written(found):
    return found if isinstance(found, bytes) else orjson.dumps(found)


def records(documents):
    return [Record("t", 0, n, TS_NS + n, None, written(found)) for n, found in enumerate(documents)]


def told(decoded):
    lines = decoded.lines
    columns = zip(lines.row.tolist(), lines.key, lines.ts_ns.tolist(), lines.severity.tolist(), lines.text, strict=True)
    fields = lines.fields if lines.fields is not None and any(any(part) for part in lines.fields) else None
    return list(columns), fields, list(decoded.rejected)


def agrees(documents, mappings=SHORT):
    """Both ways, cold and warm, in one batch and document by document."""
    for mapping in mappings:
        source = source_of(mapping)
        catalog, general, short = SourceCatalog(source), JsonCodec(source, short=False), JsonCodec(source)
        expected = told(general.decode(records(documents), catalog))
        for _ in range(3):
            assert told(short.decode(records(documents), catalog)) == expected
        for found in documents:
            one = records([found])
            assert told(short.decode(one, catalog)) == told(general.decode(one, catalog))


def left(found, mapping=FLUENT, taught=None):
    """Documents that the short way leaves to the general reader, when it has seen one that says the same."""
    source = source_of(mapping)
    codec, catalog = JsonCodec(source), SourceCatalog(source)
    for _ in range(2):
        codec.decode(records([found if taught is None else taught]), catalog)
    run = json_lines.Run.of(records([found]))
    return list(codec._flat._take(run, range(1), ColumnsBuilder(100)))


@pytest.mark.parametrize("mapping", SHORT)
def test_documents_that_say_nothing_new_are_read_the_short_way(mapping):
    assert left(document(text="another text", time="2026-11-20T23:54:36Z"), mapping, taught=document()) == []
    agrees(
        [document(), document("another"), document("third", pod=1), document("fourth", level="warn"), document("fifth", n=1.5)]
    )


def test_any_order_of_documents_new_and_known():
    agrees([document(f"text {n}", pod=pod, nobody=n) for n, pod in enumerate("aabacbdaccdd")] + [b"", b"{", b"[]"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  two blanks  ",
        "\ufeff marked",
        "ends in ü",
        "ends in\u3000",
        "\xa0",
        'a "quote"',
        "tab\there",
        "\\",
        "line\n",
        "{not json}",
    ],
)
def test_texts_of_every_form(text):
    agrees([document(), document(text), document(text, pod=1)])


@pytest.mark.parametrize(
    "found",
    [
        document('GET "/cart" 200'),
        document("ends in ü"),
        document(nobody='an "escape" in what nobody asks for'),
        document(nobody=None, nothing=True, no=False, number=-1.5e-7),
        {**document(), "@timestamp": 1795218875},
        {**document(), "@timestamp": "1795218875.5"},
        {**document(), "@timestamp": 1795218875.1234567},
        json.dumps(document(), indent=1).encode(),
    ],
)
def test_what_is_plain_is_read_the_short_way(found):
    assert left(found) == []
    agrees([document(), found, document(pod=1)])


@pytest.mark.parametrize(
    "found",
    [
        document('{"msg": "within", "level": "error"}'),
        document("{plain}"),
        {**document(), "@timestamp": None},
        {**document(), "@timestamp": "tomorrow"},
        {**document(), "@timestamp": 1e300},
        {**document(), "log": ["a", "b"]},
        {**document(), "log": None},
        {name: value for name, value in document().items() if name != "log"},
        {name: value for name, value in document().items() if name != "@timestamp"},
        orjson.dumps(document())[:-1] + b',"log":"twice"}',
        orjson.dumps(document())[:-1] + b',"l\\u006fg":"twice"}',
        orjson.dumps(document())[:-1] + b',"nobody":1e999}',
        orjson.dumps(document())[:-1] + b',"nobody":01}',
        orjson.dumps(document())[:-1] + b',"nobody":"\xff"}',
        orjson.dumps(document()).replace(b"/cart", b"\xc3"),
        orjson.dumps(document()).replace(b"/cart", b"\\ud800"),
        orjson.dumps(document())[:-1] + b",}",
        orjson.dumps(document()) + b" x",
        document(**{f"m{n}": n for n in range(70)}),
    ],
)
def test_what_is_not_plain_is_left_to_the_general_reader(found):
    assert len(left(found, taught=document(nobody=1))) == 1
    agrees([document(nobody=1), found, document(nobody=2)])


def test_members_that_are_asked_for_are_never_passed_over():
    """Levels, and labels that a source keeps: each value is a new document to the short way."""
    for name, values in {"level": ["info", "error"], "http.status": [200, 500]}.items():
        assert len(left(document(**{name: values[0]}), taught=document(**{name: values[1]}))) == 1
        agrees([document(**{name: value}) for value in values * 2])


def test_sessions_and_measurements_are_read_of_each_line():
    usual = [document(trace_id=f"4bf92f{n:04d}", took_ms=n / 4, bytes_sent=n, nobody="x") for n in range(5)]
    assert left(usual[1], taught=usual[0]) == []
    first = {"trace_id": "77aa8812", "took_ms": 3, **document()}
    agrees([*usual, document(), first, document(request_id="a-77", trace_id=None), document(trace_id=[1], took_ms="5")])
    agrees(
        [
            document(**{f"m{n}_ms": n for n in range(12)}),
            document(took_ms=1, http={"took_ms": 2}),
            *usual,
            document(http={"took_ms": 2}),
        ]
    )


def test_a_name_that_comes_twice_counts_as_it_does_for_the_general_reader():
    raw = orjson.dumps(document())[:-1]
    twice = [
        b',"http":{"took_ms":3},"http":1}',
        b',"http":1,"http":{"took_ms":3}}',
        b',"took_ms":1,"took_ms":2}',
        b',"took_ms":1,"took_ms":{"a_ms":2}}',
    ]
    once = [b',"http":{"took_ms":3}}', b',"http":1}', b',"took_ms":{"a_ms":2}}', b',"took_ms":7}']
    agrees([raw + end for end in (*twice, *once, *twice)])
    before = b'{"took_ms":5,"http":1,' + raw[1:]
    agrees([raw + end for end in once] + [before + end for end in (*once, *twice)])


@pytest.mark.parametrize(
    "change",
    [
        {"records": "."},
        {"message": "a.b"},
        {"message": "jmespath: log"},
        {"labels": "."},
        {"labels": {"service": "log"}},
        {"severity": "jmespath: level"},
        {"severity": "log"},
        {"numbers": ["@timestamp"]},
        {"session": "log"},
        {"origin": ["stream"], "stack_traces": True},
    ],
)
def test_mappings_that_look_at_the_text_or_the_time_twice_have_no_short_way(change):
    assert is_plain(FLUENT, [])
    assert not is_plain(FLUENT.model_copy(update=change), [])
    assert not is_plain(FLUENT, ["log"])


def test_both_ways_agree_on_torn_bytes():
    rng = np.random.default_rng(5)
    small = orjson.dumps(document("ü", nobody=[1, {}], n=-1, t=True))
    agrees([small, *(torn(small, rng) for _ in range(FLIPS))], [FLUENT])


def test_both_ways_agree_when_a_document_is_cut_or_changed_anywhere():
    small = orjson.dumps(document("x", n=None))
    step = 1 if JIT else 30
    changed = [
        small[:at] + bytes([byte]) + small[at + 1 :] for at in range(0, len(small), step) for byte in b'\x00"\\{}[],:0 \xff'
    ]
    agrees([small, *changed, *(small[:at] for at in range(0, len(small), step))], [FLUENT, ISO])


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=9),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)
NAMES = st.sampled_from(
    ["log", "msg", "@timestamp", "time", "level", "kubernetes", "a", "ü", "trace_id", "took_ms", "http", "http.status", '"']
)


@settings(max_examples=60 if JIT else 3, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.tuples(NAMES, VALUES), max_size=5), st.booleans(), st.text(max_size=12)), min_size=1, max_size=6
    )
)
def test_both_ways_agree_on_documents_of_any_shape(drawn):
    """Some of them with names that come twice."""
    bodies = []
    for members, is_usual, text in drawn:
        usual = list(document(text).items()) if is_usual else []
        parts = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in [*usual, *members]]
        bodies.append(("{" + ", ".join(parts) + "}").encode("utf-8", "surrogatepass"))
    agrees(bodies)


def test_tables_that_are_full_begin_anew(monkeypatch):
    monkeypatch.setattr(known_parts, "NODES_MAX", 200)
    monkeypatch.setattr(json_lines, "NAMES_MAX", 5)
    agrees([document(pod=n % 40, **{f"m{n % 7}": n}) for n in range(150)])


def test_only_so_many_documents_of_a_batch_are_learned(monkeypatch):
    monkeypatch.setattr(json_lines, "LEARNED_MAX", 3)
    agrees([document(pod=n) for n in range(20)])


def test_documents_that_each_say_something_new_are_soon_learned_no_more():
    """What then is new once more is learned when others are known again."""
    source = source_of(FLUENT)
    codec, catalog = JsonCodec(source), SourceCatalog(source)
    for first in range(0, 2_000, 500):
        codec.decode(records([document(pod=n) for n in range(first, first + 500)]), catalog)
    assert codec._flat._known.table.used[0] < 4 * (json_lines.LEARNED_MAX + 50)
    for _ in range(8):
        codec.decode(records([document(pod=5000 + n % 2) for n in range(50)]), catalog)
    assert list(codec._flat._take(json_lines.Run.of(records([document(pod=5001)])), range(1), ColumnsBuilder(100))) == []


PIECES = st.sampled_from(
    [
        "INFO",
        "WARN",
        "WARNING",
        "info",
        "level",
        "lvl=",
        "severity=",
        '"',
        "=",
        "E1120 ",
        "W0000",
        " ",
        "_",
        "ERROR",
        "information",
        "fatal",
        "x",
        "9",
        "ü",
        "-",
        "critical",
        "a" * 14,
        "D",
    ]
)


@settings(max_examples=300 if JIT else 20, deadline=None)
@given(
    st.lists(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=30)), min_size=1, max_size=5),
    st.sampled_from([0, 150, 157]),
)
def test_levels_are_those_that_the_pattern_finds(texts, before):
    raw = [("." * before + text).encode("utf-8", "surrogatepass") for text in texts]
    ends = np.cumsum([len(text) for text in raw])
    found = json_lines._levels_of(b"".join(raw) + bytes(8), ends - [len(text) for text in raw], ends)
    assert found.tolist() == [severity.in_text(text) for text in raw]
    assert level_scan.BY_HAND not in found


def test_the_words_in_capitals_are_those_of_the_pattern():
    found = {word.upper() for word in severity.WORDS if severity.in_text(f". {word.upper()} .".encode())}
    assert found == set(severity.CAPITALS)


def test_what_follows_on_text_and_time_is_known_at_once_wherever_they_stand():
    """Also where a second text follows, which counts for more than the first."""
    usual = document()
    kubernetes = usual.pop("kubernetes")
    orders = [
        {"kubernetes": kubernetes, **usual},
        {**usual, "kubernetes": kubernetes},
        {"log": "first", "@timestamp": 5, "time": "1970-01-01T00:00:05Z", "kubernetes": kubernetes},
        {"log": "first", "@timestamp": 5, "time": "1970-01-01T00:00:05Z", "kubernetes": kubernetes, "msg": "counts"},
        {"log": "first", "@timestamp": 5, "time": "1970-01-01T00:00:05Z", "msg": "counts too", "kubernetes": kubernetes},
        {"log": "first", "@timestamp": 5, "level": "warn", "time": "1970-01-01T00:00:05Z", "kubernetes": kubernetes},
    ]
    again = [{**found, "log": "another", "@timestamp": 6, "time": "1970-01-01T00:00:06Z"} for found in orders]
    agrees([*orders, *again])
    assert [left(found, taught=before) for before, found in zip(orders, again, strict=True)] == [[]] * len(orders)
