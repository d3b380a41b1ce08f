"""Laws of groups: like series together, equal logs equal numbers, bounded, restorable."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from engine.detect.groups import Groups, entity_name, fleet_key, fleets, metric_of
from engine.errors import StateError
from engine.records import Series, Signal, ValueKind, series_key


def series(name: str = "latency", kind: ValueKind = ValueKind.GAUGE, signal: Signal = Signal.METRIC, **labels: str) -> Series:
    pairs = tuple(sorted(labels.items()))
    return Series(key=series_key(name, pairs), name=name, labels=pairs, entity="", kind=kind, signal=signal)


def groups(**limits: int) -> Groups:
    return Groups(fleets(["pod", "host"]), **limits)


def test_series_that_differ_in_nothing_but_who_they_are_of_are_one_group():
    found = groups()
    one = found.add(0, series(service="cart", pod="a", host="x"))
    assert found.add(3, series(service="cart", pod="b", host="y")) == one
    assert found.add(1, series(service="cart", pod="c")) == one
    assert list(found.members(one)) == [0, 1, 3]
    assert fleet_key(series(service="cart", pod="a"), ["pod"]) == 'latency{service="cart"}'


@pytest.mark.parametrize(
    "other",
    [
        series(service="payment", pod="a"),
        series("errors", service="cart", pod="a"),
        series(kind=ValueKind.COUNTER, service="cart", pod="a"),
        series(service="cart", zone="1", pod="a"),
    ],
    ids=lambda s: f"{s.key.decode()} {s.kind}",
)
def test_what_differs_in_anything_else_is_another_group(other):
    found = groups()
    assert found.add(0, series(service="cart", pod="a")) != found.add(1, other)


@pytest.mark.parametrize("alone", [series(service="cart"), series(signal=Signal.LOG, pod="a")], ids=["no label", "a log"])
def test_what_nothing_tells_apart_belongs_to_none(alone):
    found = groups()
    assert found.add(0, alone) == found.of(0) == -1
    assert found.remove(0) == -1


def test_groups_and_members_have_a_maximum():
    found = groups(groups_max=1, members_max=2)
    assert [found.add(i, series(pod=str(i))) for i in range(3)] == [0, 0, -1]
    assert found.add(4, series("errors", pod="0")) == -1


def test_a_group_ends_with_its_last_member_and_its_number_is_given_again():
    found = groups()
    for slot, name in enumerate(("a", "b", "c")):
        found.add(slot, series(name, pod="1"))
    assert found.remove(1) == 1
    assert found.remove(0) == 0
    assert found.add(7, series("d", pod="1")) == 0
    assert found.add(8, series("c", pod="2")) == 2
    assert found.remove(8) == -1


def test_a_restored_table_goes_on_alike():
    one, two = groups(), groups()
    for slot, name in enumerate(("a", "b", "a", "c")):
        one.add(slot, series(name, pod=str(slot)))
    one.remove(1)
    two.restore(one.snapshot())
    for table in (one, two):
        table.add(9, series("e", pod="9"))
        table.add(4, series("a", pod="4"))
    for before, after in zip(one.snapshot().values(), two.snapshot().values(), strict=True):
        assert before.tobytes() == after.tobytes()
    assert list(two.members(0)) == [0, 2, 4]
    assert two.slots().tolist() == [0, 2, 3, 4, 9]


@pytest.mark.parametrize("torn", [{"names": np.frombuffer(b"[", np.uint8)}, {"group": np.array([5])}])
def test_torn_columns_are_refused(torn):
    one = groups()
    one.add(0, series(pod="1"))
    with pytest.raises(StateError):
        groups().restore({**one.snapshot(), **torn})


def test_the_metrics_of_an_entity_belong_together():
    cart = structs.replace(series("latency"), entity="cart")
    assert entity_name(cart) == entity_name(structs.replace(series("load", pod="a"), entity="cart")) != ""
    assert entity_name(cart) != entity_name(structs.replace(cart, entity="payment"))
    assert entity_name(cart) != entity_name(structs.replace(cart, tenant="other"))
    assert entity_name(series("latency")) == entity_name(structs.replace(cart, signal=Signal.LOG)) == ""


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("latency.p99", "latency"),
        ("rpc_p50", "rpc"),
        ("wait_seconds_bucket", "wait_seconds"),
        ("cpu.user", "cpu.user"),
        ("p99", "p99"),
    ],
)
def test_quantiles_measure_the_same(name, metric):
    assert metric_of(series(name)) == metric
