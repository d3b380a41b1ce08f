"""What the client's C interface gives, read where it lies: kernels over addresses of librdkafka's messages.

An address is followed only within one call of `DirectInlet.take`, between the client's handing it over and `release`: nothing that
leaves these kernels points into the client's memory. The layout is that of `rd_kafka_message_t` of librdkafka's public rdkafka.h.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils as numba_cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from detectors.kernel import device, kernel

ERROR, TOPIC, PARTITION, VALUE, VALUE_BYTES, KEY, KEY_BYTES, OFFSET = 0, 8, 16, 24, 32, 40, 48, 56
"""Where the fields of a message lie, in bytes from its address, where addresses have eight."""
NULL: Final = -1
"""The size of a value, a key or a header's value that is not there."""


class Heads(NamedTuple):
    """What is known of each message of a batch without its bytes. Arrays (n,)."""

    error: NDArray[np.int32]
    topic: NDArray[np.int64]  # an address: equal for equal topics of one batch
    partition: NDArray[np.int64]
    offset: NDArray[np.int64]
    ms: NDArray[np.int64]  # of its time; -1 when it has none
    value_bytes: NDArray[np.int64]  # NULL when there is none
    key_bytes: NDArray[np.int64]  # NULL when there is none
    headers_bytes: NDArray[np.int64]  # as `copy` writes them; 0 when there are none


class Parts(NamedTuple):
    """Where `copy` puts the bytes of some messages, one after the other; each long enough for all of them."""

    values: NDArray[np.uint8]
    keys: NDArray[np.uint8]
    headers: NDArray[np.uint8]


def _function(result: Any, *arguments: Any) -> Any:
    return ir.FunctionType(result, list(arguments))


cgutils: Any = numba_cgutils  # it carries no types
_POINTER: Final = ir.IntType(8).as_pointer()
_I64: Final = ir.IntType(64)
_I32: Final = ir.IntType(32)


def _whole(context: Any, address: Any) -> Any:  # noqa: ARG001  # numba's signature
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _I64.as_pointer()))

    return types.int64(types.int64), generate


def _half(context: Any, address: Any) -> Any:  # noqa: ARG001  # numba's signature
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _I32.as_pointer()))

    return types.int32(types.int64), generate


def _take(context: Any, buffer: Any, at: Any, address: Any, size: Any) -> Any:  # noqa: ARG001  # numba's signature
    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = target.make_array(signature.args[0])(target, builder, value=arguments[0]).data
        place = builder.gep(data, [arguments[1]])
        cgutils.raw_memcpy(builder, place, builder.inttoptr(arguments[2], _POINTER), arguments[3], 1)
        return target.get_dummy_value()

    return types.void(buffer, types.int64, types.int64, types.int64), generate


def _length(context: Any, address: Any) -> Any:  # noqa: ARG001  # numba's signature
    """Of a text that ends with a zero byte."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        strlen = cgutils.get_or_insert_function(builder.module, _function(_I64, _POINTER), "strlen")
        return builder.call(strlen, [builder.inttoptr(arguments[0], _POINTER)])

    return types.int64(types.int64), generate


def _call(function: Any, values: Any, builder: Any) -> Any:
    """Call the function at an address with addresses (or numbers) as wide as one."""
    return builder.call(builder.inttoptr(values[0], function.as_pointer()), list(values[1:]))


def _with_one(context: Any, function: Any, first: Any) -> Any:  # noqa: ARG001  # numba's signature
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call(_function(_I64, _I64), arguments, builder)

    return types.int64(types.int64, types.int64), generate


def _with_array(context: Any, function: Any, first: Any, array: Any) -> Any:  # noqa: ARG001  # numba's signature
    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = target.make_array(signature.args[2])(target, builder, value=arguments[2]).data
        return _call(_function(_I64, _I64, _I64), [*arguments[:2], builder.ptrtoint(data, _I64)], builder)

    return types.int64(types.int64, types.int64, array), generate


def _header(context: Any, function: Any, headers: Any, number: Any, out: Any) -> Any:  # noqa: ARG001  # numba's signature
    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = target.make_array(signature.args[3])(target, builder, value=arguments[3]).data
        first = builder.ptrtoint(data, _I64)
        three = [builder.add(first, ir.Constant(_I64, 8 * n)) for n in range(3)]
        return _call(_function(_I32, *([_I64] * 5)), [*arguments[:3], *three], builder)

    return types.int32(types.int64, types.int64, types.int64, out), generate


whole: Any = intrinsic(_whole)
half: Any = intrinsic(_half)
take: Any = intrinsic(_take)
length: Any = intrinsic(_length)
with_one: Any = intrinsic(_with_one)
with_array: Any = intrinsic(_with_array)
header: Any = intrinsic(_header)


class Functions(NamedTuple):
    """Addresses of the functions of librdkafka that are asked message by message."""

    timestamp: int
    headers: int
    header_at: int
    destroy: int


@device
def _put_size(buffer: NDArray[np.uint8], at: int, size: int) -> None:
    """The lowest byte first."""
    for k in range(8):
        buffer[at + k] = size >> (8 * k) & 0xFF


@kernel
def read_heads(functions: Functions, messages: NDArray[np.int64], spare: NDArray[np.int64], heads: Heads) -> None:
    """Read what there is to say of each message; `spare` has three places."""
    for i in range(messages.shape[0]):
        at = messages[i]
        heads.error[i] = half(at + ERROR)
        heads.topic[i] = whole(at + TOPIC)
        heads.partition[i] = half(at + PARTITION)
        heads.offset[i] = whole(at + OFFSET)
        heads.value_bytes[i] = whole(at + VALUE_BYTES) if whole(at + VALUE) != 0 else NULL
        heads.key_bytes[i] = whole(at + KEY_BYTES) if whole(at + KEY) != 0 else NULL
        heads.headers_bytes[i] = 0
        heads.ms[i] = NULL
        if heads.error[i] != 0:
            continue
        heads.ms[i] = with_array(functions.timestamp, at, spare)
        if with_array(functions.headers, at, spare) & 0xFFFFFFFF == 0:
            headers, number = spare[0], 0
            while header(functions.header_at, headers, number, spare) == 0:
                value_bytes = spare[2] if spare[1] != 0 else 0
                heads.headers_bytes[i] += 16 + length(spare[0]) + value_bytes
                number += 1


@kernel
def copy(
    functions: Functions,
    messages: NDArray[np.int64],
    heads: Heads,
    wanted: NDArray[np.int64],
    spare: NDArray[np.int64],
    out: Parts,
) -> None:
    """Copy the bytes of the messages at some places of the batch. Headers are written as two sizes, eight bytes each, name and value."""
    value_at = key_at = headers_at = 0
    for k in range(wanted.shape[0]):
        i = wanted[k]
        at = messages[i]
        if heads.value_bytes[i] > 0:
            take(out.values, value_at, whole(at + VALUE), heads.value_bytes[i])
            value_at += heads.value_bytes[i]
        if heads.key_bytes[i] > 0:
            take(out.keys, key_at, whole(at + KEY), heads.key_bytes[i])
            key_at += heads.key_bytes[i]
        if heads.headers_bytes[i] > 0 and with_array(functions.headers, at, spare) & 0xFFFFFFFF == 0:
            headers, number = spare[0], 0
            while header(functions.header_at, headers, number, spare) == 0:
                name_bytes = length(spare[0])
                value_bytes = spare[2] if spare[1] != 0 else 0
                _put_size(out.headers, headers_at, name_bytes)
                _put_size(out.headers, headers_at + 8, value_bytes)
                take(out.headers, headers_at + 16, spare[0], name_bytes)
                take(out.headers, headers_at + 16 + name_bytes, spare[1], value_bytes)
                headers_at += 16 + name_bytes + value_bytes
                number += 1


@kernel
def release(functions: Functions, messages: NDArray[np.int64]) -> None:
    """Give the messages back to the client: no address of them may be followed any more."""
    for i in range(messages.shape[0]):
        with_one(functions.destroy, messages[i])


def warm() -> None:
    """Compile (or load) the kernels: they are given no message."""
    none = np.zeros(0, np.int64)
    functions, heads = Functions(0, 0, 0, 0), Heads(np.zeros(0, np.int32), *np.zeros((7, 0), np.int64))
    read_heads(functions, none, none, heads)
    copy(functions, none, heads, none, none, Parts(*np.zeros((3, 0), np.uint8)))
    release(functions, none)
