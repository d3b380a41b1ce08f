"""Protobuf bodies by their writer's schema, which a registry keeps: as the documents that protobuf's own JSON would show.

Members keep the names of the `.proto` file. Numbers are numbers whatever their width, enums their names, `Timestamp` is RFC 3339, `Duration`
seconds, a wrapper its value. A scalar that protobuf leaves out because it is zero is there and zero.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any, Final

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message import Message

from connectors.schemas import Schema
from engine.errors import DecodeError, Reject

INDEXES_MAX: Final = 32
"""Levels of messages inside messages of a file."""
_OWN: Final[dict[str, FileDescriptor]] = {
    module.DESCRIPTOR.name: module.DESCRIPTOR
    for module in (any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
}
"""Protobuf's own files, which schemas may name without the registry's having them."""
_WRAPPED: Final = "Value"
Reader = Callable[[bytes], Any]


def protobuf_reader(schema: Schema) -> Reader:
    """A function from a body (message indexes and message) to its document. Raises DecodeError(UNSUPPORTED) for a schema that cannot be used."""
    pool = descriptor_pool.DescriptorPool()
    try:
        for own in _OWN.values():
            found = descriptor_pb2.FileDescriptorProto()
            own.CopyToProto(found)
            pool.Add(found)
        for name, text in schema.references:
            _add(pool, text, name)
        file = pool.FindFileByName(_add(pool, schema.text, "schema.proto"))
    except (binascii.Error, ProtobufError, TypeError, KeyError, ValueError) as error:
        raise DecodeError(Reject.UNSUPPORTED, "the registry gives no descriptor of this schema") from error
    kinds: dict[tuple[int, ...], type[Message]] = {}

    def read(body: bytes) -> Any:
        indexes, start = _indexes(body)
        if indexes not in kinds:
            kinds[indexes] = message_factory.GetMessageClass(_descriptor(file, indexes))
        try:
            message = kinds[indexes].FromString(body[start:])
        except ProtobufError as error:
            raise DecodeError(Reject.MALFORMED, "not of its schema") from error
        return _document(message)

    return read


def _add(pool: descriptor_pool.DescriptorPool, text: str, name: str) -> str:
    file = descriptor_pb2.FileDescriptorProto.FromString(b64decode(text, validate=True))
    if name != "schema.proto" or not file.name:
        file.name = name
    if file.name not in _OWN:
        pool.Add(file)
    return file.name


def _indexes(body: bytes) -> tuple[tuple[int, ...], int]:
    """Which message of the file it is, and where the message begins. Raises DecodeError(MALFORMED)."""
    count, at = _varint(body, 0)
    if count == 0:
        return (0,), at
    if not 0 < count <= INDEXES_MAX:
        raise DecodeError(Reject.MALFORMED, "no message indexes")
    found = []
    for _ in range(count):
        index, at = _varint(body, at)
        found.append(index)
    return tuple(found), at


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A number in zigzag, and where it ends."""
    value = shift = 0
    while at < len(body) and shift < 35:
        value |= (body[at] & 0x7F) << shift
        shift += 7
        at += 1
        if body[at - 1] < 0x80:
            return (value >> 1) ^ -(value & 1), at
    raise DecodeError(Reject.MALFORMED, "no message indexes")


def _descriptor(file: FileDescriptor, indexes: tuple[int, ...]) -> Descriptor:
    messages = list(file.message_types_by_name.values())
    found: Descriptor | None = None
    for index in indexes:
        if not 0 <= index < len(messages):
            raise DecodeError(Reject.MALFORMED, "no such message in its schema")
        found = messages[index]
        messages = list(found.nested_types)
    if found is None:
        raise DecodeError(Reject.MALFORMED, "no message indexes")
    return found


# ------------------------------------------------------------------------------------------------ messages as documents
def _document(message: Message) -> Any:
    """Protobuf's own bound on nesting holds: a hundred levels."""
    name = message.DESCRIPTOR.full_name
    if name.startswith("google.protobuf."):
        return _known(message, name.removeprefix("google.protobuf."))
    return dict(_members(message))


def _members(message: Any) -> Iterator[tuple[str, Any]]:
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        if _is_map(field):
            of = field.message_type.fields_by_name["value"]
            yield field.name, {str(key): _value(of, member) for key, member in value.items()}
        elif field.is_repeated:
            yield field.name, [_value(field, member) for member in value]
        else:
            yield field.name, _value(field, value)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return _document(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    return value.decode("utf-8", "replace") if type(value) is bytes else value


def _known(message: Any, name: str) -> Any:
    try:
        if name == "Timestamp":
            return message.ToJsonString()
        if name == "Duration":
            return message.ToNanoseconds() / 1e9
    except ValueError as error:
        raise DecodeError(Reject.BAD_TIME, "beyond what protobuf allows") from error
    if name in ("Struct", "Value", "ListValue"):
        return _of_struct(message, name)
    members = dict(_members(message))
    return members.get("value") if name.endswith(_WRAPPED) else members


def _of_struct(message: Any, name: str) -> Any:
    if name == "Struct":
        return {key: _of_struct(member, "Value") for key, member in message.fields.items()}
    if name == "ListValue":
        return [_of_struct(member, "Value") for member in message.values]
    which = message.WhichOneof("kind")
    if which in ("struct_value", "list_value"):
        return _of_struct(getattr(message, which), "Struct" if which == "struct_value" else "ListValue")
    return None if which in (None, "null_value") else getattr(message, which)
