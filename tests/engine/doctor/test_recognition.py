"""Whatever a producer sends, its block is found: the golden cases of every codec are the patients."""

from __future__ import annotations

from pathlib import Path

import pytest
from registry_world import FakeRegistry, avro_point, frame
from ruamel.yaml import YAML

from connectors.codecs import build_codec
from engine.config import Config
from engine.config.load import parse_config
from engine.config.registry import Registry
from engine.detect.catalog import SourceCatalog
from engine.doctor.proposal import as_yaml
from engine.errors import Unreachable
from engine.records import Record
from engine.wiring.doctor import examine_files

CASES = sorted((Path(__file__).parents[2] / "cases/codecs").iterdir())
FORMATS = {
    block["name"]: block["format"]
    for block in YAML(typ="safe", pure=True).load((Path(__file__).parents[3] / "configs/formats.yaml").read_text())["sources"]
}
SAME_DOCUMENTS = {"fluent-bit-merged": "fluent-bit", "fluent-bit-messagepack": "fluent-bit"}
"""Where two blocks read what a case holds alike, the one that is proposed."""
TS_NS = 1_795_218_876_000_000_000


def examined(folder):
    (patient,) = examine_files(Config(), [f"{folder.name}={path}" for path in sorted(folder.glob("input.*"))])
    return patient


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_a_producer_is_recognised(folder):
    patient = examined(folder)
    assert patient.diagnosis.kinds[0].like == SAME_DOCUMENTS.get(folder.name, folder.name)
    assert patient.source.format == FORMATS[folder.name]
    (read_back,) = parse_config(as_yaml([patient.source]).encode(), {}).sources
    assert read_back == patient.source


OWN = {
    "flat metrics": (
        b'{"when":1795218876%03d,"sensor":"t1","reading":%d.5,"site":"north"}',
        "samples",
        {"name": "sensor", "values": "reading"},
    ),
    "numbers as text": (
        b'{"ts":"2026-11-20T23:54:36.%03dZ","metric":"load","value":"%d","tags":{"rack":"r1"}}',
        "samples",
        {"labels": "tags"},
    ),
    "wide metrics": (
        b'{"timestamp":1795218876%03d,"host":"a","cpu":0.5,"mem":%d,"pid":7}',
        "samples",
        {"values": {"cpu": "cpu", "mem": "mem"}},
    ),
    "logs": (
        b'{"time":"2026-11-20T23:54:36.%03dZ","lvl":"warn","msg":"took %d ms","svc":"cart"}',
        "lines",
        {"severity": "lvl", "labels": {"service": "svc"}},
    ),
    "nested logs": (
        b'{"event_time":1795218876%03d,"data":{"text":"took %d ms"},"meta":{"app_name":"a"}}',
        "lines",
        {"message": "data.text"},
    ),
    "events": (
        b'{"at":"2026-11-20T23:54:36.%03dZ","action":"restart","ticket":"T-%d","service":"cart"}',
        "events",
        {"event": "action"},
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_documents_of_ones_own_get_a_mapping_that_reads_all_of_them(name, tmp_path):
    line, gives, expected = OWN[name]
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"\n".join(line % (n, n) for n in range(50)))
    (patient,) = examine_files(Config(), [str(path)])
    (kind,) = patient.diagnosis.kinds
    mapping = patient.source.mapping
    assert (kind.like, kind.share) == ("inferred", 1.0)
    assert {key: getattr(mapping, key) for key in expected} == expected
    records = [Record("own", 0, n, TS_NS, None, line % (n, n)) for n in range(50)]
    decoded = build_codec(patient.source).decode(records, SourceCatalog(patient.source))
    found = {"samples": decoded.samples.row, "lines": decoded.lines.row, "events": decoded.events}[gives]
    assert len(found) >= 50
    times = [part.ts_ns for part in decoded.events] or [*decoded.samples.ts_ns.tolist(), *decoded.lines.ts_ns.tolist()]
    assert set(times) == {TS_NS + n * 1_000_000 for n in range(50)}


def test_an_array_of_ones_own_documents_is_read_document_by_document(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_bytes(
        b"\n".join(b'[{"ts":1795218876,"metric":"a","value":%d},{"ts":1795218876,"metric":"b","value":2}]' % n for n in range(9))
    )
    (patient,) = examine_files(Config(), [str(path)])
    assert patient.source.mapping.records == "."
    assert patient.diagnosis.given.samples == 18


def test_documents_of_a_schema_registry_are_recognised_like_any_others(tmp_path):
    with FakeRegistry() as registry:
        names = []
        for n in range(20):
            path = tmp_path / f"{n}.bin"
            path.write_bytes(frame(1, avro_point(float(n % 7), TS_NS // 1_000_000 + n)))
            names.append(f"points={path}")
        (patient,) = examine_files(Config(), names, Registry(url=registry.url))
    assert (patient.diagnosis.kinds[0].like, patient.diagnosis.kinds[0].share) == ("inferred", 1.0)
    assert patient.source.format == "schema_registry"
    (read_back,) = parse_config(as_yaml([patient.source]).encode(), {}).sources
    assert read_back == patient.source
    assert (read_back.mapping.time_unit, read_back.mapping.values) == ("ms", "value")


def test_a_registry_that_does_not_answer_is_said_to_be_the_reason(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(frame(1, avro_point()))
    with FakeRegistry() as registry:
        registry.refusals.append((401, b""))
        with pytest.raises(Unreachable):
            examine_files(Config(), [str(path)], Registry(url=registry.url))
