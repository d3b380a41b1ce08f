"""Golden cases: what real producers put on Kafka, and what becomes of it.

A folder under `tests/cases/codecs` is named like a source of `configs/formats.yaml` and holds `input.json` (one record),
`input.1.bin`, `input.2.bin`, … (one record each), `input.jsonl` or `input.influx` (one record a line) or `input.kafka.json` (a list of key, headers and value), and
`expected.json`. Set FORESHOCK_WRITE_CASES=1 to write what is expected anew, then read the difference.
"""

import os
from pathlib import Path

import orjson
import pytest
from ruamel.yaml import YAML

from connectors.codecs import build_codec
from engine.config.tree import Source
from engine.records import Record

ROOT = Path(__file__).parents[3]
CASES = sorted((ROOT / "tests/cases/codecs").iterdir())
TS_NS = 1_795_218_876_000_000_000
FORMATS = {
    block["name"]: block for block in YAML(typ="safe", pure=True).load((ROOT / "configs/formats.yaml").read_text())["sources"]
}


def _records(folder):
    path = next(folder.glob("input.*"))
    raw = path.read_bytes()
    if path.suffix == ".bin":
        messages = [(None, (), part.read_bytes()) for part in sorted(folder.glob("input.*"))]
    elif path.name == "input.json":
        messages = [(None, (), raw)]
    elif path.name == "input.kafka.json":
        messages = [
            (
                message.get("key", "").encode() or None,
                tuple((name, value.encode()) for name, value in message["headers"]),
                orjson.dumps(message["value"]),
            )
            for message in orjson.loads(raw)
        ]
    else:
        messages = [(None, (), line + b"\n") for line in raw.split(b"\n") if line]
    return [Record("topic", 0, n, TS_NS + n, key, value, headers) for n, (key, headers, value) in enumerate(messages)]


def _as_json(decoded, catalog):
    samples, lines = decoded.samples, decoded.lines
    return (
        {
            "samples": [
                [row, key.decode(), ts_ns, value, str(catalog.describe(key).kind)]
                for row, key, ts_ns, value in zip(
                    samples.row.tolist(), samples.key, samples.ts_ns.tolist(), samples.value.tolist(), strict=True
                )
            ],
            "lines": [
                [row, key.decode(), ts_ns, severity, text.decode()]
                for row, key, ts_ns, severity, text in zip(
                    lines.row.tolist(), lines.key, lines.ts_ns.tolist(), lines.severity.tolist(), lines.text, strict=True
                )
            ],
            "events": [
                {name: getattr(event, name) for name in event.__struct_fields__ if name != "id" or event.id}
                | {"key": event.key.decode()}
                for event in decoded.events
            ],
            "rejected": [list(part) for part in decoded.rejected],
        }
        | {
            name: [_members(part) for part in getattr(decoded, name)]
            for name in ("distributions", "spans", "dependencies")
            if getattr(decoded, name)
        }
        | _pieces(lines.pieces)
        | ({} if lines.fields is None else {"fields": [_carried(fields) for fields in lines.fields]})
    )


def _carried(fields):
    """What a line carries beside its text."""
    found = {"session": fields.session.decode(), "numbers": [list(number) for number in fields.numbers]}
    return {name: value for name, value in found.items() if value}


def _pieces(pieces):
    """Of sources whose lines may come in pieces."""
    if pieces is None:
        return {}
    return {
        "pieces": [
            [origin.decode(), more, raw.decode()]
            for origin, more, raw in zip(pieces.origin, pieces.more.tolist(), pieces.raw, strict=True)
        ]
    }


def _members(part):
    found = {name: getattr(part, name) for name in part.__struct_fields__}
    found |= {
        name: value.hex() if name.endswith("_id") else value.decode() for name, value in found.items() if type(value) is bytes
    }
    return {name: list(value) if type(value) is tuple else value for name, value in found.items()}


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_a_producers_messages_are_read_by_configuration_alone(folder, catalog):
    source = Source.model_validate(FORMATS[folder.name])
    found = _as_json(build_codec(source).decode(_records(folder), catalog), catalog)
    expected = folder / "expected.json"
    if os.environ.get("FORESHOCK_WRITE_CASES"):
        expected.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    assert found == orjson.loads(expected.read_bytes())


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_what_comes_out_does_not_depend_on_how_the_batch_is_cut_nor_on_what_is_remembered(folder, catalog):
    source = Source.model_validate(FORMATS[folder.name])
    whole, single = build_codec(source), build_codec(source)
    records = _records(folder)
    at_once = _as_json(whole.decode(records, catalog), catalog)
    again = _as_json(whole.decode(records, catalog), catalog)
    pieces = [_as_json(single.decode([record], catalog), catalog) for record in records]
    assert again == at_once
    for part in ("samples", "lines", "rejected"):
        assert [item[1:] for piece in pieces for item in piece[part]] == [item[1:] for item in at_once[part]]


def test_every_format_has_a_case():
    assert sorted(FORMATS) == [folder.name for folder in CASES]
