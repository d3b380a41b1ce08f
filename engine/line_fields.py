"""What a log line carries beside its text: which of its document's members name its session, and which measure something.

    {"msg": "order complete", "trace_id": "4bf92f3577b34da6", "duration_ms": 31}
        ─▶  Fields(session=b"4bf92f3577b34da6", numbers=(("duration_ms", 31.0),))

Members are known by their dotted names, whether the dots are nesting or part of a key. What is looked at of one document is bounded in
members, depth and characters. Producers write documents of few shapes, so what to look at is worked out once for each that comes again and again; a document whose shape
is new is looked at member by member, values first, which says the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Members
from itertools import islice
from typing import Any, Final, NamedTuple

from engine.config.mapping import AUTO, Mapping
from engine.measures import VALUE_MAX, measures, number_of
from engine.records import NO_FIELDS, Fields

MEMBERS_MAX: Final = 256
"""Members of one object that are looked at, in the order in which they stand."""
OBJECTS_MAX: Final = 64
"""Objects of one document."""
DEPTH_MAX: Final = 4
NAME_CHARS_MAX: Final = 200
"""Members with longer names, dots and all, are not looked at."""
NUMBERS_MAX: Final = 8
"""Numbers of one line, the first that stand there."""
SHAPES_MAX: Final = 1024
SHAPE_CHARS_MAX: Final = 4096
"""Shapes of objects that are remembered, and characters of the names of one; when full, all are forgotten."""
PLAN_AFTER: Final = 4
"""Documents of one shape before what to look at in them is worked out."""
SEEN_MAX: Final = 4096
"""Shapes without a plan that are counted; when full, all are forgotten."""
SESSION_CHARS_MIN: Final = 4
SESSION_CHARS_MAX: Final = 128
"""Longer values name nothing."""
SESSION_NAMES: Final = (
    "traceid",
    "oteltraceid",
    "requestid",
    "xrequestid",
    "reqid",
    "correlationid",
    "xcorrelationid",
    "transactionid",
    "jobid",
    "runid",
)
"""Names of sessions without `_`, `-` and `.`, in small letters, the best first. They are looked for in the last part of a name and in the last two."""
ORIGINS: Final = frozenset(
    {"kubernetes", "agent", "ecs", "host", "cloud", "container", "docker", "metadata", "@metadata", "input"}
)
"""Objects that say where a line comes from: nothing in them is guessed to be a session or a measurement."""
_LAST_LETTERS: Final = frozenset(letter for name in SESSION_NAMES for letter in (name[-1], name[-1].upper())) | {""}
"""Of members that may name a session; of one without any letter, those of the object that it is in count."""
_NO_NAME: Final = 1 << 30
_ID: Final = re.compile(r"(?=[0-]*[^0-])[^0-9]*[0-9]")  # a digit, and something besides zeros and dashes


class _Shape(NamedTuple):
    """What to look at in an object with certain names."""

    sessions: tuple[tuple[str, int], ...]  # members that may name a session, and how well they do: less is better
    numbers: tuple[tuple[str, str], ...]  # members that measure something, and their dotted names
    inner: frozenset[str]  # members that are looked into where they are objects


class _Step(NamedTuple):
    """One object of a document."""

    names: tuple[str, ...]
    inside: int  # members that are objects
    inner: tuple[str, ...]  # those that are looked into


class _Plan(NamedTuple):
    """What to look at in documents of one shape: the objects are numbered as they are found, outer ones first."""

    steps: tuple[_Step, ...]
    sessions: tuple[tuple[int, str, int], ...]  # (object, member, rank)
    numbers: tuple[tuple[int, str, str], ...]  # (object, member, dotted name)

    def objects_of(self, document: Members[str, Any]) -> list[Members[str, Any]] | None:
        """The objects of a document whose own members have the names of this shape; None where another member is an object, or an object has other names."""
        objects, at = [document], 0
        for names, inside, inner in self.steps:
            members = objects[at]
            if at and (*members,) != names:  # those of the document are how the plan was found
                return None
            at += 1
            if not inside:
                if dict in map(type, members.values()):
                    return None
                continue
            if [*map(type, members.values())].count(dict) != inside:
                return None
            for name in inner:
                one = members[name]
                if type(one) is not dict:
                    return None
                objects.append(one)
        return objects


class _Found:
    """What was found so far in a document that is read without a plan."""

    __slots__ = ("numbers", "rank", "session")

    def __init__(self) -> None:
        self.rank, self.session = _NO_NAME, ""
        self.numbers: list[tuple[str, float]] = []


class FieldReader:
    """Reads the documents of one source, by its mapping. Stateless but for what it remembers of shapes."""

    def __init__(self, mapping: Mapping) -> None:
        self._guesses_session, self._guesses_numbers = mapping.session == AUTO, mapping.numbers == AUTO
        self._names = [] if self._guesses_session else [name.strip() for name in mapping.session.split("|") if name.strip()]
        self._measured = mapping.numbers if isinstance(mapping.numbers, list) else []
        self._texts = mapping.numeric_strings or bool(self._measured)
        self._guesses = self._guesses_session or self._guesses_numbers
        self.wanted = self._guesses or bool(self._names or self._measured)
        """Whether anything is looked for at all."""
        self._seen: dict[int, int] = {}  # how often a shape was met that has no plan
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._plans: dict[tuple[str, ...], _Plan] = {}  # by the names of the document itself: the shape that came last

    def read(self, document: Members[str, Any]) -> Fields:
        """What a document says beside its text; NO_FIELDS when it says nothing."""
        if not self.wanted:
            return NO_FIELDS
        plan = self._plans.get((*document,))
        objects = plan.objects_of(document) if plan is not None else None
        if plan is None or objects is None:
            return self._read_plainly(document)
        best, session, texts = _NO_NAME, "", self._texts
        for at, name, rank in plan.sessions:
            if rank < best:
                text = self._session(objects[at][name])
                if text:
                    best, session = rank, text
        numbers: list[tuple[str, float]] = []
        for at, name, dotted in plan.numbers:
            value = objects[at][name]
            if (type(value) is int or type(value) is float) and -VALUE_MAX < value < VALUE_MAX:
                numbers.append((dotted, float(value)))
                continue
            number = number_of(value, texts=texts)
            if number is not None:
                numbers.append((dotted, number))
        if not session and not numbers:
            return NO_FIELDS
        return Fields(session.encode("utf-8", "replace"), tuple(numbers[:NUMBERS_MAX]))

    def _read_plainly(self, document: Members[str, Any]) -> Fields:
        """As `read`, without a plan: of most members the value says that they are nothing to look at. Makes a plan of a shape that comes again and again."""
        objects, prefixes, found = [document], [""], _Found()
        shape = 0
        for at, members in enumerate(objects):  # it grows
            shape = hash((shape, *members))
            self._look_at(members, prefixes[at], objects, prefixes, found)
        self._count(shape, document)
        if not found.session and not found.numbers:
            return NO_FIELDS
        return Fields(found.session.encode("utf-8", "replace"), tuple(found.numbers))

    def _look_at(
        self,
        members: Members[str, Any],
        prefix: str,
        objects: list[Members[str, Any]],
        prefixes: list[str],
        found: _Found,
    ) -> None:
        """Look at the members of one object; those that are looked into are put behind `objects`."""
        for name, value in islice(members.items(), MEMBERS_MAX):
            if len(prefix) + len(name) > NAME_CHARS_MAX:
                continue
            if type(value) is dict:
                if len(objects) < OBJECTS_MAX and self._looks_into(prefix, name):
                    objects.append(value)
                    prefixes.append(f"{prefix}{name}.")
                continue
            if not self._guesses_session or name.rstrip("_-.")[-1:] in _LAST_LETTERS:
                text = self._session(value)
                rank = self._rank(prefix + name) if text else _NO_NAME
                if rank < found.rank:
                    found.rank, found.session = rank, text
            number = number_of(value, texts=self._texts)
            if number is not None and len(found.numbers) < NUMBERS_MAX and self._measures(prefix + name):
                found.numbers.append((prefix + name, number))

    def _count(self, shape: int, document: Members[str, Any]) -> None:
        """Make a plan of a shape that was met often enough. To look at the names of one costs ten times as much as to look at the values of a document."""
        seen = self._seen.get(shape, 0) + 1
        if seen >= PLAN_AFTER:
            self._seen.pop(shape, None)
            self._plan(document)
            return
        if len(self._seen) >= SEEN_MAX:
            self._seen.clear()
        self._seen[shape] = seen

    def _plan(self, document: Members[str, Any]) -> tuple[_Plan, list[Members[str, Any]]]:
        """What to look at in a document like this one, and its objects: the document and those within it, outer ones first."""
        objects, prefixes = [document], [""]
        steps: list[_Step] = []
        sessions: list[tuple[int, str, int]] = []
        numbers: list[tuple[int, str, str]] = []
        chars = 0
        for at, members in enumerate(objects):  # it grows
            names = (*members,)
            chars += sum(map(len, names))
            shape = self._shapes.get((prefixes[at], *names)) or self._shape((prefixes[at], *names))
            sessions += [(at, name, rank) for name, rank in shape.sessions]
            numbers += [(at, name, dotted) for name, dotted in shape.numbers]
            inner = [name for name, value in members.items() if type(value) is dict and name in shape.inner]
            inner = inner[: OBJECTS_MAX - len(objects)]
            steps.append(_Step(names, sum(type(value) is dict for value in members.values()), tuple(inner)))
            objects += [members[name] for name in inner]
            prefixes += [f"{prefixes[at]}{name}." for name in inner]
        plan = _Plan(tuple(steps), tuple(sessions), tuple(numbers))
        if chars <= SHAPE_CHARS_MAX:
            if len(self._plans) >= SHAPES_MAX:
                self._plans.clear()
            self._plans[steps[0].names] = plan
        return plan, objects

    def reads(self, name: str) -> bool:
        """Whether a text or a number with this name, at the root of a document, may be told."""
        return self.wanted and (self._rank(name) < _NO_NAME or self._measures(name))

    def _shape(self, names: tuple[str, ...]) -> _Shape:
        """What to look at in an object with these names, the prefix of them all first."""
        shape = self._shape_anew(names[0], names[1 : MEMBERS_MAX + 1])
        if sum(map(len, names)) <= SHAPE_CHARS_MAX:
            if len(self._shapes) >= SHAPES_MAX:
                self._shapes.clear()
            self._shapes[names] = shape
        return shape

    def _shape_anew(self, prefix: str, names: tuple[str, ...]) -> _Shape:
        short = [name for name in names if len(prefix) + len(name) <= NAME_CHARS_MAX]
        ranks = ((name, self._rank(prefix + name)) for name in short)
        return _Shape(
            tuple((name, rank) for name, rank in ranks if rank < _NO_NAME),
            tuple((name, prefix + name) for name in short if self._measures(prefix + name)),
            frozenset(name for name in short if self._looks_into(prefix, name)),
        )

    def _looks_into(self, prefix: str, name: str) -> bool:
        if self._guesses and prefix.count(".") < DEPTH_MAX - 1 and (prefix + name) not in ORIGINS:
            return True
        return any(given.startswith(f"{prefix}{name}.") for given in (*self._names, *self._measured))

    def _measures(self, name: str) -> bool:
        return measures(name) if self._guesses_numbers else name in self._measured

    def _rank(self, name: str) -> int:
        """How well a name names a session: less is better, _NO_NAME not at all."""
        if not self._guesses_session:
            return self._names.index(name) if name in self._names else _NO_NAME
        parts = name.lower().replace("_", "").replace("-", "").split(".")
        ends = (parts[-1], "".join(parts[-2:]))
        return min((SESSION_NAMES.index(end) for end in ends if end in SESSION_NAMES), default=_NO_NAME)

    def _session(self, value: Any) -> str:
        """A value as the name of a session, "" where it is none. What was only guessed must look like an id, as in a text."""
        text = value if type(value) is str else str(value) if type(value) is int else ""
        if len(text) > SESSION_CHARS_MAX or text in ("", "-"):
            return ""
        if self._guesses_session and (len(text) < SESSION_CHARS_MIN or _ID.match(text) is None):
            return ""
        return text


def joined_fields(outer: Fields, inner: Fields) -> Fields:
    """Those of a line that is a document within a document: the inner one knows better."""
    if outer is NO_FIELDS or inner is NO_FIELDS:
        return inner if outer is NO_FIELDS else outer
    names = {name for name, _ in inner.numbers}
    others = tuple(part for part in outer.numbers if part[0] not in names)
    return Fields(inner.session or outer.session, (inner.numbers + others)[:NUMBERS_MAX])
