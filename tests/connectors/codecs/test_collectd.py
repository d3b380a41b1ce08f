"""collectd: names, kinds, values that are null, and lists that contradict themselves."""

import orjson
import pytest

from connectors.codecs.collectd import VALUES_MAX, CollectdCodec
from engine.config.tree import Format, Mapping, Source
from engine.errors import Reject

LOAD = {
    "values": [5.9],
    "dstypes": ["gauge"],
    "dsnames": ["value"],
    "time": 1_795_219_542.591,
    "interval": 2.0,
    "host": "web-07",
    "plugin": "load",
    "plugin_instance": "",
    "type": "load",
    "type_instance": "",
}


def read(catalog, record, *lists, **mapping):
    source = Source(name="s", topics=["t"], format=Format.COLLECTD, mapping=Mapping(**mapping))
    return CollectdCodec(source).decode([record(orjson.dumps(lists))], catalog)


def series(catalog, found):
    return [(catalog.describe(key).name, str(catalog.describe(key).kind)) for key in found.samples.key]


@pytest.mark.parametrize(
    ("word", "kind"), [("gauge", "gauge"), ("derive", "counter"), ("counter", "counter"), ("absolute", "delta"), ("new", "gauge")]
)
def test_kinds_are_collectds_own(catalog, record, word, kind):
    assert series(catalog, read(catalog, record, LOAD | {"dstypes": [word]})) == [("load", kind)]


def test_a_source_may_say_that_all_values_are_rates(catalog, record):
    assert series(catalog, read(catalog, record, LOAD | {"dstypes": ["derive"]}, kind="=gauge")) == [("load", "gauge")]


def test_a_name_is_plugin_type_and_value_without_repetition(catalog, record):
    octets = LOAD | {
        "values": [1, 2],
        "dstypes": ["derive"] * 2,
        "dsnames": ["rx", "tx"],
        "plugin": "interface",
        "type": "if_octets",
    }
    found = read(catalog, record, octets, LOAD)
    assert [name for name, _ in series(catalog, found)] == ["interface.if_octets.rx", "interface.if_octets.tx", "load"]


def test_a_time_is_a_whole_millisecond(catalog, record):
    assert read(catalog, record, LOAD).samples.ts_ns.tolist() == [1_795_219_542_591_000_000]


def test_a_null_is_stale_and_its_neighbour_is_read(catalog, record):
    found = read(catalog, record, LOAD | {"values": [None, 1.0], "dstypes": ["gauge"] * 2, "dsnames": ["a", "b"]})
    assert [part.reason for part in found.rejected] == [Reject.STALE]
    assert found.samples.value.tolist() == [1.0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"values": []}, Reject.WRONG_TYPE),
        ({"values": [1.0, 2.0]}, Reject.WRONG_TYPE),
        ({"dsnames": []}, Reject.WRONG_TYPE),
        ({"values": ["1"]}, Reject.WRONG_TYPE),
        ({"plugin": ""}, Reject.WRONG_TYPE),
        ({"host": 7}, Reject.WRONG_TYPE),
        ({"time": 1e300}, Reject.BAD_TIME),
        ({"values": [1e300]}, Reject.NOT_FINITE),
        (
            {name: [value] * (VALUES_MAX + 1) for name, value in (("values", 1.0), ("dstypes", "gauge"), ("dsnames", "a"))},
            Reject.TOO_MANY_FIELDS,
        ),
    ],
)
def test_a_bad_list_costs_only_itself(catalog, record, change, reason):
    found = read(catalog, record, LOAD | change, LOAD | {"host": "web-08"})
    assert {part.reason for part in found.rejected} == {reason}
    assert len(found.samples.key) == 1


def test_known_series_are_held_to_the_length_of_their_names(catalog, record):
    found = read(catalog, record, LOAD, LOAD | {"values": [1.0, 2.0]}, LOAD)
    assert [part.reason for part in found.rejected] == [Reject.WRONG_TYPE]
    assert len(found.samples.key) == 2


@pytest.mark.parametrize("value", [b"", b"{}", b"[", b"[1,", b"[" * 100_000, b"\xff"])
def test_what_is_no_array_is_malformed(catalog, record, value):
    source = Source(name="s", topics=["t"], format=Format.COLLECTD)
    assert [part.reason for part in CollectdCodec(source).decode([record(value)], catalog).rejected] == [Reject.MALFORMED]
