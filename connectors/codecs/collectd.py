"""collectd's JSON, as its plugin write_kafka writes it: lists of values, each with the kinds and the names of its values.

A series is called `plugin.type`, or just `plugin` where the two are one word, with the name of the value behind it unless that is
`value`: `load.shortterm`, `cpu.percent`, `interface.if_octets.rx`. Its labels are the host and both instances, as collectd calls them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.codecs.columns import ColumnsBuilder
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Decoded, Record
from engine.times import LATEST_NS

SERIES_MAX: Final = 200_000
"""Lists of values remembered; when full, all are forgotten."""
VALUES_MAX: Final = 256
"""Values of one list; collectd's own types have at most a dozen."""
_KINDS: Final = {"gauge": "gauge", "counter": "counter", "derive": "counter", "absolute": "delta"}
_MILLISECOND_NS: Final = 1_000_000
_Identity = tuple[str, str, str, str, str, tuple[str, ...], tuple[str, ...]]


class ValueList(msgspec.Struct):
    """What was read of one thing at one moment."""

    values: list[float | None]
    dstypes: tuple[str, ...]
    dsnames: tuple[str, ...]
    time: float
    plugin: str
    type: str
    host: str = ""
    plugin_instance: str = ""
    type_instance: str = ""


_RECORD: Final = msgspec.json.Decoder(list[msgspec.Raw])
_LIST: Final = msgspec.json.Decoder(ValueList)


class CollectdCodec:
    """Stateless but for a cache: the identity of a list of values → keys of its series."""

    def __init__(self, source: Source) -> None:
        self._line_bytes_max = source.line_bytes_max
        self._is_rate = source.mapping.kind == "=gauge"
        self._known: dict[_Identity, list[bytes]] = {}
        self._catalog: Catalog | None = None

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        if catalog is not self._catalog:
            self._known.clear()
            self._catalog = catalog
        out = ColumnsBuilder(self._line_bytes_max)
        for row, record in enumerate(records):
            before = out.marks()
            try:
                parts = _RECORD.decode(record.value or b"")
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                out.reject(row, Reject.MALFORMED, "not a JSON array")
                continue
            for part in parts:
                self._read(part, row, out, catalog)
            if out.marks() == before:
                out.reject(row, Reject.EMPTY, "no list of values in it")
        return out.build()

    def _read(self, part: msgspec.Raw, row: int, out: ColumnsBuilder, catalog: Catalog) -> None:
        try:
            found = _LIST.decode(part)
            keys = self._keys(found, catalog)
        except msgspec.ValidationError:
            out.reject(row, Reject.WRONG_TYPE, "not a list of values")
            return
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            out.reject(row, Reject.MALFORMED, "not JSON")
            return
        except DecodeError as error:
            out.reject(row, error.reason, error.detail)
            return
        # collectd writes milliseconds: as a float they are exact to the nearest one only.
        if not abs(found.time) * 1e9 < LATEST_NS:
            out.reject(row, Reject.BAD_TIME, "beyond 64 bits of nanoseconds")
            return
        ts_ns = round(found.time * 1000.0) * _MILLISECOND_NS
        for key, value in zip(keys, found.values, strict=True):
            if value is None:
                out.reject(row, Reject.STALE, "a value that is null: nothing was read")
            else:
                out.sample(row, key, ts_ns, value)

    def _keys(self, part: ValueList, catalog: Catalog) -> list[bytes]:
        identity = (part.host, part.plugin, part.plugin_instance, part.type, part.type_instance, part.dsnames, part.dstypes)
        keys = self._known.get(identity)
        if keys is None:
            keys = self._new_keys(part, catalog)
            if len(self._known) >= SERIES_MAX:
                self._known.clear()
            self._known[identity] = keys
        if not part.values or len(part.values) != len(keys):
            raise DecodeError(Reject.WRONG_TYPE, "values, names and kinds are not of one length")
        return keys

    def _new_keys(self, part: ValueList, catalog: Catalog) -> list[bytes]:
        if len(part.dsnames) != len(part.dstypes) or not part.plugin:
            raise DecodeError(Reject.WRONG_TYPE, "values, names and kinds are not of one length, or no plugin is named")
        if len(part.dsnames) > VALUES_MAX:
            raise DecodeError(Reject.TOO_MANY_FIELDS, f"more than {VALUES_MAX} values")
        head = part.plugin if part.type in (part.plugin, "") else f"{part.plugin}.{part.type}"
        named = {"host": part.host, "plugin_instance": part.plugin_instance, "type_instance": part.type_instance}
        labels = {name: value for name, value in named.items() if value}
        return [
            catalog.metric(
                head if name == "value" else f"{head}.{name}", labels, kind="gauge" if self._is_rate else _KINDS.get(kind, "")
            )
            for name, kind in zip(part.dsnames, part.dstypes, strict=True)
        ]
