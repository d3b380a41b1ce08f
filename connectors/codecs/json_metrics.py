"""A JSON document's numbers → samples, by the mapping of its source."""

from __future__ import annotations

from math import isnan

from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_flat import is_flat
from connectors.codecs.json_paths import Document, Getter, alternatives, compile_labels, compile_path
from engine.config.tree import Mapping
from engine.errors import DecodeError, Reject
from engine.ports import Catalog

FIELDS_MAX = 10_000
"""Numbers of one document."""
DEPTH_MAX = 16
"""Objects inside objects under `values`."""
ALIASES_MAX = 200_000
FLAT_ALIASES_MAX = 1_000
"""Where documents are flat: those of known series are read another way (`json_flat`)."""
"""Groups remembered, one for each (name, kind, labels); when full, all are forgotten."""

_KINDS = {"incremental": "delta", "delta": "delta", "counter": "counter", "cumulative": "counter", "gauge": "gauge"}
_HEADS = {"counter": "counter", "gauge": "gauge", "aggregated_histogram": "counter", "aggregated_summary": "counter"}
_Labels = tuple[tuple[str, str], ...]
_Group = tuple[str, str, _Labels]  # name, kind word, labels


class MetricReader:
    """Reads documents with numbers at stated paths, or with objects full of numbers."""

    def __init__(self, mapping: Mapping, catalog: Catalog) -> None:
        self._named = bool(mapping.name)
        self._name = compile_path(mapping.name)
        self._kind = compile_path(mapping.kind)
        self._labels = compile_labels(mapping.labels)
        self._numeric_strings = mapping.numeric_strings
        self._split_entity = mapping.split_entity
        self._nan_is_stale = mapping.nan_is_stale
        self._object = compile_path(mapping.values) if isinstance(mapping.values, str) else None
        self._fields = _explicit_fields(mapping)
        self._skip = _skipped(mapping)
        self._groups: dict[_Group, dict[str, bytes]] = {}
        self._aliases_max = FLAT_ALIASES_MAX if is_flat(mapping) else ALIASES_MAX
        self._catalog = catalog

    def read(self, row: int, ts_ns: int, document: Document, out: ColumnsBuilder) -> None:
        """Put the samples of one document. Raises DecodeError when the document as a whole is of no use."""
        group, keys = self._group(document)
        if self._object is None:
            self._read_fields(row, ts_ns, document, out, group, keys)
            return
        found = self._object(document)
        if type(found) is dict:
            left = self._read_leaves(row, ts_ns, found, "", out, (group, keys), FIELDS_MAX)
            if left < 0:
                out.reject(row, Reject.TOO_MANY_FIELDS, f"more than {FIELDS_MAX} numbers, or more than {DEPTH_MAX} levels")
        elif found is None:
            raise DecodeError(Reject.WRONG_TYPE, "nothing at the path of values")
        else:
            self._put(row, ts_ns, found, "", out, (group, keys))

    def key(self, group: _Group, field: str, head: str = "") -> bytes:
        """The series of one number, from the catalog. Raises DecodeError(BAD_LABELS)."""
        name, word, labels = group
        named = dict(labels)
        if self._split_entity and ":" in field:
            entity, field = field.rsplit(":", 1)
            named["entity"] = entity
        full = f"{name}.{field}" if name and field else name or field
        if not full:
            raise DecodeError(Reject.WRONG_TYPE, "a number without a name")
        return self._catalog.metric(full, named, kind=_HEADS.get(head, "") if word == "absolute" else _KINDS.get(word, ""))

    def _group(self, document: Document) -> tuple[_Group, dict[str, bytes]]:
        name = self._name(document)
        if type(name) is not str:
            if self._named:
                raise DecodeError(Reject.WRONG_TYPE, "no name of a metric at its path")
            name = ""
        word = self._kind(document)
        group = (name, word if type(word) is str else "", self._labels(document))
        keys = self._groups.get(group)
        if keys is None:
            if len(self._groups) >= self._aliases_max:
                self._groups.clear()
            keys = self._groups[group] = {}
        return group, keys

    def _read_fields(
        self, row: int, ts_ns: int, document: Document, out: ColumnsBuilder, group: _Group, keys: dict[str, bytes]
    ) -> None:
        before = out.marks()
        for suffix, ways in self._fields:
            for head, getter in ways:
                value = getter(document)
                if value is not None:
                    self._put(row, ts_ns, value, suffix, out, (group, keys), head)
                    break
        if out.marks() == before:
            raise DecodeError(Reject.WRONG_TYPE, "no number at any path of values")

    def _put(
        self,
        row: int,
        ts_ns: int,
        value: object,
        field: str,
        out: ColumnsBuilder,
        group: tuple[_Group, dict[str, bytes]],
        head: str = "",
    ) -> None:
        number = self._number(value)
        if number is None:
            out.reject(row, Reject.WRONG_TYPE, f"not a number: {field or 'the value'}")
            return
        if self._nan_is_stale and isnan(number):
            out.reject(row, Reject.STALE, "a NaN: the series has ended, or has no value")
            return
        place = f"{field}\0{head}" if head else field
        key = group[1].get(place)
        if key is None:
            try:
                key = group[1][place] = self.key(group[0], field, head)
            except DecodeError as error:
                out.reject(row, error.reason, error.detail)
                return
        out.sample(row, key, ts_ns, number)

    def _read_leaves(
        self,
        row: int,
        ts_ns: int,
        members: Document,
        prefix: str,
        out: ColumnsBuilder,
        group: tuple[_Group, dict[str, bytes]],
        left: int,
    ) -> int:
        """Put all numbers below `members`; returns how many more a document may have, negative when it had too many."""
        if prefix.count(".") > DEPTH_MAX:
            return -1
        keys, skip = group[1], self._skip
        for member, value in members.items():
            kind = type(value)
            field = prefix + member if prefix else member
            if kind is float or kind is int:
                left -= 1
                if left < 0:
                    return left
                key = keys.get(field)
                if key is not None:
                    out.sample(row, key, ts_ns, value)
                elif field not in skip:
                    self._put(row, ts_ns, value, field, out, group)
            elif kind is dict and field not in skip:
                left = self._read_leaves(row, ts_ns, value, f"{field}.", out, group, left)
                if left < 0:
                    return left
            elif (kind is bool or (kind is str and self._means_number(value))) and field not in skip:
                left -= 1
                self._put(row, ts_ns, value, field, out, group)
        return left

    def _means_number(self, text: str) -> bool:
        """Whether a text among numbers is meant as one: always among `entity:metric`, else when it reads as one."""
        return self._split_entity or self._number(text) is not None

    def _number(self, value: object) -> float | None:
        if isinstance(value, (float, int)):  # a boolean is 0 or 1
            return value
        if self._numeric_strings and isinstance(value, str) and "_" not in value:
            try:
                return float(value)
            except ValueError:
                return None
        return None


def _explicit_fields(mapping: Mapping) -> list[tuple[str, list[tuple[str, Getter]]]]:
    """Each named number as (what is appended to the name, [(first part of the path, getter) for each alternative])."""
    if isinstance(mapping.values, str):
        return []
    alone = len(mapping.values) == 1 and bool(mapping.name)
    absolute = bool(mapping.kind)
    return [
        (
            "" if alone else field,
            [(path.split(".")[0] if absolute else "", compile_path(path)) for path in alternatives(paths)],
        )
        for field, paths in mapping.values.items()
    ]


def _skipped(mapping: Mapping) -> frozenset[str]:
    """Leaves that are no metrics, as seen from `values`: what was asked to be skipped, and what is time, name, kind or label."""
    if not isinstance(mapping.values, str):
        return frozenset()
    labels = [mapping.labels] if isinstance(mapping.labels, str) else mapping.labels.values()
    texts = (*mapping.skip, mapping.time, mapping.name, mapping.kind, *labels)
    paths = [path for text in texts for path in alternatives(text) if path]
    if mapping.values == ".":
        return frozenset(paths)
    below = f"{mapping.values}."
    return frozenset(path.removeprefix(below) for path in paths if path.startswith(below))


__all__ = ["ALIASES_MAX", "DEPTH_MAX", "FIELDS_MAX", "Getter", "MetricReader"]
