"""What the types of a source block cannot say."""

from __future__ import annotations

import pytest

from engine.config.load import parse_config
from engine.errors import ConfigError

MAPPED = "mapping: {message: m}"


@pytest.mark.parametrize(
    ("block", "path"),
    [
        (f"format: schema_registry, {MAPPED}", "sources[0].registry"),
        (f"format: schema_registry, {MAPPED}, registry: {{url: 'ftp://x'}}", "sources[0].registry.url"),
        (f"format: schema_registry, {MAPPED}, registry: {{url: 'https://u:p@x'}}", "sources[0].registry.url"),
        (f"format: schema_registry, {MAPPED}, registry: {{url: 'https://x'}}, compression: gzip", "sources[0].compression"),
        ("format: schema_registry, registry: {url: 'https://x'}", "sources[0].mapping"),
        ("format: messagepack", "sources[0].mapping"),
        ("format: otlp_traces, rekey: 4", "sources[0].rekey"),
        ("format: text, rekey: 5000", "sources[0].rekey"),
    ],
)
def test_what_cannot_work_is_a_complaint_at_its_place(block: str, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"sources: [{{name: a, topics: [t], {block}}}]".encode(), {})
    assert [complaint.path for complaint in caught.value.complaints] == [path]


@pytest.mark.parametrize(
    "block",
    [
        f"format: schema_registry, {MAPPED}, registry: {{url: 'https://x', user: u, password: p, timeout: 2s}}",
        f"format: messagepack, {MAPPED}, compression: gzip, rekey: 8",
        "format: otlp_metrics, rekey: 8",
    ],
)
def test_what_can_is_none(block: str) -> None:
    assert parse_config(f"sources: [{{name: a, topics: [t], {block}}}]".encode(), {}).sources
