"""What is slow between two entities is the fault of the one whose other ways are slow too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from engine.correlate.causes import Symptom
from engine.correlate.derived import Table
from engine.correlate.families import Family, family_of
from engine.correlate.topology import Topology

_SLOW: Final = 3.0
"""From so many usual deviations on a way counts as slow."""
_MOST: Final = 1_000.0
_IN, _OUT = "in", "out"
_LEAST: Final = {_IN: 1e-9, _OUT: 0.5}
"""Of the ways from an entity that nobody is measured calling half must be slow, or it is not what slows them; of those to it any."""


class _Way(NamedTuple):
    """A call that is measured: the entities of both ends."""

    caller: str
    callee: str


def at_both_ends(symptoms: Sequence[Symptom], table: Table, topology: Topology) -> list[Symptom]:
    """The symptoms, those of ways between entities at both ends, each as strong as the share of its ways that are slow.

    A column is about a way if its family says so and its metric names the other entity; the longest name counts. All who call an entity that is hard to
    reach wait for it, whether or not it waits for others; of whom nobody is measured calling, those whom it calls are asked.
    """
    ways = _ways(table, topology)
    slow = {(s.entity, s.metric) for s in symptoms if s.family is Family.EDGE and s.direction > 0 and s.strength >= _SLOW}
    known, bad = Counter(_ends(ways.values())), Counter(_ends(ways[column] for column in slow if column in ways))
    out = []
    for symptom in symptoms:
        column = (symptom.entity, symptom.metric)
        if column not in ways or column not in slow:
            out.append(symptom)
            continue
        for end in ways[column]:
            side = _IN if known[end, _IN] else _OUT
            share = bad[end, side] / known[end, side]
            if share >= _LEAST[side]:
                out.append(replace(symptom, entity=end, strength=min(symptom.strength, _MOST) * share))
    return out


def _ends(ways: Iterable[_Way]) -> Iterator[tuple[str, str]]:
    for way in ways:
        yield way.callee, _IN
        yield way.caller, _OUT


def _ways(table: Table, topology: Topology) -> Mapping[tuple[str, str], _Way]:
    """The way that each column is about. Where the topology does not know the two, the column belongs to who is called."""
    ways, entities = {}, sorted({*table.entities, *topology.entities()})
    for entity, metric in zip(table.entities, table.metrics, strict=True):
        other = _other_end(entity, metric, entities) if family_of(metric) is Family.EDGE else ""
        if other:
            ways[entity, metric] = _Way(entity, other) if other in topology.callees(entity) else _Way(other, entity)
    return ways


def _other_end(entity: str, metric: str, entities: Sequence[str]) -> str:
    return max((other for other in entities if other != entity and other in metric), key=len, default="")
