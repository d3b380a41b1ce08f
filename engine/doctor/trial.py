"""Every block is tried on the records of a topic; the one that most speaks for is the proposal. What it leaves unread is tried again.

A block may be taken when it reads something of what is left, and when at least half of what it expects is there in what it reads. Blocks are
compared by the share that they read times what speaks for them, so that one that reads everything as text comes behind one that knows what
it reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import compress
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.config.tree import Source
from engine.doctor.ledger import Ledger
from engine.errors import QUIET
from engine.ports import Codec
from engine.records import Decoded, Dependency, Distribution, Event, Record, Rejected, Span

ROUNDS_MAX: Final = 4
"""Kinds of records that are told apart on one topic."""
READ_SHARE: Final = 0.02
LIKE_SHARE: Final = 0.5
EXAMPLES_MAX: Final = 5
_FIRST: Final = 100
"""Records that every block is tried on; the best is tried on all of them."""


class Likelihood(Protocol):
    """What speaks for a block, as the codecs' own side sees it."""

    @property
    def score(self) -> float: ...

    @property
    def share(self) -> float: ...


class Candidate(NamedTuple):
    """A block to be tried."""

    name: str  # the block of configs/formats.yaml, or what else it is
    source: Source
    likeness: Callable[[Sequence[bool]], Likelihood]
    """Of those of the records that it was made for that it reads."""
    worth: float = 1.0  # what speaks for it is multiplied by this


Candidates = Callable[[Sequence[Record], Sequence[Record]], list[Candidate]]
"""What may read some records, given a few of those that another block has read already."""


class Refusal(NamedTuple):
    """Why records are not read: a reason, how often, and one of them."""

    reason: str
    times: int
    detail: str
    partition: int
    offset: int


class Trial(NamedTuple):
    """What a block made of some records. Arrays are by record."""

    candidate: Candidate
    records: Sequence[Record]
    decoded: Decoded
    ledger: Ledger
    gave: NDArray[np.bool_]  # something, or said on purpose that there is nothing
    hollow: NDArray[np.bool_]  # the latter only
    refused: NDArray[np.bool_]  # in whole or in part
    likeness: Likelihood

    @property
    def read(self) -> NDArray[np.bool_]:
        """Records that gave all that is in them."""
        return self.gave & ~self.refused

    @property
    def read_share(self) -> float:
        """Of all; what is read in part counts half, what holds nothing on purpose hardly: a wrong block might take it so."""
        worth = np.where(self.hollow, 0.05, np.where(self.refused, 0.5, 1.0))
        return float((self.gave * worth).mean()) if len(self.gave) else 0.0

    @property
    def score(self) -> float:
        return self.read_share * self.likeness.score * self.candidate.worth

    @property
    def is_fit(self) -> bool:
        """Whether it may be proposed at all."""
        return self.read_share >= READ_SHARE and self.likeness.share >= LIKE_SHARE

    def refusals(self) -> list[Refusal]:
        """Reasons with one example of each, the most frequent first."""
        bad = [part for part in self.decoded.rejected if part.reason not in QUIET]
        first: dict[str, Rejected] = {}
        for part in bad:
            first.setdefault(part.reason, part)
        counts = Counter(part.reason for part in bad)
        found = [(count, first[reason]) for reason, count in counts.most_common(EXAMPLES_MAX)]
        return [
            Refusal(str(part.reason), count, part.detail, self.records[part.row].partition, self.records[part.row].offset)
            for count, part in found
        ]


class Trials(NamedTuple):
    """The blocks that read a topic, the one that reads most first, and what is left."""

    chosen: list[Trial]
    others: list[tuple[str, float]]  # the best of those that were not chosen first, each with the share that it reads
    unread: list[Record]


def run_trial(
    candidate: Candidate, records: Sequence[Record], build: Callable[[Source], Codec], likeness: Likelihood | None = None
) -> Trial:
    """One block over some records: those that it was made for, unless what speaks for it is known."""
    ledger = Ledger(candidate.source)
    decoded = build(candidate.source).decode(records, ledger)
    gave, refused = np.zeros(len(records), np.bool_), np.zeros(len(records), np.bool_)
    gave[decoded.samples.row] = True
    gave[decoded.lines.row] = True
    rare: tuple[Event | Distribution | Span | Dependency, ...] = (
        *decoded.events,
        *decoded.distributions,
        *decoded.spans,
        *decoded.dependencies,
    )
    for part in rare:
        gave[part.row] = True
    quiet = np.zeros(len(records), np.bool_)
    for rejected in decoded.rejected:
        (quiet if rejected.reason in QUIET else refused)[rejected.row] = True
    hollow = quiet & ~gave
    gave |= quiet
    return Trial(candidate, records, decoded, ledger, gave, hollow, refused, likeness or candidate.likeness(gave.tolist()))


def try_all(records: Sequence[Record], candidates: Candidates, build: Callable[[Source], Codec]) -> Trials:
    """Choose a block, then another for what it leaves unread, and so on. Records have a value and are of a size that is read."""
    chosen: list[Trial] = []
    others: list[tuple[str, float]] = []
    left, done = list(records), list[Record]()
    while left and len(chosen) < ROUNDS_MAX:
        few = left[:: max(1, -(-len(left) // _FIRST))]
        ranked = sorted((run_trial(candidate, few, build) for candidate in candidates(few, done)), key=_score, reverse=True)
        best = next((trial for trial in ranked if trial.is_fit), None)
        if best is None:
            break
        if not chosen:
            others = [(trial.candidate.name, trial.read_share) for trial in ranked if trial is not best and trial.gave.any()]
        whole = run_trial(best.candidate, left, build, best.likeness)
        chosen.append(whole)
        done = list(compress(left, whole.gave))[:_FIRST]
        left = list(compress(left, ~whole.gave))
    return Trials(chosen, others[:EXAMPLES_MAX], left)


def _score(trial: Trial) -> float:
    return trial.score
