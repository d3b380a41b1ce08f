"""Selectors, objectives and ratios: what is meant is found, and what is wrong is said."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import selectors
from engine.config.load import parse_config
from engine.config.selectors import parse, wrong_with
from engine.errors import ConfigError


def test_the_examples_in_the_module_hold():
    assert doctest.testmod(selectors).failed == 0


@pytest.mark.parametrize(
    ("text", "name", "labels", "is_meant"),
    [
        ("up", "up", {}, True),
        ("up", "upper", {}, False),
        ("up*", "upper", {"a": "b"}, True),
        ("a.b", "axb", {}, False),
        ('{job="x"}', "anything", {"job": "x"}, True),
        ('up{job=""}', "up", {}, True),
        ('up{job=""}', "up", {"job": "x"}, False),
        ('up{job!="x"}', "up", {}, True),
        ('up{job=~"x|y"}', "up", {"job": "xy"}, False),
        ('up{job=~"x|y"}', "up", {"job": "y"}, True),
        ('up{job!~"x.*"}', "up", {"job": "xy"}, False),
        ('up { job = "a,b}" , zone="1" , }', "up", {"job": "a,b}", "zone": "1"}, True),
        (r'up{job="a\"b\\c"}', "up", {"job": 'a"b\\c'}, True),
        (r'up{code=~"5\d\d"}', "up", {"code": "503"}, True),
        (r'up{code=~"5\\d+"}', "up", {"code": "503"}, True),
        ('up{k8s.pod="a"}', "up", {"k8s.pod": "a"}, True),
    ],
)
def test_what_is_meant(text, name, labels, is_meant):
    assert parse(text).matches(name, labels) is is_meant


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing"),
        ("{}", "nothing"),
        ("up{", "does not end"),
        ("up}", "not a selector"),
        ("up{a=b}", "condition 1"),
        ('up{a="b" c="d"}', "condition 1"),
        ('up{a="b",c}', "condition 2"),
        ('up{a=~"("}', "RE2"),
        ('up{a=~"((a{100}){100}){100}"}', "RE2"),
        ("x" * 1001, "more than 1000"),
        ("up{" + 'a="b",' * 21 + "}", "more than 20"),
    ],
)
def test_what_is_wrong(text, words):
    assert words in wrong_with(text)


@given(st.text(alphabet='ab{}=~!,"\\ *(', max_size=40))
def test_any_text_is_a_selector_or_is_wrong(text):
    if not wrong_with(text):
        parse(text).matches("ab", {"a": "b"})


def complaints(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), {})
    return {c.path: c.message for c in caught.value.complaints}


@pytest.mark.parametrize(
    ("says", "path", "words"),
    [
        ("total: a", "slos[0]", "what is good"),
        ("errors: a", "slos[0]", "what is good"),
        ("total: a, errors: b, good: c", "slos[0]", "what is good"),
        ("total: a, errors: b, at_most: 1", "slos[0]", "what is good"),
        ("series: a", "slos[0].series", "at_most"),
        ("series: a, at_most: 1, total: b", "slos[0].series", "neither"),
        ("total: 'a{', errors: b", "slos[0].total", "does not end"),
        ("total: a, errors: b, window: 1h", "slos[0].window", "86400"),
        ("total: a, errors: b, objective: 1", "slos[0].objective", "less than 1"),
    ],
)
def test_an_objective_says_in_one_way_what_is_good(says, path, words):
    objective = "" if "objective" in says else "objective: 0.9, "
    assert words in complaints(f"slos: [{{name: a, entity: b, {objective}{says}}}]")[path]


def test_names_are_unique():
    one = "{name: a, entity: b, objective: 0.9, total: a, errors: b}"
    assert "second" in complaints(f"slos: [{one}, {one}]")["slos[1].name"]
    assert "second" in complaints("ratios: [{name: a, part: b, whole: c}, {name: a, part: b, whole: c}]")["ratios[1].name"]


def test_a_value_is_not_repeated():
    assert "hunter2" not in str(complaints("ratios: [{name: a, part: 'b{x=hunter2}', whole: c}]"))
