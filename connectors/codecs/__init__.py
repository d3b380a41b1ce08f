"""Input formats. One codec for each `Format`; a source's configuration says which, the bytes are never asked."""

from __future__ import annotations

from collections.abc import Callable

from connectors.codecs.alertmanager import AlertmanagerCodec
from connectors.codecs.cloudevents import CloudEventsCodec
from connectors.codecs.influx import InfluxCodec
from connectors.codecs.json_mapping import JsonCodec
from connectors.codecs.logfmt import LogfmtCodec
from connectors.codecs.packed import PackedCodec
from connectors.codecs.syslog import SyslogCodec
from connectors.codecs.text import TextCodec
from engine.config.tree import Format, Source
from engine.config.values import Compression
from engine.ports import Codec

CODECS: dict[Format, Callable[[Source], Codec]] = {
    Format.JSON: JsonCodec,
    Format.INFLUX: InfluxCodec,
    Format.CLOUDEVENTS: CloudEventsCodec,
    Format.TEXT: TextCodec,
    Format.SYSLOG: SyslogCodec,
    Format.LOGFMT: LogfmtCodec,
    Format.ALERTMANAGER: AlertmanagerCodec,
}


def build_codec(source: Source) -> Codec:
    """A new codec, for one shard of the source. Raises ConfigError when its mapping does not say what a document is."""
    codec = CODECS[source.format](source)
    return codec if source.compression is Compression.NONE else PackedCodec(codec, source)
