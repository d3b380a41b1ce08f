"""What all OTLP formats share: parsing either encoding, attributes as labels, which attributes of a resource are identity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message import Message

from connectors.codecs import otlp_scan
from connectors.codecs.otlp_scan import PART_BYTES_MIN, PARTS_FREE
from detectors.parts import PADDING
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.times import LATEST_NS

Labels = tuple[tuple[str, str], ...]
Parser = Callable[[bytes], Any]
"""From a record's value to the message, of protobuf or of `otlp_json`. Raises DecodeError."""

ATTRIBUTES_MAX = 128
"""Attributes looked at of one object, as many as SDKs let spans have."""
DEPTH_MAX = 16
"""Levels of a body that are read."""
_PADDING: Final = bytes(PADDING)

MessageType = TypeVar("MessageType", bound=Message)


def protobuf_parser(kind: type[MessageType]) -> Parser:
    """A parser of that message of protobuf, whose first field is a list of what came from each resource."""
    read, resources = kind.FromString, kind.DESCRIPTOR.fields[0].name
    has_points = resources == "resource_metrics"

    def parse(value: bytes) -> Any:
        if len(value) > 2 * PARTS_FREE:
            refuse_hollow(otlp_scan.most_parts(np.frombuffer(value + _PADDING, np.uint8), len(value), has_points), len(value))
        try:
            message = read(value)
        except ProtobufError as error:
            raise DecodeError(Reject.MALFORMED, f"not a protobuf {kind.DESCRIPTOR.name}") from error
        refuse_hollow(len(getattr(message, resources)), len(value))
        return message

    return parse


def refuse_hollow(parts: int, size: int) -> None:
    """Raises DecodeError(TOO_MANY_FIELDS) for more parts than can say anything in a message of that size."""
    if parts > PARTS_FREE and parts * PART_BYTES_MIN > size:
        raise DecodeError(Reject.TOO_MANY_FIELDS, f"{parts} parts, most of which say nothing")


def json_parser(kind: type[msgspec.Struct]) -> Parser:
    """A parser of that message as JSON."""
    decoder = msgspec.json.Decoder(kind, strict=False)

    def parse(value: bytes) -> Any:
        try:
            return decoder.decode(value)
        except msgspec.ValidationError as error:
            raise DecodeError(Reject.WRONG_TYPE, _place_of(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DecodeError(Reject.MALFORMED, "not JSON") from error
        except RecursionError as error:
            raise DecodeError(Reject.MALFORMED, "nested too deeply") from error

    return parse


def _place_of(error: msgspec.ValidationError) -> str:
    """Where something has the wrong type, without what is there."""
    _, found, path = str(error).rpartition(" - at ")
    return f"wrong type at {path}" if found else "not an object"


def time_of(ts_ns: int) -> int:
    """The time of a point. Raises DecodeError(BAD_TIME) for none, and for one beyond 64 bits."""
    if 0 < ts_ns <= LATEST_NS:
        return ts_ns
    raise DecodeError(Reject.BAD_TIME, "no time" if ts_ns == 0 else "beyond 64 bits of nanoseconds")


def number_of(value: float | str | None) -> float:
    """A double as JSON gives it; NaN for what is none."""
    if type(value) is not str:
        return math.nan if value is None else value  # type: ignore[return-value]
    try:
        return math.nan if "_" in value else float(value)
    except ValueError:
        return math.nan


def text_of(value: Any) -> str | None:
    """A scalar attribute as text; None for arrays, objects, bytes and nothing."""
    which = value.WhichOneof("value")
    if which == "string_value":
        return value.string_value  # type: ignore[no-any-return]
    if which == "int_value":
        return str(value.int_value)
    if which == "bool_value":
        return "true" if value.bool_value else "false"
    if which == "double_value":
        return repr(number_of(value.double_value))
    return None


def plain(value: Any, depth: int = 0) -> Any:
    """Any value as Python's own: text, numbers, lists, dicts; None for nothing and for what is nested too deeply."""
    which = value.WhichOneof("value")
    if which is None or depth > DEPTH_MAX:
        return None
    found = getattr(value, which)
    if which == "array_value":
        return [plain(part, depth + 1) for part in found.values]
    if which == "kvlist_value":
        return {part.key: plain(part.value, depth + 1) for part in found.values}
    if which == "bytes_value":
        return found.decode("utf-8", "replace")
    return number_of(found) if which == "double_value" else found


def labels_of(attributes: Iterable[Any]) -> Labels:
    """Scalar attributes as pairs, in the order in which they stand; too many remain too many, for the catalog to refuse."""
    found = []
    for attribute in attributes:
        text = text_of(attribute.value)
        if text is not None:
            found.append((attribute.key, text))
            if len(found) > ATTRIBUTES_MAX:
                break
    return tuple(found)


def members_of(attributes: Iterable[Any]) -> dict[str, Any]:
    """The first attributes by name, each as Python's own."""
    return {attribute.key: plain(attribute.value) for attribute in islice(attributes, ATTRIBUTES_MAX)}


def facts_of(attributes: Iterable[Any]) -> dict[str, str]:
    """Scalar attributes by name."""
    return dict(labels_of(attributes))


def span_id(value: bytes | str) -> bytes:
    """An id of a trace or span: bytes in protobuf, hex in JSON; none when it is all zeros or is no hex."""
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value)
        except ValueError:
            return b""
    return value if any(value) else b""


class Identity:
    """Which attributes of a resource make a series, by the rules of its source."""

    def __init__(self, source: Source) -> None:
        self._names = frozenset(name for name in source.resource.drop if not name.endswith("*"))
        self._heads = tuple(name[:-1] for name in source.resource.drop if name.endswith("*"))
        self._members = tuple(source.resource.members)

    def kept(self, attributes: Labels) -> Labels:
        """Those that neither churn nor tell once more what the first of the members told."""
        named = dict(attributes)
        member = next((name for name in self._members if named.get(name)), "")
        return tuple((name, text) for name, text in named.items() if name == member or not self._is_left_out(name))

    def _is_left_out(self, name: str) -> bool:
        return name in self._members or name in self._names or name.startswith(self._heads)
