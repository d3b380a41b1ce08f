"""JMESPath in a mapping: what it finds, what a configuration is told, and that nothing it may say is costly."""

import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.codecs.json_paths import compile_path
from engine.config.expressions import CHARS_MAX, wrong_with
from engine.config.load import parse_config
from engine.errors import ConfigError

DOCUMENT = {"a": [{"k": "x", "v": 1}, {"k": "y", "v": 2.5}], "b": {"c": "t"}, "n": None, "i": [2**63, 2**63]}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("a[0].k", "x"),
        ("a[?k=='y'].v | [0]", 2.5),
        ("b.c || n", "t"),
        ("sum(a[*].v)", 3.5),
        ("{k: a[0].k}", {"k": "x"}),
        ("length(a)", 2),
        ("length(n)", None),
        ("sum(a[*].k)", None),
        ("max([a[0].v, b.c])", None),
        ("sum(i)", None),  # beyond 64 bits
        ("nothing.at.all[3]", None),
    ],
)
def test_what_an_expression_finds(expression, found):
    assert compile_path(f"jmespath:{expression}")(DOCUMENT) == found
    assert compile_path(f"jmespath: {expression} ")(DOCUMENT) == found


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("a[", "no JMESPath"),
        ("", "no JMESPath"),
        ("nosuch(a)", "nosuch may not be used"),
        ("join(s, a)", "join may not be used"),
        ("map(&join(@, @), a)", "join may not be used"),
        ("a" * (CHARS_MAX + 1), "characters"),
        ("|".join(["a.b.c.d"] * 30), "parts"),
        ("|".join(["[@,@]"] * 7), "repeat the document"),
        ("to_string([" * 7 + "a" + "])" * 7, "repeat the document"),
        ("(" * 240 + "a" + ")" * 240, ""),
    ],
)
def test_what_may_not_be_said(expression, words):
    assert words in wrong_with(f"jmespath:{expression}")


def test_a_bad_expression_is_a_complaint_with_its_line():
    text = b"sources:\n  - name: s\n    topics: [t]\n    format: json\n    mapping:\n      event: e\n      labels:\n        service: 'jmespath: a['\n"
    with pytest.raises(ConfigError) as caught:
        parse_config(text, {})
    (complaint,) = caught.value.complaints
    assert (complaint.line, complaint.path) == (8, "sources[0].mapping.labels.service")


@pytest.mark.parametrize(
    "expression",
    ["|".join(["[@,@]"] * 6) + "|[][][][][][]", "a[*].[*][].{x: @, y: to_string(@)}", "sort_by(a, &k)[?contains(k, 'x')]"],
)
def test_a_large_document_costs_no_more_than_its_size(expression):
    document = orjson.loads(orjson.dumps({"a": [{"k": "x" * 50, "v": n} for n in range(10_000)]}))
    assert not wrong_with(f"jmespath:{expression}")
    began = time.process_time()
    compile_path(f"jmespath:{expression}")(document)
    assert time.process_time() - began < 5


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "k"]), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    document=st.dictionaries(st.sampled_from(["a", "b"]), _json, max_size=2),
    expression=st.sampled_from(
        [
            "sum(a)",
            "avg(a[*])",
            "max(a)",
            "sort_by(a, &k)",
            "keys(a)|[0]",
            "merge(a, b)",
            "a[?k>`1`]",
            "to_string(@)",
            "abs(a)",
            "map(&k, a)",
        ]
    ),
)
def test_no_document_makes_an_expression_raise(document, expression):
    found = compile_path(f"jmespath:{expression}")(document)
    orjson.dumps(found)
