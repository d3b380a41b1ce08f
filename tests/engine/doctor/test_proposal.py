"""Laws of the configuration that is proposed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from engine.config.load import parse_config
from engine.config.tree import Source
from engine.doctor.proposal import as_yaml, source_name

FORMATS = YAML(typ="safe", pure=True).load((Path(__file__).parents[3] / "configs/formats.yaml").read_text())["sources"]


@pytest.mark.parametrize("block", FORMATS, ids=lambda block: block["name"])
def test_every_known_block_survives_being_written_and_read(block):
    source = Source.model_validate(block)
    assert parse_config(as_yaml([source], "broker:9092").encode(), {}).sources == [source]


def test_what_a_topic_needs_beside_its_mapping_is_written():
    more = {"record_bytes_max": 4 * 2**20, "counters": ["a: b", "#c"], "drop_labels": ["x"], "compression": "gzip"}
    source = Source.model_validate({**FORMATS[0], **more})
    assert parse_config(as_yaml([source]).encode(), {}).sources == [source]


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=5))
def test_any_topic_gets_a_valid_name_of_its_own(topics):
    names = []
    for topic in topics:
        names.append(source_name(topic, names))
    assert len(set(names)) == len(names)
    for name in names:
        Source.model_validate({"name": name, "topics": ["t"], "format": "text"})
