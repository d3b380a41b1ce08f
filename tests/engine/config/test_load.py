"""Laws of configuration loading: everything wrong is said at once, with its line, and never a value."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.load import config_id, load_config, parse_config
from engine.config.tree import Config, WebhookSink
from engine.errors import ConfigError, UsageError


def complaints(text: str, **environment: str) -> dict[str, tuple[int, str]]:
    """Path → (line, whole sentence) of every complaint."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), environment)
    return {c.path: (c.line, str(c)) for c in caught.value.complaints}


def test_an_empty_file_is_the_defaults() -> None:
    assert parse_config(b"", {}) == Config()
    assert parse_config(b"# only a comment\n", {}) == Config()


def test_every_complaint_comes_at_once_in_the_order_of_the_file() -> None:
    text = """\
kafka:
  bootstrapp: x
sources:
  - name: a
    topics: [x]
    format: jsn
  - name: a
    topics: [x]
    format: influx
detect:
  confirm: 9
  warm_up: 5
log:
  level: verbose
"""
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), {}, "c.yaml")
    found = [(c.line, c.path) for c in caught.value.complaints]
    assert found == [
        (2, "kafka.bootstrapp"),
        (6, "sources[0].format"),
        (7, "sources[1].name"),
        (11, "detect.confirm"),
        (12, "detect.warm_up"),
        (14, "log.level"),
    ]
    assert caught.value.file == "c.yaml"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("kafka:\n  boostrap: x", "kafka.boostrap", "did you mean bootstrap?"),
        ("detct: {}", "detct", "did you mean detect?"),
        ("deliver:\n  sinks: [{type: webhok, url: x}]", "deliver.sinks[0]", "did you mean webhook?"),
        (
            "deliver:\n  sinks: [{type: webhook, url: 'https://x', timout: 4s}]",
            "deliver.sinks[0].timout",
            "did you mean timeout?",
        ),
        ("log: {level: warnings}", "log.level", "did you mean warning?"),
        ("respond: {rules: [{name: a, action: b, kinds: [spikes]}]}", "respond.rules[0].kinds[0]", "did you mean spike?"),
        ("kafka: {partitions: {alert: 3}}", "kafka.partitions.alert", "did you mean alerts?"),
    ],
)
def test_a_misspelt_word_gets_a_suggestion(text: str, path: str, words: str) -> None:
    assert words in complaints(text)[path][1]


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("detect: {warm_up: 300}", "detect.warm_up", "not a duration"),
        ("detect: {warm_up: 300.0}", "detect.warm_up", "not a duration"),
        ("detect: {timezone: Berlin}", "detect.timezone", "such as Europe/Berlin"),
        ("sources: [{name: a, topics: [t], format: text, timezone: ../UTC}]", "sources[0].timezone", "not a time zone"),
        ("sources: [{name: a, topics: [t], format: text, line_bytes_max: 1000}]", "sources[0].line_bytes_max", "not a size"),
        ("sources: [{name: a, topics: [], format: text}]", "sources[0].topics", "must not be empty"),
        ("sources: [{topics: [t], format: text}]", "sources[0].name", "required"),
        ("sources: [{name: A B, topics: [t], format: text}]", "sources[0].name", "lower-case"),
        ("detect: {rules: [{match: x, floor: .nan}]}", "detect.rules[0].floor", "number"),
        ("detect: {rules: [{match: x, floor: nan}]}", "detect.rules[0].floor", "finite"),
        ("detect: {confirm: 6, confirm_of: 5}", "detect.confirm", "never"),
        ("deliver: {retry_first: 10m}", "deliver.retry_first", "longer than retry_max"),
        ("deliver: {sinks: [{type: console}, {type: console}]}", "deliver.sinks[1].name", "second"),
        ("deliver: {sinks: [{type: webhook, url: 'file:///etc/passwd'}]}", "deliver.sinks[0].url", "https://host/path"),
        ("deliver: {sinks: [{type: webhook, url: 'https://u:p@host/'}]}", "deliver.sinks[0].url", "password"),
        ("kafka: {client: {group.id: mine}}", "kafka.client.group.id", "sets this itself"),
        ("sources: [{name: a, topics: [foreshock.alerts], format: text}]", "sources[0].topics[0]", "our own"),
        ("sources: [{name: a, topics: [t], format: json}]", "sources[0].mapping", "exactly one"),
        ("respond: {rules: [{name: a, action: b}, {name: a, action: c}]}", "respond.rules[1].name", "second"),
        (
            "correlate: {maintenance: [{name: w, entities: [a], start: 2026-01-02T00:00:00Z, end: 2026-01-01T00:00:00Z}]}",
            "correlate.maintenance[0].end",
            "before it starts",
        ),
        (
            "correlate: {maintenance: [{name: w, entities: [a], start: yesterday, end: 2026-01-01T00:00:00Z}]}",
            "correlate.maintenance[0].start",
            "RFC 3339",
        ),
    ],
)
def test_what_cannot_be_is_named_with_its_place(text: str, path: str, words: str) -> None:
    line, sentence = complaints(text)[path]
    assert line == 1
    assert words in sentence


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"kafka:\n  bootstrap: [\n", 3),
        (b"a: 1\n---\nb: 2\n", 2),
        (b"kafka: {}\nkafka: {}\n", 2),
        (b"log:\n  level: !!python/object:os.system x\n", 2),
        (b"log:\n  level: \xff\n", 2),
        (b"- 1\n- 2\n", 1),
        (b"? [a]\n: b\n", 1),
    ],
)
def test_what_is_no_plain_yaml_is_one_complaint_with_its_line(raw: bytes, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(raw, {})
    assert caught.value.complaints[0].line == line


def test_an_alias_bomb_is_refused_quickly() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for name, before in zip("bcdefghi", "abcdefgh", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    assert "alias" in next(s for _, s in complaints(bomb).values() if "more than" in s)


@pytest.mark.parametrize("raw", [b"a: &a [*a]", b"[" * 5000, b"x" * 1_100_000, b"a: " + b"9" * 100_000])
def test_hostile_files_are_refused(raw: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_config(raw, {})


@given(st.binary(max_size=200))
def test_any_bytes_give_a_configuration_or_complaints(raw: bytes) -> None:
    with suppress(ConfigError):
        parse_config(raw, {})


def test_references_are_replaced_in_values_only(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_c2VjcmV0\n")
    text = f"""
kafka: {{bootstrap: "${{HOST}}:${{PORT:-9092}}", topic_prefix: "$${{x}}.", batch_records_max: "${{N}}"}}
deliver: {{sinks: [{{type: webhook, url: "https://x/", secret: "${{file:{secret}}}"}}]}}
"""
    config = parse_config(text.encode(), {"HOST": "a: [b", "N": "7"})
    assert config.kafka.bootstrap == "a: [b:9092"
    assert config.kafka.topic_prefix == "${x}."
    assert config.kafka.batch_records_max == 7
    sink = config.deliver.sinks[0]
    assert isinstance(sink, WebhookSink)
    assert sink.secret is not None
    assert sink.secret.get_secret_value() == "whsec_c2VjcmV0"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("${NOPE}", "NOPE is not set"),
        ("${file:/no/such/file}", "cannot be read"),
        ("${a b}", "cannot be read"),
        ("${", "cannot be read"),
    ],
)
def test_a_reference_that_leads_nowhere_is_one_complaint(value: str, words: str) -> None:
    found = complaints(f"log:\n  level: '{value}'\n")
    assert list(found) == ["log.level"]
    assert words in found["log.level"][1]


def test_a_secret_is_never_repeated() -> None:
    text = "kafka: {start: '${S}', commit_interval: '${S}', batch_records_max: '${S}'}\ndeliver: {sinks: [{type: '${S}', url: '${S}'}]}\n"
    assert "hunter2" not in str(complaints(text, S="hunter2"))
    config = parse_config(b"kafka: {client: {a: 1}}\ndeliver: {sinks: [{type: webhook, url: 'https://x', secret: hunter2}]}", {})
    assert "hunter2" not in repr(config)


def test_equal_settings_have_equal_ids_and_different_ones_differ() -> None:
    assert config_id(parse_config(b"detect: {warm_up: 60m}", {})) == config_id(Config())
    assert config_id(parse_config(b"detect: {warm_up: 61m}", {})) != config_id(Config())


def test_a_missing_file_is_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_config(tmp_path / "none.yaml", {})
