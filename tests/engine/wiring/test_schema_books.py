"""Which schemas a record needs, and of which registry: by the topic it is on, its producer's or our own."""

from __future__ import annotations

from registry_world import FakeRegistry, avro_point, frame

from connectors.schemas import NoSchemas
from connectors.sources.schooled import Schooled
from engine.config import Config
from engine.records import Record
from engine.wiring.schemas import Library


def config(*urls: str, rekey: int = 0) -> Config:
    sources = [
        {
            "name": f"s{n}",
            "topics": [f"^t{n}-"],
            "format": "schema_registry",
            "registry": {"url": url},
            "mapping": {"message": "m"},
            "rekey": rekey,
        }
        for n, url in enumerate(urls)
    ]
    return Config.model_validate({"sources": [*sources, {"name": "plain", "topics": ["plain"], "format": "text"}]})


def on(topic: str) -> Record:
    return Record(topic, 0, 0, 1, None, frame(1, avro_point()))


def test_each_source_asks_its_own_registry_and_those_of_one_share_its_answers() -> None:
    with FakeRegistry() as one, FakeRegistry() as other:
        library = Library(config(one.url, other.url, one.url))
        library.fetch([on("t0-a"), on("t1-a"), on("t2-a"), on("t0-b"), on("plain"), on("elsewhere")])
        library.close()
        assert (len(one.asked), len(other.asked)) == (1, 1)


def test_records_keyed_anew_need_what_they_needed_before() -> None:
    with FakeRegistry() as registry:
        library = Library(config(registry.url, rekey=2))
        assert library.need_of(on("foreshock.rekeyed.s0")) == library.need_of(on("t0-x"))
        assert library.need_of(on("foreshock.rekeyed.plain")) is None
        library.close()


def test_without_such_a_source_nothing_stands_before_the_log() -> None:
    log = object()
    assert Library(Config()).through(log) is log  # type: ignore[arg-type]
    library = Library(config("http://127.0.0.1:1"))
    assert isinstance(library.through(log), Schooled)  # type: ignore[arg-type]
    assert library.schemas(config("http://127.0.0.1:1").sources[-1]) is None
    assert NoSchemas().known(1) is None
