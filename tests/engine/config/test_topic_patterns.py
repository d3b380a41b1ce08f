"""Topics by pattern: what they mean, and what a configuration is told about them."""

import time

import pytest

from engine.config.load import parse_config
from engine.config.topic_patterns import conflict, matches, wrong_with
from engine.config.tree import Format, Source
from engine.errors import ConfigError

BLOCK = "  - {{name: {name}, topics: ['{topic}'], format: text}}\n"


def _complaints(*pairs):
    text = "sources:\n" + "".join(BLOCK.format(name=name, topic=topic) for name, topic in pairs)
    try:
        parse_config(text.encode(), {})
    except ConfigError as error:
        return [(complaint.line, complaint.path, complaint.message) for complaint in error.complaints]
    return []


@pytest.mark.parametrize(
    ("topic", "name", "meant"),
    [
        ("logs", "logs", True),
        ("logs", "logs-eu", False),
        ("^logs", "logs-eu", True),
        ("^logs$", "logs-eu", False),
        ("^logs-(eu|us)$", "logs-us", True),
        ("^logs", "my-logs", False),
        ("^.*logs", "my-logs", True),
    ],
)
def test_what_a_topic_of_a_source_means(topic, name, meant):
    assert matches(topic, name) is meant


def test_a_bad_pattern_is_a_complaint_with_its_line():
    ((line, path, message),) = _complaints(("a", "logs"), ("b", "^(logs"))
    assert (line, path) == (3, "sources[1].topics[0]")
    assert message.startswith("no pattern of RE2")


@pytest.mark.parametrize("pattern", ["^((a{100}){100}){100}", "^" + "a" * 600, r"^(a)\1", "^(?=a)"])
def test_patterns_that_could_cost_too_much_are_refused(pattern):
    assert wrong_with(pattern)


def test_the_classic_pattern_that_never_ends_ends():
    began = time.process_time()
    assert not matches("^(a+)+$", "a" * 200 + "!")
    assert time.process_time() - began < 0.1


def test_a_pattern_over_a_topic_of_another_source_is_a_complaint():
    found = _complaints(("a", "logs-eu"), ("b", "^logs-"))
    assert [path for _, path, _ in found] == ["sources[1].topics[0]"]
    assert _complaints(("a", "logs-eu"), ("b", "^logs-u")) == []


def test_what_two_patterns_both_mean_is_said_when_it_is_there():
    sources = [Source(name=name, topics=[topic], format=Format.TEXT) for name, topic in (("a", "^logs-"), ("b", "^.*-eu$"))]
    assert conflict(sources, "logs-eu") == "topic logs-eu is read by the sources a and b: one topic has one source"
    assert conflict(sources, "logs-us") == conflict(sources, "other") == ""
