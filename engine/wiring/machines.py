"""Machines: which codec, catalog and configuration block each stage's are made with."""

from __future__ import annotations

from connectors.codecs import build_codec
from connectors.codecs.json_flat import is_flat, specimen
from connectors.kafka_client import topic_name
from connectors.sources import pointers
from detectors.kernel import JIT
from engine import __version__
from engine.config import Config
from engine.config.load import config_id
from engine.config.topic_patterns import conflict, owners
from engine.config.tree import Format, Source
from engine.correlate.stage import CorrelateMachine
from engine.detect.bank import Bank
from engine.detect.catalog import SourceCatalog
from engine.detect.rekey import RekeyMachine, rekeyed
from engine.detect.rekeyed import RekeyedMachine, SharedCodec
from engine.detect.stage import DetectMachine
from engine.errors import UsageError
from engine.ports import Codec, Machine, MachineFactory
from engine.records import Record, Shard, digest
from engine.respond.stage import RespondMachine
from engine.wiring.schemas import Library

_WARM_RECORDS = 40
_WARM_HOSTS = 6
"""Enough to be compared with each other."""
_WARM_STEP_NS = 30_000_000_000
"""So that a forecast closes one of its cells of ten minutes."""


def machine_factories(config: Config, library: Library | None = None) -> dict[str, MachineFactory]:
    """How to build the machine of a shard, for every stage but deliver (which has one for each sink)."""
    library = library or Library(config)
    inventory = inventory_of(config)

    def detect(shard: Shard) -> Machine:
        source = rekeyed_source(config, shard.topic)
        if source is not None:
            codec = SharedCodec(build_codec(source, library.schemas(source)), shard.partition, source.rekey)
            return RekeyedMachine(detecting(shard, source, codec))
        source = source_of(config, shard.topic)
        return detecting(shard, source, build_codec(source, library.schemas(source)))

    def detecting(shard: Shard, source: Source, codec: Codec) -> Machine:
        return DetectMachine(
            shard,
            codec=codec,
            catalog=SourceCatalog(source, config.detect.series_max),
            source=source,
            config=config.detect,
            counted=(config.slos, config.ratios),
        )

    def correlate(shard: Shard) -> Machine:
        return CorrelateMachine(shard, config=config.correlate, slos=config.slos)

    def respond(shard: Shard) -> Machine:
        return RespondMachine(shard, config=config.respond, inventory=inventory)

    return {"detect": detect, "correlate": correlate, "respond": respond}


def rekey_factory(config: Config, library: Library) -> MachineFactory:
    """How to build the machine that keys a shard's records anew."""

    def rekey(shard: Shard) -> Machine:
        source = source_of(config, shard.topic)
        codec = build_codec(source, library.schemas(source))
        return RekeyMachine(shard, codec=codec, catalog=SourceCatalog(source, config.detect.series_max), source=source)

    return rekey


def rekeyed_source(config: Config, topic: str) -> Source | None:
    """The source whose records, keyed anew, are on this topic; None for any other topic."""
    return next((s for s in config.sources if s.rekey and topic_name(config.kafka, rekeyed(s.name)) == topic), None)


def source_of(config: Config, topic: str) -> Source:
    """The source that reads a topic, by its name or by a pattern. Raises UsageError when there is none, or more than one."""
    found = owners(config.sources, topic)
    if not found:
        raise UsageError(f"no source of the configuration reads the topic {topic}", "Add it to `topics` of a source.")
    if len(found) > 1:
        raise UsageError(conflict(config.sources, topic), "Make the patterns of sources[].topics narrower.")
    return found[0]


def inventory_of(config: Config) -> frozenset[str]:
    """Entities that may be acted on: those listed, else those of the topology."""
    if config.respond.inventory:
        return frozenset(config.respond.inventory)
    pairs = (*config.correlate.topology, *config.correlate.runs_on)
    return frozenset(name for pair in pairs for name in pair)


def kernel_ids(config: Config) -> dict[str, str]:
    """For each stage, what a snapshot must have been written by to be restored."""
    rest = {
        stage: digest(stage, __version__, config_id(block))[:16]
        for stage, block in (("correlate", config.correlate), ("respond", config.respond), ("deliver", config.deliver))
    }
    return {"detect": digest("detect", Bank(config.detect).kernel_id, config_id(config.detect))[:16], **rest}


# ------------------------------------------------------------------------------------------------------ warm-up
def warm_up(config: Config) -> None:
    """Compile (or load) every kernel by stepping throw-away machines, before a broker is asked for any record."""
    if JIT and config.kafka.direct:
        pointers.warm()
    for source in config.sources:
        _warm_codec(source)
    samples = Source(name="warm-up", topics=["warm-up"], format=Format.INFLUX)
    lines = Source(name="warm-up", topics=["warm-up"], format=Format.TEXT)
    fleet = b"\n".join(b"warm,host=%d memory=%%d,total=%%di" % host for host in range(_WARM_HOSTS))
    for source, value in ((samples, fleet), (lines, b"took %d ms in step %d")):
        shard = Shard("warm-up", 0)
        machine = DetectMachine(
            shard,
            codec=build_codec(source),
            catalog=SourceCatalog(source, config.detect.series_max),
            source=source,
            config=config.detect,
            counted=(config.slos, config.ratios),
        )
        records = [
            Record(*shard, n, n * _WARM_STEP_NS, b"warm", value % ((n,) * value.count(b"%d"))) for n in range(1, _WARM_RECORDS)
        ]
        machine.step(records)
        machine.finish()
        machine.restore(machine.snapshot())


def _warm_codec(source: Source) -> None:
    """The kernels of the source's own format: any record moves them, one of its form moves them all."""
    empty_block = b"\0"  # of snappy
    values = [b"", empty_block, specimen(source.mapping) if source.format is Format.JSON and is_flat(source.mapping) else b"{}"]
    records = [Record("warm-up", 0, n, n, None, value) for n, value in enumerate(values, 1)]
    build_codec(source).decode(records, SourceCatalog(source))
