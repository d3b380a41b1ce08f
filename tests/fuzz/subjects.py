"""What is fuzzed: each block of `configs/formats.yaml`, which has its golden case, as a codec with records to begin from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from engine.records import Decoded

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "codecs"
TS_NS = 1_795_218_876_000_000_000
SEEDS_MAX = 200


def names() -> list[str]:
    """All blocks that have a case."""
    cases = {folder.name for folder in CASES.iterdir()}
    return [name for name in _blocks() if name in cases]


def _blocks() -> dict[str, dict[str, Any]]:
    text = (ROOT / "configs" / "formats.yaml").read_text()
    return {block["name"]: block for block in YAML(typ="safe", pure=True).load(text)["sources"]}


class Subject:
    """One codec with its catalog, and the law that it is held to."""

    def __init__(self, name: str) -> None:
        from connectors.codecs import build_codec
        from engine.config.tree import Source
        from engine.detect.catalog import SourceCatalog

        source = Source.model_validate(_blocks()[name])
        self._codec, self._catalog = build_codec(source), SourceCatalog(source)
        self._headers = next((headers for headers, _ in _messages(name)), ())

    def read(self, value: bytes) -> Decoded:
        """What the codec makes of it."""
        from engine.records import Record

        return self._codec.decode([Record("fuzz", 0, 0, TS_NS, None, value, self._headers)], self._catalog)

    def hold(self, value: bytes) -> None:
        """Raises whatever the codec raises, and AssertionError when a record gives nothing and is not rejected."""
        decoded = self.read(value)
        parts = (decoded.samples.row, decoded.lines.row, decoded.events, decoded.rejected)
        more = (decoded.distributions, decoded.spans, decoded.dependencies)
        assert any(len(part) for part in (*parts, *more)), "nothing came of it, and nothing was said"
        for key in decoded.samples.key:
            self._catalog.describe(key)


def seeds(name: str) -> list[bytes]:
    """Records of the golden case."""
    return [value for _, value in _messages(name)][:SEEDS_MAX]


def _messages(name: str) -> Iterator[tuple[tuple[tuple[str, bytes], ...], bytes]]:
    for path in sorted((CASES / name).glob("input.*")):
        raw = path.read_bytes()
        if path.name == "input.kafka.json":
            for message in orjson.loads(raw):
                yield tuple((key, text.encode()) for key, text in message["headers"]), orjson.dumps(message["value"])
        elif path.suffix in {".bin", ".json"}:
            yield (), raw
        else:
            yield from (((), line) for line in raw.split(b"\n") if line)


def corpus(name: str) -> Path:
    """Where what was found is kept from one run to the next."""
    return Path(os.environ.get("FORESHOCK_FUZZ", ROOT / ".cache" / "fuzz")) / name
